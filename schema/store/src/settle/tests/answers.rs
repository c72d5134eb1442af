//! An answer leaves as its letter came: packed as it was, and in its cipher while the agency has leave for that.

use std::time::Duration;

use sdc::cms::ContentCipher;
use sdc::letter::Letter;
use sdc::payload::{PayloadForm, Unreadable, form};
use sdc::refusal::{Refusal, RefusalCode};
use uuid::Uuid;

use super::REFUSED;
use super::world::World;
use crate::administration::letters;
use crate::outbox::{self, Claimed};
use crate::settle::{Arrival, Content, Outcome};

/// The arrival of a letter of agency 42 that came in another cipher or form.
async fn arrival(world: &World, letter: &Letter, cipher: ContentCipher, form: PayloadForm) -> Arrival {
    let mut arrival = world.arrival(letter).await;
    if let Content::Signed { cipher: its_cipher, form: its_form, .. } = &mut arrival.content {
        (*its_cipher, *its_form) = (cipher, form);
    }
    arrival
}

/// Everything that waits to be sent, as another process finds it each time.
async fn claimed(world: &World) -> Vec<Claimed> {
    let (process, mut connection) = (Uuid::new_v4(), world.connection().await);
    let claimed = outbox::claim(&mut connection, process, "mail", 100, Duration::from_secs(60)).await.unwrap();
    outbox::release(&mut connection, process).await.unwrap();
    claimed
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

/// The form was fixed with the first verdict: the same letter gets the same signed octets, however it is sent again.
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

/// What waits for one letter, as it is claimed: the attempt answered, the part and its payload.
async fn waiting(world: &World) -> Option<(i64, i16, i16, Vec<u8>)> {
    let mut claimed = claimed(world).await;
    assert!(claimed.len() <= 1, "one answer of a letter waits at a time");
    claimed.pop().map(|answer| (answer.id, answer.attempt, answer.part, answer.payload))
}

#[tokio::test]
async fn the_parts_of_an_answer_leave_one_after_the_other_and_are_kept_for_two_weeks() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted]);
    let (id, attempt, part, receipt) = waiting(&world).await.unwrap();
    assert_eq!((attempt, part), (1, 0), "without a body the receipt is all");
    let mut connection = world.connection().await;
    outbox::sent(&mut connection, &[id]).await.unwrap();

    world
        .sql(
            "INSERT INTO xm.answer_parts (agency, letter_id, attempt, part, payload, made_at)
             SELECT agency, letter_id, 1, n, convert_to('part ' || n, 'UTF8'), now()
               FROM xm.letters, generate_series(1, 3) AS n",
        )
        .await;
    let again = async || {
        world.sql("UPDATE xm.letters SET answered_at = now() - interval '2 hours'").await;
        assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Duplicate]);
    };
    again().await;
    for number in 1..=3 {
        again().await;
        let (id, attempt, part, payload) = waiting(&world).await.unwrap();
        assert_eq!((attempt, part, payload), (1, number, format!("part {number}").into_bytes()));
        outbox::sent(&mut connection, &[id]).await.unwrap();
    }
    assert_eq!(waiting(&world).await, None, "every part is sent");

    again().await;
    assert_eq!(outbox::forget_parts(&mut connection).await.unwrap(), 0);
    world.sql("UPDATE xm.answer_parts SET made_at = now() - interval '15 days'").await;
    assert_eq!(outbox::forget_parts(&mut connection).await.unwrap(), 3);
    assert_eq!(waiting(&world).await.unwrap().3, receipt, "of a part that is kept no longer the receipt leaves");
    world.sql("DELETE FROM xm.outbox").await;
    again().await;
    let (_, attempt, part, payload) = waiting(&world).await.unwrap();
    assert_eq!((attempt, part, payload), (1, 0, receipt));
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
    let (_, attempt, part, payload) = waiting(&world).await.unwrap();
    assert_eq!((attempt, part, payload), (2, 0, b"the second".to_vec()));
    let named = letters::Named::Id(letter.id);
    let story = letters::stories(&mut *world.connection().await, &named, None).await.unwrap().remove(0);
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
