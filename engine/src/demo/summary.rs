//! What the demo found, at a glance and as JSON.

use serde::Serialize;

use super::oracle::Findings;
use super::traffic::Traffic;
use crate::show;

/// Everything that is told.
#[derive(Serialize)]
pub struct Summary {
    #[serde(flatten)]
    findings: Findings,
    /// From the first letter handed to the relay to the last receipt verified.
    seconds: f64,
    letters_per_second: f64,
    /// Most memory that the centre's process had resident.
    rss_mb_max: f64,
    kills: u64,
}

impl Summary {
    /// Puts it together.
    pub fn new(findings: Findings, traffic: &Traffic, rss_mb_max: f64) -> Summary {
        let letters_per_second = findings.letters_sent as f64 / traffic.seconds.max(0.001);
        Summary { findings, seconds: traffic.seconds, letters_per_second, rss_mb_max, kills: traffic.kills }
    }

    /// Says whether every promise was kept.
    pub fn is_sound(&self) -> bool {
        self.findings.is_sound()
    }

    /// Prints it for people.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print(&self) -> anyhow::Result<()> {
        let found = &self.findings;
        let mut lines = vec![
            String::new(),
            format!(
                "{:>10} letters sent in {:.1} s, {:.0} a second",
                found.letters_sent, self.seconds, self.letters_per_second
            ),
            format!("{:>10} accepted, {} rows, {} XAF charged", found.accepted, found.rows, found.charged),
            format!("{:>10} came again and changed nothing", found.duplicates),
            format!("{:>10} refused:", found.refused),
        ];
        let reasons = found.refused_by_reason.iter();
        lines.extend(reasons.map(|(reason, count)| format!("{:>10}   {count:>6} {reason}", "")));
        lines.extend([
            format!("{:>10} receipts verified by their agencies", found.receipts_verified),
            format!("{:>7} ms from mail to commit for half of them, {} ms for 99 in 100", found.p50_ms, found.p99_ms),
            format!("{:>7.0} MB of memory at most in the centre", self.rss_mb_max),
        ]);
        if self.kills > 0 {
            lines.push(format!("{:>10} times the centre was killed", self.kills));
        }
        lines.extend([
            String::new(),
            format!(
                "{:>10} lost, {} doubled, {} wrong, {} XAF difference in the books, {} innocent in quarantine,",
                found.lost, found.doubled, found.wrong, found.ledger_difference, found.quarantined_innocent
            ),
            format!("{:>10} receipts missing, {} wrong", found.receipts_missing, found.receipts_wrong),
        ]);
        lines.extend(found.faults.iter().map(|fault| format!("           - {fault}")));
        let verdict = if self.is_sound() {
            "Every promise was kept: each letter has exactly one effect, and each sender knows it."
        } else {
            "A promise was broken: see above."
        };
        lines.extend([String::new(), verdict.to_owned()]);
        show::text(&format!("{}\n", lines.join("\n")))
    }
}
