//! Why something was not administered: a stable code with parameters. The words are made where they are read, in the reader's
//! language; what stands here is for programs, logs and tests.

mod book;
mod invalid;
mod parameters;

use std::fmt;

use chrono::{DateTime, Utc};
use sdc::letter::Matricule;
use serde_json::Value;

pub use book::Book;
pub use invalid::InvalidValue;

use crate::certificates::certificate::Concern;
use crate::database::fault::Fault;
use crate::people::act::Act;
use crate::people::privilege::{Operation, Privilege};
use crate::tables::adoption::mistake::Mistake;
use crate::tables::adoption::problem::Problem;
use crate::tables::loaded::LoadFault;

/// Why something was not administered.
#[derive(Debug)]
pub enum AdministrationError {
    /// No such agency.
    AgencyUnknown(Matricule),
    /// The matricule is taken.
    AgencyExists(Matricule),
    /// Every matricule is taken.
    MatriculesExhausted,
    /// No such plan.
    PlanUnknown(String),
    /// The name is taken.
    InstallationExists {
        /// The agency.
        agency: Matricule,
        /// The name.
        name: String,
    },
    /// The key is another agency's.
    KeyOfAnotherAgency {
        /// Whose it is.
        owner: Matricule,
        /// Who brought it.
        agency: Matricule,
    },
    /// Another key goes by this name.
    KeyNameTaken {
        /// What the name is.
        name: KeyName,
        /// Whose it is.
        owner: Matricule,
    },
    /// The key is the centre's own.
    KeyOfCentre {
        /// `next`, `current` or `retired`.
        state: String,
    },
    /// The key was revoked before, under this certificate or another.
    KeyRevoked {
        /// When.
        at: DateTime<Utc>,
    },
    /// The certificate is registered.
    CertificateExists,
    /// The operator named another fingerprint. The right one is not told: who has only the file must not be able to confirm it.
    FingerprintMismatch {
        /// Who is to be asked.
        agency: Matricule,
    },
    /// An operator must say that the certificate is meant.
    CertificateConcerns(Vec<Concern>),
    /// No such certificate.
    CertificateUnknown(String),
    /// Several such certificates.
    CertificateAmbiguous(String),
    /// It is revoked.
    CertificateRevoked {
        /// SHA-256 of the certificate, hexadecimal.
        fingerprint: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// No such table.
    TableUnknown(String),
    /// A definition file is wrong.
    DefinitionFile(Mistake),
    /// A table that is to be given up is there.
    TableThere {
        /// Application and name.
        table: String,
        /// Schema and relation.
        relation: String,
    },
    /// No adopted table has this scope column.
    ScopeColumnUnknown {
        /// As it was named.
        column: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A table cannot be adopted; every reason at once.
    TableUnfit {
        /// The table.
        table: String,
        /// The reasons.
        problems: Vec<Problem>,
    },
    /// A file has columns that its table does not have, or misses those that it needs.
    LoadColumns {
        /// Those that it does not have, or that stand twice.
        unknown: Vec<String>,
        /// Those that are missing.
        missing: Vec<String>,
    },
    /// A file has values that its table does not take.
    LoadValues {
        /// The first of them.
        faults: Vec<LoadFault>,
        /// How many there are.
        total: usize,
    },
    /// A file names records twice.
    LoadKeysTwice {
        /// The legal key.
        key: Vec<String>,
        /// How many records.
        count: i64,
    },
    /// A later tariff stands.
    TariffLater {
        /// Its beginning.
        from: DateTime<Utc>,
    },
    /// No such tariff.
    TariffUnknown(i32),
    /// It has begun.
    TariffBegun {
        /// Its number.
        id: i32,
        /// Its beginning.
        from: DateTime<Utc>,
    },
    /// No such batch of vouchers.
    VouchersUnknown(i32),
    /// The codes of a batch were written before.
    VouchersWritten(i32),
    /// No voucher of a batch, or none of that number, can still be redeemed.
    VouchersEnded {
        /// The batch.
        batch: i32,
    },
    /// The agency's recharging is not locked.
    RechargeNotLocked(Matricule),
    /// No such message, or none of that agency.
    MessageUnknown(i64),
    /// No installation of the agency has written yet, so that no way to it is known.
    AgencySilent(Matricule),
    /// Of the agencies that were named none has written yet.
    NobodyToTell,
    /// No such change of a profile.
    ProfileChangeUnknown(i64),
    /// It does not wait any more.
    ProfileChangeDecided {
        /// Its number.
        id: i64,
        /// What became of it.
        state: String,
    },
    /// No such letter.
    LetterUnknown(String),
    /// No such line.
    LineUnknown {
        /// Where it was looked for.
        book: Book,
        /// Its number.
        id: i64,
    },
    /// Somebody decided already about a letter that was held.
    HeldDecided {
        /// Its number.
        id: i64,
        /// `released` or `refused`.
        state: String,
    },
    /// Somebody has explained this flag already.
    FlagExplained {
        /// Its number.
        id: i64,
        /// Who.
        user: String,
    },
    /// Somebody decided already.
    QuarantineDecided {
        /// Its number.
        id: i64,
        /// `dropped` or `retried`.
        state: String,
    },
    /// Not all of its bytes are kept.
    QuarantineIncomplete {
        /// Its number.
        id: i64,
    },
    /// A user of this name exists.
    UserExists(String),
    /// No such user.
    UserUnknown(String),
    /// Nobody could ever make a user again.
    SuperviseurLast,
    /// The account is somebody's.
    AccountMapped {
        /// Its name.
        account: String,
    },
    /// No such account, or one that is nobody's.
    AccountUnknown(String),
    /// Who runs the command is no user.
    AccountUnmapped {
        /// The account's name.
        account: String,
        /// Its number.
        uid: u32,
    },
    /// No account is anybody's yet.
    NobodyMapped {
        /// The account's name.
        account: String,
        /// Who may take it.
        superviseurs: Vec<String>,
    },
    /// The operation requires more than the user may do.
    PrivilegeMissing {
        /// Who.
        user: String,
        /// What he may do.
        privilege: Privilege,
        /// What was tried.
        operation: Operation,
    },
    /// It needs a second person: this is what is to be asked.
    ApprovalNeeded(Box<Act>),
    /// No such approval.
    ApprovalUnknown(i64),
    /// Somebody decided already.
    ApprovalDecided {
        /// Its number.
        id: i64,
        /// What it became.
        state: String,
    },
    /// Nobody decided in time.
    ApprovalExpired {
        /// Its number.
        id: i64,
        /// When it ended.
        at: DateTime<Utc>,
    },
    /// The asker is no second person.
    ApprovalOwn(i64),
    /// What was seen when it was asked has changed.
    ApprovalChanged(i64),
    /// The asker may not do it any more.
    ApprovalAskerMayNot {
        /// Its number.
        id: i64,
        /// Who asked.
        user: String,
    },
    /// Neither of the two is of the election commission.
    ApprovalWithoutCommission(i64),
    /// `init` ran before.
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
    KeysForeign {
        /// SHA-256 of the certificate of the key that signs the centre's answers, in pairs; unknown in a database from
        /// before the record.
        centre: Option<String>,
        /// That of a key found instead.
        at_hand: Option<String>,
    },
    /// A key of the centre's own is not at hand: letters sealed for it could not be opened.
    KeyMissing {
        /// SHA-256 of its certificate, in pairs.
        fingerprint: String,
        /// `next`, `current` or `retired`.
        state: String,
    },
    /// The address is one of the centre's own.
    AddressOfCentre(String),
    /// `init` did not run.
    ServerMissing,
    /// What was given is no valid value.
    Invalid(InvalidValue),
    /// The audit log could not be believed.
    AuditBroken(i64),
    /// A fault of the database.
    Fault(Fault),
}

/// By what a signer names his key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyName {
    /// Subject key identifier.
    KeyId,
    /// Issuer and serial number.
    IssuerSerial,
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

impl From<Fault> for AdministrationError {
    fn from(fault: Fault) -> AdministrationError {
        AdministrationError::Fault(fault)
    }
}

impl From<diesel::result::Error> for AdministrationError {
    fn from(error: diesel::result::Error) -> AdministrationError {
        AdministrationError::Fault(error.into())
    }
}

impl From<InvalidValue> for AdministrationError {
    fn from(value: InvalidValue) -> AdministrationError {
        AdministrationError::Invalid(value)
    }
}

impl From<Mistake> for AdministrationError {
    fn from(mistake: Mistake) -> AdministrationError {
        AdministrationError::DefinitionFile(mistake)
    }
}

impl std::error::Error for AdministrationError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AdministrationError::Fault(fault) => fault.source(),
            _ => None,
        }
    }
}

