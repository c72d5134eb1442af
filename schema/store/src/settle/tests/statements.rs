//! Tests of statements of account: they have the entries of days in the centre's time zone, and close with the balance that is in the
//! receipt.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::sql_types::Bytea;
use diesel_async::RunQueryDsl;
use rcgen::{CertificateParams, IsCa, KeyPair};
use sdc::answer::statement::{EntryKind, Statement};
use sdc::answer::{Answer, AnswerBody, AnswerContent};
use sdc::cms::{self, ContentCipher};
use sdc::document::Document;
use sdc::keys::SigningKey;
use sdc::letter::Letter;
use sdc::payload::{PayloadForm, PayloadLimits, read_answer};
use sdc::refusal::RefusalCode;
use sdc::request::{Period, Request};
use sdc::service::{Credit, Service};

use super::REFUSED;
use super::world::World;
use crate::database::StatementLimits;
use crate::database::statement::Statement as Sql;
use crate::settle::{Content, Outcome};
use crate::tables::catalogue::Catalogue;
use crate::testing::eventually;

fn day(text: &str) -> Option<NaiveDate> {
    Some(text.parse().unwrap())
}

/// Makes the period from the first possible day until today.
fn all() -> Period {
    Period { from: day("0001-01-01"), to: None }
}

fn asking(world: &World, sequence: u64, period: Period) -> Letter {
    Letter { request: Request::Account(period), ..world.births(42, sequence, &[("CE-042", sequence)]) }
}

fn signing_key() -> SigningKey {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec![]).unwrap();
    parameters.is_ca = IsCa::ExplicitNoCa;
    let certificate = parameters.self_signed(&key).unwrap();
    SigningKey::from_pem(key.serialize_pem().as_bytes(), certificate.pem().as_bytes()).unwrap()
}

/// Returns all stored parts of all answers, in order.
pub(super) async fn parts(world: &World) -> Vec<(Answer, AnswerBody)> {
    let text = "SELECT payload FROM xm.answer_parts ORDER BY made_at, letter_id, part";
    let rows: Vec<Vec<u8>> = Sql::<Bytea>::new(text, &[]).load(&mut *world.connection().await).await.unwrap();
    let read = |payload: &Vec<u8>| {
        let answer = read_answer(payload, &PayloadLimits::default()).unwrap();
        let body = answer.body.clone().unwrap();
        (answer, body)
    };
    rows.iter().map(read).collect()
}

/// Settles a letter that requests a statement, returns the statement, and deletes its parts.
async fn statement(world: &World, sequence: u64, period: Period) -> Statement {
    let letter = asking(world, sequence, period);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted]);
    let (answer, body) = parts(world).await.remove(0);
    assert_eq!((body.part, body.parts), (1, 1));
    assert_eq!(answer.receipt, world.receipt(&letter).await, "the receipt beside it is the one that is kept");
    assert!(answer.receipt.rows.is_empty() && answer.receipt.account.cost == 0);
    world.sql("DELETE FROM xm.answer_parts").await;
    let AnswerContent::Statement(statement) = body.content else { panic!("no statement") };
    statement
}

async fn posted(world: &World, amount: i64, at: &str, kind: &str) {
    world
        .sql(&format!(
            "INSERT INTO xm.entries (debit, credit, amount, kind, agency, balance_after, note, posted_at)
             SELECT CASE WHEN {amount} < 0 THEN a.id ELSE r.id END, CASE WHEN {amount} < 0 THEN r.id ELSE a.id END, abs({amount}),
                    '{kind}', 42, a.balance + {amount}, 'par Mbome', '{at}'
               FROM xm.accounts a, xm.accounts r WHERE a.agency = 42 AND r.kind = 'adjustment';
             UPDATE xm.accounts SET balance = balance + {amount} WHERE agency = 42"
        ))
        .await;
}

