//! The records of the batch's accepted letters. A later letter of the batch may repeat or contradict them.

use std::collections::HashMap;

use sdc::letter::Matricule;
use sdc::refusal::{ROW_FAULTS_MAX, Refusal, RefusalCode, RowFault};

use super::held::{HeldRecords, Match};
use crate::tables::examine::{TableRows, row_number};

type Place<'a> = (&'a TableRows, usize);

/// Records of accepted letters of the batch, by identity and by legal key.
#[derive(Default)]
pub struct BatchRecords<'a> {
    by_identity: HashMap<(i32, Matricule, String, i64), Place<'a>>,
    by_legal_key: HashMap<(i32, Vec<String>), Place<'a>>,
}

impl<'a> BatchRecords<'a> {
    /// Says for every row whether it is new.
    ///
    /// # Errors
    /// The refusal of a letter with a row whose record is stored already with other content, and the stored versions.
    pub fn classify(
        &self,
        at: usize,
        agency: Matricule,
        installation: &str,
        tables: &'a [TableRows],
        held: &HeldRecords,
    ) -> Result<Vec<Vec<bool>>, (Refusal, serde_json::Value)> {
        let (mut faults, mut versions, mut total) = (Vec::new(), Vec::new(), 0_u32);
        let mut is_new = Vec::with_capacity(tables.len());
        for (table, rows) in tables.iter().enumerate() {
            let mut own: HashMap<Vec<String>, usize> = HashMap::new();
            let mut marks = Vec::with_capacity(rows.row_count());
            for row in 0..rows.row_count() {
                let found = held.get((at, table, row));
                let beside = if found.is_none() { self.find(agency, installation, rows, row, &mut own) } else { None };
                if let Some(Match::Differs) = found.or(beside) {
                    total += 1;
                    if faults.len() < ROW_FAULTS_MAX {
                        faults.push(conflict_fault(rows, row));
                        versions.extend(match found {
                            Some(_held) => held.version((at, table, row)).cloned(),
                            None => Some(serde_json::Value::String("in the same batch".to_owned())),
                        });
                    }
                }
                marks.push(found.or(beside).is_none());
            }
            is_new.push(marks);
        }
        if faults.is_empty() {
            return Ok(is_new);
        }
        let mut refusal = Refusal::new(RefusalCode::Conflict).with_faults(faults);
        refusal.faults_total = total;
        Err((refusal, serde_json::Value::Array(versions)))
    }

    fn find(
        &self,
        agency: Matricule,
        installation: &str,
        rows: &TableRows,
        row: usize,
        own: &mut HashMap<Vec<String>, usize>,
    ) -> Option<Match> {
        let table_id = rows.definition.table_id;
        let legal_key = rows.legal_key(row);
        let identity = (table_id, agency, installation.to_owned(), rows.numeros[row]);
        let Some(legal_key) = legal_key else {
            return self.by_identity.get(&identity).map(|other| compare(rows, row, *other));
        };
        if let Some(&first) = own.get(&legal_key) {
            return Some(compare(rows, row, (rows, first)));
        }
        let other =
            self.by_identity.get(&identity).or_else(|| self.by_legal_key.get(&(table_id, legal_key.clone()))).copied();
        own.insert(legal_key, row);
        other.map(|other| compare(rows, row, other))
    }

    pub fn add(&mut self, agency: Matricule, installation: &str, tables: &'a [TableRows]) {
        for rows in tables {
            let table_id = rows.definition.table_id;
            for row in 0..rows.row_count() {
                let identity = (table_id, agency, installation.to_owned(), rows.numeros[row]);
                self.by_identity.entry(identity).or_insert((rows, row));
                if let Some(legal_key) = rows.legal_key(row) {
                    self.by_legal_key.entry((table_id, legal_key)).or_insert((rows, row));
                }
            }
        }
    }
}

/// Compares two records of one batch. They differ if they do not have the same columns, since the table gives a column that is left out a
/// value that is not known here.
fn compare(rows: &TableRows, row: usize, (other, other_row): Place<'_>) -> Match {
    let is_same = |column: usize| rows.values[column].same(row, &other.values[column], other_row);
    let same = rows.columns == other.columns && (0..rows.values.len()).all(is_same);
    if same { Match::Same } else { Match::Differs }
}

fn conflict_fault(rows: &TableRows, row: usize) -> RowFault {
    RowFault {
        table: rows.definition.name.clone(),
        row: row_number(row),
        column: None,
        rule: "conflict".to_owned(),
        expected: "the content that the centre holds".to_owned(),
    }
}
