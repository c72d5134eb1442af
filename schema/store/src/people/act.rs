//! What is asked: an operation with all its parameters, which is done as it was asked or not at all.

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

/// An operation that needs a second person. A closed list: what stands in the database and is none of these is never done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", content = "parameters")]
pub enum Act {
    /// A certificate of a further key.
    #[serde(rename = "certificate.replace")]
    CertificateReplace {
        /// Whose.
        agency: Matricule,
        /// The certificate.
        certificate: CertificateFields,
        /// Whether its concerns were accepted.
        accepts_concerns: bool,
    },
    /// A one-time code for a further key.
    #[serde(rename = "enrolment.code")]
    EnrolmentCode {
        /// Whose.
        agency: Matricule,
    },
    /// Money for an agency's account.
    #[serde(rename = "agency.recharge")]
    AgencyRecharge {
        /// Whose.
        agency: Matricule,
        /// In minor units.
        amount: i64,
        /// Stands in the ledger.
        note: String,
    },
    /// Vouchers.
    #[serde(rename = "voucher.batch")]
    VoucherBatch {
        /// How many.
        vouchers: i32,
        /// What each gives, in minor units.
        amount: i64,
        /// From when on they are refused.
        expires_at: DateTime<Utc>,
    },
    /// Most that one person recharges alone.
    #[serde(rename = "recharge.limit")]
    RechargeLimit {
        /// In minor units.
        amount: i64,
    },
    /// A new user.
    #[serde(rename = "user.add")]
    UserAdd(NewUser),
    /// What a user may do.
    #[serde(rename = "user.privilege")]
    UserPrivilege {
        /// Who.
        user: String,
        /// What he may do then.
        privilege: Privilege,
    },
    /// The mark of the election commission.
    #[serde(rename = "user.commission")]
    UserCommission {
        /// Who.
        user: String,
        /// Whether he has it then.
        is_commission: bool,
    },
    /// An account becomes a user's.
    #[serde(rename = "user.map")]
    UserMap {
        /// Whose.
        user: String,
        /// The account.
        account: Account,
    },
    /// The end of a letter that is held.
    #[serde(rename = "held.decide")]
    HeldDecide(HeldDecision),
    /// The end of one that has results.
    #[serde(rename = "result.release")]
    ResultRelease(HeldDecision),
    /// The end of corrections of results that wait for approval.
    #[serde(rename = "result.correct")]
    ResultCorrect(HeldDecision),
    /// Reference data out of a file.
    #[serde(rename = "table.load")]
    TableLoad(TableLoad),
    /// It is no longer.
    #[serde(rename = "user.unmap")]
    UserUnmap {
        /// The account's name.
        account: String,
    },
}

/// What becomes of a letter that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldDecision {
    /// Its number.
    pub held: i64,
    /// It is released, with these checks waived, each as `ResultatBureau.within_reference`; absent, it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<Vec<String>>,
    /// Why.
    pub reason: String,
}

impl Act {
    /// Returns why it needs a second person.
    pub fn need(&self) -> Need {
        match self {
            Act::CertificateReplace { .. } => Need::CertificateReplace,
            Act::EnrolmentCode { .. } => Need::EnrolmentCode,
            Act::AgencyRecharge { .. } => Need::AgencyRecharge,
            Act::VoucherBatch { .. } => Need::VoucherBatch,
            Act::RechargeLimit { .. } => Need::RechargeLimit,
            Act::UserAdd(_) => Need::UserAdd,
            Act::UserPrivilege { .. } => Need::UserPrivilege,
            Act::UserCommission { .. } => Need::UserCommission,
            Act::UserMap { .. } => Need::UserMap,
            Act::HeldDecide(_) => Need::HeldDecide,
            Act::ResultRelease(_) => Need::ResultRelease,
            Act::ResultCorrect(_) => Need::ResultCorrect,
            Act::TableLoad(_) => Need::TableLoad,
            Act::UserUnmap { .. } => Need::UserUnmap,
        }
    }

    /// Returns what becomes of a held letter, where the act is of one: it is done by a further attempt at the letter.
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
            // Who asks brings the agency a further key.
            Act::EnrolmentCode { .. } => Operation::CertificateReplace,
            Act::AgencyRecharge { .. } => Operation::AgencyRecharge,
            Act::VoucherBatch { .. } => Operation::VoucherBatch,
            Act::RechargeLimit { .. } => Operation::RechargeLimit,
            Act::UserAdd(_) => Operation::UserAdd,
            Act::UserPrivilege { .. } => Operation::UserPrivilege,
            Act::UserCommission { .. } => Operation::UserCommission,
            Act::UserMap { .. } => Operation::UserMap,
            Act::HeldDecide(_) | Act::ResultRelease(_) | Act::ResultCorrect(_) => Operation::HeldDecide,
            Act::TableLoad(_) => Operation::TableLoad,
            Act::UserUnmap { .. } => Operation::UserUnmap,
        }
    }

    /// Returns the parameters as they are kept.
    pub(crate) fn parameters(&self) -> Result<Value, Fault> {
        let whole = serde_json::to_value(self);
        match whole {
            Ok(Value::Object(mut members)) => Ok(members.remove("parameters").unwrap_or_default()),
            _ => Err(Fault::Bug(format!("what {} asks for is no JSON object", self.need().name()))),
        }
    }

    /// Reads what was kept.
    pub(crate) fn read(operation: &str, parameters: Value) -> Result<Act, Fault> {
        serde_json::from_value(json!({ "operation": operation, "parameters": parameters }))
            .map_err(|error| Fault::Bug(format!("an approval of {operation} cannot be read: {error}")))
    }

    /// Returns what people and programs are told: the parameters, of a certificate what names it.
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
            other => other.parameters().unwrap_or_default(),
        }
    }
}
