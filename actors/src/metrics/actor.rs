//! Metrics of one actor: the letters that it has received, has now and has handled, its faults and its time.
//!
//! While a letter is with an actor, a [`Stay`] travels with the letter. The stay is counted when it begins, and again with its outcome when
//! it ends for any reason. So `received_total` always equals the sum of `handled_total` and `mailbox_depth`, and the numbers of several
//! instances of one actor add up.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::families::{counters, gauges, registered};

const SECONDS_BUCKETS: [f64; 12] =
    [0.000_05, 0.000_1, 0.000_2, 0.000_4, 0.000_8, 0.001_6, 0.003_2, 0.006_4, 0.012_8, 0.051_2, 0.204_8, 1.0];

/// Outcome of a letter's stay with an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// The letter was handed on, or it is settled.
    Ok,
    /// The letter is refused.
    Refused,
    /// The letter's mail stays unopened until mail of better lanes has been fetched, or the letter is withheld.
    Deferred,
    /// The letter's mail is returned to its source because of a fault outside the letter, or because the actor is rebuilt.
    Fault,
    /// Code that was handling the letter panicked.
    Panic,
}

impl Handled {
    /// Every outcome, in the order of the declaration.
    pub const ALL: [Handled; 5] = [Handled::Ok, Handled::Refused, Handled::Deferred, Handled::Fault, Handled::Panic];

    /// Returns the value of the label on metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Handled::Ok => "ok",
            Handled::Refused => "refused",
            Handled::Deferred => "deferred",
            Handled::Fault => "fault",
            Handled::Panic => "panic",
        }
    }
}

/// The families of metrics in which every actor has a series.
#[derive(Clone)]
pub(super) struct ActorFamilies {
    received: IntCounterVec,
    handled: IntCounterVec,
    handle_seconds: HistogramVec,
    wait_seconds: HistogramVec,
    mailbox_depth: IntGaugeVec,
    restarts: IntCounterVec,
    faults: IntCounterVec,
}

impl ActorFamilies {
    /// Makes and registers the families.
    pub fn new(registry: &Registry) -> prometheus::Result<ActorFamilies> {
        let seconds = |name: &str, help: &str| {
            let options = HistogramOpts::new(name, help).buckets(SECONDS_BUCKETS.to_vec());
            registered(registry, HistogramVec::new(options, &["actor"])?)
        };
        let actor = &["actor"];
        Ok(ActorFamilies {
            received: counters(registry, "xm_actor_received_total", "Letters taken by an actor", actor)?,
            handled: counters(
                registry,
                "xm_actor_handled_total",
                "Letters that an actor is done with, by outcome",
                &["actor", "outcome"],
            )?,
            handle_seconds: seconds("xm_actor_handle_seconds", "Time that a handler holds its actor's thread")?,
            wait_seconds: seconds(
                "xm_actor_wait_seconds",
                "Time of work for an actor elsewhere: in database or mail server",
            )?,
            mailbox_depth: gauges(registry, "xm_actor_mailbox_depth", "Letters with an actor", actor)?,
            restarts: counters(registry, "xm_actor_restarts_total", "Rebuilds of an actor after its end", actor)?,
            faults: counters(registry, "xm_faults_total", "Faults of the database that an actor met", actor)?,
        })
    }

    /// Returns the series of one actor. Each series is shown from now on, beginning with 0.
    pub fn actor(&self, name: &'static str) -> ActorMetrics {
        ActorMetrics(Arc::new(ActorSeries {
            name,
            received: self.received.with_label_values(&[name]),
            handled: Handled::ALL.map(|handled| self.handled.with_label_values(&[name, handled.as_str()])),
            handle_seconds: self.handle_seconds.with_label_values(&[name]),
            wait_seconds: self.wait_seconds.with_label_values(&[name]),
            mailbox_depth: self.mailbox_depth.with_label_values(&[name]),
            restarts: self.restarts.with_label_values(&[name]),
            faults: self.faults.with_label_values(&[name]),
        }))
    }
}

/// The metrics of one actor. Cheap to clone.
#[derive(Clone)]
pub struct ActorMetrics(Arc<ActorSeries>);

struct ActorSeries {
    name: &'static str,
    received: IntCounter,
    /// Counters of the handled letters, in the order of [`Handled::ALL`].
    handled: [IntCounter; Handled::ALL.len()],
    handle_seconds: Histogram,
    wait_seconds: Histogram,
    mailbox_depth: IntGauge,
    restarts: IntCounter,
    faults: IntCounter,
}

impl std::fmt::Debug for ActorMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name)
    }
}

impl ActorMetrics {
    /// Returns the actor's name.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Returns how many letters the actor has received, how many it has handled with the outcome `handled`, and how many it has now.
    pub fn counts(&self, handled: Handled) -> (u64, u64, i64) {
        (self.0.received.get(), self.0.handled[handled as usize].get(), self.0.mailbox_depth.get())
    }

