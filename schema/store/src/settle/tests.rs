//! Tests of settling with a real PostgreSQL and without cryptography: arrivals are made as if their signatures had been verified.

mod altered;
mod answers;
mod apart;
mod certificates;
mod columns;
mod corrections;
mod country;
mod defaults;
mod flags;
mod held;
mod held_letters;
mod kept;
mod large;
mod ledger;
mod messages;
mod notices;
mod order;
mod profiles;
mod retry;
mod rhythm;
mod rules;
mod selections;
mod signers;
mod statements;
mod stations;
mod strangers;
mod telling;
mod together;
mod transports;
pub(crate) mod vouchers;
mod waiting;
pub(crate) mod world;

use diesel::sql_types::BigInt;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use sdc::answer::receipt::Verdict;
use sdc::cms::ContentCipher;
use sdc::payload::{LetterKey, Unreadable};
use sdc::refusal::{Refusal, RefusalCode, Remedy};
use serde_json::json;

use super::arrival::{Content, Outcome};
use crate::database::statement::Statement;
use crate::letters::outbox;
use crate::testing::eventually;
use world::{BIRTHS, World};

const REFUSED: fn(RefusalCode) -> Outcome = Outcome::Refused;

#[tokio::test]
async fn an_accepted_letter_is_rows_entry_verdict_journal_original_and_answer() {
    let world = World::new().await;
    world.tariff(100, 10, "owe").await;
    world.recharge(42, 1000).await;
    let letter = world.births(42, 1, &[("CE-042", 1), ("CE-042", 2)]);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted]);

    assert_eq!(world.count("SELECT count(*) FROM registry.births WHERE xm_agency = 42 AND \"Status\" = 2").await, 2);
    assert_eq!(world.count("SELECT balance FROM xm.accounts WHERE agency = 42").await, 1000 - 2 * 100 - 10);
    assert_eq!(world.count("SELECT amount FROM xm.entries WHERE kind = 'letter'").await, 210);
    assert_eq!(world.count("SELECT count(*) FROM xm.journal WHERE outcome = 'accepted' AND row_count = 2").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM xm.originals WHERE octet_length(container) = 900").await, 1);
    assert_eq!(world.count("SELECT sequence_highest FROM xm.installations WHERE agency = 42").await, 1);
    assert_eq!(world.ledger_difference().await, 0);

    let receipt = world.only_receipt().await;
    assert_eq!(receipt.verdict, Verdict::Accepted);
    assert_eq!((receipt.letter, receipt.sequence, receipt.highest_sequence), (Some(letter.id), Some(1), 1));
    assert_eq!((receipt.account.cost, receipt.account.balance), (210, 790));
    assert_eq!((receipt.rows[0].new, receipt.rows[0].duplicate), (2, 0));
    assert_eq!(receipt.digest, world.digest(&letter).to_string());
}

#[tokio::test]
async fn a_letter_delivered_again_changes_nothing_and_keeps_its_receipt() {
    let world = World::new().await;
    world.tariff(100, 0, "owe").await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    // The letter arrives twice in one batch, then in another batch, and again after its agency is suspended.
    let twice = vec![world.arrival(&letter).await, world.arrival(&letter).await];
    assert_eq!(world.settle(twice).await, [Outcome::Accepted, Outcome::Duplicate]);
    let before = world.only_receipt().await;
    world.sql("UPDATE xm.agencies SET status = 0 WHERE matricule = 42").await;
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Duplicate]);
    assert_eq!(world.only_receipt().await, before);
    assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM xm.entries WHERE kind = 'letter'").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox").await, 1, "never a second answer while one is unsent");
    assert_eq!(world.count("SELECT count(*) FROM xm.journal").await, 3, "one line per letter received");
}

