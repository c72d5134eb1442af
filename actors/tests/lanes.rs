//! Tests of lanes. Letters of offices do not wait for mail of strangers, for large mail, or for a mail server that hangs. Such mail does
//! not use up the permits or the quarantine space of letters, and nobody can keep an office's letters from being settled by imitating the
//! office.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use std::time::{Duration, Instant};

use actors::metrics::Handled;
use actors::pipeline::Limits;
use centre::{QUARANTINED, REJECTED_BEFORE, Running, SETTLED, World, quick, wait_until};
use simulation::post_office::{Fault, PostOffice, PostOfficeSettings, When};

#[test]
fn letters_pass_by_mail_that_claims_nobody_and_that_is_not_forgotten() {
    letters_pass_by("Bonjour");
}

#[test]
fn letters_pass_by_mail_that_claims_an_office_once_that_claim_has_failed() {
    // The mail mentions an office in its text, and contains no letter.
    letters_pass_by("SDC 1 agency=000043");
}

/// Starts a centre whose decoders wait until `mails` mails are fetched, and then take `time` for each. Without this wait, a slow machine
/// would decode the first mails before it has fetched the letters behind them, and the order of the queue would not be tested.
fn started_with_mails_in_hand(world: &World, limits: Limits, mails: u64, time: &str) -> Running {
    fail::cfg("sdc_decoder::decode", "pause").unwrap();
    let running = world.start_with(quick(), limits);
    wait_until("these mails in hand", || running.metrics().actor("sdc_decoder").counts(Handled::Ok).0 == mails);
    fail::cfg("sdc_decoder::decode", time).unwrap();
    running
}

fn letters_pass_by(words: &str) {
    const STRANGERS: i64 = 40;
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.sql("INSERT INTO xm.agencies (matricule, name, email) VALUES (43, 'Other office', 'other@example.org')");
    for number in 0..STRANGERS {
        world.deliver(advertising(words, number));
    }
    world.deliver_letters(10);
    // Decoding a mail takes 50 ms, and only one mail of a stranger may be processed at a time, so most of them wait in the mailbox.
    fail::cfg("sdc_decoder::decode", "sleep(50)").unwrap();
    let running = world.start_with(quick(), Limits { window_mails: 8, slow_mails_max: 1, ..Limits::default() });
    world.wait_for("letters settled", SETTLED, 10);
    let before = world.count(REJECTED_BEFORE);
    assert!(before < STRANGERS / 2, "{before} of {STRANGERS} strangers came before letters of known offices");
    fail::remove("sdc_decoder::decode");
    world.wait_for("strangers in quarantine", QUARANTINED, STRANGERS);
    assert!(running.drain());
    assert_eq!(world.post_office.count(centre::CENTRE_ADDRESS), 0);
}

#[test]
fn mail_that_claims_an_office_already_heard_waits_for_mail_that_claims_one_that_is_not() {
    const STRANGERS: i64 = 30;
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.sql("INSERT INTO xm.agencies (matricule, name, email) VALUES (43, 'Other office', 'other@example.org')");
    let of = |agency: u32| {
        format!("SELECT count(*) FROM xm.quarantine WHERE position('agency=0000{agency}'::bytea IN original) > 0")
    };
    let (_, mail) = world.next_mail();
    world.deliver(mail);
    let running = world.start_with(quick(), Limits { window_mails: 8, slow_mails_max: 2, ..Limits::default() });
    world.wait_for("letters settled", SETTLED, 1);
    fail::cfg("sdc_decoder::decode", "sleep(20)").unwrap();
    // No session can begin before all mails are delivered. One that began between two deliveries would list only some of them.
    world.post_office.go_away();
    for (agency, mails) in [(42, STRANGERS), (43, STRANGERS / 2)] {
        for number in 0..mails {
            world.deliver(pretending(agency, usize::try_from(number).unwrap()));
        }
    }
    world.post_office.come_back();
    world.wait_for("mails that claim office 43", &of(43), STRANGERS / 2);
    let last = "SELECT max(id) FROM xm.quarantine WHERE position('agency=000043'::bytea IN original) > 0";
    let before = world.count(&format!("{} AND id < ({last})", of(42)));
    assert!(before < STRANGERS * 2 / 3, "{before} of {STRANGERS} mails that claim office 42 came first");
    fail::remove("sdc_decoder::decode");
    world.wait_for("mails that claim office 42", &of(42), STRANGERS);
    assert!(running.drain());
    assert_eq!(world.post_office.count(centre::CENTRE_ADDRESS), 0);
}

