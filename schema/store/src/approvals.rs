//! One person asks, another one confirms: what takes over an agency, moves much money, or gives somebody power needs two.
//!
//! Such an operation, called by one person alone, ends with [`AdministrationError::ApprovalNeeded`], which holds it with all its
//! parameters ([`Act`]); [`ask`] writes it down with what was seen. [`confirm`] does it inside the decider's transaction, if what was
//! seen still holds; else it is asked anew. The database itself refuses that one person is both. `people::need::Need` is the one table of
//! what needs a second person.

mod perform;

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use serde_json::Value;

use crate::database::fault::Fault;
use crate::database::schema::approvals;
use crate::error::{AdministrationError, InvalidValue};
use crate::people::act::Act;
use crate::people::action::AuditAction;
use crate::people::approved::{Approved, judge};
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;
use crate::people::standing::{Standing, standing};

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

#[derive(Queryable, Selectable)]
#[diesel(table_name = approvals)]
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
                .select(Row::as_select())
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
                .returning(Row::as_returning())
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
        .select(Row::as_select())
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
    let row: Option<Row> = approvals::table.find(id).select(Row::as_select()).first(connection).await.optional()?;
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
        Err(error) => Err(put_on_record(connection, decider, id, error).await?),
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

/// Something that waits, as the two people and what was seen stand under its lock.
pub(crate) struct Judged {
    pub approval: Approval,
    approved: Approved,
    holds: bool,
}

/// Judges something that waits and needs more than its own transaction to be done, such as a letter's further attempt: the caller does
/// it in this transaction, and ends it with [`end`].
///
/// # Errors
/// As of [`confirm`]; what was seen has changed: the caller's transaction must not be committed.
pub(crate) async fn judged(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    id: i64,
) -> Result<Judged, AdministrationError> {
    let judged = judge_waiting(connection, decider, id).await?;
    if judged.holds { Ok(judged) } else { Err(AdministrationError::ApprovalChanged(id)) }
}

/// Ends something that was done, within the transaction that did it.
pub(crate) async fn end(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    approval: &Approval,
) -> Result<Approval, AdministrationError> {
    close(connection, decider, approval, true).await
}

/// Finds out whether something that waits may be confirmed by this person and is as it was seen; what has changed ends the approval.
///
/// # Errors
/// As of [`confirm`].
pub(crate) async fn still_holds(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    id: i64,
) -> Result<(), AdministrationError> {
    let found = connection
        .transaction(async |connection| {
            let judged = judge_waiting(connection, decider, id).await?;
            if !judged.holds {
                close(connection, decider, &judged.approval, false).await?;
            }
            Ok(judged.holds)
        })
        .await;
    match found {
        Ok(true) => Ok(()),
        Ok(false) => Err(AdministrationError::ApprovalChanged(id)),
        Err(error) => Err(put_on_record(connection, decider, id, error).await?),
    }
}

/// Puts it on record where somebody tried to confirm what he asked himself, and hands the error on.
async fn put_on_record(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    id: i64,
    error: AdministrationError,
) -> Result<AdministrationError, AdministrationError> {
    if matches!(error, AdministrationError::ApprovalOwn(_)) {
        let action = AuditAction::ApprovalRefusedTry { approval: id, why: error.code() };
        connection.transaction(async |connection| audit::write(connection, decider, &action).await).await?;
    }
    Ok(error)
}

async fn judge_waiting(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    id: i64,
) -> Result<Judged, AdministrationError> {
    // Of two who decide at once the second waits here, and then finds it decided.
    let (approval, asker_was_commission) = waiting(connection, id).await?;
    let asker = standing(connection, &approval.asked_by).await?;
    let asker = Standing { is_commission: asker.is_commission && asker_was_commission, ..asker };
    let (need, operation) = (approval.act.need(), approval.act.operation());
    let approved = judge(id, need, operation, (&approval.asked_by, &asker), decider)?;
    let holds = approval.act.seen(connection).await? == approval.seen;
    Ok(Judged { approval, approved, holds })
}

/// Ends an approval: confirmed, or because what was seen has changed.
async fn close(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    approval: &Approval,
    is_confirmed: bool,
) -> Result<Approval, AdministrationError> {
    let id = approval.id;
    let state = if is_confirmed { "confirmed" } else { "changed" };
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
    let action = if is_confirmed {
        AuditAction::ApprovalConfirm { approval: id, operation, asked_by }
    } else {
        AuditAction::ApprovalChanged { approval: id, operation, asked_by }
    };
    audit::write(connection, decider, &action).await?;
    show(connection, id).await
}

/// `None` where what was seen has changed: that ends the approval, and is committed.
async fn confirm_within(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    id: i64,
) -> Result<Option<Confirmed>, AdministrationError> {
    let Judged { approval, approved, holds } = judge_waiting(connection, decider, id).await?;
    let result = match holds {
        true => approval.act.perform(connection, decider, &approved).await?,
        false => Value::Null,
    };
    let approval = close(connection, decider, &approval, holds).await?;
    Ok(holds.then_some(Confirmed { approval, result }))
}

/// Locks an approval that waits, and says whether its asker was of the commission when he asked.
async fn waiting(connection: &mut AsyncPgConnection, id: i64) -> Result<(Approval, bool), AdministrationError> {
    let row: Option<Row> =
        approvals::table.find(id).select(Row::as_select()).for_update().first(connection).await.optional()?;
    let row = row.ok_or(AdministrationError::ApprovalUnknown(id))?;
    let was_commission = row.asker_is_commission;
    let approval = row.into_approval()?;
    match approval.state.as_str() {
        "waiting" => Ok((approval, was_commission)),
        "expired" => Err(AdministrationError::ApprovalExpired { id, at: approval.expires_at }),
        _ => Err(AdministrationError::ApprovalDecided { id, state: approval.state }),
    }
}

#[cfg(test)]
pub(crate) mod tests;
