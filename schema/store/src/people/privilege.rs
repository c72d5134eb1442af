//! The privileges of users, and the only table of the privilege that each operation requires.

use serde::{Deserialize, Serialize};

use crate::database::fault::Fault;

/// A user's privilege. Each privilege includes those below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privilege {
    /// Looks at lists, journal and quarantine, writes messages, registers first certificates.
    Operateur = 1,
    /// Also manages agencies, certificates, billing and mail.
    ChefDAgence = 2,
    /// Also manages users, tables, tariffs and the CA.
    Superviseur = 3,
}

impl Privilege {
    /// Every privilege, lowest first.
    pub const ALL: [Privilege; 3] = [Privilege::Operateur, Privilege::ChefDAgence, Privilege::Superviseur];

    /// Returns the privilege's number, 1 to 3, which the database stores and people use.
    pub fn number(self) -> i16 {
        self as i16
    }

    /// Returns the privilege with a number; `None` outside 1 to 3.
    pub fn of_number(number: i16) -> Option<Privilege> {
        Privilege::ALL.into_iter().find(|privilege| privilege.number() == number)
    }

    /// Reads a privilege from its number in a column, whose CHECK admits only 1 to 3.
    pub(super) fn kept(number: i16) -> Result<Privilege, Fault> {
        Privilege::of_number(number)
            .ok_or_else(|| Fault::Bug(format!("{number} is no privilege, yet stands in the database")))
    }

    /// Returns the privilege's French title. Texts in other languages contain the same title, since it is not translated.
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
        /// An operation of an operator. Lists are not operations, since every operator who is signed in may read them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Operation {
            $($(#[doc = $meaning])* #[serde(rename = $name)] $variant,)*
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &'static [Operation] = &[$(Operation::$variant,)*];

            /// Returns the name, which never changes. The action in the audit log has the same name.
            pub fn name(self) -> &'static str {
                match self { $(Operation::$variant => $name,)* }
            }

            /// Returns the lowest privilege that may perform the operation.
            pub fn privilege(self) -> Privilege {
                match self { $(Operation::$variant => Privilege::$privilege,)* }
            }
        }
    };
}

