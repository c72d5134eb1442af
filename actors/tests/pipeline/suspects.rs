//! Mails that were being processed when code failed. They are tried alone, and then cleared or put into quarantine.

use simulation::post_office::{Fault, When};

use crate::centre::{CENTRE_ADDRESS, SETTLED, World, quick};

#[test]
fn a_suspect_that_was_settled_is_cleared_before_the_next_one_is_tried() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.deliver_letters(3);
    // Each letter has failed twice before. The first one is settled. While the second one is tried, the centre dies.
    for uidl in world.post_office.uidls(CENTRE_ADDRESS) {
        world.sql(&format!("INSERT INTO xm.suspects (mailbox, uidl, attempts) VALUES ('main', '{uidl}', 2)"));
    }
    fail::cfg("mailbox_poller::alone", "1*off->1*panic(planted)->off").unwrap();
    let running = world.start(quick());
    world.wait_for("letters settled", SETTLED, 2);
    // This was the third failure of the second letter. The first letter did not cause any of the failures.
    world.wait_for("poison letters", "SELECT count(*) FROM xm.quarantine WHERE reason = 'poison'", 1);
    world.wait_for("suspects", "SELECT count(*) FROM xm.suspects", 0);
    assert!(running.drain());
    assert_eq!(world.count(SETTLED), 2);
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine"), 1);
}

#[test]
fn a_connection_that_breaks_is_not_the_doing_of_the_suspect_that_it_carried() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let (_, mail) = world.next_mail();
    world.deliver(mail);
    let uidl = world.post_office.uidls(CENTRE_ADDRESS).remove(0);
    world.sql(&format!("INSERT INTO xm.suspects (mailbox, uidl, attempts) VALUES ('main', '{uidl}', 2)"));
    let cut = Fault::CutRetrieval { after_bytes: 100 };
    world.post_office.faults().set(cut.clone(), When::Times(3));
    let running = world.start(quick());
    world.wait_for("letters settled", SETTLED, 1);
    world.wait_for("suspects", "SELECT count(*) FROM xm.suspects", 0);
    assert!(running.drain());
    assert_eq!(world.post_office.faults().struck(&cut), 3);
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine"), 0);
}

#[test]
fn a_letter_that_always_makes_the_centre_fail_is_set_aside_and_the_others_pass() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    // Opening this letter panics, whenever it is tried.
    fail::cfg("sdc_decoder::decode", "panic(planted)").unwrap();
    let (_, poison) = world.next_mail();
    world.deliver(poison);
    let running = world.start(quick());
    world.wait_for("poison letters in quarantine", "SELECT count(*) FROM xm.quarantine WHERE reason = 'poison'", 1);
    fail::remove("sdc_decoder::decode");
    let known = "SELECT count(*) FROM xm.quarantine WHERE sender LIKE '%office42%' AND subject = 'SDC 1 agency=000042'";
    assert_eq!(world.count(known), 1, "whoever looks at it knows whom to ask");
    let (_, good) = world.next_mail();
    world.deliver(good);
    world.wait_for("good letters", SETTLED, 1);
    assert!(running.drain());
    assert_eq!(world.count("SELECT count(*) FROM xm.suspects"), 0);
    assert_eq!(world.post_office.count(CENTRE_ADDRESS), 0);
}
