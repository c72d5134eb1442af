//! What the demo found: the verdict first, then what it rests on, then figures; and all of it as JSON.

use sdc::refusal::RefusalCode;
use serde::Serialize;
use simulation::oracle::Findings;
use simulation::record::Traffic;

use super::layout::Paper;
use super::words::words;
use crate::show;

/// Everything that is told.
#[derive(Serialize)]
pub struct Summary {
    #[serde(flatten)]
    findings: Findings,
    /// From the first letter handed to the relay to the last receipt verified, without the one that is sent alone.
    seconds: f64,
    letters_per_second: f64,
    /// Most memory that the centre's process had resident.
    rss_mb_max: f64,
    /// Memory of the machine; nothing where it does not tell.
    machine_mb: Option<f64>,
    kills: u64,
    /// Those of the kills that somebody at the keyboard asked for.
    kills_by_hand: u64,
}

impl Summary {
    /// Puts it together.
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

    /// Says whether every promise was kept.
    pub fn is_sound(&self) -> bool {
        self.findings.is_sound()
    }

    /// Prints it for people.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print(&self, paper: Paper) -> anyhow::Result<()> {
        show::text(&self.render(paper))
    }

    /// Words the verdict.
    pub fn verdict(&self) -> &'static str {
        if self.is_sound() {
            "Every promise was kept: each letter has exactly one effect, and each sender knows it."
        } else {
            "A promise was broken: see what is not 0 below."
        }
    }

    fn render(&self, paper: Paper) -> String {
        format!("{}\n\n{}", paper.boxed(self.verdict(), self.is_sound()).join("\n"), self.sheet(paper))
    }

    /// Lays out what the verdict rests on, and the figures.
    pub fn sheet(&self, paper: Paper) -> String {
        let mut lines = self.zeros(paper);
        lines.push(String::new());
        lines.extend(self.figures(paper));
        lines.push(String::new());
        lines.extend(self.times(paper));
        format!("{}\n", lines.join("\n"))
    }

    /// What must be 0, and the first faults where something is not.
    fn zeros(&self, paper: Paper) -> Vec<String> {
        let found = &self.findings;
        let zeros = [
            (found.lost, "lost: a letter without its effect or its receipt"),
            (found.doubled, "doubled: an effect there more than once"),
            (found.wrong, "wrong: an effect that nobody asked for"),
            (found.ledger_difference.unsigned_abs(), "XAF of difference in the books"),
            (found.quarantined_innocent, "innocent letters in quarantine"),
            (found.receipts_missing, "receipts missing"),
            (found.receipts_wrong, "receipts wrong"),
        ];
        let line = |(count, words): &(u64, &str)| {
            let lines = paper.item(margin(paper), &count.to_string(), words);
            lines.into_iter().map(|line| paper.judge(&line, *count == 0)).collect::<Vec<_>>()
        };
        let mut lines: Vec<String> = zeros.iter().flat_map(line).collect();
        lines.extend(found.faults.iter().flat_map(|fault| paper.item(margin(paper), "-", fault)));
        lines
    }

    fn figures(&self, paper: Paper) -> Vec<String> {
        let found = &self.findings;
        let item = |figure: u64, words: String| paper.item(margin(paper), &figure.to_string(), &words);
        let mut lines = item(found.letters_sent, "letters sent".to_owned());
        let charged = format!("accepted: {} records, {} XAF charged for them", found.rows, found.charged);
        lines.extend(item(found.accepted, charged));
        lines.extend(item(found.duplicates, "came again and changed nothing".to_owned()));
        let recognised = format!("attacks and mistakes sent on purpose, {} recognised:", found.refused);
        lines.extend(item(found.bad_sent, recognised));
        for (code, count) in &found.refused_by_reason {
            let words = RefusalCode::parse(code).map_or("refused for another reason", words);
            lines.extend(paper.item(margin(paper) + 7, &count.to_string(), &format!("{words} [{code}]")));
        }
        lines.extend(item(found.receipts_verified, "receipts opened and verified by their offices".to_owned()));
        lines
    }

    fn times(&self, paper: Paper) -> Vec<String> {
        let found = &self.findings;
        let item = |figure: String, words: String| paper.item(margin(paper), &figure, &words);
        let rate = format!("letters a second: the town's burst was settled and answered in {:.1} s", self.seconds);
        let mut lines = item(format!("{:.0}", self.letters_per_second), rate);
        lines.extend(item(
            format!("{} ms", found.p50_ms),
            format!(
                "from mail to commit for half of the burst, {} ms for 99 in 100: all offices send at \
                 once, so letters wait in a queue for those before them",
                found.p99_ms
            ),
        ));
        if let Some(alone_ms) = found.alone_ms {
            let words = "from mail to commit for one letter sent alone, when all was quiet: up to 1000 ms of it is the \
                         wait until the centre looks into its mailbox, once a second";
            lines.extend(item(format!("{alone_ms} ms"), words.to_owned()));
        }
        let share = self.machine_mb.map_or_else(String::new, |machine| {
            format!(", {:.1} % of the machine's {machine:.0} MB", self.rss_mb_max * 100.0 / machine)
        });
        lines.extend(item(format!("{:.0} MB", self.rss_mb_max), format!("of memory at most in the centre{share}")));
        if self.kills > 0 {
            let by_hand = match self.kills_by_hand {
                0 => String::new(),
                by_hand => format!(" ({by_hand} by the key k)"),
            };
            let times = if self.kills == 1 { "time" } else { "times" };
            let words = format!("{times} the centre was killed without warning{by_hand}; it came back each time");
            lines.extend(item(self.kills.to_string(), words));
        }
        lines
    }
}

/// Columns in which figures end: fewer on narrow paper.
fn margin(paper: Paper) -> usize {
    if paper.width < 60 { 7 } else { 9 }
}

/// Reads the machine's memory in megabytes, from /proc/meminfo.
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

    /// A demo in which every refusal occurred.
    fn findings() -> Findings {
        Findings {
            letters_sent: 20_000,
            accepted: 16_000,
            bad_sent: 2910,
            refused: 2910,
            refused_by_reason: RefusalCode::ALL.iter().map(|code| (code.to_string(), 80)).collect(),
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
            assert!(line.is_some_and(|line| line.contains(words(*code))), "{code}: {text}");
        }
        assert!(text.contains("512 ms  from mail to commit for one letter sent alone"), "{text}");
        assert!(text.contains("(2 by the key k)"), "{text}");
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
