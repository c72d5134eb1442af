//! Mails in hand: mails that were passed on to the actors and are not settled yet. After a crash of the program, they are suspects: one of
//! them may have caused it.
//!
//! A mail remains in its mailbox until it is settled. So a mail that crashes the program would be fetched again and crash it again, for
//! ever. Therefore mails are recorded before they are passed on. After a panic or a crash, each recorded mail is tried with no other mail
//! in hand, and the attempt is committed before it begins. A mail that fails three times in this way is poison: it goes to quarantine
//! unopened.
//!
//! A mail is identified by its source and its token in that source: the name of a mailbox and a UIDL, or the name of a transfer folder and
//! of a file. No mailbox has the same name as a folder. The columns are called `mailbox` and `uidl`, since programs of the former version
//! use these names.

use diesel::sql_types::{SmallInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Number of failed attempts with no other mail in hand after which a mail is poison.
pub const ATTEMPTS_MAX: i16 = 3;

/// A mail that was in hand when the program crashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Token of the mail in its source: in a mailbox, its UIDL (RFC 1939, section 7).
    pub token: String,
    /// Number of attempts with no other mail in hand.
    pub attempts: i16,
}

/// Records the mails that are about to be passed on.
///
/// # Errors
/// A fault of the database; the mails may then not be passed on.
pub async fn record(
    connection: &mut AsyncPgConnection,
    source: &str,
    instance: Uuid,
    batch: i64,
    tokens: &[String],
) -> Result<(), Fault> {
    // The commit need not wait for fsync. If the machine loses power, the row in `xm.in_hand` may be lost. Its mails are then fetched again
    // without being suspects, which is right, since no mail caused the loss of power.
    let text = "WITH soon AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
                INSERT INTO xm.in_hand (mailbox, instance, batch, uidls) SELECT ?, ?, ?, ? FROM soon";
    let binds = [
        Bind::Text(source),
        Bind::Uuid(instance),
        Bind::Bigint(batch),
        Bind::Texts(tokens.iter().map(|token| Some(token.as_str())).collect()),
    ];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Deletes the records of batches whose mails are all settled or returned.
///
/// # Errors
/// A fault of the database.
pub async fn strike_out(
    connection: &mut AsyncPgConnection,
    source: &str,
    instance: Uuid,
    batches: &[i64],
) -> Result<(), Fault> {
    let text = "DELETE FROM xm.in_hand WHERE mailbox = ? AND instance = ? AND batch = ANY(?)";
    let binds = [Bind::Text(source), Bind::Uuid(instance), Bind::Bigints(batches.iter().copied().map(Some).collect())];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Turns mails that former runs of the program recorded under `key` into suspects of `source`, since one of them may have ended such a run.
/// The caller has the lease of `key`, so no other run can be using these records.
pub async fn adopt_leftovers(
    connection: &mut AsyncPgConnection,
    (key, source): (&str, &str),
    instance: Uuid,
) -> Result<(), Fault> {
    let text = "WITH gone AS (DELETE FROM xm.in_hand WHERE mailbox = ? AND instance <> ? RETURNING uidls)
                INSERT INTO xm.suspects (mailbox, uidl)
                SELECT DISTINCT ?, unnest(uidls) FROM gone ON CONFLICT (mailbox, uidl) DO NOTHING";
    let binds = [Bind::Text(key), Bind::Uuid(instance), Bind::Text(source)];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Turns the pushed mails that the ended replica `gone` had recorded into suspects of their source. They are then tried alone, whichever
/// replica their senders push them to next. The name of such a record is the source's name, `@` and the identity of the process.
///
/// # Errors
/// A fault of the database.
pub async fn adopt_pushed(connection: &mut AsyncPgConnection, gone: Uuid) -> Result<(), Fault> {
    let text = "WITH gone AS (DELETE FROM xm.in_hand WHERE right(mailbox, 37) = '@' || ?
                              RETURNING left(mailbox, -37) AS source, uidls)
                INSERT INTO xm.suspects (mailbox, uidl)
                SELECT DISTINCT source, unnest(uidls) FROM gone ON CONFLICT (mailbox, uidl) DO NOTHING";
    Statement::<()>::new(text, &[Bind::Text(&gone.to_string())]).execute(connection).await?;
    Ok(())
}

/// Deletes the suspects of a pushed source that have not come again for a week. The centre cannot list the mails of such a source, so it
/// learns in no other way that a suspect is gone. Mail servers give up a mail after five days.
///
/// # Errors
/// A fault of the database.
pub async fn forget_pushed(connection: &mut AsyncPgConnection, source: &str) -> Result<(), Fault> {
    let text = "DELETE FROM xm.suspects WHERE mailbox = ? AND seen_at < now() - interval '7 days'";
    Statement::<()>::new(text, &[Bind::Text(source)]).execute(connection).await?;
    Ok(())
}

/// Adds the mails that an actor was processing when it panicked to the suspects.
///
/// # Errors
/// A fault of the database.
pub async fn suspect(connection: &mut AsyncPgConnection, source: &str, tokens: &[String]) -> Result<(), Fault> {
    let text = "INSERT INTO xm.suspects (mailbox, uidl) SELECT ?, unnest(?) ON CONFLICT (mailbox, uidl) DO NOTHING";
    let binds = [Bind::Text(source), Bind::Texts(tokens.iter().map(|token| Some(token.as_str())).collect())];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Lists the suspects of a source.
///
/// # Errors
/// A fault of the database.
pub async fn suspects(connection: &mut AsyncPgConnection, source: &str) -> Result<Vec<Suspect>, Fault> {
    let text = "SELECT uidl, attempts FROM xm.suspects WHERE mailbox = ? ORDER BY seen_at, uidl";
    let binds = [Bind::Text(source)];
    let rows: Vec<(String, i16)> = Statement::<(Text, SmallInt)>::new(text, &binds).load(connection).await?;
    Ok(rows.into_iter().map(|(token, attempts)| Suspect { token, attempts }).collect())
}

/// Commits that a suspect is about to be tried alone, and deletes the suspects that were settled alone before. If the program crashes now,
/// the count shows that this suspect, which alone was in hand, has failed once more.
///
/// # Errors
/// A fault of the database; the suspect may then not be tried.
pub async fn attempt(
    connection: &mut AsyncPgConnection,
    source: &str,
    token: &str,
    settled: &[String],
) -> Result<(), Fault> {
    // The commit need not wait for fsync. If the machine loses power, the count of this attempt may be lost, and the suspect gets one more
    // attempt.
    let text = "WITH soon AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
                     cleared AS (DELETE FROM xm.suspects WHERE mailbox = ? AND uidl = ANY(?))
                UPDATE xm.suspects SET attempts = attempts + 1, seen_at = now() FROM soon WHERE mailbox = ? AND uidl = ?";
    let binds = [
        Bind::Text(source),
        Bind::Texts(settled.iter().map(|token| Some(token.as_str())).collect()),
        Bind::Text(source),
        Bind::Text(token),
    ];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Subtracts attempts that ended with a fault or a deliberate stop, since they do not count as failures. `tokens` contains a token once for
/// each such attempt.
///
/// # Errors
/// A fault of the database.
pub async fn take_attempts_back(
    connection: &mut AsyncPgConnection,
    source: &str,
    tokens: &[String],
) -> Result<(), Fault> {
    let text = "UPDATE xm.suspects SET attempts = greatest(suspects.attempts - back.times, 0)
                  FROM (SELECT uidl, count(*) AS times FROM unnest(?) AS uidl GROUP BY uidl) AS back
                 WHERE suspects.mailbox = ? AND suspects.uidl = back.uidl";
    let binds = [Bind::Texts(tokens.iter().map(|token| Some(token.as_str())).collect()), Bind::Text(source)];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Marks a mail on which a process hangs as a suspect that has used all its attempts, so that it is poison as soon as it is fetched again.
/// Since the cause is known, the other mails of this process do not become suspects.
///
/// # Errors
/// A fault of the database.
pub async fn set_aside(
    connection: &mut AsyncPgConnection,
    process: Uuid,
    source: &str,
    token: &str,
) -> Result<(), Fault> {
    let text = "WITH cleared AS (DELETE FROM xm.in_hand USING xm.leases
                                 WHERE leases.name = 'mailbox:' || in_hand.mailbox AND leases.holder = ?)
                INSERT INTO xm.suspects (mailbox, uidl, attempts) VALUES (?, ?, ?)
                ON CONFLICT (mailbox, uidl) DO UPDATE SET attempts = greatest(suspects.attempts, EXCLUDED.attempts)";
    // A mail server may give no ids. The token is then a blank and the mail's size, and another mail may have the same size. So such a mail
    // is not poison at once: it gets its attempts alone, in case it is another mail.
    let attempts = if token.starts_with(' ') { 0 } else { i32::from(ATTEMPTS_MAX) };
    let binds = [Bind::Uuid(process), Bind::Text(source), Bind::Text(token), Bind::Integer(attempts)];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Deletes suspects that were settled or are no longer in their source.
///
/// # Errors
/// A fault of the database.
pub async fn clear(connection: &mut AsyncPgConnection, source: &str, tokens: &[String]) -> Result<(), Fault> {
    let text = "DELETE FROM xm.suspects WHERE mailbox = ? AND uidl = ANY(?)";
    let binds = [Bind::Text(source), Bind::Texts(tokens.iter().map(|token| Some(token.as_str())).collect())];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
