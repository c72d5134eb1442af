//! The services that an office may ask for: a closed list, and one table with the facts of each service.
//!
//! All code that depends on these facts uses this table, so that no two places can say different things about a service. A release offers
//! the services whose requests it can read: [`crate::request::Request::OFFERED`]. A notice is no service, since no letter asks for it.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// New records for the central tables.
    Export,
    /// Corrections, which replace or cancel records already sent.
    Correct,
    /// Records of the central tables, for an office to read.
    Import,
    /// The check of legal keys that are printed on paper; the centre answers each key.
    Certify,
    /// The statement of the account.
    Account,
    /// The agency's name, town, telephone and e-mail, which an office reads or changes.
    Profile,
    /// The credit of a voucher, whose code the letter contains.
    Recharge,
    /// A text for the operators.
    Message,
    /// A new certificate for an office whose former certificate is about to end.
    Renew,
    /// The first contact of an installation.
    Enrol,
}

/// Rule for a letter whose price exceeds the agency's credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credit {
    /// The letter is accepted, and the balance shows the debt.
    Owe,
    /// The letter is refused and nothing is charged.
    Refuse,
}

/// What an answer contains beside its receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// The answer is the receipt alone.
    Receipt,
    /// Records, in separate parts.
    Rows,
    /// One result for each legal key that the letter contains.
    Results,
    /// The statement of the account, with its entries.
    Statement,
    /// The agency's own data.
    Profile,
    /// The certificate that is newly registered for the office's key.
    Certificate,
}

/// The facts of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Name of the service in letters, tariffs, journal and metrics.
    pub name: &'static str,
    /// Lowest status of an agency that may ask for the service, 1 to 3. It is 0 for an enrolment, which is verified by a code instead of a
    /// registered certificate.
    pub status_needed: i16,
    /// Number of days during which an agency whose certificate has ended may still ask for the service; not where the certificate is
    /// revoked.
    pub grace_days: u16,
    /// Rule for a letter whose price exceeds the credit, unless a tariff sets another rule; `None` where the service is free.
    pub priced: Option<Credit>,
    /// What an answer of the service contains beside its receipt.
    pub answer: AnswerKind,
}

/// The error of a text that is the name of no service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no service has this name: {}", Service::ALL.map(Service::name).join(", "))]
pub struct UnknownService;

/// The error of a word that is no rule of credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a rule of credit is owe or refuse")]
pub struct UnknownCredit;

impl Facts {
    /// Says whether letters of the service ask for records. A separate database login reads these records before the letter is settled.
    pub const fn needs_reader(&self) -> bool {
        matches!(self.answer, AnswerKind::Rows | AnswerKind::Results)
    }
}

impl Service {
    /// Every service.
    pub const ALL: [Service; 10] = [
        Service::Export,
        Service::Correct,
        Service::Import,
        Service::Certify,
        Service::Account,
        Service::Profile,
        Service::Recharge,
        Service::Message,
        Service::Renew,
        Service::Enrol,
    ];

    /// Returns the facts of the service.
    pub const fn facts(self) -> Facts {
        use AnswerKind as Answer;
        use Credit::{Owe, Refuse};
        // Exports and corrections are accepted without credit, so that no birth and no result of a polling station is refused for lack of
        // money. Order of the arguments: name, status needed, days of grace, rule without credit, answer.
        match self {
            Service::Export => facts("export", 3, 0, Some(Owe), Answer::Receipt),
            Service::Correct => facts("correct", 3, 0, Some(Owe), Answer::Receipt),
            Service::Import => facts("import", 3, 0, Some(Refuse), Answer::Rows),
            Service::Certify => facts("certify", 2, 0, Some(Refuse), Answer::Results),
            Service::Account => facts("account", 1, 0, None, Answer::Statement),
            Service::Profile => facts("profile", 1, 0, None, Answer::Profile),
            Service::Recharge => facts("recharge", 1, 0, None, Answer::Receipt),
            Service::Message => facts("message", 1, 0, None, Answer::Receipt),
            Service::Renew => facts("renew", 1, 90, None, Answer::Certificate),
            Service::Enrol => facts("enrol", 0, 0, None, Answer::Certificate),
        }
    }

    /// Returns the name of the service in letters, tariffs, journal and metrics.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// Returns the services that may have a price; all other services are free.
    pub fn priced() -> impl Iterator<Item = Service> {
        Service::ALL.into_iter().filter(|service| service.facts().priced.is_some())
    }
}

const fn facts(
    name: &'static str,
    status_needed: i16,
    grace_days: u16,
    priced: Option<Credit>,
    answer: AnswerKind,
) -> Facts {
    Facts { name, status_needed, grace_days, priced, answer }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Service {
    type Err = UnknownService;

    fn from_str(name: &str) -> Result<Service, UnknownService> {
        Service::ALL.into_iter().find(|service| service.name() == name).ok_or(UnknownService)
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Credit {
    /// Returns `owe` or `refuse`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Credit::Owe => "owe",
            Credit::Refuse => "refuse",
        }
    }
}

impl fmt::Display for Credit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Credit {
    type Err = UnknownCredit;

    fn from_str(word: &str) -> Result<Credit, UnknownCredit> {
        [Credit::Owe, Credit::Refuse].into_iter().find(|credit| credit.as_str() == word).ok_or(UnknownCredit)
    }
}

impl Serialize for Credit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are copied from the specification, not from the code.
    #[test]
    fn the_table_says_of_each_service_what_was_specified() {
        let told = Service::ALL.map(|service| {
            let Facts { name, status_needed, grace_days, priced, answer } = service.facts();
            format!("{name} {status_needed} {grace_days} {} {answer:?}", priced.map_or("free", Credit::as_str))
        });
        assert_eq!(
            told,
            [
                "export 3 0 owe Receipt",
                "correct 3 0 owe Receipt",
                "import 3 0 refuse Rows",
                "certify 2 0 refuse Results",
                "account 1 0 free Statement",
                "profile 1 0 free Profile",
                "recharge 1 0 free Receipt",
                "message 1 0 free Receipt",
                "renew 1 90 free Certificate",
                "enrol 0 0 free Certificate",
            ]
        );
    }

    #[test]
    fn a_service_and_a_rule_of_credit_are_found_by_their_names_alone() {
        for service in Service::ALL {
            assert_eq!(service.name().parse(), Ok(service));
        }
        for name in ["", "Export", "export ", "notice", "exports"] {
            assert_eq!(name.parse::<Service>(), Err(UnknownService), "{name:?}");
        }
        assert_eq!(("owe".parse(), "refuse".parse()), (Ok(Credit::Owe), Ok(Credit::Refuse)));
        assert_eq!("Owe".parse::<Credit>(), Err(UnknownCredit));
        assert!(
            UnknownService
                .to_string()
                .ends_with("export, correct, import, certify, account, profile, recharge, message, renew, enrol")
        );
    }
}
