//! Leased answers: an answer or a notice that one process has leased in order to send it.

use sdc::cms::ContentCipher;
use sdc::payload::PayloadForm;
use uuid::Uuid;

/// Name of the transport by which offices collect their answers themselves, over HTTPS.
pub const HTTP: &str = "http";

/// An answer or a notice that is leased to a process.
#[derive(Clone, Debug)]
pub struct LeasedAnswer {
    /// Key in `xm.outbox`.
    pub id: i64,
    /// Matricule of the agency that gets the answer.
    pub agency: i32,
    /// Id of the letter that the answer belongs to; `None` for a notice.
    pub letter_id: Option<Uuid>,
    /// Number of the attempt to process the letter, from 1, to which the answer belongs.
    pub attempt: i16,
    /// Part of the answer, from 1; 0 for the receipt alone.
    pub part: i16,
    /// Content to be signed, which is the same each time the answer is sent. The content of a notice is JSON, which is packed in the
    /// notice's form when it is sent.
    pub payload: Vec<u8>,
    /// Certificate for which the answer is sealed: the certificate in the row, or another certificate of the key that signed the letter.
    /// `None` if the key was revoked.
    pub certificate: Option<Recipient>,
    /// Cipher of the letter, if its agency may still use it; otherwise AES-256-GCM.
    pub cipher: ContentCipher,
    /// The agency's registered address, or the former address for a notice about a changed address. Answers are sent to no other address.
    pub email: String,
    /// Installation and sequence number of the letter; `None` for a notice.
    pub of_letter: Option<(String, i64)>,
    /// Data of the notice; `None` for an answer.
    pub notice: Option<LeasedNotice>,
    /// Number of attempts to send the answer, including this one.
    pub attempts: i32,
    /// Process that leased the answer.
    pub process: Uuid,
    /// Whether the office may already have the answer: an earlier attempt was made (even if an operator has made the answer due again), or
    /// the letter arrived again after it was answered.
    pub is_sent_again: bool,
}

/// A registered certificate for which an answer is sealed.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// Key in `xm.certificates`.
    pub certificate_id: i32,
    /// DER of the certificate.
    pub der: Vec<u8>,
}

impl LeasedAnswer {
    /// Returns the answer's name, which is part of its Message-ID and of its file name. For a notice, it is the notice's id. For an answer,
    /// it is the letter's id, followed by attempt and part unless the answer is the first receipt. The name is the same each time the
    /// answer is sent, and no other answer of the agency has it.
    pub fn name(&self) -> String {
        if let Some(notice) = &self.notice {
            return notice.id.simple().to_string();
        }
        match (self.letter_id, self.attempt, self.part) {
            (None, _, _) => self.id.to_string(),
            (Some(letter_id), 1, 0) => letter_id.simple().to_string(),
            (Some(letter_id), attempt, part) => format!("{}-{attempt}-{part}", letter_id.simple()),
        }
    }
}

/// The data of a leased notice that an answer does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedNotice {
    /// Id of the notice.
    pub id: Uuid,
    /// Name of the installation that gets the notice.
    pub installation: String,
    /// Number of the notice, counted for each installation.
    pub number: i64,
    /// Form in which the payload of the notice is packed.
    pub form: PayloadForm,
}

/// Returns a cipher as `xm.letters` stores it: `None` for AES-256-GCM, which most letters use.
pub(crate) fn kept_cipher(cipher: ContentCipher) -> Option<&'static str> {
    (cipher != ContentCipher::Aes256Gcm).then_some(cipher.as_str())
}

pub(super) fn read_cipher(kept: Option<&str>) -> ContentCipher {
    if kept == Some(ContentCipher::Aes256Cbc.as_str()) { ContentCipher::Aes256Cbc } else { ContentCipher::Aes256Gcm }
}
