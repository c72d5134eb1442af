//! `xmserver carrier`: the stream of NATS JetStream that takes letters from the processes that receive them to those that settle them.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use carrier::{Carrier, CarrierFault, Contract, Promise, STREAM, StreamState};
use clap::Subcommand;
use serde::Serialize;

use crate::configuration::Configuration;
use crate::show;
use crate::speech::{self, said};

/// Longest wait for the first connection to a server.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);

/// Pause between two questions to servers that do not answer yet.
const PAUSE: Duration = Duration::from_millis(200);

/// What to do with the carrier.
#[derive(Subcommand, Clone, Copy, Debug)]
pub enum CarrierCommand {
    /// Make the carrier's stream on its servers; one that is there stays as it is
    Init,
    /// Say what the carrier's servers promise; exit code 1 where the contract needs more
    Check,
}

/// The carrier, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    stream: &'static str,
    replicas: usize,
    servers: &'a [String],
    waiting: u64,
    contract: &'static str,
    /// Why what is acknowledged may be lost; none where it is durable.
    shortcoming: Option<String>,
}

pub(super) async fn run(
    configuration: &Configuration,
    command: CarrierCommand,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let Some(settings) = &configuration.carrier else {
        bail!("no carrier is configured: add [carrier] with its servers to the configuration");
    };
    let carrier = Carrier::connect(settings, "xmserver carrier").await.context("the carrier")?;
    let stream = match command {
        CarrierCommand::Init => answered(&carrier, async || carrier.make_stream().await).await?,
        CarrierCommand::Check => answered(&carrier, async || carrier.stream().await).await?,
    };
    if let Some(found) = stream.partitions.filter(|found| *found != settings.partitions) {
        let configured = settings.partitions;
        bail!(
            "the stream was made for {found} partitions, and carrier.partitions is {configured}: give all replicas the number of the stream"
        );
    }
    let promise = carrier.promise().await?;
    let shortcoming = match &promise {
        Promise::Durable { .. } => None,
        Promise::Volatile(shortcoming) => Some(shortcoming.to_string()),
    };
    tell(&stream, settings.contract, shortcoming.as_deref(), json)?;
    let is_enough = shortcoming.is_none() || settings.contract == Contract::Settled;
    Ok(if is_enough { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks until the servers answer: the connection is made in the background, and servers that have just started choose a leader first.
async fn answered(
    carrier: &Carrier,
    ask: impl AsyncFn() -> Result<StreamState, CarrierFault>,
) -> Result<StreamState, CarrierFault> {
    let connecting = async {
        while !carrier.is_connected() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let until = Instant::now() + CONNECT_WAIT_MAX;
    if tokio::time::timeout(CONNECT_WAIT_MAX, connecting).await.is_err() {
        let servers = carrier.settings().servers.join(", ");
        return Err(CarrierFault::Away(servers));
    }
    loop {
        match ask().await {
            Err(CarrierFault::Away(_)) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
            answer => return answer,
        }
    }
}

fn tell(stream: &StreamState, contract: Contract, shortcoming: Option<&str>, json: bool) -> anyhow::Result<()> {
    let StreamState { replicas, servers, parcels, .. } = stream;
    if json {
        let shortcoming = shortcoming.map(str::to_owned);
        let (replicas, waiting, contract) = (*replicas, *parcels, contract.as_str());
        return show::json(&Shown { stream: STREAM, replicas, servers, waiting, contract, shortcoming });
    }
    let mut lines = vec![
        said!("carrier-stream", stream = STREAM, replicas = *replicas, servers = servers.join(", ")),
        said!("carrier-waiting", parcels = *parcels),
    ];
    match shortcoming {
        None => lines.push(said!("carrier-durable")),
        Some(shortcoming) => lines.push(said!("carrier-volatile", reason = speech::sentences(shortcoming))),
    }
    if shortcoming.is_some() && contract == Contract::Settled {
        lines.push(said!("carrier-volatile-is-enough"));
    }
    show::text(&format!("{}\n", lines.join("\n")))
}
