//! Finds the records already held that letters of a batch name too, and whether their content is the same.

use std::collections::HashMap;

use diesel::sql_types::{BigInt, Bool, Jsonb, Nullable};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::arrival::Arrival;
use super::decide::Decision;
use super::rows::{Gathered, gather};
use crate::examine::STATUS;
use crate::fault::Fault;
use crate::identifier::quoted;
use crate::statement::Statement;

/// How a record held compares with the one that a letter brings.
#[derive(Clone, Debug)]
pub enum Match {
    /// The same content: a duplicate.
    Same,
    /// Other content; the version held.
    Differs(serde_json::Value),
}

/// Matches by place: position in the batch, table in the letter, row in the table.
#[derive(Default)]
pub struct HeldRecords(HashMap<(usize, usize, usize), Match>);

impl HeldRecords {
    /// Returns what is held of a row.
    pub fn get(&self, at: usize, table: usize, row: usize) -> Option<&Match> {
        self.0.get(&(at, table, row))
    }

    /// Adds matches and says whether any of them was not known before.
    pub fn extend(&mut self, more: HeldRecords) -> bool {
        let before = self.0.len();
        for (place, found) in more.0 {
            self.0.entry(place).or_insert(found);
        }
        self.0.len() > before
    }
}

/// Looks up every row of the accepted letters by identity and by legal key.
pub async fn look_up(
    connection: &mut AsyncPgConnection,
    batch: &[Arrival],
    decisions: &[Decision],
) -> Result<HeldRecords, Fault> {
    let mut held = HeldRecords::default();
    for gathered in gather(batch, decisions, false) {
        let text = comparison(&gathered);
        let places = gathered.places.clone();
        let binds = gathered.into_comparison_binds();
        let rows: Vec<(i64, bool, Option<serde_json::Value>)> =
            Statement::<(BigInt, Bool, Nullable<Jsonb>)>::new(&text, &binds).load(connection).await?;
        for (ordinal, same, version) in rows {
            let Some(place) = usize::try_from(ordinal - 1).ok().and_then(|at| places.get(at)) else { continue };
            let found = if same { Match::Same } else { Match::Differs(version.unwrap_or_default()) };
            // A row may meet one record by identity and another by legal key: any difference is a conflict.
            let entry = held.0.entry(*place).or_insert(Match::Same);
            if matches!(entry, Match::Same) {
                *entry = found;
            }
        }
    }
    Ok(held)
}

/// Identity and legal key are each served by their unique index; `UNION` drops the record found by both.
fn comparison(gathered: &Gathered<'_>) -> String {
    let names: Vec<&str> = gathered.names().collect();
    let same: Vec<String> = names
        .iter()
        .filter(|name| **name != STATUS)
        .map(|name| {
            format!("t.{name} IS NOT DISTINCT FROM n.{name}::{cast}", name = quoted(name), cast = cast(gathered, name))
        })
        .collect();
    let same = same.join(" AND ");
    let legal_key: Vec<String> =
        gathered.definition.legal_key.iter().map(|name| format!("t.{0} = n.{0}", quoted(name))).collect();
    let legal_key = legal_key.join(" AND ");
    let found = format!("n.ordinal, ({same}) AS same, CASE WHEN ({same}) THEN NULL ELSE to_jsonb(t) END AS version");
    format!(
        "WITH n AS MATERIALIZED (SELECT * FROM unnest({arrays}, ?, ?, ?) WITH ORDINALITY
                  AS n ({names}, xm_agency, xm_installation, xm_numero, ordinal))
         SELECT {found} FROM n JOIN {relation} t
             ON t.xm_agency = n.xm_agency AND t.xm_installation = n.xm_installation AND t.xm_numero = n.xm_numero
         UNION
         SELECT {found} FROM n JOIN {relation} t ON {legal_key} AND t.{status} <> 0",
        arrays = gathered.arrays().join(", "),
        names = gathered.column_names(),
        relation = gathered.relation(),
        status = quoted(STATUS),
    )
}

/// The type to compare in: `char(n)` and `varchar(n)` columns compare as text, numbers as what they are.
fn cast(gathered: &Gathered<'_>, name: &str) -> &'static str {
    use crate::definition::ColumnType;
    match gathered.definition.column(name).map(|column| column.kind) {
        Some(ColumnType::Smallint) => "smallint",
        Some(ColumnType::Integer) => "integer",
        Some(ColumnType::Bigint) => "bigint",
        Some(ColumnType::Numeric { .. }) => "numeric",
        Some(ColumnType::Boolean) => "boolean",
        Some(ColumnType::Date) => "date",
        Some(ColumnType::Time) => "time",
        Some(ColumnType::Timestamptz { .. }) => "timestamptz",
        Some(ColumnType::Uuid) => "uuid",
        Some(ColumnType::Bytea) => "bytea",
        Some(ColumnType::Text { .. }) | None => "text",
    }
}
