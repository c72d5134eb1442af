//! Planted faults in ledger entries, vouchers and statements.

use uuid::Uuid;

use super::*;

#[test]
fn every_planted_fault_of_money_is_found() {
    let differs: Counted = |found| found.ledger_difference == 1;
    // These entries are also listed in the agency's statement. A fault in such an entry makes the statement differ from the ledger, so it
    // counts twice.
    let lost_and_misread: Counted = |found| found.lost == 1 && found.reads_wrong == 1;
    let wrong_and_misread: Counted = |found| found.wrong == 1 && found.reads_wrong == 1;
    assert_held_faults_are_found(&[
        ("an entry is missing", |held| drop(held.entries.remove(1)), lost_and_misread),
        ("an entry is there twice", |held| held.entries.push(held.entries[1].clone()), DOUBLED),
        ("an entry is too high", |held| held.entries[1].amount -= 1, wrong_and_misread),
        (
            "an entry comes from nowhere",
            |held| held.entries.push(HeldEntry { letter_id: Some(Uuid::nil()), ..held.entries[1].clone() }),
            WRONG,
        ),
        ("a balance is too low", |held| held.balances[0].balance -= 1, differs),
        ("the books do not add up", |held| held.ledger_difference = 1, differs),
        ("a voucher is not redeemed", |held| held.vouchers.clear(), |found| found.lost == 1 && found.wrong == 1),
        ("a voucher is redeemed twice", |held| held.vouchers.push(held.vouchers[0].clone()), DOUBLED),
        ("a voucher is not credited", |held| drop(held.entries.pop()), LOST),
        ("a voucher is credited twice", |held| held.entries.push(held.entries[5].clone()), DOUBLED),
        ("a voucher is credited too high", |held| held.entries[5].amount += 1, WRONG),
        (
            "a voucher is credited that nobody brought",
            |held| held.entries.push(HeldEntry { note: "1-2".to_owned(), ..held.entries[5].clone() }),
            WRONG,
        ),
        (
            "a voucher is redeemed that nobody brought",
            |held| held.vouchers.push(HeldVoucher { letter_id: Uuid::nil(), number: 2, ..held.vouchers[0].clone() }),
            WRONG,
        ),
    ]);
}

fn statement(memory: &mut Memory) -> &mut sdc::answer::statement::Statement {
    let part = memory.letters[STATEMENT].answers.parts.get_mut(&1).unwrap();
    let Given::Statement(statement) = &mut part.given else { panic!("no statement") };
    statement
}

#[test]
fn every_planted_fault_of_a_statement_is_found() {
    assert_faults_of_memory_are_found(&[
        ("a statement is off by one", |memory| statement(memory).closing += 1, MISREAD),
        (
            "a statement and its sum are off by one",
            |memory| {
                statement(memory).closing += 1;
                statement(memory).opening += 1;
            },
            MISREAD,
        ),
        ("an entry of a statement is off by one", |memory| statement(memory).entries[2].amount += 1, MISREAD),
        ("a balance in a statement is off by one", |memory| statement(memory).entries[2].balance += 1, MISREAD),
        (
            "a statement leaves an entry out",
            |memory| {
                let left_out = statement(memory).entries.remove(0);
                statement(memory).entries_total -= 1;
                statement(memory).entries.remove(0);
                statement(memory).entries_total -= 1;
                statement(memory).opening = left_out.balance - COST;
            },
            MISREAD,
        ),
        ("a statement is of another letter", |memory| statement(memory).entries[1].letter = Some(Uuid::nil()), MISREAD),
        (
            "a statement does not fit its receipt",
            |memory| memory.letters[STATEMENT].answers.receipts.get_mut(&1).unwrap().balance = 1,
            MISREAD,
        ),
        (
            "a statement tells nothing, and a balance that never was",
            |memory| {
                statement(memory).entries.clear();
                statement(memory).opening = 689;
                statement(memory).closing = 689;
                memory.letters[STATEMENT].answers.receipts.get_mut(&1).unwrap().balance = 689;
            },
            MISREAD,
        ),
        (
            "a statement tells nothing of what was charged before",
            |memory| {
                statement(memory).entries.clear();
                statement(memory).entries_total = 0;
                statement(memory).closing = 0;
                memory.letters[STATEMENT].answers.receipts.get_mut(&1).unwrap().balance = 0;
            },
            MISREAD,
        ),
        ("a statement is missing", |memory| memory.letters[STATEMENT].answers.parts.clear(), LOST),
    ]);
}