#[tokio::test]
async fn an_answer_goes_out_again_at_most_once_an_hour() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    world.settle(vec![world.arrival(&letter).await]).await;
    let mut connection = world.connection().await;
    let (ours, theirs, hold) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7(), std::time::Duration::from_secs(60));
    let claimed = outbox::lease(&mut connection, ours, "mail", 10, hold).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].email, "office42@example.org");
    assert!(outbox::lease(&mut connection, ours, "mail", 10, hold).await.unwrap().is_empty());
    // A process releases only its own leases. After that, another process can lease these answers immediately.
    outbox::release(&mut connection, theirs).await.unwrap();
    assert!(outbox::lease(&mut connection, theirs, "mail", 10, hold).await.unwrap().is_empty());
    outbox::release(&mut connection, ours).await.unwrap();
    let claimed_anew = outbox::lease(&mut connection, theirs, "mail", 10, hold).await.unwrap();
    assert_eq!(claimed_anew.len(), claimed.len());
    outbox::sent(&mut connection, &claimed).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox").await, 1, "it is in other hands by now");
    outbox::sent(&mut connection, &claimed_anew).await.unwrap();
    world.settle(vec![world.arrival(&letter).await]).await;
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox").await, 0, "answered a moment ago");
    world.sql("UPDATE xm.letters SET answered_at = now() - interval '61 minutes'").await;
    world.settle(vec![world.arrival(&letter).await]).await;
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox").await, 1);
}

#[tokio::test]
async fn a_letter_delivered_again_while_its_answer_is_being_marked_as_sent_is_not_answered_twice() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    world.settle(vec![world.arrival(&letter).await]).await;
    let mut sender = world.connection().await;
    let hold = std::time::Duration::from_secs(60);
    let claimed = outbox::lease(&mut sender, uuid::Uuid::now_v7(), "mail", 10, hold).await.unwrap();
    sender.batch_execute("BEGIN").await.unwrap();
    outbox::sent(&mut sender, &claimed).await.unwrap();
    // The exporter has marked the answer as sent and has not committed yet. When the letter is delivered a second time, settling must wait
    // for this commit. It must then find that the letter has just been answered, and queue no second answer.
    let written = world.settler.write(vec![world.arrival(&letter).await]).await.unwrap();
    let posting = tokio::spawn(written.post());
    world.wait_for_a_lock(&posting).await;
    sender.batch_execute("COMMIT").await.unwrap();
    assert_eq!(posting.await.unwrap().unwrap().outcomes, [Outcome::Duplicate]);
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM xm.letters WHERE answered_at IS NOT NULL").await, 1);
}

#[tokio::test]
async fn the_same_id_or_number_with_other_content_is_held_and_refused() {
    let world = World::new().await;
    let first = world.births(42, 1, &[("CE-042", 1)]);
    let mut same_id = world.births(42, 2, &[("CE-042", 2)]);
    same_id.id = first.id;
    let same_number = world.births(42, 1, &[("CE-042", 3)]);
    world.settle(vec![world.arrival(&first).await]).await;
    let contested = vec![world.arrival(&same_id).await, world.arrival(&same_number).await];
    let expected = [REFUSED(RefusalCode::LetterConflict), REFUSED(RefusalCode::SequenceConflict)];
    assert_eq!(world.settle(contested).await, expected);
    assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine WHERE held").await, 2);
    // These refusals are final like other verdicts: the letters delivered again are duplicates, not new cases.
    let again = vec![world.arrival(&same_id).await, world.arrival(&same_number).await];
    assert_eq!(world.settle(again).await, [Outcome::Duplicate, Outcome::Duplicate]);
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine").await, 2);
    assert_eq!(world.count("SELECT count(*) FROM xm.letters").await, 3);
}

#[tokio::test]
async fn letters_at_hand_together_take_effect_in_the_order_of_their_numbers() {
    let world = World::new().await;
    world.tariff(100, 0, "refuse").await;
    world.recharge(42, 100).await;
    let (first, second) = (world.births(42, 1, &[("CE-042", 1)]), world.births(42, 2, &[("CE-042", 2)]));
    let reversed = vec![world.arrival(&second).await, world.arrival(&first).await];
    let expected = [REFUSED(RefusalCode::InsufficientCredit), Outcome::Accepted];
    assert_eq!(world.settle(reversed).await, expected, "the credit is enough for number 1 only");
    assert_eq!(world.count("SELECT balance FROM xm.accounts WHERE agency = 42").await, 0);
    assert_eq!(world.count("SELECT sequence_highest FROM xm.installations WHERE agency = 42").await, 2);
}

