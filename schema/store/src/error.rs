//! Errors of administration. Each error has a stable code and parameters. Programs, logs and tests use the code. The console and the
//! commands turn the code into words in the reader's language.

mod book;
mod import;
mod invalid;
mod parameters;

use std::fmt;

use chrono::{DateTime, Utc};
use sdc::letter::Matricule;
use serde_json::Value;

pub use book::Book;
pub use import::ImportError;
pub use invalid::InvalidValue;

use crate::certificates::certificate::Concern;
use crate::database::fault::Fault;
use crate::people::act::Act;
use crate::people::privilege::{Operation, Privilege};
use crate::tables::adoption::mistake::Mistake;
use crate::tables::adoption::problem::Problem;
use crate::tables::loaded::LoadFault;
use crate::tables::named_record::NamedRecord;

/// Reason for which an operation of administration failed.
#[derive(Debug)]
pub enum AdministrationError {
    /// No agency has the matricule.
    AgencyUnknown(Matricule),
    /// An agency has the matricule already.
    AgencyExists(Matricule),
    /// A file of agencies, or a row of it, cannot be imported.
    Import(ImportError),
    /// The status of too many agencies would change at once for one person to decide.
    StatusOfMany {
        /// Number of agencies whose status would change.
        agencies: usize,
        /// Largest number of agencies whose status one person changes at once.
        most: usize,
    },
    /// Every matricule belongs to an agency.
    MatriculesExhausted,
    /// No plan has the name.
    PlanUnknown(String),
    /// The agency has an installation of that name already.
    InstallationExists {
        /// Matricule of the agency.
        agency: Matricule,
        /// Name of the installation.
        name: String,
    },
    /// The key belongs to another agency.
    KeyOfAnotherAgency {
        /// Agency that the key belongs to.
        owner: Matricule,
        /// Agency for which the key was to be registered.
        agency: Matricule,
    },
    /// Another key is registered under the same key identifier, or under the same issuer and serial number.
    KeyNameTaken {
        /// Kind of the identifier that is taken.
        name: KeyName,
        /// Agency of the registered key.
        owner: Matricule,
    },
    /// The key is one of the centre's own.
    KeyOfCentre {
        /// State of the centre's key: `next`, `current` or `retired`.
        state: String,
    },
    /// The key is revoked, and a revoked key can be registered with no certificate.
    KeyRevoked {
        /// Time of the revocation.
        at: DateTime<Utc>,
    },
    /// The certificate is registered already.
    CertificateExists,
    /// The operator gave another fingerprint. The error does not show the right fingerprint, so that somebody who has only the file cannot
    /// confirm it.
    FingerprintMismatch {
        /// Agency whose office knows the fingerprint.
        agency: Matricule,
    },
    /// The certificate has properties that suggest a mistake. The operator must accept them explicitly before it is registered.
    CertificateConcerns(Vec<Concern>),
    /// No certificate has this number, fingerprint or beginning of a fingerprint.
    CertificateUnknown(String),
    /// Several certificates match the beginning of a fingerprint.
    CertificateAmbiguous(String),
    /// The certificate is revoked already.
    CertificateRevoked {
        /// SHA-256 of the certificate, in hexadecimal.
        fingerprint: String,
        /// Time of the revocation.
        at: DateTime<Utc>,
    },
    /// No adopted table has the name.
    TableUnknown(String),
    /// No record of a table has the legal key.
    RecordUnknown(NamedRecord),
    /// A definition file has a mistake.
    DefinitionFile(Mistake),
    /// The table to be abandoned still exists in the database.
    TableThere {
        /// Full name of the table, `application.name`.
        table: String,
        /// Full name of its relation, `schema.relation`.
        relation: String,
    },
    /// No adopted table has the scope column.
    ScopeColumnUnknown {
        /// Name of the column, as it was given.
        column: String,
        /// Scope columns that exist.
        known: Vec<String>,
    },
    /// A table cannot be adopted; all reasons are given at once.
    TableUnfit {
        /// Full name of the table.
        table: String,
        /// Reasons for which the table cannot be adopted.
        problems: Vec<Problem>,
    },
    /// A file has columns that its table lacks, or lacks columns that the table needs.
    LoadColumns {
        /// Columns that the table lacks, or that the file has twice.
        unknown: Vec<String>,
        /// Columns that the file lacks.
        missing: Vec<String>,
    },
    /// A file has values that the table's columns cannot have.
    LoadValues {
        /// First wrong values, with their places.
        faults: Vec<LoadFault>,
        /// Number of all wrong values.
        total: usize,
    },
    /// A file has several rows with the same legal key.
    LoadKeysTwice {
        /// Columns of the legal key.
        key: Vec<String>,
        /// Number of keys that occur more than once.
        count: i64,
    },
    /// A later tariff exists for the same plan, service and table.
    TariffLater {
        /// Beginning of the later tariff.
        from: DateTime<Utc>,
    },
    /// No tariff has the number.
    TariffUnknown(i32),
    /// The tariff has begun, and cannot be removed any more.
    TariffBegun {
        /// Number of the tariff.
        id: i32,
        /// Beginning of the tariff.
        from: DateTime<Utc>,
    },
    /// No batch of vouchers has the number.
    VouchersUnknown(i32),
    /// The codes of the batch were written before.
    VouchersWritten(i32),
    /// No voucher of the batch, or none of the given number, can still be redeemed.
    VouchersEnded {
        /// Number of the batch.
        batch: i32,
    },
    /// The agency's recharging is not locked.
    RechargeNotLocked(Matricule),
    /// No message has the number, or it belongs to another agency.
    MessageUnknown(i64),
    /// No installation of the agency has sent a letter yet. A message is sent by the transport of the last letter, so it cannot be sent.
    AgencySilent(Matricule),
    /// None of the agencies that a broadcast names has sent a letter yet.
    NobodyToTell,
    /// No change of a profile has the number.
    ProfileChangeUnknown(i64),
    /// The change of a profile is decided or replaced already.
    ProfileChangeDecided {
        /// Number of the change.
        id: i64,
        /// State of the change.
        state: String,
    },
    /// No letter has the id.
    LetterUnknown(String),
    /// The journal, the quarantine, the list of held letters or the list of flags has no entry with the number.
    LineUnknown {
        /// Book that was searched.
        book: Book,
        /// Number that was looked for.
        id: i64,
    },
    /// The held letter is decided already.
    HeldDecided {
        /// Number of the held letter.
        id: i64,
        /// State of the letter, `released` or `refused`.
        state: String,
    },
    /// Somebody has explained this flag already.
    FlagExplained {
        /// Number of the flag.
        id: i64,
        /// Name of the user who explained the flag.
        user: String,
    },
    /// The entry of the quarantine is decided already.
    QuarantineDecided {
        /// Number of the entry.
        id: i64,
        /// State of the entry, `dropped` or `retried`.
        state: String,
    },
    /// The quarantine does not keep all bytes of the entry, so it cannot be tried again.
    QuarantineIncomplete {
        /// Number of the entry.
        id: i64,
    },
    /// No open entry of the quarantine fulfils the conditions of a selection.
    NothingSelected,
    /// A user of this name exists already.
    UserExists(String),
    /// No user has the name.
    UserUnknown(String),
    /// The last Superviseur would be lost, and nobody could add users any more.
    SuperviseurLast,
    /// The account of the operating system belongs to a user already.
    AccountMapped {
        /// Name of the account.
        account: String,
    },
    /// The operating system has no account of this name, or the account belongs to no user.
    AccountUnknown(String),
    /// The account that runs the command belongs to no user.
    AccountUnmapped {
        /// Name of the account.
        account: String,
        /// Number of the account (uid).
        uid: u32,
    },
    /// No account of the operating system belongs to a user yet.
    NobodyMapped {
        /// Name of the account that runs the command.
        account: String,
        /// Superviseurs, one of whom may have the account.
        superviseurs: Vec<String>,
    },
    /// A name and a password opened nothing: one of them is wrong, or the user is locked or has to wait. The error does not say which.
    SignInFailed,
    /// The user is locked.
    UserLocked(String),
    /// The session has ended, by time or because its user got another password.
    SessionEnded,
    /// The user has to change his first password before he can do anything else.
    PasswordFirst(String),
    /// The operation requires a higher privilege than the user has.
    PrivilegeMissing {
        /// Name of the user.
        user: String,
        /// Privilege of the user.
        privilege: Privilege,
        /// Operation that the user tried.
        operation: Operation,
    },
    /// The operation needs a second person; the act describes the operation.
    ApprovalNeeded(Box<Act>),
    /// No approval has the number.
    ApprovalUnknown(i64),
    /// The approval is decided already.
    ApprovalDecided {
        /// Number of the approval.
        id: i64,
        /// State of the approval.
        state: String,
    },
    /// Nobody decided the approval in time.
    ApprovalExpired {
        /// Number of the approval.
        id: i64,
        /// Time when the approval expired.
        at: DateTime<Utc>,
    },
    /// The asker tried to confirm his own approval.
    ApprovalOwn(i64),
    /// The state that the asker saw has changed since he asked.
    ApprovalChanged(i64),
    /// The asker has lost the right to ask for the operation.
    ApprovalAskerMayNot {
        /// Number of the approval.
        id: i64,
        /// Name of the user who asked.
        user: String,
    },
    /// Neither the asker nor the decider belongs to the election commission.
    ApprovalWithoutCommission(i64),
    /// The server exists already: `init` ran before.
    ServerExists {
        /// Name of the server.
        name: String,
        /// Mode of the server, test or live.
        mode: String,
        /// Currency of the server.
        currency: String,
        /// Time zone of the server.
        zone: String,
    },
    /// The keys of the program belong to another centre, or the program has no keys.
    KeysForeign {
        /// SHA-256 of the certificate of the key that signs the centre's answers, in pairs of digits with colons; `None` if the database
        /// does not record it yet.
        centre: Option<String>,
        /// SHA-256 of the certificate of a key that the program has instead, in pairs of digits with colons; `None` if it has no keys.
        at_hand: Option<String>,
    },
    /// The program lacks a key of the centre, so it could not open letters for that key.
    KeyMissing {
        /// SHA-256 of the key's certificate, in pairs of digits with colons.
        fingerprint: String,
        /// State of the key: `next`, `current` or `retired`.
        state: String,
    },
    /// The e-mail address belongs to the centre itself.
    AddressOfCentre(String),
    /// The server does not exist yet: `init` did not run.
    ServerMissing,
    /// A value is not valid.
    Invalid(InvalidValue),
    /// The hash chain of the audit log is broken; the number is that of the first wrong line.
    AuditBroken(i64),
    /// The audit log lacks the line that somebody has written down, or the line has another hash.
    AuditHeadOther {
        /// Number of the line that was written down.
        line: i64,
        /// Number of the last line of the log.
        last: i64,
    },
    /// The audit log has no line of this number.
    AuditLineUnknown(i64),
    /// A fault of the database.
    Fault(Fault),
}

