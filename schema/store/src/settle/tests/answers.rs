//! An answer leaves as its letter came: packed as it was, and in its cipher while the agency has leave for that.

use std::time::Duration;

use sdc::cms::ContentCipher;
use sdc::letter::Letter;
use sdc::payload::{PayloadForm, Unreadable, form};
use sdc::refusal::{Refusal, RefusalCode};
use uuid::Uuid;

use super::REFUSED;
use super::world::World;
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
