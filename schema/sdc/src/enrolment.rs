//! The one letter that no registered certificate verifies: the first contact of an installation. It is a type of its own, which admits
//! nothing but an enrolment of a few kilobytes, and is there only once the key that the letter brings has signed it.

use std::fmt;

use crate::cms::{ContentCipher, Opened};
use crate::digest::Digest;
use crate::keys::RegisteredCertificate;
use crate::letter::Letter;
use crate::payload::{self, PayloadForm, PayloadLimits};
use crate::refusal::{Refusal, RefusalCode};
use crate::request::{Enrol, Request};

/// Most octets of an enrolment's payload, packed or not.
pub const ENROLMENT_BYTES_MAX: usize = 4 << 10;

/// A letter that asks to be enrolled, signed by the key of the certificate in it. Whether its sender may come is not known yet.
pub struct Enrolment {
    /// The letter: it asks for nothing else.
    pub letter: Letter,
    /// What it asks for.
    pub enrol: Enrol,
    /// The certificate, signed by its own key.
    pub certificate: RegisteredCertificate,
    /// SHA-256 of the signed octets.
    pub digest: Digest,
    /// How it was encrypted.
    pub cipher: ContentCipher,
    /// How it was packed.
    pub form: PayloadForm,
}

impl Enrolment {
    /// Reads what a key signed that nobody knows, as far as it is an enrolment.
    ///
    /// # Errors
    /// `unknown_signer` of whatever else it is, unread where it is larger than an enrolment may be; `enrolment_refused` of an enrolment
    /// whose certificate is none, is not signed by its own key, or is not of the key that signed the letter.
    pub fn read(opened: Opened) -> Result<Enrolment, Refusal> {
        let unknown = || Refusal::new(RefusalCode::UnknownSigner);
        let refused = || Refusal::new(RefusalCode::EnrolmentRefused);
        let (cipher, content) = (opened.cipher(), opened.content().ok_or_else(unknown)?);
        if content.len() > ENROLMENT_BYTES_MAX {
            return Err(unknown());
        }
        let limits = PayloadLimits {
            decompressed_bytes_max: ENROLMENT_BYTES_MAX,
            values_max: 16,
            objects_max: 4,
            ..PayloadLimits::default()
        };
        let (form, read) = (payload::form(content), payload::read_letter(content, &limits));
        let letter = read.map_err(|_whatever_else| unknown())?;
        let Request::Enrol(enrol) = &letter.request else { return Err(unknown()) };
        let enrol = enrol.clone();
        let certificate =
            RegisteredCertificate::self_signed(&enrol.certificate).map_err(|_no_certificate| refused())?;
        let verified = opened.verify(&certificate).map_err(|_not_signed| refused())?;
        Ok(Enrolment { letter, enrol, certificate, digest: verified.digest(), cipher, form })
    }
}

impl fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enrolment({} {})", self.letter.from.agency, self.digest)
    }
}

#[cfg(test)]
mod tests;
