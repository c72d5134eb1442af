//! Answers that have not been sent. Operators list them, and make them due again after the cause of the delay is repaired.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;
use uuid::Uuid;

use crate::error::AdministrationError;
use crate::letters::outbox;
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// An answer or a notice that has not been sent.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Answer {
    /// Number of the answer in `xm.outbox`.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Matricule of the agency that gets the answer.
    #[diesel(sql_type = Integer)]
    pub agency: Matricule,
    /// E-mail address to which the answer is sent; empty if the agency has none.
    #[diesel(sql_type = Text)]
    pub email: String,
    /// Transport by which the answer is sent: `mail` or `folder`.
    #[diesel(sql_type = Text)]
    pub transport: String,
    /// Number of the notice, counted for each installation; `None` for an answer.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub notice: Option<i64>,
    /// Id of the letter that the answer belongs to; `None` for a notice.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub letter_id: Option<Uuid>,
    /// Number of the attempt to process the letter, from 1, to which the answer belongs.
    #[diesel(sql_type = SmallInt)]
    pub attempt: i16,
    /// Part of the answer that is sent next, from 1; 0 for the receipt alone.
    #[diesel(sql_type = SmallInt)]
    pub part: i16,
    /// Time when the answer was queued.
    #[diesel(sql_type = Timestamptz)]
    pub queued_at: DateTime<Utc>,
    /// Time from which the answer is sent, or tried again.
    #[diesel(sql_type = Timestamptz)]
    pub due_at: DateTime<Utc>,
    /// Number of attempts to send the answer.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    /// Whether sending was given up.
    #[diesel(sql_type = Bool)]
    pub is_given_up: bool,
    /// Last error of the relay; `None` if there was none.
    #[diesel(sql_type = Nullable<Text>)]
    pub last_error: Option<String>,
}

/// Filter of a list of answers, which begins with the oldest.
#[derive(Clone, Debug, Default)]
pub struct AnswerFilter {
    /// Only answers to this agency.
    pub agency: Option<Matricule>,
    /// Only answers that were given up.
    pub is_given_up: bool,
    /// Only answers with a higher number than this.
    pub after: Option<i64>,
    /// Largest number of answers to list; 100 when `None`.
    pub limit: Option<i64>,
}

/// Expands to a SELECT of an answer's columns; the caller adds the condition.
macro_rules! select_answers {
    ($condition:literal) => {
        concat!(
            "SELECT o.id, o.agency, coalesce(o.email, a.email) AS email,
                    coalesce(i.transport, replace(o.transport, '-parts', '')) AS transport, n.number AS notice,
                    o.letter_id, o.attempt, o.part, o.queued_at, o.due_at, o.attempts, o.failed_at IS NOT NULL AS is_given_up,
                    o.last_error
               FROM xm.outbox o JOIN xm.agencies a ON a.matricule = o.agency
               LEFT JOIN xm.notices n ON n.outbox = o.id
               LEFT JOIN xm.installations i ON i.agency = n.agency AND i.name = n.installation
              WHERE ",
            $condition
        )
    };
}

/// Returns the answer to a letter if it waits to be sent, and `None` otherwise.
///
/// # Errors
/// A fault of the database.
pub async fn of_letter(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    letter_id: Uuid,
) -> Result<Option<Answer>, AdministrationError> {
    let answer = diesel::sql_query(select_answers!("o.agency = $1 AND o.letter_id = $2"))
        .bind::<Integer, _>(agency)
        .bind::<SqlUuid, _>(letter_id)
        .get_result(connection)
        .await
        .optional()?;
    Ok(answer)
}

/// Makes the answer to a letter due now, even if it was sent a moment ago: an office that has not got it asks an operator by telephone.
pub async fn resend(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    agency: Matricule,
    letter_id: Uuid,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::AnswerResend).await?;
    connection
        .transaction(async |connection| {
            // The statement locks the letter's row, as settling does when it queues an answer and the exporter when it marks an answer as
            // sent. Without this lock, settling could queue the same answer at this moment, and the office would get it twice.
            let queued = diesel::sql_query(concat!(
                outbox::queue_anew!(),
                " WHERE l.agency = $1 AND l.letter_id = $2 FOR NO KEY UPDATE OF l ",
                outbox::or_make_due!()
            ))
            .bind::<Integer, _>(agency)
            .bind::<SqlUuid, _>(letter_id)
            .execute(connection)
            .await?;
            if queued == 0 {
                return Err(AdministrationError::LetterUnknown(letter_id.to_string()));
            }
            audit::write(connection, operator, &AuditAction::AnswerResend { agency, letter_id }).await?;
            Ok(())
        })
        .await
}

/// Lists answers and notices that have not been sent, the oldest first.
///
/// # Errors
/// A fault of the database.
pub async fn list(
    connection: &mut AsyncPgConnection,
    filter: &AnswerFilter,
) -> Result<Vec<Answer>, AdministrationError> {
    let answers = diesel::sql_query(select_answers!(
        "($1 IS NULL OR o.agency = $1) AND (o.failed_at IS NOT NULL OR NOT $2) AND o.id > $3 ORDER BY o.id LIMIT $4"
    ))
    .bind::<Nullable<Integer>, _>(filter.agency)
    .bind::<Bool, _>(filter.is_given_up)
    .bind::<BigInt, _>(filter.after.unwrap_or(0))
    .bind::<BigInt, _>(filter.limit.unwrap_or(100))
    .load(connection)
    .await?;
    Ok(answers)
}

/// Makes all answers of one agency, or of all agencies, due now: answers that were given up, and answers that wait for their next attempt.
/// Returns how many became due.
///
/// # Errors
/// A fault of the database.
pub async fn retry(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    agency: Option<Matricule>,
) -> Result<usize, AdministrationError> {
    operator.require(connection, Operation::AnswerRetry).await?;
    connection
        .transaction(async |connection| {
            let answers = diesel::sql_query(
                "UPDATE xm.outbox SET due_at = now(), failed_at = NULL, attempts = 0
                  WHERE id IN (SELECT id FROM xm.outbox
                                WHERE ($1 IS NULL OR agency = $1) AND (claimed_until IS NULL OR claimed_until < now())
                                  AND (failed_at IS NOT NULL OR due_at > now())
                                  FOR NO KEY UPDATE SKIP LOCKED)",
            )
            .bind::<Nullable<Integer>, _>(agency)
            .execute(connection)
            .await?;
            audit::write(connection, operator, &AuditAction::AnswerRetry { agency, answers }).await?;
            Ok(answers)
        })
        .await
}
