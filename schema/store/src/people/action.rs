//! The actions of the audit log. Each action has its parameters, its stable name, and its subject (the person or thing that it changes).

mod approval_step;
mod detail;
mod differences;
mod name;
mod subject;

use chrono::{DateTime, NaiveDate, Utc};
use sdc::letter::Matricule;
use sdc::service::Service;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

pub use approval_step::ApprovalStep;
pub use differences::Differences;

use super::accounts::Account;
use super::audit_filter::AuditFilter;
use super::privilege::{Operation, Privilege};
use crate::centre::identity::Server;
use crate::centre::key::CentreKey;
use crate::certificates::certificate::Concern;
use crate::ledger::tariff::{NewTariff, Tariff};
use crate::plans::edit::PlanEdit;
use crate::tables::adoption::change::{Change, Outcome};
use crate::tables::adoption::file::TableFile;
use crate::tables::loaded::Loaded;
use crate::tables::named_record::NamedRecord;

/// An action of an operator. Its serialized members become the detail of the audit line; members that identify the subject are skipped,
/// since the line has the subject in a column of its own.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the parameters are those of the operations, told there")]
pub enum AuditAction<'a> {
    AgencyAdd {
        #[serde(skip)]
        agency: Matricule,
        name: &'a str,
        town: &'a str,
        area: &'a str,
        telephone: &'a str,
        email: &'a str,
        plan: &'a str,
        status: i16,
        credit_limit: i64,
    },
    AgencyEdit {
        #[serde(skip)]
        agency: Matricule,
        #[serde(flatten)]
        differences: Differences,
    },
    AgencyImport {
        #[serde(skip)]
        first: Matricule,
        #[serde(skip)]
        last: Matricule,
        file: &'a str,
        added: Vec<Value>,
        changed: Vec<Value>,
    },
    AgencyStatus {
        #[serde(skip)]
        agency: Matricule,
        from: i16,
        to: i16,
    },
    AgencyStatusOfMany {
        agencies: &'a [Matricule],
        status: i16,
        changed: usize,
    },
    AgencyRecharge {
        #[serde(skip)]
        agency: Matricule,
        amount: i64,
        balance: i64,
        note: &'a str,
    },
    VoucherBatch {
        #[serde(skip)]
        batch: i32,
        vouchers: i32,
        amount: i64,
        expires_at: DateTime<Utc>,
    },
    VoucherWrite {
        #[serde(skip)]
        batch: i32,
        vouchers: i32,
    },
    VoucherRevoke {
        #[serde(skip)]
        batch: i32,
        number: Option<i32>,
        vouchers: usize,
        reason: &'a str,
    },
    VoucherUnlock {
        #[serde(skip)]
        agency: Matricule,
        reason: &'a str,
    },
    AgencyGrant {
        #[serde(skip)]
        agency: Matricule,
        column: &'a str,
        codes: &'a [String],
    },
    AgencyWithdraw {
        #[serde(skip)]
        agency: Matricule,
        column: &'a str,
        codes: &'a [String],
    },
    InstallationAdd {
        #[serde(skip)]
        agency: Matricule,
        name: &'a str,
    },
    AnswerResend {
        #[serde(skip)]
        agency: Matricule,
        letter_id: Uuid,
    },
    AnswerRetry {
        #[serde(skip)]
        agency: Option<Matricule>,
        answers: usize,
    },
    CertificateRegister {
        #[serde(skip)]
        agency: Matricule,
        #[serde(with = "hex")]
        fingerprint: &'a [u8],
        algorithm: &'a str,
        not_before: DateTime<Utc>,
        not_after: DateTime<Utc>,
        concerns: &'a [Concern],
    },
    EnrolmentCode {
        #[serde(skip)]
        agency: Matricule,
        is_further: bool,
        is_told: bool,
        expires_at: DateTime<Utc>,
    },
    CertificateRevoke {
        #[serde(skip)]
        agency: Matricule,
        #[serde(with = "hex")]
        fingerprint: &'a [u8],
        #[serde(with = "hex")]
        key: &'a [u8],
        reason: &'a str,
        since: Option<DateTime<Utc>>,
    },
    LetterAskAgain {
        #[serde(skip)]
        agency: Matricule,
        installation: Option<&'a str>,
        from: i64,
    },
    StatementSend {
        #[serde(skip)]
        agency: Matricule,
        from: NaiveDate,
        to: NaiveDate,
        entries: usize,
    },
    MessageShow {
        #[serde(skip)]
        agency: Matricule,
        thread: Uuid,
    },
    MessageSend {
        #[serde(skip)]
        agency: Matricule,
        number: i64,
    },
    MessageBroadcast {
        #[serde(skip)]
        broadcast: Uuid,
        agencies: i64,
        filter: &'a Value,
    },
    ProfileConfirm {
        #[serde(skip)]
        agency: Matricule,
        change: i64,
        #[serde(flatten)]
        differences: Differences,
    },
    ProfileRefuse {
        #[serde(skip)]
        agency: Matricule,
        change: i64,
        reason: &'a str,
    },
    QuarantineShow {
        #[serde(skip)]
        entry: i64,
        agency: Option<Matricule>,
        letter_id: Option<Uuid>,
    },
    LetterOriginal {
        #[serde(skip)]
        line: i64,
        agency: Option<Matricule>,
        letter_id: Option<Uuid>,
    },
    QuarantineDrop {
        #[serde(skip)]
        entry: i64,
        reason: &'a str,
        container_reason: &'a str,
        bytes: usize,
    },
    QuarantineRetry {
        #[serde(skip)]
        entry: i64,
        reason: &'a str,
        container_reason: &'a str,
        tried: Vec<Value>,
    },
    QuarantineSelect {
        #[serde(skip)]
        selection: i64,
        entries: i64,
        filter: &'a Value,
    },
    /// An operator read a record of a table.
    RecordShow {
        #[serde(skip)]
        table: &'a str,
        records: &'a [NamedRecord],
    },
    HeldShow {
        #[serde(skip)]
        held: i64,
        agency: Matricule,
        letter_id: Uuid,
        records: &'a [NamedRecord],
    },
    HeldDecide {
        #[serde(skip)]
        held: i64,
        released: bool,
        waived: &'a [String],
        reason: &'a str,
        tried: Value,
    },
    FlagExplain {
        #[serde(skip)]
        flag: i64,
        check: &'a str,
        explanation: &'a str,
    },
    TableAdopt {
        #[serde(skip)]
        table: &'a str,
        outcome: Outcome,
        version: i32,
        changes: &'a [Change],
        definition: &'a TableFile,
    },
    TableLoad {
        #[serde(skip)]
        table: &'a str,
        sha256: &'a str,
        loaded: Loaded,
    },
    TableAbandon {
        #[serde(skip)]
        table: &'a str,
        table_id: i32,
        version: i32,
    },
    PlanEdit {
        #[serde(skip)]
        plan: &'a str,
        #[serde(flatten)]
        edit: &'a PlanEdit,
    },
    TariffSet {
        #[serde(skip)]
        of: Service,
        #[serde(flatten)]
        tariff: &'a NewTariff,
    },
    TariffCancel(&'a Tariff),
    ServerInit(&'a Server),
    CentreKeys(&'a [CentreKey]),
    UserAdd {
        #[serde(skip)]
        user: &'a str,
        privilege: Privilege,
        #[serde(skip_serializing_if = "is_false")]
        commission: bool,
    },
    UserPrivilege {
        #[serde(skip)]
        user: &'a str,
        from: Privilege,
        to: Privilege,
    },
    UserCommission {
        #[serde(skip)]
        user: &'a str,
        from: bool,
        to: bool,
    },
    UserMap {
        #[serde(skip)]
        user: &'a str,
        account: &'a Account,
    },
    UserUnmap {
        #[serde(skip)]
        user: &'a str,
        account: &'a Account,
    },
    UserLock {
        #[serde(skip)]
        user: &'a str,
        reason: &'a str,
    },
    UserUnlock {
        #[serde(skip)]
        user: &'a str,
    },
    UserPassword {
        #[serde(skip)]
        user: &'a str,
    },
    /// A user changed his own password.
    PasswordChange {
        #[serde(skip)]
        user: &'a str,
    },
    RechargeLimit {
        from: i64,
        to: i64,
    },
    Approval {
        #[serde(skip)]
        approval: i64,
        #[serde(flatten)]
        step: ApprovalStep<'a>,
    },
    OperationRefused {
        #[serde(skip)]
        operation: Operation,
        privilege: Privilege,
        required: Privilege,
    },
    /// An operator read the audit log itself.
    AuditShow {
        #[serde(flatten)]
        filter: &'a AuditFilter,
    },
    /// An operator had the chain verified: `line` is the last line of it, or the first that is wrong.
    AuditVerify {
        is_whole: bool,
        line: i64,
    },
    AuditExport {
        after: i64,
    },
    SignInRefused {
        #[serde(skip)]
        account: &'a str,
        uid: u32,
        /// The user of the account, who is locked; `None` if the account is nobody's.
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<&'a str>,
    },
    /// A user signed in by his password.
    SignIn {
        #[serde(skip)]
        user: &'a str,
        channel: &'a str,
        place: &'a str,
    },
    SignOut {
        #[serde(skip)]
        user: &'a str,
    },
    /// A name and a password opened nothing: one of them is wrong, or the user is locked or has to wait.
    PasswordRefused {
        #[serde(skip)]
        user: Option<&'a str>,
        channel: &'a str,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