/// The centre of these tests is in Douala, one hour ahead of UTC. The days of a statement must begin and end at midnight in Douala.
#[tokio::test]
async fn a_statement_is_of_days_of_the_centre() {
    let world = World::new().await;
    posted(&world, 1000, "2021-10-31T22:59:59Z", "recharge").await;
    posted(&world, -300, "2021-10-31T23:00:00Z", "manual").await;
    posted(&world, 50, "2021-11-02T22:59:59.999Z", "reversal").await;
    posted(&world, 7, "2021-11-02T23:00:00Z", "voucher").await;

    let of_two_days = statement(&world, 1, Period { from: day("2021-11-01"), to: day("2021-11-02") }).await;
    assert_eq!((of_two_days.opening, of_two_days.closing, of_two_days.entries_total), (1000, 750, 2));
    let told: Vec<(EntryKind, i64, i64)> =
        of_two_days.entries.iter().map(|entry| (entry.kind, entry.amount, entry.balance)).collect();
    assert_eq!(told, [(EntryKind::Manual, -300, 700), (EntryKind::Reversal, 50, 750)]);
    assert_eq!(of_two_days.entries[1].note.as_deref(), Some("par Mbome"));
    assert_eq!(of_two_days.entries[1].at, "2021-11-02T22:59:59Z".parse::<DateTime<Utc>>().unwrap(), "whole seconds");
    assert_eq!((of_two_days.currency.as_str(), of_two_days.credit_limit), ("XAF", 0));

    let until = statement(&world, 2, Period { from: None, to: day("2021-11-02") }).await;
    assert_eq!(until, of_two_days, "a month begins with its first day");
    let before = statement(&world, 3, Period { from: None, to: day("2021-10-31") }).await;
    assert_eq!((before.from, before.opening, before.closing), (day("2021-10-01").unwrap(), 0, 1000));
    let none = statement(&world, 4, Period { from: day("2019-01-01"), to: day("2019-01-01") }).await;
    assert_eq!((none.opening, none.closing, none.entries.len()), (0, 0, 0));
    let all = statement(&world, 5, all()).await;
    assert_eq!((all.opening, all.closing, all.entries_total), (0, 757, 4));
    assert!(all.to >= day("2021-11-02").unwrap(), "the last day is the centre's today");
}

/// In whatever order the letters are delivered, the statement has the entries of the letters that take effect before it, and closes with
/// the balance in its receipt.
#[tokio::test]
async fn a_statement_has_the_letters_of_its_batch_that_take_effect_before_it() {
    let world = World::new().await;
    world.tariff(100, 0, "owe").await;
    world.recharge(42, 1000).await;
    let (first, second) = (world.births(42, 1, &[("CE-042", 1)]), world.births(42, 2, &[("CE-042", 2), ("CE-042", 3)]));
    let (asked, later) = (asking(&world, 3, all()), world.births(42, 4, &[("CE-042", 4)]));
    let of_another = world.births(43, 1, &[("CE-043", 1)]);
    let mut batch = Vec::new();
    for letter in [&later, &asked, &second, &of_another, &first] {
        batch.push(world.arrival(letter).await);
    }
    assert_eq!(world.settle(batch).await, [Outcome::Accepted; 5]);
    let (answer, body) = parts(&world).await.remove(0);
    let AnswerContent::Statement(statement) = body.content else { panic!("no statement") };
    assert_eq!((statement.opening, statement.closing, answer.receipt.account.balance), (0, 700, 700));
    let charged = |statement: &Statement| -> Vec<_> {
        statement.entries.iter().filter_map(|entry| Some((entry.letter?, entry.amount, entry.balance))).collect()
    };
    assert_eq!(charged(&statement), [(first.id, -100, 900), (second.id, -200, 700)], "in the order of effect");
    assert_eq!(world.ledger_difference().await, 0);
    let told = statement.entries.last().map(|entry| entry.balance);
    assert_eq!(told, Some(statement.closing), "the balances run to the end");
    for (letter, (_, _, balance)) in [&first, &second].into_iter().zip(charged(&statement)) {
        assert_eq!(world.receipt(letter).await.account.balance, balance, "each is the one that its receipt says");
    }
    world.sql("DELETE FROM xm.answer_parts").await;
    let afterwards = self::statement(&world, 5, all()).await;
    assert_eq!(charged(&afterwards)[..2], charged(&statement), "and the same ever after");
    assert_eq!(charged(&afterwards)[2], (later.id, -100, 600));
    let out_of_order =
        "SELECT count(*) FROM (SELECT balance_after - lag(balance_after) OVER (ORDER BY id) AS moved, amount
                                               FROM xm.entries WHERE agency = 42) e WHERE moved <> -amount";
    assert_eq!(world.count(out_of_order).await, 0, "the ledger runs by its ids");
}

