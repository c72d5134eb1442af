//! Tests of letters that fail for a reason other than their bytes. Such a letter must wait until the cause is removed, and is settled then.
//! It must not become poison, and no other letter may wait because of it.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use sdc::letter::Letter;
use sdc::refusal::RefusalCode;

use super::super::SettlingSettings;
use super::super::arrival::Outcome;
use super::REFUSED;
use super::altered::{OTHER_TABLE, for_weg};
use super::world::World;
use crate::database::StatementLimits;
use crate::letters::quarantine;
use crate::people::{Operator, Privilege};
use crate::testing::eventually;

const BEFORE: &str = "TRIGGER t BEFORE INSERT ON registry.births";
const AFTER: &str = "TRIGGER t AFTER INSERT ON registry.births";
const AT_THE_END: &str = "CONSTRAINT TRIGGER t AFTER INSERT ON registry.births DEFERRABLE INITIALLY DEFERRED";

fn bad(world: &World, sequence: u64) -> Letter {
    let mut letter = world.births(42, sequence, &[("CE-042", sequence)]);
    world.rename(&mut letter, "bad");
    letter
}

/// Checks that one letter waits because a trigger fails for its row, whatever the kind of fault, and that no other letter waits.
async fn assert_waits_alone(world: &World, what: &str, mend: &str) {
    let letter = bad(world, 1);
    let beside = [world.births(42, 2, &[("CE-042", 2)]), world.births(43, 1, &[("CE-043", 1)])];
    let expected = [Outcome::Deferred, Outcome::Accepted, Outcome::Accepted];
    assert_eq!(world.settle_or_apart(&[&letter, &beside[0], &beside[1]]).await, expected, "{what}");
    // The table still takes rows of other letters, even of the same agency.
    assert_eq!(world.settle_or_apart(&[&world.births(42, 3, &[("CE-042", 3)])]).await, [Outcome::Accepted], "{what}");
    // The letter arrives again immediately. It waits without being tried.
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Deferred], "{what}");
    assert_eq!(world.count("SELECT count(*) FROM xm.letters").await, 3, "{what}");
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine").await, 0, "{what}");
    world.sql(mend).await;
    eventually("it is settled once that is mended", async || {
        world.settle_or_apart(&[&letter]).await == [Outcome::Accepted]
    })
    .await;
    assert_eq!(world.ledger_difference().await, 0);
}

#[tokio::test]
async fn a_row_whose_trigger_meets_a_missing_table_holds_up_its_own_letter_only() {
    for trigger in [BEFORE, AFTER, AT_THE_END] {
        let world = World::new().await;
        world.tariff(100, 0, "owe").await;
        world.trigger_over_bad(trigger, "EXECUTE format('INSERT INTO registry.archive_%s VALUES (1)', 2027)").await;
        assert_waits_alone(&world, trigger, "CREATE TABLE registry.archive_2027 (n integer)").await;
    }
}

/// A trigger may pass on an error of a remote database, or raise any SQLSTATE, while the centre's own database works. Only the letter for
/// whose row the trigger fails has to wait; the letter beside it is accepted.
#[tokio::test]
async fn whatever_sqlstate_a_trigger_raises_over_a_row_holds_up_its_own_letter_only() {
    const SQLSTATES: &str = "08000 08001 08003 08006 08P01 53000 53100 53200 53300 57000 57014 57P01 57P02 57P03 57P05
        58000 58030 58P01 F0000 XX000 XX001 XX002 HV00N HV000 25006 25P02 42P01 42501 42601 42702 42703 42725 42883 0A000
        55000 55006 55P03 40001 40P01 3F000";
    for trigger in [BEFORE, AFTER] {
        let world = World::new().await;
        world.sql("CREATE TABLE registry.raised (sqlstate text)").await;
        let raise =
            "RAISE EXCEPTION 'une règle du registre' USING ERRCODE = (SELECT r.sqlstate FROM registry.raised r)";
        world.trigger_over_bad(trigger, raise).await;
        for (sqlstate, number) in SQLSTATES.split_whitespace().zip(1..) {
            world.sql(&format!("DELETE FROM registry.raised; INSERT INTO registry.raised VALUES ('{sqlstate}')")).await;
            let (letter, beside) = (bad(&world, number), world.births(42, 100 + number, &[("CE-042", 100 + number)]));
            let outcomes = world.settle_or_apart(&[&letter, &beside]).await;
            assert_eq!(outcomes, [Outcome::Deferred, Outcome::Accepted], "{sqlstate} {trigger}");
        }
        let letters = i64::try_from(SQLSTATES.split_whitespace().count()).unwrap();
        assert_eq!(world.count("SELECT count(*) FROM xm.letters").await, letters, "{trigger}");
    }
}

