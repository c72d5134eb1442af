//! Where mail comes from. A transport holds the only copy that counts until every share of a mail is settled.
//!
//! Two kinds stand behind one admission. A [`Transport`] lists what it has (POP3, the transfer folder): `mailbox_poller` runs over it
//! and deletes what has been committed. A pushed one ([`Pushed`]: LMTP, HTTPS) is written to, and answers its sender by the fate
//! of the mail's share: `push_intake` runs over it. What both owe is executed in `tests/contracts`.

mod folder;
mod pop3;

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use mail::MailError;

use crate::admission::Lender;
pub(crate) use folder::Watch;

/// What is to be known of a transport, whatever it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// How answers to its letters leave, as on `xm.letters` and `xm.outbox`.
    pub answers_by: &'static str,
    /// What such a source is called in the log.
    pub noun: &'static str,
    /// What it gives.
    pub form: Form,
}

/// What one thing is that a source gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A mail, in which there are documents.
    Mail,
    /// A document alone.
    Document,
}

/// How much is kept of what is too large.
pub const HEAD_BYTES_MAX: u64 = 16 * 1024;
/// Largest size that is told: what is beyond is as far from any limit. It fits every column that holds sizes.
pub const SIZE_BYTES_MAX: u64 = i32::MAX as u64;

/// Something that a source lists and can give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its number, in this session only.
    pub number: u32,
    /// By what it is known again in another session, and across restarts; none where the source gives nothing of the kind, or the
    /// same to several. A hint, never a key: a mail server may change it, and a folder's name may be given to another file.
    pub token: Option<Box<str>>,
    /// Size as the source tells it, 0 where it does not; what comes may be larger.
    pub size_bytes: u64,
}

/// What a source has, in the order in which it came as far as is known, none twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The mails or files.
    pub candidates: Vec<Candidate>,
    /// Entries that are not as they should be.
    pub odd_lines: usize,
    /// The first of them, fit to be shown.
    pub first_odd_line: Option<String>,
    /// How much is there that is not listed this time. Unless that is nothing, what is not listed is not gone.
    pub left_out: usize,
}

/// What came of asking for a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It, octet for octet.
    Mail(Vec<u8>),
    /// It is larger than allowed: its first 16 KB at most (nothing where the source gives no part), and its size.
    OverSize {
        /// First bytes.
        head: Vec<u8>,
        /// Size as listed, or as counted where the listing told less.
        size_bytes: u64,
    },
    /// The source refused this one, in these words. It stays where it is.
    Refused(String),
}

/// A candidate that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// As it was listed.
    pub listed: Candidate,
    /// What came of it.
    pub outcome: Outcome,
}

/// A source, or the way to it, fails: the world's fault. What it holds stays there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportFault {
    /// The step that failed, as on metrics.
    pub step: &'static str,
    /// What happened: which source, which step, why.
    pub words: String,
}

impl fmt::Display for TransportFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.words)
    }
}

impl std::error::Error for TransportFault {}

impl TransportFault {
    /// Makes the fault of a source that has not answered within this time.
    pub fn timed_out(source: &str, step: &'static str, patience: Duration) -> TransportFault {
        TransportFault { step, words: format!("{source}: {step}: no answer within {} s", patience.as_secs()) }
    }
}

impl From<MailError> for TransportFault {
    fn from(error: MailError) -> TransportFault {
        TransportFault { step: error.step.as_str(), words: error.to_string() }
    }
}

/// A source that lists what it holds.
pub trait Transport: Send + Sync + 'static {
    /// Says what it is.
    fn facts(&self) -> Facts;

    /// Opens a session. Only one is open at a time in this process.
    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>, TransportFault>>;
}

/// A source that is pushed to: it listens, lends each mail to the admission, and answers its sender by the mail's fate.
pub trait Pushed: Send + Sync + 'static {
    /// Says what it is.
    fn facts(&self) -> Facts;

    /// Listens and takes mail for as long as it is let; ends only by a fault. A sender is told that its mail is done with only where
    /// [`Lender::lend`] says `Settled`, or `Left`; and to come again in every other case.
    fn listen(&self, lender: Lender) -> BoxFuture<'_, TransportFault>;
}

/// An open session. After a fault it is of no more use: dropped, it has deleted nothing.
pub trait Session: Send {
    /// Lists what is there.
    fn list(&mut self) -> BoxFuture<'_, Result<Listing, TransportFault>>;

    /// Begins to fetch candidates, in the order given. Of those listed or found larger than `bytes_max` only the head is kept.
    fn fetch<'s>(
        &'s mut self,
        wanted: &'s [Candidate],
        bytes_max: u64,
    ) -> BoxFuture<'s, Result<Fetching<'s>, TransportFault>>;

    /// Marks as deleted what was fetched in this session and is settled, by number. Returns what the source refuses to delete.
    fn delete<'s>(&'s mut self, numbers: &'s [u32]) -> BoxFuture<'s, Result<Vec<u32>, TransportFault>>;

    /// Ends the session. Only `Ok` means that what was marked is gone, for good: after a fault nobody knows, so it comes again or
    /// not, and both must be harmless.
    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), TransportFault>>;
}

/// What a session gives, one after another.
pub trait Outcomes: Send {
    /// Waits for the outcome of the next candidate that was asked for.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Outcome>, TransportFault>>;
}

/// Candidates on their way, each given out as soon as it is whole, so that it can be worked on while the next arrive. To pause
/// between two calls is safe, to stop as well.
pub struct Fetching<'s> {
    wanted: &'s [Candidate],
    answered: usize,
    outcomes: Box<dyn Outcomes + 's>,
}

impl<'s> Fetching<'s> {
    /// Begins to give what a session gives for these candidates, in their order.
    pub fn of(wanted: &'s [Candidate], outcomes: impl Outcomes + 's) -> Fetching<'s> {
        Fetching { wanted, answered: 0, outcomes: Box::new(outcomes) }
    }

    /// Returns the candidate whose outcome is awaited: when the session breaks, it broke over this one.
    pub fn under_way(&self) -> Option<&'s Candidate> {
        self.wanted.get(self.answered)
    }

    /// Waits for the next outcome; `Ok(None)` after the last.
    ///
    /// # Errors
    /// The session is broken.
    pub async fn next(&mut self) -> Result<Option<Taken>, TransportFault> {
        let Some(listed) = self.under_way() else { return Ok(None) };
        let Some(outcome) = self.outcomes.next().await? else { return Ok(None) };
        self.answered += 1;
        Ok(Some(Taken { listed: listed.clone(), outcome }))
    }
}
