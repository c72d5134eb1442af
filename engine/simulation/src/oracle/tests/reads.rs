//! Planted faults in the answers to letters that ask for records or have papers compared.

use sdc::answer::results::{Found, KeyResult};
use sdc::digest::Digest;

use super::*;

#[test]
fn every_planted_fault_of_what_was_read_is_found() {
    let two: Counted = |found| found.reads_wrong == 2;
    assert_faults_of_memory_are_found(&[
        ("a record is missing", |memory| rows(memory, READ).clear(), two),
        (
            "a record is missing, and the receipt knows",
            |memory| {
                rows(memory, READ).clear();
                said(memory, READ).read = Some((0, 1));
                // The letter SINCE asks for records that have changed since the answer to READ. If that answer lacks a record, the answer
                // to SINCE must give it. So the record is added there, and only the missing record of READ is a fault.
                rows(memory, SINCE).push(given_row("death, corrected"));
                said(memory, SINCE).read = Some((1, 1));
            },
            MISREAD,
        ),
        ("a record says what it said before", |memory| rows(memory, READ)[0].content = before_correction(), MISREAD),
        (
            "a record is of an agency that it may not be read of",
            |memory| rows(memory, READ)[0].origin.as_mut().unwrap().0 = AGENCY + 1,
            MISREAD,
        ),
        ("a record is given that nobody sent", |memory| rows(memory, READ)[0].origin.as_mut().unwrap().2 = 2, MISREAD),
        ("a record has no origin", |memory| rows(memory, READ)[0].origin = None, MISREAD),
        (
            "a record is given twice",
            |memory| {
                let row = rows(memory, READ)[0].clone();
                rows(memory, READ).push(row);
                said(memory, READ).read = Some((2, 1));
            },
            MISREAD,
        ),
        (
            "records are of another table",
            |memory| {
                let part = memory.letters[READ].answers.parts.get_mut(&1).unwrap();
                part.given = Given::Rows { table: Some("ecr.ActeMariage"), rows: Vec::new(), position: None };
            },
            MISREAD,
        ),
        ("a receipt tells of another number", |memory| said(memory, READ).read = Some((2, 1)), MISREAD),
        ("a part is missing", |memory| said(memory, READ).read = Some((1, 2)), LOST),
        ("a part contradicts another", |memory| memory.contradict("part 1".to_owned()), MISREAD),
        (
            "a part that was asked for has not come again",
            |memory| memory.letters[READ].answers.parts.get_mut(&1).unwrap().times = 1,
            MISREAD,
        ),
    ]);
}

#[test]
fn every_planted_fault_of_brief_answers_and_estimates_is_found() {
    let two: Counted = |found| found.reads_wrong == 2;
    assert_faults_of_memory_are_found(&[
        ("a name is another", |memory| rows(memory, BRIEF)[0].content = digest("1 Konaté"), MISREAD),
        ("an act is not in its order", |memory| rows(memory, BRIEF)[0].number = Some(i64::MAX), MISREAD),
        ("an act is told that nobody sent", |memory| rows(memory, BRIEF)[0].number = Some(2), MISREAD),
        ("an act is missing", |memory| rows(memory, BRIEF).clear(), two),
        (
            "an estimate is too high",
            |memory| {
                let part = memory.letters[ESTIMATE].answers.parts.get_mut(&1).unwrap();
                let Given::Estimate(estimate) = &mut part.given else { panic!("no estimate") };
                (estimate.rows, estimate.price) = (2, 20);
            },
            MISREAD,
        ),
        (
            "an estimate is not the price",
            |memory| {
                let part = memory.letters[ESTIMATE].answers.parts.get_mut(&1).unwrap();
                let Given::Estimate(estimate) = &mut part.given else { panic!("no estimate") };
                estimate.price += 1;
            },
            MISREAD,
        ),
        (
            "a refused letter is given something",
            |memory| memory.letters[BAD].answers.parts = memory.letters[READ].answers.parts.clone(),
            MISREAD,
        ),
        (
            "an export is given something",
            |memory| memory.letters[GOOD].answers.parts = memory.letters[READ].answers.parts.clone(),
            MISREAD,
        ),
        (
            "the agency's own data is told otherwise",
            |memory| {
                let part = memory.letters[CHANGE].answers.parts.get_mut(&1).unwrap();
                let Given::Profile(profile) = &mut part.given else { panic!("no profile") };
                profile.waiting = None;
            },
            MISREAD,
        ),
    ]);
}

