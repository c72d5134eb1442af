//! Tests that letters of other offices are settled, however much one office sends, and whatever fault its letters cause.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "the other tests use the rest")]
mod centre;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actors::metrics::Handled;
use actors::pipeline::Limits;
use centre::{CENTRE_ADDRESS, NOTES, QUARANTINED, SETTLED, World, quick, wait_until};
use simulation::post_office::{PostOffice, PostOfficeSettings};

/// SQL that counts the letters of office 43 that were accepted before the last letter of office 44.
const FLOOD_BEFORE: &str = "SELECT count(*) FROM xm.journal WHERE agency = 43
    AND id < (SELECT max(id) FROM xm.journal WHERE agency = 44)";

#[test]
fn a_small_letter_passes_by_a_flood_that_waits_for_room_to_be_read() {
    const FLOOD: u32 = 30;
    let _scenario = fail::FailScenario::setup();
    let world = World::new();
    let (mut flood, mut neighbour) = (world.neighbour(43), world.neighbour(44));
    for _ in 0..FLOOD {
        world.deliver(world.mail_of(&mut flood, NOTES));
    }
    // Office 43 sends a flood of letters. None is settled before the verifier has all of them, and each payload is larger than the memory
    // allowed for payloads, so that they have to wait for memory one after another.
    fail::cfg("table_writer::write", "pause").unwrap();
    let limits = Limits { unpacked_bytes_max: 1, window_mails: 64, crypto_threads: 1, ..Limits::default() };
    let other_mailbox = PostOffice::start(PostOfficeSettings::default()).unwrap();
    let running = world.start_on(&[&world.post_office, &other_mailbox], quick(), limits);
    let verifier = running.metrics().actor("signature_verifier");
    let are_with_it =
        |letters: u64| wait_until("letters are with the verifier", || verifier.counts(Handled::Ok).0 == letters);
    are_with_it(u64::from(FLOOD));
    other_mailbox.deliver(CENTRE_ADDRESS, world.mail_of(&mut neighbour, NOTES)).unwrap();
    are_with_it(u64::from(FLOOD) + 1);
    fail::cfg("table_writer::write", "sleep(20)").unwrap();
    world.wait_for("letters settled", SETTLED, i64::from(FLOOD) + 1);
    let before = world.count(FLOOD_BEFORE);
    assert!(before < i64::from(FLOOD) / 2, "{before} of {FLOOD} letters of the flood came before the neighbour's");
    assert!(running.drain());
}

/// The ledger spends time on a batch too: it charges, writes journal and answers, and commits. This time is booked to the agencies of the
/// batch as the writer's time is. Otherwise an office whose letters keep the ledger busy would make its neighbours wait.
#[test]
fn an_office_for_which_the_ledger_takes_long_goes_behind_its_neighbours() {
    const FLOOD: u32 = 12;
    let _scenario = fail::FailScenario::setup();
    let world = World::new();
    let (mut flood, mut neighbour) = (world.neighbour(43), world.neighbour(44));
    // An agency's bucket holds two seconds of writer time, and its debt is limited to two seconds. Posting the first letter takes four
    // seconds and uses up both; after that the bucket stays empty for twenty seconds.
    fail::cfg("billing_ledger::post", "1*sleep(4000)").unwrap();
    world.deliver(world.mail_of(&mut flood, NOTES));
    let limits = Limits { writers: 1, batch_letters_max: 1, crypto_threads: 1, ..Limits::default() };
    let running = world.start_with(quick(), limits);
    let ledger = running.metrics().actor("billing_ledger");
    wait_until("the ledger is done with it", || ledger.counts(Handled::Ok).1 == 1);
    // The next letter blocks the writer until all others have arrived. The writer has not begun to write, so this time is booked to no
    // agency.
    let (gate, _held) = held_at_first("table_writer::take");
    let closed = gate.lock().unwrap();
    for _ in 1..FLOOD {
        world.deliver(world.mail_of(&mut flood, NOTES));
    }
    world.deliver(world.mail_of(&mut neighbour, NOTES));
    let writer = running.metrics().actor("table_writer");
    wait_until("letters are with the writer", || writer.counts(Handled::Ok).0 == u64::from(FLOOD) + 1);
    drop(closed);
    world.wait_for("letters settled", SETTLED, i64::from(FLOOD) + 1);
    let before = world.count(FLOOD_BEFORE);
    assert!(before < i64::from(FLOOD) / 2, "{before} of {FLOOD} letters of the flood came before the neighbour's");
    assert!(running.drain());
}

/// SQL that counts the letters of office 43 that were settled after a letter that the office wrote later.
const OVERTAKEN_OF_43: &str = "SELECT count(*) FROM (
    SELECT sequence, lag(sequence) OVER (ORDER BY id) AS before FROM xm.journal
     WHERE outcome = 'accepted' AND agency = 43) j WHERE sequence < before";