operations! {
    /// Queues a receipt to be sent again.
    AnswerResend = "answer.resend", Operateur;
    /// Registers the first certificate of an agency.
    CertificateRegister = "certificate.register", Operateur;
    /// Makes a one-time code for the enrolment of an installation.
    EnrolmentCode = "enrolment.code", Operateur;
    /// Shows a thread of messages and marks it as read.
    MessageShow = "message.show", Operateur;
    /// Asks offices to send letters again, because the centre has lost them.
    LetterAskAgain = "letter.ask_again", Operateur;
    /// Sends a message to an agency.
    MessageSend = "message.send", Operateur;
    /// Sends an agency a statement of its account.
    StatementSend = "statement.send", Operateur;
    /// Shows an entry of the quarantine with its bytes.
    QuarantineShow = "quarantine.show", Operateur;
    /// Deletes the bytes of an entry of the quarantine.
    QuarantineDrop = "quarantine.drop", Operateur;
    /// Processes the container of an entry of the quarantine again.
    QuarantineRetry = "quarantine.retry", Operateur;
    /// Chooses entries of the quarantine, which are retried or dropped together.
    QuarantineSelect = "quarantine.select", Operateur;
    /// Shows a record by its legal key.
    RecordShow = "record.show", Operateur;
    /// Shows a held letter with its rows.
    HeldShow = "held.show", Operateur;
    /// Takes the original container of a letter out of the journal.
    LetterOriginal = "letter.original", Operateur;
    /// Releases or refuses a held letter: one person asks, another confirms.
    HeldDecide = "held.decide", Operateur;
    /// Approves or refuses waiting corrections, by one person; corrections of results take two people.
    CorrectionDecide = "correction.decide", Superviseur;
    /// Explains a flag.
    FlagExplain = "flag.explain", Operateur;
    /// Adds an agency.
    AgencyAdd = "agency.add", ChefDAgence;
    /// Changes the data of an agency.
    AgencyEdit = "agency.edit", ChefDAgence;
    /// Adds and changes agencies from a file.
    AgencyImport = "agency.import", ChefDAgence;
    /// Changes the status of an agency.
    AgencyStatus = "agency.status", ChefDAgence;
    /// Credits the account of an agency.
    AgencyRecharge = "agency.recharge", ChefDAgence;
    /// Grants codes of a scope column to an agency, which may then send records that have these codes.
    AgencyGrant = "agency.grant", ChefDAgence;
    /// Withdraws codes of a scope column from an agency.
    AgencyWithdraw = "agency.withdraw", ChefDAgence;
    /// Adds an installation to an agency.
    InstallationAdd = "installation.add", ChefDAgence;
    /// Makes a batch of vouchers.
    VoucherBatch = "voucher.batch", ChefDAgence;
    /// Writes the codes of a batch of vouchers into a file, once.
    VoucherWrite = "voucher.write", ChefDAgence;
    /// Revokes vouchers: they cannot be redeemed afterwards.
    VoucherRevoke = "voucher.revoke", ChefDAgence;
    /// Unlocks an agency whose recharging was locked after wrong codes.
    VoucherUnlock = "voucher.unlock", ChefDAgence;
    /// Sends a message to many agencies.
    MessageBroadcast = "message.broadcast", ChefDAgence;
    /// Makes waiting answers due now.
    AnswerRetry = "answer.retry", ChefDAgence;
    /// Registers a certificate for an agency that has, or had, another certificate.
    CertificateReplace = "certificate.replace", ChefDAgence;
    /// Revokes a key with all its certificates.
    CertificateRevoke = "certificate.revoke", ChefDAgence;
    /// Reads the audit log.
    AuditShow = "audit.show", ChefDAgence;
    /// Verifies the chain of the audit log.
    AuditVerify = "audit.verify", ChefDAgence;
    /// Exports the audit log.
    AuditExport = "audit.export", Superviseur;
    /// Adopts tables, so that agencies may write to them.
    TableAdopt = "table.adopt", Superviseur;
    /// Abandons a table.
    TableAbandon = "table.abandon", Superviseur;
    /// Loads reference data from a file.
    TableLoad = "table.load", Superviseur;
    /// Changes the name, town, telephone or e-mail of an agency of status 3.
    AgencyProfile = "agency.profile", Superviseur;
    /// Confirms the change of profile that an office asked for.
    ProfileConfirm = "profile.confirm", Superviseur;
    /// Refuses the change of profile that an office asked for.
    ProfileRefuse = "profile.refuse", Superviseur;
    /// Changes the rights and quotas of a plan.
    PlanEdit = "plan.edit", Superviseur;
    /// Sets a price of the tariff.
    TariffSet = "tariff.set", Superviseur;
    /// Cancels a price whose time has not begun.
    TariffCancel = "tariff.cancel", Superviseur;
    /// Sets the server's name, mode, currency and time zone.
    ServerInit = "server.init", Superviseur;
    /// Makes the keys of a new centre.
    CentreKeys = "centre.keys", Superviseur;
    /// Adds a user.
    UserAdd = "user.add", Superviseur;
    /// Gives a user another privilege.
    UserPrivilege = "user.privilege", Superviseur;
    /// Makes a user a member of the election commission, or ends the membership.
    UserCommission = "user.commission", Superviseur;
    /// Locks a user, who cannot sign in any more.
    UserLock = "user.lock", Superviseur;
    /// Unlocks a user.
    UserUnlock = "user.unlock", Superviseur;
    /// Gives a user a first password.
    UserPassword = "user.password", Superviseur;
    /// Sets the largest amount that one person may recharge alone.
    RechargeLimit = "recharge.limit", Superviseur;
    /// Confirms an operation that another person asked for.
    ApprovalConfirm = "approval.confirm", Superviseur;
    /// Maps an account of the operating system to a user.
    UserMap = "user.map", Superviseur;
    /// Ends the mapping of an account of the operating system to a user.
    UserUnmap = "user.unmap", Superviseur;
}
