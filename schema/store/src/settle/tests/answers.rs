//! Tests of the answers to letters: each answer has the form and the cipher of its letter, as long as the agency may use that cipher.

use std::time::Duration;

use diesel_async::AsyncPgConnection;
use sdc::cms::ContentCipher;
use sdc::letter::Letter;
use sdc::payload::{PayloadForm, Unreadable, form};
use sdc::refusal::{Refusal, RefusalCode};
use sdc::request::{Period, Request};
use uuid::Uuid;

use super::REFUSED;
use super::world::World;
use crate::letters::answers::resend;
use crate::letters::outbox::{self, LeasedAnswer};
use crate::letters::story;
use crate::people::Operator;
use crate::settle::{Arrival, Content, Outcome, Settler, SettlingSettings};

/// Makes the arrival of a letter of agency 42 in the given cipher and form.
async fn arrival(world: &World, letter: &Letter, cipher: ContentCipher, form: PayloadForm) -> Arrival {
    let mut arrival = world.arrival(letter).await;
    if let Content::Signed { cipher: its_cipher, form: its_form, .. } = &mut arrival.content {
        (*its_cipher, *its_form) = (cipher, form);
    }
    arrival
}

/// Returns all answers that wait to be sent. Each call leases them for a new process.
async fn claimed(world: &World) -> Vec<LeasedAnswer> {
    let (process, mut connection) = (Uuid::new_v4(), world.connection().await);
    let claimed = outbox::lease(&mut connection, process, "mail", 100, Duration::from_secs(60)).await.unwrap();
    outbox::release(&mut connection, process).await.unwrap();
    claimed
}

#[tokio::test]
async fn after_a_restore_receipts_name_the_next_epoch_and_those_of_before_stay_as_they_are() {
    let mut world = World::new().await;
    let (before, after) = (world.births(42, 1, &[("CE-042", 1)]), world.births(42, 2, &[("CE-042", 2)]));
    assert_eq!(world.settle(vec![world.arrival(&before).await]).await, [Outcome::Accepted]);
    assert_eq!(world.receipt(&before).await.epoch, 1);
    // The test pretends that the database was restored: the stored identity of the database differs from the present one, so the next
    // connection begins a new epoch. A new settler stands for the restarted program.
    world.sql("UPDATE xm.epochs SET life = 'before the restore'").await;
    world.settler = Settler::new(world.database.clone(), SettlingSettings::default());
    let both = vec![world.arrival(&before).await, world.arrival(&after).await];
    assert_eq!(world.settle(both).await, [Outcome::Duplicate, Outcome::Accepted]);
    assert_eq!((world.receipt(&before).await.epoch, world.receipt(&after).await.epoch), (1, 2));
    let receipt = serde_json::to_value(world.receipt(&before).await).unwrap();
    assert!(receipt.get("epoch").is_none(), "the first epoch takes no room: {receipt}");
}

#[tokio::test]
async fn an_answer_has_the_form_of_its_letter_accepted_or_refused() {
    let world = World::new().await;
    let forms = [PayloadForm::Json, PayloadForm::Frame { dictionary: 0 }, PayloadForm::Frame { dictionary: 1 }];
    for (number, letter_form) in (1..).zip(forms) {
        let accepted = world.births(42, number, &[("CE-042", number)]);
        let out_of_scope = world.births(42, 100 + number, &[("CE-043", number)]);
        let malformed = world.births(42, 200 + number, &[("CE-042", 200 + number)]);
        for (letter, expected) in [
            (&accepted, Outcome::Accepted),
            (&out_of_scope, REFUSED(RefusalCode::OutOfScope)),
            (&malformed, REFUSED(RefusalCode::PayloadMalformed)),
        ] {
            let mut arrival = arrival(&world, letter, ContentCipher::Aes256Gcm, letter_form).await;
            if let (Content::Signed { letter, .. }, true) = (&mut arrival.content, std::ptr::eq(letter, &malformed)) {
                *letter = Err(Unreadable { refusal: Refusal::new(RefusalCode::PayloadMalformed), key: None });
            }
            assert_eq!(world.settle(vec![arrival]).await, [expected]);
        }
        let answers = claimed(&world).await;
        assert_eq!(answers.len(), 3);
        assert!(answers.iter().all(|answer| form(&answer.payload) == letter_form), "{letter_form:?}");
        world.sql("DELETE FROM xm.outbox").await;
    }
}

