//! The shipped alarm rules watch a running centre in a real Prometheus, for which time passes faster. In a quiet hour no alarm fires, and
//! each fault makes its own alarm fire. During the test every metric must change. Gauges of unfinished work must be 0 when the programs are
//! idle.
//!
//! No fault is simulated: each alarm notices something that is really wrong. An alarm that fires before its fault was made fails the test.
//! On a slow machine, two kinds of alarms could fire by themselves: those about programs that do not answer, and those about letters that
//! take long. So their faults are made first.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

mod letters;
mod programs;
mod world;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use scenarios::sender::Pushed;
use scenarios::town::CENTRE_ADDRESS;

use letters::{AGENCIES, rubbish};
use world::{LEFT_ADDRESS, OFFICE, World, start_first, station};

/// Seconds of Prometheus' time that pass in one real second.
const FACTOR: u64 = 180;
const HOUR: Duration = Duration::from_millis(3_600_000 / FACTOR);
/// Longest wait for an alarm or for the centre, long enough for a slow machine.
const PATIENCE: Duration = Duration::from_secs(240);
/// Number of mails without a container, for the mailbox where such mail stays and piles up.
const LEFT: usize = 600;
/// Statements that leave more dead rows than an alarm bears. No vacuum runs before the last of them.
const DEAD: &str = "
    ALTER TABLE xm.in_hand SET (autovacuum_enabled = off);
    INSERT INTO xm.in_hand (mailbox, instance, batch, uidls)
    SELECT 'gone', '00000000-0000-0000-0000-000000000000', number, '{}' FROM generate_series(1, 1100000) AS number;
    DELETE FROM xm.in_hand WHERE mailbox = 'gone'";
const VACUUMED: &str = "ALTER TABLE xm.in_hand RESET (autovacuum_enabled)";
/// Query of the number of mails in the mailbox where mail without a container stays.
const LEFT_MAILS: &str = "xm:mailbox_mails:max{mailbox=\"left\"}";
/// Metrics that never change: the version, the number of standbys in a world without any, and those of the carrier, which this world has
/// not. The scenario `carrier` looks at these.
const STEADY: [&str; 6] = [
    "xm_build_info",
    "xm_carrier_durable",
    "xm_carrier_emptied_total",
    "xm_carrier_put_seconds",
    "xm_carrier_waiting",
    "xm_database_synchronous_standbys",
];
/// Alarms about the carrier. The scenario `carrier` makes the first ring; the other is tested by promtool alone.
const OF_THE_CARRIER: [&str; 2] = ["CarrierEmptied", "CarrierNotDurable"];

