//! An office reads and changes its profile by mail. The answer to a change of address goes to the former address.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use centre::{OFFICE_ADDRESS, SETTLED, World, quick};
use sdc::answer::AnswerContent;
use sdc::request::{ProfileChange, ProfileRequest, Request};

const NEW_ADDRESS: &str = "mairie42@example.org";
const UNSENT: &str = "SELECT count(*) FROM xm.outbox";

fn asking(world: &mut World, set: Option<ProfileChange>) -> Vec<u8> {
    let (mut letter, _) = world.next_mail();
    letter.request = Request::Profile(ProfileRequest { set });
    world.mail(&letter)
}

#[test]
fn a_changed_address_is_answered_at_the_one_before_and_from_then_on_at_the_new_one() {
    let mut world = World::new();
    world.sql("UPDATE xm.agencies SET status = 2");
    let change = ProfileChange {
        telephone: Some("222".to_owned()),
        email: Some(NEW_ADDRESS.to_owned()),
        ..ProfileChange::default()
    };
    let changing = asking(&mut world, Some(change));
    for _ in 0..2 {
        world.deliver(changing.clone());
    }
    let running = world.start(quick());
    world.wait_for("a profile changed", SETTLED, 1);
    world.wait_for("the letter again", "SELECT count(*) FROM xm.journal WHERE outcome = 'duplicate'", 1);
    world.wait_for("an answer sent", UNSENT, 0);
    let reading = asking(&mut world, None);
    world.deliver(reading);
    world.wait_for("a profile read", SETTLED, 2);
    world.wait_for("answers sent", UNSENT, 0);
    assert!(running.drain());

    let profile = |mails| {
        let answers = world.open(mails);
        assert_eq!(answers.len(), 1);
        match answers.into_iter().next().unwrap().body.unwrap().content {
            AnswerContent::Profile(profile) => profile,
            _ => unreachable!("no profile"),
        }
    };
    let (former, new) = (profile(world.post_office.take(OFFICE_ADDRESS)), profile(world.post_office.take(NEW_ADDRESS)));
    assert_eq!(former, new);
    assert_eq!((new.telephone.as_str(), new.email.as_str()), ("222", NEW_ADDRESS));
}