/// A trigger raises SQLSTATE 53100 (disk full), and the database really cannot write. Then no letter is the cause: the whole batch fails,
/// and its letters are not tried one by one.
#[tokio::test]
async fn a_sqlstate_of_resources_is_the_database_s_where_nothing_can_be_written() {
    let world = World::new().await;
    // To find out whether the database can write, the program creates the table `xm.room_probe`. The test has created this table already,
    // so the probe fails as it would on a full disk.
    world.sql("CREATE TABLE xm.room_probe ()").await;
    world.trigger_over_bad(BEFORE, "RAISE EXCEPTION 'disque plein' USING ERRCODE = '53100'").await;
    let batch = vec![world.arrival(&bad(&world, 1)).await, world.arrival(&world.births(43, 1, &[("CE-043", 1)])).await];
    let unsettled = world.settler.settle(batch).await.unwrap_err();
    assert!(unsettled.fault.is_away() && !unsettled.must_be_taken_apart(), "{}", unsettled.fault);
    world.sql("DROP TABLE xm.room_probe").await;
    assert_eq!(world.settle(unsettled.batch).await, [Outcome::Deferred, Outcome::Accepted], "nothing was kept of it");
}

#[tokio::test]
async fn a_letter_that_breaks_a_rule_is_refused_beside_one_that_waits() {
    let world = World::new().await;
    world.sql("ALTER TABLE registry.births ADD CONSTRAINT no_zorro CHECK (\"Nom\" <> 'ZORRO')").await;
    world.trigger_over_bad(AFTER, "PERFORM FROM registry.gone").await;
    let (mut zorro, waits, good) =
        (world.births(43, 1, &[("CE-043", 1)]), bad(&world, 1), world.births(42, 2, &[("CE-042", 2)]));
    world.rename(&mut zorro, "ZORRO");
    let expected = [REFUSED(RefusalCode::RowsInvalid), Outcome::Deferred, Outcome::Accepted];
    assert_eq!(world.settle_or_apart(&[&zorro, &waits, &good]).await, expected);
}

/// A trigger fails for a letter, and two letters beside it send records that are stored or sent already. PostgreSQL reports only one of
/// these faults. The first letter must wait. The other two must be accepted, with their records as duplicates, and must not be taken for
/// the cause.
#[tokio::test]
async fn a_record_held_already_is_a_duplicate_beside_a_letter_that_waits() {
    let world = World::new().await;
    world.trigger_over_bad(BEFORE, "PERFORM FROM registry.gone").await;
    assert_eq!(world.settle_or_apart(&[&world.births(42, 2, &[("CE-042", 2)])]).await, [Outcome::Accepted]);
    let (waits, again) = (bad(&world, 1), world.births(42, 3, &[("CE-042", 2)]));
    let (new, twice) = (world.births(42, 4, &[("CE-042", 4)]), world.births(42, 5, &[("CE-042", 4)]));
    let expected = [Outcome::Deferred, Outcome::Accepted, Outcome::Accepted, Outcome::Accepted];
    assert_eq!(world.settle_or_apart(&[&waits, &again, &new, &twice]).await, expected);
    for (letter, counts) in [(&again, (0, 1)), (&new, (1, 0)), (&twice, (0, 1))] {
        let receipt = world.receipt(letter).await;
        assert_eq!((receipt.rows[0].new, receipt.rows[0].duplicate), counts);
    }
}

