//! A notice reaches its office by mail, as an answer does. An answer to an agency without an address is given up with a reason in words.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use centre::{OFFICE_ADDRESS, SETTLED, World, quick};
use sdc::answer::CentreLetter;
use sdc::answer::notice::NoticeContent;
use store::certificates::ending;

const UNSENT: &str = "SELECT count(*) FROM xm.outbox";

fn tell(world: &World) -> usize {
    world.runtime.block_on(async { ending::tell(&mut world.database.get().await.unwrap()).await.unwrap() })
}

#[test]
fn an_office_whose_certificate_ends_is_told_once_in_a_letter_of_its_own() {
    let mut world = World::new();
    world.sql("UPDATE xm.certificates SET not_after = now() + interval '13 days'");
    assert_eq!(tell(&world), 0, "nobody has written");
    let (letter, mail) = world.next_mail();
    world.deliver(mail);
    let running = world.start(quick());
    world.wait_for("a letter settled", SETTLED, 1);
    world.wait_for("an answer sent", UNSENT, 0);
    assert_eq!(world.open(world.post_office.take(OFFICE_ADDRESS))[0].receipt.letter, Some(letter.id));

    assert_eq!((tell(&world), tell(&world)), (1, 0));
    world.wait_for("a notice sent", "SELECT count(*) FROM xm.notices WHERE sent_at IS NOT NULL AND outbox IS NULL", 1);
    assert_eq!(world.count(UNSENT), 0);
    assert!(running.drain());
    let mails = world.post_office.take(OFFICE_ADDRESS);
    let [mail] = &mails[..] else { panic!("{} mails", mails.len()) };
    let text = String::from_utf8_lossy(&mail.bytes).into_owned();
    let [told] = &world.open_all(mails)[..] else { panic!("one letter in a mail") };
    let CentreLetter::Notice(notice) = told else { panic!("an answer") };
    assert!(text.contains(&format!("<{}.000042@centre>", notice.id.simple())), "{text}");
    assert_eq!((notice.number, notice.to.installation.as_str(), notice.from.as_str()), (1, "pc1", "centre"));
    let NoticeContent::CertificateEnds { days, .. } = notice.content else { panic!("another notice") };
    assert_eq!(days, 13);
}

#[test]
fn an_answer_without_an_address_is_given_up_in_words_until_there_is_one() {
    let mut world = World::new();
    world.sql("UPDATE xm.agencies SET email = ''");
    for _ in 0..3 {
        let (_, mail) = world.next_mail();
        world.deliver(mail);
    }
    let running = world.start(quick());
    world.wait_for("letters settled", SETTLED, 3);
    let given_up =
        "SELECT count(*) FROM xm.outbox WHERE failed_at IS NOT NULL AND claimed_until IS NULL AND attempts = 1
        AND last_error LIKE 'the agency has no e-mail address: `xmserver agency edit` gives it one%'";
    world.wait_for("answers given up, each at its first try", given_up, 3);
    assert_eq!(running.metrics().answers.with_label_values(&["given_up"]).get(), 3);
    assert_eq!(world.post_office.count(OFFICE_ADDRESS), 0);

    world.sql(&format!("UPDATE xm.agencies SET email = '{OFFICE_ADDRESS}'"));
    world.sql("UPDATE xm.outbox SET failed_at = NULL, due_at = now(), attempts = 0");
    world.wait_for("answers sent", UNSENT, 0);
    assert!(running.drain());
    assert_eq!(world.receipts().len(), 3);
}