/// Makes a mail of a stranger, without a letter.
fn advertising(words: &str, number: i64) -> Vec<u8> {
    format!("Message-ID: <{number}@x>\r\nSubject: offre\r\n\r\n{words}\r\n{number}\r\n").into_bytes()
}

/// Makes a mail that claims an office and contains no letter.
fn pretending(agency: u32, number: usize) -> Vec<u8> {
    let head = format!("Message-ID: <{agency}-{number}@x>\r\nSubject: SDC 1 agency=0000{agency}\r\n");
    format!("{head}\r\nBonjour {number}\r\n").into_bytes()
}

#[test]
fn mail_whose_claim_fails_while_it_waits_goes_back_unopened_and_keeps_its_order() {
    const OVERTAKEN: &str = "SELECT count(*) FROM (
        SELECT sequence, lag(sequence) OVER (ORDER BY id) AS before FROM xm.journal WHERE outcome = 'accepted') j
         WHERE sequence < before";
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    for number in 0..2 {
        let (_, mail) = world.next_mail();
        world.deliver(mail);
        world.deliver(pretending(42, number));
    }
    world.deliver_letters(4);
    // All eight mails are fetched together, and none is opened before. The first is a letter, and the second claims its office without
    // containing a letter. When this claim fails, the six mails behind must be returned to the mailbox unopened.
    fail::cfg("sdc_decoder::decode", "pause").unwrap();
    let running = world.start(quick());
    wait_until("eight mails in hand", || running.metrics().actor("sdc_decoder").counts(Handled::Ok).0 == 8);
    fail::remove("sdc_decoder::decode");
    world.wait_for("letters settled", SETTLED, 6);
    world.wait_for("mail that pretends", QUARANTINED, 2);
    let given_back = running.handled("sdc_decoder", Handled::Deferred);
    assert_eq!(given_back, 6, "the six behind the first that pretends");
    assert!(running.drain());
    assert_eq!(world.count(OVERTAKEN), 0, "letters of one office overtook each other");
    assert_eq!(world.post_office.count(centre::CENTRE_ADDRESS), 0);
}

/// A damaged document, or prose that never was a document, beside a letter says nothing about who sent the letter.
#[test]
fn a_damaged_document_beside_a_letter_fails_no_claim_and_prose_is_no_document() {
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let head = "From: poste@office.example\r\nSubject: SDC 1 agency=000042\r\n\r\n";
    let (letter, lost) = (world.next_document(), world.next_document());
    let middle = lost.len() / 2;
    let damaged = format!("{}***{}", &lost[..middle], &lost[middle + 3..]);
    world.deliver(format!("{head}{damaged}\r\n{letter}").into_bytes());
    let prose = "-----BEGIN CMS----- est la marque qui ouvre notre lettre:\r\n";
    let letter = world.next_document();
    world.deliver(format!("{head}{prose}{letter}").into_bytes());
    world.deliver_letters(4);
    // All six mails are one window, and none is opened before all are fetched. A failed claim would return the mails behind it.
    fail::cfg("sdc_decoder::decode", "pause").unwrap();
    let running = world.start(quick());
    wait_until("six mails in hand", || running.metrics().actor("sdc_decoder").counts(Handled::Ok).0 == 6);
    fail::remove("sdc_decoder::decode");
    world.wait_for("letters settled", SETTLED, 6);
    world.wait_for_mails(0);
    assert_eq!(running.handled("sdc_decoder", Handled::Deferred), 0, "the claim has failed");
    assert_eq!(world.count(QUARANTINED), 1);
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine WHERE reason = 'document_malformed'"), 1, "it is kept");
    assert!(running.drain());
}

