//! Writes one line to the log every hour, with the totals of the hour.

use std::collections::BTreeMap;
use std::time::Duration;

use prometheus::Registry;
use prometheus::proto::MetricFamily;

/// Time between two summary lines.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Values of the counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    letters: BTreeMap<String, u64>,
    answers: BTreeMap<String, u64>,
    rows: u64,
    faults: u64,
}

impl Totals {
    /// Reads the counters from the registry.
    pub fn of(registry: &Registry) -> Totals {
        let mut totals = Totals::default();
        for family in registry.gather() {
            match family.name() {
                "xm_letters_total" => totals.letters = by_outcome(&family),
                "xm_answers_total" => totals.answers = by_outcome(&family),
                "xm_rows_total" => totals.rows = by_outcome(&family).values().sum(),
                "xm_faults_total" => totals.faults = by_outcome(&family).values().sum(),
                _ => {}
            }
        }
        totals
    }

    /// Logs by how much the counters have grown between an earlier moment and this one.
    pub fn tell_since(&self, earlier: &Totals) {
        let (letters, answers) = (since(&self.letters, &earlier.letters), since(&self.answers, &earlier.answers));
        let of = |counts: &BTreeMap<String, u64>, outcome: &str| counts.get(outcome).copied().unwrap_or(0);
        tracing::info!(
            accepted = of(&letters, "accepted"),
            duplicate = of(&letters, "duplicate"),
            refused = refused(&letters),
            rows = self.rows.saturating_sub(earlier.rows),
            answers_sent = of(&answers, "sent"),
            answers_put_back = of(&answers, "put_back"),
            answers_given_up = of(&answers, "given_up"),
            faults = self.faults.saturating_sub(earlier.faults),
            "summary"
        );
    }
}

/// Logs the differences of each hour. When the future is dropped, it also logs the hour that has begun.
pub async fn tell_hourly(registry: Registry) {
    let mut summary = Summary { earlier: Totals::of(&registry), registry };
    loop {
        tokio::time::sleep(INTERVAL).await;
        summary.tell();
    }
}

struct Summary {
    registry: Registry,
    earlier: Totals,
}

impl Summary {
    fn tell(&mut self) {
        let now = Totals::of(&self.registry);
        now.tell_since(&self.earlier);
        self.earlier = now;
    }
}

impl Drop for Summary {
    fn drop(&mut self) {
        self.tell();
    }
}

fn by_outcome(family: &MetricFamily) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for metric in family.get_metric() {
        let outcome = metric.get_label().iter().find(|label| label.name() == "outcome");
        // The counters are whole numbers, although Prometheus' library keeps them as floating-point numbers.
        *counts.entry(outcome.map(|label| label.value().to_owned()).unwrap_or_default()).or_default() +=
            whole(metric.get_counter().get_value().round());
    }
    counts
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count is neither negative nor a fraction"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

fn since(now: &BTreeMap<String, u64>, earlier: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let before = |outcome: &str| earlier.get(outcome).copied().unwrap_or(0);
    now.iter().map(|(outcome, count)| (outcome.clone(), count.saturating_sub(before(outcome)))).collect()
}

/// Returns the refusals by code, the most frequent first: `3 rows_invalid, 1 conflict`.
fn refused(letters: &BTreeMap<String, u64>) -> String {
    let is_refusal = |(outcome, count): &(&String, &u64)| {
        !matches!(outcome.as_str(), "accepted" | "duplicate" | "held") && **count > 0
    };
    let mut refused: Vec<_> = letters.iter().filter(is_refusal).collect();
    refused.sort_by_key(|(code, count)| (std::cmp::Reverse(**count), code.to_string()));
    let words: Vec<String> = refused.into_iter().map(|(code, count)| format!("{count} {code}")).collect();
    if words.is_empty() { "0".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use prometheus::{IntCounter, IntCounterVec, Opts};

    use super::*;

    #[test]
    fn an_hour_is_what_the_counters_rose_by() {
        let registry = Registry::new();
        let letters = IntCounterVec::new(Opts::new("xm_letters_total", "x"), &["outcome"]).unwrap();
        let rows = IntCounter::new("xm_rows_total", "x").unwrap();
        registry.register(Box::new(letters.clone())).unwrap();
        registry.register(Box::new(rows.clone())).unwrap();
        letters.with_label_values(&["accepted"]).inc_by(5);
        letters.with_label_values(&["conflict"]).inc_by(2);
        rows.inc_by(7);
        let faults = IntCounterVec::new(Opts::new("xm_faults_total", "x"), &["actor"]).unwrap();
        registry.register(Box::new(faults.clone())).unwrap();
        faults.with_label_values(&["exporter"]).inc_by(2);
        faults.with_label_values(&["table_writer"]).inc_by(3);
        let earlier = Totals::of(&registry);
        assert_eq!(earlier.faults, 5, "of whichever actor");
        assert_eq!((earlier.rows, earlier.letters.get("accepted")), (7, Some(&5)));
        letters.with_label_values(&["accepted"]).inc_by(1);
        letters.with_label_values(&["conflict"]).inc_by(1);
        letters.with_label_values(&["rows_invalid"]).inc_by(3);
        let hour = since(&Totals::of(&registry).letters, &earlier.letters);
        assert_eq!(hour.get("accepted"), Some(&1));
        assert_eq!(refused(&hour), "3 rows_invalid, 1 conflict");
        assert_eq!(refused(&BTreeMap::new()), "0");
    }
}
