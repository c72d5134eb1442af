//! Answers that a relay does not clearly take, and answers that are requested again.

use std::collections::HashSet;

use simulation::post_office::{Fault, Mail, Protocol, When};

use super::{UNANSWERED, assert_exactly_once};
use crate::centre::{OFFICE_ADDRESS, SETTLED, World, quick, wait_until};

#[test]
fn an_answer_that_the_relay_did_not_clearly_take_is_sent_again_the_same() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let running = world.start(quick());
    let passing = [Fault::LoseDataReply, Fault::DeferData, Fault::DeferRecipient];
    for (fault, letters) in passing.into_iter().zip(1..) {
        world.post_office.faults().set(fault.clone(), When::Times(1));
        let (_, mail) = world.next_mail();
        world.deliver(mail);
        world.wait_for("letters", SETTLED, letters);
        let put_back = "SELECT count(*) FROM xm.outbox WHERE last_error IS NOT NULL AND claimed_until IS NULL";
        world.wait_for(&format!("answers put back after {fault:?}"), put_back, 1);
        world.sql("UPDATE xm.outbox SET due_at = now()");
        world.wait_for("letters unanswered", UNANSWERED, 0);
    }
    // The relay took the first answer's mail, but its reply was lost, so that the centre sent this mail a second time. The other faults
    // came before a mail was taken. So four mails carry three answers.
    let mails = world.post_office.take(OFFICE_ADDRESS);
    assert_eq!(mails.len(), 4);
    let message_id = |mail: &Mail| {
        let text = String::from_utf8(mail.bytes.to_vec()).unwrap();
        text.lines().find(|line| line.starts_with("Message-ID")).unwrap().to_owned()
    };
    assert_eq!(message_id(&mails[0]), message_id(&mails[1]));
    let answers = world.open(mails);
    assert_eq!(answers[0], answers[1], "the same signed content");
    let distinct: HashSet<_> = answers.iter().map(|answer| answer.id).collect();
    assert_eq!(distinct.len(), 3);

    // An answer to an address that does not exist is given up without further tries. Its sender requests it again by delivering the letter
    // again.
    world.post_office.faults().set(Fault::RejectRecipient, When::Times(1));
    let (_, mail) = world.next_mail();
    world.deliver(mail.clone());
    world.wait_for("answers given up", "SELECT count(*) FROM xm.outbox WHERE failed_at IS NOT NULL", 1);
    world.deliver(mail);
    world.wait_for("letters unanswered", UNANSWERED, 0);
    assert!(running.drain());
    assert_exactly_once(&world, 4);
}

/// The same mail is sent however often the answer is requested, and whatever other answers wait for the office: a gateway may discard a
/// mail whose Message-ID it has seen.
#[test]
fn an_answer_that_is_asked_for_again_is_the_same_mail_each_time_and_none_but_it() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let mut letters = Vec::new();
    for _ in 0..3 {
        let (letter, mail) = world.next_mail();
        letters.push((letter, mail.clone()));
        world.deliver(mail);
    }
    // The relay closes every connection until the exporter has tried all three answers together at least once. When the relay works again,
    // the three answers must go out in one mail.
    let away = Fault::CutReply(Protocol::Smtp);
    world.post_office.faults().set(away.clone(), When::Always);
    let running = world.start(quick());
    world.wait_for("letters", SETTLED, 3);
    let struck = world.post_office.faults().struck(&away);
    wait_until("a round that had all of them", || world.post_office.faults().struck(&away) > struck + 1);
    world.post_office.faults().clear(&away);
    world.wait_for("letters unanswered", UNANSWERED, 0);
    let mut seen: Vec<Vec<(String, usize)>> = Vec::new();
    let mut look = |world: &World| {
        let mails = world.post_office.take(OFFICE_ADDRESS);
        let header = |mail: &Mail| {
            let text = String::from_utf8(mail.bytes.to_vec()).unwrap();
            text.lines().find(|line| line.starts_with("Message-ID")).unwrap().to_owned()
        };
        let ids = mails.into_iter().map(|mail| (header(&mail), world.open(vec![mail]).len())).collect();
        seen.push(ids);
    };
    look(&world);
    for _again in 0..2 {
        world.sql("UPDATE xm.letters SET answered_at = now() - interval '2 hours'");
        for (_, mail) in &letters {
            world.deliver(mail.clone());
        }
        world.wait_for(
            "answers of long ago",
            "SELECT count(*) FROM xm.letters WHERE answered_at < now() - interval '1 hour'",
            0,
        );
        look(&world);
    }
    assert!(running.drain());
    let again: Vec<HashSet<(String, usize)>> = seen[1..].iter().map(|mails| mails.iter().cloned().collect()).collect();
    let expected: HashSet<_> =
        letters.iter().map(|(letter, _)| (format!("Message-ID: <{}.000042@centre>", letter.id.simple()), 1)).collect();
    assert_eq!(again, [expected.clone(), expected], "each alone, under its letter's id");
    assert_eq!(seen[0].iter().map(|(_, answers)| *answers).collect::<Vec<_>>(), [3], "{seen:?}");
}

/// An exporter leases an answer for two minutes, so that no other process sends it. Here the deletion of the sent answer from the outbox
/// fails. The exporter must not wait for the end of its own lease before it tries the answer again.
#[test]
fn answers_claimed_by_a_round_that_failed_are_claimed_again_at_once() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.sql(
        "CREATE FUNCTION xm.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$;
         CREATE TRIGGER fail BEFORE DELETE ON xm.outbox FOR EACH STATEMENT EXECUTE FUNCTION xm.fail()",
    );
    let (letter, mail) = world.next_mail();
    world.deliver(mail);
    let running = world.start(quick());
    world.wait_for("answers tried again", "SELECT count(*) FROM xm.outbox WHERE attempts > 1", 1);
    world.sql("DROP TRIGGER fail ON xm.outbox");
    world.wait_for("letters unanswered", UNANSWERED, 0);
    assert!(running.drain());
    assert_exactly_once(&world, 1);
    assert!(world.receipts().iter().all(|answer| answer.receipt.letter == Some(letter.id)));
}