/// Where a record is corrected while a letter reads it, the answer may give the old or the new version. Where a record is cancelled
/// meanwhile, the answer may leave it out. None of these is a fault.
#[test]
fn what_changes_while_it_is_read_may_be_told_either_way() {
    for (content, is_cancelled, is_given) in [
        (Some("death"), false, true),
        (Some("death, corrected"), false, true),
        (None, true, true),
        (None, false, false),
    ] {
        let (mut memory, mut held) = sound();
        // The receipt of the correction is verified only after the reading letter is sent, so the correction may take effect while the
        // letter is read.
        let read = memory.letters[READ].sent;
        memory.letters[CORRECTION].answers.verified = Some(read + 1);
        if let Expected::Accepted { effect: Effect::Correction(correction), .. } =
            &mut memory.letters[CORRECTION].expected
        {
            correction.is_cancelled = is_cancelled;
        }
        if is_cancelled {
            held.history[0].action = "cancel".to_owned();
        }
        match content {
            Some("death") => rows(&mut memory, READ)[0].content = before_correction(),
            Some(_) => {}
            None => {
                rows(&mut memory, READ).clear();
                said(&mut memory, READ).read = Some((0, 1));
            }
        }
        // The letter SINCE builds on the answer to READ, so its own answer would differ too. SINCE is replaced by a request for no parts,
        // so that only the answer to READ is judged.
        memory.letters[SINCE].expected = Expected::Accepted {
            effect: Effect::Again { letter: memory.letters[READ].letter_id, parts: vec![], times: 0 },
            cost: 0,
        };
        said(&mut memory, SINCE).read = Some((0, 0));
        memory.letters[BRIEF].expected = memory.letters[SINCE].expected.clone();
        said(&mut memory, BRIEF).read = Some((0, 0));
        memory.letters[ESTIMATE].expected = memory.letters[SINCE].expected.clone();
        said(&mut memory, ESTIMATE).read = Some((0, 0));
        let found = examine(held, &memory);
        assert_eq!(found.reads_wrong == 0, is_given, "{content:?}, cancelled {is_cancelled}: {:?}", found.faults);
    }
}

#[test]
fn every_planted_fault_of_papers_is_found() {
    fn results(memory: &mut Memory) -> &mut Vec<(KeyResult, Option<Digest>)> {
        let part = memory.letters[PAPERS].answers.parts.get_mut(&1).unwrap();
        let Given::Results { results, .. } = &mut part.given else { panic!("no results") };
        results
    }
    assert_faults_of_memory_are_found(&[
        ("a paper that is right is told to differ", |memory| results(memory)[0].0.outcome = Found::Differs, MISREAD),
        ("a paper that is wrong is told to match", |memory| results(memory)[1].0.outcome = Found::Match, MISREAD),
        ("a paper differs in another column", |memory| results(memory)[1].0.columns = vec!["Sexe".to_owned()], MISREAD),
        ("a record that is there is not found", |memory| results(memory)[0].0.outcome = Found::NotFound, MISREAD),
        ("a record that is not there matches", |memory| results(memory)[2].0.outcome = Found::Match, MISREAD),
        ("a record is told as cancelled", |memory| results(memory)[0].0.outcome = Found::Cancelled, MISREAD),
        ("a record is given without a right", |memory| results(memory)[0].1 = Some(digest("row")), MISREAD),
        ("a result is missing", |memory| drop(results(memory).pop()), MISREAD),
        ("results are in another order", |memory| results(memory).swap(0, 2), |found| found.reads_wrong == 2),
    ]);
    let (mut memory, held) = sound();
    if let Expected::Accepted { effect: Effect::Certified { gives_record, .. }, .. } =
        &mut memory.letters[PAPERS].expected
    {
        *gives_record = true;
    }
    results(&mut memory)[0].1 = Some(digest("row"));
    results(&mut memory)[1].1 = Some(digest("another row"));
    let found = examine(held, &memory);
    assert_eq!(found.reads_wrong, 1, "only the second record is another: {:?}", found.faults);
}