const SETTLED_OF_43: &str = "SELECT count(*) FROM xm.letters WHERE verdict = 'accepted' AND agency = 43";
const SETTLED_OF_44: &str = "SELECT count(*) FROM xm.letters WHERE verdict = 'accepted' AND agency = 44";

#[test]
fn a_flood_that_is_not_settled_leaves_places_for_the_mailboxes_of_others() {
    a_flood_leaves_room(Limits { mails_in_hand_max: 16, ..Limits::default() });
}

#[test]
fn a_flood_that_is_not_settled_leaves_kilobytes_for_the_mailboxes_of_others() {
    a_flood_leaves_room(Limits { kilobytes_in_hand_max: 48, ..Limits::default() });
}

/// Makes the thread that opens the first mail wait while the test holds the returned mutex; all mail behind the first waits too. The thread
/// sets the returned flag before it waits.
fn held_at_the_first_mail() -> (Arc<Mutex<()>>, Arc<AtomicBool>) {
    held_at_first("sdc_decoder::decode")
}

/// Makes the first thread that reaches `point` wait while the test holds the returned mutex. The thread sets the returned flag before it
/// waits.
fn held_at_first(point: &str) -> (Arc<Mutex<()>>, Arc<AtomicBool>) {
    let (gate, held) = (Arc::new(Mutex::new(())), Arc::new(AtomicBool::new(false)));
    let (of_thread, by_thread) = (Arc::clone(&gate), Arc::clone(&held));
    fail::cfg_callback(point, move || {
        if !by_thread.swap(true, Ordering::AcqRel) {
            drop(of_thread.lock());
        }
    })
    .unwrap();
    (gate, held)
}

fn a_flood_leaves_room(limits: Limits) {
    const FLOOD: u32 = 60;
    const OTHERS: i64 = 5;
    let _scenario = fail::FailScenario::setup();
    let world = World::new();
    let (mut flood, mut neighbour) = (world.neighbour(43), world.neighbour(44));
    let mut kilobytes_min = u32::MAX;
    for _ in 0..FLOOD {
        let mail = world.mail_of(&mut flood, NOTES);
        kilobytes_min = kilobytes_min.min(u32::try_from(mail.len().div_ceil(1024)).unwrap());
        world.deliver(mail);
    }
    let half = (limits.mails_in_hand_max / 2).min(limits.kilobytes_in_hand_max / 2 / kilobytes_min);
    let other_mailbox = PostOffice::start(PostOfficeSettings::default()).unwrap();
    let (gate, held) = held_at_the_first_mail();
    let closed = gate.lock().unwrap();
    let limits = Limits { crypto_threads: 2, ..limits };
    let running = world.start_on(&[&world.post_office, &other_mailbox], quick(), limits);
    let decoder = running.metrics().actor("sdc_decoder");
    wait_until("the flood is in hand", || held.load(Ordering::Acquire) && decoder.counts(Handled::Ok).0 >= 3);
    // The neighbour's letters are delivered one after another. So the flood has enough time to take as many permits as one claim may use,
    // and letters of the neighbour must still find permits.
    for letter in 1..=OTHERS {
        other_mailbox.deliver(CENTRE_ADDRESS, world.mail_of(&mut neighbour, NOTES)).unwrap();
        world.wait_for("the neighbour's letters", SETTLED_OF_44, letter);
    }
    assert_eq!(world.count(SETTLED_OF_43), 0, "the flood waits still");
    let in_hand = decoder.counts(Handled::Ok).0 - u64::try_from(OTHERS).unwrap();
    assert!(in_hand <= u64::from(half), "{in_hand} mails of the flood are in hand, and {half} are half of the room");
    drop(closed);
    world.wait_for("letters settled", SETTLED, i64::from(FLOOD) + OTHERS);
    assert_eq!(world.count(OVERTAKEN_OF_43), 0, "letters of one office overtook each other");
    world.wait_for_mails(0);
    let counts = "SELECT count(*) FROM xm.journal";
    assert_eq!(world.count(counts), i64::from(FLOOD) + OTHERS, "each letter was handled once");
    assert!(running.drain());
}

#[test]
fn a_letter_passes_by_a_flood_in_its_own_mailbox_and_each_is_settled_and_deleted_once() {
    a_letter_beside_a_flood(false);
}

#[test]
fn a_drained_program_deletes_what_was_settled_after_its_session() {
    a_letter_beside_a_flood(true);
}

/// Lets as many batches be posted as are allowed, and counts those that are committed.
#[derive(Default)]
struct Ledger {
    begun: AtomicUsize,
    allowed: AtomicUsize,
    committed: AtomicUsize,
}

