//! The name of each action in the audit log. Names never change, since old lines contain them.

use super::AuditAction;

impl AuditAction<'_> {
    /// Names of the actions by which an operator looks at the content of records.
    pub const LOOKS: [&'static str; 4] = ["held.show", "letter.original", "quarantine.show", "record.show"];

    /// Returns the action's name. Searches find old lines of the log by their names, so a name never changes and never gets a second
    /// meaning.
    pub fn name(&self) -> &'static str {
        match self {
            AuditAction::AgencyAdd { .. } => "agency.add",
            AuditAction::AgencyEdit { .. } => "agency.edit",
            AuditAction::AgencyImport { .. } => "agency.import",
            AuditAction::AgencyStatus { .. } => "agency.status",
            AuditAction::AgencyStatusOfMany { .. } => "agency.status_of_many",
            AuditAction::AgencyRecharge { .. } => "agency.recharge",
            AuditAction::VoucherBatch { .. } => "voucher.batch",
            AuditAction::VoucherWrite { .. } => "voucher.write",
            AuditAction::VoucherRevoke { .. } => "voucher.revoke",
            AuditAction::VoucherUnlock { .. } => "voucher.unlock",
            AuditAction::AgencyGrant { .. } => "agency.grant",
            AuditAction::AgencyWithdraw { .. } => "agency.withdraw",
            AuditAction::InstallationAdd { .. } => "installation.add",
            AuditAction::AnswerResend { .. } => "answer.resend",
            AuditAction::AnswerRetry { .. } => "answer.retry",
            AuditAction::CertificateRegister { .. } => "certificate.register",
            AuditAction::EnrolmentCode { .. } => "enrolment.code",
            AuditAction::CertificateRevoke { .. } => "certificate.revoke",
            AuditAction::LetterAskAgain { .. } => "letter.ask_again",
            AuditAction::StatementSend { .. } => "statement.send",
            AuditAction::MessageShow { .. } => "message.show",
            AuditAction::MessageSend { .. } => "message.send",
            AuditAction::MessageBroadcast { .. } => "message.broadcast",
            AuditAction::ProfileConfirm { .. } => "profile.confirm",
            AuditAction::ProfileRefuse { .. } => "profile.refuse",
            AuditAction::QuarantineShow { .. } => "quarantine.show",
            AuditAction::LetterOriginal { .. } => "letter.original",
            AuditAction::QuarantineDrop { .. } => "quarantine.drop",
            AuditAction::QuarantineRetry { .. } => "quarantine.retry",
            AuditAction::QuarantineSelect { .. } => "quarantine.select",
            AuditAction::RecordShow { .. } => "record.show",
            AuditAction::HeldShow { .. } => "held.show",
            AuditAction::HeldDecide { .. } => "held.decide",
            AuditAction::FlagExplain { .. } => "flag.explain",
            AuditAction::TableAdopt { .. } => "table.adopt",
            AuditAction::TableLoad { .. } => "table.load",
            AuditAction::TableAbandon { .. } => "table.abandon",
            AuditAction::PlanEdit { .. } => "plan.edit",
            AuditAction::TariffSet { .. } => "tariff.set",
            AuditAction::TariffCancel(_) => "tariff.cancel",
            AuditAction::ServerInit(_) => "server.init",
            AuditAction::CentreKeys(_) => "centre.keys",
            AuditAction::UserAdd { .. } => "user.add",
            AuditAction::UserPrivilege { .. } => "user.privilege",
            AuditAction::UserCommission { .. } => "user.commission",
            AuditAction::UserMap { .. } => "user.map",
            AuditAction::UserUnmap { .. } => "user.unmap",
            AuditAction::UserLock { .. } => "user.lock",
            AuditAction::UserUnlock { .. } => "user.unlock",
            AuditAction::UserPassword { .. } => "user.password",
            AuditAction::PasswordChange { .. } => "password.change",
            AuditAction::RechargeLimit { .. } => "recharge.limit",
            AuditAction::Approval { step, .. } => step.name(),
            AuditAction::OperationRefused { .. } => "operation.refused",
            AuditAction::AuditShow { .. } => "audit.show",
            AuditAction::AuditVerify { .. } => "audit.verify",
            AuditAction::AuditExport { .. } => "audit.export",
            AuditAction::SignInRefused { .. } | AuditAction::PasswordRefused { .. } => "sign_in.refused",
            AuditAction::SignIn { .. } => "sign_in",
            AuditAction::SignOut { .. } => "sign_out",
        }
    }
}
