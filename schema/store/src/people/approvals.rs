//! One person asks, another one confirms: what takes over an agency, moves much money, or gives somebody power needs two.
//!
//! Such an operation, called by one person alone, ends with [`AdministrationError::ApprovalNeeded`], which holds it with all its
//! parameters ([`Act`]); [`ask`] writes it down with what was seen. [`confirm`] does it inside the decider's transaction, if what was
//! seen still holds; else it is asked anew. The database itself refuses that one person is both. [`Need`] is the one table of what
//! needs a second person.

mod act;
mod need;

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use serde_json::Value;

pub use act::Act;
pub use need::Need;

use super::users::{Standing, standing};
use super::{AuditAction, Operation, Operator, audit};
use crate::database::fault::Fault;
use crate::database::schema::approvals;
use crate::error::{AdministrationError, InvalidValue};

/// How long something that was asked waits.
const VALIDITY: Duration = Duration::hours(24);

/// Something that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// Its number.
    pub id: i64,
    /// The operation's name.
    pub operation: String,
    /// Its parameters.
    pub parameters: Value,
    /// What it concerns, as it was when it was asked.
    pub seen: Value,
    /// Who asked.
    pub asked_by: String,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// Until when it may be confirmed.
    pub expires_at: DateTime<Utc>,
    /// `waiting`, `expired`, `confirmed`, `refused`, `changed` (what was seen) or `withdrawn`.
    pub state: String,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// Why it was refused.
    pub reason: Option<String>,
    /// What was asked.
    #[serde(skip)]
    pub act: Act,
}

/// What was confirmed and done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confirmed {
    /// The approval, as it is now.
    pub approval: Approval,
    /// What came of the operation.
    pub result: Value,
}

/// Proves that a second person confirmed the operation that it is handed to: nothing but [`confirm`] makes one.
#[derive(Debug)]
pub struct Approved(());

impl Approved {
    /// Demands a second person.
    ///
    /// # Errors
    /// [`AdministrationError::ApprovalNeeded`] where nobody confirmed it.
    pub(crate) fn demand(approved: Option<&Approved>, act: impl FnOnce() -> Act) -> Result<(), AdministrationError> {
        match approved {
            Some(_) => Ok(()),
            None => Err(AdministrationError::ApprovalNeeded(Box::new(act()))),
        }
    }
}

#[derive(Queryable)]
struct Row {
    id: i64,
    operation: String,
    parameters: Value,
    seen: Value,
    asked_by: String,
    asker_is_commission: bool,
    asked_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    state: String,
    decided_by: Option<String>,
    decided_at: Option<DateTime<Utc>>,
    reason: Option<String>,
}

type Columns = (
    approvals::id,
    approvals::operation,
    approvals::parameters,
    approvals::seen,
    approvals::asked_by,
    approvals::asker_is_commission,
    approvals::asked_at,
    approvals::expires_at,
    approvals::state,
    approvals::decided_by,
    approvals::decided_at,
    approvals::reason,
);
const COLUMNS: Columns = (
    approvals::id,
    approvals::operation,
    approvals::parameters,
    approvals::seen,
    approvals::asked_by,
    approvals::asker_is_commission,
    approvals::asked_at,
    approvals::expires_at,
    approvals::state,
    approvals::decided_by,
    approvals::decided_at,
    approvals::reason,
);

impl Row {
    fn into_approval(self) -> Result<Approval, Fault> {
        let act = Act::read(&self.operation, self.parameters)?;
        let is_expired = self.state == "waiting" && self.expires_at <= Utc::now();
        Ok(Approval {
            id: self.id,
            operation: self.operation,
            parameters: act.told(),
            seen: self.seen,
            asked_by: self.asked_by,
            asked_at: self.asked_at,
            expires_at: self.expires_at,
            state: if is_expired { "expired".to_owned() } else { self.state },
            decided_by: self.decided_by,
            decided_at: self.decided_at,
            reason: self.reason,
            act,
        })
    }
}

