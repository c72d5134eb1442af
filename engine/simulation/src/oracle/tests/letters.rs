//! Planted faults in the results of letters: verdicts, rows, history, quarantine, journal and receipts.

use sdc::refusal::RefusalCode;
use sdc::service::Service;
use uuid::Uuid;

use super::*;

#[test]
fn every_planted_fault_of_letters_and_tables_is_found() {
    let innocent: Counted = |found| found.quarantined_innocent == 1;
    let acknowledged: Counted = |found| found.acknowledged_missing == 1;
    assert_held_faults_are_found(&[
        (
            "a letter that is settled, as its sender was told, has no line",
            |held| held.journal.retain(|line| line.digest != octets("good")),
            acknowledged,
        ),
        ("a stranger's letter that is settled is nowhere", |held| drop(held.quarantine.remove(1)), acknowledged),
        ("a verdict is missing", |held| drop(held.verdicts.remove(0)), LOST),
        ("a verdict is there twice", |held| held.verdicts.push(held.verdicts[0].clone()), DOUBLED),
        ("a verdict is another", |held| "conflict".clone_into(&mut held.verdicts[1].verdict), WRONG),
        (
            "a verdict comes from nowhere",
            |held| held.verdicts.push(HeldVerdict { digest: octets("forged"), ..held.verdicts[0].clone() }),
            WRONG,
        ),
        ("a row is missing", |held| drop(held.rows.remove(0)), LOST),
        ("a row is there twice", |held| held.rows.push(held.rows[0].clone()), DOUBLED),
        ("a row says something else", |held| held.rows[0].content = octets("changed"), WRONG),
        ("a row is of another letter", |held| held.rows[0].letter = Uuid::nil(), WRONG),
        ("a row has another number", |held| held.rows[0].sequence = 99, WRONG),
        ("a row comes from nowhere", |held| held.rows.push(HeldRow { numero: 2, ..held.rows[0].clone() }), WRONG),
        ("a corrected row says what it said before", |held| held.rows[1].content = octets("death"), WRONG),
        ("a correction has no history", |held| drop(held.history.remove(0)), LOST),
        ("a correction has two lines of history", |held| held.history.push(held.history[0].clone()), DOUBLED),
        ("the history has another version", |held| held.history[0].content["Status"] = serde_json::json!(1), WRONG),
        ("the history names another letter", |held| held.history[0].letter = Uuid::nil(), WRONG),
        ("a correction that came too late counts", |held| held.history[1].is_superseded = false, WRONG),
        ("a correction is taken for a cancellation", |held| held.history[0].action = "cancel".to_owned(), WRONG),
        (
            "a history comes from nowhere",
            |held| held.history.push(HeldHistory { replaced_by: Uuid::nil(), ..held.history[0].clone() }),
            WRONG,
        ),
        ("a bad letter is not in quarantine", |held| drop(held.quarantine.remove(0)), LOST),
        ("a stranger is not in quarantine", |held| drop(held.quarantine.remove(1)), LOST),
        (
            "a good letter is in quarantine",
            |held| held.quarantine.push(HeldCase { container: octets("good, sealed"), ..held.quarantine[0].clone() }),
            innocent,
        ),
        ("a container in quarantine is damaged", |held| held.quarantine[1].is_whole = false, WRONG),
        ("a bad letter is in quarantine twice", |held| held.quarantine.push(held.quarantine[0].clone()), DOUBLED),
        ("a letter is not in the journal", |held| drop(held.journal.remove(BAD)), LOST),
        ("a copy is not in the journal", |held| held.journal.retain(|line| line.outcome != "duplicate"), LOST),
        ("a container is not kept", |held| held.journal[DEATH - 1].container = None, WRONG),
        ("another container is kept", |held| held.journal[GOOD].container = Some(octets("other")), WRONG),
        ("a letter was posted twice", |held| held.journal.push(held.journal[DEATH].clone()), DOUBLED),
        (
            "a letter was held twice",
            |held| held.journal.push(held.journal.iter().find(|line| line.outcome == "held").unwrap().clone()),
            DOUBLED,
        ),
    ]);
}

#[test]
fn every_planted_fault_of_receipts_is_found() {
    let missing: Counted = |found| found.receipts_missing == 1 && found.lost == 1;
    let wrong: Counted = |found| found.receipts_wrong == 1;
    assert_faults_of_memory_are_found(&[
        ("a receipt is missing", |memory| memory.letters[GOOD].answers = Answers::default(), missing),
        ("a refusal is not told", |memory| memory.letters[BAD].answers = Answers::default(), missing),
        (
            "a receipt refuses what was accepted",
            |memory| said(memory, GOOD).refusal = Some(RefusalCode::OutOfScope),
            wrong,
        ),
        ("a receipt tells of too many rows", |memory| said(memory, GOOD).rows += 1, wrong),
        ("a receipt tells of another price", |memory| said(memory, GOOD).cost += 1, wrong),
        ("a receipt does not know the number that it answers", |memory| said(memory, GOOD).highest_sequence = 0, wrong),
        ("a receipt does not tell of a correction", |memory| said(memory, CORRECTION).corrected = 0, wrong),
        ("a receipt does not tell that a correction came too late", |memory| said(memory, LATE).superseded = 0, wrong),
        (
            "what was decided was never held",
            |memory| memory.letters[DECIDED].answers.receipts.get_mut(&1).unwrap().is_held = false,
            wrong,
        ),
        (
            "a decision is not told",
            |memory| {
                memory.letters[DECIDED].answers.receipts.remove(&2);
            },
            missing,
        ),
        (
            "nothing was to be decided",
            |memory| {
                let receipt = memory.letters[GOOD].answers.receipts.remove(&1).unwrap();
                memory.letters[GOOD].answers.receipts.insert(2, receipt);
            },
            wrong,
        ),
        ("an answer is not believed", |memory| memory.disbelieve("forged".to_owned()), wrong),
        (
            "a stranger has a receipt",
            |memory| {
                memory.letters[STRANGER].answers.receipts.insert(1, receipt(0));
            },
            wrong,
        ),
    ]);
}

#[test]
fn a_first_receipt_that_was_taken_back_is_not_missed() {
    let (mut memory, held) = sound();
    memory.letters[DECIDED].answers.receipts.remove(&1);
    let found = examine(held, &memory);
    assert!(found.is_sound(), "{:?}", found.faults);
}

#[test]
fn a_letter_that_the_relay_did_not_take_may_have_no_effect_or_one() {
    let (mut memory, held) = sound();
    let refused = Expected::Refused(RefusalCode::WrongMode);
    memory.letters.push(LetterMemory {
        copies: 0,
        acknowledged: 0,
        ..letter("kept", 50, Service::Export, refused, None)
    });
    let found = examine(held, &memory);
    assert!(found.is_sound(), "{:?}", found.faults);
}
