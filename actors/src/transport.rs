//! Sources of mail, and how they are reached. A source holds the only copy of a mail that counts until every letter of the mail is settled.
//! A transport is the way to reach a source.
//!
//! There are two kinds, with one admission for both. A [`Transport`] lists the mail of its source (POP3, the transfer folder):
//! `mailbox_poller` polls the source and deletes mail that is committed. To a pushed source ([`Pushed`](pushed::Pushed): LMTP, HTTPS)
//! senders deliver mail, and each sender gets an answer that depends on the fate of its mail: `push_intake` serves the source. The contract
//! of both is executed in `tests/contracts`.

mod folder;
pub mod http;
pub mod intake;
mod pop3;
pub mod pushed;

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use mail::MailError;
use serde::{Deserialize, Serialize};

/// Constant facts about a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportFacts {
    /// Transport by which answers to its letters are sent, as in `xm.letters` and `xm.outbox`.
    pub answers_by: &'static str,
    /// Word for a source of this transport in the log.
    pub noun: &'static str,
    /// Whether the source delivers mails or documents.
    pub form: Form,
}

/// Form of the items that a source delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Mails that contain documents.
    Mail,
    /// Documents without a mail around them.
    Document,
}

/// What a source does with mail that holds no container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoContainer {
    /// The mail stays in the source and is counted.
    Leave,
    /// The mail is put into quarantine, within the limit that holds for all strangers.
    #[default]
    Quarantine,
    /// The mail is deleted and counted.
    Drop,
}

impl NoContainer {
    /// Returns the name of the rule in the configuration and on metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            NoContainer::Leave => "leave",
            NoContainer::Quarantine => "quarantine",
            NoContainer::Drop => "drop",
        }
    }
}

/// Largest number of bytes that are kept of an over-size mail or file.
pub const HEAD_BYTES_MAX: u64 = 16 * 1024;
/// Largest size that is reported; larger sizes are reported as this one. It is beyond any limit and fits every column that holds sizes.
pub const SIZE_BYTES_MAX: u64 = i32::MAX as u64;

/// A mail or file as its source lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Number of the candidate. It is valid in this session only.
    pub number: u32,
    /// Name by which another session, even after a restart, recognises the candidate; `None` where the source gives no name, or gives the
    /// same name to several candidates. The name is a hint and no key: a mail server may change it, and a file's name may be given to
    /// another file.
    pub token: Option<Box<str>>,
    /// Size in bytes according to the source, or 0 if the source does not say. What is fetched may be larger.
    pub size_bytes: u64,
}

impl Candidate {
    /// Returns the name under which a mail is remembered and recorded: its token or, if it has none, a blank and its size. No token
    /// contains a blank. Several mails may have the same size. So the name may be used to treat a mail with care, and never to skip a mail.
    pub fn hint(&self) -> Box<str> {
        self.token.clone().unwrap_or_else(|| format!(" {}", self.size_bytes).into())
    }
}

/// The candidates of a source, in the order of their arrival as far as it is known. No candidate is listed twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The mails or files.
    pub candidates: Vec<Candidate>,
    /// Number of malformed entries.
    pub odd_lines: usize,
    /// The first malformed entry, fit to be shown.
    pub first_odd_line: Option<String>,
    /// Number of candidates that exist and are not listed this time. Only if this number is 0, a candidate that is not listed no longer
    /// exists.
    pub left_out: usize,
}

/// Result of fetching a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchOutcome {
    /// The mail or file, octet for octet.
    Mail(Vec<u8>),
    /// The candidate is larger than allowed. Only its size is known, and its first 16 KB at most (none where the source gives no part).
    OverSize {
        /// First bytes of the candidate.
        head: Vec<u8>,
        /// Size in bytes as listed, or as counted where the listing gave a smaller size.
        size_bytes: u64,
    },
    /// The source refuses to send this candidate, with this text. The candidate stays in the source.
    Refused(String),
}

/// A candidate that was requested, with the result of the fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The candidate as it was listed.
    pub listed: Candidate,
    /// Result of the fetch.
    pub outcome: FetchOutcome,
}

/// A source, or the connection to it, failed. The mail stays in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportFault {
    /// The step that failed, as on metrics.
    pub step: &'static str,
    /// Description of the failure: the source, the step and the reason.
    pub words: String,
}

impl fmt::Display for TransportFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.words)
    }
}

impl std::error::Error for TransportFault {}

impl TransportFault {
    /// Makes the fault of a source that has not answered within `patience`.
    pub fn timed_out(source: &str, step: &'static str, patience: Duration) -> TransportFault {
        TransportFault { step, words: format!("{source}: {step}: no answer within {} s", patience.as_secs()) }
    }
}

impl From<MailError> for TransportFault {
    fn from(error: MailError) -> TransportFault {
        TransportFault { step: error.step.as_str(), words: error.to_string() }
    }
}

/// A source whose mail can be listed.
pub trait Transport: Send + Sync + 'static {
    /// Returns the constant facts about this transport.
    fn facts(&self) -> TransportFacts;

    /// Opens a session. Only one is open at a time in this process.
    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>, TransportFault>>;
}

/// An open session. After a fault it must be dropped; a dropped session has deleted nothing.
pub trait Session: Send {
    /// Lists the candidates in the source.
    fn list(&mut self) -> BoxFuture<'_, Result<Listing, TransportFault>>;

    /// Begins to fetch candidates, in the given order. If a candidate is larger than `bytes_max`, as listed or as fetched, only its head is
    /// kept.
    fn fetch<'s>(
        &'s mut self,
        wanted: &'s [Candidate],
        bytes_max: u64,
    ) -> BoxFuture<'s, Result<Fetching<'s>, TransportFault>>;

    /// Marks candidates as deleted, by number. They must have been fetched in this session and be settled. Returns the candidates that the
    /// source refuses to delete.
    fn delete<'s>(&'s mut self, numbers: &'s [u32]) -> BoxFuture<'s, Result<Vec<u32>, TransportFault>>;

    /// Ends the session. Only `Ok` means that marked candidates are deleted for good. After a fault they may or may not be deleted, so
    /// callers must be right in both cases.
    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), TransportFault>>;
}

/// The results of a session's fetch, one after another.
pub trait FetchOutcomes: Send {
    /// Waits for the outcome of the next requested candidate.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<FetchOutcome>, TransportFault>>;
}

/// Candidates that are being fetched. Each candidate is returned as soon as it is whole, so that it can be processed while the next ones
/// arrive. Callers may pause between two calls, and may stop.
pub struct Fetching<'s> {
    wanted: &'s [Candidate],
    answered: usize,
    outcomes: Box<dyn FetchOutcomes + 's>,
}

impl<'s> Fetching<'s> {
    /// Begins to return the results for these candidates, in their order.
    pub fn of(wanted: &'s [Candidate], outcomes: impl FetchOutcomes + 's) -> Fetching<'s> {
        Fetching { wanted, answered: 0, outcomes: Box::new(outcomes) }
    }

    /// Returns the candidate whose result is awaited. If the session breaks now, it has broken over this candidate.
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
