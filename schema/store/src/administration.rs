//! What operators change and look at: agencies, certificates, tables, tariffs, users; journal, answers and quarantine.
//!
//! Every change is one transaction that also writes its line of the audit log, under the operator's name. A change
//! takes effect with the next letter on every replica: triggers raise the revisions that settling compares.

pub mod agencies;
pub mod answers;
pub mod audit;
pub mod centre_addresses;
pub mod centre_keys;
pub mod certificates;
pub mod installations;
pub mod journal;
pub mod letters;
pub mod quarantine;
pub mod scopes;
pub mod server;
pub mod tables;
pub mod tariffs;
#[cfg(test)]
mod tests;
pub mod users;

use chrono::{DateTime, Utc};
use sdc::letter::Matricule;

use crate::fault::Fault;

/// Why something was not administered.
#[derive(Debug, thiserror::Error)]
pub enum AdministrationError {
    /// No such agency.
    #[error("agency {0} does not exist: `xmserver agency list` shows those that do")]
    AgencyUnknown(Matricule),
    /// The matricule is taken.
    #[error("agency {0} exists already")]
    AgencyExists(Matricule),
    /// Every matricule is taken.
    #[error("all matricules up to 999999 are taken")]
    MatriculesExhausted,
    /// No such profile.
    #[error("profile {0} does not exist")]
    ProfileUnknown(String),
    /// The name is taken.
    #[error("installation {name} of agency {agency} exists already")]
    InstallationExists {
        /// The agency.
        agency: Matricule,
        /// The name.
        name: String,
    },
    /// The key is another agency's.
    #[error(
        "the key of this certificate belongs to agency {owner}, for ever: agency {agency} must make a key of its own"
    )]
    KeyOfAnotherAgency {
        /// Whose it is.
        owner: Matricule,
        /// Who brought it.
        agency: Matricule,
    },
    /// Another key goes by this name.
    #[error("another key of agency {owner} is registered under the same {name}: make a certificate with another one")]
    KeyNameTaken {
        /// `subject key identifier` or `issuer and serial number`.
        name: &'static str,
        /// Whose it is.
        owner: Matricule,
    },
    /// The key is the centre's own.
    #[error("the key of this certificate is one of the centre's own ({state}): an agency makes a key of its own")]
    KeyOfCentre {
        /// `next`, `current` or `retired`.
        state: String,
    },
    /// The key was revoked before, under this certificate or another.
    #[error("{}", self.words(in_utc))]
    KeyRevoked {
        /// When.
        at: DateTime<Utc>,
    },
    /// The certificate is registered.
    #[error("this certificate is registered already")]
    CertificateExists,
    /// The operator named another fingerprint. The right one is not told: who has only the file must not be able to confirm it.
    #[error(
        "the certificate's fingerprint is not the one that was confirmed: ask agency {agency} again over the agreed channel"
    )]
    FingerprintMismatch {
        /// Who is to be asked.
        agency: Matricule,
    },
    /// An operator must say that the certificate is meant.
    #[error("{}", self.words(in_utc))]
    CertificateConcerns(Vec<certificates::Concern>),
    /// No such certificate.
    #[error(
        "no certificate goes by {0}: give its fingerprint, the beginning of it or its number, as `xmserver cert list` shows them"
    )]
    CertificateUnknown(String),
    /// Several such certificates.
    #[error("{}", ambiguous(.0))]
    CertificateAmbiguous(String),
    /// It is revoked.
    #[error("{}", self.words(in_utc))]
    CertificateRevoked {
        /// SHA-256 of the certificate, hexadecimal.
        fingerprint: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// No such table.
    #[error("table {0} is not adopted: `xmserver table list` shows those that are")]
    TableUnknown(String),
    /// A definition file is wrong.
    #[error("the definition file is not valid: {0}")]
    DefinitionFile(#[from] tables::Mistake),
    /// A table that is to be given up is there.
    #[error(
        "table {table} is not given up: {relation} is in the database; to take no more records of it, set may_export = false in its file and adopt again"
    )]
    TableThere {
        /// Application and name.
        table: String,
        /// Schema and relation.
        relation: String,
    },
    /// No adopted table has this scope column.
    #[error(
        "no adopted table has the scope column {column}: {}",
        if .known.is_empty() { "no table with a scope is adopted yet".to_owned() } else { format!("expected one of {}", .known.join(", ")) }
    )]
    ScopeColumnUnknown {
        /// As it was named.
        column: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A table cannot be adopted; every reason at once.
    #[error("table {table} cannot be adopted:{}", .problems.iter().map(|problem| format!("\n  - {problem}")).collect::<String>())]
    TableUnfit {
        /// The table.
        table: String,
        /// The reasons.
        problems: Vec<String>,
    },
    /// A later tariff stands.
    #[error("{}", self.words(in_utc))]
    TariffLater {
        /// Its beginning.
        from: DateTime<Utc>,
    },
    /// No such tariff.
    #[error("tariff {0} does not exist: `xmserver tariff list --with-ended` shows them")]
    TariffUnknown(i32),
    /// It has begun.
    #[error("{}", self.words(in_utc))]
    TariffBegun {
        /// Its number.
        id: i32,
        /// Its beginning.
        from: DateTime<Utc>,
    },
    /// No such letter.
    #[error("no letter is known by {0}: expected its id, its digest, or a line's number in the journal")]
    LetterUnknown(String),
    /// No such line.
    #[error("{what} {id} does not exist")]
    LineUnknown {
        /// `journal line` or `quarantine entry`.
        what: &'static str,
        /// Its number.
        id: i64,
    },
    /// Somebody decided already.
    #[error("quarantine entry {id} is {state} already")]
    QuarantineDecided {
        /// Its number.
        id: i64,
        /// `dropped` or `retried`.
        state: String,
    },
    /// Not all of its bytes are kept.
    #[error("quarantine entry {id} cannot be tried again: only its first bytes are kept; have it sent again")]
    QuarantineIncomplete {
        /// Its number.
        id: i64,
    },
    /// A user of this name exists.
    #[error("user {0} exists already")]
    UserExists(String),
    /// `init` ran before.
    #[error(
        "this database belongs to server {name}, mode {mode}, currency {currency}, zone {zone}, none of which can be changed: \
         choose another database, or give these"
    )]
    ServerExists {
        /// The server's name.
        name: String,
        /// Its mode.
        mode: String,
        /// Its currency.
        currency: String,
        /// Its zone.
        zone: String,
    },
    /// The keys at hand are another centre's, or there are none.
    #[error("this database belongs to a centre {}: copy its keys/ folder here{}",
        .centre.as_ref().map_or("whose keys were made before".to_owned(), |key| format!("whose key is {key}")),
        .at_hand.as_ref().map_or(String::new(), |key| format!(" (the key {key} found here is another's and opens none of its letters)")))]
    KeysForeign {
        /// SHA-256 of the certificate of the key that signs the centre's answers, in pairs; unknown in a database from
        /// before the record.
        centre: Option<String>,
        /// That of a key found instead.
        at_hand: Option<String>,
    },
    /// A key of the centre's own is not at hand: letters sealed for it could not be opened.
    #[error("the centre's key {fingerprint} ({state}) is missing here: copy the keys/ folder of a program that has it")]
    KeyMissing {
        /// SHA-256 of its certificate, in pairs.
        fingerprint: String,
        /// `next`, `current` or `retired`.
        state: String,
    },
    /// The address is one of the centre's own.
    #[error("{0} is an address of the centre itself: answers sent there would come back as letters")]
    AddressOfCentre(String),
    /// `init` did not run.
    #[error("this database has no server yet: run `xmserver init`")]
    ServerMissing,
    /// What was given is no valid value.
    #[error("{what} is not valid: expected {expected}")]
    Invalid {
        /// Which value.
        what: &'static str,
        /// What it must be.
        expected: String,
    },
    /// The audit log could not be believed.
    #[error("the audit log is broken at line {0}: somebody changed it outside the program")]
    AuditBroken(i64),
    /// A fault of the database.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What kind of failure an error is: what a program does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was named does not exist.
    NotFound,
    /// The database is away or busy: the same may succeed later.
    Away,
    /// The state of things or a value forbids it.
    Refused,
}

