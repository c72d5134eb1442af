//! Tests of batches in which one letter causes a fault: the other letters are settled in smaller batches. The SQLSTATE of the fault tells
//! whether a letter or the database is the cause.

use sdc::refusal::RefusalCode;

use super::super::arrival::{Arrival, Outcome};
use super::REFUSED;
use super::world::World;
use crate::database::fault::Fault;

async fn batch(world: &World, letters: u64) -> Vec<Arrival> {
    let mut batch = Vec::new();
    for sequence in 1..=letters {
        batch.push(world.arrival(&world.births(42, sequence, &[("CE-042", sequence)])).await);
    }
    batch
}

/// Makes PostgreSQL refuse the journal line of this letter. This is a fault of the centre, which no refusal can report to the office, so
/// the letter must wait.
async fn refuse_line(world: &World, sequence: u64) {
    world
        .sql(&format!("ALTER TABLE xm.journal ADD CONSTRAINT planted_{sequence} CHECK (sequence <> {sequence})"))
        .await;
}

#[tokio::test]
async fn the_letters_beside_one_that_cannot_be_settled_are_settled() {
    for (letters, faulty) in [(1, vec![1]), (2, vec![2]), (9, vec![4]), (16, vec![1, 8, 16])] {
        let world = World::new().await;
        world.tariff(100, 0, "owe").await;
        for sequence in &faulty {
            refuse_line(&world, *sequence).await;
        }
        let unsettled = world.settler.settle(batch(&world, letters).await).await.unwrap_err();
        assert!(unsettled.must_be_taken_apart(), "{}", unsettled.fault);
        let apart = world.settler.settle_apart(unsettled).await;
        for (outcome, sequence) in apart.outcomes.iter().zip(1..) {
            match outcome {
                Ok(Outcome::Accepted) => assert!(!faulty.contains(&sequence), "{sequence}"),
                Ok(Outcome::Deferred) => assert!(faulty.contains(&sequence), "{sequence}"),
                other => panic!("{sequence}: {other:?}"),
            }
        }
        let settled = i64::try_from(letters).unwrap() - i64::try_from(faulty.len()).unwrap();
        assert_eq!((i64::try_from(apart.rows).unwrap(), apart.tally.charged()), (settled, settled * 100));
        assert_eq!(world.count("SELECT count(*) FROM registry.births").await, settled);
        assert_eq!(world.ledger_difference().await, 0);
    }
}

#[tokio::test]
async fn a_database_that_is_not_the_program_s_takes_no_batch_apart() {
    let world = World::new().await;
    world.sql("ALTER TABLE xm.journal RENAME TO journal_away").await;
    let unsettled = world.settler.settle(batch(&world, 3).await).await.unwrap_err();
    assert!(unsettled.fault.is_altered() && !unsettled.must_be_taken_apart(), "{}", unsettled.fault);
    world.sql("ALTER TABLE xm.journal_away RENAME TO journal").await;
    assert_eq!(world.settle(unsettled.batch).await, [Outcome::Accepted; 3], "nothing was kept of it");
}

/// If a setting in the database cannot be read, no letter is at fault: every letter waits, and none is refused.
#[tokio::test]
async fn a_setting_that_cannot_be_read_lets_every_letter_wait() {
    for spoil in [
        "ALTER TABLE xm.server DROP CONSTRAINT server_mode_check; UPDATE xm.server SET mode = 'later', catalogue_revision = 99",
        "ALTER TABLE xm.tables DROP CONSTRAINT tables_corrections_check; UPDATE xm.tables SET corrections = 'perhaps'",
        "ALTER TABLE xm.tariffs DROP CONSTRAINT tariffs_credit_check; UPDATE xm.tariffs SET credit = 'maybe'",
        "UPDATE xm.tables SET checks = '{\"code\": 1}'",
    ] {
        let world = World::new().await;
        world.tariff(100, 0, "owe").await;
        world.sql(spoil).await;
        let unsettled = world.settler.settle(batch(&world, 2).await).await.unwrap_err();
        assert!(matches!(unsettled.fault, Fault::Unreadable { .. }), "{spoil}: {}", unsettled.fault);
        assert!(!unsettled.must_be_taken_apart(), "{spoil}");
        assert_eq!(world.count("SELECT count(*) FROM xm.letters").await, 0);
    }
}

