//! Progress bars, in one style.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Makes a bar of so many steps; it is drawn where standard error is a terminal.
pub fn bar(what: &'static str, steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    // The template is a constant; were it wrong, the plain style would do.
    let style = ProgressStyle::with_template("{msg:>10} {wide_bar} {human_pos:>9} of {human_len} {elapsed:>5}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.with_message(what)
}

/// Letters sent and receipts verified, one below the other.
pub struct Bars {
    sent: ProgressBar,
    verified: ProgressBar,
}

impl Bars {
    /// Makes both for so many letters.
    pub fn new(letters: u64) -> Bars {
        let both = MultiProgress::new();
        Bars { sent: both.add(bar("sent", letters)), verified: both.add(bar("verified", letters)) }
    }

    /// Shows how far both are.
    pub fn show(&self, sent: u64, verified: u64) {
        self.sent.set_position(sent);
        self.verified.set_position(verified);
    }

    /// Ends both. Strangers, and mails sent again, have no receipt of their own, so the second one ends below the first.
    pub fn finish(self) {
        self.sent.abandon();
        self.verified.abandon();
    }
}
