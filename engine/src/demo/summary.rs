//! The results of the demo, as text and as JSON. The text has the verdict first, then the findings behind it, then the figures.

use sdc::refusal::RefusalCode;
use serde::Serialize;
use simulation::oracle::Findings;
use simulation::record::Traffic;
use words::decimal;

use super::layout::Paper;
use super::words::words;
use crate::show;
use crate::speech::{self, said};

/// The results of a demo.
#[derive(Serialize)]
pub struct Summary {
    #[serde(flatten)]
    findings: Findings,
    /// Seconds from when the first letter was handed to the relay until the last receipt was verified. The letter that was sent alone at
    /// the end does not count.
    seconds: f64,
    letters_per_second: f64,
    /// The largest resident memory of the centre's processes, in megabytes.
    rss_mb_max: f64,
    /// The memory of the machine in megabytes; none where the system does not tell it.
    machine_mb: Option<f64>,
    kills: u64,
    /// Kills that the user asked for at the keyboard, included in `kills`.
    kills_by_hand: u64,
}

impl Summary {
    /// Makes the summary from the oracle's findings and the measurements of the traffic.
    pub fn new(findings: Findings, traffic: &Traffic, rss_mb_max: f64) -> Summary {
        let (burst, seconds) = (findings.letters_sent.saturating_sub(1), traffic.lasted.as_secs_f64());
        Summary {
            findings,
            seconds,
            letters_per_second: burst as f64 / seconds.max(0.001),
            rss_mb_max,
            machine_mb: machine_mb(),
            kills: traffic.killed_at.len() as u64,
            kills_by_hand: traffic.kills_by_hand,
        }
    }

    /// Says whether the centre kept every promise.
    pub fn is_sound(&self) -> bool {
        self.findings.is_sound()
    }

    /// Prints the summary as text.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print(&self, paper: Paper) -> anyhow::Result<()> {
        show::text(&self.render(paper))
    }

    /// Returns the sentence that says whether the centre kept its promises.
    pub fn verdict(&self) -> String {
        if self.is_sound() { said!("demo-kept") } else { said!("demo-broken") }
    }

    fn render(&self, paper: Paper) -> String {
        format!("{}\n\n{}", paper.boxed(&self.verdict(), self.is_sound()).join("\n"), self.sheet(paper))
    }

    /// Returns the findings and the figures as text, without the verdict.
    pub fn sheet(&self, paper: Paper) -> String {
        let mut lines = self.zeros(paper);
        lines.push(String::new());
        lines.extend(self.figures(paper));
        lines.push(String::new());
        lines.extend(self.times(paper));
        format!("{}\n", lines.join("\n"))
    }

    /// Returns the lines with the counts that must be 0. Where one is not, descriptions of the first faults follow.
    fn zeros(&self, paper: Paper) -> Vec<String> {
        let found = &self.findings;
        let zeros = [
            (found.lost, said!("demo-lost")),
            (found.doubled, said!("demo-doubled")),
            (found.wrong, said!("demo-wrong")),
            (found.ledger_difference.unsigned_abs(), said!("demo-difference")),
            (found.quarantined_innocent, said!("demo-innocent")),
            (found.receipts_missing, said!("demo-receipts-missing")),
            (found.receipts_wrong, said!("demo-receipts-wrong")),
            (found.reads_wrong, said!("demo-reads-wrong")),
        ];
        let line = |(count, words): &(u64, String)| {
            let lines = paper.item(margin(paper), &count.to_string(), words);
            lines.into_iter().map(|line| paper.judge(&line, *count == 0)).collect::<Vec<_>>()
        };
        let mut lines: Vec<String> = zeros.iter().flat_map(line).collect();
        lines.extend(found.faults.iter().flat_map(|fault| paper.item(margin(paper), "-", &speech::sentences(fault))));
        lines
    }

    fn figures(&self, paper: Paper) -> Vec<String> {
        let found = &self.findings;
        let item = |figure: u64, words: String| paper.item(margin(paper), &figure.to_string(), &words);
        let mut lines = item(found.letters_sent, said!("demo-letters-sent"));
        for (name, count) in &found.letters_by_service {
            lines.extend(paper.item(margin(paper) + 7, &count.to_string(), &format!("{} [{name}]", service(name))));
        }
        lines.extend(item(found.accepted, said!("demo-accepted", rows = found.rows, charged = found.charged)));
        lines.extend(item(found.duplicates, said!("demo-duplicates")));
        lines.extend(item(found.bad_sent, said!("demo-recognised", refused = found.refused)));
        for (code, count) in &found.refused_by_reason {
            let words = RefusalCode::parse(code).map_or_else(|| said!("demo-other-reason"), words);
            lines.extend(paper.item(margin(paper) + 7, &count.to_string(), &format!("{words} [{code}]")));
        }
        let (due, nobody) = (found.receipts_due, found.unvouched);
        let again = found.letters_sent.saturating_sub(due + nobody);
        let verified = said!("demo-verified", due = due, again = again, nobody = nobody);
        lines.extend(item(found.receipts_verified, verified));
        lines
    }

    fn times(&self, paper: Paper) -> Vec<String> {
        let found = &self.findings;
        let item = |figure: String, words: String| paper.item(margin(paper), &figure, &words);
        let rate = said!("demo-rate", seconds = decimal(self.seconds, 1));
        let mut lines = item(format!("{:.0}", self.letters_per_second), rate);
        lines.extend(item(format!("{} ms", found.p50_ms), said!("demo-half", p99 = found.p99_ms.to_string())));
        if let Some(alone_ms) = found.alone_ms {
            lines.extend(item(format!("{alone_ms} ms"), said!("demo-alone")));
        }
        let memory = self.machine_mb.map_or_else(
            || said!("demo-memory"),
            |machine| {
                let percent = decimal(self.rss_mb_max * 100.0 / machine, 1);
                said!("demo-memory-share", percent = percent, machine = decimal(machine, 0))
            },
        );
        lines.extend(item(said!("demo-megabytes", megabytes = decimal(self.rss_mb_max, 0)), memory));
        if self.kills > 0 {
            let words = match self.kills_by_hand {
                0 => said!("demo-kills", kills = self.kills),
                by_hand => said!("demo-kills-by-hand", kills = self.kills, by_hand = by_hand),
            };
            lines.extend(item(self.kills.to_string(), words));
        }
        lines
    }
}

