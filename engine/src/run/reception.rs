//! The role `intake`: a program without keys and without a database. It takes pushed letters and hands them to the carrier, so that the
//! machine that strangers reach has no secret of the centre and opens no letter.

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actors::metrics::Metrics;
use actors::pipeline::{PushedSource, ReceptionParts, ReceptionPipeline};
use actors::supervision::Policy;
use anyhow::{Context, bail};
use prometheus::Registry;
use tokio::runtime::Handle;

use super::life::Surroundings;
use super::reread::Named;
use super::service::ServiceManager;
use super::sources::{Listening, posted, pushed};
use super::stops::Stops;
use super::{carry, runtime};
use crate::configuration::Configuration;
use crate::http::{self, Observed, ObservedParts};
use crate::summary;

/// Runs until a signal stops the program.
///
/// # Errors
/// One sentence that says why the program cannot start.
pub(super) fn run(configuration: &Configuration) -> anyhow::Result<ExitCode> {
    if !configuration.has_pushed() {
        bail!(
            "nothing is pushed to this process: server.role intake needs an [[intake]] or [https], or no letter can come"
        );
    }
    let listener = TcpListener::bind(configuration.server.http_address)
        .with_context(|| format!("server.http_address: cannot listen on {}", configuration.server.http_address))?;
    let runtime = runtime("xm-carrier", || {}).context("the carrier's runtime could not be made")?;
    let code = actix_rt::System::new().block_on(serve(configuration, listener, runtime.handle().clone()));
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn serve(configuration: &Configuration, listener: TcpListener, runtime: Handle) -> anyhow::Result<ExitCode> {
    let mut stops = Stops::new()?;
    let manager = ServiceManager::new();
    manager.begins("the carrier is opened");
    let registry = Registry::new();
    let metrics = Metrics::new(&registry)?;
    let observed = show(configuration, listener, (&registry, &metrics), &runtime)?;
    let carrier = tokio::select! {
        carrier = carry::open(configuration, &runtime) => carrier?,
        () = stops.told() => return Ok(ExitCode::SUCCESS),
    };
    let Some(carrier) = carrier else {
        bail!("no carrier is configured: add [carrier] with its servers to the configuration")
    };
    let listening = listening(configuration, &runtime)?;
    let certificates: Vec<Named> = listening.iter().filter_map(Listening::named).collect();
    let pushed: Vec<PushedSource> = listening.into_iter().map(|one| one.source).collect();
    runtime.spawn(summary::tell_hourly(registry));
    let parts = ReceptionParts {
        carrier,
        runtime,
        pushed,
        kilobytes_max: configuration.limits.kilobytes_in_hand_max,
        policy: Policy::default(),
        metrics,
    };
    let actors = ReceptionPipeline::start(parts);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        role = configuration.server.role.as_str(),
        intakes = configuration.intakes.len(),
        https = configuration.https.as_ref().map(|https| https.listen.to_string()),
        http = %configuration.server.http_address,
        "the intake runs: it hands letters to the carrier"
    );
    Ok(Surroundings { configuration, observed: &observed, certificates, manager, stops }.live(actors).await)
}

/// Makes the sources to which letters are pushed. Their connections run on `runtime`.
pub(super) fn listening(configuration: &Configuration, runtime: &Handle) -> anyhow::Result<Vec<Listening>> {
    let https = configuration.listens_for_posts().into_iter().map(posted);
    let intakes = configuration.listens_for_mail().iter().map(|intake| pushed(configuration, intake, runtime));
    intakes.chain(https).collect()
}

fn show(
    configuration: &Configuration,
    listener: TcpListener,
    (registry, metrics): (&Registry, &Metrics),
    runtime: &Handle,
) -> anyhow::Result<Arc<Observed>> {
    let observed = Arc::new(Observed::new(ObservedParts {
        registry: registry.clone(),
        metrics: metrics.clone(),
        database: None,
        data_folder: configuration.server.data_folder.clone(),
        intakes: configuration.intakes.iter().map(|intake| intake.name.clone()).collect(),
        https: configuration.https.as_ref().map(|https| https.name.clone()),
        is_embedded: false,
        quarantine_bytes_max: configuration.limits.of_settling().stranger_bytes_of_reason(),
    })?);
    listener.set_nonblocking(true)?;
    let serving = http::serve(listener, Arc::clone(&observed));
    runtime.spawn(async move {
        let fault = serving.await;
        tracing::error!(fault, "metrics and health are not served any more");
    });
    Ok(observed)
}
