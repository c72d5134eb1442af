//! Tests of the main flow's actors together. Letters are settled, a panic in any handler neither loses nor doubles a letter, and a poison
//! letter is put into quarantine.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
#[path = "../centre/mod.rs"]
mod centre;

mod answers;
mod suspects;

use std::collections::HashSet;

use actors::metrics::{ACTORS, Handled, Metrics};
use actors::pipeline::Limits;
use actors::supervision::{Escalation, Policy};
use base64::Engine;
use centre::{SETTLED, World, quick, wait_until};
use sdc::answer::receipt::Verdict;

/// Every place in a handler, or in the work that a handler starts, where a test can plant a panic.
const POINTS: [&str; 20] = [
    "mailbox_poller::listed",
    "mailbox_poller::recorded",
    "mailbox_poller::retrieved",
    "mailbox_poller::delete",
    "mailbox_poller::deleted",
    "mailbox_poller::quit",
    "mailbox_poller::after_quit",
    "sdc_decoder::decode",
    "sdc_decoder::opened",
    "signature_verifier::verify",
    "signature_verifier::read",
    "signature_verifier::looked_up",
    "table_writer::take",
    "table_writer::write",
    "table_writer::written",
    "billing_ledger::post",
    "settle::charge",
    "settle::charged",
    "settle::commit",
    "billing_ledger::posted",
];
const EXPORTER_POINTS: [&str; 3] = ["exporter::round", "exporter::send", "exporter::sent"];

const UNANSWERED: &str = "SELECT count(*) FROM xm.letters WHERE answered_at IS NULL";

/// Asserts that each of `letters` letters was settled exactly once.
fn assert_exactly_once(world: &World, letters: i64) {
    assert_eq!(world.count(SETTLED), letters);
    assert_eq!(world.count("SELECT count(*) FROM ecr.\"MentionMarginale\""), letters, "rows");
    assert_eq!(world.count("SELECT count(*) FROM xm.entries WHERE kind = 'letter'"), letters, "entries");
    assert_eq!(world.count("SELECT difference FROM xm.ledger_difference"), 0);
    assert_eq!(world.count("SELECT 1000000 - balance FROM xm.accounts WHERE agency = 42"), letters * 100);
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine"), 0, "nothing innocent in quarantine");
    assert_eq!(world.count("SELECT count(*) FROM xm.journal WHERE outcome = 'accepted'"), letters);
}

/// Asserts that each letter that an actor took was handled once, and that no actor still has a letter.
fn assert_accounted(metrics: &Metrics) {
    for actor in ACTORS {
        let counts = Handled::ALL.map(|handled| metrics.actor(actor).counts(handled));
        let (taken, _, with_it) = counts[0];
        // None of the test's letters requests records, so the record reader gets no letter, and every other actor gets some.
        assert_eq!(taken > 0, actor != "record_reader", "{actor} took letters");
        assert_eq!(counts.iter().map(|(_, handled, _)| handled).sum::<u64>(), taken, "{actor}: {counts:?}");
        assert_eq!(with_it, 0, "{actor}: {counts:?}");
    }
}

#[test]
fn a_letter_becomes_rows_and_a_receipt_that_its_office_can_prove() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let (letter, mail) = world.next_mail();
    world.deliver(mail);
    let running = world.start(quick());
    world.wait_for("letters answered", "SELECT count(*) FROM xm.letters WHERE answered_at IS NOT NULL", 1);
    assert!(running.drain(), "drained in time");
    assert_exactly_once(&world, 1);
    assert_eq!(world.post_office.count(centre::CENTRE_ADDRESS), 0, "the mail is deleted");
    let receipts = world.receipts();
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0].receipt.verdict, Verdict::Accepted);
    assert_eq!(receipts[0].receipt.letter, Some(letter.id));
    assert_eq!(world.count("SELECT count(*) FROM xm.in_hand"), 0, "a clean stop leaves nothing in hand");
}

