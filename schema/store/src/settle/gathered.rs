//! Rows of many letters, grouped by table and set of columns, so that one statement writes all rows of a group.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use uuid::Uuid;

use super::batch::Case;
use super::decision::Decision;
use crate::database::fault::Fault;
use crate::database::identifier::quoted;
use crate::database::statement::{Bind, Statement};
use crate::tables::definition::{ColumnType, Definition};
use crate::tables::examine::{ColumnValues, TableRows};

/// Origin of a row: place of the letter in the batch, place of the table in the letter, place of the row in the table.
pub type Place = (usize, usize, usize);

/// Rows of many letters for one table and one set of columns.
pub struct Gathered<'a> {
    pub definition: Arc<Definition>,
    columns: &'a [usize],
    values: Vec<Bind<'a>>,
    agencies: Vec<Option<Matricule>>,
    installations: Vec<Option<&'a str>>,
    numeros: Vec<Option<i64>>,
    sequences: Vec<Option<i64>>,
    letters: Vec<Option<Uuid>>,
    /// Origin of each row.
    pub places: Vec<Place>,
}

/// Returns a test that says whether a row must be inserted.
pub fn is_new(batch: &[Case]) -> impl Fn(Place) -> bool {
    |(at, table, row)| batch[at].acceptance().is_some_and(|acceptance| acceptance.is_new[table][row])
}

/// Returns one sample of rows for every table and set of columns that accepted letters write to, so that a statement of each shape can be
/// tried. If several letters write the same columns of a table, the sample comes from the first of them.
pub fn shapes(batch: &[Case]) -> Vec<&TableRows> {
    let mut shapes: BTreeMap<(i32, &[usize]), &TableRows> = BTreeMap::new();
    for rows in batch.iter().filter_map(Case::acceptance).flat_map(|acceptance| acceptance.work.tables()) {
        shapes.entry((rows.definition.table_id, rows.columns.as_slice())).or_insert(rows);
    }
    shapes.into_values().collect()
}

/// Gathers the wanted rows of accepted letters, in the order of the batch.
pub fn gather(batch: &[Case], wanted: impl Fn(Place) -> bool) -> Vec<Gathered<'_>> {
    let mut groups: BTreeMap<(i32, &[usize]), Gathered> = BTreeMap::new();
    for (at, case) in batch.iter().enumerate() {
        let Decision::Accepted { key, acceptance, .. } = &case.decision else { continue };
        let Some(agency) = case.agency() else { continue };
        for (table, rows) in acceptance.work.tables().iter().enumerate() {
            let group = groups
                .entry((rows.definition.table_id, rows.columns.as_slice()))
                .or_insert_with(|| Gathered::empty(rows));
            let wanted: Vec<usize> = (0..rows.row_count()).filter(|row| wanted((at, table, *row))).collect();
            // Values can be taken over column by column: `rows` and `group` have the same columns in the same order, because the columns
            // are part of the group's key.
            for (column, from) in rows.values.iter().enumerate() {
                from.push_onto(&wanted, &mut group.values[column]);
            }
            group.agencies.extend(wanted.iter().map(|_| Some(agency)));
            group.installations.extend(wanted.iter().map(|_| Some(key.installation.as_str())));
            group.numeros.extend(wanted.iter().map(|&row| Some(rows.numeros[row])));
            group.sequences.extend(wanted.iter().map(|_| key.sequence));
            group.letters.extend(wanted.iter().map(|_| Some(key.letter_id)));
            group.places.extend(wanted.iter().map(|&row| (at, table, row)));
        }
    }
    groups.into_values().filter(|group| !group.places.is_empty()).collect()
}

impl<'a> Gathered<'a> {
    /// Makes a group without rows, for the table and the columns of `rows`.
    pub fn empty(rows: &'a TableRows) -> Gathered<'a> {
        Gathered {
            definition: Arc::clone(&rows.definition),
            columns: &rows.columns,
            values: rows.values.iter().map(ColumnValues::empty_bind).collect(),
            agencies: vec![],
            installations: vec![],
            numeros: vec![],
            sequences: vec![],
            letters: vec![],
            places: vec![],
        }
    }

    /// Returns the table's quoted name.
    pub fn relation(&self) -> String {
        relation(&self.definition)
    }

    /// Returns the quoted names of the columns, separated by commas.
    pub fn column_names(&self) -> String {
        let names: Vec<String> = self.names().map(quoted).collect();
        names.join(", ")
    }

    /// Returns the names of the columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|&index| self.definition.columns[index].name.as_str())
    }

    /// Returns one placeholder per column, with a cast if the type of the bound value is not that of the column.
    pub fn arrays(&self) -> Vec<&'static str> {
        let array = |&index: &usize| match self.definition.columns[index].kind {
            ColumnType::Numeric { .. } => "?::numeric[]",
            _ => "?",
        };
        self.columns.iter().map(array).collect()
    }

    /// Returns the origins of the rows, and the values to bind for a comparison with stored records: the letter's columns, then what
    /// identifies a record: agency, installation and the sender's number.
    pub fn into_comparison(self) -> (Vec<Place>, Vec<Bind<'a>>) {
        let mut binds = self.values;
        binds.push(Bind::Matricules(self.agencies));
        binds.push(Bind::Texts(self.installations));
        binds.push(Bind::Bigints(self.numeros));
        (self.places, binds)
    }

    /// Returns the values to bind for an insertion: the letter's columns, then the columns of provenance (`xm_…`), which say which letter
    /// the row came from.
    pub fn into_insert(self) -> Vec<Bind<'a>> {
        let mut binds = self.values;
        binds.push(Bind::Matricules(self.agencies));
        binds.push(Bind::Texts(self.installations));
        binds.push(Bind::Bigints(self.numeros));
        binds.push(Bind::Bigints(self.sequences));
        binds.push(Bind::Uuids(self.letters));
        binds
    }
}

/// The full types of a table's columns, with length, scale and precision. A letter's value is cast to them before it is compared with a
/// stored one, which the column may have changed: a `char(6)` keeps no blanks at its end, a `timestamptz(0)` no fractions of a second.
pub struct Types(HashMap<String, String>);

impl Types {
    /// Reads the current types from PostgreSQL.
    pub async fn read(connection: &mut AsyncPgConnection, definition: &Definition) -> Result<Types, Fault> {
        let text = "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
                     WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped";
        let relation = relation(definition);
        let binds = [Bind::Text(&relation)];
        let rows: Vec<(String, String)> = Statement::<(Text, Text)>::new(text, &binds).load(connection).await?;
        Ok(Types(rows.into_iter().collect()))
    }

    /// Returns the type of a column. For a column that was dropped, returns `text`: the statement then fails because the column is missing.
    pub fn of(&self, name: &str) -> &str {
        self.0.get(name).map_or("text", String::as_str)
    }
}

/// Returns the quoted name of a table.
pub fn relation(definition: &Definition) -> String {
    format!("{}.{}", quoted(&definition.schema_name), quoted(&definition.relation_name))
}
