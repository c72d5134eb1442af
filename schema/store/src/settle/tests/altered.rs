//! Tests of tables that are altered after their adoption: only letters for such a table wait, and only until it is repaired.

use sdc::letter::Letter;
use serde_json::json;

use super::super::arrival::Outcome;
use super::world::World;
use crate::testing::eventually;

/// A second adopted table, and a letter for it.
pub const OTHER_TABLE: &str = r#"
    CREATE TABLE registry.weg (LIKE registry.births INCLUDING ALL);
    CREATE UNIQUE INDEX ON registry.weg ("CentreCode", "NumeroActe") WHERE "Status" <> 0;
    INSERT INTO xm.tables (application, name, schema_name, relation_name, scope_column, legal_key)
    VALUES ('registry', 'Weg', 'registry', 'weg', 'CentreCode', '{CentreCode,NumeroActe}');
    INSERT INTO xm.definitions (table_id, version, columns)
    SELECT t.id, 1, (SELECT d.columns FROM xm.definitions d LIMIT 1) FROM xm.tables t WHERE t.name = 'Weg';
    INSERT INTO xm.rights (table_id, plan) SELECT id, 'standard' FROM xm.tables WHERE name = 'Weg';
"#;

pub fn for_weg(world: &World, sequence: u64) -> Letter {
    let mut letter = world.births(42, sequence, &[("CE-042", sequence)]);
    world.records(&mut letter).tables[0].table = "Weg".to_owned();
    letter
}

/// A table is altered after its adoption. Until the alteration is undone, only letters for this table wait. Each entry has the alteration
/// and the SQL that undoes it; one alteration is that of `tests/faults/drifted-table-holds-up-others`.
#[tokio::test]
async fn letters_of_other_tables_are_settled_at_once_and_those_of_the_altered_one_once_it_is_mended() {
    let alterations = [
        ("ALTER TABLE registry.weg RENAME \"Nom\" TO gone", "ALTER TABLE registry.weg RENAME gone TO \"Nom\""),
        ("ALTER TABLE registry.weg RENAME TO gone", "ALTER TABLE registry.gone RENAME TO weg"),
        (
            "ALTER TABLE registry.weg ALTER \"Jumeaux\" TYPE boolean USING false",
            "ALTER TABLE registry.weg ALTER \"Jumeaux\" TYPE smallint USING 0",
        ),
        (
            "ALTER TABLE registry.weg RENAME TO gone; CREATE MATERIALIZED VIEW registry.weg AS SELECT * FROM registry.gone",
            "DROP MATERIALIZED VIEW registry.weg; ALTER TABLE registry.gone RENAME TO weg",
        ),
    ];
    for (alteration, mend) in alterations {
        let world = World::new().await;
        world.sql(OTHER_TABLE).await;
        world.tariff(100, 0, "owe").await;
        assert_eq!(world.settle(vec![world.arrival(&for_weg(&world, 1)).await]).await, [Outcome::Accepted]);
        world.sql(alteration).await;
        let waiting = for_weg(&world, 2);
        let mut batch = vec![world.arrival(&waiting).await];
        for sequence in 3..=6 {
            batch.push(world.arrival(&world.births(42, sequence, &[("CE-042", sequence)])).await);
        }
        for sequence in 1..=4 {
            batch.push(world.arrival(&world.births(43, sequence, &[("CE-043", sequence)])).await);
        }
        let mut expected = vec![Outcome::Accepted; 9];
        expected[0] = Outcome::Deferred;
        assert_eq!(world.settle(batch).await, expected, "{alteration}");
        assert_eq!(world.count("SELECT count(*) FROM xm.letters WHERE sequence = 2 AND agency = 42").await, 0);
        assert_eq!(world.count("SELECT count(*) FROM xm.journal").await, 9, "nothing is said of what waits");
        assert_eq!(world.count("SELECT count(*) FROM xm.quarantine").await, 0);
        assert_eq!(world.count("SELECT balance FROM xm.accounts WHERE agency = 42").await, -500);
        // The letter arrives again while its table waits. It is deferred, and PostgreSQL is not asked to insert its rows.
        assert_eq!(world.settle(vec![world.arrival(&waiting).await]).await, [Outcome::Deferred], "{alteration}");
        world.sql(mend).await;
        eventually("the table takes letters again", async || {
            world.settle(vec![world.arrival(&waiting).await]).await == [Outcome::Accepted]
        })
        .await;
        assert_eq!(world.count("SELECT count(*) FROM registry.weg").await, 2);
        assert_eq!(world.ledger_difference().await, 0);
    }
}

