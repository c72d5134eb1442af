//! Finds the tables whose trigger fails over every row. A statement without rows passes there (`broken_tables`), and letters that are
//! tried one by one all fail (`offenders`). If such a table were not withheld, each batch with a letter for it would be tried one by
//! one, and slow all other letters.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use sdc::letter::Matricule;

use super::batch::Case;
use super::offenders::Offenders;
use crate::database::fault::Fault;
use crate::tables::definition::Definition;

/// How many agencies' letters must fail before the table is blamed: with one agency, its letters may be what is wrong.
pub const AGENCIES_MIN: usize = 2;

/// A table that took no letter of all that were tried, where each letter that no rule refused met the same fault.
pub struct FailingTable {
    pub definition: Arc<Definition>,
    /// What the first of these letters met.
    pub fault: Fault,
    /// How many agencies' letters met it.
    pub agencies: usize,
    /// Places of these letters in the batch.
    pub letters: HashSet<usize>,
}

/// Returns the tables that failed for all their letters. Where letters bring rows of several tables, it is not known which of these
/// failed: each table that took no letter is returned, and one is free again once it takes a letter that brings no other table.
pub fn failing_tables(batch: &[Case], offenders: &Offenders) -> Vec<FailingTable> {
    let mut tables: BTreeMap<i32, Option<FailingTable>> = BTreeMap::new();
    let mut agencies: BTreeMap<i32, HashSet<Matricule>> = BTreeMap::new();
    for (at, case) in batch.iter().enumerate() {
        let (Some(acceptance), Some(agency)) = (case.acceptance(), case.agency()) else { continue };
        if offenders.refused.contains_key(&at) || offenders.untried.contains(&at) {
            continue;
        }
        let fault = offenders.failed.get(&at);
        for rows in acceptance.work.tables() {
            let table_id = rows.definition.table_id;
            let table = tables.entry(table_id).or_insert_with(|| {
                let definition = Arc::clone(&rows.definition);
                fault.map(|fault| FailingTable {
                    definition,
                    fault: fault.clone(),
                    agencies: 0,
                    letters: HashSet::new(),
                })
            });
            match (&mut *table, fault) {
                (Some(failing), Some(fault)) if failing.fault.is_like(fault) => {
                    let of_table = agencies.entry(table_id).or_default();
                    of_table.insert(agency);
                    failing.agencies = of_table.len();
                    failing.letters.insert(at);
                }
                // A letter that passes, or fails otherwise, clears the table for good.
                _ => *table = None,
            }
        }
    }
    tables.into_values().flatten().collect()
}