/// Kind of identifier by which a letter identifies its signer's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyName {
    /// Subject key identifier.
    KeyId,
    /// Issuer and serial number.
    IssuerSerial,
}

/// Kind of error, by which a program decides how to react.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The object does not exist.
    NotFound,
    /// The database is busy or cannot be reached; the same operation may succeed later.
    Away,
    /// The value or the present state forbids the operation.
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

impl From<ImportError> for AdministrationError {
    fn from(error: ImportError) -> AdministrationError {
        AdministrationError::Import(error)
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

/// Shows code and parameters. A program that shows errors to people translates them into sentences first.
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
    /// Replaces a violated constraint by the error that an operator understands. `meanings` contains pairs of a constraint's name and its
    /// error.
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

    /// Returns the error's code, which never changes, so that programs can rely on it.
    pub fn code(&self) -> &'static str {
        match self {
            AdministrationError::AgencyUnknown(_) => "agency_unknown",
            AdministrationError::AgencyExists(_) => "agency_exists",
            AdministrationError::Import(error) => error.code(),
            AdministrationError::StatusOfMany { .. } => "status_of_many",
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
            AdministrationError::RecordUnknown(_) => "record_unknown",
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
            AdministrationError::NothingSelected => "nothing_selected",
            AdministrationError::ServerExists { .. } => "server_exists",
            AdministrationError::ServerMissing => "server_missing",
            AdministrationError::Invalid(_) => "value_invalid",
            AdministrationError::Fault(fault) if fault.is_passing() => "database_away",
            AdministrationError::Fault(_) => "database_refused",
            other => other.code_of_people(),
        }
    }