/// A mail server may report any size, here 3 GiB, nineteen nines or the largest 64-bit number. The mail is refused as too large, the letter
/// beside it is accepted, and the largest number that the column can hold is stored as the size.
#[tokio::test]
async fn sizes_that_no_mail_has_are_kept_as_the_largest_number_there_is() {
    let world = World::with_stranger_bytes_max(17 * 4 * (1000 + 512)).await;
    for (number, size) in (0..).zip([3 << 30, 9_999_999_999_999_999_999_u64, u64::MAX, 5, u64::MAX, u64::MAX]) {
        let mut huge = world.stranger(RefusalCode::OverSize, number);
        huge.container_bytes = usize::try_from(size).unwrap();
        huge.rendered_bytes = huge.container_bytes;
        let letter = world.births(42, u64::from(number) + 1, &[("CE-042", u64::from(number) + 1)]);
        let beside = world.arrival(&letter).await;
        assert_eq!(
            world.settle(vec![huge, beside]).await,
            [REFUSED(RefusalCode::OverSize), Outcome::Accepted],
            "{size}"
        );
    }
    assert_eq!(world.count("SELECT max(container_bytes) FROM xm.journal").await, i64::from(i32::MAX));
    assert_eq!(world.count("SELECT max(original_bytes) FROM xm.quarantine").await, i64::MAX);
    assert_eq!(
        world.count("SELECT max(bytes) FROM xm.quarantine_counts").await,
        i64::MAX,
        "beyond the room they are added up"
    );
}

/// A trigger raises an error whose text reads like a fault of the database. The centre must ignore the text and refuse the row.
/// `tests/faults` has two such cases: trigger-says-could-not-open and trigger-says-column-does-not-exist.
#[tokio::test]
async fn what_a_trigger_says_refuses_its_row_whatever_the_words() {
    for words in [
        "could not open the register of this centre",
        "column \"x\" of the act does not exist",
        "the database system is shutting down",
        "terminating connection due to administrator command",
        "deadlock detected",
        "canceling statement due to conflict of the register",
        "la base de données est arrêtée",
        "No space left on device",
    ] {
        let world = World::new().await;
        world
            .sql(&format!(
                "CREATE FUNCTION registry.no() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN IF NEW.\"Nom\" = 'bad' THEN RAISE EXCEPTION '{words}'; END IF; RETURN NEW; END $$;
                 CREATE TRIGGER no BEFORE INSERT ON registry.births FOR EACH ROW EXECUTE FUNCTION registry.no()"
            ))
            .await;
        let mut bad = world.births(42, 1, &[("CE-042", 1), ("CE-042", 2)]);
        world.set_names(&mut bad, &["good", "bad"]);
        let batch = vec![world.arrival(&bad).await, world.arrival(&world.births(43, 1, &[("CE-043", 1)])).await];
        let expected = [REFUSED(RefusalCode::RowsInvalid), Outcome::Accepted];
        assert_eq!(world.settle(batch).await, expected, "{words}");
        let refusal = world.receipt(&bad).await.refusal.unwrap();
        assert_eq!((refusal.faults.len(), refusal.faults[0].row), (1, 2), "{words}");
        assert!(!format!("{refusal:?}").contains(words), "a trigger's words may hold a record");
    }
}

#[tokio::test]
async fn what_quarantine_only_counts_is_told_without_a_line_of_the_journal() {
    let world = World::with_stranger_bytes_max(17 * 2 * (1000 + 512)).await;
    let batch = (0..3).map(|number| world.stranger(RefusalCode::UnknownSigner, number)).collect();
    let written = world.settler.write(batch).await.unwrap_or_else(|unsettled| panic!("{}", unsettled.fault));
    let refused = written.post().await.unwrap().refused;
    let lines: Vec<i64> = refused.iter().filter_map(|letter| letter.journal_line).collect();
    assert_eq!((refused.len(), lines.len()), (3, 2), "two fit");
    let there = format!("SELECT count(*) FROM xm.journal WHERE id IN ({}, {})", lines[0], lines[1]);
    assert_eq!(world.count(&there).await, 2);
}