/// If the statement for one letter cannot be read, only this letter is delayed.
#[tokio::test]
async fn a_statement_that_cannot_be_read_waits_alone() {
    let world = World::new().await;
    world.sql("ALTER TABLE xm.entries RENAME COLUMN note TO words").await;
    let (asked, beside) = (asking(&world, 2, all()), world.births(42, 1, &[("CE-042", 1)]));
    let (last, of_another) = (world.births(42, 3, &[("CE-042", 3)]), world.births(43, 1, &[("CE-043", 1)]));
    let mut batch = Vec::new();
    for letter in [&asked, &beside, &last, &of_another] {
        batch.push(world.arrival(letter).await);
    }
    let expected = [Outcome::Deferred, Outcome::Accepted, Outcome::Accepted, Outcome::Accepted];
    assert_eq!(world.settle(batch).await, expected);
    assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 3);
    assert_eq!(world.count("SELECT count(*) FROM xm.letters").await, 3);
    world.sql("ALTER TABLE xm.entries RENAME COLUMN words TO note").await;
    eventually("it is settled once that is mended", async || {
        world.settle(vec![world.arrival(&asked).await]).await == [Outcome::Accepted]
    })
    .await;
    assert_eq!(parts(&world).await.len(), 1);

    // The account of agency 42 gets an entry of a kind that this program does not know, as a newer program may write it. So the statement
    // cannot be read.
    world.sql("ALTER TABLE xm.entries DROP CONSTRAINT entries_kind_check").await;
    posted(&world, 5, "2021-11-02T08:00:00Z", "gift").await;
    let of_another = asking(&world, 2, all());
    let of_another = Letter {
        from: sdc::letter::Office { agency: 43.try_into().unwrap(), ..of_another.from.clone() },
        ..of_another
    };
    let batch = vec![world.arrival(&asking(&world, 4, all())).await, world.arrival(&of_another).await];
    assert_eq!(world.settle(batch).await, [Outcome::Deferred, Outcome::Accepted]);
}

/// A statement that takes too long delays only its own letter. The letter counts as work in proportion to the entries that the statement
/// may list.
#[tokio::test]
async fn a_statement_that_times_out_waits_alone_and_weighs_what_it_may_tell() {
    let usual = StatementLimits { lock: Duration::from_secs(20), statement: Duration::from_millis(500) };
    let world = World::with_limits(usual).await;
    posted(&world, 5, "2021-11-02T08:00:00Z", "recharge").await;
    world
        .sql(
            "ALTER TABLE xm.entries RENAME TO entries_kept;
             CREATE FUNCTION xm.slowly(agency integer) RETURNS boolean LANGUAGE plpgsql AS $$
             BEGIN IF agency = 42 THEN PERFORM pg_sleep(60); END IF; RETURN true; END $$;
             CREATE VIEW xm.entries AS SELECT * FROM xm.entries_kept WHERE xm.slowly(agency)",
        )
        .await;
    let of_another = asking(&world, 1, all());
    let of_another = Letter {
        from: sdc::letter::Office { agency: 43.try_into().unwrap(), ..of_another.from.clone() },
        ..of_another
    };
    let (asked, beside) = (asking(&world, 2, all()), world.births(42, 1, &[("CE-042", 1)]));
    let mut batch = Vec::new();
    for letter in [&asked, &beside, &of_another] {
        batch.push(world.arrival(letter).await);
    }
    let work: Vec<usize> = batch.iter().map(|arrival| arrival.work()).collect();
    assert_eq!(work, [500, 1, 500], "as many rows as are read at most");
    assert_eq!(world.settle(batch).await, [Outcome::Deferred, Outcome::Accepted, Outcome::Accepted]);
    world.sql("DROP VIEW xm.entries; ALTER TABLE xm.entries_kept RENAME TO entries").await;
    eventually("it is settled once that is mended", async || {
        world.settle(vec![world.arrival(&asked).await]).await == [Outcome::Accepted]
    })
    .await;
    assert_eq!(parts(&world).await.len(), 2);
}

/// Another tool may write a tariff for a service that has no price. Such a tariff costs nothing and causes no refusal.
#[tokio::test]
async fn a_tariff_prices_only_a_service_that_has_a_price() {
    let world = World::new().await;
    world.tariff(100, 0, "owe").await;
    world
        .sql(
            "INSERT INTO xm.tariffs (service, per_act, per_started_kb, credit, valid_from)
             SELECT s, 1000, 1000, 'refuse', now() - interval '1 hour' FROM unnest(ARRAY['account', 'exports']) s",
        )
        .await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted]);
    assert_eq!(world.receipt(&letter).await.account.cost, 100);
    let told = statement(&world, 2, all()).await;
    assert_eq!((told.closing, told.entries_total), (-100, 1));
    let catalogue = Catalogue::load(&mut *world.connection().await).await.unwrap();
    let price = catalogue.prices.price("standard", Service::Account, &[(1, 1)], 5000, Utc::now());
    assert_eq!((price.amount, price.credit), (0, Credit::Owe));
}

