//! Errands about keys: an office renews its certificate, or a newcomer (an agency whose certificate the centre does not know yet) enrols.

use agency::identity::Identity;
use agency::office::PackError;
use sdc::refusal::RefusalCode;
use sdc::request::{Enrol, EnrolmentCode, Renew, Request};
use sdc::service::Service;
use uuid::Uuid;

use super::{Desk, Errand, Newcomer, On, ask};
use crate::memory::{Effect, Expected};

impl Desk {
    /// Asks the centre to register the certificate of a new key. Where the present certificate ends soon, the centre accepts; otherwise it
    /// refuses, because it is too early.
    pub(super) fn renew(&mut self) -> Result<Errand, PackError> {
        let name = format!("agency {}", self.office.matricule());
        let next = Identity::generate(&name, self.errands.algorithm)?;
        let is_due = std::mem::take(&mut self.errands.is_ending);
        let expected = if is_due {
            let key = next.certificate().spki_sha256();
            Expected::Accepted { effect: Effect::Certificate { key }, cost: 0 }
        } else {
            Expected::Refused(RefusalCode::RenewalEarly)
        };
        let certificate = next.certificate().der().to_vec();
        let errand = self.ask(Request::Renew(Renew { certificate }), expected)?;
        self.errands.wait(Service::Renew, errand.packed.letter_id, On::Receipt);
        if is_due {
            self.errands.next = Some(next);
        }
        Ok(errand)
    }

    /// Makes the office sign with the next key, once the letter that brought its certificate is accepted.
    pub(super) fn adopt(&mut self, letter: Uuid, is_accepted: bool) {
        let is_renewal = self.errands.last.get(&Service::Renew).is_some_and(|wait| wait.letter == letter);
        if is_renewal
            && is_accepted
            && let Some(next) = self.errands.next.take()
        {
            self.office.adopt(next);
        }
    }

    /// Lets the newcomer that this agency looks after enrol with its one-time code. If this agency's index is odd, the newcomer first sends
    /// a wrong code. An agency without a newcomer asks to enrol its own registered key, and the answer gives the agency's certificate.
    pub(super) fn enrol(&mut self) -> Result<Errand, PackError> {
        let is_odd = self.errands.at % 2 == 1;
        let errand = match &mut self.errands.newcomer {
            Some(newcomer) if is_odd && !newcomer.has_erred && !newcomer.has_come => newcomer.err()?,
            Some(newcomer) => newcomer.come()?,
            None => {
                let identity = self.office.identity().certificate();
                let (certificate, key) = (identity.der().to_vec(), identity.spki_sha256());
                let request = Request::Enrol(Enrol { code: EnrolmentCode::typed(NO_CODE), certificate });
                self.ask(request, Expected::Accepted { effect: Effect::Certificate { key }, cost: 0 })?
            }
        };
        if !matches!(errand.expected, Expected::Refused(_)) {
            self.errands.wait(Service::Enrol, errand.packed.letter_id, On::Receipt);
        }
        Ok(errand)
    }
}

/// A code that belongs to no agency.
const NO_CODE: &str = "0000-0000-0000-0000-0000-0000";

impl Newcomer {
    fn come(&mut self) -> Result<Errand, PackError> {
        self.has_come = true;
        let identity = self.office.identity().certificate();
        let (certificate, key) = (identity.der().to_vec(), identity.spki_sha256());
        let request = Request::Enrol(Enrol { code: self.code.clone(), certificate });
        let expected = Expected::Accepted { effect: Effect::Certificate { key }, cost: 0 };
        Ok(Errand { is_of_newcomer: true, ..ask(&mut self.office, request, expected)? })
    }

    /// Sends a request to enrol with a wrong code. The centre must not answer it.
    fn err(&mut self) -> Result<Errand, PackError> {
        self.has_erred = true;
        let certificate = self.office.identity().certificate().der().to_vec();
        let request = Request::Enrol(Enrol { code: EnrolmentCode::typed(NO_CODE), certificate });
        let expected = Expected::Refused(RefusalCode::EnrolmentRefused);
        Ok(Errand { letter: None, is_of_newcomer: true, ..ask(&mut self.office, request, expected)? })
    }
}
