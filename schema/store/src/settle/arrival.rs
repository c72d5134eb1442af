//! The input of settling: letters with a verified signer, and containers without one.

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

/// The origin of a container.
#[derive(Clone, Debug)]
pub struct Source {
    /// Transport by which the container arrived: `mail`, `folder` or `http`. The answer is sent by the same transport.
    pub transport: &'static str,
    /// Configured name of the mailbox or folder.
    pub mailbox: Arc<str>,
    /// Domain of the mail's `From`. Nothing proves it, so only operators see it.
    pub sender_domain: String,
    /// What else the mail and its container claim about their sender.
    pub claimed: Claimed,
    /// Whether the centre fetched the mail again only because one of its letters waits. The mail's other containers were settled the first
    /// time, and nobody has sent them again: they get no second journal line, no second count and no answer.
    pub is_fetched_again: bool,
}

/// What a mail and its container claim about their sender. Nothing proves these claims. Each text is of bounded length, on one line and
/// without control characters. Only quarantine stores them, to help the operator find out who sent the container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The agency that the mail mentions.
    pub agency: Option<Matricule>,
    /// The certificate to which the signature refers, as text; absent if the container could not be opened, since the signature is inside.
    pub signer: Option<String>,
    /// The mail's `From`.
    pub sender: String,
    /// The mail's `Subject`.
    pub subject: String,
    /// The agency whose registered key signed another letter of the same mail. The signature proves that the mail contains a letter of this
    /// agency, so the mail does not count as a stranger's.
    pub signer_beside: Option<Matricule>,
}

/// One container that arrived, as far as it has been opened and read so far.
#[derive(Debug)]
pub struct Arrival {
    /// Moment at which the centre received the container, by the centre's clock.
    pub received_at: DateTime<Utc>,
    /// Origin of the container.
    pub source: Source,
    /// The container's original bytes; only the first bytes of the mail if it is too large.
    pub container: Vec<u8>,
    /// Number of bytes of the whole container.
    pub container_bytes: usize,
    /// Number of bytes of the container's document as `Document::render` would write it, without the optional line that names the agency.
    /// Price and size limit use this number, because it does not depend on how the mail wrapped the document.
    pub rendered_bytes: usize,
    /// The signed letter, or the refusal of a stranger's container.
    pub content: Content,
    /// The enrolment that the container requests, if an unknown key signed it. Settling either admits the enrolment or treats the container
    /// as a stranger's.
    pub enrolment: Option<Arc<Enrolment>>,
    /// The result of reading the tables for this letter; absent before the reading, and for services that read nothing.
    pub read: Option<Read>,
}

/// The content of an opened container.
#[expect(clippy::large_enum_variant, reason = "nearly every container is signed")]
pub enum Content {
    /// A container without a verified signer, with the reason: it goes into quarantine and gets no answer.
    Stranger(Refusal),
    /// A container that a registered key signed.
    Signed {
        /// Certificate and agency of the signing key, from the cache.
        signer: Arc<Signer>,
        /// SHA-256 of the signed octets, 32 bytes.
        digest: Digest,
        /// Cipher of the container. The answer is encrypted with the same cipher.
        cipher: ContentCipher,
        /// Form of the payload. The answer has the same form.
        form: PayloadForm,
        /// The letter, or the reason why it cannot be read.
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
    /// Returns the verified signer; `None` for a stranger.
    pub fn signer(&self) -> Option<&Arc<Signer>> {
        match &self.content {
            Content::Stranger(_) => None,
            Content::Signed { signer, .. } => Some(signer),
        }
    }

    /// Returns the agency of the verified signer; `None` for a stranger.
    pub fn agency(&self) -> Option<Matricule> {
        self.signer().map(|signer| signer.matricule)
    }

    /// Returns the letter if a registered key signed it and it could be read.
    pub fn letter(&self) -> Option<&Letter> {
        match &self.content {
            Content::Signed { letter: Ok(letter), .. } => Some(letter),
            Content::Signed { .. } | Content::Stranger(_) => None,
        }
    }

    /// Returns how much work the letter is for the database, in rows: the rows that it contains, or the rows that its answer may have.
    /// Batches are bounded by this number.
    pub fn work(&self) -> usize {
        self.letter().map_or(0, |letter| work::rows(&letter.request))
    }

    /// Says whether the letter requests records of the tables. Such records are read before the letter is settled.
    pub fn asks_to_read(&self) -> bool {
        self.letter().is_some_and(|letter| letter.request.service().facts().needs_reader())
    }

    /// Returns the number of rows in the letter; 0 if there is no letter.
    pub fn rows(&self) -> usize {
        self.letter().map_or(0, |letter| letter.request.rows())
    }
}

/// The outcome of settling a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The letter is accepted and its effect committed.
    Accepted,
    /// The letter had been settled before; nothing changed.
    Duplicate,
    /// The letter had been settled before and nobody sent it again: the centre fetched its mail again because another letter of the mail
    /// waits.
    SettledBefore,
    /// The container is refused. The code gives the reason, and determines whether the office gets an answer.
    Refused(RefusalCode),
    /// The letter is held: it is stored whole, but its rows are in no table until operators release the letter or refuse it.
    Held,
    /// Nothing of the letter is committed. Either a table that it needs takes no rows now, or a fault has another cause than the letter's
    /// bytes. Its mail stays in the mailbox, and the letter is settled later.
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