#[tokio::test]
async fn an_agency_without_an_account_waits_for_one_and_nobody_else_does() {
    let world = World::new().await;
    world.tariff(100, 0, "owe").await;
    world.sql("DELETE FROM xm.accounts WHERE agency = 42").await;
    let without: Vec<Letter> = (1..=3).map(|act| world.births(42, act, &[("CE-042", act)])).collect();
    let beside = world.births(43, 1, &[("CE-043", 1)]);
    let letters = [&without[0], &without[1], &beside, &without[2]];
    let expected = [Outcome::Deferred, Outcome::Deferred, Outcome::Accepted, Outcome::Deferred];
    assert_eq!(world.settle_or_apart(&letters).await, expected);
    // A letter of an agency without an account waits in any batch: alone, or only with letters of its own agency.
    assert_eq!(world.settle_or_apart(&[&world.births(42, 4, &[("CE-042", 4)])]).await, [Outcome::Deferred]);
    assert_eq!(world.settle_or_apart(&letters[..2]).await, [Outcome::Deferred; 2]);
    world.sql("INSERT INTO xm.accounts (kind, agency) VALUES ('agency', 42)").await;
    eventually("they are settled", async || world.settle_or_apart(&letters[..2]).await == [Outcome::Accepted; 2]).await;
    assert_eq!(world.ledger_difference().await, 0);
}

/// A letter has rows of two tables, and a deferred trigger of one of them fails. Only this letter waits. Each table takes the rows of
/// another letter, so no table is withheld: letters for it are tried as before.
#[tokio::test]
async fn a_trigger_at_the_end_withholds_no_table_of_its_letter() {
    let world = World::new().await;
    world.sql(OTHER_TABLE).await;
    world.trigger_over_bad(&AT_THE_END.replace("births", "weg"), "PERFORM FROM registry.gone").await;
    let mut both = for_weg(&world, 1);
    world.rename(&mut both, "bad");
    let births = world.births(42, 2, &[("CE-042", 2)]);
    let of_births = world.records(&mut births.clone()).tables[0].clone();
    world.records(&mut both).tables.insert(0, of_births);
    let (weg, other) = (for_weg(&world, 3), world.births(43, 1, &[("CE-043", 1)]));
    let expected = [Outcome::Deferred, Outcome::Accepted, Outcome::Accepted];
    assert_eq!(world.settle_or_apart(&[&both, &weg, &other]).await, expected);
}

#[tokio::test]
async fn a_row_that_takes_all_the_time_there_is_holds_up_its_own_letter_only() {
    let world = World::new().await;
    // The trigger cancels its own statement, so the statement ends like one that ran out of time. In this way the test does not depend on
    // real time limits. The next test uses the real limits.
    world.trigger_over_bad(BEFORE, "PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(1000)").await;
    let (letter, beside) = (bad(&world, 1), world.births(42, 2, &[("CE-042", 2)]));
    assert_eq!(world.settle_or_apart(&[&letter, &beside]).await, [Outcome::Deferred, Outcome::Accepted]);
}

/// Rows of letters are written under shorter time limits than other statements have, since all letters of a writer wait for such a
/// statement.
#[tokio::test]
async fn the_rows_of_letters_take_ten_seconds_at_most_and_wait_two_for_a_lock() {
    let (lock, statement) = (Duration::from_secs(20), Duration::from_secs(60));
    let world = World::with_limits(StatementLimits { lock, statement }).await;
    world
        .sql(
            "CREATE TABLE registry.seen (place text, lock_timeout text, statement_timeout text);
             CREATE FUNCTION registry.see() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO registry.seen
                          VALUES (TG_ARGV[0], current_setting('lock_timeout'), current_setting('statement_timeout'));
                          RETURN NULL; END $$;
             CREATE TRIGGER see AFTER INSERT ON registry.births FOR EACH ROW EXECUTE FUNCTION registry.see('row');
             CREATE CONSTRAINT TRIGGER at_the_end AFTER INSERT ON registry.births DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION registry.see('end');
             CREATE TRIGGER see AFTER INSERT ON xm.letters FOR EACH ROW EXECUTE FUNCTION registry.see('verdict')",
        )
        .await;
    assert_eq!(world.settle_or_apart(&[&world.births(42, 1, &[("CE-042", 1)])]).await, [Outcome::Accepted]);
    let expected = "SELECT count(*) FROM registry.seen WHERE (place, lock_timeout, statement_timeout)
                        IN (('row', '2s', '10s'), ('end', '2s', '10s'), ('verdict', '20s', '1min'))";
    assert_eq!(world.count(expected).await, 3);
}

