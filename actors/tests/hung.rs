//! A mail over which a thread hangs: one end of the process sets it aside, and everything else flows.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use std::time::Duration;

use actors::supervision::{Escalation, Policy};
use centre::{QUARANTINED, SETTLED, World, quick};

/// Longer than any test; the thread ends with the process.
const FOR_EVER: &str = "1*sleep(100000000)->off";

/// Waits for an answer far longer than a thread that has not hung may need on a busy machine.
fn impatient() -> Policy {
    Policy { heartbeat_deadline: Duration::from_secs(8), ..quick() }
}

/// Lets an actor hang over the first mail that it meets at a place, and starts the centre again when the hang has ended it.
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

    // As if the process had kept its name across the restart, and so its leases.
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