impl Ledger {
    /// Makes the ledger wait before each batch until the batch is allowed.
    fn held() -> Arc<Ledger> {
        let ledger = Arc::new(Ledger::default());
        let (posting, committing) = (Arc::clone(&ledger), Arc::clone(&ledger));
        fail::cfg_callback("billing_ledger::post", move || {
            let turn = posting.begun.fetch_add(1, Ordering::AcqRel);
            wait_until("a batch may be posted", || posting.allowed.load(Ordering::Acquire) > turn);
        })
        .unwrap();
        fail::cfg_callback("billing_ledger::committed", move || {
            committing.committed.fetch_add(1, Ordering::AcqRel);
        })
        .unwrap();
        ledger
    }

    /// Allows so many batches in all, and waits until they are committed.
    fn allow(&self, batches: usize) {
        self.allowed.store(batches, Ordering::Release);
        wait_until("the batches are committed", || self.committed.load(Ordering::Acquire) == batches);
    }
}

/// A draining program holds a session to delete the mail of four settled letters. The other letters are settled in that very session,
/// after the four are deleted, and their mail is deleted in a further session.
#[test]
fn a_drained_program_deletes_what_is_settled_during_its_last_session() {
    const LETTERS: usize = 12;
    const EARLY: usize = 4;
    let _scenario = fail::FailScenario::setup();
    let world = World::new();
    let mut office = world.neighbour(43);
    for _ in 0..LETTERS {
        world.deliver(world.mail_of(&mut office, NOTES));
    }
    let ledger = Ledger::held();
    let (draining, deleting, drains) = (Arc::clone(&ledger), Arc::clone(&ledger), Arc::new(AtomicBool::new(false)));
    let is_draining = Arc::clone(&drains);
    fail::cfg_callback("mailbox_poller::drains", move || {
        draining.allow(EARLY);
        drains.store(true, Ordering::Release);
    })
    .unwrap();
    fail::cfg_callback("mailbox_poller::deleted", move || {
        if is_draining.load(Ordering::Acquire) {
            deleting.allow(LETTERS);
        }
    })
    .unwrap();
    // Each letter is a batch.
    let limits = Limits { writers: 1, batch_letters_max: 1, crypto_threads: 1, ..Limits::default() };
    let running = world.start_with(quick(), limits);
    let decoder = running.metrics().actor("sdc_decoder");
    wait_until("the letters are in hand", || decoder.counts(Handled::Ok).0 == LETTERS as u64);
    assert!(running.drain());
    let (settled, listed) = (world.count(SETTLED), world.post_office.count(CENTRE_ADDRESS));
    assert_eq!((usize::try_from(settled).unwrap(), listed), (LETTERS, 0));
}

fn a_letter_beside_a_flood(is_drained: bool) {
    const FLOOD: u32 = 30;
    const OTHERS: i64 = 3;
    const WRITTEN_DOWN: &str = "SELECT (SELECT count(*) FROM xm.in_hand) + (SELECT count(*) FROM xm.suspects)";
    let all = i64::from(FLOOD) + OTHERS;
    let _scenario = fail::FailScenario::setup();
    let world = World::new();
    let (mut flood, mut neighbour) = (world.neighbour(43), world.neighbour(44));
    for _ in 0..FLOOD {
        world.deliver(world.mail_of(&mut flood, NOTES));
    }
    let (gate, held) = held_at_the_first_mail();
    let closed = gate.lock().unwrap();
    let running = world.start_with(quick(), Limits { crypto_threads: 2, ..Limits::default() });
    let decoder = running.metrics().actor("sdc_decoder");
    let in_hand = || decoder.counts(Handled::Ok).0;
    wait_until("the flood is in hand", || held.load(Ordering::Acquire) && in_hand() == u64::from(FLOOD));
    for letter in 1..=OTHERS {
        world.deliver(world.mail_of(&mut neighbour, NOTES));
        world.wait_for("the neighbour's letters", SETTLED_OF_44, letter);
    }
    world.wait_for_mails(FLOOD as usize);
    assert_eq!(world.count(SETTLED_OF_43), 0, "the flood waits still");
    let mut running = Some(running);
    drop(closed);
    if is_drained {
        assert!(running.take().unwrap().drain());
    }
    if let Some(running) = running {
        world.wait_for("letters settled", SETTLED, all);
        world.wait_for_mails(0);
        assert!(running.drain());
    }
    assert_eq!((world.count(SETTLED), world.post_office.count(CENTRE_ADDRESS)), (all, 0));
    assert_eq!(world.count("SELECT count(*) FROM xm.journal"), all, "each letter was handled once");
    assert_eq!(in_hand(), u64::try_from(all).unwrap(), "what is lent is not handed on again");
    assert_eq!(world.count(OVERTAKEN_OF_43), 0, "letters of one office overtook each other");
    assert_eq!(world.count(WRITTEN_DOWN), 0, "nothing is suspected of it");
}

