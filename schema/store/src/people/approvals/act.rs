//! What is asked: an operation with all its parameters, which is done as it was asked or not at all.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Approved;
use super::need::Need;
use crate::centre::server;
use crate::certificates::{CertificateFields, Confirmation};
use crate::database::fault::Fault;
use crate::database::schema::{certificates as registered, entries};
use crate::error::AdministrationError;
use crate::people::accounts::Account;
use crate::people::users::{self, NewUser};
use crate::people::{Operation, Operator, Privilege, mapping};
use crate::{agencies, certificates};

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
    /// It is no longer.
    #[serde(rename = "user.unmap")]
    UserUnmap {
        /// The account's name.
        account: String,
    },
}

impl Act {
    /// Returns why it needs a second person.
    pub fn need(&self) -> Need {
        match self {
            Act::CertificateReplace { .. } => Need::CertificateReplace,
            Act::AgencyRecharge { .. } => Need::AgencyRecharge,
            Act::RechargeLimit { .. } => Need::RechargeLimit,
            Act::UserAdd(_) => Need::UserAdd,
            Act::UserPrivilege { .. } => Need::UserPrivilege,
            Act::UserCommission { .. } => Need::UserCommission,
            Act::UserMap { .. } => Need::UserMap,
            Act::UserUnmap { .. } => Need::UserUnmap,
        }
    }

    /// Returns the operation whose privilege the asker needs.
    pub fn operation(&self) -> Operation {
        match self {
            Act::CertificateReplace { .. } => Operation::CertificateReplace,
            Act::AgencyRecharge { .. } => Operation::AgencyRecharge,
            Act::RechargeLimit { .. } => Operation::RechargeLimit,
            Act::UserAdd(_) => Operation::UserAdd,
            Act::UserPrivilege { .. } => Operation::UserPrivilege,
            Act::UserCommission { .. } => Operation::UserCommission,
            Act::UserMap { .. } => Operation::UserMap,
            Act::UserUnmap { .. } => Operation::UserUnmap,
        }
    }

    /// Returns the parameters as they are kept.
    pub(super) fn parameters(&self) -> Result<Value, Fault> {
        let whole = serde_json::to_value(self);
        match whole {
            Ok(Value::Object(mut members)) => Ok(members.remove("parameters").unwrap_or_default()),
            _ => Err(Fault::Bug(format!("what {} asks for is no JSON object", self.need().name()))),
        }
    }

    /// Reads what was kept.
    pub(super) fn read(operation: &str, parameters: Value) -> Result<Act, Fault> {
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

    /// Reads what it concerns, as it is now, and keeps others from changing that until the transaction ends.
    pub(super) async fn seen(&self, connection: &mut AsyncPgConnection) -> Result<Value, AdministrationError> {
        match self {
            Act::CertificateReplace { agency, .. } => {
                let status = agencies::locked_status(connection, *agency).await?;
                let certificates: Vec<(i32, bool)> = registered::table
                    .filter(registered::agency.eq(agency.as_i32()))
                    .order(registered::id)
                    .select((registered::id, registered::revoked_at.is_not_null()))
                    .load(connection)
                    .await?;
                let name = agencies::show(connection, *agency).await?.name;
                Ok(json!({ "name": name, "status": status, "certificates": certificates }))
            }
            Act::AgencyRecharge { agency, .. } => {
                let status = agencies::locked_status(connection, *agency).await?;
                let recharges: i64 = entries::table
                    .filter(entries::agency.eq(agency.as_i32()))
                    .filter(entries::kind.eq("recharge"))
                    .count()
                    .get_result(connection)
                    .await?;
                let name = agencies::show(connection, *agency).await?.name;
                Ok(json!({ "name": name, "status": status, "recharges": recharges }))
            }
            Act::RechargeLimit { .. } => Ok(json!({ "limit": server::recharge_limit(connection).await? })),
            Act::UserAdd(NewUser { name, account, .. }) => {
                users::lock(connection).await?;
                let user = users::find(connection, name).await?;
                Ok(json!({ "user": user, "account_of": owner(connection, account.as_ref()).await? }))
            }
            Act::UserPrivilege { user, .. } | Act::UserCommission { user, .. } => {
                users::lock(connection).await?;
                Ok(json!({ "user": users::find(connection, user).await? }))
            }
            Act::UserMap { user, account } => {
                users::lock(connection).await?;
                let user = users::find(connection, user).await?;
                Ok(json!({ "user": user, "account_of": owner(connection, Some(account)).await? }))
            }
            Act::UserUnmap { account } => {
                users::lock(connection).await?;
                Ok(json!({ "users": mapping::owners(connection, account).await? }))
            }
        }
    }

    /// Does it, within the decider's transaction. Returns what came of it, for programs.
    pub(super) async fn perform(
        &self,
        connection: &mut AsyncPgConnection,
        decider: &Operator,
        approved: &Approved,
    ) -> Result<Value, AdministrationError> {
        let approved = Some(approved);
        match self {
            Act::CertificateReplace { agency, certificate, accepts_concerns } => {
                let fingerprint = hex::encode(&certificate.fingerprint);
                let confirmation = Confirmation { fingerprint: &fingerprint, accepts_concerns: *accepts_concerns };
                let id = certificates::register_by(connection, decider, approved, *agency, certificate, confirmation)
                    .await?;
                Ok(json!({ "certificate": id }))
            }
            Act::AgencyRecharge { agency, amount, note } => {
                let balance = agencies::recharge_by(connection, decider, approved, *agency, *amount, note).await?;
                Ok(json!({ "balance": balance }))
            }
            Act::RechargeLimit { amount } => {
                server::set_recharge_limit_by(connection, decider, approved, *amount).await?;
                Ok(json!({ "limit": amount }))
            }
            Act::UserAdd(new) => {
                // Nobody is told the password: who confirms is not whom it is for. He signs in by his account.
                users::add_by(connection, decider, approved, new).await?;
                Ok(json!({ "user": new.name }))
            }
            Act::UserPrivilege { user, privilege } => {
                users::set_privilege_by(connection, decider, approved, user, *privilege).await?;
                Ok(json!({ "user": user }))
            }
            Act::UserCommission { user, is_commission } => {
                users::set_commission_by(connection, decider, approved, user, *is_commission).await?;
                Ok(json!({ "user": user }))
            }
            Act::UserMap { user, account } => {
                mapping::map_by(connection, decider, approved, user, account).await?;
                Ok(json!({ "user": user }))
            }
            Act::UserUnmap { account } => {
                let user = mapping::unmap_by(connection, decider, approved, account).await?;
                Ok(json!({ "user": user }))
            }
        }
    }
}

async fn owner(
    connection: &mut AsyncPgConnection,
    account: Option<&Account>,
) -> Result<Vec<String>, AdministrationError> {
    match account {
        Some(account) => mapping::owners(connection, &account.name).await,
        None => Ok(Vec::new()),
    }
}
