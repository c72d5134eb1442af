//! What users may do, and which privilege each operation requires: the one table that everything else asks.

use serde::{Deserialize, Serialize};

use crate::database::fault::Fault;

/// What a user may do. Each privilege includes those below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privilege {
    /// Looks, messages, first certificates.
    Operateur = 1,
    /// Also agencies, certificates, billing, mail.
    ChefDAgence = 2,
    /// Also users, tables, tariffs, the CA.
    Superviseur = 3,
}

impl Privilege {
    /// Every privilege, the least first.
    pub const ALL: [Privilege; 3] = [Privilege::Operateur, Privilege::ChefDAgence, Privilege::Superviseur];

    /// Returns the number that stands in the database and that people say.
    pub fn number(self) -> i16 {
        self as i16
    }

    /// Reads the number.
    pub fn of_number(number: i16) -> Option<Privilege> {
        Privilege::ALL.into_iter().find(|privilege| privilege.number() == number)
    }

    /// Reads the number out of a column, where a CHECK keeps it in range.
    pub(super) fn kept(number: i16) -> Result<Privilege, Fault> {
        Privilege::of_number(number)
            .ok_or_else(|| Fault::Bug(format!("{number} is no privilege, yet stands in the database")))
    }

    /// Returns the guide's word.
    pub fn title(self) -> &'static str {
        match self {
            Privilege::Operateur => "Opérateur",
            Privilege::ChefDAgence => "Chef d'Agence",
            Privilege::Superviseur => "Superviseur",
        }
    }
}

macro_rules! operations {
    ($($(#[doc = $meaning:literal])* $variant:ident = $name:literal, $privilege:ident;)*) => {
        /// What operators do. Looking at lists needs no more than to be signed in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Operation {
            $($(#[doc = $meaning])* #[serde(rename = $name)] $variant,)*
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &'static [Operation] = &[$(Operation::$variant,)*];

            /// Returns its name: stable, and that of the action in the audit log.
            pub fn name(self) -> &'static str {
                match self { $(Operation::$variant => $name,)* }
            }

            /// Returns the least privilege that it requires.
            pub fn privilege(self) -> Privilege {
                match self { $(Operation::$variant => Privilege::$privilege,)* }
            }
        }
    };
}

operations! {
    /// A receipt is sent again.
    AnswerResend = "answer.resend", Operateur;
    /// The first certificate of an agency.
    CertificateRegister = "certificate.register", Operateur;
    /// A one-time code for a new installation.
    EnrolmentCode = "enrolment.code", Operateur;
    /// A look at a thread of messages, which counts as read.
    MessageShow = "message.show", Operateur;
    /// Offices send letters again that the centre has lost.
    LetterAskAgain = "letter.ask_again", Operateur;
    /// A message to an agency.
    MessageSend = "message.send", Operateur;
    /// A statement for an agency.
    StatementSend = "statement.send", Operateur;
    /// A look at an entry of the quarantine, its bytes among it.
    QuarantineShow = "quarantine.show", Operateur;
    /// An entry's bytes go.
    QuarantineDrop = "quarantine.drop", Operateur;
    /// An entry is tried again.
    QuarantineRetry = "quarantine.retry", Operateur;
    /// A look at a letter that is held, its rows among it.
    HeldShow = "held.show", Operateur;
    /// A letter that is held is released, or refused: one asks, another confirms.
    HeldDecide = "held.decide", Operateur;
    /// Corrections that wait are approved, or refused, by one person: of results it is two.
    CorrectionDecide = "correction.decide", Superviseur;
    /// A flag is explained.
    FlagExplain = "flag.explain", Operateur;
    /// A new agency.
    AgencyAdd = "agency.add", ChefDAgence;
    /// Its data.
    AgencyEdit = "agency.edit", ChefDAgence;
    /// Its status.
    AgencyStatus = "agency.status", ChefDAgence;
    /// Money for its account.
    AgencyRecharge = "agency.recharge", ChefDAgence;
    /// Codes that it may write about.
    AgencyGrant = "agency.grant", ChefDAgence;
    /// Codes that it may no longer write about.
    AgencyWithdraw = "agency.withdraw", ChefDAgence;
    /// A further installation.
    InstallationAdd = "installation.add", ChefDAgence;
    /// Vouchers.
    VoucherBatch = "voucher.batch", ChefDAgence;
    /// Their codes are written into a file, once.
    VoucherWrite = "voucher.write", ChefDAgence;
    /// Vouchers that give nothing any more.
    VoucherRevoke = "voucher.revoke", ChefDAgence;
    /// An agency that sent wrong codes may send further ones.
    VoucherUnlock = "voucher.unlock", ChefDAgence;
    /// A message to many agencies.
    MessageBroadcast = "message.broadcast", ChefDAgence;
    /// Answers that wait are sent now.
    AnswerRetry = "answer.retry", ChefDAgence;
    /// A certificate of an agency that has, or had, another one.
    CertificateReplace = "certificate.replace", ChefDAgence;
    /// A key, with all its certificates.
    CertificateRevoke = "certificate.revoke", ChefDAgence;
    /// Tables that agencies may write to.
    TableAdopt = "table.adopt", Superviseur;
    /// A table that is gone.
    TableAbandon = "table.abandon", Superviseur;
    /// Reference data out of a file.
    TableLoad = "table.load", Superviseur;
    /// What an office asked to have changed of its own data.
    ProfileConfirm = "profile.confirm", Superviseur;
    /// It is not changed.
    ProfileRefuse = "profile.refuse", Superviseur;
    /// Rights and quotas of a plan.
    PlanEdit = "plan.edit", Superviseur;
    /// A price.
    TariffSet = "tariff.set", Superviseur;
    /// A price that has not begun.
    TariffCancel = "tariff.cancel", Superviseur;
    /// The server's name, mode, currency and zone.
    ServerInit = "server.init", Superviseur;
    /// The keys of a new centre.
    CentreKeys = "centre.keys", Superviseur;
    /// A new user.
    UserAdd = "user.add", Superviseur;
    /// What a user may do.
    UserPrivilege = "user.privilege", Superviseur;
    /// The mark of the election commission.
    UserCommission = "user.commission", Superviseur;
    /// Most that one person recharges alone.
    RechargeLimit = "recharge.limit", Superviseur;
    /// What another person asked.
    ApprovalConfirm = "approval.confirm", Superviseur;
    /// An account of the operating system becomes a user's.
    UserMap = "user.map", Superviseur;
    /// It is no longer.
    UserUnmap = "user.unmap", Superviseur;
}
