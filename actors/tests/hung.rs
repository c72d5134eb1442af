//! A thread hangs over a mail. The process ends once, which puts the mail into quarantine, and all other mail is settled.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use std::time::Duration;

use actors::supervision::{Escalation, Policy};
use centre::{QUARANTINED, SETTLED, World, quick};

/// A sleep longer than any test. The thread ends with the process.
const FOR_EVER: &str = "1*sleep(100000000)->off";

/// A policy whose deadline is far longer than a thread that does not hang needs on a busy machine.
fn impatient() -> Policy {
    Policy { heartbeat_deadline: Duration::from_secs(8), ..quick() }
}

/// Makes an actor hang over the first mail that it handles at `place`. After the hang has ended the centre, starts the centre again.
fn hang_at(place: &str, actor: &str) {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.deliver_letters(6);
    let uidls = world.post_office.uidls(centre::CENTRE_ADDRESS);
    fail::cfg(place, FOR_EVER).unwrap();
    let escalation = world.start(impatient()).escalation();
    let Escalation::Hung { actor: blamed, mail: Some(mail), .. } = &escalation else { panic!("{escalation}") };
    assert_eq!(*blamed, actor);
    assert_eq!(&*mail.mailbox, "main");
    assert!(uidls.iter().any(|uidl| **uidl == *mail.uidl), "{escalation}");
    assert!(escalation.to_string().contains(&format!("over mail {} of mailbox main", mail.uidl)), "{escalation}");
    let aside = format!("SELECT count(*) FROM xm.suspects WHERE uidl = '{}' AND attempts >= 3", mail.uidl);
    assert_eq!(world.count(&aside), 1, "it has had its attempts");
    assert_eq!(world.count("SELECT count(*) FROM xm.in_hand"), 0, "and nobody else is suspected");

    // The leases are deleted to simulate a process that keeps its identifier, and so its leases, across the restart.
    world.sql("DELETE FROM xm.leases");
    let running = world.start(quick());
    world.wait_for("poison letters", "SELECT count(*) FROM xm.quarantine WHERE reason = 'poison'", 1);
    world.wait_for("letters settled", SETTLED, 5);
    world.wait_for("suspects", "SELECT count(*) FROM xm.suspects", 0);
    assert!(running.drain());
    assert_eq!(world.count(QUARANTINED), 1);
    assert_eq!(world.post_office.count(centre::CENTRE_ADDRESS), 0);
}

#[test]
fn a_mail_that_hangs_a_decoder_is_set_aside_by_one_end_of_the_process() {
    hang_at("sdc_decoder::decode", "sdc_decoder");
}

#[test]
fn a_letter_that_hangs_a_verifier_is_set_aside_and_the_decoder_beside_it_not_blamed() {
    hang_at("signature_verifier::verify", "signature_verifier");
}