#[tokio::test]
async fn a_letter_refused_for_its_records_gives_its_price_back_to_those_behind_it() {
    let world = World::new().await;
    world.tariff(100, 0, "refuse").await;
    world.recharge(42, 200).await;
    world.settle(vec![world.arrival(&world.births(42, 1, &[("CE-042", 1)])).await]).await;
    let mut conflicting = world.births(42, 2, &[("CE-042", 1)]);
    world.rename(&mut conflicting, "OTHER NAME");
    let good = world.births(42, 3, &[("CE-042", 3)]);
    let outcomes = world.settle(vec![world.arrival(&conflicting).await, world.arrival(&good).await]).await;
    assert_eq!(outcomes, [REFUSED(RefusalCode::Conflict), Outcome::Accepted]);
    assert_eq!(world.count("SELECT balance FROM xm.accounts WHERE agency = 42").await, 0);
    assert_eq!(world.ledger_difference().await, 0);
}

#[tokio::test]
async fn the_same_record_is_a_duplicate_and_another_content_a_conflict() {
    let world = World::new().await;
    let first = world.births(42, 1, &[("CE-042", 1)]);
    // The same act arrives in a new letter, with another Numero, as after a reinstallation of the office's program.
    let mut again = world.births(42, 2, &[("CE-042", 1), ("CE-042", 2)]);
    world.set_numeros(&mut again, &[501, 502]);
    let mut other = world.births(42, 3, &[("CE-042", 7), ("CE-042", 1)]);
    world.rename(&mut other, "OTHER NAME");
    for (letter, expected) in
        [(&first, Outcome::Accepted), (&again, Outcome::Accepted), (&other, REFUSED(RefusalCode::Conflict))]
    {
        assert_eq!(world.settle(vec![world.arrival(letter).await]).await, [expected]);
    }
    let receipt = world.receipt(&again).await;
    assert_eq!((receipt.rows[0].new, receipt.rows[0].duplicate), (1, 1));
    let new = "SELECT count(*) FROM registry.births WHERE xm_numero = 502 AND \"NumeroActe\" = 2 AND xm_sequence = 2";
    assert_eq!(world.count(new).await, 1, "the new row has its own values and its own number");
    let refusal = world.receipt(&other).await.refusal.unwrap();
    assert_eq!(refusal.faults.len(), 1, "only the second row conflicts");
    assert_eq!((refusal.faults[0].table.as_str(), refusal.faults[0].row), (BIRTHS, 2));
    assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 2, "nothing of a refused letter is kept");
    let held = "SELECT count(*) FROM xm.quarantine WHERE held AND held_version->0->>'Nom' = 'MBARGA'";
    assert_eq!(world.count(held).await, 1, "both versions wait for a person");
}

#[tokio::test]
async fn conflicts_between_letters_of_one_batch_are_found_too() {
    let world = World::new().await;
    let first = world.births(42, 1, &[("CE-042", 1)]);
    let same = world.births(42, 2, &[("CE-042", 1)]);
    let mut other = world.births(42, 3, &[("CE-042", 1)]);
    world.rename(&mut other, "OTHER NAME");
    let batch = vec![world.arrival(&other).await, world.arrival(&same).await, world.arrival(&first).await];
    let expected = [REFUSED(RefusalCode::Conflict), Outcome::Accepted, Outcome::Accepted];
    assert_eq!(world.settle(batch).await, expected);
    assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 1);
}

#[tokio::test]
async fn misaddressed_letters_use_no_number() {
    let world = World::new().await;
    let mut wrong_server = world.births(42, 1, &[("CE-042", 1)]);
    wrong_server.to = "elsewhere".to_owned();
    let mut wrong_mode = world.births(42, 1, &[("CE-042", 1)]);
    wrong_mode.mode = sdc::letter::Mode::Test;
    let mut wrong_sender = world.births(42, 1, &[("CE-042", 1)]);
    wrong_sender.from.agency = 43.try_into().unwrap();
    let mut wrong_installation = world.births(42, 1, &[("CE-042", 1)]);
    wrong_installation.from.installation = "unknown".to_owned();
    let cases = [
        (wrong_server, RefusalCode::WrongServer),
        (wrong_mode, RefusalCode::WrongMode),
        (wrong_sender, RefusalCode::SenderMismatch),
        (wrong_installation, RefusalCode::InstallationUnknown),
    ];
    for (letter, code) in &cases {
        assert_eq!(world.settle(vec![world.arrival_from(42, letter).await]).await, [REFUSED(*code)]);
    }
    assert_eq!(world.count("SELECT count(*) FROM xm.letters WHERE sequence IS NOT NULL").await, 0);
    let good = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(world.settle(vec![world.arrival(&good).await]).await, [Outcome::Accepted]);
}