/// Asks for something. The same that waits already, of the same sight, is not asked twice: its approval is returned.
///
/// # Errors
/// The asker may not do it himself; what it concerns does not exist; a fault.
pub async fn ask(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    act: &Act,
) -> Result<Approval, AdministrationError> {
    operator.require(connection, act.operation()).await?;
    let parameters = act.parameters()?;
    connection
        .transaction(async |connection| {
            let seen = act.seen(connection).await?;
            let waiting: Vec<Row> = approvals::table
                .filter(approvals::state.eq("waiting"))
                .filter(approvals::operation.eq(act.need().name()))
                .filter(approvals::expires_at.gt(Utc::now()))
                .order(approvals::id)
                .select(COLUMNS)
                .load(connection)
                .await?;
            if let Some(same) = waiting.into_iter().find(|one| one.parameters == parameters && one.seen == seen) {
                return Ok(same.into_approval()?);
            }
            let row: Row = diesel::insert_into(approvals::table)
                .values((
                    approvals::operation.eq(act.need().name()),
                    approvals::parameters.eq(&parameters),
                    approvals::seen.eq(&seen),
                    approvals::needs_commission.eq(act.need().is_of_commission()),
                    approvals::asked_by.eq(operator.user()),
                    approvals::asker_is_commission.eq(operator.is_commission()),
                    approvals::expires_at.eq(Utc::now() + VALIDITY),
                ))
                .returning(COLUMNS)
                .get_result(connection)
                .await?;
            let approval = row.into_approval()?;
            let action = AuditAction::ApprovalAsk {
                approval: approval.id,
                operation: act.need().name(),
                parameters: &approval.parameters,
                seen: &approval.seen,
            };
            audit::write(connection, operator, &action).await?;
            Ok(approval)
        })
        .await
}

