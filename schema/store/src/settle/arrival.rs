//! What reaches settling: a letter with a verified signer, or a container that nobody vouches for.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sdc::cms::ContentCipher;
use sdc::digest::Digest;
use sdc::letter::{Letter, Matricule};
use sdc::payload::{PayloadForm, Unreadable};
use sdc::refusal::{Refusal, RefusalCode};

use super::work;
use crate::certificates::signers::Signer;

/// Where a container came from.
#[derive(Clone, Debug)]
pub struct Source {
    /// `mail` or `folder`; an answer leaves the same way.
    pub transport: &'static str,
    /// Configured name of the mailbox or folder.
    pub mailbox: Arc<str>,
    /// Domain in the mail's `From`; a claim, kept for the operators only.
    pub sender_domain: String,
    /// What else mail and container say of their sender.
    pub claimed: Claimed,
    /// Whether the centre fetched the mail again by itself, since a letter of it waits. What else is in it was settled the first
    /// time: nobody sent that again, so it is in no journal and no count twice, and nobody is answered anew.
    pub is_fetched_again: bool,
}

/// What a mail and its container say of their sender: nothing of it is proven, all of it is bounded, on one line and
/// without control characters. Kept in quarantine only, for the person who has to find out whose the container is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The agency that the mail mentions.
    pub agency: Option<Matricule>,
    /// The certificate that the signature names, in words; absent where no envelope was opened.
    pub signer: Option<String>,
    /// The mail's `From`.
    pub sender: String,
    /// The mail's `Subject`.
    pub subject: String,
    /// The agency whose registered key signed a letter that was taken out of the same mail: proven of that letter, and so of no
    /// stranger's mail.
    pub signer_beside: Option<Matricule>,
}

/// One container, as far as it has been understood.
#[derive(Debug)]
pub struct Arrival {
    /// When the centre took it in hand.
    pub received_at: DateTime<Utc>,
    /// Where it came from.
    pub source: Source,
    /// Its original bytes; of an over-size mail the first part.
    pub container: Vec<u8>,
    /// How many bytes it has in all, as it came.
    pub container_bytes: usize,
    /// How many bytes it has however it was wrapped on the way: what is priced, and limited. See `Document::rendered_bytes`.
    pub rendered_bytes: usize,
    /// What it is.
    pub content: Content,
}

/// What a container turned out to be.
pub enum Content {
    /// No verified signer: quarantine, and no answer to anybody.
    Stranger(Refusal),
    /// Signed by a registered key.
    Signed {
        /// The key's certificate and agency, as cached.
        signer: Arc<Signer>,
        /// SHA-256 of the signed octets.
        digest: Digest,
        /// How it was encrypted, and so will its answer be.
        cipher: ContentCipher,
        /// How its payload was packed, and so will its answer be.
        form: PayloadForm,
        /// The letter, or why it cannot be read.
        letter: Result<Letter, Unreadable>,
    },
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Content::Stranger(refusal) => write!(f, "Stranger({refusal})"),
            Content::Signed { signer, digest, .. } => write!(f, "Signed({}, {digest})", signer.matricule),
        }
    }
}

impl Arrival {
    /// Returns the verified signer.
    pub fn signer(&self) -> Option<&Arc<Signer>> {
        match &self.content {
            Content::Stranger(_) => None,
            Content::Signed { signer, .. } => Some(signer),
        }
    }
}

impl Arrival {
    /// Returns what it asks of the database, in rows: those that it brings, or those that its answer may have.
    pub fn work(&self) -> usize {
        match &self.content {
            Content::Signed { letter: Ok(letter), .. } => work::rows(&letter.request),
            Content::Signed { .. } | Content::Stranger(_) => 0,
        }
    }

    /// Returns how many rows it brings.
    pub fn rows(&self) -> usize {
        match &self.content {
            Content::Signed { letter: Ok(letter), .. } => letter.request.rows(),
            Content::Signed { .. } | Content::Stranger(_) => 0,
        }
    }
}

/// What became of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its records are in the tables.
    Accepted,
    /// It had been settled before; nothing changed.
    Duplicate,
    /// The same, and nobody sent it again: it is in a mail of which another letter waits.
    SettledBefore,
    /// It is refused; an office is told if the code says so.
    Refused(RefusalCode),
    /// Nothing of it is committed: a table of its takes no rows now. It comes again.
    Deferred,
}

impl Outcome {
    /// Returns the word used in the journal and on metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Duplicate => "duplicate",
            Outcome::SettledBefore => "settled_before",
            Outcome::Refused(code) => code.as_str(),
            Outcome::Deferred => "deferred",
        }
    }
}
