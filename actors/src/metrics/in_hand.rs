//! Gauges of the mail that the actors are processing, read from [`Hands`] at each scrape. If the gauges were counted separately, they would
//! differ from [`Hands`] after some error.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntGauge};

use crate::room::Hands;

/// Collector of the gauges. It reads the [`Hands`] of the running pipeline.
#[derive(Clone)]
pub(super) struct InHand {
    hands: Arc<ArcSwapOption<Hands>>,
    mails: IntGauge,
    oldest: Gauge,
}

impl InHand {
    /// Makes the gauges. They show nothing until `show` is called.
    pub fn new() -> prometheus::Result<InHand> {
        Ok(InHand {
            hands: Arc::default(),
            mails: IntGauge::new("xm_mails_in_hand", "Mails fetched and not yet settled")?,
            oldest: Gauge::new(
                "xm_mails_in_hand_oldest_seconds",
                "Since the oldest of them was fetched; 0 without any",
            )?,
        })
    }

    /// Reads the gauges from `hands` from now on.
    pub fn show(&self, hands: &Hands) {
        self.hands.store(Some(Arc::new(hands.clone())));
    }
}

impl Collector for InHand {
    fn desc(&self) -> Vec<&Desc> {
        [self.mails.desc(), self.oldest.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (mails, oldest) = self.hands.load().as_ref().map_or((0, None), |hands| hands.lent());
        self.mails.set(i64::try_from(mails).unwrap_or(i64::MAX));
        self.oldest.set(oldest.map_or(0.0, |age| age.as_secs_f64()));
        [self.mails.collect(), self.oldest.collect()].concat()
    }
}