/// Offices read only notes in NFC. A note that another tool wrote in another form of Unicode is in NFC in the statement, and is shortened.
#[tokio::test]
async fn every_note_is_told_in_the_form_that_an_office_reads() {
    let world = World::new().await;
    let words = format!("Mbome\u{301}{}", "e\u{301}".repeat(300));
    world
        .sql(&format!(
            "INSERT INTO xm.entries (debit, credit, amount, kind, agency, balance_after, note)
             SELECT r.id, a.id, 10, 'recharge', 42, 10, '{words}'
               FROM xm.accounts a, xm.accounts r WHERE a.agency = 42 AND r.kind = 'recharge';
             UPDATE xm.accounts SET balance = balance + 10 WHERE agency = 42"
        ))
        .await;
    let told = statement(&world, 1, all()).await.entries.remove(0).note.unwrap();
    assert_eq!(told, format!("Mbom\u{e9}{}", "\u{e9}".repeat(195)));
}

/// A letter may leave out the first or the last day of a period. The day that the centre uses instead must not make the period end before
/// it begins.
#[tokio::test]
async fn the_days_begin_no_later_than_they_end() {
    let world = World::new().await;
    world.recharge(42, 1000).await;
    let (future, past) = (day("9998-05-17"), day("2001-05-17"));
    let asked = statement(&world, 1, Period { from: future, to: None }).await;
    assert_eq!((asked.from, asked.to), (future.unwrap(), future.unwrap()));
    assert_eq!((asked.opening, asked.closing, asked.entries_total), (1000, 1000, 0));
    let asked = statement(&world, 2, Period { from: None, to: past }).await;
    assert_eq!((asked.from, asked.to), (day("2001-05-01").unwrap(), past.unwrap()));
}

/// An office requests all entries, and its agency's limit allows only small containers. The office gets the newest entries that fit.
#[tokio::test]
async fn a_statement_has_sixteen_parts_at_most() {
    let world = World::new().await;
    world.sql(&entries(500)).await;
    // No answer fits into this limit, so each part has one entry.
    world.sql("ALTER TABLE xm.agencies DROP CONSTRAINT agencies_letter_bytes_max_check").await;
    for bytes_max in [1, 4096] {
        world.sql(&format!("UPDATE xm.agencies SET letter_bytes_max = {bytes_max} WHERE matricule = 42")).await;
        let mut arrival = world.arrival(&asking(&world, bytes_max, all())).await;
        arrival.rendered_bytes = 1;
        assert_eq!(world.settle(vec![arrival]).await, [Outcome::Accepted]);
        let parts = parts(&world).await;
        assert_eq!(parts.len(), 16);
        let mut told = Vec::new();
        for (_, body) in &parts {
            let AnswerContent::Statement(statement) = &body.content else { panic!("no statement") };
            assert_eq!((statement.entries_total, statement.closing), (500, 500 * 501 / 2));
            assert!(!statement.entries.is_empty() && (bytes_max > 1 || statement.entries.len() == 1));
            told.extend(statement.entries.iter().map(|entry| entry.amount));
        }
        let first = 500 - i64::try_from(told.len()).unwrap() + 1;
        assert_eq!(told, (first..=500).collect::<Vec<i64>>(), "the newest, in their order");
        let AnswerContent::Statement(statement) = &parts[0].1.content else { panic!("no statement") };
        assert_eq!(statement.opening, first * (first - 1) / 2, "the balance before the first that is told");
        assert_eq!(statement.entries[0].balance, statement.opening + first);
        world.sql("DELETE FROM xm.answer_parts").await;
    }
}

