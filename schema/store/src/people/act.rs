//! Operations that need a second person, each with all its parameters. An operation is performed exactly as it was asked for, or not at
//! all.

use chrono::{DateTime, Utc};
use sdc::letter::Matricule;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::accounts::Account;
use super::need::Need;
use super::privilege::{Operation, Privilege};
use super::user::NewUser;
use crate::certificates::certificate::CertificateFields;
use crate::database::fault::Fault;
use crate::tables::loaded::TableLoad;

/// An operation that needs a second person. The list is closed: an approval in the database with another operation is never performed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", content = "parameters")]
pub enum Act {
    /// Registers a certificate of another key for an agency that has or had a certificate.
    #[serde(rename = "certificate.replace")]
    CertificateReplace {
        /// The agency that the certificate is for.
        agency: Matricule,
        /// The certificate.
        certificate: CertificateFields,
        /// Whether the asker accepted the concerns about the certificate.
        accepts_concerns: bool,
    },
    /// Makes a one-time code, with which an agency that has or had a certificate enrols another key.
    #[serde(rename = "enrolment.code")]
    EnrolmentCode {
        /// The agency that the code is for.
        agency: Matricule,
    },
    /// Sets the status of many agencies.
    #[serde(rename = "agency.status_of_many")]
    AgencyStatusOfMany {
        /// The agencies, each once, by matricule.
        agencies: Vec<Matricule>,
        /// Their new status.
        status: i16,
    },
    /// Credits an agency's account.
    #[serde(rename = "agency.recharge")]
    AgencyRecharge {
        /// The agency whose account is credited.
        agency: Matricule,
        /// Amount, in minor units of the currency.
        amount: i64,
        /// Text of the entry in the ledger.
        note: String,
    },
    /// Makes a batch of vouchers.
    #[serde(rename = "voucher.batch")]
    VoucherBatch {
        /// Number of vouchers.
        vouchers: i32,
        /// Amount that each voucher credits, in minor units.
        amount: i64,
        /// Time from which the vouchers are refused.
        expires_at: DateTime<Utc>,
    },
    /// Sets the largest amount that one person may recharge alone.
    #[serde(rename = "recharge.limit")]
    RechargeLimit {
        /// The limit, in minor units.
        amount: i64,
    },
    /// Adds a user.
    #[serde(rename = "user.add")]
    UserAdd(NewUser),
    /// Gives a user another privilege.
    #[serde(rename = "user.privilege")]
    UserPrivilege {
        /// Name of the user.
        user: String,
        /// The user's new privilege.
        privilege: Privilege,
    },
    /// Makes a user a member of the election commission, or ends the membership.
    #[serde(rename = "user.commission")]
    UserCommission {
        /// Name of the user.
        user: String,
        /// Whether the user is a member afterwards.
        is_commission: bool,
    },
    /// Maps an account of the operating system to a user, who signs in with the account.
    #[serde(rename = "user.map")]
    UserMap {
        /// Name of the user.
        user: String,
        /// The account that is mapped.
        account: Account,
    },
    /// Locks a user.
    #[serde(rename = "user.lock")]
    UserLock {
        /// Name of the user.
        user: String,
        /// Reason of the lock, in a person's words.
        reason: String,
    },
    /// Unlocks a user.
    #[serde(rename = "user.unlock")]
    UserUnlock {
        /// Name of the user.
        user: String,
    },
    /// Gives a user a first password.
    #[serde(rename = "user.password")]
    UserPassword {
        /// Name of the user.
        user: String,
        /// First part of the password, which only the asker is shown.
        first: String,
    },
    /// Releases or refuses a held letter that has no results.
    #[serde(rename = "held.decide")]
    HeldDecide(HeldDecision),
    /// Releases or refuses a held letter that has results (rows of a table marked `results`).
    #[serde(rename = "result.release")]
    ResultRelease(HeldDecision),
    /// Approves or refuses a letter whose corrections of results wait for approval.
    #[serde(rename = "result.correct")]
    ResultCorrect(HeldDecision),
    /// Loads reference data from a file into a table.
    #[serde(rename = "table.load")]
    TableLoad(TableLoad),
    /// Ends the mapping of an account of the operating system to a user.
    #[serde(rename = "user.unmap")]
    UserUnmap {
        /// Name of the account.
        account: String,
    },
}

/// A decision about a held letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldDecision {
    /// Number of the held letter.
    pub held: i64,
    /// Checks that are waived when the letter is released, each such as `ResultatBureau.within_reference`; absent if the letter is
    /// refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<Vec<String>>,
    /// Reason of the decision, in a person's words.
    pub reason: String,
}