#[test]
fn bad_mail_is_kept_by_reason_answered_by_nobody_and_keeps_nobody_waiting() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let header =
        "From: someone@elsewhere.example\r\nReply-To: victim@elsewhere.example\r\nSubject: SDC 1 agency=000042\r\n";
    let parts = "--b\r\n\r\nx\r\n".repeat(2000);
    let bad = [
        ("over_size", format!("{header}\r\n{}", "x".repeat(2 << 20))),
        ("mail_malformed", format!("{header}Content-Type: multipart/mixed; boundary=b\r\n\r\n{parts}--b--\r\n")),
        ("no_container", format!("{header}\r\nBonjour\r\n")),
        ("no_container", format!("{header}Auto-Submitted: auto-replied\r\n\r\nJe suis absent\r\n")),
        ("document_malformed", format!("{header}\r\n-----BEGIN CMS-----\r\n*\r\n-----END CMS-----\r\n")),
    ];
    for (_, mail) in &bad {
        world.deliver(mail.clone().into_bytes());
    }
    let (_, good) = world.next_mail();
    world.deliver(good);
    let running = world.start(quick());
    world.wait_for("good letters", SETTLED, 1);
    world.wait_for("containers kept", "SELECT count(*) FROM xm.quarantine", i64::try_from(bad.len()).unwrap());
    for reason in ["over_size", "mail_malformed", "no_container", "document_malformed"] {
        let expected = bad.iter().filter(|(of, _)| *of == reason).count();
        let kept = format!("SELECT count(*) FROM xm.quarantine WHERE reason = '{reason}'");
        assert_eq!(world.count(&kept), i64::try_from(expected).unwrap(), "{reason}");
    }
    let head = "SELECT max(octet_length(original)) FROM xm.quarantine WHERE reason = 'over_size'";
    assert!(world.count(head) <= 16 << 10, "of over-size mail the first 16 KiB are kept");
    world.wait_for("letters unanswered", UNANSWERED, 0);
    // The centre's own receipt returns to the centre, as if an address forwarded its mail. The receipt is sealed for another key.
    let returned = world.post_office.take(centre::OFFICE_ADDRESS);
    assert_eq!(returned.len(), 1, "only the letter with a verified signer is answered");
    world.deliver(returned[0].bytes.to_vec());
    let refused = "SELECT count(*) FROM xm.quarantine WHERE reason = 'not_for_this_centre'";
    world.wait_for("receipts that came back", refused, 1);
    let metrics = running.metrics();
    assert!(running.drain());
    assert_accounted(&metrics);
    // Each refusal counts once for the decoder, which detects it, and once for the ledger, which commits it. The good letter is not
    // refused.
    let refusals = u64::try_from(bad.len()).unwrap() + 1;
    for (actor, refused) in [("sdc_decoder", refusals), ("signature_verifier", 0), ("billing_ledger", refusals)] {
        let counts = [Handled::Refused, Handled::Ok].map(|handled| metrics.actor(actor).counts(handled).1);
        assert_eq!(counts, [refused, 1], "{actor}");
    }
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox"), 0);
    for address in [centre::OFFICE_ADDRESS, "someone@elsewhere.example", "victim@elsewhere.example"] {
        assert_eq!(world.post_office.count(address), 0, "{address}");
    }
    assert_eq!(world.post_office.count(centre::CENTRE_ADDRESS), 0, "and all of it left the mailbox");
}

/// Wraps a document in mails of many shapes, as mail programs and gateways do.
fn wrapped(document: &str) -> Vec<Vec<u8>> {
    let head = "From: poste <poste@office.example>\r\nSubject: SDC 1 agency=000042\r\nMIME-Version: 1.0\r\n";
    let base64 = |octets: &[u8]| base64_lines(octets);
    let utf16: Vec<u8> = document.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let html = document.replace('\n', "<br>\n");
    let alternative = format!(
        "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n{document}\r\n--b\r\nContent-Type: text/html\r\n\r\n\
         <p>Bonjour,<br>\r\n{html}</p>\r\n--b--\r\n"
    );
    let logo = format!(
        "Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n\
         iVBOR*** damaged\r\n--b\r\nContent-Transfer-Encoding: raw\r\n\r\n{}\r\n--\r\nantivirus\r\n--b--\r\n",
        base64(document.as_bytes())
    );
    let forwarded = format!(
        "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        base64(format!("{head}{logo}").as_bytes())
    );
    let latin1 = [b"\r\nd\xe9claration n\xb0 12\r\n", document.as_bytes()].concat();
    let older = document.replace(" CMS-----", " PKCS7-----");
    let quoted = older.lines().map(|line| format!("> {line}\r\n")).collect::<String>();
    let utf16 = format!(
        "Content-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        base64(&utf16)
    );
    let texts = [alternative, logo, forwarded, format!("\r\n{quoted}"), utf16].map(String::into_bytes);
    texts.into_iter().chain([latin1]).map(|body| [head.as_bytes(), &body].concat()).collect()
}