/// The first verdict determines the form of the answer. The same letter gets the same signed octets, in whatever form it is sent again.
#[tokio::test]
async fn a_letter_that_comes_again_gets_the_octets_that_it_got() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    let sent = async |form| world.settle(vec![arrival(&world, &letter, ContentCipher::Aes256Gcm, form).await]).await;
    assert_eq!(sent(PayloadForm::Json).await, [Outcome::Accepted]);
    let first = claimed(&world).await.remove(0).payload;
    world.sql("DELETE FROM xm.outbox").await;
    assert_eq!(sent(PayloadForm::Frame { dictionary: 1 }).await, [Outcome::Duplicate]);
    assert_eq!(claimed(&world).await.remove(0).payload, first);
}

#[tokio::test]
async fn an_answer_is_in_its_letters_cipher_while_the_agency_has_leave() {
    let world = World::new().await;
    let cbc = ContentCipher::Aes256Cbc;
    let leave = async |allowed: bool| {
        world.sql(&format!("UPDATE xm.agencies SET cbc_allowed = {allowed} WHERE matricule = 42")).await;
    };
    let ciphers = async || -> Vec<ContentCipher> { claimed(&world).await.iter().map(|answer| answer.cipher).collect() };
    let send = async |number: u64, cipher| {
        let letter = world.births(42, number, &[("CE-042", number)]);
        world.settle(vec![arrival(&world, &letter, cipher, PayloadForm::Json).await]).await
    };

    assert_eq!(send(1, cbc).await, [REFUSED(RefusalCode::CipherNotAllowed)]);
    assert_eq!(ciphers().await, [ContentCipher::Aes256Gcm], "it has no leave");
    leave(true).await;
    assert_eq!(ciphers().await, [cbc], "whoever is given leave reads what waits for it");
    world.sql("DELETE FROM xm.outbox").await;

    assert_eq!(send(2, cbc).await, [Outcome::Accepted]);
    assert_eq!(send(3, ContentCipher::Aes256Gcm).await, [Outcome::Accepted]);
    assert_eq!(ciphers().await, [cbc, ContentCipher::Aes256Gcm], "each as it came");
    let usual = "SELECT count(*) FROM xm.letters WHERE cipher IS NULL";
    assert_eq!(world.count(usual).await, 1, "the usual cipher takes no room");
    leave(false).await;
    assert_eq!(ciphers().await, [ContentCipher::Aes256Gcm; 2], "the leave is gone");
}

/// Returns the only answer that waits to be sent, or `None`. The answer is leased for a new process.
async fn waiting(world: &World) -> Option<LeasedAnswer> {
    let mut claimed = claimed(world).await;
    assert!(claimed.len() <= 1, "one answer of a letter waits at a time");
    claimed.pop()
}

/// Returns the attempt that the answer belongs to, the number of the part, and the part's payload.
fn told(answer: &LeasedAnswer) -> (i16, i16, &[u8]) {
    (answer.attempt, answer.part, &answer.payload)
}

/// Adds this number of parts to the answer of every letter, for the first attempt.
async fn give_parts(world: &World, parts: u32) {
    world
        .sql(&format!(
            "INSERT INTO xm.answer_parts (agency, letter_id, attempt, part, payload, made_at)
             SELECT agency, letter_id, 1, n, convert_to('part ' || n, 'UTF8'), now()
               FROM xm.letters, generate_series(1, {parts}) AS n"
        ))
        .await;
}

/// Delivers a letter again, two hours after it was answered.
async fn deliver_again(world: &World, letter: &Letter) {
    world.sql("UPDATE xm.letters SET answered_at = now() - interval '2 hours'").await;
    assert_eq!(world.settle(vec![world.arrival(letter).await]).await, [Outcome::Duplicate]);
}

