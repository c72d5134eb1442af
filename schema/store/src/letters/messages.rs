//! Messages between offices and operators, in threads; and broadcasts, which an operator sends to many agencies.
//!
//! A message to an agency is a notice to each of its installations that has sent a letter. A broadcast queues the notices of a limited
//! number of agencies at a time. The command begins the broadcast, and a running centre continues a broadcast that was interrupted.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::answer::notice::NoticeContent;
use sdc::letter::Matricule;
use sdc::request::{MESSAGE_CHARS_MAX, message_text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::notices;
use crate::agencies;
use crate::database::fault::Fault;
use crate::error::{AdministrationError, InvalidValue};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Number of agencies whose notices a broadcast queues in one transaction. The number is small, since the transaction locks the agencies'
/// installations until its end.
const TOLD_TOGETHER: i64 = 100;

/// A message of an office or of an operator.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Message {
    /// Number of the message.
    #[diesel(sql_type = BigInt)]
    pub number: i64,
    /// Matricule of the agency to whose thread the message belongs.
    #[diesel(sql_type = Integer)]
    pub agency: Matricule,
    /// Name of the agency.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Id of the message; for an office's message, the id of its letter.
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    /// Id of the thread's first message.
    #[diesel(sql_type = SqlUuid)]
    pub thread: Uuid,
    /// Name of the installation that wrote the message; `None` for an operator's message.
    #[diesel(sql_type = Nullable<Text>)]
    pub installation: Option<String>,
    /// Name of the operator who wrote the message; `None` for an office's message.
    #[diesel(sql_type = Nullable<Text>)]
    pub operator: Option<String>,
    /// Text of the message.
    #[diesel(sql_type = Text)]
    pub text: String,
    /// Time when an office's message arrived, or an operator's message was written.
    #[diesel(sql_type = Timestamptz)]
    pub written_at: DateTime<Utc>,
    /// Time when an operator first read an office's message; `None` before that.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub read_at: Option<DateTime<Utc>>,
    /// Name of the operator who first read the message; `None` before that.
    #[diesel(sql_type = Nullable<Text>)]
    pub read_by: Option<String>,
    /// Whether every installation that got an operator's message has acknowledged it.
    #[diesel(sql_type = Bool)]
    pub is_seen: bool,
}

/// Filter of a list of messages, which begins with the newest.
#[derive(Clone, Debug, Default)]
pub struct MessageFilter {
    /// Only messages in this agency's threads.
    pub agency: Option<Matricule>,
    /// Whether only messages of offices are listed that no operator has read.
    pub is_unread: bool,
    /// Only messages with a lower number than this.
    pub before: Option<i64>,
    /// Largest number of messages to list; 100 when `None`.
    pub limit: Option<i64>,
}

/// Conditions for the agencies that get a broadcast: agencies that are not suspended, have sent a letter, and satisfy each condition given
/// here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audience {
    /// Beginning of a code in one of the agency's scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// Town of the agency; case does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub town: Option<String>,
    /// Plan of the agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Status of the agency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i16>,
}

/// State of a broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broadcast {
    /// Id of the broadcast.
    pub id: Uuid,
    /// Number of agencies whose notices are queued so far.
    pub told: i32,
    /// Whether the notices of all agencies are queued.
    pub is_ended: bool,
}

/// Expands to a SELECT of a message's columns; the caller adds the condition.
macro_rules! select_messages {
    ($condition:literal) => {
        concat!(
            "SELECT m.number, m.agency, a.name, m.id, m.thread, m.installation, m.operator, m.text, m.written_at, m.read_at, m.read_by,
                    m.operator IS NOT NULL AND NOT EXISTS (
                        SELECT FROM xm.notices n JOIN xm.installations i ON i.agency = n.agency AND i.name = n.installation
                         WHERE n.agency = m.agency AND n.kind = 'message' AND n.about = m.id::text
                           AND n.number > i.notice_seen) AS is_seen
               FROM xm.messages m JOIN xm.agencies a ON a.matricule = m.agency WHERE ",
            $condition
        )
    };
}

/// Lists messages, the newest first.
///
/// # Errors
/// A fault of the database.
pub async fn list(
    connection: &mut AsyncPgConnection,
    filter: &MessageFilter,
) -> Result<Vec<Message>, AdministrationError> {
    let messages = diesel::sql_query(select_messages!(
        "m.number < $1 AND ($2 IS NULL OR m.agency = $2) AND (NOT $3 OR m.read_at IS NULL AND m.installation IS NOT NULL)
         ORDER BY m.number DESC LIMIT $4"
    ))
    .bind::<BigInt, _>(filter.before.unwrap_or(i64::MAX))
    .bind::<Nullable<Integer>, _>(filter.agency)
    .bind::<Bool, _>(filter.is_unread)
    .bind::<BigInt, _>(filter.limit.unwrap_or(100))
    .load(connection)
    .await?;
    Ok(messages)
}

