//! The subject of each action (the person or thing that it changes), in the form in which the audit log shows it.

use super::AuditAction;

impl AuditAction<'_> {
    /// Returns the name of the person or thing that the action changed, such as `agency 000042`.
    pub fn subject(&self) -> String {
        match self {
            AuditAction::AgencyAdd { agency, .. }
            | AuditAction::AgencyEdit { agency, .. }
            | AuditAction::AgencyStatus { agency, .. }
            | AuditAction::AgencyRecharge { agency, .. }
            | AuditAction::VoucherUnlock { agency, .. }
            | AuditAction::EnrolmentCode { agency, .. }
            | AuditAction::LetterAskAgain { agency, .. }
            | AuditAction::StatementSend { agency, .. }
            | AuditAction::MessageShow { agency, .. }
            | AuditAction::MessageSend { agency, .. }
            | AuditAction::ProfileConfirm { agency, .. }
            | AuditAction::ProfileRefuse { agency, .. }
            | AuditAction::AgencyGrant { agency, .. }
            | AuditAction::AgencyWithdraw { agency, .. }
            | AuditAction::InstallationAdd { agency, .. }
            | AuditAction::AnswerResend { agency, .. }
            | AuditAction::AnswerRetry { agency: Some(agency), .. }
            | AuditAction::CertificateRegister { agency, .. }
            | AuditAction::CertificateRevoke { agency, .. } => format!("agency {agency}"),
            AuditAction::AgencyImport { first, last, .. } => format!("agencies {first} to {last}"),
            AuditAction::AnswerRetry { agency: None, .. } => "all agencies".to_owned(),
            AuditAction::AgencyStatusOfMany { agencies, .. } => format!("{} agencies", agencies.len()),
            AuditAction::MessageBroadcast { broadcast, .. } => format!("broadcast {broadcast}"),
            AuditAction::VoucherBatch { batch, .. }
            | AuditAction::VoucherWrite { batch, .. }
            | AuditAction::VoucherRevoke { batch, .. } => format!("vouchers {batch}"),
            AuditAction::QuarantineShow { entry, .. }
            | AuditAction::QuarantineDrop { entry, .. }
            | AuditAction::QuarantineRetry { entry, .. } => {
                format!("quarantine entry {entry}")
            }
            AuditAction::QuarantineSelect { selection, .. } => format!("selection {selection}"),
            AuditAction::HeldShow { held, .. } | AuditAction::HeldDecide { held, .. } => format!("held letter {held}"),
            AuditAction::LetterOriginal { line, .. } => format!("journal line {line}"),
            AuditAction::FlagExplain { flag, .. } => format!("flag {flag}"),
            AuditAction::TableAdopt { table, .. }
            | AuditAction::TableLoad { table, .. }
            | AuditAction::RecordShow { table, .. }
            | AuditAction::TableAbandon { table, .. } => format!("table {table}"),
            AuditAction::PlanEdit { plan, .. } => format!("plan {plan}"),
            AuditAction::TariffSet { of, .. } => format!("tariff {of}"),
            AuditAction::TariffCancel(tariff) => format!("tariff {}", tariff.service),
            AuditAction::ServerInit(server) => server.name.clone(),
            AuditAction::CentreKeys(_) | AuditAction::RechargeLimit { .. } => "centre".to_owned(),
            AuditAction::UserAdd { user, .. }
            | AuditAction::UserPrivilege { user, .. }
            | AuditAction::UserCommission { user, .. }
            | AuditAction::UserMap { user, .. }
            | AuditAction::UserUnmap { user, .. }
            | AuditAction::UserLock { user, .. }
            | AuditAction::UserUnlock { user }
            | AuditAction::UserPassword { user }
            | AuditAction::PasswordChange { user }
            | AuditAction::SignIn { user, .. }
            | AuditAction::SignOut { user }
            | AuditAction::PasswordRefused { user: Some(user), .. } => format!("user {user}"),
            AuditAction::Approval { approval, .. } => format!("approval {approval}"),
            AuditAction::OperationRefused { operation, .. } => format!("operation {}", operation.name()),
            AuditAction::AuditShow { .. } | AuditAction::AuditVerify { .. } | AuditAction::AuditExport { .. } => {
                "audit log".to_owned()
            }
            AuditAction::PasswordRefused { user: None, .. } => "unknown user".to_owned(),
            AuditAction::SignInRefused { account, .. } => format!("account {account}"),
        }
    }
}