/// A trigger of a table reads another table that does not exist. The trigger runs before each row, or when deferred constraints are
/// checked. Letters for its table wait until the missing table exists; other letters are accepted.
#[tokio::test]
async fn a_trigger_that_no_longer_finds_its_table_holds_up_the_letters_of_its_own_table_only() {
    for trigger in [
        "TRIGGER t BEFORE INSERT ON registry.weg",
        "CONSTRAINT TRIGGER t AFTER INSERT ON registry.weg DEFERRABLE INITIALLY DEFERRED",
    ] {
        let world = World::new().await;
        world.sql(OTHER_TABLE).await;
        world
            .sql(&format!(
                "CREATE FUNCTION registry.look() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN PERFORM FROM registry.gone; RETURN NEW; END $$;
                 CREATE {trigger} FOR EACH ROW EXECUTE FUNCTION registry.look()"
            ))
            .await;
        let good = world.births(42, 2, &[("CE-042", 2)]);
        let batch = vec![world.arrival(&for_weg(&world, 1)).await, world.arrival(&good).await];
        assert_eq!(world.settle(batch).await, [Outcome::Deferred, Outcome::Accepted], "{trigger}");
        world.sql("CREATE TABLE registry.gone ()").await;
        let waiting = for_weg(&world, 3);
        eventually("the table takes letters again", async || {
            world.settle(vec![world.arrival(&waiting).await]).await == [Outcome::Accepted]
        })
        .await;
    }
}

#[tokio::test]
async fn a_table_adopted_anew_is_tried_at_once() {
    let world = World::new().await;
    world.sql("ALTER TABLE registry.births DROP COLUMN \"Nom\"").await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Deferred]);
    world.sql("ALTER TABLE registry.births ADD \"Nom\" text").await;
    let column =
        json!([{"name": "Ajout", "type": "text", "length_chars_max": null, "nullable": true, "has_default": false}]);
    world.sql(&format!("UPDATE xm.definitions SET columns = columns || '{column}'")).await;
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted]);
}

/// One batch has two faulty letters: a rule refuses a row of the first, and the table of the second lacks a column. The first is refused,
/// the second waits, and the third letter is accepted.
#[tokio::test]
async fn a_letter_refused_by_a_rule_is_refused_beside_one_whose_table_is_altered() {
    let world = World::new().await;
    world.sql(OTHER_TABLE).await;
    world.sql("ALTER TABLE registry.births ADD CONSTRAINT no_zorro CHECK (\"Nom\" <> 'ZORRO')").await;
    world.sql("ALTER TABLE registry.weg DROP COLUMN \"Jumeaux\"").await;
    let mut bad = world.births(42, 1, &[("CE-042", 1)]);
    world.rename(&mut bad, "ZORRO");
    let batch = vec![
        world.arrival(&bad).await,
        world.arrival(&for_weg(&world, 2)).await,
        world.arrival(&world.births(42, 3, &[("CE-042", 3)])).await,
    ];
    let refused = Outcome::Refused(sdc::refusal::RefusalCode::RowsInvalid);
    assert_eq!(world.settle(batch).await, [refused, Outcome::Deferred, Outcome::Accepted]);
}
