//! The columns and indexes that adoption adds to the operators' table: the columns of provenance, which say which letter each record came
//! from, two unique indexes, and an index of cancelled records.

use std::collections::BTreeSet;

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use super::inspect::{PROVENANCE, UniqueIndex, unique_index};
use crate::database::fault::Fault;
use crate::database::identifier::quoted;

/// Adds those columns of provenance and those indexes that the table does not have yet, as after a former adoption.
pub async fn mark(
    connection: &mut AsyncPgConnection,
    schema_name: &str,
    relation_name: &str,
    legal_key: &[String],
) -> Result<(), Fault> {
    let relation = format!("{}.{}", quoted(schema_name), quoted(relation_name));
    let columns: Vec<String> =
        PROVENANCE.iter().map(|(name, type_name)| format!("ADD COLUMN IF NOT EXISTS {name} {type_name}")).collect();
    connection.batch_execute(&format!("ALTER TABLE {relation} {}", columns.join(", "))).await?;
    for wanted in wanted_indexes(relation_name, legal_key) {
        if wanted.is_there(connection, schema_name).await? {
            continue;
        }
        let keys = wanted.keys.iter().map(|key| quoted(key)).collect::<Vec<_>>().join(", ");
        let condition = wanted.condition.map(|text| format!(" WHERE {text}")).unwrap_or_default();
        connection
            .batch_execute(&format!(
                "DROP INDEX IF EXISTS {schema}.{name}; CREATE UNIQUE INDEX {name} ON {relation} ({keys}){condition}",
                schema = quoted(schema_name),
                name = quoted(&wanted.name),
            ))
            .await?;
    }
    // The index contains only cancelled records, which are few. It serves offices that ask to certify a paper whose record is cancelled:
    // the record is found by its legal key.
    let keys = legal_key.iter().map(|key| quoted(key)).collect::<Vec<_>>().join(", ");
    let name = quoted(&index_name(relation_name, "_xm_cancelled"));
    connection
        .batch_execute(&format!("CREATE INDEX IF NOT EXISTS {name} ON {relation} ({keys}) WHERE \"Status\" = 0"))
        .await?;
    Ok(())
}

/// A unique index that an adopted table must have.
pub struct WantedIndex {
    /// Name of the index, in the table's schema.
    pub name: String,
    keys: Vec<String>,
    condition: Option<&'static str>,
}

/// Returns the unique indexes of a table: one record per (agency, installation, number), one live record per legal key.
pub fn wanted_indexes(relation_name: &str, legal_key: &[String]) -> [WantedIndex; 2] {
    // The installation is the last column, because numbers are compared faster than texts and mostly differ already.
    let identity = ["xm_agency", "xm_numero", "xm_installation"].map(str::to_owned).to_vec();
    let name = |suffix| index_name(relation_name, suffix);
    [
        WantedIndex { name: name("_xm_record"), keys: identity, condition: None },
        WantedIndex { name: name("_xm_legal_key"), keys: legal_key.to_vec(), condition: Some("\"Status\" <> 0") },
    ]
}

impl WantedIndex {
    /// Says whether the database has a unique index of this name with these columns and this condition.
    pub async fn is_there(&self, connection: &mut AsyncPgConnection, schema_name: &str) -> Result<bool, Fault> {
        let found = unique_index(connection, schema_name, &self.name).await?;
        Ok(found.is_some_and(|found| self.fits(&found)))
    }

    fn fits(&self, found: &UniqueIndex) -> bool {
        // The order of the columns is ignored. An index with another order guarantees the same, and creating a new one would lock a large
        // table for long.
        let found_keys: BTreeSet<&str> = found.columns.iter().map(|key| key.trim_matches('"')).collect();
        let found_condition = found.condition.as_deref().map(|text| text.trim_matches(['(', ')']));
        found_keys == self.keys.iter().map(String::as_str).collect() && found_condition == self.condition
    }
}

/// Returns an index's name, made from the table's name and a suffix. It is shortened to PostgreSQL's limit of 63 bytes.
fn index_name(relation_name: &str, suffix: &str) -> String {
    let mut stem = relation_name;
    while stem.len() + suffix.len() > 63 {
        stem = &stem[..stem.char_indices().next_back().map_or(0, |(at, _)| at)];
    }
    format!("{stem}{suffix}")
}
