//! What is leased to a process to be sent: an answer, or what the centre writes first.

use sdc::cms::ContentCipher;
use sdc::payload::PayloadForm;
use uuid::Uuid;

/// An answer that is leased to a process.
#[derive(Clone, Debug)]
pub struct LeasedAnswer {
    /// Key in `xm.outbox`.
    pub id: i64,
    /// The addressee.
    pub agency: i32,
    /// The letter answered; absent for letters that the centre writes first.
    pub letter_id: Option<Uuid>,
    /// Which attempt at that letter is answered.
    pub attempt: i16,
    /// Which part of the answer it is, from 1; 0 for the receipt alone.
    pub part: i16,
    /// The signed content, the same at every sending; of a notice its JSON, which is packed as the notice says.
    pub payload: Vec<u8>,
    /// Whose key opens it: the certificate that the row names, or one of the key that signed the letter; absent once that key is
    /// revoked.
    pub certificate: Option<Recipient>,
    /// The letter's own cipher while its agency has leave for it.
    pub cipher: ContentCipher,
    /// The agency's registered address, or the one before where that is to learn of the change: no other is ever written to.
    pub email: String,
    /// The installation and the sequence number of the letter answered; absent for letters that the centre writes first.
    pub of_letter: Option<(String, i64)>,
    /// What the centre writes first; absent for answers.
    pub notice: Option<LeasedNotice>,
    /// How often it has been tried, this time included.
    pub attempts: i32,
    /// The process that it is leased to.
    pub process: Uuid,
    /// Whether its office may have it already: it was tried before, since whenever an operator had it begin anew, or its letter
    /// was answered once and came again.
    pub is_sent_again: bool,
}

/// A registered certificate.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// Key in `xm.certificates`.
    pub certificate_id: i32,
    /// Its DER.
    pub der: Vec<u8>,
}

impl LeasedAnswer {
    /// Returns its name in Message-ID and file name, without its agency: the letter's id, followed by the attempt and the part
    /// where that is not the first receipt; of a notice its own id. The same answer has it at every sending, and no other ever has.
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

/// A notice in hand, beside what is true of everything that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedNotice {
    /// The id of the letter.
    pub id: Uuid,
    /// To whom it is.
    pub installation: String,
    /// Its number among those to that installation.
    pub number: i64,
    /// The form that it leaves in.
    pub form: PayloadForm,
}

/// Returns a cipher as `xm.letters` keeps it: the usual one is left out.
pub(crate) fn kept_cipher(cipher: ContentCipher) -> Option<&'static str> {
    (cipher != ContentCipher::Aes256Gcm).then_some(cipher.as_str())
}

pub(super) fn read_cipher(kept: Option<&str>) -> ContentCipher {
    if kept == Some(ContentCipher::Aes256Cbc.as_str()) { ContentCipher::Aes256Cbc } else { ContentCipher::Aes256Gcm }
}