#[tokio::test]
async fn the_parts_of_an_answer_leave_one_after_the_other_and_are_kept_for_two_weeks() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted]);
    let first = waiting(&world).await.unwrap();
    let receipt = first.payload.clone();
    assert_eq!((first.attempt, first.part), (1, 0), "without a body the receipt is all");
    let mut connection = world.connection().await;
    outbox::sent(&mut connection, &[first]).await.unwrap();

    give_parts(&world, 3).await;
    let again = async || deliver_again(&world, &letter).await;
    again().await;
    for number in 1..=3 {
        again().await;
        let answer = waiting(&world).await.unwrap();
        assert_eq!(told(&answer), (1, number, format!("part {number}").as_bytes()));
        outbox::sent(&mut connection, &[answer]).await.unwrap();
    }
    assert!(waiting(&world).await.is_none(), "every part is sent");

    again().await;
    assert_eq!(outbox::forget_parts(&mut connection).await.unwrap(), 0);
    world.sql("UPDATE xm.answer_parts SET made_at = now() - interval '15 days'").await;
    assert_eq!(outbox::forget_parts(&mut connection).await.unwrap(), 3);
    let answer = waiting(&world).await.unwrap();
    assert_eq!(told(&answer), (1, 0, &receipt[..]), "of a part that is kept no longer the receipt leaves");
    assert_eq!(answer.name(), letter.id.simple().to_string(), "under its own name");
    outbox::sent(&mut connection, &[answer]).await.unwrap();
    assert!(waiting(&world).await.is_none());
    again().await;
    assert_eq!(told(&waiting(&world).await.unwrap()), (1, 0, &receipt[..]));
}

/// One row of the outbox serves all parts of an answer, one after the other. When a sender reports on one part, the report must not change
/// the state of another part.
#[tokio::test]
async fn what_is_said_of_a_part_that_no_longer_waits_changes_nothing() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted]);
    world.sql("DELETE FROM xm.outbox").await;
    give_parts(&world, 3).await;
    deliver_again(&world, &letter).await;
    let mut connection = world.connection().await;
    let row =
        "SELECT part * 10 + attempts FROM xm.outbox WHERE failed_at IS NULL AND due_at <= now() AND last_error IS NULL";

    let first = [waiting(&world).await.unwrap()];
    for _ in 0..2 {
        outbox::sent(&mut connection, &first).await.unwrap();
        assert_eq!(world.count(row).await, 20);
    }
    let second = [waiting(&world).await.unwrap()];
    outbox::put_back(&mut connection, &first, "late").await.unwrap();
    outbox::give_up(&mut connection, &first, "late").await.unwrap();
    outbox::leave(&mut connection, &first).await.unwrap();
    outbox::sent(&mut connection, &first).await.unwrap();
    assert_eq!(world.count(row).await, 21);
    outbox::leave(&mut connection, &second).await.unwrap();
    assert_eq!(world.count(row).await, 20);
    // Another process has leased the same part, so the report of the sender of `second` changes nothing.
    let third = [waiting(&world).await.unwrap()];
    outbox::sent(&mut connection, &second).await.unwrap();
    assert_eq!(world.count(row).await, 21);
    outbox::sent(&mut connection, &third).await.unwrap();
    assert_eq!(world.count(row).await, 30);
    let last = [waiting(&world).await.unwrap()];
    outbox::sent(&mut connection, &last).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox").await, 0);
}

#[tokio::test]
async fn an_answer_that_is_made_due_again_begins_with_its_first_part_and_its_newest_attempt() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted]);
    world.sql("DELETE FROM xm.outbox").await;
    give_parts(&world, 2).await;
    deliver_again(&world, &letter).await;
    let mut connection = world.connection().await;
    let give_up_the_second = async |connection: &mut AsyncPgConnection| {
        let first = [waiting(&world).await.unwrap()];
        outbox::sent(connection, &first).await.unwrap();
        let second = [waiting(&world).await.unwrap()];
        assert_eq!(second[0].part, 2);
        outbox::give_up(connection, &second, "no such mailbox").await.unwrap();
    };
    give_up_the_second(&mut connection).await;
    deliver_again(&world, &letter).await;
    assert_eq!(waiting(&world).await.unwrap().part, 1, "its office asks again");
    give_up_the_second(&mut connection).await;
    resend(&mut connection, &Operator::superviseur(), 42.try_into().unwrap(), letter.id).await.unwrap();
    assert_eq!(waiting(&world).await.unwrap().part, 1, "an operator sends it again");

    give_up_the_second(&mut connection).await;
    world
        .sql(
            "INSERT INTO xm.attempts (agency, letter_id, attempt, verdict, receipt, decider, decided_at)
             SELECT agency, letter_id, 2, 'accepted', 'the second'::bytea, 'mbome', now() FROM xm.letters;
             UPDATE xm.letters SET attempt = 2",
        )
        .await;
    deliver_again(&world, &letter).await;
    assert_eq!(told(&waiting(&world).await.unwrap()), (2, 0, &b"the second"[..]));
    // The answer must be under `mail-parts`. A program of the former version leases answers under `mail`; it would send the receipt of the
    // first attempt and delete the row.
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox WHERE transport = 'mail-parts'").await, 1);
}

