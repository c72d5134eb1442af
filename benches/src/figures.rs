//! The figures of a run, and their output as a table for people and as JSON for files.

use anyhow::Result;
use serde::Serialize;

/// The figures that every run measures.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Number of mails sent by registered agencies.
    pub letters: u64,
    /// Seconds until every letter was settled. A burst counts them from the start of the engine, every other run from the first delivery.
    pub seconds: f64,
    /// Letters divided by `seconds`. In a burst the seconds before the engine was ready are left out.
    pub letters_per_second: f64,
    /// Letters a second that the machine could settle at best, where the limit was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_letters_per_second: Option<f64>,
    /// `letters_per_second` divided by the limit. In a run at a steady rate, the user chooses the letters a second, so the share does not
    /// tell how fast the engine is, only which part of the machine's capacity the run asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_of_limit: Option<f64>,
    /// Microseconds for a fixed piece of work that is timed during the run: they tell how fast the processors were. The same work is timed
    /// while the limit is measured (`Limit::yardstick_us`), so that the two speeds can be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yardstick_us: Option<f64>,
    /// `share_of_limit` corrected for the speed of the processors: the share as if they had been as fast in the run as while the limit was
    /// measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_at_same_speed: Option<f64>,
    /// Median time until a letter's commit, in milliseconds. A burst counts from when the engine has the first mail, a run at a steady rate
    /// from the letter's delivery into the mailbox, and a run of one letter after another from when the engine has the letter. Where
    /// letters are pushed, it is the time from a letter's first octet to the reply to it.
    pub p50_ms: f64,
    /// The 99th percentile of the time until a letter's commit, in milliseconds, counted as for `p50_ms`.
    pub p99_ms: f64,
    /// The largest resident memory of the engine, in megabytes.
    pub rss_mb_max: f64,
    /// Processor seconds of the engine without its PostgreSQL, from the engine's start until every letter was settled.
    pub cpu_seconds_engine: f64,
    /// Processor seconds of the engine's PostgreSQL, from the engine's start until every letter was settled.
    pub cpu_seconds_postgres: f64,
    /// Processor seconds of Dovecot, from the engine's start until every letter was settled.
    pub cpu_seconds_dovecot: f64,
    /// Mean size of a mail, in octets.
    pub bytes_per_letter: f64,
    /// Number of things missing after the run: letters without an outcome in the journal, agencies without an accepted letter, rows.
    pub lost: i64,
    /// Number of rows, outcomes and ledger entries that are more than the letters sent explain.
    pub doubled: i64,
    /// Minor units of money by which the ledger differs from its own sums or from the price of the rows sent.
    pub ledger_difference: i64,
    /// Number of letters whose receipt was sent, as the database has it, not the engine's metric.
    pub receipts_sent: i64,
    /// Seconds until the last receipt was sent. A burst counts them from when the last letter was settled, a run at a steady rate from the
    /// last delivery.
    pub receipts_seconds: f64,
    /// Seconds from the start of the engine until it was ready.
    pub start_seconds: f64,
    /// Number of mails from unknown senders.
    pub strangers: u64,
    /// Number of mails from registered agencies that burden the centre on purpose.
    pub hostile: u64,
    /// How many mails of strangers and hostile agencies the engine had settled when it had settled the last letter. Mails that it took
    /// after that did not delay letters.
    pub strangers_meanwhile: f64,
    /// Seconds until every mail was settled, also those of unknown senders, and every receipt was sent. They are counted from the same
    /// moment as `seconds`.
    pub all_seconds: f64,
    /// The processor time of each step from which the limit was computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

impl Figures {
    /// Says whether the run lost nothing, doubled nothing and charged the right amounts.
    pub fn is_sound(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.ledger_difference == 0
    }

    /// Fills in the limit of the machine, and compares the run's letters a second with it.
    pub fn hold_against(&mut self, limit: Limit) {
        self.limit_letters_per_second = Some(limit.letters_per_second);
        let share = self.letters_per_second / limit.letters_per_second;
        self.share_of_limit = Some(share);
        self.share_at_same_speed = self.yardstick_us.map(|in_run| share * in_run / limit.yardstick_us);
        self.limit = Some(limit);
    }
}

/// The least processor time that one letter needs for each step of the work, in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Limit {
    /// Dovecot's time for sign-in, RETR, DELE and QUIT, in eight sessions.
    pub dovecot_us: f64,
    /// Time for taking the letter out of its mail: MIME and base64.
    pub mime_us: f64,
    /// OpenSSL's time for decryption, and for verification with the agency's key.
    pub crypto_us: f64,
    /// Time of all PostgreSQL processes for settling the letter's rows by the script `benches/reference/settle.sql`.
    pub postgres_us: f64,
    /// Microseconds for a fixed piece of work that was timed while these times were measured: they tell how fast the processors were then.
    pub yardstick_us: f64,
    /// Letters a second that all processors together could settle in these times.
    pub letters_per_second: f64,
}