/// A trigger fails for every row of a table. So the table is withheld: its letters wait untried, because trying them one by one would slow
/// every batch.
#[tokio::test]
async fn a_table_of_which_every_letter_fails_is_withheld_and_no_further_one_is_tried() {
    let world = World::new().await;
    world.sql(OTHER_TABLE).await;
    world
        .sql(
            "CREATE SEQUENCE registry.tried;
             CREATE FUNCTION registry.look() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM nextval('registry.tried');
                          RAISE EXCEPTION 'the log of this table is away' USING ERRCODE = '55006'; END $$;
             CREATE TRIGGER look AFTER INSERT ON registry.weg FOR EACH ROW EXECUTE FUNCTION registry.look()",
        )
        .await;
    // A rollback to a savepoint does not reset a sequence, so the sequence counts the tries.
    let tried = async || world.count("SELECT last_value FROM registry.tried").await;
    let of_43 = |sequence: u64| {
        let mut letter = world.births(43, sequence, &[("CE-043", sequence)]);
        world.records(&mut letter).tables[0].table = "Weg".to_owned();
        letter
    };
    let births = |sequence: u64| world.births(43, sequence, &[("CE-043", sequence)]);
    // All letters that fail are from one agency, so the cause may be in these letters. The table is not withheld, and the next batch tries
    // it again.
    assert_eq!(world.settle_or_apart(&[&for_weg(&world, 1), &births(1)]).await, [Outcome::Deferred, Outcome::Accepted]);
    let before = tried().await;
    let expected = [Outcome::Deferred, Outcome::Deferred, Outcome::Accepted];
    assert_eq!(world.settle_or_apart(&[&for_weg(&world, 2), &of_43(2), &births(3)]).await, expected);
    let withheld = tried().await;
    assert!(withheld > before, "fresh letters were tried");
    assert_eq!(world.settle_or_apart(&[&for_weg(&world, 3), &of_43(4), &births(5)]).await, expected);
    assert_eq!(tried().await, withheld, "those of the second batch were not");
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine").await, 0);
    // A new adoption changes the catalogue's revision, which ends the wait of the table. These two letters have no wait of their own, so
    // they are settled at once.
    world.sql("DROP TRIGGER look ON registry.weg; UPDATE xm.definitions SET adopted_at = now()").await;
    assert_eq!(world.settle_or_apart(&[&for_weg(&world, 3), &of_43(4)]).await, [Outcome::Accepted; 2]);
}