/// Returns the whole thread of a message, oldest message first, and marks the office's messages in the thread as read.
///
/// # Errors
/// The message does not exist; a fault of the database.
pub async fn show(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    number: i64,
) -> Result<Vec<Message>, AdministrationError> {
    operator.require(connection, Operation::MessageShow).await?;
    connection
        .transaction(async |connection| {
            let (agency, thread) = thread_of(connection, number).await?;
            diesel::sql_query(
                "UPDATE xm.messages SET read_at = now(), read_by = $3
                  WHERE agency = $1 AND thread = $2 AND read_at IS NULL AND installation IS NOT NULL",
            )
            .bind::<Integer, _>(agency)
            .bind::<SqlUuid, _>(thread)
            .bind::<Text, _>(operator.user())
            .execute(connection)
            .await?;
            audit::write(connection, operator, &AuditAction::MessageShow { agency, thread }).await?;
            let messages = diesel::sql_query(select_messages!("m.agency = $1 AND m.thread = $2 ORDER BY m.number"))
                .bind::<Integer, _>(agency)
                .bind::<SqlUuid, _>(thread)
                .load(connection)
                .await?;
            Ok(messages)
        })
        .await
}

/// Sends a message to an agency, in a new thread or in the thread of message `reply_to`. Returns the number of the message.
///
/// # Errors
/// The agency does not exist, or none of its installations has sent a letter, so that no transport to it is known; the message does not
/// exist; a text that is not valid; a fault of the database.
pub async fn send(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    agency: Matricule,
    reply_to: Option<i64>,
    text: &str,
) -> Result<i64, AdministrationError> {
    operator.require(connection, Operation::MessageSend).await?;
    let text = checked(text)?;
    connection
        .transaction(async |connection| {
            let thread = match reply_to {
                Some(number) => match thread_of(connection, number).await? {
                    (of, thread) if of == agency => Some(thread),
                    _ => return Err(AdministrationError::MessageUnknown(number)),
                },
                None => None,
            };
            agencies::show(connection, agency).await?;
            let id = Uuid::now_v7();
            let content = NoticeContent::Message { message: id, thread: thread.unwrap_or(id), text: text.clone() };
            if notices::queue_for_agency(connection, agency, &id.to_string(), &content).await? == 0 {
                return Err(AdministrationError::AgencySilent(agency));
            }
            let number = insert(connection, operator.user(), agency, (id, thread.unwrap_or(id)), &text).await?;
            audit::write(connection, operator, &AuditAction::MessageSend { agency, number }).await?;
            Ok(number)
        })
        .await
}

/// Counts the agencies that would get a broadcast.
///
/// # Errors
/// A fault of the database.
pub async fn count(connection: &mut AsyncPgConnection, audience: &Audience) -> Result<i64, AdministrationError> {
    Ok(audience_of(connection, audience, 0, i64::MAX).await?.len().try_into().unwrap_or(i64::MAX))
}

/// Stores a broadcast. [`go_on`] then queues its notices.
///
/// # Errors
/// A text that is not valid; no agency satisfies the conditions; a fault of the database.
pub async fn broadcast(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    audience: &Audience,
    text: &str,
) -> Result<Uuid, AdministrationError> {
    operator.require(connection, Operation::MessageBroadcast).await?;
    let text = checked(text)?;
    let agencies = count(connection, audience).await?;
    if agencies == 0 {
        return Err(AdministrationError::NobodyToTell);
    }
    let filter = json!(audience);
    connection
        .transaction(async |connection| {
            let id = Uuid::now_v7();
            diesel::sql_query("INSERT INTO xm.broadcasts (id, text, filter, operator) VALUES ($1, $2, $3, $4)")
                .bind::<SqlUuid, _>(id)
                .bind::<Text, _>(&text)
                .bind::<Jsonb, _>(&filter)
                .bind::<Text, _>(operator.user())
                .execute(connection)
                .await?;
            let action = AuditAction::MessageBroadcast { broadcast: id, agencies, filter: &filter };
            audit::write(connection, operator, &action).await?;
            Ok(id)
        })
        .await
}

