//! The acts that an office has written lately. The office uses them for errands that correct, read or compare records.

use std::collections::{BTreeMap, VecDeque};

use sdc::request::Records;
use serde_json::Value;
use uuid::Uuid;

use crate::memory::rows::{name_column, table_name};
use crate::rules::{BIRTHS, DEATHS, MARRIAGES};

/// Largest number of acts of one table that are kept.
const ACTS_MAX: usize = 16;

/// An act that the office has written.
#[derive(Clone, Debug)]
pub struct Act {
    /// The number that the office gave to the record in its letters (`Numero`).
    pub numero: i64,
    /// The number of the act in the register (`NumeroActe`).
    pub number: i64,
    /// The surname of the person whom the act is about.
    pub name: String,
    /// The values of the record by column.
    pub cells: BTreeMap<String, Value>,
    /// The letter that brought the act.
    letter: Uuid,
    /// Whether the letter that brought the act is answered.
    pub is_answered: bool,
}

/// The latest acts of each table, the oldest first.
#[derive(Debug, Default)]
pub struct Shelf {
    /// Acts of birth.
    pub births: VecDeque<Act>,
    /// Acts of death.
    pub deaths: VecDeque<Act>,
    /// Acts of marriage.
    pub marriages: VecDeque<Act>,
    /// The register number of the death that was cancelled last, where there is one.
    pub cancelled: Option<i64>,
}

impl Shelf {
    /// Adds the acts of a letter to the shelf; the oldest acts beyond the limit are dropped.
    pub fn put(&mut self, letter: Uuid, records: &Records) {
        for table in &records.tables {
            let Some(name) = table_name(&records.application, &table.table) else { continue };
            let Some(column) = name_column(name) else { continue };
            let Some(acts) = self.of(name) else { continue };
            for row in 0..table.row_count() {
                let values = table.columns.iter().zip(&table.values);
                let cells: BTreeMap<String, Value> =
                    values.map(|(column, values)| (column.clone(), values[row].clone())).collect();
                let integer = |name: &str| cells.get(name).and_then(Value::as_i64).unwrap_or_default();
                if acts.len() == ACTS_MAX {
                    acts.pop_front();
                }
                acts.push_back(Act {
                    numero: integer("Numero"),
                    number: integer("NumeroActe"),
                    name: cells.get(column).and_then(Value::as_str).unwrap_or_default().to_owned(),
                    cells,
                    letter,
                    is_answered: false,
                });
            }
        }
    }

    fn of(&mut self, table: &str) -> Option<&mut VecDeque<Act>> {
        match table {
            BIRTHS => Some(&mut self.births),
            DEATHS => Some(&mut self.deaths),
            MARRIAGES => Some(&mut self.marriages),
            _ => None,
        }
    }

    /// Marks the acts of a letter as answered.
    pub fn answered(&mut self, letter: Uuid) {
        let all = self.births.iter_mut().chain(&mut self.deaths).chain(&mut self.marriages);
        all.filter(|act| act.letter == letter).for_each(|act| act.is_answered = true);
    }
}
