//! Approvals: one person asks for an operation, another person confirms it. Operations that take over an agency, move much money or give
//! somebody more rights need two people.
//!
//! If one person alone calls such an operation, it fails with [`AdministrationError::ApprovalNeeded`], which contains the operation with
//! its parameters ([`Act`]). [`ask`] stores the act, and the present state of the object that it concerns as `seen`. [`confirm`] performs
//! the act inside the decider's transaction if the state still equals `seen`. Otherwise the approval ends, and the asker has to ask again.
//! A constraint of the database refuses an approval whose asker is also its decider. Type `people::need::Need` lists the operations that
//! need a second person.

mod perform;

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use serde_json::Value;

use crate::database::fault::Fault;
use crate::database::schema::approvals;
use crate::error::AdministrationError;
use crate::people::act::Act;
use crate::people::action::{ApprovalStep, AuditAction};
use crate::people::approved::{Approved, judge};
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;
use crate::people::standing::{Standing, standing};

/// Time for which an approval may be confirmed.
const VALIDITY: Duration = Duration::hours(24);

/// An approval: an operation that one person asked for, and its decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// Number of the approval.
    pub id: i64,
    /// Name of the operation.
    pub operation: String,
    /// Parameters of the operation, without secrets.
    pub parameters: Value,
    /// State of the object that the operation concerns, at the time when the user asked.
    pub seen: Value,
    /// Name of the user who asked.
    pub asked_by: String,
    /// Time when the user asked.
    pub asked_at: DateTime<Utc>,
    /// Time until which the operation may be confirmed.
    pub expires_at: DateTime<Utc>,
    /// State: `waiting`, `expired`, `confirmed`, `refused`, `changed` (the state in `seen` no longer held) or `withdrawn`.
    pub state: String,
    /// Name of the user who decided; `None` before a decision, or if the asker withdrew.
    pub decided_by: Option<String>,
    /// Time of the decision or withdrawal; `None` before that.
    pub decided_at: Option<DateTime<Utc>>,
    /// Reason of a refusal or withdrawal; `None` otherwise.
    pub reason: Option<String>,
    /// The operation itself, with all its parameters.
    #[serde(skip)]
    pub act: Act,
}

/// A confirmed approval, whose operation was performed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confirmed {
    /// The approval after its confirmation.
    pub approval: Approval,
    /// Result of the operation, such as `{"balance": 5000}`.
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

/// Asks for an operation. If the same operation already waits with the same `seen` state, its approval is returned and no second approval
/// is made.
///
/// # Errors
/// The asker may not perform the operation; the object that it concerns does not exist; a fault of the database.
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
            let operation = act.need().name();
            let step = ApprovalStep::Ask { operation, parameters: &approval.parameters, seen: &approval.seen };
            let action = AuditAction::Approval { approval: approval.id, step };
            audit::write(connection, operator, &action).await?;
            Ok(approval)
        })
        .await
}

/// Lists approvals, newest first. If `before` is given, only approvals with a lower number are listed. Decided approvals are listed only if
/// `with_decided` is set.
///
/// # Errors
/// A fault of the database.
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

/// Shows one approval.
///
/// # Errors
/// The approval does not exist; a fault of the database.
pub async fn show(connection: &mut AsyncPgConnection, id: i64) -> Result<Approval, AdministrationError> {
    let row: Option<Row> = approvals::table.find(id).select(Row::as_select()).first(connection).await.optional()?;
    Ok(row.ok_or(AdministrationError::ApprovalUnknown(id))?.into_approval()?)
}

/// Confirms an operation that another person asked for, and performs it, in one transaction.
///
/// # Errors
/// The approval does not exist; the approval is decided or expired; the decider is the asker; the asker has lost the right to ask; the
/// `seen` state has changed, which ends the approval; the operation needs a member of the election commission, and neither person is one;
/// an error of the operation itself; a fault of the database. The audit log records an asker's attempt to confirm his own approval.
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

/// Refuses an operation that another person asked for, or withdraws an operation that the caller asked for.
///
/// # Errors
/// The approval does not exist; the approval is decided or expired; the reason is missing; a fault of the database.
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
    let reason = audit::reason(reason)?;
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
            let step = if is_own {
                ApprovalStep::Withdraw { reason }
            } else {
                ApprovalStep::Refuse { asked_by: &asked_by, reason }
            };
            audit::write(connection, operator, &AuditAction::Approval { approval: id, step }).await?;
            show(connection, id).await
        })
        .await
}

/// A waiting approval that was locked and checked: asker and decider are two people who have the rights that the operation needs. `holds`
/// says whether the object that the operation concerns is still in the state `seen`.
pub(crate) struct Judged {
    pub approval: Approval,
    approved: Approved,
    holds: bool,
}

/// Locks and checks a waiting approval whose operation the caller performs itself. [`Act`] performs most operations, but not all: for
/// example, only module `settle`, which depends on this one, can process a letter again. The caller performs the operation in this
/// transaction and then calls [`end`].
///
/// # Errors
/// The errors of [`confirm`]; if the object is no longer in the state `seen`, the caller must not commit the transaction.
pub(crate) async fn judged(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    id: i64,
) -> Result<Judged, AdministrationError> {
    let judged = judge_waiting(connection, decider, id).await?;
    if judged.holds { Ok(judged) } else { Err(AdministrationError::ApprovalChanged(id)) }
}

/// Marks an approval as confirmed, in the transaction that performed its operation.
pub(crate) async fn end(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    approval: &Approval,
) -> Result<Approval, AdministrationError> {
    close(connection, decider, approval, true).await
}

/// Checks whether this person may confirm a waiting approval, and whether the `seen` state is unchanged. A changed state ends the approval.
///
/// # Errors
/// The errors of [`confirm`].
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

/// Writes an audit line if an asker tried to confirm his own approval, since this may be an attempt to get around the second person.
/// Returns the error unchanged.
async fn put_on_record(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    id: i64,
    error: AdministrationError,
) -> Result<AdministrationError, AdministrationError> {
    if matches!(error, AdministrationError::ApprovalOwn(_)) {
        let action = AuditAction::Approval { approval: id, step: ApprovalStep::RefusedTry { why: error.code() } };
        connection.transaction(async |connection| audit::write(connection, decider, &action).await).await?;
    }
    Ok(error)
}

async fn judge_waiting(
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    id: i64,
) -> Result<Judged, AdministrationError> {
    // If two people decide at the same time, the second person waits here for the lock and then finds the approval decided.
    let (approval, asker_was_commission) = waiting(connection, id).await?;
    let asker = standing(connection, &approval.asked_by).await?;
    let asker = Standing { is_commission: asker.is_commission && asker_was_commission, ..asker };
    let (need, operation) = (approval.act.need(), approval.act.operation());
    let approved = judge(id, need, operation, (&approval.asked_by, &asker), decider)?;
    let holds = approval.act.seen(connection).await? == approval.seen;
    Ok(Judged { approval, approved, holds })
}

/// Ends an approval with the state `confirmed` or `changed`.
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
    let step = if is_confirmed {
        ApprovalStep::Confirm { operation, asked_by }
    } else {
        ApprovalStep::Changed { operation, asked_by }
    };
    audit::write(connection, decider, &AuditAction::Approval { approval: id, step }).await?;
    show(connection, id).await
}

/// Performs a confirmed operation. Returns `None` if the object is no longer in the state `seen`; the approval is then marked as ended, and
/// the caller commits that.
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

/// Locks a waiting approval. Returns the approval, and whether the asker belonged to the commission when he asked.
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
