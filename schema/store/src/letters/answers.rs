//! Answers that have not been sent: looked at, and made due again once what held them up is put right.

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

/// An answer that has not been sent.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Answer {
    /// Its number.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Whom it is for.
    #[diesel(sql_type = Integer)]
    pub agency: Matricule,
    /// The address that it goes to by mail; empty where the agency has none.
    #[diesel(sql_type = Text)]
    pub email: String,
    /// How it leaves: `mail` or `folder`.
    #[diesel(sql_type = Text)]
    pub transport: String,
    /// Its number among the notices to its installation; absent for an answer.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub notice: Option<i64>,
    /// The letter that it answers; absent for a notice.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub letter_id: Option<Uuid>,
    /// Which attempt at that letter is answered.
    #[diesel(sql_type = SmallInt)]
    pub attempt: i16,
    /// Which part of the answer waits, from 1; 0 for the receipt alone.
    #[diesel(sql_type = SmallInt)]
    pub part: i16,
    /// When it was queued.
    #[diesel(sql_type = Timestamptz)]
    pub queued_at: DateTime<Utc>,
    /// When it is tried next.
    #[diesel(sql_type = Timestamptz)]
    pub due_at: DateTime<Utc>,
    /// How often it was tried.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    /// Whether it was given up.
    #[diesel(sql_type = Bool)]
    pub is_given_up: bool,
    /// What the relay said last.
    #[diesel(sql_type = Nullable<Text>)]
    pub last_error: Option<String>,
}

/// Which answers a list shows, oldest first.
#[derive(Clone, Debug, Default)]
pub struct AnswerFilter {
    /// For this agency.
    pub agency: Option<Matricule>,
    /// Given up.
    pub is_given_up: bool,
    /// Behind this answer.
    pub after: Option<i64>,
    /// At most so many; 100 when absent.
    pub limit: Option<i64>,
}

/// Columns of an answer; the caller adds the condition.
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

/// Shows the receipt of a letter while it has not been sent.
///
/// # Errors
/// A fault.
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

/// Sends the answer to a letter again, now, however lately it was sent: an office asks for it on the telephone.
///
/// # Errors
/// No verdict of such a letter; a fault.
pub async fn resend(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    agency: Matricule,
    letter_id: Uuid,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::AnswerResend).await?;
    connection
        .transaction(async |connection| {
            // The letter's row is the lock that settling and sending take too.
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

/// Lists answers that have not been sent, oldest first.
///
/// # Errors
/// A fault.
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

/// Makes answers due now, of one agency or of all: those given up, and those that wait for their next attempt. Returns how
/// many.
///
/// # Errors
/// A fault.
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
                  WHERE ($1 IS NULL OR agency = $1) AND (claimed_until IS NULL OR claimed_until < now())
                    AND (failed_at IS NOT NULL OR due_at > now())",
            )
            .bind::<Nullable<Integer>, _>(agency)
            .execute(connection)
            .await?;
            audit::write(connection, operator, &AuditAction::AnswerRetry { agency, answers }).await?;
            Ok(answers)
        })
        .await
}
