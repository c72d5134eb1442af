//! Performs approved acts: reads the state of the object that an act concerns, and performs the act exactly as it was asked for.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};

use crate::agencies::{agency, enrolments, status_of_many};
use crate::certificates::registration::{self, Confirmation};
use crate::database::fault::Fault;
use crate::database::schema::{certificates as registered, entries};
use crate::error::AdministrationError;
use crate::ledger::{recharges, vouchers};
use crate::letters::held;
use crate::people::accounts::Account;
use crate::people::act::{Act, HeldDecision};
use crate::people::approved::Approved;
use crate::people::operator::Operator;
use crate::people::user::NewUser;
use crate::people::{locks, mapped, mapping, resets, standing, users};
use crate::tables;
use crate::tables::loaded::TableLoad;

impl Act {
    /// Reads the present state of the object that the act concerns, to be stored as `seen` or compared with it. Locks the object until the
    /// transaction ends, so that its state does not change in between.
    pub(super) async fn seen(&self, connection: &mut AsyncPgConnection) -> Result<Value, AdministrationError> {
        match self {
            Act::CertificateReplace { agency, .. } | Act::EnrolmentCode { agency } => {
                let status = agency::locked_status(connection, *agency).await?;
                let certificates: Vec<(i32, bool)> = registered::table
                    .filter(registered::agency.eq(agency))
                    .order(registered::id)
                    .select((registered::id, registered::revoked_at.is_not_null()))
                    .load(connection)
                    .await?;
                let name = agency::show(connection, *agency).await?.name;
                Ok(json!({ "name": name, "status": status, "certificates": certificates }))
            }
            Act::AgencyStatusOfMany { agencies, .. } => status_of_many::seen(connection, agencies).await,
            Act::AgencyRecharge { agency, .. } => {
                let status = agency::locked_status(connection, *agency).await?;
                let recharges: i64 = entries::table
                    .filter(entries::agency.eq(agency))
                    .filter(entries::kind.eq("recharge"))
                    .count()
                    .get_result(connection)
                    .await?;
                let name = agency::show(connection, *agency).await?.name;
                Ok(json!({ "name": name, "status": status, "recharges": recharges }))
            }
            // A batch of vouchers is new, so there is no state that could change before the confirmation.
            Act::VoucherBatch { .. } => Ok(json!({})),
            Act::RechargeLimit { .. } => Ok(json!({ "limit": recharges::limit(connection).await? })),
            Act::UserAdd(NewUser { name, account, .. }) => {
                standing::lock(connection).await?;
                let user = users::seen(connection, name).await?;
                Ok(json!({ "user": user, "account_of": owner(connection, account.as_ref()).await? }))
            }
            Act::UserPrivilege { user, .. }
            | Act::UserCommission { user, .. }
            | Act::UserLock { user, .. }
            | Act::UserUnlock { user }
            | Act::UserPassword { user, .. } => {
                standing::lock(connection).await?;
                Ok(json!({ "user": users::seen(connection, user).await? }))
            }
            Act::HeldDecide(HeldDecision { held, .. })
            | Act::ResultRelease(HeldDecision { held, .. })
            | Act::ResultCorrect(HeldDecision { held, .. }) => held::seen(connection, *held).await,
            Act::TableLoad(TableLoad { table, .. }) => {
                let table = tables::find(connection, table).await?;
                Ok(json!({ "table": table.table_id, "version": table.version }))
            }
            Act::UserMap { user, account } => {
                standing::lock(connection).await?;
                let user = users::seen(connection, user).await?;
                Ok(json!({ "user": user, "account_of": owner(connection, Some(account)).await? }))
            }
            Act::UserUnmap { account } => {
                standing::lock(connection).await?;
                Ok(json!({ "users": mapped::owners(connection, account).await? }))
            }
        }
    }

    /// Performs the act within the decider's transaction. Returns its result as JSON.
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
                let id = registration::register_by(connection, decider, approved, *agency, certificate, confirmation)
                    .await?;
                Ok(json!({ "certificate": id }))
            }
            Act::EnrolmentCode { agency } => {
                let expires_at = enrolments::permit_by(connection, decider, approved, *agency).await?;
                Ok(json!({ "expires_at": expires_at }))
            }
            Act::AgencyStatusOfMany { agencies, status } => {
                let changed =
                    status_of_many::set_status_of_many_by(connection, decider, approved, agencies, *status).await?;
                Ok(json!({ "agencies": agencies.len(), "changed": changed }))
            }
            Act::AgencyRecharge { agency, amount, note } => {
                let balance = recharges::recharge_by(connection, decider, approved, *agency, *amount, note).await?;
                Ok(json!({ "balance": balance }))
            }
            Act::VoucherBatch { vouchers: count, amount, expires_at } => {
                let batch = vouchers::make_by(connection, decider, approved, *count, *amount, *expires_at).await?;
                Ok(json!({ "batch": batch }))
            }
            Act::RechargeLimit { amount } => {
                recharges::set_limit_by(connection, decider, approved, *amount).await?;
                Ok(json!({ "limit": amount }))
            }
            Act::HeldDecide(_) | Act::ResultRelease(_) | Act::ResultCorrect(_) => {
                Err(Fault::Bug(format!("{} is done by a further attempt at its letter", self.need().name())).into())
            }
            Act::TableLoad(_) => Err(Fault::Bug(format!("{} is done with its file", self.need().name())).into()),
            of_people => of_people.perform_on_people(connection, decider, approved).await,
        }
    }

    /// Performs an act on users, their accounts and passwords.
    async fn perform_on_people(
        &self,
        connection: &mut AsyncPgConnection,
        decider: &Operator,
        approved: Option<&Approved>,
    ) -> Result<Value, AdministrationError> {
        match self {
            Act::UserAdd(new) => {
                // The new user gets no password: whoever confirms would see it and could sign in as the new user. He signs in with his
                // account of the machine, or two people give him a password in two parts.
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
            Act::UserLock { user, reason } => {
                locks::lock_by(connection, decider, approved, user, reason).await?;
                Ok(json!({ "user": user }))
            }
            Act::UserUnlock { user } => {
                locks::unlock_by(connection, decider, approved, user).await?;
                Ok(json!({ "user": user }))
            }
            Act::UserPassword { user, first } => {
                let approved = approved.map(|approved| (approved, first.as_str()));
                let second = resets::reset_by(connection, decider, approved, user).await?;
                Ok(json!({ "user": user, "second_part": second.reveal() }))
            }
            Act::UserUnmap { account } => {
                let user = mapping::unmap_by(connection, decider, approved, account).await?;
                Ok(json!({ "user": user }))
            }
            other => Err(Fault::Bug(format!("{} is no act on people", other.need().name())).into()),
        }
    }
}

async fn owner(
    connection: &mut AsyncPgConnection,
    account: Option<&Account>,
) -> Result<Vec<String>, AdministrationError> {
    match account {
        Some(account) => mapped::owners(connection, &account.name).await,
        None => Ok(Vec::new()),
    }
}
