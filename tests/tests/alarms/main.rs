//! The shipped rules watch a running centre, in a real Prometheus for which time passes faster: through a quiet hour no
//! alarm rings, and each fault makes its own ring. On the way every metric must have moved that the programs show, and what
//! is in hand must be nothing once they are idle.
//!
//! No fault is played: each alarm of the rules has something here that is really wrong. An alarm may ring from the moment on
//! at which its fault is made, and never before. So what a slow machine may look like comes first: programs that do not
//! answer, letters that take long.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

mod letters;
mod programs;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use scenarios::town::CENTRE_ADDRESS;

use letters::{AGENCIES, rubbish};
use world::{LEFT_ADDRESS, OFFICE, World, start_first, station};

/// Time passes so many times as fast.
const FACTOR: u64 = 180;
const HOUR: Duration = Duration::from_millis(3_600_000 / FACTOR);
/// Longest wait for an alarm, or for the centre; a slow machine needs some of it.
const PATIENCE: Duration = Duration::from_secs(240);
/// Mails that are left in the mailbox by its rule.
const LEFT: usize = 600;
/// Metrics that are the same as long as a program runs, and on each start of the same program.
const STEADY: [&str; 1] = ["xm_build_info"];

#[test]
fn no_alarm_rings_in_a_quiet_hour_each_fault_makes_its_own_and_every_metric_moves() {
    let mut world = World::new();
    for _ in 0..5 {
        world.write();
    }
    world.wait_until_answered();
    world.pass_a_quiet_hour();

    // No letter comes for a while. One program goes away, then the other one too; the second has bad luck with its machine
    // from then on.
    world.expect(&["NoLetters"]);
    world.expect(&["ProgramAway"]);
    world.engines[1].stop().unwrap();
    world.hear(&["ProgramAway"]);
    world.expect(&["CentreAway"]);
    world.tolerate(&["MailboxUnreachable"]);
    world.engines[0].stop().unwrap();
    world.hear(&["CentreAway"]);
    start_first(&mut world.engines[0]);
    world.expect(&["CentreCertificateExpiring", "DiskNearlyFull"]);
    world.give_the_second_a_bad_machine();
    world.restart_the_second_until_it_rings();

    // The list of polling stations grows, which is nothing wrong.
    world.run(&station(2));

    // Some things are wrong that no letter is needed for.
    world.expect(&["MemoryHigh", "FilesNearlyOut"]);
    world.expect(&["LedgerDifference", "AgenciesWithoutCertificate", "AgencyCertificatesEnding"]);
    world.expect(&["MailboxGrowing", "MailUnfetchable"]);
    world.fill_the_second();
    world.run(&format!("UPDATE xm.accounts SET balance = balance + 1 WHERE agency = {OFFICE}; {AGENCIES}"));
    world.dovecot.deliver_copies(LEFT_ADDRESS, &rubbish(0), LEFT).unwrap();
    world.dovecot.deliver_unreadable(CENTRE_ADDRESS, &rubbish(0)).unwrap();
    world.hear(&["MailboxGrowing", "MailUnfetchable"]);
    world.expect(&["MailboxUnreachable"]);
    world.dovecot.stop().unwrap();
    world.hear(&["LedgerDifference", "AgenciesWithoutCertificate", "AgencyCertificatesEnding"]);
    world.hear(&["CentreCertificateExpiring", "DiskNearlyFull", "MemoryHigh", "FilesNearlyOut"]);
    world.hear(&["MailboxUnreachable", "NoLetters"]);
    world.relieve_the_second();
    world.dovecot.remove_unreadable(CENTRE_ADDRESS).unwrap();
    world.dovecot.take_mails(LEFT_ADDRESS).unwrap();
    world.dovecot.start_again().unwrap();
    world.run(&format!("UPDATE xm.accounts SET balance = balance - 1 WHERE agency = {OFFICE}"));

    keep_a_letter_waiting(&mut world);
    hold_letters(&mut world);

    // A session of PostgreSQL that nobody ends, then none at all.
    world.expect(&["LettersStuck", "MailHeld", "MetricsMissing"]);
    world.run("BEGIN; LOCK TABLE xm.originals, xm.quarantine_usage IN ACCESS EXCLUSIVE MODE");
    world.write();
    world.hear(&["LettersStuck", "MailHeld", "MetricsMissing"]);
    world.run("ROLLBACK");
    world.wait_until_answered();
    world.expect(&["DatabaseAway"]);
    world.lose_the_database();
    world.hear(&["DatabaseAway"]);
    world.find_the_database();
    world.write();
    world.wait_until_answered();

    // Letters are wrong; and at last nobody takes the answers to them.
    world.expect(&["ActorRestarting", "AnswersGivenUp", "ClocksDiffer", "KeyMisused", "LettersRefused"]);
    world.expect(&["QuarantineGrowing", "QuarantineNearlyFull", "OutboxOld"]);
    world.receive_what_is_wrong();
    world.postfix.stop().unwrap();
    world.write();
    world.hear(&["ActorRestarting", "AnswersGivenUp", "ClocksDiffer", "KeyMisused", "LettersRefused"]);
    world.hear(&["QuarantineGrowing", "QuarantineNearlyFull", "OutboxOld"]);
    world.postfix.start_again().unwrap();
    world.engines[0].operate(&["answer", "retry"]).unwrap();
    world.wait_until_answered();

    world.wait_until_idle();
    assert!(world.moves.metrics().len() > 40, "{:?}", world.moves.metrics());
    assert_eq!(world.moves.still(), BTreeSet::from(STEADY), "metrics that have not moved");
    assert_eq!(world.alarms(), world.expected(), "every alarm of the rules has had its fault, and has rung");
}

/// Letters are held, and nobody decides.
fn hold_letters(world: &mut World) {
    world.expect(&["LettersHeld"]);
    world.run(
        "INSERT INTO xm.held (agency, letter_id, attempt, installation, service, code, checks, tables, is_of_results, received_at,
                              held_at, transport, mailbox, sender_domain, original)
         SELECT 1, gen_random_uuid(), 1, 'pc1', 'export', code, '[]', '{}', false, now(), now() - interval '2 hours', 'mail', 'main',
                'example.org', '' FROM unnest('{check,approval}'::text[]) AS code",
    );
    world.hear(&["LettersHeld"]);
    world.run("DELETE FROM xm.held");
}

/// A letter meets a fault of the centre that is not its own, and is tried for ever.
fn keep_a_letter_waiting(world: &mut World) {
    world.expect(&["LettersWait"]);
    world.tolerate(&["LettersStuck"]);
    world.run(&format!("ALTER TABLE xm.outbox ADD CONSTRAINT planted CHECK (agency <> {OFFICE}) NOT VALID"));
    world.write();
    world.hear(&["LettersWait"]);
    world.run("ALTER TABLE xm.outbox DROP CONSTRAINT planted");
    world.wait_until_answered();
}
