//! Mail handed on and not yet settled, and the suspects among it after an unclean death.
//!
//! A letter that makes the program fail would make it fail for ever: it comes again with every poll. So what is in
//! hand is written down before it is handed on; after a panic or an unclean death those letters run one at a time, the attempt
//! committed first, and three failures alone make a poison letter.
//!
//! A mail is known by its source and its token there: the name of a mailbox and a UIDL, or of a transfer folder and a file's name.
//! Mailboxes and folders share one space of names. The columns are called `mailbox` and `uidl`, as programs of the version before
//! write them.

use diesel::sql_types::{SmallInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Failures alone after which a letter is poison.
pub const ATTEMPTS_MAX: i16 = 3;

/// A mail that was in hand when the program failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// By what its source knows it: its UIDL (RFC 1939, section 7) in a mailbox.
    pub token: String,
    /// How often it has been tried alone.
    pub attempts: i16,
}

/// Writes down the mails that are about to be handed on.
///
/// # Errors
/// A fault of the database; nothing may be handed on then.
pub async fn record(
    connection: &mut AsyncPgConnection,
    source: &str,
    instance: Uuid,
    batch: i64,
    tokens: &[String],
) -> Result<(), Fault> {
    // If the machine loses power this line may be lost, and its letters are simply fetched again as innocent; so the
    // commit need not wait for fsync.
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

/// Strikes out batches whose mails have all come back, settled or returned.
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

/// Turns mails of this source that other instances left in hand into suspects. The caller holds the source's lease, so these instances are
/// gone.
///
/// # Errors
/// A fault of the database.
pub async fn adopt_leftovers(connection: &mut AsyncPgConnection, source: &str, instance: Uuid) -> Result<(), Fault> {
    let text = "WITH gone AS (DELETE FROM xm.in_hand WHERE mailbox = ? AND instance <> ? RETURNING mailbox, uidls)
                INSERT INTO xm.suspects (mailbox, uidl)
                SELECT DISTINCT mailbox, unnest(uidls) FROM gone ON CONFLICT (mailbox, uidl) DO NOTHING";
    let binds = [Bind::Text(source), Bind::Uuid(instance)];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Adds mails that were in the hands of an actor when it panicked.
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

/// Commits that a suspect is about to be tried alone, and clears those that were settled alone before it: should the
/// program die now, only this one was in hand.
///
/// # Errors
/// A fault of the database; it may not be tried then.
pub async fn attempt(
    connection: &mut AsyncPgConnection,
    source: &str,
    token: &str,
    settled: &[String],
) -> Result<(), Fault> {
    // As for `record`, the commit need not wait for the disk.
    let text = "WITH soon AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
                     cleared AS (DELETE FROM xm.suspects WHERE mailbox = ? AND uidl = ANY(?))
                UPDATE xm.suspects SET attempts = attempts + 1 FROM soon WHERE mailbox = ? AND uidl = ?";
    let binds = [
        Bind::Text(source),
        Bind::Texts(settled.iter().map(|token| Some(token.as_str())).collect()),
        Bind::Text(source),
        Bind::Text(token),
    ];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Takes back attempts that a fault or a deliberate stop ended: such attempts never count.
///
/// # Errors
/// A fault of the database.
pub async fn take_attempts_back(
    connection: &mut AsyncPgConnection,
    source: &str,
    tokens: &[String],
) -> Result<(), Fault> {
    let text = "UPDATE xm.suspects SET attempts = greatest(attempts - 1, 0) WHERE mailbox = ? AND uidl = ANY(?)";
    let binds = [Bind::Text(source), Bind::Texts(tokens.iter().map(|token| Some(token.as_str())).collect())];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Sets aside a mail over which a process hangs. It counts as tried with every attempt that it gets, so it is poison as soon as it is
/// fetched again. With the culprit known, nothing else that this process has in hand is a suspect.
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
    // A token that begins with a blank is no id but a size, which innocent mails may share: such a mail is tried alone first.
    let attempts = if token.starts_with(' ') { 0 } else { i32::from(ATTEMPTS_MAX) };
    let binds = [Bind::Uuid(process), Bind::Text(source), Bind::Text(token), Bind::Integer(attempts)];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Clears suspects that were settled, or that are no longer in their source.
///
/// # Errors
/// A fault of the database.
pub async fn clear(connection: &mut AsyncPgConnection, source: &str, tokens: &[String]) -> Result<(), Fault> {
    let text = "DELETE FROM xm.suspects WHERE mailbox = ? AND uidl = ANY(?)";
    let binds = [Bind::Text(source), Bind::Texts(tokens.iter().map(|token| Some(token.as_str())).collect())];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}