#[test]
fn a_letter_given_back_does_not_wait_for_an_endless_stream_of_strangers() {
    const STRANGERS: i64 = 300;
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.deliver(pretending(42, 0));
    let (_, mail) = world.next_mail();
    world.deliver(mail);
    for number in 1..STRANGERS {
        world.deliver(advertising("", number));
    }
    // Each session fetches only eight mails, and there are always eight mails of strangers that have not been fetched.
    let limits = Limits { window_mails: 8, session_mails_max: 8, ..Limits::default() };
    let running = world.start_with(quick(), limits);
    world.wait_for("letters settled", SETTLED, 1);
    let before = world.count(REJECTED_BEFORE);
    assert!(before < STRANGERS / 2, "{before} of {STRANGERS} strangers came before the letter that was given back");
    world.wait_for("strangers in quarantine", QUARANTINED, STRANGERS);
    assert!(running.drain());
}

#[test]
fn letters_of_one_office_do_not_wait_for_strangers_between_each_other() {
    const STRANGERS: i64 = 600;
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    for number in 0..STRANGERS {
        world.deliver(advertising("", number));
    }
    world.deliver_letters(10);
    // When the letters arrive, all mail of strangers already waits for the single decoder thread, which opens one mail after another.
    let limits = Limits { crypto_threads: 1, ..Limits::default() };
    let running = started_with_mails_in_hand(&world, limits, u64::try_from(STRANGERS).unwrap() + 10, "sleep(2)");
    world.wait_for("letters settled", SETTLED, 10);
    let before = world.count(REJECTED_BEFORE);
    assert!(before < STRANGERS * 2 / 3, "{before} of {STRANGERS} strangers came before the letters");
    fail::remove("sdc_decoder::decode");
    world.wait_for("strangers in quarantine", QUARANTINED, STRANGERS);
    assert!(running.drain());
}

#[test]
fn mail_too_large_for_a_letter_waits_for_the_letters_behind_it() {
    const LARGE: i64 = 12;
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    for number in 0..LARGE {
        let line = format!("{number:>70}\r\n");
        world.deliver(format!("Subject: photo\r\n\r\n{}", line.repeat(10_000)).into_bytes());
    }
    world.deliver_letters(10);
    // The mail in processing may have 1 MB together, which is enough for one of the large mails (720 KB each) at a time.
    let limits = Limits { kilobytes_in_hand_max: 1024, ..Limits::default() };
    let running = started_with_mails_in_hand(&world, limits, 1 + 10, "sleep(50)");
    world.wait_for("letters settled", SETTLED, 10);
    let before = world.count(REJECTED_BEFORE);
    assert!(before <= LARGE / 2, "{before} of {LARGE} large mails came before the letters");
    world.wait_for("large mail in quarantine", QUARANTINED, LARGE);
    assert!(running.drain());
    assert_eq!(world.post_office.count(centre::CENTRE_ADDRESS), 0);
}

#[test]
fn a_mail_server_that_hangs_keeps_no_other_mailbox_waiting() {
    mail_servers_that_hang_keep_nobody_waiting("main-1");
}

#[test]
fn a_suspect_that_waits_for_a_mail_server_that_hangs_keeps_nobody_waiting_for_long() {
    mail_servers_that_hang_keep_nobody_waiting("main");
}