fn base64_lines(octets: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(octets);
    text.as_bytes().chunks(76).map(|line| format!("{}\r\n", std::str::from_utf8(line).unwrap())).collect()
}

#[test]
fn a_letter_is_accepted_in_whatever_it_is_wrapped_and_its_wrapping_is_no_case() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let mut document = || {
        let (_, mail) = world.next_mail();
        let found = mail::extract::extract(&mail, &mail::extract::MailLimits::default()).unwrap();
        String::from_utf8(found.containers.into_iter().next().unwrap()).unwrap()
    };
    let wrappings = wrapped(&document()).len();
    let mut mails: Vec<Vec<u8>> = (0..wrappings).map(|number| wrapped(&document()).swap_remove(number)).collect();
    let many: String = (0..25).map(|_| document() + "\r\n").collect();
    mails.push(format!("From: poste@office.example\r\nSubject: SDC 1 agency=000042\r\n\r\n{many}").into_bytes());
    for mail in mails {
        world.deliver(mail);
    }
    let running = world.start(quick());
    let letters = i64::try_from(wrappings + 25).unwrap();
    world.wait_for("letters settled", SETTLED, letters);
    assert!(running.drain());
    assert_exactly_once(&world, letters);
    assert_eq!(world.count("SELECT count(*) FROM xm.journal"), letters, "a line for each letter, and no other");
    assert_eq!(world.post_office.count(centre::CENTRE_ADDRESS), 0);
}

/// A mail beyond a limit is kept whole in quarantine; the letters before the limit are settled.
#[test]
fn a_mail_of_more_than_is_looked_into_gives_its_letters_and_is_kept() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let (_, mail) = world.next_mail();
    let found = mail::extract::extract(&mail, &mail::extract::MailLimits::default()).unwrap();
    let document = String::from_utf8(found.containers.into_iter().next().unwrap()).unwrap();
    let head = "From: poste@office.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
    let parts = "--b\r\n\r\nx\r\n".repeat(2000);
    world.deliver(format!("{head}--b\r\n\r\n{document}\r\n{parts}--b--\r\n").into_bytes());
    let running = world.start(quick());
    world.wait_for("letters settled", SETTLED, 1);
    world.wait_for("mails kept", "SELECT count(*) FROM xm.quarantine WHERE reason = 'mail_malformed'", 1);
    assert!(running.drain());
    assert_eq!(world.count("SELECT count(*) FROM xm.journal WHERE outcome = 'accepted'"), 1);
    assert_eq!(world.post_office.count(centre::CENTRE_ADDRESS), 0);
}

/// A constraint on `xm.journal` makes the database refuse the third letter. The letter did not cause this fault, so it gets no verdict. It
/// must stay in its mailbox while the other letters are settled, and be settled once the constraint is gone.
#[test]
fn a_letter_that_cannot_be_settled_waits_in_its_mailbox_until_that_is_mended_and_the_others_flow() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.sql("ALTER TABLE xm.journal ADD CONSTRAINT planted CHECK (sequence <> 3)");
    world.deliver_letters(8);
    let running = world.start(quick());
    world.wait_for("letters beside it", SETTLED, 7);
    let metrics = running.metrics();
    // The program tries a poison letter three times. This letter is tried more often, since a fault of the database never makes it poison.
    wait_until("it has come again and again", || metrics.actor("billing_ledger").counts(Handled::Deferred).1 > 5);
    let (_, late) = world.next_mail();
    world.deliver(late);
    world.wait_for("letters", SETTLED, 8);
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine"), 0, "it is not poison");
    assert_eq!(world.count("SELECT count(*) FROM xm.suspects"), 0);
    // The mail of the withheld letter stays in the mailbox. The mail of the late letter is deleted once its session has ended.
    world.wait_for_mails(1);
    world.sql("ALTER TABLE xm.journal DROP CONSTRAINT planted");
    world.wait_for("letters once it is mended", SETTLED, 9);
    assert!(running.drain());
    assert_accounted(&metrics);
    assert_eq!(metrics.actor("billing_ledger").counts(Handled::Fault).1, 0, "to wait is no fault");
    assert_exactly_once(&world, 9);
    assert_eq!(world.post_office.count(centre::CENTRE_ADDRESS), 0);
}

