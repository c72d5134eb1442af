//! A process that has been drained gives its leases back, so that another process continues without waiting until they expire.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use std::time::Duration;

use actors::metrics::Handled;
use centre::{SETTLED, World, quick, wait_until};
use simulation::post_office::{Fault, Protocol, When};

#[test]
fn a_drained_program_gives_its_mailbox_back() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let first = world.start(quick());
    let held_by_first = format!(
        "SELECT count(*) FROM xm.leases WHERE name = 'mailbox:main' AND held_until > now() AND holder = '{}'",
        first.process
    );
    world.wait_for("leases of the first", &held_by_first, 1);
    let second = world.start(quick());
    // The second process polls, and finds that the first process has the lease of the mailbox.
    wait_until("the second has looked", || second.polls("main", "elsewhere") > 2);
    assert_eq!(world.count(&held_by_first), 1);
    let (_, mail) = world.next_mail();
    world.deliver(mail);
    world.wait_for("letters settled", SETTLED, 1);
    assert_eq!(second.handled("sdc_decoder", Handled::Ok), 0, "the first has the mailbox");
    assert!(first.drain());
    assert_eq!(world.count(&held_by_first), 0, "a lease lasts thirty seconds unless it is given back");
    let (_, mail) = world.next_mail();
    world.deliver(mail);
    world.wait_for("letters settled", SETTLED, 2);
    assert!(second.drain());
}

#[test]
fn a_drained_program_gives_the_answers_back_that_it_has_not_sent() {
    const CLAIMED: &str = "SELECT count(*) FROM xm.outbox WHERE claimed_until > now()";
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    // The relay hangs: it answers no command.
    let silence = Fault::DelayReply(Protocol::Smtp, Duration::from_secs(3600));
    world.post_office.faults().set(silence.clone(), When::Always);
    let first = world.start(quick());
    let (_, mail) = world.next_mail();
    world.deliver(mail);
    world.wait_for("answers claimed", CLAIMED, 1);
    world.wait_for_mails(0);
    assert!(first.drain());
    assert_eq!(world.count(CLAIMED), 0, "a claim lasts two minutes unless it is given up");
    world.post_office.faults().clear(&silence);
    let second = world.start(quick());
    world.wait_for("letters unanswered", "SELECT count(*) FROM xm.letters WHERE answered_at IS NULL", 0);
    assert!(second.drain());
    assert_eq!(world.receipts().len(), 1);
}
