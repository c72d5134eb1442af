//! Finds the tables whose trigger fails for every row. `broken_tables` does not find them, because its statement without rows succeeds.
//! `offenders` tries the letters one by one, and all of them fail. Letters for such a table must wait. Otherwise every batch with a letter
//! for it would be tried letter by letter, and delay all other letters.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use sdc::letter::Matricule;

use super::batch::Case;
use super::offenders::Offenders;
use crate::database::fault::Fault;
use crate::tables::definition::Definition;

/// Number of agencies whose letters must fail before the table is blamed. If letters of one agency fail, the cause may be these letters.
pub const AGENCIES_MIN: usize = 2;

/// A table that took no row of any letter that was tried. All these letters failed with the same fault, except letters that a rule refused.
pub struct FailingTable {
    pub definition: Arc<Definition>,
    /// The fault of the first letter that failed.
    pub fault: Fault,
    /// Number of agencies whose letters failed.
    pub agencies: usize,
    /// Places in the batch of the letters that failed.
    pub letters: HashSet<usize>,
}

/// Returns the tables to which no letter of the batch could be written. If a letter that writes to several tables fails, it is unknown
/// which table is the cause, so this may return a sound table beside the one at fault. The caller defers all letters for the returned
/// tables. A table is deferred no longer once a letter that writes only to this table succeeds.
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
                // A letter that succeeds, or fails with another fault, shows that the table does not fail in the same way for every row. So
                // the table is not returned, whatever the other letters do.
                _ => *table = None,
            }
        }
    }
    tables.into_values().flatten().collect()
}