#[test]
fn what_a_stranger_claims_is_kept_for_the_person_who_looks() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.sql("DELETE FROM xm.certificates");
    let (_, unknown) = world.next_mail();
    world.deliver(unknown);
    let header = "From: =?utf-8?q?=C3=89?= <x@elsewhere.example>\r\nSubject: Actes\u{1b}[2J\r\n du mois\r\n\r\n";
    world.deliver(format!("{header}agency=000107\r\n").into_bytes());
    let running = world.start(quick());
    let by_key = "SELECT count(*) FROM xm.quarantine WHERE reason = 'unknown_signer' AND agency IS NULL
                  AND claimed_agency = 42 AND signer ~ '^key id [0-9a-f]{40}$' AND sender LIKE '%office%'
                  AND subject = 'SDC 1 agency=000042'";
    world.wait_for("containers of an unknown key", by_key, 1);
    let without = "SELECT count(*) FROM xm.quarantine WHERE reason = 'no_container' AND signer IS NULL
                   AND sender = '=?utf-8?q?=C3=89?= <x@elsewhere.example>' AND subject = 'Actes [2J du mois'";
    world.wait_for("mails without a container", without, 1);
    assert!(running.drain());
}

#[test]
fn panics_in_every_handler_lose_and_double_nothing() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let running = world.start(quick());
    let mut letters = HashSet::new();
    for point in POINTS.into_iter().chain(EXPORTER_POINTS) {
        fail::cfg(point, "1*panic(planted)").unwrap();
        for _ in 0..5 {
            let (letter, mail) = world.next_mail();
            letters.insert(letter.id);
            world.deliver(mail);
        }
        let settled = i64::try_from(letters.len()).unwrap();
        world.wait_for(&format!("settled after a panic at {point}"), SETTLED, settled);
        // The exporter reaches its points `send` and `sent` only once there are answers to send.
        world.wait_for(&format!("letters unanswered after a panic at {point}"), UNANSWERED, 0);
        fail::remove(point);
    }
    let metrics = running.metrics();
    assert!(running.drain());
    assert_accounted(&metrics);
    for actor in ["sdc_decoder", "signature_verifier", "table_writer", "billing_ledger", "exporter"] {
        assert!(metrics.actor(actor).counts(Handled::Panic).1 > 0, "{actor}: letters were in its hands");
    }
    assert_exactly_once(&world, i64::try_from(letters.len()).unwrap());
    let answered: HashSet<_> = world.receipts().into_iter().filter_map(|answer| answer.receipt.letter).collect();
    assert_eq!(answered, letters, "every letter has its receipt, some perhaps twice");
    assert_eq!(world.post_office.count(centre::CENTRE_ADDRESS), 0);
}

#[test]
fn letters_larger_than_the_room_for_payloads_are_read_one_after_another() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.deliver_letters(10);
    let running = world.start_with(quick(), Limits { unpacked_bytes_max: 1, ..Limits::default() });
    world.wait_for("letters settled", SETTLED, 10);
    assert!(running.drain());
    assert_exactly_once(&world, 10);
}

#[test]
fn an_actor_that_cannot_be_kept_alive_ends_the_process() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    fail::cfg("table_writer::write", "panic(planted)").unwrap();
    let (_, mail) = world.next_mail();
    world.deliver(mail);
    let running = world.start(Policy { restarts_max: 2, ..quick() });
    let escalation = running.escalation();
    assert!(matches!(escalation, Escalation::TooManyRestarts { actor: "table_writer", .. }), "{escalation}");
    assert_eq!(world.post_office.count(centre::CENTRE_ADDRESS), 1, "the mail is where it was");
}