#[test]
fn no_alarm_rings_in_a_quiet_hour_each_fault_makes_its_own_and_every_metric_moves() {
    let mut world = World::new();
    pass_a_quiet_hour(&mut world);

    // No letter arrives for a while. The second program stops, then the first, so that no program of the centre runs. Then both start
    // again, the second on a machine with a full disk and with a certificate that ends soon.
    world.expect(&["NoLetters"]);
    world.expect(&["ProgramAway", "ReplicaMissing"]);
    world.engines[1].stop().unwrap();
    world.hear(&["ProgramAway", "ReplicaMissing"]);
    world.expect(&["CentreAway"]);
    world.tolerate(&["MailboxUnreachable"]);
    world.engines[0].stop().unwrap();
    world.hear(&["CentreAway"]);
    start_first(&mut world.engines[0]);
    world.expect(&["CentreCertificateExpiring", "DiskNearlyFull", "NoSynchronousStandby"]);
    world.give_the_second_a_bad_machine();
    world.restart_the_second_until_it_rings();

    world.expect(&["DeadRows"]);
    world.run(DEAD);
    world.hear(&["DeadRows"]);
    world.run(VACUUMED);
    world.run("VACUUM xm.in_hand");

    // A further polling station is not a fault. It is added because the gauge of stations must change.
    world.run(&station(2));

    // These faults need no letter: memory, open files, the ledger, agencies' certificates, and mail that stays in the mailbox or cannot be
    // fetched.
    world.expect(&["MemoryHigh", "FilesNearlyOut"]);
    world.expect(&["LedgerDifference", "AgenciesWithoutCertificate", "AgencyCertificatesEnding"]);
    world.expect(&["MailboxGrowing", "MailUnfetchable", "ReaderAway", "RechargingLocked"]);
    world.fill_the_second();
    world.run(&format!("UPDATE xm.accounts SET balance = balance + 1 WHERE agency = {OFFICE}; {AGENCIES}"));
    world.run("ALTER ROLE xm_reader NOLOGIN");
    see_the_empty_mailbox(&mut world);
    world.dovecot.deliver_copies(LEFT_ADDRESS, &rubbish(0), LEFT).unwrap();
    world.dovecot.deliver_unreadable(CENTRE_ADDRESS, &rubbish(0)).unwrap();
    world.hear(&["MailboxGrowing", "MailUnfetchable", "ReaderAway", "RechargingLocked"]);
    world.run("ALTER ROLE xm_reader LOGIN; UPDATE xm.recharge_tries SET locked_until = NULL");
    world.expect(&["MailboxUnreachable"]);
    world.dovecot.stop().unwrap();
    world.hear(&["LedgerDifference", "AgenciesWithoutCertificate", "AgencyCertificatesEnding"]);
    world.hear(&[
        "CentreCertificateExpiring",
        "DiskNearlyFull",
        "MemoryHigh",
        "FilesNearlyOut",
        "NoSynchronousStandby",
    ]);
    world.hear(&["MailboxUnreachable", "NoLetters"]);
    world.relieve_the_second();
    world.dovecot.remove_unreadable(CENTRE_ADDRESS).unwrap();
    world.dovecot.take_mails(LEFT_ADDRESS).unwrap();
    world.dovecot.start_again().unwrap();
    world.run(&format!("UPDATE xm.accounts SET balance = balance - 1 WHERE agency = {OFFICE}"));

    keep_a_letter_waiting(&mut world);
    keep_a_read_waiting(&mut world);
    hold_letters(&mut world);

    lock_the_database_and_lose_it(&mut world);

    // Faults of letters: first letters that the centre must refuse, then answers that no relay accepts.
    world.expect(&["ActorRestarting", "AnswersGivenUp", "ClocksDiffer", "KeyMisused", "LettersRefused"]);
    world.expect(&["ReadsOverQuota"]);
    world.expect(&["QuarantineGrowing", "QuarantineNearlyFull", "OutboxOld"]);
    world.receive_what_is_wrong();
    // An answer that waits until its office collects it over HTTPS must not make an alarm fire.
    world.run(&format!("INSERT INTO xm.outbox (agency, payload, transport) VALUES ({OFFICE}, 'x', 'http')"));
    world.postfix.stop().unwrap();
    world.write();
    world.hear(&["ActorRestarting", "AnswersGivenUp", "ClocksDiffer", "KeyMisused", "LettersRefused"]);
    world.hear(&["QuarantineGrowing", "QuarantineNearlyFull", "OutboxOld", "ReadsOverQuota"]);
    world.postfix.start_again().unwrap();
    world.engines[0].operate(&["answer", "retry"]).unwrap();
    world.wait_until_answered();

    world.wait_until_idle();
    assert!(world.moves.metrics().len() > 40, "{:?}", world.moves.metrics());
    assert_eq!(world.moves.still(), BTreeSet::from(STEADY), "metrics that have not moved");
    let expected: BTreeSet<String> = world.expected().into_iter().chain(OF_THE_CARRIER.map(str::to_owned)).collect();
    assert_eq!(world.alarms(), expected, "every alarm of the rules has had its fault, and has rung");
}

