//! Finds the tables of which a trigger fails over whatever row comes. A statement without rows passes there (`empty`), and letters
//! tried one by one fail one by one (`isolate`): every batch with one of them would be tried so, and slow all others.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::arrival::Arrival;
use super::decide::Decision;
use super::isolate::Offenders;
use crate::database::fault::Fault;
use crate::tables::definition::Definition;

/// Agencies whose letters must fail before it is the table's fault: what one sends may be all that is wrong.
pub const AGENCIES_MIN: usize = 2;

/// A table of which, of all letters tried, none passed and each that was not refused met the same fault.
pub struct FailingTable {
    pub definition: Arc<Definition>,
    /// What the first one met.
    pub fault: Fault,
    /// How many agencies' letters met it.
    pub agencies: usize,
    /// Their places in the batch.
    pub letters: HashSet<usize>,
}

/// Returns the tables that failed for all their letters. Where letters bring rows of several tables nobody knows which of them
/// it was: each of which no letter passes is among them, and the first that takes a letter by itself is free again.
pub fn failing_tables(batch: &[Arrival], decisions: &[Decision], offenders: &Offenders) -> Vec<FailingTable> {
    let mut tables: BTreeMap<i32, Option<FailingTable>> = BTreeMap::new();
    let mut agencies: BTreeMap<i32, HashSet<i32>> = BTreeMap::new();
    for (at, (arrival, decision)) in batch.iter().zip(decisions).enumerate() {
        let (Some(acceptance), Some(signer)) = (decision.acceptance(), arrival.signer()) else { continue };
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
                    of_table.insert(signer.matricule.as_i32());
                    failing.agencies = of_table.len();
                    failing.letters.insert(at);
                }
                // One that passes, or fails otherwise, clears the table for good.
                _ => *table = None,
            }
        }
    }
    tables.into_values().flatten().collect()
}