/// Code and parameters: whoever shows it to people finds words for it first.
impl fmt::Display for AdministrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdministrationError::Fault(fault) => fault.fmt(f),
            AdministrationError::DefinitionFile(mistake) => write!(f, "{}: {mistake}", self.code()),
            error => match error.parameters() {
                Value::Null => f.write_str(error.code()),
                parameters => write!(f, "{} {parameters}", error.code()),
            },
        }
    }
}

impl AdministrationError {
    /// Reads a broken constraint as what it means to the operator; `meanings` pairs constraints with errors.
    pub(crate) fn explain(
        error: diesel::result::Error,
        meanings: Vec<(&str, AdministrationError)>,
    ) -> AdministrationError {
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
            AdministrationError::PlanUnknown(_) => "plan_unknown",
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
            AdministrationError::LoadColumns { .. } => "load_columns",
            AdministrationError::LoadValues { .. } => "load_values",
            AdministrationError::LoadKeysTwice { .. } => "load_keys_twice",
            AdministrationError::TariffUnknown(_) => "tariff_unknown",
            AdministrationError::TariffLater { .. } => "tariff_later",
            AdministrationError::TariffBegun { .. } => "tariff_begun",
            AdministrationError::VouchersUnknown(_) => "vouchers_unknown",
            AdministrationError::VouchersWritten(_) => "vouchers_written",
            AdministrationError::VouchersEnded { .. } => "vouchers_ended",
            AdministrationError::RechargeNotLocked(_) => "recharge_not_locked",
            AdministrationError::MessageUnknown(_) => "message_unknown",
            AdministrationError::AgencySilent(_) => "agency_silent",
            AdministrationError::NobodyToTell => "nobody_to_tell",
            AdministrationError::ProfileChangeUnknown(_) => "profile_change_unknown",
            AdministrationError::ProfileChangeDecided { .. } => "profile_change_decided",
            AdministrationError::LineUnknown { .. } => "line_unknown",
            AdministrationError::LetterUnknown(_) => "letter_unknown",
            AdministrationError::HeldDecided { .. } => "held_decided",
            AdministrationError::FlagExplained { .. } => "flag_explained",
            AdministrationError::QuarantineDecided { .. } => "quarantine_decided",
            AdministrationError::QuarantineIncomplete { .. } => "quarantine_incomplete",
            AdministrationError::UserExists(_) => "user_exists",
            AdministrationError::UserUnknown(_) => "user_unknown",
            AdministrationError::SuperviseurLast => "superviseur_last",
            AdministrationError::AccountMapped { .. } => "account_mapped",
            AdministrationError::AccountUnknown(_) => "account_unknown",
            AdministrationError::AccountUnmapped { .. } => "account_unmapped",
            AdministrationError::NobodyMapped { .. } => "nobody_mapped",
            AdministrationError::PrivilegeMissing { .. } => "privilege_missing",
            AdministrationError::ApprovalNeeded(_) => "approval_needed",
            AdministrationError::ApprovalUnknown(_) => "approval_unknown",
            AdministrationError::ApprovalDecided { .. } => "approval_decided",
            AdministrationError::ApprovalExpired { .. } => "approval_expired",
            AdministrationError::ApprovalOwn(_) => "approval_own",
            AdministrationError::ApprovalChanged(_) => "approval_changed",
            AdministrationError::ApprovalAskerMayNot { .. } => "approval_asker_may_not",
            AdministrationError::ApprovalWithoutCommission(_) => "approval_without_commission",
            AdministrationError::ServerExists { .. } => "server_exists",
            AdministrationError::ServerMissing => "server_missing",
            AdministrationError::Invalid(_) => "value_invalid",
            AdministrationError::AuditBroken(_) => "audit_broken",
            AdministrationError::Fault(fault) if fault.is_passing() => "database_away",
            AdministrationError::Fault(_) => "database_refused",
        }
    }

    /// Returns the error's kind.
    pub fn kind(&self) -> ErrorKind {
        match self {
            AdministrationError::AgencyUnknown(_)
            | AdministrationError::PlanUnknown(_)
            | AdministrationError::CertificateUnknown(_)
            | AdministrationError::TableUnknown(_)
            | AdministrationError::TariffUnknown(_)
            | AdministrationError::VouchersUnknown(_)
            | AdministrationError::MessageUnknown(_)
            | AdministrationError::ProfileChangeUnknown(_)
            | AdministrationError::LineUnknown { .. }
            | AdministrationError::LetterUnknown(_)
            | AdministrationError::UserUnknown(_)
            | AdministrationError::AccountUnknown(_)
            | AdministrationError::ApprovalUnknown(_)
            | AdministrationError::ServerMissing => ErrorKind::NotFound,
            AdministrationError::Fault(fault) if fault.is_passing() => ErrorKind::Away,
            _ => ErrorKind::Refused,
        }
    }

    /// Says whether the database is away, so that trying again later helps.
    pub fn is_away(&self) -> bool {
        matches!(self, AdministrationError::Fault(fault) if fault.is_away())
    }
}

impl KeyName {
    fn code(self) -> &'static str {
        match self {
            KeyName::KeyId => "key_id",
            KeyName::IssuerSerial => "issuer_serial",
        }
    }
}
