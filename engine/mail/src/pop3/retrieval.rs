//! Mails that are requested in advance, and returned as they arrive.

use crate::connect::{MailError, Step};
use crate::pop3::listing::Listed;
use crate::pop3::reply::{Expect, Reply, Status};
use crate::pop3::wire::{CHUNK_BYTES, Wire};

/// Number of bytes that are kept of a mail that is too large.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Number of lines that are requested with TOP. The head of an over-size mail then has about as many bytes as are kept of it.
pub(super) const HEAD_LINES: usize = 200;

/// A mail that was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retrieved {
    /// The mail, as it was listed.
    pub listed: Listed,
    /// Result of the request.
    pub outcome: Outcome,
}

/// Result of requesting a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The mail, octet for octet.
    Mail(Vec<u8>),
    /// The mail is larger than allowed. Only its size is known, and its first 16 KB at most (none if the server does not support TOP).
    OverSize {
        /// First bytes of the mail.
        head: Vec<u8>,
        /// Size in bytes as listed, or as counted where the listing gave a smaller size.
        size_bytes: u64,
    },
    /// The server refused to send this mail, with this text.
    Refused(String),
}

/// Mails that are being fetched. A window of them is requested, and each mail is returned as soon as it is whole, so that it can be
/// processed while the next mails arrive. Callers may pause between two calls, and may stop.
pub struct Retrieval<'a> {
    wire: &'a mut Wire,
    /// Number of mails requested at a time. It is 1 if the server does not support pipelining.
    window: usize,
    /// Whether the server supports TOP.
    has_top: bool,
    listed: &'a [Listed],
    asked: usize,
    answered: usize,
    size_max_bytes: usize,
    commands: Vec<u8>,
}

impl<'a> Retrieval<'a> {
    pub(super) fn of(
        wire: &'a mut Wire,
        window: usize,
        has_top: bool,
        listed: &'a [Listed],
        size_max_bytes: usize,
    ) -> Retrieval<'a> {
        Retrieval { wire, window, has_top, listed, asked: 0, answered: 0, size_max_bytes, commands: Vec::new() }
    }

    /// Returns the mail whose reply is awaited. If the session breaks, it has broken over this mail.
    pub fn under_way(&self) -> Option<&'a Listed> {
        self.listed.get(self.answered)
    }

    /// Waits for the next mail; `Ok(None)` after the last.
    pub async fn next(&mut self) -> Result<Option<Retrieved>, MailError> {
        let Some(listed) = self.listed.get(self.answered) else { return Ok(None) };
        self.ask().await?;
        let reply = self.wire.reply(Step::Retrieve).await?;
        self.answered += 1;
        let listed = listed.clone();
        let outcome = match reply {
            Reply { status: Status::Ok, body: Some(body), .. } if self.is_over(&listed) => {
                Outcome::OverSize { head: body.bytes, size_bytes: listed.size_bytes }
            }
            Reply { status: Status::Ok, body: Some(mut body), .. } if body.is_cut() => {
                body.bytes.truncate(HEAD_BYTES_MAX);
                Outcome::OverSize { head: body.bytes, size_bytes: body.size_bytes as u64 }
            }
            Reply { status: Status::Ok, body: Some(body), .. } => Outcome::Mail(body.bytes),
            // The server does not support TOP: NOOP was sent instead, or the reply to TOP was -ERR.
            _ if self.is_over(&listed) => Outcome::OverSize { head: Vec::new(), size_bytes: listed.size_bytes },
            refused => Outcome::Refused(refused.text),
        };
        Ok(Some(Retrieved { listed, outcome }))
    }

    /// Requests further mails once half of the window has arrived, so that one write carries many commands.
    async fn ask(&mut self) -> Result<(), MailError> {
        let in_flight = self.asked - self.answered;
        if in_flight > self.window / 2 || self.asked == self.listed.len() {
            return Ok(());
        }
        let until = (self.answered + self.window).min(self.listed.len());
        let mut expected = Vec::with_capacity(until - self.asked);
        self.commands.clear();
        for listed in self.listed.get(self.asked..until).unwrap_or_default() {
            let (command, expect) = match (self.is_over(listed), self.has_top) {
                (true, true) => (format!("TOP {} {HEAD_LINES}\r\n", listed.number), head_expected()),
                (true, false) => ("NOOP\r\n".to_owned(), Expect::Line),
                (false, _) => (format!("RETR {}\r\n", listed.number), self.mail_expected(listed)),
            };
            self.commands.extend_from_slice(command.as_bytes());
            expected.push(expect);
        }
        self.wire.begin();
        self.asked = until;
        self.wire.send(Step::Retrieve, &self.commands, &expected).await
    }

    fn is_over(&self, listed: &Listed) -> bool {
        listed.size_bytes > self.size_max_bytes as u64
    }

    /// LIST may give wrong sizes, so the limit is also enforced while the mail arrives. A mail beyond the limit is read to its end, up to
    /// sixteen times the limit, so that the mails after it can still be fetched.
    fn mail_expected(&self, listed: &Listed) -> Expect {
        let drain_bytes_max = self.size_max_bytes.saturating_mul(16).max(CHUNK_BYTES * 4);
        let likely_bytes = usize::try_from(listed.size_bytes).unwrap_or(usize::MAX);
        Expect::Body { likely_bytes, keep_bytes_max: self.size_max_bytes, drain_bytes_max }
    }
}

/// A header may have any size, and TOP always sends all of it.
pub(super) fn head_expected() -> Expect {
    Expect::Body { likely_bytes: 0, keep_bytes_max: HEAD_BYTES_MAX, drain_bytes_max: 64 * 1024 * 1024 }
}