/// Another table for marginal notes, adopted as the first one is.
const OTHER_TABLE: &str = r#"
    CREATE TABLE ecr."Autre" (LIKE ecr."MentionMarginale" INCLUDING ALL);
    INSERT INTO xm.tables (application, name, schema_name, relation_name, scope_column, legal_key)
    SELECT application, 'Autre', schema_name, 'Autre', scope_column, legal_key FROM xm.tables WHERE name = 'MentionMarginale';
    INSERT INTO xm.definitions (table_id, version, columns)
    SELECT o.id, 1, d.columns FROM xm.tables o, xm.tables t JOIN xm.definitions d ON d.table_id = t.id
     WHERE o.name = 'Autre' AND t.name = 'MentionMarginale';
    INSERT INTO xm.rights (table_id, plan)
    SELECT o.id, r.plan FROM xm.tables o, xm.tables t JOIN xm.rights r ON r.table_id = t.id
     WHERE o.name = 'Autre' AND t.name = 'MentionMarginale';
"#;

#[test]
fn letters_of_a_withheld_table_let_others_pass_and_settle_in_their_order_once_it_is_mended() {
    const WAITING: u32 = 40;
    const OTHERS: i64 = 10;
    const OVERTAKEN: &str = "SELECT count(*) FROM (
        SELECT sequence, lag(sequence) OVER (ORDER BY id) AS before FROM xm.journal
         WHERE outcome = 'accepted' AND agency = 43 AND sequence <= 40) j WHERE sequence < before";
    let _scenario = fail::FailScenario::setup();
    let world = World::new();
    world.sql(OTHER_TABLE);
    world.sql("ALTER TABLE ecr.\"MentionMarginale\" RENAME \"Officier\" TO gone");
    let (mut office, mut neighbour) = (world.neighbour(43), world.neighbour(44));
    for _ in 0..WAITING {
        world.deliver(world.mail_of(&mut office, NOTES));
    }
    for _ in 0..OTHERS / 2 {
        world.deliver(world.mail_of(&mut neighbour, "Autre"));
        world.deliver(world.mail_of(&mut office, "Autre"));
    }
    // There are enough waiting letters to fill many sessions.
    let limits = Limits { window_mails: 8, session_mails_max: 8, ..Limits::default() };
    let running = world.start_with(quick(), limits);
    world.wait_for("letters of the other table", "SELECT count(*) FROM ecr.\"Autre\"", OTHERS);
    let polls = running.polls("main", "ok");
    wait_until("it is polled again and again", || running.polls("main", "ok") > polls + 20);
    let fetched = running.metrics().mails_fetched.with_label_values(&["main"]).get();
    assert!(fetched < 50 + 40, "{fetched} mails were fetched of 50, those that wait at each poll");
    world.sql("ALTER TABLE ecr.\"MentionMarginale\" RENAME gone TO \"Officier\"");
    world.wait_for("letters settled", SETTLED, i64::from(WAITING) + OTHERS);
    assert_eq!(world.count(OVERTAKEN), 0, "letters of one office overtook each other");
    world.wait_for_mails(0);
    assert!(running.drain());
}

/// The centre's stored certificate of an office is damaged. The office does not count as a stranger, and other offices whose certificates
/// are looked up in the same query do not wait.
#[test]
fn letters_of_a_certificate_that_cannot_be_read_wait_and_those_of_others_go_on() {
    const SPOIL: &str = "CREATE TABLE xm.kept AS SELECT der FROM xm.certificates WHERE agency = 43;
        UPDATE xm.certificates SET der = '\\x3000' WHERE agency = 43";
    let _scenario = fail::FailScenario::setup();
    let world = World::new();
    let (mut office, mut neighbour) = (world.neighbour(43), world.neighbour(44));
    world.sql(SPOIL);
    for _ in 0..2 {
        world.deliver(world.mail_of(&mut office, NOTES));
        world.deliver(world.mail_of(&mut neighbour, NOTES));
    }
    let running = world.start(quick());
    world.wait_for("the neighbour's letters", SETTLED, 2);
    let polls = running.polls("main", "ok");
    wait_until("it is polled again", || running.polls("main", "ok") > polls + 2);
    assert_eq!((world.count(SETTLED), world.count(QUARANTINED)), (2, 0));
    world.sql("UPDATE xm.certificates SET der = (SELECT der FROM xm.kept) WHERE agency = 43");
    world.wait_for("letters settled", SETTLED, 4);
    world.wait_for_mails(0);
    assert!(running.drain());
}