    /// Returns the code of an error about people, their approvals, or the audit log.
    fn code_of_people(&self) -> &'static str {
        match self {
            AdministrationError::UserExists(_) => "user_exists",
            AdministrationError::UserUnknown(_) => "user_unknown",
            AdministrationError::SuperviseurLast => "superviseur_last",
            AdministrationError::AccountMapped { .. } => "account_mapped",
            AdministrationError::AccountUnknown(_) => "account_unknown",
            AdministrationError::AccountUnmapped { .. } => "account_unmapped",
            AdministrationError::NobodyMapped { .. } => "nobody_mapped",
            AdministrationError::SignInFailed => "sign_in_failed",
            AdministrationError::UserLocked(_) => "user_locked",
            AdministrationError::SessionEnded => "session_ended",
            AdministrationError::PasswordFirst(_) => "password_first",
            AdministrationError::PrivilegeMissing { .. } => "privilege_missing",
            AdministrationError::ApprovalNeeded(_) => "approval_needed",
            AdministrationError::ApprovalUnknown(_) => "approval_unknown",
            AdministrationError::ApprovalDecided { .. } => "approval_decided",
            AdministrationError::ApprovalExpired { .. } => "approval_expired",
            AdministrationError::ApprovalOwn(_) => "approval_own",
            AdministrationError::ApprovalChanged(_) => "approval_changed",
            AdministrationError::ApprovalAskerMayNot { .. } => "approval_asker_may_not",
            AdministrationError::ApprovalWithoutCommission(_) => "approval_without_commission",
            AdministrationError::AuditBroken(_) => "audit_broken",
            AdministrationError::AuditHeadOther { .. } => "audit_head_other",
            AdministrationError::AuditLineUnknown(_) => "audit_line_unknown",
            _ => "unknown",
        }
    }

    /// Returns the kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            AdministrationError::AgencyUnknown(_)
            | AdministrationError::PlanUnknown(_)
            | AdministrationError::CertificateUnknown(_)
            | AdministrationError::TableUnknown(_)
            | AdministrationError::RecordUnknown(_)
            | AdministrationError::TariffUnknown(_)
            | AdministrationError::VouchersUnknown(_)
            | AdministrationError::MessageUnknown(_)
            | AdministrationError::ProfileChangeUnknown(_)
            | AdministrationError::LineUnknown { .. }
            | AdministrationError::LetterUnknown(_)
            | AdministrationError::UserUnknown(_)
            | AdministrationError::AccountUnknown(_)
            | AdministrationError::ApprovalUnknown(_)
            | AdministrationError::AuditLineUnknown(_)
            | AdministrationError::ServerMissing => ErrorKind::NotFound,
            AdministrationError::Fault(fault) if fault.is_passing() => ErrorKind::Away,
            _ => ErrorKind::Refused,
        }
    }

    /// Says whether the database cannot be reached, so that a later attempt may succeed.
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