/// A program of the former version may run beside this one, and leases answers by `CLAIM_BEFORE`. It must not find an answer with parts: it
/// knows no parts, and would send only the receipt.
#[tokio::test]
async fn a_program_that_knows_nothing_of_parts_does_not_claim_them() {
    const CLAIM_BEFORE: &str = "WITH due AS (
             SELECT id FROM xm.outbox
              WHERE failed_at IS NULL AND transport = 'mail' AND due_at <= now()
                AND (claimed_until IS NULL OR claimed_until < now())
              ORDER BY due_at LIMIT 100 FOR UPDATE SKIP LOCKED),
         claimed AS (
             UPDATE xm.outbox o SET claimed_until = now() + make_interval(secs => 120), attempts = o.attempts + 1
               FROM due WHERE o.id = due.id RETURNING o.letter_id)
         INSERT INTO registry.claimed_before SELECT letter_id FROM claimed";
    let world = World::new().await;
    world.sql("CREATE TABLE registry.claimed_before (letter_id uuid)").await;
    let (with_parts, without) = (world.births(42, 1, &[("CE-042", 1)]), world.births(42, 2, &[("CE-042", 2)]));
    assert_eq!(world.settle(vec![world.arrival(&with_parts).await]).await, [Outcome::Accepted]);
    world.sql("DELETE FROM xm.outbox").await;
    give_parts(&world, 1).await;
    deliver_again(&world, &with_parts).await;
    let asking = Letter { request: Request::Account(Period { from: None, to: None }), ..world.births(42, 3, &[]) };
    let batch = vec![world.arrival(&without).await, world.arrival(&asking).await];
    assert_eq!(world.settle(batch).await, [Outcome::Accepted; 2]);
    world.sql(CLAIM_BEFORE).await;
    assert_eq!(world.count("SELECT count(*) FROM registry.claimed_before").await, 1);
    let claimed_before =
        "SELECT count(*) FROM registry.claimed_before c JOIN xm.letters l USING (letter_id) WHERE l.sequence = 2";
    assert_eq!(world.count(claimed_before).await, 1, "the one without parts");
    let parts: Vec<i16> = claimed(&world).await.iter().map(|answer| answer.part).collect();
    assert_eq!(parts, [1, 1]);
}

#[tokio::test]
async fn a_letter_is_answered_with_its_highest_attempt() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-043", 1)]);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [REFUSED(RefusalCode::OutOfScope)]);
    world
        .sql(
            "INSERT INTO xm.attempts (agency, letter_id, attempt, verdict, receipt, decider, decided_at)
             SELECT agency, letter_id, 2, 'accepted', 'the second'::bytea, 'mbome', now() FROM xm.letters;
             UPDATE xm.letters SET attempt = 2, answered_at = now() - interval '2 hours'; DELETE FROM xm.outbox",
        )
        .await;
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Duplicate]);
    assert_eq!(told(&waiting(&world).await.unwrap()), (2, 0, &b"the second"[..]));
    let named = story::Named::Id(letter.id);
    let story = story::stories(&mut *world.connection().await, &named, None).await.unwrap().remove(0);
    let decided = story.decided.unwrap();
    assert_eq!(
        (decided.attempt, decided.verdict.as_str(), decided.receipt.as_slice()),
        (2, "accepted", &b"the second"[..])
    );
}

#[tokio::test]
async fn what_the_centre_writes_first_is_sealed_for_the_certificate_that_its_row_names() {
    let world = World::new().await;
    world.sql("INSERT INTO xm.outbox (agency, payload, transport) VALUES (42, 'nobody', 'mail')").await;
    world
        .sql(
            "INSERT INTO xm.outbox (agency, payload, transport, certificate)
             SELECT 42, 'somebody', 'mail', id FROM xm.certificates WHERE agency = 42",
        )
        .await;
    let claimed = claimed(&world).await;
    let sealable: Vec<(&[u8], bool)> =
        claimed.iter().map(|answer| (answer.payload.as_slice(), answer.certificate.is_some())).collect();
    assert_eq!(sealable, [(&b"nobody"[..], false), (&b"somebody"[..], true)]);
    assert_eq!(claimed[1].name(), claimed[1].id.to_string());
}
