//! Tests of letters that leave out a column of the legal key, for which the table has a default. A record that is sent again must still be
//! recognised.

use sdc::letter::Letter;
use serde_json::json;

use super::super::arrival::Outcome;
use super::world::World;

/// Sets up a table with a column of the legal key that has this default.
async fn with_default(kind: &str, default: &str, definition: serde_json::Value) -> World {
    let world = World::new().await;
    world
        .sql(&format!(
            "CREATE SEQUENCE registry.numbers;
             ALTER TABLE registry.births ADD \"Volet\" {kind} NOT NULL DEFAULT {default};
             DROP INDEX registry.\"births_CentreCode_NumeroActe_idx\";
             CREATE UNIQUE INDEX ON registry.births (\"CentreCode\", \"NumeroActe\", \"Volet\") WHERE \"Status\" <> 0;
             UPDATE xm.tables SET legal_key = legal_key || '{{Volet}}'"
        ))
        .await;
    let mut column = json!({"name": "Volet", "nullable": false, "has_default": true});
    column.as_object_mut().unwrap().extend(definition.as_object().unwrap().clone());
    world.sql(&format!("UPDATE xm.definitions SET columns = columns || '[{column}]'")).await;
    world
}

#[tokio::test]
async fn a_record_that_leaves_a_key_column_to_its_default_is_a_duplicate_when_it_comes_again() {
    let text = json!({"type": "text", "length_chars_max": null});
    for (kind, default, definition, explicit) in [
        ("integer", "1", json!({"type": "integer"}), Some(json!(1))),
        ("integer", "length('deux')", json!({"type": "integer"}), Some(json!(4))),
        ("text", "'A?'", text.clone(), Some(json!("A?"))),
        ("varchar(3)", "'é'::text || ''''", text, Some(json!("é'"))),
        ("numeric(5,2)", "1.5", json!({"type": "numeric", "precision": 5, "scale": 2}), Some(json!("1.50"))),
        ("boolean", "false", json!({"type": "boolean"}), Some(json!(false))),
        ("date", "'2020-02-29'", json!({"type": "date"}), Some(json!("2020-02-29"))),
        ("date", "CURRENT_DATE", json!({"type": "date"}), None),
        ("time", "'08:30'", json!({"type": "time"}), Some(json!("08:30"))),
        (
            "timestamptz",
            "'2020-01-01T00:00:00Z'",
            json!({"type": "timestamptz"}),
            Some(json!("2020-01-01T01:00:00+01:00")),
        ),
        (
            "uuid",
            "'00000000-0000-0000-0000-000000000001'",
            json!({"type": "uuid"}),
            Some(json!("00000000-0000-0000-0000-000000000001")),
        ),
        ("bytea", "decode(repeat('00', 100), 'hex')", json!({"type": "bytea"}), None),
    ] {
        let world = with_default(kind, default, definition).await;
        let record = |sequence, numero| {
            let mut letter = world.births(42, sequence, &[("CE-042", 7)]);
            world.set_numeros(&mut letter, &[numero]);
            letter
        };
        let mut said = record(4, 103);
        world.set_column(&mut said, "Volet", &explicit.clone().unwrap_or_default());
        let mut letters = vec![record(1, 100), record(2, 101)];
        assert_eq!(
            world.settle_or_apart(&letters.iter().collect::<Vec<_>>()).await,
            [Outcome::Accepted; 2],
            "{default}"
        );
        letters.extend([record(3, 102)]);
        letters.extend(explicit.map(|_| said));
        let later: Vec<&Letter> = letters[2..].iter().collect();
        assert!(world.settle_or_apart(&later).await.iter().all(|outcome| *outcome == Outcome::Accepted), "{default}");
        for (letter, new) in letters.iter().zip([1, 0, 0, 0]) {
            let receipt = world.receipt(letter).await;
            assert_eq!((receipt.rows[0].new, receipt.rows[0].duplicate), (new, 1 - new), "{kind} {default}");
        }
    }
}

#[tokio::test]
async fn a_key_column_that_the_table_numbers_or_a_letter_fills_otherwise_makes_another_record() {
    let number = json!({"type": "integer"});
    let world = with_default("integer", "nextval('registry.numbers')", number.clone()).await;
    for (sequence, numero) in [(1, 100), (2, 101)] {
        let mut letter = world.births(42, sequence, &[("CE-042", 7)]);
        world.set_numeros(&mut letter, &[numero]);
        assert_eq!(world.settle_or_apart(&[&letter]).await, [Outcome::Accepted]);
        assert_eq!(world.receipt(&letter).await.rows[0].new, 1);
    }
    let mut same = world.births(42, 3, &[("CE-042", 7)]);
    world.set_numeros(&mut same, &[100]);
    assert_eq!(world.settle_or_apart(&[&same]).await, [Outcome::Accepted]);
    assert_eq!(world.receipt(&same).await.rows[0].duplicate, 1, "by the sender's own number");

    let world = with_default("integer", "1", number).await;
    assert_eq!(world.settle_or_apart(&[&world.births(42, 1, &[("CE-042", 7)])]).await, [Outcome::Accepted]);
    let mut other = world.births(42, 2, &[("CE-042", 7)]);
    world.set_numeros(&mut other, &[101]);
    world.set_column(&mut other, "Volet", &json!(2));
    assert_eq!(world.settle_or_apart(&[&other]).await, [Outcome::Accepted]);
    assert_eq!(world.receipt(&other).await.rows[0].new, 1);
}
