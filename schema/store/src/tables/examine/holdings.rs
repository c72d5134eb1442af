//! What the tables hold of the groups that the rows of a batch belong to: for checks that look beyond their letter.
//!
//! A group is what rows agree on by some columns, such as a polling station. What is held of it is read once, under its lock, and
//! goes on from letter to letter of the batch as each is accepted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sdc::names::same;

use super::rows::TableRows;
use super::values::ColumnValues;
use crate::tables::catalogue::Catalogue;
use crate::tables::definition::{Counted, Definition, Term};

/// The values that rows agree on, in the order of the columns named.
pub type GroupKey = Vec<String>;

/// What rows of one group come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many there are.
    pub rows: i64,
    /// The sum of the values that are known.
    pub sum: i128,
    /// How many have no value.
    pub unknown: i64,
}

impl Totals {
    /// Adds a row with its value.
    pub fn add(&mut self, value: Option<i128>) {
        self.change(value, 1);
    }

    /// Takes a row away.
    pub fn take(&mut self, value: Option<i128>) {
        self.change(value, -1);
    }

    fn change(&mut self, value: Option<i128>, by: i64) {
        self.rows = self.rows.saturating_add(by);
        match value {
            Some(value) => self.sum = self.sum.saturating_add(value.saturating_mul(i128::from(by))),
            None => self.unknown = self.unknown.saturating_add(by),
        }
    }
}

/// What a term asks of a table: for each group of its rows on some columns the totals of a column, or their number alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Measure {
    /// The table.
    pub table_id: i32,
    /// Its column; absent where rows are only counted.
    pub column: Option<String>,
    /// The columns that rows agree on.
    pub on: Vec<String>,
}

impl Measure {
    /// Finds what a term of a check of `definition` asks, and of which table; nothing where it asks nothing of tables, or of one that
    /// the centre does not have. Where what is held `stands_for_letter`, a sum over the letter is one over the table.
    pub fn of(
        term: &Term,
        definition: &Definition,
        catalogue: &Catalogue,
        stands_for_letter: bool,
    ) -> Option<(Measure, Arc<Definition>)> {
        let (table, column, on) = match term {
            Term::Sum { table, sum, on, held } if *held || stands_for_letter => (table, Some(sum), on),
            Term::Count { table, count, on } if *count == Counted::Held || stands_for_letter => (table, None, on),
            Term::Reference { table, column, on } => (table, Some(column), on),
            _ => return None,
        };
        let other = catalogue.table(&definition.application, table)?;
        Some((Measure { table_id: other.table_id, column: column.cloned(), on: on.clone() }, other))
    }

    /// Goes through the rows of a letter that it counts: their groups and values.
    pub fn rows<'a>(&'a self, rows: &'a TableRows) -> impl Iterator<Item = (usize, GroupKey, Option<i128>)> + 'a {
        let keys = columns(rows, &self.on);
        let values = self.column.as_ref().map(|column| rows.column(column));
        (0..rows.row_count()).filter_map(move |row| {
            // Rows that are only counted have all the same value, so that none is unknown.
            let value = values.map_or(Some(0), |values| integer(values, row));
            Some((row, key(&keys, row)?, value))
        })
    }
}

/// What the tables hold, by measure and group. A group that is not in it was not asked for.
#[derive(Clone, Debug, Default)]
pub struct Holdings(BTreeMap<Measure, HashMap<GroupKey, Totals>>);

impl Holdings {
    /// Asks for a group: it is empty until something is added.
    pub fn ask(&mut self, measure: &Measure, key: GroupKey) {
        match self.0.get_mut(measure) {
            Some(groups) => {
                groups.entry(key).or_default();
            }
            None => {
                self.0.insert(measure.clone(), HashMap::from([(key, Totals::default())]));
            }
        }
    }

    /// Says whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Says whether something was asked of a table.
    pub fn are_of(&self, table_id: i32) -> bool {
        self.0.keys().any(|measure| measure.table_id == table_id)
    }

    /// Goes through the measures with their groups.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Measure, &mut HashMap<GroupKey, Totals>)> {
        self.0.iter_mut()
    }

    /// Forgets a measure: what asks for it cannot be judged.
    pub fn forget(&mut self, measure: &Measure) {
        self.0.remove(measure);
    }

    /// Returns what is held of a group, where it was asked for.
    pub fn totals(&self, measure: &Measure, key: &[String]) -> Option<Totals> {
        self.0.get(measure)?.get(key).copied()
    }

    /// Adds the rows of a letter that are new, or takes them away again.
    pub fn change(&mut self, tables: &[TableRows], is_new: &[Vec<bool>], change: fn(&mut Totals, Option<i128>)) {
        for (measure, groups) in &mut self.0 {
            for (table, rows) in tables.iter().enumerate() {
                if rows.definition.table_id != measure.table_id {
                    continue;
                }
                for (row, key, value) in measure.rows(rows) {
                    if let Some(totals) = groups.get_mut(&key).filter(|_| is_new[table][row]) {
                        change(totals, value);
                    }
                }
            }
        }
    }
}

/// What judging looks at beside the letter.
#[derive(Clone, Copy)]
pub struct Beside<'a> {
    /// The tables by name.
    pub catalogue: &'a Catalogue,
    /// What they hold, the letter's new rows included.
    pub holdings: &'a Holdings,
    /// Whether sums over the letter are sums over the tables: of a letter that corrects, whose rows are few of many.
    pub stands_for_letter: bool,
}

/// Returns columns of a letter's rows by name; none where the letter leaves one out.
pub fn columns<'a>(rows: &'a TableRows, names: &[String]) -> Vec<Option<&'a ColumnValues>> {
    names.iter().map(|name| rows.column(name)).collect()
}

/// Returns the values by which rows of two tables agree; nothing where one of them is NULL, which agrees with nothing.
pub fn key(columns: &[Option<&ColumnValues>], row: usize) -> Option<GroupKey> {
    columns.iter().map(|column| column.filter(|values| !values.is_null(row)).map(|values| values.text(row))).collect()
}

/// Returns the whole number of a row.
pub fn integer(column: Option<&ColumnValues>, row: usize) -> Option<i128> {
    column.and_then(|values| values.integer(row)).map(i128::from)
}

/// Adds up the rows of a letter by group: of all its tables of this name.
pub fn of_letter(
    tables: &[TableRows],
    table: &str,
    column: Option<&String>,
    on: &[String],
) -> HashMap<GroupKey, Totals> {
    let mut by_key: HashMap<GroupKey, Totals> = HashMap::new();
    for other in tables.iter().filter(|other| same(&other.definition.name, table)) {
        let measure = Measure { table_id: other.definition.table_id, column: column.cloned(), on: on.to_vec() };
        for (_, key, value) in measure.rows(other) {
            by_key.entry(key).or_default().add(value);
        }
    }
    by_key
}
