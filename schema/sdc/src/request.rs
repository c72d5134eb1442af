//! What a letter asks for: a service, and the body that goes with it. Each kind of body is a type in a file of its own.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::limits::PayloadLimits;
use crate::refusal::Refusal;
use crate::service::Service;

mod account;
mod certify;
mod correct;
mod enrol;
mod export;
mod import;
mod message;
mod profile;
mod recharge;
mod renew;

pub use account::Period;
pub use certify::{CERTIFIED_KEYS_MAX, Certified};
pub use correct::{Correction, CorrectionAction, Corrections, RecordName};
pub use enrol::{ENROLMENT_ALPHABET, ENROLMENT_CHARS, Enrol, EnrolmentCode};
pub use export::{Records, TableRecords};
pub use import::{AGAIN_PARTS_MAX, Again, Import, Position, SELECT_OCTETS_MAX, Selection};
pub use message::{MESSAGE_CHARS_MAX, Message, message_text};
pub use profile::{PROFILE_CHARS_MAX, ProfileChange, ProfileRequest};
pub use recharge::{Recharge, VOUCHER_DIGITS, VoucherCode};
pub use renew::Renew;

/// The service that a letter asks for, with its body. The JSON of this type is the body alone; in a letter, the service's name is a member
/// beside the body.
#[derive(Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Request {
    /// New records of one or several tables of one application; all of them are written, or none.
    Export(Records),
    /// Corrections, which replace or cancel records already sent; all of them take effect, or none.
    Correct(Corrections),
    /// A request to read records of the central tables.
    Import(Import),
    /// Legal keys as printed on paper; the answer has a result for each key.
    Certify(Certified),
    /// The statement of the account.
    Account(Period),
    /// A request to read or change the agency's own data.
    Profile(ProfileRequest),
    /// A voucher's code, to be credited to the account.
    Recharge(Recharge),
    /// A text for the operators of the centre.
    Message(Message),
    /// A new certificate for an office whose former certificate is about to end.
    Renew(Renew),
    /// The first contact of an installation. If the letter's key is already registered, the request asks for the certificate of that key.
    Enrol(Enrol),
}

impl Request {
    /// The services that this release offers: all services whose bodies it can read.
    pub const OFFERED: [Service; 10] = Service::ALL;

    /// Returns the service that the request asks for.
    pub fn service(&self) -> Service {
        match self {
            Request::Export(_) => Service::Export,
            Request::Correct(_) => Service::Correct,
            Request::Import(_) => Service::Import,
            Request::Certify(_) => Service::Certify,
            Request::Account(_) => Service::Account,
            Request::Profile(_) => Service::Profile,
            Request::Recharge(_) => Service::Recharge,
            Request::Message(_) => Service::Message,
            Request::Renew(_) => Service::Renew,
            Request::Enrol(_) => Service::Enrol,
        }
    }

    /// Returns how many rows of records the request contains.
    pub fn rows(&self) -> usize {
        match self {
            Request::Export(records) => records.tables.iter().map(TableRecords::row_count).sum(),
            Request::Correct(corrections) => corrections.corrections.len(),
            Request::Import(_)
            | Request::Certify(_)
            | Request::Account(_)
            | Request::Profile(_)
            | Request::Recharge(_)
            | Request::Message(_)
            | Request::Renew(_)
            | Request::Enrol(_) => 0,
        }
    }

    /// Reads the body of a service. `body` is called only if the service is offered.
    ///
    /// # Errors
    /// `service_unknown`, or the refusal of the body.
    pub(crate) fn read(
        service: Service,
        body: impl FnOnce() -> Result<Value, Refusal>,
        limits: &PayloadLimits,
    ) -> Result<Request, Refusal> {
        match service {
            Service::Export => Ok(Request::Export(export::read(body()?, limits)?)),
            Service::Correct => Ok(Request::Correct(correct::read(body()?, limits)?)),
            Service::Import => Ok(Request::Import(import::read(body()?)?)),
            Service::Certify => Ok(Request::Certify(certify::read(body()?, limits)?)),
            Service::Account => Ok(Request::Account(account::read(body()?)?)),
            Service::Profile => Ok(Request::Profile(profile::read(body()?)?)),
            Service::Recharge => Ok(Request::Recharge(recharge::read(body()?)?)),
            Service::Message => Ok(Request::Message(message::read(body()?)?)),
            Service::Renew => Ok(Request::Renew(renew::read(body()?)?)),
            Service::Enrol => Ok(Request::Enrol(enrol::read(body()?)?)),
        }
    }
}

// `Debug` shows no content: names of people do not belong in a log.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Export(records) => f.debug_tuple("Export").field(records).finish(),
            Request::Correct(corrections) => corrections.fmt(f),
            Request::Import(import) => f.debug_tuple("Import").field(import).finish(),
            Request::Certify(certified) => f.debug_tuple("Certify").field(certified).finish(),
            Request::Account(period) => f.debug_tuple("Account").field(period).finish(),
            Request::Profile(profile) => f.debug_tuple("Profile").field(profile).finish(),
            Request::Recharge(recharge) => f.debug_tuple("Recharge").field(recharge).finish(),
            Request::Message(message) => f.debug_tuple("Message").field(message).finish(),
            Request::Renew(renew) => f.debug_tuple("Renew").field(renew).finish(),
            Request::Enrol(enrol) => f.debug_tuple("Enrol").field(enrol).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::RefusalCode;

    #[test]
    fn what_is_offered_is_what_is_read() {
        for service in Service::ALL {
            let read = Request::read(service, || Ok(Value::Null), &PayloadLimits::default());
            let code = read.expect_err("a body is never null").code;
            assert_eq!(code != RefusalCode::ServiceUnknown, Request::OFFERED.contains(&service), "{service}");
        }
    }
}
