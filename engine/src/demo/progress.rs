//! How far the demo is: bars on a terminal, a line every five seconds elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use terminal_size::{Width, terminal_size_of};
use tokio::time::Instant;

use crate::ask;
use crate::speech::said;

/// Between two lines where there is no terminal.
const PACE: Duration = Duration::from_secs(5);
/// Columns below which a bar leaves no room for its figures.
const BAR_COLUMNS_MIN: usize = 60;

/// Says whether bars are drawn.
fn is_drawn() -> bool {
    std::io::stderr().is_terminal()
}

/// Tells a line on standard error. Whoever has closed it does not want to know.
fn tell(line: &str) {
    if let Err(error) = ask::tell(&format!("{line}\n")) {
        tracing::debug!(%error, "nobody reads how far the demo is");
    }
}

/// When the next line is due.
struct Pace {
    began: Instant,
    last: Instant,
}

impl Pace {
    fn new(now: Instant) -> Pace {
        Pace { began: now, last: now }
    }

    /// Returns the seconds since the beginning, where a line is due.
    fn due(&mut self, now: Instant) -> Option<u64> {
        if now - self.last < PACE {
            return None;
        }
        self.last = now;
        Some((now - self.began).as_secs())
    }
}

/// Does something long that cannot be counted, and says what it is.
pub async fn during<T>(words: &str, work: impl Future<Output = T>) -> T {
    let spinner = ProgressBar::new_spinner().with_message(words.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    let done = during_told(words, work).await;
    spinner.finish_and_clear();
    done
}

/// Does something long that shows its own progress on a terminal. Elsewhere, a line says what it is.
pub async fn during_told<T>(words: &str, work: impl Future<Output = T>) -> T {
    if is_drawn() {
        return work.await;
    }
    tell(words);
    let mut pace = Pace::new(Instant::now());
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(PACE) => {
                if let Some(seconds) = pace.due(Instant::now()) {
                    tell(&said!("demo-so-far", what = words, seconds = seconds));
                }
            }
        }
    }
}

/// Makes a bar of so many steps; it is drawn where standard error is a terminal.
fn bar(words: String, steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    let columns = terminal_size_of(std::io::stderr()).map_or(0, |(Width(columns), _)| usize::from(columns));
    let template = if columns < BAR_COLUMNS_MIN {
        format!("{{msg:>17}} {}", said!("demo-bar", done = "{human_pos}", all = "{human_len}"))
    } else {
        let counted = said!("demo-bar", done = "{human_pos:>7}", all = "{human_len}");
        format!("{{msg:>17}} {{wide_bar}} {counted} {{elapsed:>4}}")
    };
    // Where a language's template is wrong, the plain style is taken.
    bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.with_message(words)
}

/// Progress of setting up offices.
pub struct Offices {
    bar: ProgressBar,
    pace: std::sync::Mutex<Pace>,
}

impl Offices {
    /// Begins with none of so many offices.
    pub fn new(offices: u64) -> Offices {
        if !is_drawn() {
            tell(&said!("demo-offices", offices = offices));
        }
        Offices { bar: bar(said!("demo-bar-offices"), offices), pace: std::sync::Mutex::new(Pace::new(Instant::now())) }
    }

    /// Counts one more office.
    pub fn step(&self) {
        self.bar.inc(1);
        let due = self.pace.lock().unwrap_or_else(std::sync::PoisonError::into_inner).due(Instant::now());
        if let Some(seconds) = due.filter(|_| !is_drawn()) {
            let (done, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
            tell(&said!("demo-offices-done", seconds = seconds, done = done, all = all));
        }
    }

    /// Ends the bar.
    pub fn finish(&self) {
        self.bar.finish();
    }
}

/// Progress of letters sent and receipts verified, one bar below the other.
pub struct Bars {
    both: MultiProgress,
    sent: ProgressBar,
    verified: ProgressBar,
    letters: u64,
    pace: Pace,
}

impl Bars {
    /// Makes both bars for so many letters.
    pub fn new(letters: u64) -> Bars {
        let both = MultiProgress::new();
        let sent = both.add(bar(said!("demo-bar-sent"), letters));
        let verified = both.add(bar(said!("demo-bar-verified"), letters));
        if !is_drawn() {
            tell(&said!("demo-sending", letters = letters));
        }
        Bars { both, sent, verified, letters, pace: Pace::new(Instant::now()) }
    }

    /// Shows how far both bars are.
    pub fn show(&mut self, sent: u64, verified: u64) {
        self.sent.set_position(sent);
        self.verified.set_position(verified);
        if let Some(line) = self.line(sent, verified, Instant::now()).filter(|_| !is_drawn()) {
            tell(&line);
        }
    }

    fn line(&mut self, sent: u64, verified: u64, now: Instant) -> Option<String> {
        let seconds = self.pace.due(now)?;
        let letters = self.letters;
        Some(said!("demo-sent", seconds = seconds, sent = sent, letters = letters, verified = verified))
    }

    /// Writes a line above the bars, where they are drawn.
    pub fn note(&self, line: &str) {
        if let Err(error) = self.both.println(line) {
            tracing::debug!(%error, "nobody reads how far the demo is");
        }
    }

    /// Ends both bars. Strangers, and mails sent again, have no receipt of their own, so the second bar ends below the first.
    pub fn finish(self) {
        self.sent.abandon();
        self.verified.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_every_five_seconds_and_not_more_often() {
        let mut bars = Bars::new(400);
        let start = bars.pace.began;
        assert_eq!(bars.line(1, 0, start + PACE - Duration::from_millis(1)), None);
        let first = bars.line(100, 80, start + PACE);
        assert_eq!(first.as_deref(), Some("5 s: 100 of 400 letters sent, 80 receipts verified"));
        assert_eq!(bars.line(101, 80, start + PACE + Duration::from_secs(4)), None);
        // A line is due even where nothing has moved.
        let second = bars.line(100, 80, start + PACE + PACE);
        assert_eq!(second.as_deref(), Some("10 s: 100 of 400 letters sent, 80 receipts verified"));
    }
}
