//! Why a letter is refused: a closed list of stable codes, and the parameters that explain one case.
//!
//! A receipt carries code and parameters; the words are made where they are read, in the reader's language. Codes are part of the format
//! (FORMAT.md, Refusals): a code is never renamed and never gets a second meaning.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Maximum number of faulty rows that one refusal lists. Rows after these are only counted, because the refusal travels over a slow link.
pub const ROW_FAULTS_MAX: usize = 100;

/// What the office has to do after a refusal (FORMAT.md, Refusals).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The officer must change something, such as the letter or his program, before the office sends a letter again.
    Mend,
    /// The office packs the same records into a new letter, after the centre has allowed it or the office has paid.
    Wait,
}

macro_rules! refusal_codes {
    ($($(#[doc = $meaning:literal])* $variant:ident = $code:literal, $remedy:expr;)*) => {
        /// The closed list of reasons for a refusal. FORMAT.md contains the same list. In letters a reason is written as its code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum RefusalCode {
            $($(#[doc = $meaning])* #[serde(rename = $code)] $variant,)*
        }

        impl RefusalCode {
            /// Every code, in the order in which the centre tests a container.
            pub const ALL: &'static [RefusalCode] = &[$(RefusalCode::$variant,)*];

            /// Returns the code as it is written in letters, in the database, in metrics and in logs.
            pub fn as_str(self) -> &'static str {
                match self { $(RefusalCode::$variant => $code,)* }
            }

            /// Returns what the sender has to do after the refusal; `None` where the sender is not verified, and so gets no answer.
            pub fn remedy(self) -> Option<Remedy> {
                match self { $(RefusalCode::$variant => $remedy,)* }
            }

            /// Returns what the code means, in English, for operators and for FORMAT.md.
            pub fn meaning(self) -> &'static str {
                match self { $(RefusalCode::$variant => concat!($($meaning),*).trim_start(),)* }
            }
        }
    };
}

const MEND: Option<Remedy> = Some(Remedy::Mend);
const WAIT: Option<Remedy> = Some(Remedy::Wait);
const UNANSWERED: Option<Remedy> = None;

refusal_codes! {
    /// The mail or file is larger than any letter may be; only its first 16 KiB are kept.
    OverSize = "over_size", UNANSWERED;
    /// The mail has more documents, parts, nesting or header than the limits allow.
    MailMalformed = "mail_malformed", UNANSWERED;
    /// The mail holds no container, and its mailbox's rule says quarantine.
    NoContainer = "no_container", UNANSWERED;
    /// The text is no SDC document: armour, base64 or limits.
    DocumentMalformed = "document_malformed", UNANSWERED;
    /// The outer CMS structure is not the one of this format.
    EnvelopeMalformed = "envelope_malformed", UNANSWERED;
    /// The outer CMS structure has algorithms, recipients or attributes that are refused.
    EnvelopeForbidden = "envelope_forbidden", UNANSWERED;
    /// The envelope is for none of the centre's keys.
    NotForThisCentre = "not_for_this_centre", UNANSWERED;
    /// The envelope does not open. One code for every cause: a finer one would be an oracle.
    Undecryptable = "undecryptable", UNANSWERED;
    /// The inner CMS structure is not the one of this format.
    SignatureMalformed = "signature_malformed", UNANSWERED;
    /// The inner CMS structure has algorithms, signers or attributes that are refused.
    SignatureForbidden = "signature_forbidden", UNANSWERED;
    /// No registered certificate belongs to the signer.
    UnknownSigner = "unknown_signer", UNANSWERED;
    /// The signature is not that of the registered key.
    SignatureInvalid = "signature_invalid", UNANSWERED;
    /// The signer's certificate has been revoked: the key may be in other hands, so nobody is told.
    CertificateRevoked = "certificate_revoked", UNANSWERED;
    /// An unknown key asks to be enrolled, and its code or its certificate does not admit it.
    EnrolmentRefused = "enrolment_refused", UNANSWERED;
    /// The letter made the centre fail three times, alone.
    Poison = "poison", UNANSWERED;

    /// The signer's certificate has expired, or is not valid yet.
    CertificateExpired = "certificate_expired", MEND;
    /// The agency may not use AES-256-CBC.
    CipherNotAllowed = "cipher_not_allowed", MEND;
    /// The container is larger than this agency's limit.
    LetterTooLarge = "letter_too_large", MEND;
    /// The signed payload does not decompress within its limits, or asks for an unknown dictionary.
    CompressionMalformed = "compression_malformed", MEND;
    /// The signed payload is not the JSON of this format.
    PayloadMalformed = "payload_malformed", MEND;
    /// The format version is none that this centre reads.
    VersionUnsupported = "version_unsupported", MEND;
    /// The signed sender is not the agency whose key signed.
    SenderMismatch = "sender_mismatch", MEND;
    /// The letter is addressed to another server.
    WrongServer = "wrong_server", MEND;
    /// A test letter came to a live server, or the reverse.
    WrongMode = "wrong_mode", MEND;
    /// The installation is not enrolled for this agency.
    InstallationUnknown = "installation_unknown", MEND;
    /// The same letter id came before with other content.
    LetterConflict = "letter_conflict", MEND;
    /// The same sequence number came before with other content.
    SequenceConflict = "sequence_conflict", MEND;
    /// The sequence number is older than what the centre still knows.
    SequenceExpired = "sequence_expired", MEND;
    /// The agency is suspended.
    AgencySuspended = "agency_suspended", WAIT;
    /// The centre does not offer this service.
    ServiceUnknown = "service_unknown", MEND;
    /// The agency's status does not admit this service.
    ServiceNotAllowed = "service_not_allowed", WAIT;
    /// The application or table is not adopted by this centre.
    TableUnknown = "table_unknown", MEND;
    /// The agency's plan gives no right to this table.
    TableNotGranted = "table_not_granted", WAIT;
    /// Columns are unknown, missing or named twice.
    ColumnsMismatch = "columns_mismatch", MEND;
    /// Values break a rule of their column.
    RowsInvalid = "rows_invalid", MEND;
    /// Rows lie outside the codes granted to the agency.
    OutOfScope = "out_of_scope", MEND;
    /// The agency has sent no such record, or it is cancelled.
    RecordUnknown = "record_unknown", MEND;
    /// The centre corrects no records of this table.
    CorrectionNotAllowed = "correction_not_allowed", MEND;
    /// The same record is held with other content.
    Conflict = "conflict", MEND;
    /// Rows break a check of their table.
    CheckFailed = "check_failed", MEND;
    /// The letter was held, and the centre decided against it.
    HoldRefused = "hold_refused", MEND;
    /// The selection has what the centre does not read: `reason` says what, `found` its name.
    SelectRefused = "select_refused", MEND;
    /// The selection has more rows or octets than one answer may have.
    ReadTooLarge = "read_too_large", MEND;
    /// The centre keeps none of these parts: it never wrote them, or has forgotten them after fourteen days.
    PartsUnknown = "parts_unknown", MEND;
    /// What the agency's plan allows to be read in a day is used up.
    QuotaExceeded = "quota_exceeded", WAIT;
    /// The account does not bear the price, and this service is not given on credit.
    InsufficientCredit = "insufficient_credit", WAIT;
    /// The profile cannot be changed so: the address is one of the centre's own.
    ProfileInvalid = "profile_invalid", MEND;
    /// No voucher that can be redeemed has this code. One code for every cause: a finer one would help to guess.
    VoucherInvalid = "voucher_invalid", MEND;
    /// Recharging is locked for a day after five wrong codes.
    RechargeLocked = "recharge_locked", WAIT;
    /// The certificate cannot be registered for the agency.
    CertificateInvalid = "certificate_invalid", MEND;
    /// The signer's certificate does not end within 60 days yet.
    RenewalEarly = "renewal_early", WAIT;
    /// The agency has no thread of this name.
    ThreadUnknown = "thread_unknown", MEND;
    /// So many messages of the agency are unread that no further one is taken.
    MessagesFull = "messages_full", WAIT;
}

impl RefusalCode {
    /// Finds the code with this text form.
    pub fn parse(text: &str) -> Option<RefusalCode> {
        RefusalCode::ALL.iter().copied().find(|code| code.as_str() == text)
    }

    /// Says whether the centre answers the refusal. It answers only verified senders.
    pub fn is_answered(self) -> bool {
        self.remedy().is_some()
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One faulty row: its place and the rule that it breaks. The faulty value is not part of the type, since it is personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowFault {
    /// Name of the table in the letter.
    pub table: String,
    /// Row within its table in the letter, counted from 1.
    pub row: u32,
    /// Name of the column in the letter; absent where the row as a whole is faulty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The rule's code, such as `type`, `not_null`, `length`, `scope`, `conflict`, or a check's own code.
    pub rule: String,
    /// What the rule expects, such as `date YYYY-MM-DD` or a check's arithmetic.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expected: String,
}

/// Collects faulty rows. It keeps the first [`ROW_FAULTS_MAX`] faults and counts all of them, since one letter may have half a million.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowFaults {
    first: Vec<RowFault>,
    total: usize,
}

impl RowFaults {
    /// Adds a faulty row. `fault` is called only if the row is kept.
    pub fn add(&mut self, fault: impl FnOnce() -> RowFault) {
        self.total += 1;
        if self.first.len() < ROW_FAULTS_MAX {
            self.first.push(fault());
        }
    }

    /// Says whether no row is faulty.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}

impl From<Vec<RowFault>> for RowFaults {
    fn from(mut first: Vec<RowFault>) -> RowFaults {
        let total = first.len();
        first.truncate(ROW_FAULTS_MAX);
        RowFaults { first, total }
    }
}

/// A refusal: the letter is wrong. The centre journals the refusal and never retries the letter by itself. If the sender is verified, the
/// centre answers with the refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Code of the reason.
    pub code: RefusalCode,
    /// Named values that the sentence about the reason shows, such as `expected` and `found`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// The first [`ROW_FAULTS_MAX`] faulty rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<RowFault>,
    /// Number of all faulty rows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub faults_total: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Refusal {
    /// Makes a refusal without parameters.
    pub fn new(code: RefusalCode) -> Refusal {
        Refusal { code, parameters: BTreeMap::new(), faults: Vec::new(), faults_total: 0 }
    }

    /// Adds a named value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Refusal {
        self.parameters.insert(name.to_owned(), value.to_string());
        self
    }

    /// Adds faulty rows: keeps the first [`ROW_FAULTS_MAX`] rows and counts all.
    #[must_use]
    pub fn with_faults(mut self, faults: impl Into<RowFaults>) -> Refusal {
        let RowFaults { first, total } = faults.into();
        self.faults_total = u32::try_from(total).unwrap_or(u32::MAX);
        self.faults = first;
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.code)?;
        for (name, value) in &self.parameters {
            write!(f, ", {name} {value}")?;
        }
        if self.faults_total > 0 {
            write!(f, ", {} faulty rows", self.faults_total)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}