/// Waits until Prometheus has seen the mailbox empty, so that it can see the number of mails grow. Only the program that has the lease of a
/// mailbox shows the number. If the lease moved to the other program later, the full mailbox would be a new series for Prometheus, with
/// nothing to grow from. So each program must first have its one mailbox, after which no lease moves.
fn see_the_empty_mailbox(world: &mut World) {
    world.wait_until_each_has_a_mailbox();
    let since = Instant::now();
    world.wait("Prometheus sees the empty mailbox", |world| {
        let query = format!("count_over_time({LEFT_MAILS}[{}ms])", since.elapsed().as_millis().max(1));
        Ok(world.prometheus.query(LEFT_MAILS)? == [0.0]
            && world.prometheus.query(&query)?.iter().any(|seen| *seen >= 2.0))
    });
}

/// Makes two faults of the database: a session of PostgreSQL locks two tables to which letters are written, and does not give them free;
/// and PostgreSQL stops during a COMMIT, while a sender waits for the reply to its letter.
fn lock_the_database_and_lose_it(world: &mut World) {
    world.expect(&["LettersStuck", "MailHeld", "MetricsMissing"]);
    world.run("BEGIN; LOCK TABLE xm.originals, xm.quarantine_usage IN ACCESS EXCLUSIVE MODE");
    world.write();
    world.hear(&["LettersStuck", "MailHeld", "MetricsMissing"]);
    world.run("ROLLBACK");
    world.wait_until_answered();
    world.expect(&["CommitUnknown", "DatabaseAway", "IntakeHolding"]);
    let pushed = world.lose_the_database();
    world.hear(&["DatabaseAway", "IntakeHolding"]);
    world.find_the_database();
    world.hear(&["CommitUnknown"]);
    assert_eq!(pushed.join().unwrap(), Pushed::Answered(250), "the sender has waited until its letter was settled");
    world.write();
    world.wait_until_answered();
}

/// Lets the centre accept five letters, an import and a certification, and then waits for an hour of Prometheus' time, in which no alarm
/// may fire.
fn pass_a_quiet_hour(world: &mut World) {
    for _ in 0..5 {
        world.write();
    }
    assert_eq!(world.push().join().unwrap(), Pushed::Answered(250));
    world.wait_until_answered();
    world.read_back();
    world.wait_until_answered();
    world.pass_a_quiet_hour();
}

/// Inserts two letters that have been held for two hours without a decision. The two alarms about held letters must fire.
fn hold_letters(world: &mut World) {
    world.expect(&["LettersHeld", "ResultsHeld"]);
    world.run(
        "INSERT INTO xm.held (agency, letter_id, attempt, installation, service, code, checks, tables, is_of_results, received_at,
                              held_at, transport, mailbox, sender_domain, original)
         SELECT 1, gen_random_uuid(), 1, 'pc1', 'export', code, '[]', '{}', code = 'check', now(), now() - interval '2 hours',
                'mail', 'main', 'example.org', '' FROM unnest('{check,approval}'::text[]) AS code",
    );
    world.hear(&["LettersHeld", "ResultsHeld"]);
    world.run("DELETE FROM xm.held");
}

/// Locks a table while one office sends four requests for records. The centre reads records for only one letter of an office at a time, and
/// that one waits for the lock. So the others must show in the gauge of waiting reads. After the lock has ended, all must be answered.
fn keep_a_read_waiting(world: &mut World) {
    world.run("BEGIN; LOCK TABLE ecr.\"ActeNaissance\" IN ACCESS EXCLUSIVE MODE");
    world.read_back();
    world.read_back();
    world.wait("a read waits", |world| Ok(world.engines[0].metric("xm_reads_waiting") > 0.0));
    world.look();
    world.run("ROLLBACK");
    world.wait_until_answered();
}

/// Plants a constraint in the database, by which each attempt to settle the office's letter fails. The letter is not at fault, so the
/// centre must not refuse it, but try again and again.
fn keep_a_letter_waiting(world: &mut World) {
    world.expect(&["LettersWait"]);
    world.tolerate(&["LettersStuck"]);
    world.run(&format!("ALTER TABLE xm.outbox ADD CONSTRAINT planted CHECK (agency <> {OFFICE}) NOT VALID"));
    world.write();
    world.hear(&["LettersWait"]);
    world.run("ALTER TABLE xm.outbox DROP CONSTRAINT planted");
    world.wait_until_answered();
}
