//! The carrier of a running program, and the check that it keeps what its contract promises.

use std::time::Duration;

use anyhow::{Context, bail};
use carrier::{Carrier, CarrierFault, Contract, Promise};
use tokio::runtime::Handle;

use crate::configuration::Configuration;

/// Pause between two attempts to reach the carrier at the start.
const PAUSE: Duration = Duration::from_secs(2);

/// Connects to the carrier; `None` where none is configured. Its connection runs on `runtime`. Where senders are answered before the
/// commit, waits until the carrier answers, and refuses one that is not durable. Refuses a stream with other
/// partitions than are configured.
///
/// # Errors
/// One sentence: what is wrong with the settings, what the contract `carried` misses, or the two numbers of partitions.
pub(super) async fn open(configuration: &Configuration, runtime: &Handle) -> anyhow::Result<Option<Carrier>> {
    let Some(settings) = configuration.carrier.clone() else { return Ok(None) };
    let role = configuration.server.role;
    let answers_before_commit = settings.contract == Contract::Carried && configuration.listens_for_posts().is_some();
    let opening = async move {
        let name = format!("xmserver {}", role.as_str());
        let carrier = Carrier::connect(&settings, &name).await.context("the carrier")?;
        if answers_before_commit {
            require_durable(&carrier).await?;
        }
        refuse_other_partitions(&carrier).await?;
        Ok(Some(carrier))
    };
    runtime.spawn(opening).await?
}

/// Waits until the carrier answers.
///
/// # Errors
/// What the contract `carried` misses.
async fn require_durable(carrier: &Carrier) -> anyhow::Result<()> {
    let mut is_told = false;
    loop {
        match carrier.promise().await {
            Ok(Promise::Durable { .. }) => return Ok(()),
            Ok(Promise::Volatile(shortcoming)) => bail!("the contract carried is refused: {shortcoming}"),
            Err(fault @ (CarrierFault::Settings(_) | CarrierFault::NoStream)) => return Err(fault.into()),
            Err(fault) => {
                if !is_told {
                    tracing::warn!(%fault, "the carrier is away; trying again until it answers");
                }
                is_told = true;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Refuses a stream that was made for another number of partitions: mail in a partition that only one of the processes knows would be taken
/// by nobody. A carrier that is away is asked again before each mail is put, and before a partition is opened.
///
/// # Errors
/// Both numbers.
async fn refuse_other_partitions(carrier: &Carrier) -> anyhow::Result<()> {
    match carrier.require_partitions().await {
        Err(fault @ CarrierFault::Partitions { .. }) => Err(fault.into()),
        _ => Ok(()),
    }
}
