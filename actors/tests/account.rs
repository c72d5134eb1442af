//! An office requests the statement of its account, and receives the statement in as many mails as its letter limit requires.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use std::collections::BTreeSet;

use actors::pipeline::Limits;
use centre::{OFFICE_ADDRESS, SETTLED, World, quick};
use sdc::answer::AnswerContent;
use sdc::request::{Period, Request};

/// SQL that books 200 entries, of 1, 2, 3 and so on minor units, so that the statement does not fit into one container.
const ENTRIES: &str = "INSERT INTO xm.entries (debit, credit, amount, kind, agency, balance_after, note)
     SELECT r.id, a.id, n, 'recharge', 42, a.balance + n * (n + 1) / 2, md5(n::text)
       FROM xm.accounts a, xm.accounts r, generate_series(1, 200) n WHERE a.agency = 42 AND r.kind = 'recharge';
     UPDATE xm.accounts SET balance = balance + 200 * 201 / 2 WHERE agency = 42;
     UPDATE xm.agencies SET letter_bytes_max = 8192 WHERE matricule = 42";

/// A statement may list five hundred entries, so a letter that requests a statement counts as the work of five hundred rows. A batch may
/// have the work of ten thousand rows, and so takes at most twenty such letters; a larger batch would keep the accounts of its agencies
/// locked for too long.
#[test]
fn a_batch_holds_no_more_statements_than_it_may_rows() {
    let mut world = World::new();
    for _ in 0..60 {
        let (mut asking, _) = world.next_mail();
        asking.request = Request::Account(Period { from: None, to: None });
        world.deliver(world.mail(&asking));
    }
    // All sixty letters arrive before the first batch closes.
    let limits = Limits { window_mails: 60, batch_wait_milliseconds: 10_000, writers: 1, ..Limits::default() };
    let running = world.start_with(quick(), limits);
    world.wait_for("letters that ask", SETTLED, 60);
    assert!(running.drain());
    let largest = "SELECT max(letters) FROM (SELECT count(*) AS letters FROM xm.journal WHERE outcome = 'accepted' GROUP BY xmin::text) b";
    let largest = world.count(largest);
    assert!((15..=20).contains(&largest), "{largest} letters in a batch");
}

#[test]
fn an_office_that_asks_has_the_statement_of_its_account() {
    let mut world = World::new();
    world.sql(ENTRIES);
    let (charged, mail) = world.next_mail();
    world.deliver(mail);
    let (mut asking, _) = world.next_mail();
    asking.request = Request::Account(Period { from: Some("2001-01-01".parse().unwrap()), to: None });
    let running = world.start(quick());
    world.wait_for("a letter that is charged", SETTLED, 1);
    world.deliver(world.mail(&asking));
    world.wait_for("a letter that asks", SETTLED, 2);
    world.wait_for("answers sent", "SELECT count(*) FROM xm.outbox", 0);
    assert!(running.drain());

    let mails = world.post_office.take(OFFICE_ADDRESS);
    let is_id = |line: &&str| line.to_ascii_lowercase().starts_with("message-id:");
    let ids: BTreeSet<String> = mails
        .iter()
        .flat_map(|mail| String::from_utf8_lossy(&mail.bytes).lines().find(is_id).map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), mails.len(), "no two of them have one Message-ID");
    let mut answers = world.open(mails);
    answers.retain(|answer| answer.receipt.letter != Some(charged.id));
    let mut parts = BTreeSet::new();
    let mut entries = Vec::new();
    for answer in &answers {
        assert_eq!((answer.receipt.letter, answer.receipt.account.balance), (Some(asking.id), 1_020_000));
        let body = answer.body.as_ref().unwrap();
        assert_eq!(usize::from(body.parts), answers.len());
        assert!(parts.insert(body.part));
        let AnswerContent::Statement(statement) = &body.content else { panic!("no statement") };
        assert_eq!((statement.opening, statement.closing, statement.entries_total), (0, 1_020_000, 202));
        entries.extend(statement.entries.iter().map(|entry| (entry.amount, entry.letter)));
    }
    assert!(parts.len() > 1 && parts.last().map(|last| usize::from(*last)) == Some(parts.len()), "{parts:?}");
    assert_eq!(entries.first(), Some(&(1_000_000, None)), "the parts come in their order");
    assert_eq!(entries.last(), Some(&(-100, Some(charged.id))));
    assert_eq!(entries.iter().map(|(amount, _)| amount).sum::<i64>(), 1_020_000);
}