/// After a lock, a table is tried again with shorter time limits. The rest of the transaction keeps the usual limits.
#[tokio::test]
async fn a_table_that_was_locked_is_tried_again_for_a_second_only() {
    let world =
        World::with_limits(StatementLimits { lock: Duration::from_secs(2), statement: Duration::from_secs(60) }).await;
    world.sql(OTHER_TABLE).await;
    world
        .sql(
            "CREATE TABLE registry.seen (place text, lock_timeout text);
             CREATE FUNCTION registry.see() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO registry.seen VALUES (TG_TABLE_NAME, current_setting('lock_timeout')); RETURN NULL; END $$;
             CREATE TRIGGER see AFTER INSERT ON registry.weg FOR EACH ROW EXECUTE FUNCTION registry.see();
             CREATE TRIGGER see AFTER INSERT ON xm.letters FOR EACH ROW EXECUTE FUNCTION registry.see()",
        )
        .await;
    let mut other_session = world.connection().await;
    other_session.batch_execute("BEGIN; LOCK TABLE registry.weg IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let (locked, beside) = (for_weg(&world, 1), world.births(43, 1, &[("CE-043", 1)]));
    assert_eq!(world.settle_or_apart(&[&locked, &beside]).await, [Outcome::Deferred, Outcome::Accepted]);
    other_session.batch_execute("ROLLBACK").await.unwrap();
    world.sql("TRUNCATE registry.seen").await;
    eventually("the table takes letters again", async || {
        world.settle_or_apart(&[&locked]).await == [Outcome::Accepted]
    })
    .await;
    let seen = "SELECT count(*) FROM registry.seen WHERE (place, lock_timeout) IN (('weg', '1s'), ('letters', '2s'))";
    assert_eq!(world.count(seen).await, 2);
    assert_eq!(world.count("SELECT count(*) FROM registry.seen").await, 2);
}

/// After a record was stored, a column of its table gets another type, so that stored records cannot be compared any more. The record sent
/// again must wait and must not be refused, because the table is at fault.
#[tokio::test]
async fn a_record_sent_again_is_not_refused_where_what_is_held_cannot_be_read() {
    let world = World::new().await;
    let first = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(world.settle_or_apart(&[&first]).await, [Outcome::Accepted]);
    world
        .sql("ALTER TABLE registry.births RENAME \"Status\" TO gone; ALTER TABLE registry.births ADD \"Status\" text")
        .await;
    let again = world.births(42, 2, &[("CE-042", 1)]);
    assert_eq!(world.settle_or_apart(&[&again]).await, [Outcome::Deferred]);
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine").await, 0);
}

/// A container that became poison may be the only copy of an agency's records. If it names a registered agency, its bytes are stored in
/// quarantine, even if strangers' containers may use no bytes at all.
#[tokio::test]
async fn poison_that_may_be_an_agency_s_keeps_its_bytes_whatever_strangers_fill() {
    let world = World::with_stranger_bytes_max(0).await;
    let mut batch = Vec::new();
    for (number, agency) in (0..).zip([Some(42), Some(4242), None, Some(43), Some(42)]) {
        let mut poison = world.stranger(RefusalCode::Poison, number);
        poison.source.claimed.agency = agency.map(|matricule| matricule.try_into().unwrap());
        batch.push(poison);
    }
    let mut other = world.stranger(RefusalCode::UnknownSigner, 9);
    other.source.claimed.agency = Some(42.try_into().unwrap());
    batch.push(other);
    world.settle(batch).await;
    assert_eq!(
        world.count("SELECT count(*) FROM xm.quarantine WHERE reason = 'poison' AND length(original) = 1000").await,
        3
    );
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine").await, 3);
    assert_eq!(world.count("SELECT sum(containers) FROM xm.quarantine_counts").await, 3);
    let kept = "SELECT bytes_kept FROM xm.quarantine_usage WHERE reason = 'poison'";
    assert!(world.count(kept).await > 3000, "what is dropped gives its room back");
}

/// A mail that could not be read as a whole may be the only copy of an agency's records. If a registered key signed another letter of the
/// mail, quarantine stores the mail in bytes that are reserved for such mails (`vouched`). Somebody may have intercepted that letter and
/// added it to rubbish, so each agency can use only an eighth of these bytes.
#[tokio::test]
async fn mails_with_a_letter_of_one_agency_take_no_room_from_those_of_others_and_all_are_within_the_total() {
    const ENTRY: i64 = 1000 + 512;
    const TOTAL: i64 = 136 * ENTRY;
    let world = World::with_stranger_bytes_max(u64::try_from(TOTAL).unwrap()).await;
    let mail = |number: u32, signer: Option<u32>| {
        let mut mail = world.stranger(RefusalCode::MailMalformed, number);
        mail.source.claimed.agency = Some(43.try_into().unwrap());
        mail.source.claimed.signer_beside = signer.map(|matricule| matricule.try_into().unwrap());
        mail
    };
    let kept_of = async |agency: u32| {
        let of =
            "SELECT count(*) FROM xm.quarantine WHERE reason = 'mail_malformed' AND state = 'open' AND claimed_agency";
        world.count(&format!("{of} = {agency}")).await
    };
    let room_of = async |of: &str| {
        world.count(&format!("SELECT bytes_kept FROM xm.quarantine_usage WHERE reason = '{of}'")).await
    };
    // Twenty mails contain one intercepted letter of agency 42. Two of them use up the reserved bytes of agency 42, and eight others use up
    // the bytes for the reason `mail_malformed`. The remaining ten are only counted.
    world.settle((0..20).map(|number| mail(number, Some(42))).collect()).await;
    assert_eq!((room_of("vouched").await, room_of("mail_malformed").await), (2 * ENTRY, 8 * ENTRY));
    world.settle(vec![mail(30, None), mail(31, Some(44)), mail(32, Some(42))]).await;
    assert_eq!((kept_of(42).await, kept_of(43).await, kept_of(44).await), (10, 0, 1), "strangers' share is taken");
    // Twenty other agencies send one such mail each. The reserved bytes suffice for sixteen mails, and three are stored there already, so
    // thirteen of the twenty are stored.
    world.settle((100..120).map(|agency| mail(agency, Some(agency))).collect()).await;
    assert_eq!((room_of("vouched").await, room_of("mail_malformed").await), (16 * ENTRY, 8 * ENTRY));
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine").await, 24);
    assert_eq!(world.count("SELECT sum(containers)::bigint FROM xm.quarantine_counts").await, 10 + 2 + 7);
    let shares = "SELECT count(*) FROM xm.quarantine_vouched WHERE bytes_kept";
    assert_eq!(world.count(&format!("{shares} = {}", 2 * ENTRY)).await, 1);
    assert_eq!(world.count(&format!("{shares} = {ENTRY}")).await, 14);
    let settings =
        SettlingSettings { stranger_bytes_max: u64::try_from(TOTAL).unwrap(), ..SettlingSettings::default() };
    let reasons = RefusalCode::ALL.iter().filter(|code| !code.is_answered()).count() as u64;
    let all = settings.vouched_bytes_max() + reasons * settings.stranger_bytes_of_reason();
    assert!(all <= settings.stranger_bytes_max, "{all} bytes are more than the total");
    // An operator drops a mail of agency 42, whose bytes are then free. Two more mails of this agency arrive, and there is room for one of
    // them.
    let first = world.count("SELECT min(id) FROM xm.quarantine WHERE signer_beside = 42").await;
    let operator = Operator::pretended("mbarga", Privilege::Operateur);
    quarantine::drop(&mut *world.connection().await, &operator, first, "seen").await.unwrap();
    assert_eq!((room_of("vouched").await, room_of("mail_malformed").await), (15 * ENTRY, 8 * ENTRY));
    world.settle(vec![mail(40, Some(42)), mail(41, Some(42))]).await;
    assert_eq!((kept_of(42).await, room_of("vouched").await), (10, 16 * ENTRY));
}

/// The mail of a waiting letter is fetched whole each time. The mail's other letters get no second journal line and no answer, because
/// nobody sent them again.
#[tokio::test]
async fn what_was_settled_of_a_mail_that_the_centre_fetches_again_is_in_no_journal_and_no_count_twice() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    let stranger = || world.stranger(RefusalCode::UnknownSigner, 7);
    world.settle(vec![world.arrival(&letter).await, stranger()]).await;
    world.sql("UPDATE xm.letters SET answered_at = now() - interval '2 hours'; DELETE FROM xm.outbox").await;
    let told = "SELECT (SELECT count(*) FROM xm.journal) * 10000 + (SELECT count(*) FROM xm.outbox) * 100
                     + (SELECT coalesce(sum(containers), 0) FROM xm.quarantine_counts) * 10
                     + (SELECT count(*) FROM xm.quarantine)";
    assert_eq!(world.count(told).await, 20_001);
    let mut again = vec![world.arrival(&letter).await, stranger()];
    for arrival in &mut again {
        arrival.source.is_fetched_again = true;
    }
    assert_eq!(world.settle(again).await, [Outcome::SettledBefore; 2]);
    assert_eq!(world.count(told).await, 20_001);
    // A letter that its office sends again does get a line in the journal, and an answer.
    let sent = vec![world.arrival(&letter).await, stranger()];
    assert_eq!(world.settle(sent).await[0], Outcome::Duplicate);
    assert_eq!(world.count(told).await, 30_111);
}
