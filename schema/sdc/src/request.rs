//! What a letter asks: its service, and the body that goes with it. Each body is a type in a file of its own.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::limits::PayloadLimits;
use crate::refusal::{Refusal, RefusalCode};
use crate::service::Service;

mod account;
mod certify;
mod export;
mod import;

pub use account::Period;
pub use certify::{CERTIFIED_KEYS_MAX, Certified};
pub use export::{Records, TableRecords};
pub use import::{AGAIN_PARTS_MAX, Again, Import, Position, SELECT_OCTETS_MAX, Selection};

/// The service asked for, with its body. As JSON it is the body alone; the service stands beside it in the letter.
#[derive(Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Request {
    /// New records of one or several tables of one application, all or nothing.
    Export(Records),
    /// Records of the central tables, read back.
    Import(Import),
    /// Legal keys as printed on paper, each to be answered.
    Certify(Certified),
    /// The statement of the account.
    Account(Period),
}

impl Request {
    /// The services that this release offers: those whose bodies it reads.
    pub const OFFERED: [Service; 4] = [Service::Export, Service::Import, Service::Certify, Service::Account];

    /// Returns the service.
    pub fn service(&self) -> Service {
        match self {
            Request::Export(_) => Service::Export,
            Request::Import(_) => Service::Import,
            Request::Certify(_) => Service::Certify,
            Request::Account(_) => Service::Account,
        }
    }

    /// Returns how many rows of records it brings.
    pub fn rows(&self) -> usize {
        match self {
            Request::Export(records) => records.tables.iter().map(TableRecords::row_count).sum(),
            Request::Import(_) | Request::Certify(_) | Request::Account(_) => 0,
        }
    }

    /// Reads the body of a service. It is not looked at where the service is not offered.
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
            Service::Import => Ok(Request::Import(import::read(body()?)?)),
            Service::Certify => Ok(Request::Certify(certify::read(body()?, limits)?)),
            Service::Account => Ok(Request::Account(account::read(body()?)?)),
            Service::Correct
            | Service::Profile
            | Service::Recharge
            | Service::Message
            | Service::Renew
            | Service::Enrol => Err(Refusal::new(RefusalCode::ServiceUnknown).with("service", service)),
        }
    }
}

// Payload types print redacted: names of people do not belong in a log.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Export(records) => f.debug_tuple("Export").field(records).finish(),
            Request::Import(import) => f.debug_tuple("Import").field(import).finish(),
            Request::Certify(certified) => f.debug_tuple("Certify").field(certified).finish(),
            Request::Account(period) => f.debug_tuple("Account").field(period).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_offered_is_what_is_read() {
        for service in Service::ALL {
            let read = Request::read(service, || Ok(Value::Null), &PayloadLimits::default());
            let code = read.expect_err("a body is never null").code;
            assert_eq!(code != RefusalCode::ServiceUnknown, Request::OFFERED.contains(&service), "{service}");
        }
    }
}
