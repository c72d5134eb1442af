//! Faults planted into what the database holds, or into what agencies remember, are found and named.

use chrono::Utc;
use sdc::digest::Digest;
use sdc::refusal::RefusalCode;
use uuid::Uuid;

use super::reads::{HeldBalance, HeldCase, HeldEntry, HeldLine, HeldRow, HeldVerdict};
use super::*;
use crate::memory::RowMemory;
use crate::town::INSTALLATION;

const AGENCY: i32 = 7;
const CREDIT: i64 = 1000;
const COST: i64 = 100;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn octets(text: &str) -> Vec<u8> {
    digest(text).as_bytes().to_vec()
}

fn letter(name: &str, expected: Expected, receipt: Option<ReceiptMemory>) -> LetterMemory {
    let is_known = receipt.is_some();
    LetterMemory {
        signer: is_known.then_some(AGENCY),
        digest: is_known.then(|| digest(name)),
        letter_id: Uuid::now_v7(),
        sequence: 1,
        containers: vec![digest(&format!("{name}, sealed"))],
        expected,
        message_id: format!("{name}@example.org"),
        copies: 1,
        sent_at: Some(Utc::now()),
        receipts: u64::from(receipt.is_some()),
        receipt,
    }
}

/// Three letters: one accepted and sent twice, one refused, one of a stranger.
fn memory() -> Memory {
    let rows = vec![RowMemory { table: "ecr.ActeNaissance", numero: 1, content: digest("row") }];
    let accepted = ReceiptMemory { refusal: None, rows: 1, cost: COST, highest_sequence: 1 };
    let refused = ReceiptMemory { refusal: Some(RefusalCode::OutOfScope), rows: 0, cost: 0, highest_sequence: 1 };
    let mut good = letter("good", Expected::Accepted { rows, cost: COST }, Some(accepted));
    good.copies = 2;
    Memory {
        letters: vec![
            good,
            letter("bad", Expected::Refused(RefusalCode::OutOfScope), Some(refused)),
            letter("stranger", Expected::Refused(RefusalCode::UnknownSigner), None),
        ],
        recharged: HashMap::from([(AGENCY, CREDIT)]),
        ..Memory::default()
    }
}

fn held(memory: &Memory) -> Held {
    let letter_id = memory.letters[0].letter_id;
    let verdict =
        |name: &str, verdict: &str| HeldVerdict { agency: AGENCY, digest: octets(name), verdict: verdict.into() };
    let line = |name: &str, outcome: &str| HeldLine {
        digest: octets(name),
        outcome: outcome.into(),
        posted_at: Utc::now(),
        container: (name == "good").then(|| octets("good, sealed")),
    };
    let case = |name: &str, reason: &str| HeldCase {
        reason: reason.into(),
        container: octets(name),
        is_whole: true,
        message_id: None,
    };
    Held {
        verdicts: vec![verdict("good", "accepted"), verdict("bad", "out_of_scope")],
        rows: vec![HeldRow {
            table: "ecr.ActeNaissance".to_owned(),
            agency: AGENCY,
            numero: 1,
            letter: letter_id,
            installation: INSTALLATION.to_owned(),
            sequence: 1,
            content: octets("row"),
        }],
        entries: vec![HeldEntry { agency: AGENCY, letter_id, amount: COST }],
        quarantine: vec![case("bad, sealed", "out_of_scope"), case("stranger, sealed", "unknown_signer")],
        journal: vec![line("good", "accepted"), line("good", "duplicate"), line("bad", "out_of_scope")],
        balances: vec![HeldBalance { agency: AGENCY, balance: CREDIT - COST }],
        ledger_difference: 0,
    }
}

#[test]
fn a_sound_centre_is_found_sound_and_counted() {
    let memory = memory();
    let found = examine(held(&memory), &memory);
    assert!(found.is_sound(), "{:?}", found.faults);
    assert_eq!((found.letters_sent, found.accepted, found.refused, found.duplicates), (4, 1, 2, 1));
    assert_eq!((found.rows, found.charged, found.receipts_verified), (1, COST, 2));
    let reasons: Vec<(&str, u64)> =
        found.refused_by_reason.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    assert_eq!(reasons, [("out_of_scope", 1), ("unknown_signer", 1)]);
}

