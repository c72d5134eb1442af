//! Signs answers with the centre's key and encrypts them for their offices.

use std::borrow::Cow;
use std::sync::Arc;

use sdc::cms::{self, ContentCipher};
use sdc::document::Document;
use sdc::keys::SigningKey;
use sdc::payload;
use store::certificates::signers::Signers;
use store::letters::outbox::{LeasedAnswer, Recipient};

/// Reason that is recorded when an answer is given up because it cannot be sealed.
pub const NO_CERTIFICATE: &str = "no valid certificate to seal the answer for";

/// Seals answers. Cheap to clone.
#[derive(Clone)]
pub struct Sealer {
    /// Key that signs the answers.
    pub key: Arc<SigningKey>,
    /// Certificates of the offices, for which the answers are encrypted. They were cached when letters of these offices were verified.
    pub signers: Arc<Signers>,
}

/// An answer, sealed for its office.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The answer's row of the outbox, which this process has leased.
    pub answer: LeasedAnswer,
    /// Octets of the sealed document.
    pub document: Vec<u8>,
}

impl Sealer {
    /// Signs and encrypts octets. Returns `None` where the recipient's certificate cannot be used. A P-256 sealing takes as long as a whole
    /// small transaction, so the call belongs on a thread for blocking work.
    pub fn seal(&self, octets: &[u8], recipient: &Recipient, cipher: ContentCipher) -> Option<Vec<u8>> {
        let certificate = self.signers.certificate(recipient.certificate_id, &recipient.der).ok()?;
        let der = cms::seal(octets, &self.key, &certificate, cipher).ok()?;
        Some(Document::render(&der, None))
    }

    /// Seals leased answers on a thread for blocking work. Returns the sealed answers, and those that have no valid certificate.
    pub async fn seal_all(&self, answers: Vec<LeasedAnswer>) -> (Vec<Sealed>, Vec<LeasedAnswer>) {
        let sealer = self.clone();
        let sealing = tokio::task::spawn_blocking(move || {
            let mut sealed = Vec::with_capacity(answers.len());
            let mut unsealable = Vec::new();
            for answer in answers {
                let recipient = answer.certificate.as_ref();
                match recipient.and_then(|to| sealer.seal(&packed(&answer), to, answer.cipher)) {
                    Some(document) => sealed.push(Sealed { answer, document }),
                    None => unsealable.push(answer),
                }
            }
            (sealed, unsealable)
        });
        match sealing.await {
            Ok(done) => done,
            Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
            Err(_cancelled) => (Vec::new(), Vec::new()),
        }
    }
}

/// Returns the octets to sign. The payload of an answer was packed when its receipt was written. A notice is packed now, in the form that
/// its office reads (JSON, or a zstd frame).
fn packed(answer: &LeasedAnswer) -> Cow<'_, [u8]> {
    match &answer.notice {
        Some(notice) => Cow::Owned(payload::pack_as(answer.payload.clone(), notice.form)),
        None => Cow::Borrowed(&answer.payload),
    }
}
