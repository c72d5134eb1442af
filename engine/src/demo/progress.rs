//! Shows the progress of the demo: as bars on a terminal, and without a terminal as a line every five seconds.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use terminal_size::{Width, terminal_size_of};
use tokio::time::Instant;

use crate::ask;
use crate::speech::said;

/// The time between two lines of progress where standard error is not a terminal.
const PACE: Duration = Duration::from_secs(5);
/// On a terminal with fewer columns there is no room for a bar beside its figures, so only the figures are shown.
const BAR_COLUMNS_MIN: usize = 60;

/// Says whether bars are drawn, which is on a terminal only.
fn is_drawn() -> bool {
    std::io::stderr().is_terminal()
}

/// Prints a line on standard error. A failure is no error of the demo: the reader has closed standard error.
fn tell(line: &str) {
    if let Err(error) = ask::tell(&format!("{line}\n")) {
        tracing::debug!(%error, "nobody reads how far the demo is");
    }
}

/// Decides when the next line of progress is due.
struct Pace {
    began: Instant,
    last: Instant,
}

impl Pace {
    fn new(now: Instant) -> Pace {
        Pace { began: now, last: now }
    }

    /// Returns the seconds since the beginning where a line is due, else none.
    fn due(&mut self, now: Instant) -> Option<u64> {
        if now - self.last < PACE {
            return None;
        }
        self.last = now;
        Some((now - self.began).as_secs())
    }
}

/// Runs work whose steps cannot be counted, with a spinner that names the work.
pub async fn during<T>(words: &str, work: impl Future<Output = T>) -> T {
    let spinner = ProgressBar::new_spinner().with_message(words.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    let done = during_told(words, work).await;
    spinner.finish_and_clear();
    done
}

/// Runs work that shows its own progress on a terminal. Without a terminal, lines name the work and its duration so far.
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

/// Returns the text that tells how many of all steps are done, in the user's language.
fn counted(done: u64, all: u64) -> String {
    said!("demo-bar", done = done, all = all)
}

/// Makes a bar for this number of steps. It is drawn only where standard error is a terminal.
fn bar(words: String, steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    let columns = terminal_size_of(std::io::stderr()).map_or(0, |(Width(columns), _)| usize::from(columns));
    let template = if columns < BAR_COLUMNS_MIN {
        "{msg:>17} {counted}"
    } else {
        "{msg:>17} {wide_bar} {counted:>18} {elapsed:>4}"
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    // The key `counted` writes numbers as the user's language does; the keys that indicatif has do not.
    bar.set_style(style.with_key("counted", |state: &ProgressState, out: &mut dyn Write| {
        // indicatif ignores errors of a key. If writing failed, the figure would only be missing in the bar.
        out.write_str(&counted(state.pos(), state.len().unwrap_or_default())).unwrap_or_default();
    }));
    bar.with_message(words)
}

/// The progress of setting up offices.
pub struct Offices {
    bar: ProgressBar,
    pace: std::sync::Mutex<Pace>,
}

impl Offices {
    /// Starts the progress for this number of offices.
    pub fn new(offices: u64) -> Offices {
        if !is_drawn() {
            tell(&said!("demo-offices", offices = offices));
        }
        Offices { bar: bar(said!("demo-bar-offices"), offices), pace: std::sync::Mutex::new(Pace::new(Instant::now())) }
    }

    /// Counts one office that is set up.
    pub fn step(&self) {
        self.bar.inc(1);
        let due = self.pace.lock().unwrap_or_else(std::sync::PoisonError::into_inner).due(Instant::now());
        if let Some(seconds) = due.filter(|_| !is_drawn()) {
            let (done, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
            tell(&said!("demo-offices-done", seconds = seconds, done = done, all = all));
        }
    }

    /// Shows the bar as complete.
    pub fn finish(&self) {
        self.bar.finish();
    }
}

/// The progress of letters sent and of receipts verified: two bars, one below the other.
pub struct Bars {
    both: MultiProgress,
    sent: ProgressBar,
    verified: ProgressBar,
    letters: u64,
    pace: Pace,
}

impl Bars {
    /// Makes both bars, each for this number of letters.
    pub fn new(letters: u64) -> Bars {
        let both = MultiProgress::new();
        let sent = both.add(bar(said!("demo-bar-sent"), letters));
        let verified = both.add(bar(said!("demo-bar-verified"), letters));
        if !is_drawn() {
            tell(&said!("demo-sending", letters = letters));
        }
        Bars { both, sent, verified, letters, pace: Pace::new(Instant::now()) }
    }

    /// Updates both bars from the mails sent, the receipts verified, and the receipts due for the mails sent.
    pub fn show(&mut self, sent: u64, verified: u64, due: u64) {
        self.sent.set_position(sent);
        self.verified.set_length(self.answered(sent, due));
        self.verified.set_position(verified);
        if let Some(line) = self.line(sent, verified, due, Instant::now()).filter(|_| !is_drawn()) {
            tell(&line);
        }
    }

    /// Returns the expected number of receipts in all. Mails of unknown senders and letters sent again get no receipt of their own, so each
    /// of them that has been sent is subtracted.
    fn answered(&self, sent: u64, due: u64) -> u64 {
        self.letters.saturating_sub(sent.saturating_sub(due))
    }

    fn line(&mut self, sent: u64, verified: u64, due: u64, now: Instant) -> Option<String> {
        let seconds = self.pace.due(now)?;
        let letters = self.letters;
        Some(said!("demo-sent", seconds = seconds, sent = sent, letters = letters, verified = verified, due = due))
    }

    /// Prints a line above the bars; does nothing where no bars are drawn.
    pub fn note(&self, line: &str) {
        if let Err(error) = self.both.println(line) {
            tracing::debug!(%error, "nobody reads how far the demo is");
        }
    }

    /// Stops both bars: they stay visible as they are.
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
        assert_eq!(bars.line(1, 0, 1, start + PACE - Duration::from_millis(1)), None);
        let first = bars.line(100, 80, 95, start + PACE);
        assert_eq!(first.as_deref(), Some("5 s: 100 of 400 letters sent, 80 of 95 receipts due verified"));
        assert_eq!(bars.line(101, 80, 95, start + PACE + Duration::from_secs(4)), None);
        // The time for the next line has come: the line must be printed even though no figure has changed since the last one.
        let second = bars.line(100, 80, 95, start + PACE + PACE);
        assert_eq!(second.as_deref(), Some("10 s: 100 of 400 letters sent, 80 of 95 receipts due verified"));
        assert_eq!([bars.answered(0, 0), bars.answered(100, 95), bars.answered(400, 375)], [400, 395, 375]);
    }
}
