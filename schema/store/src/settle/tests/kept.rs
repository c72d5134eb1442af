//! Tests that a row counts as new only if the database reports that it stored it, and that rows are compared in the form in which the
//! database stores them.

use sdc::letter::Letter;
use sdc::refusal::RefusalCode;
use serde_json::json;

use super::super::arrival::Outcome;
use super::REFUSED;
use super::world::World;

async fn settle_one(world: &World, letter: &Letter) -> Outcome {
    world.settle(vec![world.arrival(letter).await]).await[0]
}

/// Ways in which a table drops the rows named ZORRO or puts them elsewhere. See faults/trigger-returns-null and
/// faults/partition-by-trigger.
const KEEPING_OUT: [&str; 4] = [
    "CREATE FUNCTION registry.skip() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF NEW.\"Nom\" = 'ZORRO' THEN RETURN NULL; END IF; RETURN NEW; END $$;
     CREATE TRIGGER skip BEFORE INSERT ON registry.births FOR EACH ROW EXECUTE FUNCTION registry.skip()",
    "CREATE TABLE registry.births_z (CHECK (\"Nom\" = 'ZORRO')) INHERITS (registry.births);
     CREATE FUNCTION registry.route() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF NEW.\"Nom\" <> 'ZORRO' THEN RETURN NEW; END IF;
                  INSERT INTO registry.births_z VALUES (NEW.*); RETURN NULL; END $$;
     CREATE TRIGGER route BEFORE INSERT ON registry.births FOR EACH ROW EXECUTE FUNCTION registry.route()",
    "CREATE RULE skip AS ON INSERT TO registry.births WHERE NEW.\"Nom\" = 'ZORRO' DO INSTEAD NOTHING",
    "CREATE FUNCTION registry.skip() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RETURN CASE WHEN NEW.\"Nom\" LIKE 'Z%' THEN NULL ELSE NEW END; END $$;
     CREATE TRIGGER skip BEFORE INSERT ON registry.births FOR EACH ROW EXECUTE FUNCTION registry.skip();
     ALTER TABLE registry.births ENABLE ALWAYS TRIGGER skip",
];

#[tokio::test]
async fn a_row_that_the_table_keeps_out_refuses_its_letter_is_named_and_never_charged() {
    for keeping_out in KEEPING_OUT {
        let world = World::new().await;
        world.tariff(100, 0, "owe").await;
        world.sql(keeping_out).await;
        let mut letter = world.births(42, 1, &[("CE-042", 1), ("CE-042", 2), ("CE-042", 3)]);
        world.set_names(&mut letter, &["ABENA", "ZORRO", "BELLO"]);
        let good = world.births(42, 2, &[("CE-042", 4)]);
        let batch = vec![world.arrival(&letter).await, world.arrival(&good).await];
        let expected = [REFUSED(RefusalCode::RowsInvalid), Outcome::Accepted];
        assert_eq!(world.settle(batch).await, expected, "{keeping_out}");
        let refusal = world.receipt(&letter).await.refusal.unwrap();
        let rows: Vec<u32> = refusal.faults.iter().map(|fault| fault.row).collect();
        assert_eq!(rows, [2], "{keeping_out}: {refusal:?}");
        assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 1, "{keeping_out}");
        assert_eq!(world.count("SELECT balance FROM xm.accounts WHERE agency = 42").await, -100);
        // Another letter has only the record that is not kept. It is refused like the first one, and no row is written.
        let mut again = world.births(42, 3, &[("CE-042", 2)]);
        world.rename(&mut again, "ZORRO");
        assert_eq!(settle_one(&world, &again).await, REFUSED(RefusalCode::RowsInvalid), "{keeping_out}");
        assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 1);
    }
}

/// A record is sent three times, with a value that the column stores in another form than it was sent. The second and third time it must be
/// a duplicate. This was wrong in `tests/faults/char-with-trailing-blank`.
#[tokio::test]
async fn a_record_sent_again_is_a_duplicate_as_the_column_keeps_it() {
    // For each column: its type, its definition, the value in the first letter, and the same value in another form.
    let columns = [
        ("char(10)", json!({"type": "text", "length_chars_max": 10}), json!("AB "), json!("AB ")),
        ("char(10)", json!({"type": "text", "length_chars_max": 10}), json!("AB"), json!("AB  ")),
        ("char(10)", json!({"type": "text", "length_chars_max": 10}), json!("É "), json!("É")),
        ("varchar(10)", json!({"type": "text", "length_chars_max": 10}), json!("AB "), json!("AB ")),
        ("numeric(7,2)", json!({"type": "numeric", "precision": 7, "scale": 2}), json!("1.50"), json!("01.5")),
        ("numeric", json!({"type": "numeric", "precision": null, "scale": null}), json!("7.10"), json!("7.1")),
    ];
    for (kind, definition, first, again) in columns {
        let world = World::new().await;
        world.add_column("V", kind, definition).await;
        for (sequence, value, expected) in [(1, &first, (1, 0)), (2, &again, (0, 1)), (3, &first, (0, 1))] {
            let mut letter = world.births(42, sequence, &[("CE-042", 1)]);
            world.set_column(&mut letter, "V", value);
            assert_eq!(settle_one(&world, &letter).await, Outcome::Accepted, "{kind} {value}");
            let receipt = world.receipt(&letter).await;
            assert_eq!((receipt.rows[0].new, receipt.rows[0].duplicate), expected, "{kind} {value}");
        }
        let mut other = world.births(42, 4, &[("CE-042", 1)]);
        world.set_column(&mut other, "V", &json!(if kind.starts_with("numeric") { "9" } else { "OTHER" }));
        assert_eq!(settle_one(&world, &other).await, REFUSED(RefusalCode::Conflict), "{kind}");
    }
}

/// A column of the legal key is of type `char(20)`, which ignores blanks at the end. A record whose key differs only in such a blank must
/// be a duplicate. This was wrong in `tests/faults/char-key-with-trailing-blank`.
#[tokio::test]
async fn a_blank_at_the_end_of_a_key_of_fixed_length_names_the_same_record() {
    let world = World::new().await;
    world.sql("ALTER TABLE registry.births ALTER \"CentreCode\" TYPE char(20)").await;
    world.sql("INSERT INTO xm.scopes (agency, column_name, code) VALUES (42, 'CentreCode', 'CE-042 ')").await;
    for (sequence, code, expected) in [(1, "CE-042 ", (1, 0)), (2, "CE-042 ", (0, 1)), (3, "CE-042", (0, 1))] {
        let mut letter = world.births(42, sequence, &[(code, 1)]);
        // The number is new, as after a reinstallation. Only by the legal key can the record be recognised.
        world.set_numeros(&mut letter, &[100 + sequence]);
        assert_eq!(settle_one(&world, &letter).await, Outcome::Accepted, "{code:?}");
        let receipt = world.receipt(&letter).await;
        assert_eq!((receipt.rows[0].new, receipt.rows[0].duplicate), expected, "{code:?}");
    }
}
