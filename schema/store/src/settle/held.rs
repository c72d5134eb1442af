//! Finds stored records with the identity or legal key of a row in the batch, and says whether their content is the same. In this file, a
//! record is held if it is stored in its table.
//!
//! A letter of 20 KB can contradict gigabytes of stored records. So PostgreSQL at first only compares. Then the stored versions of a few
//! rows are fetched and shortened, within a bound for the whole batch (`held_bytes_max` of the settings).

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use diesel::sql_types::{BigInt, Bool, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::refusal::ROW_FAULTS_MAX;
use serde_json::{Value, json};

use super::batch::Case;
use super::gathered::{Gathered, Place, Types, gather};
use crate::database::fault::Fault;
use crate::database::identifier::quoted;
use crate::database::statement::{Bind, Statement};
use crate::tables::definition::ColumnType;
use crate::tables::examine::STATUS;

/// Largest size of one fetched version, in bytes of JSON. A full birth record takes 1 200 bytes.
const VERSION_BYTES_MAX: usize = 4096;
/// Smallest size in bytes to which a version is shortened. If the bound leaves less than this for each version, fewer versions are fetched.
const VERSION_BYTES_MIN: usize = 512;

/// The result of comparing a stored record with the record in a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// The content is the same: the record in the letter is a duplicate.
    Same,
    /// The content differs.
    Differs,
}

/// The results of comparison by the row's place, and some of the stored versions.
#[derive(Default)]
pub struct HeldRecords {
    matches: HashMap<Place, Match>,
    versions: HashMap<Place, Value>,
}

impl HeldRecords {
    /// Returns the result of comparing a row with the stored record; `None` if no record is stored.
    pub fn get(&self, place: Place) -> Option<Match> {
        self.matches.get(&place).copied()
    }

    /// Returns the stored version of a row, if it was fetched.
    pub fn version(&self, place: Place) -> Option<&Value> {
        self.versions.get(&place)
    }

    /// Adds the results of another look-up. Says whether it has rows that were not known before.
    pub fn extend(&mut self, more: HeldRecords) -> bool {
        let before = self.matches.len();
        for (place, found) in more.matches {
            self.matches.entry(place).or_insert(found);
        }
        self.versions.extend(more.versions);
        self.matches.len() > before
    }
}

/// Looks up every row of the accepted letters by identity and by legal key. `version_bytes_max` limits the total size of the versions
/// fetched for the batch.
pub async fn look_up(
    connection: &mut AsyncPgConnection,
    batch: &[Case],
    version_bytes_max: usize,
) -> Result<HeldRecords, Fault> {
    let mut held = HeldRecords::default();
    let mut types = HashMap::new();
    for gathered in gather(batch, |_| true) {
        let types = match types.entry(gathered.definition.table_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(Types::read(connection, &gathered.definition).await?),
        };
        compare(connection, gathered, types, &mut held.matches).await?;
    }
    let differing = held.matches.iter().filter(|(_, found)| **found == Match::Differs).map(|(place, _)| *place);
    let (chosen, cut_bytes) = choose(differing.collect(), version_bytes_max);
    for gathered in gather(batch, |place| chosen.contains(&place)) {
        let types = &types[&gathered.definition.table_id];
        fetch_versions(connection, gathered, types, cut_bytes, &mut held.versions).await?;
    }
    Ok(held)
}

/// Chooses the rows whose versions are fetched, and the size in bytes to which each version is shortened. The choice takes one row of every
/// letter, then a second row of every letter, and so on up to the bound, so that a letter with many such rows leaves room for the others.
fn choose(mut differing: Vec<Place>, version_bytes_max: usize) -> (HashSet<Place>, usize) {
    differing.sort_unstable();
    let mut of_letters: BTreeMap<usize, usize> = BTreeMap::new();
    let mut turns: Vec<(usize, Place)> = differing
        .into_iter()
        .map(|place| {
            let turn = of_letters.entry(place.0).or_default();
            *turn += 1;
            (*turn, place)
        })
        .filter(|(turn, _)| *turn <= ROW_FAULTS_MAX)
        .collect();
    turns.sort_unstable();
    turns.truncate(version_bytes_max / VERSION_BYTES_MIN);
    let cut_bytes = (version_bytes_max / turns.len().max(1)).min(VERSION_BYTES_MAX);
    (turns.into_iter().map(|(_, place)| place).collect(), cut_bytes)
}

/// Runs the comparison with stored records for no row at all. It fails only if the table itself cannot be read.
pub async fn compare_none(connection: &mut AsyncPgConnection, gathered: Gathered<'_>) -> Result<(), Fault> {
    let types = Types::read(connection, &gathered.definition).await?;
    compare(connection, gathered, &types, &mut HashMap::new()).await
}

async fn compare(
    connection: &mut AsyncPgConnection,
    gathered: Gathered<'_>,
    types: &Types,
    matches: &mut HashMap<Place, Match>,
) -> Result<(), Fault> {
    let text = comparison(&gathered, types, Found::Same);
    let (places, binds) = gathered.into_comparison();
    let rows: Vec<(i64, bool)> = Statement::<(BigInt, Bool)>::of_columns(&text, &binds).load(connection).await?;
    for (ordinal, same) in rows {
        let Some(place) = place(&places, ordinal) else { continue };
        let found = if same { Match::Same } else { Match::Differs };
        // A row may have the identity of one stored record and the legal key of another. If either of them differs, this is a conflict.
        let entry = matches.entry(place).or_insert(found);
        if found == Match::Differs {
            *entry = found;
        }
    }
    Ok(())
}

