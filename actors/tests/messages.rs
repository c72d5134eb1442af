//! Operators and an office write to each other by mail. A notice is sent again until the office confirms that it has been read.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use centre::{OFFICE_ADDRESS, SETTLED, World, quick};
use sdc::answer::CentreLetter;
use sdc::answer::notice::{Notice, NoticeContent};
use sdc::request::{Message, Request};
use store::letters::{messages, notices};
use store::testing;

const UNSENT: &str = "SELECT count(*) FROM xm.outbox";

fn notices_of(world: &World) -> Vec<Notice> {
    let told = world.open_all(world.post_office.take(OFFICE_ADDRESS));
    let notice = |letter| match letter {
        CentreLetter::Notice(notice) => Some(notice),
        CentreLetter::Answer(_) | CentreLetter::Part(_) => None,
    };
    told.into_iter().filter_map(notice).collect()
}

fn send_again(world: &World) -> usize {
    world.sql("UPDATE xm.notices SET again_at = now() WHERE again_at IS NOT NULL");
    world.runtime.block_on(async {
        let mut connection = world.database.get().await.unwrap();
        notices::forget_seen(&mut connection).await.unwrap();
        notices::send_again(&mut connection).await.unwrap()
    })
}

#[test]
fn a_message_is_answered_in_its_thread_and_the_answer_comes_until_it_is_seen() {
    let mut world = World::new();
    let (mut question, _) = world.next_mail();
    question.request = Request::Message(Message { thread: None, text: "Quand fermez-vous ?".to_owned() });
    let mail = world.mail(&question);
    for _ in 0..2 {
        world.deliver(mail.clone());
    }
    let running = world.start(quick());
    world.wait_for("a message", SETTLED, 1);
    world.wait_for("an answer sent", UNSENT, 0);
    assert_eq!(world.count("SELECT count(*) FROM xm.messages"), 1, "once, however often it comes");
    world.runtime.block_on(async {
        let mut connection = world.database.get().await.unwrap();
        let operator = testing::operator(&mut connection).await;
        messages::send(&mut connection, &operator, 42.try_into().unwrap(), Some(1), "À midi.").await.unwrap();
    });
    world.wait_for("a notice sent", "SELECT count(*) FROM xm.notices WHERE sends = 1 AND outbox IS NULL", 1);
    let [first] = &notices_of(&world)[..] else { panic!("one notice") };
    let NoticeContent::Message { thread, text, .. } = &first.content else { panic!("another notice") };
    assert_eq!((*thread, text.as_str()), (question.id, "À midi."));

    assert_eq!(send_again(&world), 1);
    world.wait_for("it sent again", "SELECT count(*) FROM xm.notices WHERE sends = 2 AND outbox IS NULL", 1);
    assert_eq!(notices_of(&world), std::slice::from_ref(first));
    let (mut thanks, _) = world.next_mail();
    thanks.seen = Some(first.number);
    thanks.request = Request::Message(Message { thread: Some(*thread), text: "Merci.".to_owned() });
    world.deliver(world.mail(&thanks));
    world.wait_for("a letter that says so", SETTLED, 2);
    assert_eq!(send_again(&world), 0);
    assert!(running.drain());
    assert_eq!(
        world.count("SELECT count(*) FROM xm.messages WHERE thread = (SELECT id FROM xm.messages WHERE number = 1)"),
        3
    );
}
