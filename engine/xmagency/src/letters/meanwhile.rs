//! Records that somebody changed after their letter was refused, and that the centre has after all, since an operator had the letter tried
//! again. The record becomes what the centre has; what was written here meanwhile is kept beside it, for a correction.

use rusqlite::params;
use serde_json::{Map, Value, json};

use super::correction;
use crate::database::{Database, DatabaseError};
use crate::desk::now;

/// A record that the centre has, though its status here says otherwise.
struct Overtaken {
    numero: i64,
    status: u8,
    /// What it says here.
    written: Map<String, Value>,
    /// The accepted letter.
    sequence: i64,
    /// What the letter says of it.
    sent: Map<String, Value>,
}

/// Gives the records of a letter that the centre has by it, or by an earlier letter, status 4 and what was sent. One that waits in a
/// later letter is left until that is decided; so is one that a correction has cancelled.
pub(super) fn settle(database: &Database, sequence: i64) -> Result<(), DatabaseError> {
    let statement = "SELECT r.numero, r.status, r.columns, max(p.sequence),
                            coalesce(p.columns, r.columns)
                       FROM packed p JOIN letters l USING (sequence) JOIN records r USING (numero)
                      WHERE l.verdict = 'accepted' AND r.status < 3
                        AND r.numero IN (SELECT numero FROM packed WHERE sequence = ?1)
                        AND NOT EXISTS (SELECT 1 FROM corrections c
                                         WHERE c.numero = r.numero AND c.columns IS NULL AND c.applied_at IS NOT NULL)
                      GROUP BY r.numero";
    let map = |text: String| serde_json::from_str(&text).unwrap_or_default();
    let overtaken = database.list(statement, [sequence], |row| {
        Ok(Overtaken {
            numero: row.get(0)?,
            status: row.get(1)?,
            written: map(row.get(2)?),
            sequence: row.get(3)?,
            sent: map(row.get(4)?),
        })
    })?;
    overtaken.iter().try_for_each(|one| restore(database, one))
}

fn restore(database: &Database, one: &Overtaken) -> Result<(), DatabaseError> {
    let Overtaken { numero, status, written, sequence, sent } = one;
    let is_cancelled = *status == 0;
    let changed = changes(sent, written);
    let remark = (is_cancelled || !changed.is_empty()).then(|| {
        let code = "accepted_meanwhile";
        json!({ "code": code, "sequence": sequence, "columns": changed, "cancelled": is_cancelled }).to_string()
    });
    let statement = "INSERT INTO acts (numero, act, at, by, columns) VALUES (?1, 'accepted_meanwhile', ?2, '', ?3)";
    database.change(statement, params![numero, now(), Value::Object(written.clone()).to_string()])?;
    let statement = "UPDATE records SET sequence = ?2, remark = ?3 WHERE numero = ?1";
    database.change(statement, params![numero, sequence, remark])?;
    correction::write(database, *numero, sent)
}

/// Returns the columns that differ, with what they are to become: null where the value was taken away.
fn changes(from: &Map<String, Value>, to: &Map<String, Value>) -> Map<String, Value> {
    let gone = from.keys().filter(|name| !to.contains_key(*name)).map(|name| (name.clone(), Value::Null));
    let other = to.iter().filter(|(name, value)| from.get(*name) != Some(value));
    other.map(|(name, value)| (name.clone(), value.clone())).chain(gone).collect()
}