/// Fetches versions. PostgreSQL shortens them before it sends them. A shortened version is not valid JSON any more, so it is kept as text.
async fn fetch_versions(
    connection: &mut AsyncPgConnection,
    gathered: Gathered<'_>,
    types: &Types,
    cut_bytes: usize,
    versions: &mut HashMap<Place, Value>,
) -> Result<(), Fault> {
    let found = comparison(&gathered, types, Found::Version);
    // A character has at most four octets.
    let text = format!(
        "SELECT ordinal, CASE WHEN octet_length(version) <= ? THEN version ELSE left(version, ? / 4) END, octet_length(version)
           FROM ({found}) v"
    );
    let (places, of_rows) = gathered.into_comparison();
    let cut_bytes = i32::try_from(cut_bytes).unwrap_or(i32::MAX);
    let mut binds = vec![Bind::Integer(cut_bytes), Bind::Integer(cut_bytes)];
    binds.extend(of_rows);
    let rows: Vec<(i64, String, i32)> =
        Statement::<(BigInt, Text, Integer)>::of_columns(&text, &binds).load(connection).await?;
    for (ordinal, text, bytes) in rows {
        let Some(place) = place(&places, ordinal) else { continue };
        let version = serde_json::from_str(&text).unwrap_or_else(|_cut| json!({"beginning": text, "bytes": bytes}));
        versions.insert(place, version);
    }
    Ok(())
}

fn place(places: &[Place], ordinal: i64) -> Option<Place> {
    usize::try_from(ordinal - 1).ok().and_then(|at| places.get(at)).copied()
}

/// What a comparison returns besides the row's `ordinal`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// The column `same`: whether the stored record has the same content.
    Same,
    /// The column `version`: a stored record with other content, as the text of its JSON.
    Version,
}

/// Writes a query of the stored records that have the identity or the legal key of one of the rows. Letter values are cast to the column's
/// type before they are compared. Each half of the `UNION` uses a unique index. `UNION` removes the records that both halves find.
fn comparison(gathered: &Gathered<'_>, types: &Types, found: Found) -> String {
    let sides = |name: &str| (format!("t.{}", quoted(name)), format!("n.{}::{}", quoted(name), types.of(name)));
    // The stored record is compared with the record of the letter. Texts are compared as octets: since the table was adopted, the column
    // may have got another collation, under which different texts are equal.
    // The legal key is compared as the table's unique index compares it, because an insert fails on the record that the index finds.
    let is_text = |name: &str| {
        let column = gathered.definition.columns.iter().find(|column| column.name == name);
        column.is_some_and(|column| matches!(column.kind, ColumnType::Text { .. }))
    };
    let same = |name: &str| {
        let ((held, brought), collation) = (sides(name), if is_text(name) { "::text COLLATE \"C\"" } else { "" });
        format!("{held}{collation} IS NOT DISTINCT FROM {brought}{collation}")
    };
    let contents = gathered.names().filter(|name| *name != STATUS);
    let same = contents.map(same).collect::<Vec<String>>().join(" AND ");
    // If the letter leaves out a column of the legal key, its value is not known here, so no stored record is searched for by that key.
    let of_key = |name: &String| {
        let (held, brought) = gathered.names().any(|own| own == name).then(|| sides(name))?;
        Some(format!("{held} = {brought}"))
    };
    let legal_key: Option<Vec<String>> = gathered.definition.legal_key.iter().map(of_key).collect();
    let legal_key = legal_key.map_or_else(|| "false".to_owned(), |equal| equal.join(" AND "));
    let (columns, condition) = match found {
        Found::Same => (format!("({same}) AS same"), String::new()),
        Found::Version => ("to_jsonb(t)::text AS version".to_owned(), format!("WHERE NOT ({same})")),
    };
    format!(
        "WITH n AS MATERIALIZED (SELECT * FROM unnest({arrays}, ?, ?, ?) WITH ORDINALITY
                  AS n ({names}, xm_agency, xm_installation, xm_numero, ordinal))
         SELECT n.ordinal, {columns} FROM n JOIN {relation} t
             ON t.xm_agency = n.xm_agency AND t.xm_installation = n.xm_installation AND t.xm_numero = n.xm_numero
         {condition}
         UNION
         SELECT n.ordinal, {columns} FROM n JOIN {relation} t ON {legal_key} AND t.{status} <> 0 {condition}",
        arrays = gathered.arrays().join(", "),
        names = gathered.column_names(),
        relation = gathered.relation(),
        status = quoted(STATUS),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(letters: usize, rows: usize) -> Vec<Place> {
        (0..letters).flat_map(|at| (0..rows).map(move |row| (at, 0, row))).collect()
    }

    #[test]
    fn versions_are_shared_out_among_letters_and_stay_within_the_bound() {
        const BOUND: usize = 512 << 10;
        // The four numbers of each case: letters, rows per letter, versions fetched, and the fewest versions fetched for a letter.
        for (letters, rows, fetched, fewest) in [
            (1, 1, 1, 1),
            (1, 100_000, 100, 100),
            (3, 5, 15, 5),
            (300, 1, 300, 1),
            (300, 1000, 1024, 3),
            (2000, 2, 1024, 0),
        ] {
            let (chosen, cut_bytes) = choose(places(letters, rows), BOUND);
            assert_eq!(chosen.len(), fetched, "{letters} x {rows}");
            assert!(chosen.len() * cut_bytes <= BOUND && (VERSION_BYTES_MIN..=VERSION_BYTES_MAX).contains(&cut_bytes));
            let of_letter = |at| chosen.iter().filter(|place| place.0 == at).count();
            assert_eq!((0..letters).map(of_letter).min(), Some(fewest), "{letters} x {rows}");
            assert!(!chosen.is_empty() && chosen.contains(&(0, 0, 0)), "the first row of the first letter is shown");
        }
        assert_eq!(choose(Vec::new(), BOUND).0.len(), 0);
    }
}
