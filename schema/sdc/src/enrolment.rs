//! The first letter of an installation, the only letter that is not verified with a registered certificate. An [`Enrolment`] has at most a
//! few kilobytes, and exists only after the key in the letter has verified the letter.

use std::fmt;

use crate::cms::{ContentCipher, Opened};
use crate::digest::Digest;
use crate::keys::RegisteredCertificate;
use crate::letter::Letter;
use crate::payload::{self, PayloadForm, PayloadLimits};
use crate::refusal::{Refusal, RefusalCode};
use crate::request::{Enrol, Request};

/// Maximum number of octets of an enrolment's payload, both before and after decompression.
pub const ENROLMENT_BYTES_MAX: usize = 4 << 10;

/// A letter that asks for enrolment, signed with the key of the certificate in it. Whether its code admits the installation has not been
/// checked yet.
pub struct Enrolment {
    /// The letter, whose request is an enrolment.
    pub letter: Letter,
    /// The request of the letter.
    pub enrol: Enrol,
    /// The certificate in the letter, signed with its own key.
    pub certificate: RegisteredCertificate,
    /// SHA-256 of the signed octets, 32 bytes.
    pub digest: Digest,
    /// The cipher that encrypted the letter.
    pub cipher: ContentCipher,
    /// The form in which the payload was packed.
    pub form: PayloadForm,
}

impl Enrolment {
    /// Reads an enrolment, which is signed with a key that is not registered.
    ///
    /// # Errors
    /// - `unknown_signer` where the letter is no enrolment, or is larger than an enrolment may be; a larger letter is not parsed.
    /// - `enrolment_refused` where the letter's certificate cannot be read, is not signed with its own key, or has another key than the
    ///   one that signed the letter.
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