/// The servers of three mailboxes (`main-1` and so on) hang in the middle of a mail. The mailbox `main` works and contains the letters. The
/// first mail of the mailbox `suspect` is recorded as a suspect. All letters but a suspect must be settled while the servers still hang.
fn mail_servers_that_hang_keep_nobody_waiting(suspect: &str) {
    const HANGING: usize = 3;
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    world.read_timeout_seconds = 3600;
    let hang = Fault::HangRetrieval { after_bytes: 100 };
    let hanging: Vec<PostOffice> =
        (0..HANGING).map(|_| PostOffice::start(PostOfficeSettings::default()).unwrap()).collect();
    for office in &hanging {
        for number in 0..20 {
            office.deliver(centre::CENTRE_ADDRESS, advertising("", number)).unwrap();
        }
        office.faults().set(hang.clone(), When::Always);
    }
    // A cut keeps the first mail of `main` from being fetched until the other servers hang.
    let cut = Fault::CutRetrieval { after_bytes: 100 };
    world.post_office.faults().set(cut.clone(), When::Always);
    let (_, first) = world.next_mail();
    world.deliver(first);
    let of_suspect = if suspect == "main" { &world.post_office } else { &hanging[0] };
    let uidl = of_suspect.uidls(centre::CENTRE_ADDRESS).remove(0);
    world.sql(&format!("INSERT INTO xm.suspects (mailbox, uidl, attempts) VALUES ('{suspect}', '{uidl}', 0)"));
    let offices: Vec<&PostOffice> = [&world.post_office].into_iter().chain(&hanging).collect();
    // As many mails may be in hand as one mailbox would request at a time. If they were not divided among the mailboxes, one server that
    // hangs would hold all permits.
    let running = world.start_on(&offices, quick(), Limits { mails_in_hand_max: 16, ..Limits::default() });
    let deadline = Instant::now() + Duration::from_secs(30);
    while hanging.iter().any(|office| office.faults().struck(&hang) == 0) {
        assert!(Instant::now() < deadline, "one mail server that hangs keeps another from being asked");
        std::thread::yield_now();
    }
    world.post_office.faults().clear(&cut);
    world.deliver_letters(9);
    let pass = if suspect == "main" { 9 } else { 10 };
    world.wait_for("letters settled", SETTLED, pass);
    assert!(hanging.iter().all(|office| office.faults().struck(&hang) == 1), "they hang still");
    assert_eq!(world.count("SELECT sum(attempts) FROM xm.suspects"), 0, "no suspect has been tried");
    drop(hanging);
    assert!(running.drain());
}

/// A mail of 103 letters, of which only 100 are opened, is the only copy of the other three. It must be kept whole although the quarantine
/// has no space left for mail of strangers. A second mail that claims the same office but contains no letter of it must get none of the
/// office's space.
#[test]
fn a_mail_of_more_letters_than_are_looked_into_is_kept_for_its_office_whatever_strangers_fill() {
    const BEYOND: usize = 3;
    let _scenario = fail::FailScenario::setup();
    let mut world = World::new();
    let share = store::settle::SettlingSettings::default().stranger_bytes_of_reason();
    world.sql(&format!("INSERT INTO xm.quarantine_usage (reason, bytes_kept) VALUES ('mail_malformed', {share})"));
    let head = "From: poste@office.example\r\nSubject: SDC 1 agency=000042\r\n\r\n";
    let letters: Vec<String> = (0..100 + BEYOND).map(|_| world.next_document()).collect();
    world.deliver(format!("{head}{}", letters.concat()).into_bytes());
    let junk = "SDC 1 agency=000042\r\n-----BEGIN CMS-----\r\nMAA=\r\n-----END CMS-----\r\n";
    world.deliver(format!("{head}{}", junk.repeat(101)).into_bytes());
    let running = world.start(quick());
    world.wait_for("letters settled", SETTLED, 100);
    world.wait_for_mails(0);
    assert!(running.drain());
    let kept = "SELECT count(*) FROM xm.quarantine WHERE reason = 'mail_malformed' AND claimed_agency = 42
                 AND octet_length(original) = original_bytes";
    assert_eq!(world.count(kept), 1, "the office's mail, whole");
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine WHERE reason = 'mail_malformed'"), 1);
    let counted = "SELECT sum(containers) FROM xm.quarantine_counts WHERE reason = 'mail_malformed'";
    assert_eq!(world.count(counted), 1, "the stranger's mail");
}