impl Act {
    /// Returns the reason why the act needs a second person.
    pub fn need(&self) -> Need {
        match self {
            Act::CertificateReplace { .. } => Need::CertificateReplace,
            Act::EnrolmentCode { .. } => Need::EnrolmentCode,
            Act::AgencyStatusOfMany { .. } => Need::AgencyStatusOfMany,
            Act::AgencyRecharge { .. } => Need::AgencyRecharge,
            Act::VoucherBatch { .. } => Need::VoucherBatch,
            Act::RechargeLimit { .. } => Need::RechargeLimit,
            Act::UserAdd(_) => Need::UserAdd,
            Act::UserPrivilege { .. } => Need::UserPrivilege,
            Act::UserCommission { .. } => Need::UserCommission,
            Act::UserMap { .. } => Need::UserMap,
            Act::UserLock { .. } => Need::UserLock,
            Act::UserUnlock { .. } => Need::UserUnlock,
            Act::UserPassword { .. } => Need::UserPassword,
            Act::HeldDecide(_) => Need::HeldDecide,
            Act::ResultRelease(_) => Need::ResultRelease,
            Act::ResultCorrect(_) => Need::ResultCorrect,
            Act::TableLoad(_) => Need::TableLoad,
            Act::UserUnmap { .. } => Need::UserUnmap,
        }
    }

    /// Returns the decision if the act is about a held letter. Settling performs such an act, by another attempt at the letter.
    pub fn of_held(&self) -> Option<&HeldDecision> {
        match self {
            Act::HeldDecide(decision) | Act::ResultRelease(decision) | Act::ResultCorrect(decision) => Some(decision),
            _ => None,
        }
    }

    /// Returns the operation whose privilege the asker needs.
    pub fn operation(&self) -> Operation {
        match self {
            Act::CertificateReplace { .. } => Operation::CertificateReplace,
            // With the code, the agency registers another key in place of its present one. So the asker needs the same privilege as for
            // registering that key himself.
            Act::EnrolmentCode { .. } => Operation::CertificateReplace,
            Act::AgencyStatusOfMany { .. } => Operation::AgencyStatus,
            Act::AgencyRecharge { .. } => Operation::AgencyRecharge,
            Act::VoucherBatch { .. } => Operation::VoucherBatch,
            Act::RechargeLimit { .. } => Operation::RechargeLimit,
            Act::UserAdd(_) => Operation::UserAdd,
            Act::UserPrivilege { .. } => Operation::UserPrivilege,
            Act::UserCommission { .. } => Operation::UserCommission,
            Act::UserMap { .. } => Operation::UserMap,
            Act::UserLock { .. } => Operation::UserLock,
            Act::UserUnlock { .. } => Operation::UserUnlock,
            Act::UserPassword { .. } => Operation::UserPassword,
            Act::HeldDecide(_) | Act::ResultRelease(_) | Act::ResultCorrect(_) => Operation::HeldDecide,
            Act::TableLoad(_) => Operation::TableLoad,
            Act::UserUnmap { .. } => Operation::UserUnmap,
        }
    }

    /// Returns the act's parameters as JSON, in the form in which the database stores them.
    pub(crate) fn parameters(&self) -> Result<Value, Fault> {
        let whole = serde_json::to_value(self);
        match whole {
            Ok(Value::Object(mut members)) => Ok(members.remove("parameters").unwrap_or_default()),
            _ => Err(Fault::Bug(format!("what {} asks for is no JSON object", self.need().name()))),
        }
    }

    /// Makes an act from its operation's name and its parameters, in the form in which the database stores them.
    pub(crate) fn read(operation: &str, parameters: Value) -> Result<Act, Fault> {
        serde_json::from_value(json!({ "operation": operation, "parameters": parameters }))
            .map_err(|error| Fault::Bug(format!("an approval of {operation} cannot be read: {error}")))
    }

    /// Returns the parameters that people and programs see. Instead of the bytes of a certificate, they contain its fingerprint and other
    /// facts; a part of a password is not among them.
    pub fn told(&self) -> Value {
        match self {
            Act::CertificateReplace { agency, certificate, accepts_concerns } => json!({
                "agency": agency,
                "fingerprint": hex::encode(&certificate.fingerprint),
                "algorithm": certificate.algorithm,
                "not_before": certificate.not_before,
                "not_after": certificate.not_after,
                "accepts_concerns": accepts_concerns,
            }),
            Act::UserPassword { user, .. } => json!({ "user": user }),
            other => other.parameters().unwrap_or_default(),
        }
    }
}
