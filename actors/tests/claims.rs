//! Tests of what a signature proves: which agency sent a mail, and so whether the mail may use the claimed agency's lane and permits; and
//! whether somebody misuses a registered key.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use actors::metrics::Handled;
use diesel_async::SimpleAsyncConnection;

use centre::{CENTRE_ADDRESS, NOTES, QUARANTINED, Running, SETTLED, World, quick, wait_until};

const HEAD: &str = "From: poste@office.example\r\nSubject: SDC 1 agency=000042\r\n\r\n";

/// Starts the centre, which fetches all `mails` mails together, and lets it open the first one only when all are fetched. If this mail
/// turns out not to come from the agency that it claims, the decoder must return the fetched mails behind it to the mailbox.
fn start_with_all_in_hand(world: &World, mails: u64) -> Running {
    fail::cfg("sdc_decoder::decode", "pause").unwrap();
    let running = world.start(quick());
    wait_until("mails in hand", || running.metrics().actor("sdc_decoder").counts(Handled::Ok).0 == mails);
    fail::remove("sdc_decoder::decode");
    running
}

/// Delivers a letter of agency 44 in a mail that claims agency 42, as somebody who intercepted it could do, and five letters of 42 behind
/// it.
fn deliver_behind_a_caught_letter(world: &mut World) {
    let mut other = world.neighbour(44);
    let caught = World::document_of(&world.mail_of(&mut other, NOTES));
    world.deliver(format!("{HEAD}{caught}").into_bytes());
    world.deliver_letters(5);
}

/// Asserts that at least `mails` mails were returned to the mailbox unopened. The number may be larger: a mail that is fetched again in the
/// slow lane is returned a second time if a letter of its agency is verified meanwhile.
fn assert_all_behind_went_back(running: &Running, mails: u64) {
    assert!(running.handled("sdc_decoder", Handled::Deferred) >= mails, "those behind the one that failed their claim");
}

#[test]
fn a_sound_letter_of_another_agency_fails_the_claim_of_its_mail() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    deliver_behind_a_caught_letter(&mut world);
    let running = start_with_all_in_hand(&world, 6);
    world.wait_for("letters settled", SETTLED, 6);
    assert_all_behind_went_back(&running, 5);
    world.wait_for_mails(0);
    assert!(running.drain());
}

/// Each of two mails claims agency 42 and holds a letter of agency 44 beside a letter of agency 42. A gateway sends such mails, and so does
/// an office with several matricules. The claim must not fail.
#[test]
fn a_letter_of_another_agency_beside_one_of_the_agency_claimed_fails_no_claim() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let mut other = world.neighbour(44);
    let of_other = World::document_of(&world.mail_of(&mut other, NOTES));
    let own = world.next_document();
    world.deliver(format!("{HEAD}{of_other}{own}").into_bytes());
    let of_other = World::document_of(&world.mail_of(&mut other, NOTES));
    let own = world.next_document();
    world.deliver(format!("{HEAD}{own}{of_other}").into_bytes());
    world.deliver_letters(4);
    let running = start_with_all_in_hand(&world, 6);
    world.wait_for("letters settled", SETTLED, 8);
    assert_eq!(running.handled("sdc_decoder", Handled::Deferred), 0, "the claim has failed");
    world.wait_for_mails(0);
    assert!(running.drain());
}

#[test]
fn a_letter_signed_with_a_revoked_key_of_the_agency_claimed_fails_the_claim() {
    let _scenario = fail::FailScenario::setup();
    let world = World::new();
    let mut office = world.neighbour(43);
    for _ in 0..6 {
        world.deliver(world.mail_of(&mut office, NOTES));
    }
    world.sql(
        "UPDATE xm.agency_keys SET revoked_at = now(), revoked_reason = 'stolen' WHERE agency = 43;
               UPDATE xm.certificates SET revoked_at = now(), revoked_reason = 'stolen' WHERE agency = 43",
    );
    let running = start_with_all_in_hand(&world, 6);
    world.wait_for("what the revoked key signed", QUARANTINED, 6);
    assert_all_behind_went_back(&running, 5);
    world.wait_for_mails(0);
    assert!(running.drain());
}

/// The first of six mails claims agency 42 and holds a letter of agency 44; the others are letters of 42. The reading of the known agencies
/// is blocked at first, and no mail may be fetched meanwhile. Otherwise 42 would count as unknown, the failed claim would have no effect,
/// and the five mails behind would not be returned.
#[test]
fn no_mail_is_fetched_before_the_agencies_are_known() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    deliver_behind_a_caught_letter(&mut world);
    let mut session = world.runtime.block_on(world.database.get()).unwrap();
    world.runtime.block_on(session.batch_execute("BEGIN; LOCK TABLE xm.agencies")).unwrap();
    fail::cfg("sdc_decoder::decode", "pause").unwrap();
    let running = world.start(quick());
    const WAITING: &str =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    world.wait_for("the reading of the agencies", WAITING, 1);
    assert_eq!(running.polls("main", "ok"), 0);
    assert_eq!(running.metrics().actor("sdc_decoder").counts(Handled::Ok).0, 0, "mails in hand");
    world.runtime.block_on(session.batch_execute("COMMIT")).unwrap();
    wait_until("mails in hand", || running.metrics().actor("sdc_decoder").counts(Handled::Ok).0 == 6);
    fail::remove("sdc_decoder::decode");
    world.wait_for("letters settled", SETTLED, 6);
    assert_all_behind_went_back(&running, 5);
    world.wait_for_mails(0);
    assert!(running.drain());
}

#[test]
fn a_signature_of_a_forbidden_kind_misuses_a_key_only_where_a_registered_one_was_looked_up() {
    const ECDSA_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let with_sha_224 = world.bent_mail(|signed| {
        let last = signed.windows(8).rposition(|octets| octets == ECDSA_SHA256).unwrap();
        signed[last + 7] = 0x01;
    });
    // The last octet belongs to the signature, so this letter has a wrong one.
    let forged = world.bent_mail(|signed| *signed.last_mut().unwrap() ^= 1);
    let (_, sound) = world.next_mail();
    for mail in [with_sha_224, forged, sound] {
        world.deliver(mail);
    }
    let running = world.start(quick());
    world.wait_for("letters settled", SETTLED, 1);
    world.wait_for("what is refused", QUARANTINED, 2);
    world.wait_for_mails(0);
    let metrics = running.metrics();
    let counted = |code: &str| {
        let (letters, refused) = (&metrics.letters, &metrics.signatures_refused);
        [letters, refused].map(|counts| counts.with_label_values(&[code]).get())
    };
    assert_eq!(counted("signature_forbidden"), [1, 0], "it names nobody");
    assert_eq!(counted("signature_invalid"), [1, 1]);
    assert!(running.drain());
    assert_eq!(world.post_office.count(CENTRE_ADDRESS), 0);
}
