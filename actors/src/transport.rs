//! Where mail comes from. A source holds the only copy of a mail that counts until every share of the mail is settled; a transport is how
//! the source is reached.
//!
//! Two kinds stand behind one admission. A [`Transport`] lists what its source has (POP3, the transfer folder): `mailbox_poller` runs over
//! it, and deletes mail that is committed. A pushed source ([`Pushed`](pushed::Pushed): LMTP, HTTPS) is written to, and answers each sender
//! by the fate of its mail: `push_intake` runs over it. The contract of both is executed in `tests/contracts`.

mod folder;
mod pop3;
pub mod pushed;

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use mail::MailError;
use serde::{Deserialize, Serialize};

/// What a transport is; none of it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportFacts {
    /// How answers to its letters leave, as on `xm.letters` and `xm.outbox`.
    pub answers_by: &'static str,
    /// The word for such a source in the log.
    pub noun: &'static str,
    /// What the source gives.
    pub form: Form,
}

/// What a source gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Mails, with documents in them.
    Mail,
    /// Documents alone.
    Document,
}

/// What a source does with mail that holds no container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoContainer {
    /// It stays where it is, and is counted.
    Leave,
    /// It goes to quarantine, bounded as everything of strangers is.
    #[default]
    Quarantine,
    /// It is deleted, and counted.
    Drop,
}

impl NoContainer {
    /// Returns the rule's name, as in the configuration and on metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            NoContainer::Leave => "leave",
            NoContainer::Quarantine => "quarantine",
            NoContainer::Drop => "drop",
        }
    }
}

/// Most bytes that are kept of an over-size mail or file.
pub const HEAD_BYTES_MAX: u64 = 16 * 1024;
/// Larger sizes are reported as this one, which is beyond any limit and fits every column that holds sizes.
pub const SIZE_BYTES_MAX: u64 = i32::MAX as u64;

/// A mail or file as its source lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The candidate's number, in this session only.
    pub number: u32,
    /// The name by which another session, also after a restart, knows the candidate; none where the source gives no name, or gives the
    /// same to several. It is a hint and no key: a mail server may change it, and a file's name may be given to another file.
    pub token: Option<Box<str>>,
    /// Size as the source tells it, 0 where it does not; what comes may be larger.
    pub size_bytes: u64,
}

impl Candidate {
    /// Returns the name by which a mail is remembered and written down: its token or, for want of one, a blank and its size. No token
    /// contains a blank. Several mails may share a size, so the name says only with which mails to be careful, never which mails to leave
    /// alone.
    pub fn hint(&self) -> Box<str> {
        self.token.clone().unwrap_or_else(|| format!(" {}", self.size_bytes).into())
    }
}

/// The candidates of a source, in the order in which they came as far as that is known, none twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The mails or files.
    pub candidates: Vec<Candidate>,
    /// How many entries are malformed.
    pub odd_lines: usize,
    /// The first malformed entry, fit to be shown.
    pub first_odd_line: Option<String>,
    /// How many candidates are there and not listed this time. Only where this is 0 is a candidate that is not listed known to be gone.
    pub left_out: usize,
}

/// The result of asking for a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchOutcome {
    /// The mail or file, octet for octet.
    Mail(Vec<u8>),
    /// The candidate is larger than allowed: its first 16 KB at most (nothing where the source gives no part), and its size.
    OverSize {
        /// First bytes.
        head: Vec<u8>,
        /// Size as listed, or as counted where the listing told less.
        size_bytes: u64,
    },
    /// The source refuses to give this candidate, in these words. It stays where it is.
    Refused(String),
}

/// A candidate that was asked for, with the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The candidate as it was listed.
    pub listed: Candidate,
    /// The result.
    pub outcome: FetchOutcome,
}

/// A source, or the way to it, fails. The mail stays in the source.
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
    fn facts(&self) -> TransportFacts;

    /// Opens a session. Only one is open at a time in this process.
    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>, TransportFault>>;
}

/// An open session. After a fault it must be dropped; a dropped session has deleted nothing.
pub trait Session: Send {
    /// Lists what is there.
    fn list(&mut self) -> BoxFuture<'_, Result<Listing, TransportFault>>;

    /// Begins to fetch candidates, in the order given. Of those listed or found larger than `bytes_max` only the head is kept.
    fn fetch<'s>(
        &'s mut self,
        wanted: &'s [Candidate],
        bytes_max: u64,
    ) -> BoxFuture<'s, Result<Fetching<'s>, TransportFault>>;

    /// Marks candidates that this session has fetched, and that are settled, as deleted, by number. Returns those that the source refuses
    /// to delete.
    fn delete<'s>(&'s mut self, numbers: &'s [u32]) -> BoxFuture<'s, Result<Vec<u32>, TransportFault>>;

    /// Ends the session. Only `Ok` means that marked candidates are gone for good. After a fault nobody knows whether they are, so callers
    /// must be right in both cases.
    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), TransportFault>>;
}

/// The results of a session's fetch, one after another.
pub trait FetchOutcomes: Send {
    /// Waits for the outcome of the next candidate that was asked for.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<FetchOutcome>, TransportFault>>;
}

/// Candidates on their way. Each is given out as soon as it is whole, so that it can be worked on while the next ones arrive. Pausing
/// between two calls is safe, and so is stopping.
pub struct Fetching<'s> {
    wanted: &'s [Candidate],
    answered: usize,
    outcomes: Box<dyn FetchOutcomes + 's>,
}

impl<'s> Fetching<'s> {
    /// Begins to give the results for these candidates, in their order.
    pub fn of(wanted: &'s [Candidate], outcomes: impl FetchOutcomes + 's) -> Fetching<'s> {
        Fetching { wanted, answered: 0, outcomes: Box::new(outcomes) }
    }

    /// Returns the candidate whose result is awaited: a session that breaks now has broken over it.
    pub fn under_way(&self) -> Option<&'s Candidate> {
        self.wanted.get(self.answered)
    }

    /// Waits for the next result; `Ok(None)` after the last.
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
