//! The decision about a held letter: one person asks for it and another person confirms it. Settling then makes another attempt at the
//! letter, which accepts or refuses it as decided.

use chrono::Utc;
use diesel::sql_types::{BigInt, Bool, Text, Timestamptz};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::digest::Digest;
use serde_json::json;

use super::{HeldLetter, Kept, find, find_open, kept};
use crate::approvals::{self, Approval};
use crate::error::{AdministrationError, InvalidValue};
use crate::letters::quarantine::QuarantineEntry;
use crate::letters::quarantine::retry::{TakenUp, as_json};
use crate::people::act::{Act, HeldDecision};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;
use crate::settle::{Arrival, Retry, Ruling, Settler, Tried};

/// Makes the act for a decision. If `waived` is a list, the letter is released and these checks are waived; an empty list means all checks
/// that hold the letter. If `waived` is `None`, the letter is refused. Corrections that wait only for approval, and are not of results,
/// need no act: see [`decide_alone`].
///
/// # Errors
/// The letter does not exist or is decided already; a check that does not hold the letter; the reason is missing; a fault of the database.
pub async fn act(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i64,
    waived: Option<&[String]>,
    reason: &str,
) -> Result<Act, AdministrationError> {
    operator.require(connection, Operation::HeldDecide).await?;
    let letter = find(connection, id).await?;
    if letter.state != "open" {
        return Err(AdministrationError::HeldDecided { id, state: letter.state });
    }
    let reason = audit::reason(reason)?;
    let known = letter.checks_named();
    let waived = match waived {
        Some([]) => Some(known),
        Some(named) if named.iter().all(|check| known.contains(check)) => Some(named.to_vec()),
        Some(_) => return Err(InvalidValue::CheckWaived { known }.into()),
        None => None,
    };
    let decision = HeldDecision { held: id, waived, reason: reason.to_owned() };
    Ok(match (letter.is_of_results, letter.is_of_corrections()) {
        (true, true) => Act::ResultCorrect(decision),
        (true, false) => Act::ResultRelease(decision),
        (false, _) => Act::HeldDecide(decision),
    })
}

/// Says whether one operator may decide alone. He may if the letter has corrections that wait for approval and are not of results: the
/// office that sent the corrections counts as the first person.
///
/// # Errors
/// The letter does not exist; a fault of the database.
pub async fn is_for_one(connection: &mut AsyncPgConnection, id: i64) -> Result<bool, AdministrationError> {
    let letter = find(connection, id).await?;
    Ok(letter.is_of_corrections() && !letter.is_of_results)
}

/// Reads an open held letter with its bytes, to settle it again.
///
/// # Errors
/// The letter does not exist or is decided already; a fault of the database.
pub async fn take_up(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i64,
) -> Result<TakenUp, AdministrationError> {
    operator.require(connection, Operation::HeldDecide).await?;
    connection
        .transaction(async |connection| {
            let HeldLetter { agency, letter_id, installation, received_at, code, .. } =
                find_open(connection, id).await?;
            let Kept { transport, mailbox, sender_domain, original } = kept(connection, id).await?;
            let entry = QuarantineEntry {
                id,
                received_at,
                reason: code,
                held: true,
                agency: Some(agency),
                installation: Some(installation),
                letter_id: Some(letter_id),
                digest: Digest::of(&original).as_bytes().to_vec(),
                transport,
                mailbox,
                sender_domain,
                original_bytes: i64::try_from(original.len()).unwrap_or(i64::MAX),
                detail: String::new(),
                faulty_table: None,
                state: "open".to_owned(),
                claimed_agency: None,
                signer: None,
                sender: None,
                subject: None,
            };
            Ok(TakenUp { entry, original })
        })
        .await
}

/// Outcome of a decision about a held letter.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The approval after the decision. If no attempt could be made, it still waits, and can be confirmed again. `None` if one person
    /// decided alone.
    pub approval: Option<Approval>,
    /// Outcome of the further attempt.
    pub tried: Tried,
}

/// Confirms the decision that another person asked for, and carries it out: settling makes another attempt at the letter, and accepts or
/// refuses it as decided. One transaction commits the new verdict, closes the approval and writes the line of the audit log. If the letter
/// cannot be settled, only the line of the audit log is written. If the key that signed the letter was revoked in the meantime, the letter
/// can still be refused, but its agency gets no answer.
///
/// # Errors
/// The errors of [`approvals::confirm`]; the letter was decided in the meantime; a fault of the database.
pub async fn confirm(
    settler: &Settler,
    connection: &mut AsyncPgConnection,
    decider: &Operator,
    approval_id: i64,
    opened: Arrival,
) -> Result<Decided, AdministrationError> {
    decider.require(connection, Operation::HeldDecide).await?;
    let approval = approvals::show(connection, approval_id).await?;
    let Some(decision) = approval.act.of_held() else {
        return Err(AdministrationError::ApprovalUnknown(approval_id));
    };
    // A decision that cannot be confirmed is refused here, before the attempt begins. The check is repeated under the locks of the attempt.
    approvals::still_holds(connection, decider, approval_id).await?;
    Carrying { settler, decider, decision, approval: Some(approval_id) }.out(connection, opened).await
}

