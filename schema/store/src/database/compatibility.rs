//! Decides which programs work with which migrations. During an upgrade, programs of two versions run side by side, and a program of the
//! former version may start again.
//!
//! Each migration is an expansion, which programs of the former version tolerate, or a contraction, which removes something that older
//! programs need. The database keeps the kind of each migration (`xm.migrations`). A program accepts migrations that it does not know if
//! they are expansions. A contraction runs only when no program that needs the removed things is running.

use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::{Bind, Statement};
use crate::database::fault::Fault;
use crate::replicas::DEAD_AFTER;

/// A migration that removes what older programs need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contraction {
    /// Number of the migration, such as `00000000000042`.
    pub version: &'static str,
    /// Oldest version of xmserver that works after the migration.
    pub since: &'static str,
}

/// The contractions among this program's migrations; all other migrations are expansions. A test compares this list with the first lines of
/// the migrations.
pub const CONTRACTIONS: &[Contraction] = &[];

/// Finds the first migration that this program cannot work with: the program does not know it, and the database does not record it as an
/// expansion.
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

/// Lists the contractions that must wait because a running program is older than their `since`. A program that holds a lease but has
/// reported no version counts as older than all versions.
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
    // A new database has no table of replicas yet: the migrations that are about to run create it. So no program can be running on this
    // database.
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

/// Returns the statement that records the kind of each known migration.
pub fn recorded(known: &[String], contractions: &[Contraction]) -> String {
    let rows = known.iter().map(|version| match contractions.iter().find(|it| it.version == version) {
        Some(Contraction { since, .. }) => format!("('{version}', 'contract', '{since}')"),
        None => format!("('{version}', 'expand', NULL)"),
    });
    let rows: Vec<String> = rows.collect();
    // A caller may run migrations that do not create the table `xm.migrations`. Then there is no table to record the kinds in.
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

/// Splits a version into its numbers, so that versions can be compared. A part that is not a number counts as 0.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|number| number.parse().unwrap_or_default()).collect()
}
