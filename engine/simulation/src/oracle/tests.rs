//! Tests that plant one fault at a time into the database's contents or the agencies' memory. The oracle must find each, and count it as
//! the right kind.

use super::held::*;
use super::letters::percentile;
use super::*;
use crate::memory::*;

mod agencies;
mod centre;
mod letters;
mod money;
mod reads;
mod world;
use world::*;

/// Returns a memory and a database that agree: in memory, the death has the values that the history keeps from before its correction.
fn sound() -> (Memory, Held) {
    let (mut memory, held) = world();
    if let Expected::Accepted { effect: Effect::Rows(rows), .. } = &mut memory.letters[DEATH].expected {
        rows[0].content = before_correction();
    }
    (memory, held)
}

#[test]
fn a_sound_centre_is_found_sound_and_counted() {
    let (memory, held) = sound();
    let found = examine(held, &memory);
    assert!(found.is_sound(), "{:?}", found.faults);
    assert_eq!((found.letters_sent, found.accepted, found.refused, found.duplicates), (19, 15, 3, 1));
    assert_eq!((found.bad_sent, found.rows, found.charged, found.receipts_verified), (3, 2, 310, 17));
    let reasons: Vec<(&str, u64)> =
        found.refused_by_reason.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    assert_eq!(reasons, [("hold_refused", 1), ("out_of_scope", 1), ("unknown_signer", 1)]);
    let by_service: Vec<(&str, u64)> = found.letters_by_service.into_iter().collect();
    let expected = [
        ("account", 1),
        ("certify", 1),
        ("correct", 3),
        ("enrol", 0),
        ("export", 5),
        ("import", 5),
        ("message", 1),
        ("notice", 2),
        ("profile", 1),
        ("recharge", 1),
        ("renew", 1),
    ];
    assert_eq!(by_service, expected, "every service, those that nobody used too");
}

/// A test of the findings: whether the planted fault was counted as the right kind.
type Counted = fn(&Findings) -> bool;
/// A fault: its name, the function that plants it, and the test of the findings.
type Fault<T> = (&'static str, fn(&mut T), Counted);

const LOST: Counted = |found| found.lost == 1;
const DOUBLED: Counted = |found| found.doubled == 1;
const WRONG: Counted = |found| found.wrong == 1;
const MISREAD: Counted = |found| found.reads_wrong == 1;

fn assert_held_faults_are_found(faults: &[Fault<Held>]) {
    for (name, plant, is_counted) in faults {
        let (memory, mut held) = sound();
        plant(&mut held);
        let found = examine(held, &memory);
        assert!(!found.is_sound() && is_counted(&found), "{name}: {found:?}");
        assert!(!found.faults.is_empty(), "{name}: not told in words");
    }
}

fn assert_faults_of_memory_are_found(faults: &[Fault<Memory>]) {
    for (name, plant, is_counted) in faults {
        let (mut memory, held) = sound();
        plant(&mut memory);
        let found = examine(held, &memory);
        assert!(!found.is_sound() && is_counted(&found), "{name}: {found:?}");
        assert!(!found.faults.is_empty(), "{name}: not told in words");
    }
}

fn rows(memory: &mut Memory, at: usize) -> &mut Vec<GivenRow> {
    let part = memory.letters[at].answers.parts.get_mut(&1).unwrap();
    let Given::Rows { rows, .. } = &mut part.given else { panic!("no rows") };
    rows
}

fn said(memory: &mut Memory, at: usize) -> &mut ReceiptMemory {
    memory.letters[at].answers.receipts.values_mut().next_back().unwrap()
}

#[test]
fn percentiles_are_of_the_nearest_rank() {
    let times: Vec<i64> = (1..=200).collect();
    assert_eq!((percentile(&times, 50), percentile(&times, 99), percentile(&[], 99)), (100, 198, 0));
}