/// Decides about corrections that wait only for approval, with one operator alone, and carries the decision out.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`] if two people must decide; the letter was decided in the meantime; a fault of the database.
pub async fn decide_alone(
    settler: &Settler,
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    act: &Act,
    opened: Arrival,
) -> Result<Decided, AdministrationError> {
    operator.require(connection, Operation::CorrectionDecide).await?;
    let Some(decision) = act.of_held() else {
        return Err(AdministrationError::ApprovalNeeded(Box::new(act.clone())));
    };
    if !is_for_one(connection, decision.held).await? {
        return Err(AdministrationError::ApprovalNeeded(Box::new(act.clone())));
    }
    Carrying { settler, decider: operator, decision, approval: None }.out(connection, opened).await
}

/// A decision about a held letter that is being carried out. `approval` is `None` if one person decided alone.
struct Carrying<'a> {
    settler: &'a Settler,
    decider: &'a Operator,
    decision: &'a HeldDecision,
    approval: Option<i64>,
}

impl Carrying<'_> {
    async fn out(&self, connection: &mut AsyncPgConnection, opened: Arrival) -> Result<Decided, AdministrationError> {
        let HeldDecision { waived, reason, .. } = self.decision;
        let ruling = match waived {
            Some(waived) => Ruling::Release { waived: waived.iter().cloned().collect(), reason: reason.clone() },
            None => Ruling::Refuse(reason.clone()),
        };
        let decider = self.decider.user().to_owned();
        let retry = Retry { decider, decided_at: Utc::now(), ruling, approval: self.approval };
        let mut written = self.settler.write_again(vec![opened], retry).await.map_err(|unsettled| unsettled.fault)?;
        let tried = written.tried().into_iter().next().unwrap_or(Tried::Waits);
        if is_attempt(&tried) {
            // The transaction has the agency's lock, so another decision about the letter waits.
            let approval = self.end(written.connection(), &tried).await?;
            written.post().await.map_err(|unsettled| unsettled.fault)?;
            return Ok(Decided { approval, tried });
        }
        drop(written);
        if waived.is_none() && matches!(tried, Tried::Stranger(_)) {
            let approval = connection.transaction(async |connection| self.end(connection, &tried).await).await?;
            return Ok(Decided { approval, tried });
        }
        let action = self.action(&tried);
        connection.transaction(async |connection| audit::write(connection, self.decider, &action).await).await?;
        let approval = match self.approval {
            Some(id) => Some(approvals::show(connection, id).await?),
            None => None,
        };
        Ok(Decided { approval, tried })
    }

    /// Ends the held letter and the approval, and writes the line of the audit log, in the caller's transaction.
    async fn end(
        &self,
        connection: &mut AsyncPgConnection,
        tried: &Tried,
    ) -> Result<Option<Approval>, AdministrationError> {
        let judged = match self.approval {
            Some(id) => Some(approvals::judged(connection, self.decider, id).await?),
            None => None,
        };
        let HeldDecision { held, reason, .. } = self.decision;
        find_open(connection, *held).await?;
        close(connection, *held, tried, (self.decider, reason)).await?;
        audit::write(connection, self.decider, &self.action(tried)).await?;
        match judged {
            Some(judged) => Ok(Some(approvals::end(connection, self.decider, &judged.approval).await?)),
            None => Ok(None),
        }
    }

    fn action(&self, tried: &Tried) -> AuditAction<'_> {
        AuditAction::HeldDecide {
            held: self.decision.held,
            released: self.decision.waived.is_some(),
            waived: self.decision.waived.as_deref().unwrap_or_default(),
            reason: &self.decision.reason,
            tried: as_json(tried),
        }
    }
}

fn is_attempt(tried: &Tried) -> bool {
    matches!(tried, Tried::Accepted { .. } | Tried::Refused { .. } | Tried::Held { .. })
}

/// Marks a held letter as released or refused. Its bytes are deleted, since settling has stored them again: with the journal's line of an
/// accepted letter, or in the quarantine entry of a refused letter. The rows of an accepted letter are deleted, since they are now in their
/// tables.
async fn close(
    connection: &mut AsyncPgConnection,
    id: i64,
    tried: &Tried,
    (decider, reason): (&Operator, &str),
) -> Result<(), AdministrationError> {
    let (state, has_bytes_elsewhere) = match tried {
        Tried::Accepted { .. } => ("released", true),
        Tried::Refused { .. } => ("refused", true),
        Tried::Stranger(_) => ("refused", false),
        Tried::Held { .. } | Tried::AcceptedBefore { .. } | Tried::Waits => return Ok(()),
    };
    diesel::sql_query(
        "UPDATE xm.held SET state = $2, decided_at = $3, decided_by = $4, reason = $5,
                            original = CASE WHEN $6 THEN '' ELSE original END
          WHERE id = $1",
    )
    .bind::<BigInt, _>(id)
    .bind::<Text, _>(state)
    .bind::<Timestamptz, _>(Utc::now())
    .bind::<Text, _>(decider.user())
    .bind::<Text, _>(reason)
    .bind::<Bool, _>(has_bytes_elsewhere)
    .execute(connection)
    .await?;
    if state == "released" {
        diesel::sql_query("DELETE FROM xm.held_rows WHERE held = $1").bind::<BigInt, _>(id).execute(connection).await?;
    }
    Ok(())
}

/// Returns a decision's outcome as JSON, for programs.
pub fn told(decided: &Decided) -> serde_json::Value {
    json!({ "approval": decided.approval, "tried": as_json(&decided.tried) })
}