#[tokio::test]
async fn every_refusal_of_the_centre_has_its_remedy_and_leaves_nothing_behind() {
    let world = World::new().await;
    let births = |sequence| world.births(42, sequence, &[("CE-042", 1)]);
    let mut no_table = births(1);
    world.records(&mut no_table).tables[0].table = "Nowhere".to_owned();
    let mut columns = births(2);
    world.records(&mut columns).tables[0].columns[2] = "Inconnu".to_owned();
    let mut value = births(3);
    world.records(&mut value).tables[0].values[3][0] = json!("not a number");
    let scope = world.births(42, 4, &[("CE-999", 1)]);
    let mut check = births(5);
    world.records(&mut check).tables[0].values[5][0] = json!(9);
    let cases = [
        (no_table, RefusalCode::TableUnknown, Remedy::Mend),
        (columns, RefusalCode::ColumnsMismatch, Remedy::Mend),
        (value, RefusalCode::RowsInvalid, Remedy::Mend),
        (scope, RefusalCode::OutOfScope, Remedy::Mend),
        (check, RefusalCode::CheckFailed, Remedy::Mend),
    ];
    for (letter, code, remedy) in &cases {
        assert_eq!(world.settle(vec![world.arrival(letter).await]).await, [REFUSED(*code)]);
        let receipt = world.receipt(letter).await;
        assert_eq!((receipt.verdict, receipt.remedy), (Verdict::Refused, Some(*remedy)));
        assert_eq!(receipt.sequence, Some(letter.sequence), "a refused letter has used its number");
    }
    for (change, code) in [
        ("UPDATE xm.rights SET may_export = false", RefusalCode::TableNotGranted),
        ("UPDATE xm.agencies SET status = 2", RefusalCode::ServiceNotAllowed),
        ("UPDATE xm.agencies SET status = 0", RefusalCode::AgencySuspended),
        ("UPDATE xm.agencies SET status = 3, letter_bytes_max = 4096", RefusalCode::LetterTooLarge),
    ] {
        world.sql(change).await;
        let sequence = world.count("SELECT max(sequence) FROM xm.letters").await + 1;
        let letter = births(u64::try_from(sequence).unwrap());
        let mut arrival = world.arrival(&letter).await;
        arrival.rendered_bytes = 5000;
        assert_eq!(world.settle(vec![arrival]).await, [REFUSED(code)], "{change}");
    }
    world.sql("UPDATE xm.installations SET sequence_floor = 100, sequence_highest = 100").await;
    assert_eq!(world.settle(vec![world.arrival(&births(50)).await]).await, [REFUSED(RefusalCode::SequenceExpired)]);
    assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM xm.entries").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine").await, 10, "every one is kept whole");
}

#[tokio::test]
async fn an_old_cipher_and_a_certificate_out_of_time_are_refused_to_a_verified_sender() {
    let world = World::new().await;
    let mut old_cipher = world.arrival(&world.births(42, 1, &[("CE-042", 1)])).await;
    if let Content::Signed { cipher, .. } = &mut old_cipher.content {
        *cipher = ContentCipher::Aes256Cbc;
    }
    let mut expired = world.arrival(&world.births(42, 2, &[("CE-042", 2)])).await;
    // The time of arrival decides whether a certificate has expired. The letter's own time is only the clock of the office and is never
    // trusted.
    expired.received_at += chrono::Duration::days(365 * 3000);
    for (arrival, code) in [(old_cipher, RefusalCode::CipherNotAllowed), (expired, RefusalCode::CertificateExpired)] {
        assert_eq!(world.settle(vec![arrival]).await, [REFUSED(code)]);
    }
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox").await, 2, "both are told");
    assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 0);
    world.sql("UPDATE xm.agencies SET cbc_allowed = true WHERE matricule = 42").await;
    let mut admitted = world.arrival(&world.births(42, 3, &[("CE-042", 3)])).await;
    if let Content::Signed { cipher, .. } = &mut admitted.content {
        *cipher = ContentCipher::Aes256Cbc;
    }
    assert_eq!(world.settle(vec![admitted]).await, [Outcome::Accepted]);
}