/// Lists what was asked, the newest first: what waits, or all, older than `before` where given.
///
/// # Errors
/// A fault.
pub async fn list(
    connection: &mut AsyncPgConnection,
    with_decided: bool,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Approval>, AdministrationError> {
    let mut query = approvals::table
        .filter(approvals::id.lt(before.unwrap_or(i64::MAX)))
        .order(approvals::id.desc())
        .limit(limit)
        .select(COLUMNS)
        .into_boxed();
    if !with_decided {
        query = query.filter(approvals::state.eq("waiting")).filter(approvals::expires_at.gt(Utc::now()));
    }
    let rows: Vec<Row> = query.load(connection).await?;
    Ok(rows.into_iter().map(Row::into_approval).collect::<Result<_, Fault>>()?)
}

/// Shows something that was asked.
///
/// # Errors
/// No such approval; a fault.
pub async fn show(connection: &mut AsyncPgConnection, id: i64) -> Result<Approval, AdministrationError> {
    let row: Option<Row> = approvals::table.find(id).select(COLUMNS).first(connection).await.optional()?;
    Ok(row.ok_or(AdministrationError::ApprovalUnknown(id))?.into_approval()?)
}

/// Confirms what another person asked, and does it, all in one transaction: if what was seen still holds.
///
/// # Errors
/// No such approval; decided or expired; asked by the same person, or by one who may not ask it any more; what was seen has changed,
/// which ends it; neither of the two is of the commission where one must be; whatever the operation itself refuses; a fault. A try to
/// confirm one's own is a line of the audit log.
pub async fn confirm(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    id: i64,
) -> Result<Confirmed, AdministrationError> {
    decider.require(connection, Operation::ApprovalConfirm).await?;
    let confirmed = connection.transaction(async |connection| confirm_within(connection, decider, id).await).await;
    match confirmed {
        Ok(Some(confirmed)) => Ok(confirmed),
        Ok(None) => Err(AdministrationError::ApprovalChanged(id)),
        Err(error) => {
            if matches!(error, AdministrationError::ApprovalOwn(_)) {
                let action = AuditAction::ApprovalRefusedTry { approval: id, why: error.code() };
                connection.transaction(async |connection| audit::write(connection, decider, &action).await).await?;
            }
            Err(error)
        }
    }
}

/// Refuses what another person asked, or takes back what one asked oneself.
///
/// # Errors
/// No such approval; decided or expired; no reason; a fault.
pub async fn refuse(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i64,
    reason: &str,
) -> Result<Approval, AdministrationError> {
    let asked_by = show(connection, id).await?.asked_by;
    let is_own = asked_by == operator.user();
    if !is_own {
        operator.require(connection, Operation::ApprovalConfirm).await?;
    }
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().any(char::is_control) {
        return Err(InvalidValue::Reason.into());
    }
    connection
        .transaction(async |connection| {
            waiting(connection, id).await?;
            let state = if is_own { "withdrawn" } else { "refused" };
            let decided_by = (!is_own).then(|| operator.user());
            diesel::update(approvals::table.find(id))
                .set((
                    approvals::state.eq(state),
                    approvals::decided_by.eq(decided_by),
                    approvals::decider_is_commission.eq(Some(operator.is_commission())),
                    approvals::decided_at.eq(Some(Utc::now())),
                    approvals::reason.eq(Some(reason)),
                ))
                .execute(connection)
                .await?;
            let action = if is_own {
                AuditAction::ApprovalWithdraw { approval: id, reason }
            } else {
                AuditAction::ApprovalRefuse { approval: id, asked_by: &asked_by, reason }
            };
            audit::write(connection, operator, &action).await?;
            show(connection, id).await
        })
        .await
}

/// `None` where what was seen has changed: that ends the approval, and is committed.
async fn confirm_within(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    id: i64,
) -> Result<Option<Confirmed>, AdministrationError> {
    // Of two who decide at once the second waits here, and then finds it decided.
    let (approval, asker_was_commission) = waiting(connection, id).await?;
    let asker = standing(connection, &approval.asked_by).await?;
    let asker = Standing { is_commission: asker.is_commission && asker_was_commission, ..asker };
    let (need, operation) = (approval.act.need(), approval.act.operation());
    judge(id, need, operation, (&approval.asked_by, &asker), decider)?;
    let holds = approval.act.seen(connection).await? == approval.seen;
    let result = match holds {
        true => approval.act.perform(connection, decider, &Approved(())).await?,
        false => Value::Null,
    };
    let state = if holds { "confirmed" } else { "changed" };
    diesel::update(approvals::table.find(id))
        .set((
            approvals::state.eq(state),
            approvals::decided_by.eq(Some(decider.user())),
            approvals::decider_is_commission.eq(Some(decider.is_commission())),
            approvals::decided_at.eq(Some(Utc::now())),
        ))
        .execute(connection)
        .await?;
    let (operation, asked_by) = (approval.act.need().name(), approval.asked_by.as_str());
    let action = if holds {
        AuditAction::ApprovalConfirm { approval: id, operation, asked_by }
    } else {
        AuditAction::ApprovalChanged { approval: id, operation, asked_by }
    };
    audit::write(connection, decider, &action).await?;
    let approval = show(connection, id).await?;
    Ok(holds.then_some(Confirmed { approval, result }))
}

/// Locks an approval that waits, and says whether its asker was of the commission when he asked.
async fn waiting(connection: &mut AsyncPgConnection, id: i64) -> Result<(Approval, bool), AdministrationError> {
    let row: Option<Row> = approvals::table.find(id).select(COLUMNS).for_update().first(connection).await.optional()?;
    let row = row.ok_or(AdministrationError::ApprovalUnknown(id))?;
    let was_commission = row.asker_is_commission;
    let approval = row.into_approval()?;
    match approval.state.as_str() {
        "waiting" => Ok((approval, was_commission)),
        "expired" => Err(AdministrationError::ApprovalExpired { id, at: approval.expires_at }),
        _ => Err(AdministrationError::ApprovalDecided { id, state: approval.state }),
    }
}

/// Judges the two people: they are two, the asker may still ask, and one is of the commission where one must be.
fn judge(
    id: i64,
    need: Need,
    operation: Operation,
    (asked_by, asker): (&str, &Standing),
    decider: &Operator,
) -> Result<(), AdministrationError> {
    if asked_by == decider.user() {
        return Err(AdministrationError::ApprovalOwn(id));
    }
    if asker.privilege < operation.privilege() {
        return Err(AdministrationError::ApprovalAskerMayNot { id, user: asked_by.to_owned() });
    }
    // Who asks for results and who confirms them: one of the two is of the commission.
    if need.is_of_commission() && !asker.is_commission && !decider.is_commission() {
        return Err(AdministrationError::ApprovalWithoutCommission(id));
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