impl Limit {
    /// Returns the limit for letters that come one by one: only one processor at a time has work then, so the number of processors does not
    /// count. Dovecot's time is left out, because such a run counts from when the engine has the letter.
    pub fn one_by_one(self) -> Limit {
        Limit { letters_per_second: 1e6 / (self.mime_us + self.crypto_us + self.postgres_us), ..self }
    }
}

const NOT_AS_SENT: &str =
    "the database is not what was sent: every lost, doubled and ledger_difference above should be 0";

/// The results of a subcommand.
pub trait Report: Serialize {
    /// Returns the figures that concern the whole subcommand, each under the name of its JSON field.
    fn summary(&self) -> Vec<(&'static str, String)>;

    /// Returns the figures of each run of the subcommand, with the name of the run.
    fn runs(&self) -> Vec<(String, &Figures)>;

    /// Describes each bound that the runs broke. By default a subcommand has no bounds, so none is broken.
    fn broken_bounds(&self) -> Vec<String> {
        Vec::new()
    }

    /// Describes what is wrong with the runs: each broken bound, and whether any run lost, doubled or wrongly charged anything.
    fn problems(&self) -> Vec<String> {
        let mut problems = self.broken_bounds();
        if !self.runs().iter().all(|(_, run)| run.is_sound()) {
            problems.push(NOT_AS_SENT.to_owned());
        }
        problems
    }
}

impl Report for Figures {
    fn summary(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn runs(&self) -> Vec<(String, &Figures)> {
        vec![("burst".to_owned(), self)]
    }
}

impl Report for Limit {
    fn summary(&self) -> Vec<(&'static str, String)> {
        vec![
            ("dovecot_us", number(self.dovecot_us)),
            ("mime_us", number(self.mime_us)),
            ("crypto_us", number(self.crypto_us)),
            ("postgres_us", number(self.postgres_us)),
            ("yardstick_us", number(self.yardstick_us)),
            ("letters_per_second", number(self.letters_per_second)),
        ]
    }