/// Describes in the user's language what letters of this service do. The readers of the summary do not know the service's name.
fn service(name: &str) -> String {
    match name {
        "export" => said!("demo-service-export"),
        "correct" => said!("demo-service-correct"),
        "import" => said!("demo-service-import"),
        "certify" => said!("demo-service-certify"),
        "account" => said!("demo-service-account"),
        "profile" => said!("demo-service-profile"),
        "recharge" => said!("demo-service-recharge"),
        "message" => said!("demo-service-message"),
        "renew" => said!("demo-service-renew"),
        "enrol" => said!("demo-service-enrol"),
        _ => said!("demo-service-notice"),
    }
}

/// Returns the column at which figures end. It is smaller on a narrow terminal.
fn margin(paper: Paper) -> usize {
    if paper.width < 60 { 7 } else { 9 }
}

/// Returns the machine's memory in megabytes from /proc/meminfo; none where that cannot be read.
fn machine_mb() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?.trim().trim_end_matches("kB");
    kilobytes.trim().parse::<f64>().ok().map(|kilobytes| kilobytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(findings: Findings) -> Summary {
        Summary {
            findings,
            seconds: 12.34,
            letters_per_second: 1620.4,
            rss_mb_max: 85.2,
            machine_mb: Some(7_900.0),
            kills: 25,
            kills_by_hand: 2,
        }
    }

    /// Returns the findings of a demo in which every refusal code occurred, so that the tests lay out the longest summary.
    fn findings() -> Findings {
        Findings {
            letters_sent: 20_000,
            accepted: 16_000,
            bad_sent: 2910,
            refused: 2910,
            refused_by_reason: RefusalCode::ALL.iter().map(|code| (code.to_string(), 80)).collect(),
            receipts_verified: 18_700,
            receipts_due: 18_750,
            unvouched: 650,
            alone_ms: Some(512),
            ..Findings::default()
        }
    }

    #[test]
    fn the_verdict_stands_first_and_what_it_rests_on_next() {
        let paper = Paper { width: 80, is_coloured: false };
        let text = summary(findings()).render(paper);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with('┌') && lines[1].starts_with("│ Every promise was kept"), "{text}");
        assert_eq!(lines[5].trim(), "0  lost: a letter without its effect or its receipt");
        assert!(!text.contains('\u{1b}'), "{text}");
        let broken = Findings { lost: 1, faults: vec!["letter 7: no verdict".to_owned()], ..findings() };
        let text = summary(broken).render(paper);
        assert!(text.lines().nth(1).unwrap().starts_with("│ A promise was broken"), "{text}");
        assert!(text.contains("-  letter 7: no verdict"), "{text}");
    }

    #[test]
    fn refusals_are_told_as_what_they_are() {
        let text = summary(findings()).render(Paper { width: 80, is_coloured: false });
        assert!(text.contains("2910  attacks and mistakes sent on purpose, 2910 recognised:"), "{text}");
        assert!(text.contains("80  from a suspended office [agency_suspended]"), "{text}");
        for code in RefusalCode::ALL {
            let line = text.lines().find(|line| line.ends_with(&format!("[{code}]")));
            assert!(line.is_some_and(|line| line.contains(&words(*code))), "{code}: {text}");
        }
        assert!(text.contains("512 ms  from mail to commit for one letter sent alone"), "{text}");
        assert!(text.contains("(2 by the key k)"), "{text}");
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let receipts = "18700 of 18750 receipts due, opened and verified by their offices; 600 that came again and 650 that \
                        nobody vouches for get none";
        assert!(words.contains(receipts), "{text}");
    }

    #[test]
    fn no_line_is_wider_than_the_paper_and_no_word_is_broken() {
        let fault = "letter 01936b3e-7a3c-7d8e-9f00-000000000000 of Some(7): not in quarantine as unknown_signer";
        let findings = Findings { lost: 3, faults: vec![fault.to_owned()], ..findings() };
        for width in [40, 80] {
            let text = summary(findings.clone()).render(Paper { width, is_coloured: false });
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
            for word in ["recognised:", "quarantine", "[compression_malformed]", "machine's"] {
                assert!(text.split_whitespace().any(|one| one == word), "{width}, {word}:\n{text}");
            }
        }
    }

    #[test]
    fn colours_change_no_word() {
        let plain = summary(findings()).render(Paper { width: 80, is_coloured: false });
        let coloured = summary(findings()).render(Paper { width: 80, is_coloured: true });
        assert!(coloured.starts_with("\u{1b}[1;32m┌"));
        assert_eq!(coloured.replace("\u{1b}[1;32m", "").replace("\u{1b}[0m", ""), plain);
    }
}