impl From<diesel::result::Error> for AdministrationError {
    fn from(error: diesel::result::Error) -> AdministrationError {
        AdministrationError::Fault(error.into())
    }
}

impl AdministrationError {
    fn invalid(what: &'static str, expected: impl Into<String>) -> AdministrationError {
        AdministrationError::Invalid { what, expected: expected.into() }
    }

    /// Reads a broken constraint as what it means to the operator; `meanings` pairs constraints with errors.
    fn explain(error: diesel::result::Error, meanings: Vec<(&str, AdministrationError)>) -> AdministrationError {
        let fault = Fault::from(error);
        meanings
            .into_iter()
            .find(|(constraint, _)| fault.is_constraint(constraint))
            .map_or(AdministrationError::Fault(fault), |(_, meaning)| meaning)
    }

    /// Returns the error's code: stable, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            AdministrationError::AgencyUnknown(_) => "agency_unknown",
            AdministrationError::AgencyExists(_) => "agency_exists",
            AdministrationError::MatriculesExhausted => "matricules_exhausted",
            AdministrationError::ProfileUnknown(_) => "profile_unknown",
            AdministrationError::InstallationExists { .. } => "installation_exists",
            AdministrationError::KeyOfAnotherAgency { .. } => "key_of_another_agency",
            AdministrationError::KeyNameTaken { .. } => "key_name_taken",
            AdministrationError::KeyOfCentre { .. } => "key_of_centre",
            AdministrationError::KeyRevoked { .. } => "key_revoked",
            AdministrationError::KeysForeign { .. } => "keys_foreign",
            AdministrationError::KeyMissing { .. } => "key_missing",
            AdministrationError::AddressOfCentre(_) => "address_of_centre",
            AdministrationError::CertificateExists => "certificate_exists",
            AdministrationError::CertificateConcerns(_) => "certificate_concerns",
            AdministrationError::CertificateAmbiguous(_) => "certificate_ambiguous",
            AdministrationError::FingerprintMismatch { .. } => "fingerprint_mismatch",
            AdministrationError::CertificateUnknown(_) => "certificate_unknown",
            AdministrationError::CertificateRevoked { .. } => "certificate_revoked",
            AdministrationError::TableUnknown(_) => "table_unknown",
            AdministrationError::TableUnfit { .. } => "table_unfit",
            AdministrationError::TableThere { .. } => "table_there",
            AdministrationError::DefinitionFile(_) => "definition_file_invalid",
            AdministrationError::ScopeColumnUnknown { .. } => "scope_column_unknown",
            AdministrationError::TariffUnknown(_) => "tariff_unknown",
            AdministrationError::TariffLater { .. } => "tariff_later",
            AdministrationError::TariffBegun { .. } => "tariff_begun",
            AdministrationError::LineUnknown { .. } => "line_unknown",
            AdministrationError::LetterUnknown(_) => "letter_unknown",
            AdministrationError::QuarantineDecided { .. } => "quarantine_decided",
            AdministrationError::QuarantineIncomplete { .. } => "quarantine_incomplete",
            AdministrationError::UserExists(_) => "user_exists",
            AdministrationError::ServerExists { .. } => "server_exists",
            AdministrationError::ServerMissing => "server_missing",
            AdministrationError::Invalid { .. } => "value_invalid",
            AdministrationError::AuditBroken(_) => "audit_broken",
            AdministrationError::Fault(fault) if fault.is_passing() => "database_away",
            AdministrationError::Fault(_) => "database_refused",
        }
    }

    /// Returns the error's kind.
    pub fn kind(&self) -> ErrorKind {
        match self {
            AdministrationError::AgencyUnknown(_)
            | AdministrationError::ProfileUnknown(_)
            | AdministrationError::CertificateUnknown(_)
            | AdministrationError::TableUnknown(_)
            | AdministrationError::TariffUnknown(_)
            | AdministrationError::LineUnknown { .. }
            | AdministrationError::LetterUnknown(_)
            | AdministrationError::ServerMissing => ErrorKind::NotFound,
            AdministrationError::Fault(fault) if fault.is_passing() => ErrorKind::Away,
            _ => ErrorKind::Refused,
        }
    }

    /// Words the error with its times as `shown` writes them. `Display` writes them in UTC.
    pub fn words(&self, shown: impl Fn(DateTime<Utc>) -> String) -> String {
        match self {
            AdministrationError::KeyRevoked { at } => format!(
                "the key of this certificate was revoked on {}, for good: the agency makes a new key",
                shown(*at)
            ),
            AdministrationError::CertificateConcerns(concerns) => {
                let lines: String = concerns.iter().map(|concern| format!("\n  - {}", concern.words(&shown))).collect();
                format!("the certificate needs a second look:{lines}")
            }
            AdministrationError::CertificateRevoked { fingerprint, at } => {
                format!("certificate {fingerprint} was revoked on {}", shown(*at))
            }
            AdministrationError::TariffLater { from } => {
                format!("a tariff for the same is valid from {}: begin the new one later than that", shown(*from))
            }
            AdministrationError::TariffBegun { id, from } => format!(
                "tariff {id} is valid since {}: a price that was valid stays on record; set one that follows it",
                shown(*from)
            ),
            other => other.to_string(),
        }
    }

    /// Says whether the database is away, so that trying again later helps.
    pub fn is_away(&self) -> bool {
        matches!(self, AdministrationError::Fault(fault) if fault.is_away())
    }
}

/// Words that a name is that of several certificates, and how to name one of them.
fn ambiguous(name: &str) -> String {
    if certificates::is_number(name) {
        format!(
            "{name} is the number of one certificate and the beginning of another's fingerprint: write \"#{name}\", in quotes, \
             for the number, or more of the fingerprint, with its colons"
        )
    } else {
        format!("several certificates have fingerprints that begin with {name}: give more of it")
    }
}

/// Writes a time where the centre's zone is not at hand.
fn in_utc(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Reads a matricule out of a column, where a CHECK keeps it in range.
fn matricule(number: i32) -> Result<Matricule, Fault> {
    u32::try_from(number)
        .ok()
        .and_then(|number| Matricule::try_from(number).ok())
        .ok_or_else(|| Fault::Bug(format!("{number} is no matricule, yet stands in the database")))
}