#[tokio::test]
async fn a_signed_letter_that_cannot_be_read_is_refused_once_and_keeps_its_number_if_it_has_one() {
    let world = World::new().await;
    let codes = [
        RefusalCode::CompressionMalformed,
        RefusalCode::PayloadMalformed,
        RefusalCode::VersionUnsupported,
        RefusalCode::ServiceUnknown,
    ];
    for (code, number) in codes.into_iter().zip(1..) {
        let letter = world.births(42, number, &[("CE-042", number)]);
        // The first two letters cannot be read far enough to find their ids and sequence numbers. One of the other two is addressed to this
        // server, the other one to another server.
        let to = if number == 3 { "centre" } else { "elsewhere" };
        let (id, from, sequence, mode) = (letter.id, letter.from.clone(), letter.sequence, letter.mode);
        let key = (number > 2).then(|| Box::new(LetterKey { id, from, to: to.to_owned(), sequence, mode }));
        let has_number = number == 3;
        let unreadable = Unreadable { refusal: Refusal::new(code), key };
        for expected in [REFUSED(code), Outcome::Duplicate] {
            let mut arrival = world.arrival(&letter).await;
            if let Content::Signed { letter, .. } = &mut arrival.content {
                *letter = Err(unreadable.clone());
            }
            assert_eq!(world.settle(vec![arrival]).await, [expected]);
        }
        let receipt = world.receipt(&letter).await;
        assert_eq!(receipt.refusal.map(|refusal| refusal.code), Some(code));
        assert_eq!(receipt.sequence, has_number.then_some(letter.sequence));
    }
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine").await, 4, "every one is kept whole");
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_and_holds_no_lock() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    let written = world.settler.write(vec![world.arrival(&letter).await]).await.unwrap();
    // The observer's connection is not from the pool, because the pool might lend it the dropped connection itself, which sees only its own
    // locks.
    let mut observer = world.database.connect_alone().await.unwrap();
    let mut has_locks = async || {
        // Databases made from one template have tables with equal object ids, so the query also compares the database.
        let text = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                     WHERE d.datname = current_database() AND l.relation = 'xm.accounts'::regclass
                       AND l.pid <> pg_backend_pid()";
        let locks: Vec<i64> = Statement::<BigInt>::new(text, &[]).load(&mut observer).await.unwrap();
        locks[0] > 0
    };
    assert!(has_locks().await, "an open transaction holds its agency's account");
    drop(written);
    // Nothing borrows from the pool during this wait, because the pool could lend the dropped connection, with its transaction still open.
    eventually("the dropped transaction's locks are gone", async || !has_locks().await).await;
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted]);
}

#[tokio::test]
async fn credit_is_never_passed_whatever_runs_at_once() {
    let world = World::new().await;
    world.tariff(100, 0, "refuse").await;
    world.recharge(42, 1000).await;
    world.sql("UPDATE xm.accounts SET credit_limit = 500 WHERE agency = 42").await;
    let mut batches = Vec::new();
    for batch in 0..10 {
        let mut arrivals = Vec::new();
        for place in 0..5 {
            let sequence = batch * 5 + place + 1;
            arrivals.push(world.arrival(&world.births(42, sequence, &[("CE-042", sequence)])).await);
        }
        batches.push(arrivals);
    }
    let outcomes = futures_util::future::join_all(batches.into_iter().map(|batch| world.settle(batch))).await;
    let accepted = outcomes.iter().flatten().filter(|outcome| **outcome == Outcome::Accepted).count();
    assert_eq!(accepted, 15, "1 000 and a limit of 500 pay for fifteen acts");
    assert_eq!(world.count("SELECT balance FROM xm.accounts WHERE agency = 42").await, -500);
    assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 15);
    assert_eq!(world.ledger_difference().await, 0);
}
