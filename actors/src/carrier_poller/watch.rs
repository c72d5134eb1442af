//! Watches the carrier's stream: how much mail is in it, whether it was emptied, and whether it is as durable as its contract needs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::carrier::{Carrier, CarrierFault, Contract, Promise, StreamState};

use super::{Life, NAME};
use crate::metrics::CarrierMetrics;
use crate::outage::Outage;

/// Time between two looks at the stream.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// One in this many looks also asks the servers what they promise.
const LOOKS_TO_PROMISE: u32 = 12;

/// Watches until the future is dropped.
pub(super) async fn watch(life: Arc<Life>) {
    let (carrier, metrics) = (&life.parts.carrier, &life.parts.source.metrics);
    let (mut former, mut outage, mut looks) = (None, Outage::default(), 0);
    let mut every = tokio::time::interval(LOOK_EVERY);
    loop {
        every.tick().await;
        match look(carrier, &mut former, &metrics.carrier).await {
            Ok(()) => {
                if let Some(tries) = outage.end() {
                    tracing::info!(tries, "the carrier answers again");
                }
            }
            Err(fault) => {
                metrics.reached(NAME, false);
                if let Some(tries) = outage.failed(&fault.to_string(), Instant::now()) {
                    tracing::warn!(tries, %fault, "no mail is taken from the carrier: its sources keep it, or the carrier does");
                }
            }
        }
        if looks % LOOKS_TO_PROMISE == 0 {
            watch_promise(carrier, &metrics.carrier).await;
        }
        looks = looks.wrapping_add(1);
    }
}

/// Looks at the stream. One that is gone, and was there before, is made anew, so that mail flows again: what was in it is lost.
async fn look(
    carrier: &Carrier,
    former: &mut Option<StreamState>,
    metrics: &CarrierMetrics,
) -> Result<(), CarrierFault> {
    let (found, is_gone) = match carrier.stream().await {
        Err(CarrierFault::NoStream) if former.is_some() => (carrier.make_stream().await?, true),
        found => (found?, false),
    };
    let was_emptied = is_gone || former.as_ref().is_some_and(|former| found.was_emptied_since(former));
    if was_emptied {
        let parcels = former.as_ref().map_or(0, |former| former.parcels);
        tracing::error!(
            parcels,
            "the carrier's stream was emptied: what was in it is lost. Senders that wait for their answer send their letters again; \
             offices that were told \"received\" do so because they have no receipt"
        );
        metrics.emptied.inc();
    }
    if former.is_none() {
        let servers = found.servers.join(", ");
        tracing::info!(parcels = found.parcels, servers, "the carrier's stream is reached");
    }
    metrics.waiting(found.parcels);
    let fits = found.require_partitions(carrier.settings().partitions);
    *former = Some(found);
    fits
}

/// Finds out whether the carrier keeps what the contract `carried` promises. A server that does not tell is none that keeps it.
pub(crate) async fn watch_promise(carrier: &Carrier, metrics: &CarrierMetrics) {
    if carrier.settings().contract != Contract::Carried {
        return;
    }
    match carrier.promise().await {
        Ok(Promise::Durable { .. }) => metrics.durable(true),
        Ok(Promise::Volatile(shortcoming)) => {
            tracing::error!(%shortcoming, "the carrier is not as durable as the contract `carried` needs");
            metrics.durable(false);
        }
        // The carrier may only be away. Whether it is durable is not known, and the gauge keeps its value.
        Err(fault) => tracing::debug!(%fault, "it is not known whether the carrier is durable"),
    }
}
