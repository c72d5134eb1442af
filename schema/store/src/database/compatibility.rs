//! Which programs work with which migrations. During an upgrade, programs of two versions run side by side, and one of the former version
//! may start again.
//!
//! The database keeps the kind of each migration (`xm.migrations`). A program works with migrations that it does not know as long as they
//! are expansions. Contractions wait for the end of the programs that need what they remove.

use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::{Bind, Statement};
use crate::database::fault::Fault;
use crate::replicas::DEAD_AFTER;

/// A migration that removes what older programs need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contraction {
    /// Version of the migration.
    pub version: &'static str,
    /// Oldest version of the program that works without what the migration removes.
    pub since: &'static str,
}

/// The contractions among the migrations of this program; all others are expansions. A test compares the list with the first lines of the
/// migrations.
pub const CONTRACTIONS: &[Contraction] = &[];

/// Finds the first migration that this program does not know and cannot work with: the database does not say that it is an expansion.
///
/// # Errors
/// A fault of the database.
pub async fn first_unknown(
    connection: &mut AsyncPgConnection,
    applied: &[String],
    known: &[String],
) -> Result<Option<String>, Fault> {
    let unknown: Vec<&String> = applied.iter().filter(|applied| !known.contains(applied)).collect();
    if unknown.is_empty() {
        return Ok(None);
    }
    let expansions = if exists(connection, "xm.migrations").await? {
        let text = "SELECT version FROM xm.migrations WHERE kind = 'expand' AND version = ANY(?)";
        let binds = [Bind::Texts(unknown.iter().map(|version| Some(version.as_str())).collect())];
        Statement::<Text>::new(text, &binds).load(connection).await?
    } else {
        Vec::<String>::new()
    };
    let first = unknown.iter().find(|unknown| !expansions.contains(unknown)).map(|found| (*found).clone());
    if first.is_none() {
        tracing::debug!(count = unknown.len(), "a newer xmserver has expanded the database: this one works beside it");
    }
    Ok(first)
}

/// Lists the contractions that have to wait, because a program runs that is older than they allow. A program that holds a lease and has
/// told no version is older than all.
///
/// # Errors
/// A fault of the database.
pub async fn waiting(
    connection: &mut AsyncPgConnection,
    contractions: &[Contraction],
    applied: &[String],
) -> Result<Vec<String>, Fault> {
    let missing: Vec<&Contraction> =
        contractions.iter().filter(|it| !applied.iter().any(|applied| applied == it.version)).collect();
    // The tables of a new database are made by the migrations that are about to run.
    if missing.is_empty() || !exists(connection, "xm.replicas").await? {
        return Ok(Vec::new());
    }
    let text = "SELECT version FROM xm.replicas WHERE gone_at IS NULL AND seen_at > now() - make_interval(secs => ?::double precision)
                UNION ALL
                SELECT '0.0.0' FROM xm.leases l
                 WHERE l.held_until > now() AND NOT EXISTS (SELECT FROM xm.replicas r WHERE r.process = l.holder)";
    let running: Vec<String> = Statement::<Text>::new(text, &[Bind::seconds(DEAD_AFTER)]).load(connection).await?;
    let oldest = running.iter().map(|version| numbers(version)).min();
    let waiting = missing.into_iter().filter(|it| oldest.as_ref().is_some_and(|oldest| *oldest < numbers(it.since)));
    Ok(waiting
        .map(|contraction| {
            let Contraction { version, since } = contraction;
            tracing::warn!(
                migration = version,
                "a program older than {since} runs: the migration waits for the next start"
            );
            (*version).to_owned()
        })
        .collect())
}

/// Returns the statement that records the kinds of the known migrations.
pub fn recorded(known: &[String], contractions: &[Contraction]) -> String {
    let rows = known.iter().map(|version| match contractions.iter().find(|it| it.version == version) {
        Some(Contraction { since, .. }) => format!("('{version}', 'contract', '{since}')"),
        None => format!("('{version}', 'expand', NULL)"),
    });
    let rows: Vec<String> = rows.collect();
    // Where the migration that makes the table is not among those of the caller, there is nothing to record.
    format!(
        "DO $$ BEGIN
             IF to_regclass('xm.migrations') IS NOT NULL THEN
                 INSERT INTO xm.migrations (version, kind, since) VALUES {} ON CONFLICT (version) DO NOTHING;
             END IF;
         END $$",
        rows.join(", ")
    )
}

async fn exists(connection: &mut AsyncPgConnection, relation: &str) -> Result<bool, Fault> {
    let text = "SELECT to_regclass(?) IS NOT NULL";
    let found: Vec<bool> = Statement::<Bool>::new(text, &[Bind::Text(relation)]).load(connection).await?;
    Ok(found == [true])
}

/// Returns the numbers of a version, for comparison; what is no number counts as 0.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|number| number.parse().unwrap_or_default()).collect()
}
