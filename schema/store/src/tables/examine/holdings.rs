//! The totals of the stored rows in each group of a batch's rows, for checks that look at more than one letter.
//!
//! A group is the set of rows with equal values in some columns, such as the rows of one polling station. Its totals are read once, while
//! the group is locked. They change with each letter of the batch that is accepted.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sdc::names::same;

use super::rows::TableRows;
use super::values::ColumnValues;
use crate::tables::catalogue::Catalogue;
use crate::tables::definition::{Counted, Definition, Term};

/// The values, as text, that all rows of a group have in the columns of `Measure::on`, in the order of these columns.
pub type GroupKey = Vec<String>;

/// The totals of a group's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of rows.
    pub rows: i64,
    /// Sum of the known values.
    pub sum: i128,
    /// Number of rows whose value is NULL.
    pub unknown: i64,
}

impl Totals {
    /// Adds a row with this value; `None` stands for NULL.
    pub fn add(&mut self, value: Option<i128>) {
        self.change(value, 1);
    }

    /// Subtracts a row with this value; `None` stands for NULL.
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

/// A total that a term needs from a table: for each group, the sum of a column, or only the number of rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Measure {
    /// Id of the table.
    pub table_id: i32,
    /// The column that is summed; absent if rows are only counted.
    pub column: Option<String>,
    /// The columns whose values determine the group of a row.
    pub on: Vec<String>,
}

impl Measure {
    /// Returns the measure that a term of a check of `definition` needs, and the measured table. Returns `None` if the term needs no stored
    /// rows, or if the centre has no such table. If `stands_for_letter` is set, sums and counts over the letter's rows are taken over the
    /// table instead.
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

    /// Returns place, group and value of each row of a letter. A row that belongs to no group is left out.
    pub fn rows<'a>(&'a self, rows: &'a TableRows) -> impl Iterator<Item = (usize, GroupKey, Option<i128>)> + 'a {
        let keys = columns(rows, &self.on);
        let values = self.column.as_ref().map(|column| rows.column(column));
        (0..rows.row_count()).filter_map(move |row| {
            // If rows are only counted, each row has the value 0, so that none counts as unknown.
            let value = values.map_or(Some(0), |values| integer(values, row));
            Some((row, key(&keys, row)?, value))
        })
    }
}

/// The totals of stored rows, by measure and group. Only groups that were asked for are present.
#[derive(Clone, Debug, Default)]
pub struct Holdings(BTreeMap<Measure, HashMap<GroupKey, Totals>>);

impl Holdings {
    /// Adds a group whose totals are needed. The totals are zero until they are read or rows are added.
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

    /// Says whether no group was asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Says whether a group of this table was asked for.
    pub fn are_of(&self, table_id: i32) -> bool {
        self.0.keys().any(|measure| measure.table_id == table_id)
    }

    /// Says whether every row of a letter's table belongs to a group of this table in which nothing is stored, so that the row can be taken
    /// for new without a look-up (`Knowledge::surely_new` says when this is wrong). Returns `false` for a table without such groups.
    pub fn have_none_of(&self, rows: &TableRows) -> bool {
        let mut is_new = vec![false; rows.row_count()];
        for (measure, groups) in self.0.iter().filter(|(measure, _)| measure.table_id == rows.definition.table_id) {
            for (row, key, _) in measure.rows(rows) {
                is_new[row] |= groups.get(&key).is_some_and(|totals| totals.rows == 0);
            }
        }
        is_new.iter().all(|is_new| *is_new)
    }

    /// Returns the measures with their groups, for the caller to fill in the totals.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Measure, &mut HashMap<GroupKey, Totals>)> {
        self.0.iter_mut()
    }

    /// Removes a measure that cannot be read, so that checks on it cannot be judged.
    pub fn forget(&mut self, measure: &Measure) {
        self.0.remove(measure);
    }

    /// Returns the totals of a group; `None` if the group was not asked for.
    pub fn totals(&self, measure: &Measure, key: &[String]) -> Option<Totals> {
        self.0.get(measure)?.get(key).copied()
    }

    /// Adds the new rows of a letter to the totals, or subtracts them again.
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

/// Data besides the letter by which checks are judged.
#[derive(Clone, Copy)]
pub struct Beside<'a> {
    /// The catalogue, by which tables are found by name.
    pub catalogue: &'a Catalogue,
    /// The totals of the stored rows, with the letter's new rows added.
    pub holdings: &'a Holdings,
    /// Whether sums over the letter's rows are taken over the stored rows instead. This is so for corrections, because their letter has
    /// only some rows of a group.
    pub stands_for_letter: bool,
}

/// Returns the columns with these names of a letter's rows; `None` for each column that the letter leaves out.
pub fn columns<'a>(rows: &'a TableRows, names: &[String]) -> Vec<Option<&'a ColumnValues>> {
    names.iter().map(|name| rows.column(name)).collect()
}

/// Returns the group of a row. Returns `None` if one of the values is NULL, because NULL equals no other value.
pub fn key(columns: &[Option<&ColumnValues>], row: usize) -> Option<GroupKey> {
    columns.iter().map(|column| column.filter(|values| !values.is_null(row)).map(|values| values.text(row))).collect()
}

/// Returns the whole number in a row; `None` if it is NULL or the column is absent.
pub fn integer(column: Option<&ColumnValues>, row: usize) -> Option<i128> {
    column.and_then(|values| values.integer(row)).map(i128::from)
}

/// Returns the totals of the letter's rows by group, over all tables with this name in the letter.
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
