//! Metrics of the carrier.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry};

use super::families::registered;

const PUT_BUCKETS: [f64; 11] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];

/// Metrics of the carrier, which stay at their first values where there is none.
#[derive(Clone)]
pub struct CarrierMetrics {
    /// Seconds from the moment at which a mail is handed to the carrier until the carrier has it.
    pub put_seconds: Histogram,
    /// Times that the stream was found emptied.
    pub emptied: IntCounter,
    waiting: IntGauge,
    durable: IntGauge,
}

impl CarrierMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<CarrierMetrics> {
        let put =
            HistogramOpts::new("xm_carrier_put_seconds", "From a mail handed to the carrier until the carrier has it");
        Ok(CarrierMetrics {
            put_seconds: registered(registry, Histogram::with_opts(put.buckets(PUT_BUCKETS.to_vec()))?)?,
            emptied: registered(
                registry,
                IntCounter::new("xm_carrier_emptied_total", "Times that the carrier's stream was found emptied")?,
            )?,
            waiting: registered(
                registry,
                IntGauge::new(
                    "xm_carrier_waiting",
                    "Mails in the carrier that are not settled; 0 where there is none",
                )?,
            )?,
            durable: {
                let help = "0 while the carrier may lose mail whose senders were answered before the commit, else 1";
                let durable = registered(registry, IntGauge::new("xm_carrier_durable", help)?)?;
                durable.set(1);
                durable
            },
        })
    }

    /// Sets the number of mails in the carrier.
    pub fn waiting(&self, mails: u64) {
        self.waiting.set(i64::try_from(mails).unwrap_or(i64::MAX));
    }

    /// Notes whether the carrier is as durable as the contract `carried` needs.
    pub fn durable(&self, is_durable: bool) {
        self.durable.set(i64::from(is_durable));
    }
}