/// Continues the given broadcast, or the oldest open broadcast: queues the notices of the next agencies. Returns `None` if no broadcast is
/// open, or if another program continues it now.
///
/// # Errors
/// A fault of the database; the next call then repeats this step.
pub async fn go_on(connection: &mut AsyncPgConnection, broadcast: Option<Uuid>) -> Result<Option<Broadcast>, Fault> {
    #[derive(QueryableByName)]
    struct Open {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
        #[diesel(sql_type = Text)]
        text: String,
        #[diesel(sql_type = Jsonb)]
        filter: Value,
        #[diesel(sql_type = Text)]
        operator: String,
        #[diesel(sql_type = Integer)]
        told_up_to: i32,
    }
    connection
        .transaction(async |connection| {
            let open: Option<Open> = diesel::sql_query(
                "SELECT id, text, filter, operator, told_up_to FROM xm.broadcasts
                  WHERE ended_at IS NULL AND ($1 IS NULL OR id = $1) ORDER BY begun_at LIMIT 1 FOR UPDATE SKIP LOCKED",
            )
            .bind::<Nullable<SqlUuid>, _>(broadcast)
            .get_result(connection)
            .await
            .optional()?;
            let Some(Open { id, text, filter, operator, told_up_to }) = open else { return Ok(None) };
            let audience: Audience = serde_json::from_value(filter)
                .map_err(|error| Fault::Bug(format!("broadcast {id} cannot be read: {error}")))?;
            let next = audience_of(connection, &audience, told_up_to, TOLD_TOGETHER).await?;
            let mut told = 0;
            for agency in &next {
                let message = Uuid::now_v7();
                let content = NoticeContent::Message { message, thread: message, text: text.clone() };
                if notices::queue_for_agency(connection, *agency, &message.to_string(), &content).await? > 0 {
                    let number = insert(connection, &operator, *agency, (message, message), &text).await?;
                    diesel::sql_query("UPDATE xm.messages SET broadcast = $2 WHERE number = $1")
                        .bind::<BigInt, _>(number)
                        .bind::<SqlUuid, _>(id)
                        .execute(connection)
                        .await?;
                    told += 1;
                }
            }
            let is_ended = i64::try_from(next.len()).unwrap_or(i64::MAX) < TOLD_TOGETHER;
            let all: Counted = diesel::sql_query(
                "UPDATE xm.broadcasts SET told_up_to = greatest(told_up_to, $2), told = told + $3,
                        ended_at = CASE WHEN $4 THEN now() END WHERE id = $1 RETURNING told::bigint AS count",
            )
            .bind::<SqlUuid, _>(id)
            .bind::<Integer, _>(next.last().map_or(0, |last| last.as_i32()))
            .bind::<Integer, _>(told)
            .bind::<Bool, _>(is_ended)
            .get_result(connection)
            .await?;
            Ok(Some(Broadcast { id, told: i32::try_from(all.count).unwrap_or(i32::MAX), is_ended }))
        })
        .await
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Finds the agencies of an audience whose matricule is above `behind`, ordered by matricule.
async fn audience_of(
    connection: &mut AsyncPgConnection,
    audience: &Audience,
    behind: i32,
    most: i64,
) -> Result<Vec<Matricule>, Fault> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Integer)]
        matricule: Matricule,
    }
    let Audience { area, town, plan, status } = audience;
    let found: Vec<Found> = diesel::sql_query(
        "SELECT a.matricule FROM xm.agencies a
          WHERE a.matricule > $1 AND a.status > 0
            AND ($2 IS NULL OR EXISTS (SELECT FROM xm.scopes s WHERE s.agency = a.matricule AND starts_with(s.code, $2)))
            AND ($3 IS NULL OR lower(a.town) = lower($3)) AND ($4 IS NULL OR a.plan = $4) AND ($5 IS NULL OR a.status = $5)
            AND EXISTS (SELECT FROM xm.installations i WHERE i.agency = a.matricule AND i.transport IS NOT NULL)
          ORDER BY a.matricule LIMIT $6",
    )
    .bind::<Integer, _>(behind)
    .bind::<Nullable<Text>, _>(area)
    .bind::<Nullable<Text>, _>(town)
    .bind::<Nullable<Text>, _>(plan)
    .bind::<Nullable<SmallInt>, _>(status)
    .bind::<BigInt, _>(most)
    .load(connection)
    .await?;
    Ok(found.into_iter().map(|found| found.matricule).collect())
}

/// Normalizes a text as message texts are stored, or refuses it.
fn checked(text: &str) -> Result<String, AdministrationError> {
    message_text(text).ok_or(InvalidValue::Message { chars_max: MESSAGE_CHARS_MAX }.into())
}

async fn thread_of(connection: &mut AsyncPgConnection, number: i64) -> Result<(Matricule, Uuid), AdministrationError> {
    #[derive(QueryableByName)]
    struct Place {
        #[diesel(sql_type = Integer)]
        agency: Matricule,
        #[diesel(sql_type = SqlUuid)]
        thread: Uuid,
    }
    let place: Option<Place> = diesel::sql_query("SELECT agency, thread FROM xm.messages WHERE number = $1")
        .bind::<BigInt, _>(number)
        .get_result(connection)
        .await
        .optional()?;
    place.map(|place| (place.agency, place.thread)).ok_or(AdministrationError::MessageUnknown(number))
}

async fn insert(
    connection: &mut AsyncPgConnection,
    operator: &str,
    agency: Matricule,
    (id, thread): (Uuid, Uuid),
    text: &str,
) -> Result<i64, Fault> {
    let inserted: Counted = diesel::sql_query(
        "INSERT INTO xm.messages (agency, id, thread, operator, text, written_at) VALUES ($1, $2, $3, $4, $5, now())
         RETURNING number AS count",
    )
    .bind::<Integer, _>(agency)
    .bind::<SqlUuid, _>(id)
    .bind::<SqlUuid, _>(thread)
    .bind::<Text, _>(operator)
    .bind::<Text, _>(text)
    .get_result(connection)
    .await?;
    Ok(inserted.count)
}
