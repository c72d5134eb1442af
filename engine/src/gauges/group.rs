//! Groups of gauges that are read together. A scrape starts a reading where the values are too old.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use prometheus::Registry;
use prometheus::proto::MetricFamily;
use store::database::fault::Fault;
use tokio::sync::watch;

/// While a group is being read, its former values are shown for at most this many times the period for which values are kept.
const SHOWN_TIMES: u32 = 3;
/// After a failed reading the next reading waits for this many times the duration of the failed one, but no longer than values are kept.
/// So a group whose reading always times out uses about a tenth of the database's time.
const PAUSE_TIMES: u32 = 10;

/// Gauges that can be read from the database.
pub trait Read: Send + Sync + 'static {
    /// Reads all gauges and sets them. After a failure none is set.
    ///
    /// # Errors
    /// The database does not answer, or not in time.
    fn read(&self) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// Gauges with a registry of their own, and the time of their last reading.
pub struct Group<G> {
    registry: Registry,
    kept: Duration,
    gauges: Arc<G>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Time of the last reading; `None` after a reading that failed.
    read_at: Option<Instant>,
    not_before: Option<Instant>,
    /// While a reading runs: its begin, and a receiver whose sender is dropped when the reading ends.
    reading: Option<(Instant, watch::Receiver<()>)>,
}

impl<G: Read> Group<G> {
    /// Makes a group whose values are kept for the time `kept`.
    ///
    /// # Errors
    /// Two gauges have the same name.
    pub fn new(kept: Duration, make: impl FnOnce(&Registry) -> prometheus::Result<G>) -> prometheus::Result<Group<G>> {
        let registry = Registry::new();
        let gauges = Arc::new(make(&registry)?);
        Ok(Group { registry, kept, gauges, state: Arc::default() })
    }

    /// Returns the gauges, and reads them again where their values are too old. The call waits for the reading, but not longer than
    /// until `patience` after the reading's begin, because the whole scrape waits for this call.
    pub async fn gather(&self, patience: Duration) -> Vec<MetricFamily> {
        let asked = Instant::now();
        if let Some((began, mut reading)) = self.reading() {
            // The receiver gets an error when the reading's task drops the sender, which says that the reading has ended.
            drop(tokio::time::timeout(patience.saturating_sub(began.elapsed()), reading.changed()).await);
        }
        let shown_max = self.kept.saturating_mul(SHOWN_TIMES);
        let read_at = self.lock().read_at;
        match read_at {
            Some(at) if at >= asked || at.elapsed() <= shown_max => self.registry.gather(),
            _ => Vec::new(),
        }
    }

    /// Begins a reading where the values are too old. Returns the begin of the running reading, and a receiver whose sender is dropped at
    /// the reading's end; none where no reading runs.
    fn reading(&self) -> Option<(Instant, watch::Receiver<()>)> {
        let mut state = self.lock();
        // A reading that has panicked is still in `state.reading`, but does not run any more: its sender was dropped, so `has_changed` is
        // an error.
        if let Some(goes_on) = state.reading.as_ref().filter(|(_, reading)| reading.has_changed().is_ok()) {
            return Some(goes_on.clone());
        }
        let is_kept = state.read_at.is_some_and(|at| at.elapsed() < self.kept);
        if is_kept || state.not_before.is_some_and(|at| Instant::now() < at) {
            return None;
        }
        let (ends, reading) = watch::channel(());
        state.reading = Some((Instant::now(), reading));
        let (gauges, shared, kept) = (Arc::clone(&self.gauges), Arc::clone(&self.state), self.kept);
        tokio::spawn(async move {
            let began = Instant::now();
            let read = gauges.read().await;
            let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
            state.reading = None;
            match read {
                Ok(()) => (state.read_at, state.not_before) = (Some(Instant::now()), None),
                Err(fault) => {
                    tracing::debug!(%fault, "metrics of the database are left out");
                    let pause = began.elapsed().saturating_mul(PAUSE_TIMES).min(kept);
                    (state.read_at, state.not_before) = (None, Instant::now().checked_add(pause));
                }
            }
            drop(state);
            drop(ends);
        });
        state.reading.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use prometheus::IntGauge;
    use tokio::sync::Semaphore;

    use super::*;

    /// Gauges whose reading waits for a permit of the test, and then succeeds or fails.
    struct Gated {
        gauge: IntGauge,
        gate: Semaphore,
        is_well: bool,
        read: AtomicU64,
    }

    impl Read for Gated {
        async fn read(&self) -> Result<(), Fault> {
            self.gate.acquire().await.unwrap().forget();
            self.gauge.set(self.read.fetch_add(1, Ordering::SeqCst).cast_signed());
            if self.is_well { Ok(()) } else { Err(Fault::Away("gone".to_owned())) }
        }
    }

    fn group(kept: Duration, is_well: bool) -> Group<Gated> {
        Group::new(kept, |registry| {
            let gauge = IntGauge::new("xm_gated", "x")?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(Gated { gauge, gate: Semaphore::new(0), is_well, read: AtomicU64::new(0) })
        })
        .unwrap()
    }

    #[tokio::test]
    async fn a_reading_that_takes_long_goes_on_once_whoever_asks_and_is_shown_when_it_is_done() {
        let group = group(Duration::MAX, true);
        for _ in 0..5 {
            assert!(group.gather(Duration::from_millis(1)).await.is_empty(), "not read yet");
        }
        group.gauges.gate.add_permits(10);
        assert_eq!(group.gather(Duration::MAX).await.len(), 1);
        assert_eq!(group.gather(Duration::MAX).await.len(), 1, "kept");
        assert_eq!(group.gauges.read.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn what_was_read_last_is_shown_while_the_next_reading_goes_on_and_not_after_it_failed() {
        let well = group(Duration::ZERO, true);
        well.gauges.gate.add_permits(1);
        assert_eq!(well.gather(Duration::MAX).await.len(), 1);
        assert!(well.gather(Duration::from_millis(1)).await.is_empty(), "too old to be shown");

        let failing = group(Duration::from_secs(3600), false);
        failing.gauges.gate.add_permits(1);
        assert!(failing.gather(Duration::MAX).await.is_empty());
        assert_eq!(failing.gauges.read.load(Ordering::SeqCst), 1);
    }
}
