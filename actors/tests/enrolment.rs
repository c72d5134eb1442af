//! An installation without a registered key enrols by mail with its code, and later renews its key. A sender that guesses codes gets no
//! answer.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use std::sync::Arc;

use agency::identity::{Algorithm, Identity};
use agency::office::Centre;
use agency::packed::Packed;
use centre::{CENTRE_ADDRESS, SETTLED, World, quick};
use sdc::answer::{Answer, AnswerContent};
use sdc::letter::{Mode, Office as Sender};
use sdc::request::{EnrolmentCode, Period, Request};
use simulation::office::{MemoryRegister, Office};
use store::agencies::enrolments;
use store::testing;

const ADDRESS: &str = "office44@example.org";
const UNSENT: &str = "SELECT count(*) FROM xm.outbox";
const REFUSED: &str = "SELECT count(*) FROM xm.quarantine WHERE reason = 'enrolment_refused'";

fn office(world: &World, installation: &str) -> Office {
    let recipient = world.certificate();
    let (name, address) = ("centre".to_owned(), CENTRE_ADDRESS.to_owned());
    let centre = Centre { name, mode: Mode::Live, address, signers: vec![recipient.clone()], recipient };
    let sender = Sender { agency: 44.try_into().unwrap(), installation: installation.to_owned() };
    let identity = Identity::generate("office 44", Algorithm::P256).unwrap();
    Office::new(sender, ADDRESS, identity, Arc::new(centre), MemoryRegister::new(1))
}

/// Registers agency 44 without a certificate, and returns its enrolment code.
fn code(world: &World) -> EnrolmentCode {
    world.sql(&format!(
        "INSERT INTO xm.agencies (matricule, name, email) VALUES (44, 'Office', '{ADDRESS}');
         INSERT INTO xm.accounts (kind, agency) VALUES ('agency', 44)"
    ));
    world.runtime.block_on(async {
        let mut connection = world.database.get().await.unwrap();
        let operator = testing::operator(&mut connection).await;
        enrolments::code(&mut connection, &operator, 44.try_into().unwrap()).await.unwrap().code
    })
}

fn deliver(world: &World, office: &Office, packed: &Packed) {
    world.deliver(office.mail(packed).render().unwrap());
}

/// Opens the answers that have arrived, with the office's key.
fn answers(world: &World, office: &mut Office) -> Vec<Answer> {
    let mut answers = Vec::new();
    for mail in world.post_office.take(ADDRESS) {
        let found = mail::extract::extract(&mail.bytes, &mail::extract::MailLimits::default()).unwrap();
        answers.extend(found.containers.iter().map(|document| office.open(document).unwrap().answer));
    }
    answers
}

#[test]
fn an_installation_comes_once_by_its_code_and_renews_its_key() {
    let world = World::new();
    let code = code(&world);
    let (mut newcomer, mut thief) = (office(&world, "pc1"), office(&world, "pc2"));
    let packed = newcomer.enrol(EnrolmentCode::typed(&code.spoken())).unwrap();
    for _ in 0..3 {
        deliver(&world, &newcomer, &packed);
    }
    let running = world.start(quick());
    world.wait_for("an enrolment", SETTLED, 1);
    world.wait_for("the letter again", "SELECT count(*) FROM xm.journal WHERE outcome = 'duplicate'", 2);
    let stolen = thief.enrol(code).unwrap();
    deliver(&world, &thief, &stolen);
    world.wait_for("a code of the past", REFUSED, 1);
    let asking = newcomer.ask(Request::Account(Period { from: None, to: None })).unwrap();
    deliver(&world, &newcomer, &asking);
    world.wait_for("a letter of the new key", SETTLED, 2);
    world.sql("UPDATE xm.certificates SET not_after = now() + interval '30 days' WHERE agency = 44");
    let next = Identity::generate("office 44", Algorithm::P384).unwrap();
    let renewal = newcomer.renew(&next).unwrap();
    deliver(&world, &newcomer, &renewal);
    world.wait_for("a renewal", SETTLED, 3);
    newcomer.adopt(next.clone());
    let asking = newcomer.ask(Request::Account(Period { from: None, to: None })).unwrap();
    deliver(&world, &newcomer, &asking);
    world.wait_for("a letter of the next key", SETTLED, 4);
    world.wait_for("answers sent", UNSENT, 0);
    assert!(running.drain());

    let told: Vec<String> = answers(&world, &mut newcomer)
        .into_iter()
        .filter_map(|answer| match answer.body?.content {
            AnswerContent::Enrolled(issued) | AnswerContent::Renewed(issued) => Some(issued.certificate),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 2, "each once");
    assert!(told[0] != told[1]);
    let keys = "SELECT count(*) FROM xm.certificates WHERE agency = 44 AND revoked_at IS NULL";
    assert_eq!((world.count(keys), world.count("SELECT count(*) FROM xm.installations WHERE agency = 44")), (2, 1));
}

#[test]
fn guessing_is_counted_and_locks_and_is_never_answered() {
    let world = World::new();
    let code = code(&world);
    let mut guesser = office(&world, "pc1");
    for number in 0..6 {
        let packed = guesser.enrol(EnrolmentCode::typed(&format!("{number:024}"))).unwrap();
        deliver(&world, &guesser, &packed);
    }
    let running = world.start(quick());
    world.wait_for("guesses refused", REFUSED, 6);
    let late = guesser.enrol(code).unwrap();
    deliver(&world, &guesser, &late);
    world.wait_for("a right code that is locked", REFUSED, 7);
    assert!(running.drain());
    assert_eq!(world.count("SELECT count(*) FROM xm.enrolment_codes WHERE locked_at IS NOT NULL"), 1);
    assert_eq!(world.count("SELECT count(*) FROM xm.agency_keys WHERE agency = 44"), 0);
    assert_eq!((world.count(UNSENT), world.post_office.count(ADDRESS)), (0, 0));
}