/// The statement has no more entries than allowed, however many letters of its batch are charged before it.
#[tokio::test]
async fn a_statement_never_has_more_entries_than_are_told() {
    let world = World::new().await;
    world.tariff(100, 0, "owe").await;
    world.sql(&entries(499)).await;
    let mut batch = Vec::new();
    for number in 1..=3 {
        batch.push(world.arrival(&world.births(42, number, &[("CE-042", number)])).await);
    }
    batch.push(world.arrival(&asking(&world, 4, all())).await);
    assert_eq!(world.settle(batch).await, [Outcome::Accepted; 4]);
    let mut told = Vec::new();
    for (_, body) in parts(&world).await {
        let AnswerContent::Statement(statement) = body.content else { panic!("no statement") };
        assert_eq!((statement.entries_total, statement.opening), (502, 3));
        told.extend(statement.entries.iter().map(|entry| entry.amount));
    }
    assert_eq!(told, (3..=499).chain([-100; 3]).collect::<Vec<i64>>());
}

/// Returns SQL that writes `count` entries of agency 42, which credit it with 1, 2, 3 and so on.
fn entries(count: u32) -> String {
    format!(
        "INSERT INTO xm.entries (debit, credit, amount, kind, agency, balance_after, note, posted_at)
         SELECT r.id, a.id, n, 'recharge', 42, n * (n + 1) / 2, md5(n::text), now() - make_interval(secs => {count} + 500 - n)
           FROM xm.accounts a, xm.accounts r, generate_series(1, {count}) n WHERE a.agency = 42 AND r.kind = 'recharge';
         UPDATE xm.accounts SET balance = {count}::bigint * ({count} + 1) / 2 WHERE agency = 42"
    )
}

#[tokio::test]
async fn parts_fit_the_agencys_limit_and_tell_every_entry_once() {
    let world = World::new().await;
    world.sql(&entries(2500)).await;
    world.sql("UPDATE xm.agencies SET letter_bytes_max = 16384 WHERE matricule = 42").await;
    for (sequence, form) in [(1, PayloadForm::Json), (2, PayloadForm::Frame { dictionary: 1 })] {
        let mut arrival = world.arrival(&asking(&world, sequence, all())).await;
        if let Content::Signed { form: its_form, .. } = &mut arrival.content {
            *its_form = form;
        }
        assert_eq!(world.settle(vec![arrival]).await, [Outcome::Accepted]);
        let text = "SELECT payload FROM xm.answer_parts ORDER BY part";
        let payloads: Vec<Vec<u8>> = Sql::<Bytea>::new(text, &[]).load(&mut *world.connection().await).await.unwrap();
        let key = signing_key();
        for payload in &payloads {
            let der = cms::seal(payload, &key, key.certificate(), ContentCipher::Aes256Gcm).unwrap();
            assert!(Document::render(&der, None).len() <= 16384, "{} octets of payload", payload.len());
        }
        let parts = parts(&world).await;
        assert!(parts.len() > 4 && parts.len() == payloads.len(), "{form:?}: {} parts", parts.len());
        let mut amounts = Vec::new();
        for (number, (answer, body)) in (1..).zip(&parts) {
            assert_eq!((body.part, usize::from(body.parts)), (number, parts.len()));
            assert_eq!(answer.receipt.digest, parts[0].0.receipt.digest);
            let AnswerContent::Statement(statement) = &body.content else { panic!("no statement") };
            assert_eq!((statement.entries_total, statement.opening), (2500, 2000 * 2001 / 2));
            amounts.extend(statement.entries.iter().map(|entry| entry.amount));
        }
        assert_eq!(amounts, (2001..=2500).collect::<Vec<i64>>(), "the newest five hundred, oldest first");
        world.sql("DELETE FROM xm.answer_parts").await;
    }
}

#[tokio::test]
async fn a_statement_is_for_status_1_and_nobody_below() {
    let world = World::new().await;
    world.sql("UPDATE xm.agencies SET status = 1 WHERE matricule = 42").await;
    let of_births = world.births(42, 1, &[("CE-042", 1)]);
    let batch = vec![world.arrival(&of_births).await, world.arrival(&asking(&world, 2, all())).await];
    assert_eq!(world.settle(batch).await, [REFUSED(RefusalCode::ServiceNotAllowed), Outcome::Accepted]);
    world.sql("UPDATE xm.agencies SET status = 0 WHERE matricule = 42").await;
    let refused = world.arrival(&asking(&world, 3, all())).await;
    assert_eq!(world.settle(vec![refused]).await, [REFUSED(RefusalCode::AgencySuspended)]);
    assert_eq!(parts(&world).await.len(), 1, "what is refused gives nothing");
    let services =
        "SELECT count(*) FROM xm.journal WHERE service = 'account' AND outcome = 'accepted' AND row_count = 0";
    assert_eq!(world.count(services).await, 1);
}