    fn runs(&self) -> Vec<(String, &Figures)> {
        Vec::new()
    }
}

type Row = (&'static str, fn(&Figures) -> String);

/// The rows of the printed table: the name of each figure and how its value is written. Names and order are those of the JSON's fields.
const ROWS: [Row; 29] = [
    ("letters", |run| run.letters.to_string()),
    ("seconds", |run| number(run.seconds)),
    ("letters_per_second", |run| number(run.letters_per_second)),
    ("limit_letters_per_second", |run| part(run.limit_letters_per_second)),
    ("share_of_limit", |run| part(run.share_of_limit)),
    ("yardstick_us", |run| part(run.yardstick_us)),
    ("share_at_same_speed", |run| part(run.share_at_same_speed)),
    ("p50_ms", |run| number(run.p50_ms)),
    ("p99_ms", |run| number(run.p99_ms)),
    ("rss_mb_max", |run| number(run.rss_mb_max)),
    ("cpu_seconds_engine", |run| number(run.cpu_seconds_engine)),
    ("cpu_seconds_postgres", |run| number(run.cpu_seconds_postgres)),
    ("cpu_seconds_dovecot", |run| number(run.cpu_seconds_dovecot)),
    ("bytes_per_letter", |run| number(run.bytes_per_letter)),
    ("lost", |run| run.lost.to_string()),
    ("doubled", |run| run.doubled.to_string()),
    ("ledger_difference", |run| run.ledger_difference.to_string()),
    ("receipts_sent", |run| run.receipts_sent.to_string()),
    ("receipts_seconds", |run| number(run.receipts_seconds)),
    ("start_seconds", |run| number(run.start_seconds)),
    ("strangers", |run| run.strangers.to_string()),
    ("hostile", |run| run.hostile.to_string()),
    ("strangers_meanwhile", |run| number(run.strangers_meanwhile)),
    ("all_seconds", |run| number(run.all_seconds)),
    ("limit.dovecot_us", |run| part(run.limit.map(|limit| limit.dovecot_us))),
    ("limit.mime_us", |run| part(run.limit.map(|limit| limit.mime_us))),
    ("limit.crypto_us", |run| part(run.limit.map(|limit| limit.crypto_us))),
    ("limit.postgres_us", |run| part(run.limit.map(|limit| limit.postgres_us))),
    ("limit.yardstick_us", |run| part(run.limit.map(|limit| limit.yardstick_us))),
];

/// Returns the figures of a run by their names, in the order of the table.
pub fn by_name(run: &Figures) -> impl Iterator<Item = (&'static str, String)> {
    ROWS.iter().map(|(name, value)| (*name, value(run)))
}

/// Returns the report as a table for people and as JSON.
///
/// # Errors
/// The report cannot be written as JSON.
pub fn told(report: &impl Report) -> Result<(String, String)> {
    Ok((table(report), serde_json::to_string_pretty(report)?))
}

/// Returns the table: first the figures of the whole subcommand, then one line for each figure of the runs, with one column for each run.
fn table(report: &impl Report) -> String {
    let (summary, runs) = (report.summary(), report.runs());
    let mut lines: Vec<Vec<String>> = summary.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    if !runs.is_empty() {
        lines.push(std::iter::once(String::new()).chain(runs.iter().map(|(name, _)| name.clone())).collect());
        let line = |(name, value): &Row| {
            std::iter::once((*name).to_owned()).chain(runs.iter().map(|(_, run)| value(run))).collect()
        };
        lines.extend(ROWS.iter().map(line));
    }
    aligned(&lines)
}

/// Aligns names to the left and values to the right, each column as wide as its widest cell.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column| lines.iter().filter_map(|line| line.get(column)).map(String::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let padded = if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            text.push_str(&padded);
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

/// Writes a number with three significant digits, such as 0.123, 12.3 or 123. Of a larger number, such as 12345, all digits before the
/// decimal point are written.
pub fn number(value: f64) -> String {
    let decimals = match value.abs() {
        below_one if below_one < 1.0 => 3,
        below_ten if below_ten < 10.0 => 2,
        value => usize::from(value < 100.0),
    };
    format!("{value:.decimals$}")
}

/// Writes a figure that only some runs measure, and `-` where the run did not measure it.
fn part(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), number)
}

/// Returns the given percentile: the smallest of the sorted values such that at least `hundredths` percent of them do not exceed it.
pub fn percentile<T: Copy>(sorted: &[T], hundredths: usize) -> Option<T> {
    sorted.get((sorted.len() * hundredths).div_ceil(100).saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[derive(Serialize)]
    struct Two {
        times_as_long: f64,
        easy: Figures,
        hard: Figures,
    }

    impl Report for Two {
        fn summary(&self) -> Vec<(&'static str, String)> {
            vec![("times_as_long", number(self.times_as_long))]
        }

        fn runs(&self) -> Vec<(String, &Figures)> {
            vec![("easy".to_owned(), &self.easy), ("hard".to_owned(), &self.hard)]
        }
    }

    fn two() -> Two {
        let yardstick_us = Some(132.0);
        let mut easy = Figures {
            letters: 100_000,
            seconds: 25.84,
            letters_per_second: 4095.2,
            yardstick_us,
            ..Figures::default()
        };
        let limit = Limit { crypto_us: 217.6, yardstick_us: 120.0, letters_per_second: 5460.3, ..Limit::default() };
        easy.hold_against(limit);
        Two { times_as_long: 1.0957, easy, hard: Figures { letters: 100_000, seconds: 28.3, ..Figures::default() } }
    }

    #[test]
    fn a_table_has_a_column_for_each_run_and_what_was_not_measured_is_not_a_zero() {
        let (table, _) = told(&two()).unwrap();
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        let line = |name: &str| lines.iter().find(|line| line[0] == name).unwrap()[1..].to_vec();
        assert_eq!(lines[..2], [vec!["times_as_long", "1.10"], vec!["easy", "hard"]]);
        assert_eq!(line("letters"), ["100000", "100000"]);
        assert_eq!(line("seconds"), ["25.8", "28.3"]);
        assert_eq!(line("limit_letters_per_second"), ["5460", "-"]);
        assert_eq!(line("share_of_limit"), ["0.750", "-"]);
        assert_eq!(line("share_at_same_speed"), ["0.825", "-"], "the processors were a tenth slower during the run");
        assert_eq!(line("limit.crypto_us"), ["218", "-"]);
        let ends: Vec<usize> = table.lines().skip(1).map(str::len).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "values stand below each other:\n{table}");
    }

    #[test]
    fn every_figure_of_the_json_is_a_line_of_the_table() {
        let easy = two().easy;
        let Value::Object(fields) = serde_json::to_value(&easy).unwrap() else { panic!("not an object") };
        let Value::Object(parts) = serde_json::to_value(easy.limit).unwrap() else { panic!("not an object") };
        let in_json = fields.keys().filter(|name| *name != "limit").cloned();
        let whole = |name: &&String| *name != "letters_per_second";
        let mut names: Vec<String> =
            in_json.chain(parts.keys().filter(whole).map(|part| format!("limit.{part}"))).collect();
        names.sort();
        let mut rows: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
        rows.sort_unstable();
        assert_eq!(rows, names);
    }

    #[test]
    fn one_run_that_is_not_sound_makes_the_whole_so() {
        assert_eq!(two().problems(), Vec::<String>::new());
        for (lost, doubled, ledger_difference) in [(1, 0, 0), (0, 1, 0), (0, 0, 1)] {
            let hard = Figures { lost, doubled, ledger_difference, ..two().hard };
            assert_eq!(Two { hard, ..two() }.problems(), [NOT_AS_SENT]);
        }
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let sorted: Vec<i64> = (1..=200).collect();
        assert_eq!([50, 99, 100].map(|hundredths| percentile(&sorted, hundredths)), [Some(100), Some(198), Some(200)]);
        assert_eq!(percentile::<i64>(&[], 50), None);
    }
}
