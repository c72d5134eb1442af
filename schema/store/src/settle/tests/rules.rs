//! Tests of rules that operators add to their tables in the database, such as constraints and triggers.

use sdc::refusal::RefusalCode;

use super::super::arrival::Outcome;
use super::REFUSED;
use super::world::World;

#[tokio::test]
async fn a_rule_of_the_database_itself_names_the_row_and_spares_the_others() {
    let world = World::new().await;
    world.sql("ALTER TABLE registry.births ADD CONSTRAINT no_zorro CHECK (\"Nom\" <> 'ZORRO')").await;
    world.sql("CREATE UNIQUE INDEX ON registry.births (\"Nom\") WHERE \"Nom\" LIKE 'UNIQUE%'").await;
    let good = world.births(42, 1, &[("CE-042", 1)]);
    let mut bad = world.births(42, 2, &[("CE-042", 2), ("CE-042", 3)]);
    world.set_names(&mut bad, &["ABENA", "ZORRO"]);
    let mut twins = world.births(42, 3, &[("CE-042", 4), ("CE-042", 5)]);
    world.set_names(&mut twins, &["UNIQUE", "UNIQUE"]);
    let batch = vec![world.arrival(&good).await, world.arrival(&bad).await, world.arrival(&twins).await];
    let outcomes = world.settle(batch).await;
    let refused = REFUSED(RefusalCode::RowsInvalid);
    assert_eq!(outcomes, [Outcome::Accepted, refused, refused]);
    let refusal = world.receipt(&bad).await.refusal.unwrap();
    assert_eq!((refusal.faults.len(), refusal.faults[0].row), (1, 2));
    assert_eq!((refusal.faults[0].rule.as_str(), refusal.faults[0].expected.as_str()), ("database", "no_zorro"));
    assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 1);
}

#[tokio::test]
async fn letters_that_a_rule_of_the_database_lets_pass_one_by_one_but_not_together_are_told_apart() {
    // PostgreSQL reports a breach of the second rule only when it is told to check the rule, or at COMMIT.
    let rules = [
        "CREATE UNIQUE INDEX one_name ON registry.births (\"Nom\")",
        "ALTER TABLE registry.births ADD CONSTRAINT one_name UNIQUE (\"Nom\") DEFERRABLE INITIALLY DEFERRED",
    ];
    for rule in rules {
        let world = World::new().await;
        world.sql(rule).await;
        let (first, mut other) = (world.births(42, 1, &[("CE-042", 1)]), world.births(42, 2, &[("CE-042", 2)]));
        world.rename(&mut other, "OTHER NAME");
        let twin = world.births(42, 3, &[("CE-042", 3)]);
        let batch = vec![world.arrival(&first).await, world.arrival(&other).await, world.arrival(&twin).await];
        let refused = REFUSED(RefusalCode::RowsInvalid);
        assert_eq!(world.settle(batch).await, [Outcome::Accepted, Outcome::Accepted, refused], "{rule}");
        assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 2);
        assert_eq!(world.receipt(&twin).await.refusal.unwrap().parameters["rule"], "one_name");
        // In a later batch the letter conflicts with the stored record.
        let late = world.births(42, 4, &[("CE-042", 4)]);
        assert_eq!(world.settle(vec![world.arrival(&late).await]).await, [refused], "{rule}");
    }
}

#[tokio::test]
async fn a_rule_about_a_whole_letter_refuses_the_letter_without_naming_rows() {
    let world = World::new().await;
    world
        .sql(
            "CREATE FUNCTION registry.at_least_two() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 IF (SELECT count(*) FROM registry.births b WHERE b.xm_letter = NEW.xm_letter) < 2 THEN
                     RAISE EXCEPTION 'the second twin of % does not exist', NEW.\"Nom\";
                 END IF;
                 RETURN NULL;
             END $$;
             CREATE CONSTRAINT TRIGGER at_least_two AFTER INSERT ON registry.births DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION registry.at_least_two()",
        )
        .await;
    let (twins, alone) = (world.births(42, 1, &[("CE-042", 1), ("CE-042", 2)]), world.births(42, 2, &[("CE-042", 3)]));
    let batch = vec![world.arrival(&twins).await, world.arrival(&alone).await];
    assert_eq!(world.settle(batch).await, [Outcome::Accepted, REFUSED(RefusalCode::RowsInvalid)]);
    let refusal = world.receipt(&alone).await.refusal.unwrap();
    assert_eq!(refusal.faults.len(), 0);
    assert_eq!(refusal.parameters["rule"], "a rule of the database", "and no value of the row");
}

#[tokio::test]
async fn many_rows_that_the_database_refuses_are_named_up_to_ten() {
    let world = World::new().await;
    world.sql("ALTER TABLE registry.births ADD CONSTRAINT no_zorro CHECK (\"Nom\" <> 'ZORRO')").await;
    let acts: Vec<(&str, u64)> = (1..=1000).map(|act| ("CE-042", act)).collect();
    let mut letter = world.births(42, 1, &acts);
    let names: Vec<&str> = (1..=1000).map(|row| if row % 50 == 0 { "ZORRO" } else { "ABENA" }).collect();
    world.set_names(&mut letter, &names);
    // The sequence counts the tries, because a rollback to a savepoint does not reset a sequence.
    world
        .sql(
            "CREATE SEQUENCE registry.tries;
             CREATE FUNCTION registry.count_try() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM nextval('registry.tries'); RETURN NULL; END $$;
             CREATE TRIGGER tries BEFORE INSERT ON registry.births FOR EACH STATEMENT EXECUTE FUNCTION registry.count_try()",
        )
        .await;
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [REFUSED(RefusalCode::RowsInvalid)]);
    let rows: Vec<u32> = world.receipt(&letter).await.refusal.unwrap().faults.iter().map(|fault| fault.row).collect();
    assert_eq!(rows, [50, 100, 150, 200, 250, 300, 350, 400, 450, 500]);
    let tries = world.count("SELECT last_value FROM registry.tries").await;
    assert!(tries < 300, "halved, not tried row by row: {tries} statements");
}

#[tokio::test]
async fn a_record_held_already_is_a_duplicate_beside_a_letter_that_breaks_a_rule() {
    let world = World::new().await;
    world.sql("ALTER TABLE registry.births ADD CONSTRAINT no_zorro CHECK (\"Nom\" <> 'ZORRO')").await;
    let first = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(world.settle(vec![world.arrival(&first).await]).await, [Outcome::Accepted]);
    // One batch has a row that breaks the rule, a record that is stored already, and a new record twice.
    let mut bad = world.births(42, 2, &[("CE-042", 9)]);
    world.rename(&mut bad, "ZORRO");
    let again = world.births(42, 3, &[("CE-042", 1)]);
    let (new, twice) = (world.births(42, 4, &[("CE-042", 5)]), world.births(42, 5, &[("CE-042", 5)]));
    let mut batch = Vec::new();
    for letter in [&bad, &again, &new, &twice] {
        batch.push(world.arrival(letter).await);
    }
    let expected = [REFUSED(RefusalCode::RowsInvalid), Outcome::Accepted, Outcome::Accepted, Outcome::Accepted];
    assert_eq!(world.settle(batch).await, expected);
    for (letter, counts) in [(&again, (0, 1)), (&new, (1, 0)), (&twice, (0, 1))] {
        let receipt = world.receipt(letter).await;
        assert_eq!((receipt.rows[0].new, receipt.rows[0].duplicate), counts);
    }
}