    /// Counts a rebuild.
    pub fn restarted(&self) {
        self.0.restarts.inc();
    }

    /// Counts one fault of the database, however many letters the actor returns because of it.
    pub fn fault(&self) {
        self.0.faults.inc();
    }

    /// Records how long a handler ran on the actor's thread.
    pub fn handled_in(&self, time: Duration) {
        self.0.handle_seconds.observe(time.as_secs_f64());
    }

    /// Records how long work for the actor ran outside the actor.
    pub fn waited(&self, time: Duration) {
        self.0.wait_seconds.observe(time.as_secs_f64());
    }

    /// Runs work on the actor's thread. Records how long it ran on the thread, and how long it waited in between.
    pub async fn timed<F: Future>(&self, work: F) -> F::Output {
        let began = Instant::now();
        let mut on_thread = Duration::ZERO;
        let mut work = pin!(work);
        let output = poll_fn(|context| {
            let started = Instant::now();
            let polled = work.as_mut().poll(context);
            on_thread += started.elapsed();
            polled
        })
        .await;
        self.handled_in(on_thread);
        self.waited(began.elapsed().saturating_sub(on_thread));
        output
    }
}

/// Letters that are with an actor. If a stay is dropped before its letters have an outcome, they are counted as a panic during unwinding,
/// and as a fault otherwise.
#[derive(Debug)]
pub struct Stay {
    actor: ActorMetrics,
    letters: u64,
}

impl Stay {
    /// Begins the stay of `letters` letters.
    pub fn begin(actor: &ActorMetrics, letters: usize) -> Stay {
        let letters = letters as u64;
        actor.0.received.inc_by(letters);
        actor.0.mailbox_depth.add(letters.cast_signed());
        Stay { actor: actor.clone(), letters }
    }

    /// Ends the stay of `letters` letters, or of all that remain if there are fewer.
    pub fn end(&mut self, handled: Handled, letters: usize) {
        let letters = (letters as u64).min(self.letters);
        self.letters -= letters;
        self.actor.0.handled[handled as usize].inc_by(letters);
        self.actor.0.mailbox_depth.sub(letters.cast_signed());
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        // During unwinding, only the code that handled these letters and panicked drops their stay.
        let handled = if std::thread::panicking() { Handled::Panic } else { Handled::Fault };
        self.end(handled, usize::MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn actor() -> ActorMetrics {
        ActorFamilies::new(&Registry::new()).unwrap().actor("table_writer")
    }

    fn counts(actor: &ActorMetrics) -> (u64, [u64; Handled::ALL.len()], i64) {
        let series = &actor.0;
        (series.received.get(), series.handled.each_ref().map(IntCounter::get), series.mailbox_depth.get())
    }

    #[test]
    fn a_letter_is_counted_once_whatever_ends_its_stay() {
        let actor = actor();
        for handled in Handled::ALL {
            let mut stay = Stay::begin(&actor, 1);
            assert_eq!(counts(&actor).2, 1);
            stay.end(handled, 1);
            stay.end(Handled::Ok, 1);
        }
        drop(Stay::begin(&actor, 1));
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _stay = Stay::begin(&actor, 1);
            panic!("planted");
        }));
        assert!(unwound.is_err());
        assert_eq!(counts(&actor), (7, [1, 1, 1, 2, 2], 0));
    }

    #[test]
    fn stays_of_several_instances_add_up_and_each_ends_for_itself() {
        let actor = actor();
        let (mut first, second) = (Stay::begin(&actor, 5), Stay::begin(&actor.clone(), 2));
        first.end(Handled::Refused, 3);
        assert_eq!(counts(&actor), (7, [0, 3, 0, 0, 0], 4));
        drop(second);
        assert_eq!(counts(&actor), (7, [0, 3, 0, 2, 0], 2));
        first.end(Handled::Ok, 100);
        assert_eq!(counts(&actor), (7, [2, 3, 0, 2, 0], 0), "no more letters end than there were");
    }

    #[tokio::test]
    async fn time_on_the_thread_is_told_from_time_elsewhere() {
        const LEAST: Duration = Duration::from_millis(5);
        let (sleeper, worker) = (actor(), actor());
        sleeper.timed(tokio::time::sleep(LEAST)).await;
        worker
            .timed(async {
                let began = Instant::now();
                while began.elapsed() < LEAST {
                    std::hint::spin_loop();
                }
            })
            .await;
        let counts = |histogram: &Histogram| histogram.get_sample_count();
        for actor in [&sleeper, &worker] {
            assert_eq!((counts(&actor.0.handle_seconds), counts(&actor.0.wait_seconds)), (1, 1));
        }
        assert!(sleeper.0.wait_seconds.get_sample_sum() >= LEAST.as_secs_f64());
        assert!(worker.0.handle_seconds.get_sample_sum() >= LEAST.as_secs_f64());
    }
}
