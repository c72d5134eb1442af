//! What reaches settling: a letter with a verified signer, or a container without one.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sdc::cms::ContentCipher;
use sdc::digest::Digest;
use sdc::enrolment::Enrolment;
use sdc::letter::{Letter, Matricule};
use sdc::payload::{PayloadForm, Unreadable};
use sdc::refusal::{Refusal, RefusalCode};

use super::work;
use crate::certificates::signers::Signer;
use crate::reading::Read;

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
    /// Whether the centre fetched the mail again by itself, because one of its letters waits. The other containers of the mail were
    /// settled the first time and have not been sent again: they get no second line in the journal, no second count and no answer.
    pub is_fetched_again: bool,
}

/// What a mail and its container say of their sender. Nothing of it is proven; each text is bounded, on one line and without control
/// characters. Only quarantine keeps it, for the operator who has to find out whose the container is.
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
    /// The agency whose registered key signed another letter of the same mail. That is proven, so the mail is not a stranger's.
    pub signer_beside: Option<Matricule>,
}

/// One container, as far as it has been understood.
#[derive(Debug)]
pub struct Arrival {
    /// When the centre received it, by the centre's clock.
    pub received_at: DateTime<Utc>,
    /// Where it came from.
    pub source: Source,
    /// Its original bytes; of an over-size mail the first part.
    pub container: Vec<u8>,
    /// How many bytes the original has in all.
    pub container_bytes: usize,
    /// How many bytes its document has when rendered without a hint: the measure of price and limit, which does not depend on how the
    /// post wrapped it. See `Document::rendered_bytes`.
    pub rendered_bytes: usize,
    /// What it is.
    pub content: Content,
    /// What it asks where an unknown key signed it: settling admits it, or it stays a stranger's.
    pub enrolment: Option<Arc<Enrolment>>,
    /// What was read for it, where it asks for records and has been read for.
    pub read: Option<Read>,
}

/// What a container turned out to be.
#[expect(clippy::large_enum_variant, reason = "nearly every container is signed")]
pub enum Content {
    /// No verified signer: it goes into quarantine and gets no answer.
    Stranger(Refusal),
    /// Signed by a registered key.
    Signed {
        /// The key's certificate and agency, as cached.
        signer: Arc<Signer>,
        /// SHA-256 of the signed octets.
        digest: Digest,
        /// How the letter was encrypted; its answer will be encrypted alike.
        cipher: ContentCipher,
        /// How its payload was packed; its answer will be packed alike.
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

    /// Returns the agency of the verified signer.
    pub fn agency(&self) -> Option<Matricule> {
        self.signer().map(|signer| signer.matricule)
    }

    /// Returns the letter, where a registered key signed it and it could be read.
    pub fn letter(&self) -> Option<&Letter> {
        match &self.content {
            Content::Signed { letter: Ok(letter), .. } => Some(letter),
            Content::Signed { .. } | Content::Stranger(_) => None,
        }
    }

    /// Returns how much work it is for the database, in rows: those that it brings, or those that its answer may have.
    pub fn work(&self) -> usize {
        self.letter().map_or(0, |letter| work::rows(&letter.request))
    }

    /// Says whether it asks for records of the tables, which are read before it is settled.
    pub fn asks_to_read(&self) -> bool {
        self.letter().is_some_and(|letter| letter.request.service().facts().needs_reader())
    }

    /// Returns how many rows it brings.
    pub fn rows(&self) -> usize {
        self.letter().map_or(0, |letter| letter.request.rows())
    }
}

/// What became of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its records are in the tables.
    Accepted,
    /// It had been settled before; nothing changed.
    Duplicate,
    /// It had been settled before and was not sent again: the centre fetched its mail anew because another letter of the mail waits.
    SettledBefore,
    /// It is refused; an office is told if the code says so.
    Refused(RefusalCode),
    /// It is kept whole, and in no table, until people decide.
    Held,
    /// Nothing of it is committed, because a table that it needs takes no rows now, or because of a fault that its bytes do not cause.
    /// Its mail stays, and it is settled another time.
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
            Outcome::Held => "held",
            Outcome::Deferred => "deferred",
        }
    }
}