/// What a fault must be counted as.
type Counted = fn(&Findings) -> bool;
/// A fault: its name, how it is planted, and what it must be counted as.
type Fault<T> = (&'static str, fn(&mut T), Counted);

#[test]
fn every_planted_fault_of_the_database_is_found() {
    let lost: Counted = |found| found.lost == 1;
    let doubled: Counted = |found| found.doubled == 1;
    let wrong: Counted = |found| found.wrong == 1;
    let innocent: Counted = |found| found.quarantined_innocent == 1;
    let differs: Counted = |found| found.ledger_difference == 1;
    let faults: &[Fault<Held>] = &[
        ("a verdict is missing", |held| drop(held.verdicts.remove(0)), lost),
        ("a verdict is there twice", |held| held.verdicts.push(held.verdicts[0].clone()), doubled),
        ("a verdict is another", |held| "conflict".clone_into(&mut held.verdicts[1].verdict), wrong),
        (
            "a verdict comes from nowhere",
            |held| {
                held.verdicts.push(HeldVerdict { digest: octets("forged"), ..held.verdicts[0].clone() });
            },
            wrong,
        ),
        ("a row is missing", |held| held.rows.clear(), lost),
        ("a row is there twice", |held| held.rows.push(held.rows[0].clone()), doubled),
        ("a row says something else", |held| held.rows[0].content = octets("changed"), wrong),
        ("a row is of another letter", |held| held.rows[0].letter = Uuid::nil(), wrong),
        ("a row is of another installation", |held| held.rows[0].installation.push('x'), wrong),
        ("a row has another number", |held| held.rows[0].sequence = 2, wrong),
        ("a row comes from nowhere", |held| held.rows.push(HeldRow { numero: 2, ..held.rows[0].clone() }), wrong),
        ("an entry is missing", |held| held.entries.clear(), lost),
        ("an entry is there twice", |held| held.entries.push(held.entries[0].clone()), doubled),
        ("an entry is too high", |held| held.entries[0].amount += 1, wrong),
        (
            "an entry comes from nowhere",
            |held| {
                held.entries.push(HeldEntry { letter_id: Uuid::nil(), ..held.entries[0].clone() });
            },
            wrong,
        ),
        ("a bad letter is not in quarantine", |held| drop(held.quarantine.remove(0)), lost),
        ("a stranger is not in quarantine", |held| drop(held.quarantine.pop()), lost),
        (
            "a good letter is in quarantine",
            |held| {
                held.quarantine.push(HeldCase { container: octets("good, sealed"), ..held.quarantine[0].clone() });
            },
            innocent,
        ),
        ("a container in quarantine is damaged", |held| held.quarantine[1].is_whole = false, wrong),
        ("a bad letter is in quarantine twice", |held| held.quarantine.push(held.quarantine[0].clone()), doubled),
        ("a letter is not in the journal", |held| drop(held.journal.pop()), lost),
        ("a copy is not in the journal", |held| drop(held.journal.remove(1)), lost),
        ("a container is not kept", |held| held.journal.iter_mut().for_each(|line| line.container = None), wrong),
        ("another container is kept", |held| held.journal[1].container = Some(octets("other")), wrong),
        ("a letter was posted twice", |held| held.journal.push(held.journal[0].clone()), doubled),
        ("a balance is too low", |held| held.balances[0].balance -= 1, differs),
        ("the books do not add up", |held| held.ledger_difference = 1, differs),
    ];
    let memory = memory();
    for (name, plant, is_counted) in faults {
        let mut held = held(&memory);
        plant(&mut held);
        let found = examine(held, &memory);
        assert!(!found.is_sound() && is_counted(&found), "{name}: {found:?}");
        assert!(!found.faults.is_empty(), "{name}: not told in words");
    }
}

#[test]
fn every_planted_fault_of_receipts_is_found() {
    let missing: Counted = |found| found.receipts_missing == 1 && found.lost == 1;
    let wrong: Counted = |found| found.receipts_wrong == 1;
    let faults: &[Fault<Memory>] = &[
        ("a receipt is missing", |memory| memory.letters[0].receipt = None, missing),
        ("a refusal is not told", |memory| memory.letters[1].receipt = None, missing),
        (
            "a receipt refuses what was accepted",
            |memory| {
                memory.letters[0].receipt = memory.letters[1].receipt.clone();
            },
            wrong,
        ),
        ("a receipt tells of too many rows", |memory| memory.letters[0].receipt.as_mut().unwrap().rows += 1, wrong),
        ("a receipt tells of another price", |memory| memory.letters[0].receipt.as_mut().unwrap().cost += 1, wrong),
        (
            "a receipt does not know the number that it answers",
            |memory| memory.letters[0].receipt.as_mut().unwrap().highest_sequence = 0,
            wrong,
        ),
        ("an answer is not believed", |memory| memory.disbelieve("forged".to_owned()), wrong),
        (
            "a stranger has a receipt",
            |memory| {
                memory.letters[2].receipt =
                    Some(ReceiptMemory { refusal: None, rows: 0, cost: 0, highest_sequence: 0 });
            },
            wrong,
        ),
    ];
    for (name, plant, is_counted) in faults {
        let mut memory = memory();
        let held = held(&memory);
        plant(&mut memory);
        let found = examine(held, &memory);
        assert!(!found.is_sound() && is_counted(&found), "{name}: {found:?}");
    }
}

#[test]
fn a_letter_that_the_relay_did_not_take_may_have_no_effect_or_one() {
    let mut memory = memory();
    let sound = held(&memory);
    memory.letters.push(LetterMemory { copies: 0, ..letter("kept", Expected::Refused(RefusalCode::WrongMode), None) });
    assert!(examine(sound, &memory).is_sound());
}

#[test]
fn percentiles_are_of_the_nearest_rank() {
    let times: Vec<i64> = (1..=200).collect();
    assert_eq!((percentile(&times, 50), percentile(&times, 99), percentile(&[], 99)), (100, 198, 0));
}
