//! Tests that a table contains exactly what was sent, whatever its columns are, and that a record that is sent again is recognised.

use sdc::refusal::RefusalCode;
use serde_json::{Value, json};

use super::lab::{AGENCY, Lab, OPERATOR, case, fault, keyed, row, table};
use crate::agencies::scopes;
use crate::tables::Change;

#[tokio::test]
async fn names_beyond_ascii_are_found_whatever_their_case() {
    let (sql, definitions, body) = case!("column-names-with-accents");
    Lab::adopting(sql, definitions).await.send_twice(body, 1).await;

    // The scope column has a Greek name with a final sigma, and the key has a Cyrillic name. The letter, the definition file and the grant
    // spell these names in different case.
    let sql = table(r#""Νομός" text NOT NULL, "Номер" text NOT NULL, "Größe" integer"#);
    let mut lab = Lab::adopting(&sql, &keyed("Номер", "scope = \"Νομός\"")).await;
    let (number, codes) = (AGENCY.try_into().unwrap(), ["01".to_owned()]);
    let mut connection = lab.world.connection().await;
    assert_eq!(scopes::grant(&mut connection, &OPERATOR, number, "ΝΟΜΌΣ", &codes).await.unwrap(), 1);
    drop(connection);
    let body = row("t", &[("ΝΟΜΌΣ", json!("01")), ("НОМЕР", json!("7")), ("GRÖSSE", json!(3))]);
    lab.send_twice(&body, 1).await;
    let elsewhere = row("T", &[("νομός", json!("02")), ("номер", json!("8"))]);
    let refusal = lab.refusal(&elsewhere).await;
    assert_eq!(refusal.code, RefusalCode::OutOfScope);
    assert_eq!(refusal.parameters["granted"], "Νομός: 01");
    assert_eq!(refusal.faults[0].column.as_deref(), Some("Νομός"));
}

#[tokio::test]
async fn a_numeric_of_any_scale_keeps_what_it_takes() {
    let (sql, definitions, body) = case!("numeric-negative-scale");
    Lab::adopting(sql, definitions).await.send_twice(body, 1).await;

    let sql = table(r#""Code" text NOT NULL, "Thousands" numeric(2,-3), "Small" numeric(3,5), "Plain" numeric(4,1)"#);
    let mut lab = Lab::adopting(&sql, &keyed("Code", "")).await;
    let kept =
        [("Code", json!("a")), ("Thousands", json!(99000)), ("Small", json!("0.00999")), ("Plain", json!("99.90"))];
    lab.send_twice(&row("T", &kept), 1).await;
    let text =
        "SELECT count(*) FROM lab.\"T\" WHERE \"Thousands\" = 99000 AND \"Small\" = 0.00999 AND \"Plain\" = 99.9";
    assert_eq!(lab.world.count(text).await, 1);
    for (column, value, rule) in [
        ("Thousands", json!(99500), "precision"),
        ("Thousands", json!("100000"), "range"),
        ("Small", json!("0.01"), "range"),
        ("Plain", json!("0.05"), "precision"),
    ] {
        let refusal = lab.refusal(&row("T", &[("Code", json!("b")), (column, value.clone())])).await;
        assert_eq!(refusal.code, RefusalCode::RowsInvalid);
        assert_eq!(refusal.faults[0].rule, rule, "{column} {value}: {refusal:?}");
    }
}

#[tokio::test]
async fn a_record_that_its_columns_keep_otherwise_than_sent_is_never_a_conflict_with_itself() {
    for (sql, definitions, body) in [case!("char-with-trailing-blank"), case!("char-key-with-trailing-blank")] {
        Lab::adopting(sql, definitions).await.send_twice(body, 1).await;
    }
    let sql = table(
        r#""Code" char(4) NOT NULL, "Whole" timestamptz(0), "Millis" timestamptz(3), "Full" timestamptz, "At" time(0),
           "Name" varchar(4), "Place" char(6) NOT NULL"#,
    );
    let mut lab = Lab::adopting(&sql, &keyed("Code", "scope = \"Place\"")).await;
    let mut connection = lab.world.connection().await;
    let codes = ["C01".to_owned()];
    scopes::grant(&mut connection, &OPERATOR, AGENCY.try_into().unwrap(), "Place", &codes).await.unwrap();
    drop(connection);
    let at = |fraction: &str| json!(format!("2026-11-23T14:05:09{fraction}+01:00"));
    let with = |more: &[(&'static str, Value)]| {
        let mut values = vec![("Code", json!("A  ")), ("Place", json!("C01  "))];
        values.extend(more.iter().cloned());
        row("T", &values)
    };
    let kept = with(&[
        ("Whole", at(".000")),
        ("Millis", at(".125")),
        ("Full", at(".123456")),
        ("At", json!("14:05:09")),
        ("Name", json!("ab  ")),
    ]);
    lab.send_twice(&kept, 1).await;
    // The two records may also be in one letter. Their keys are equal, because blanks at the end are ignored.
    let mut both: Value = serde_json::from_str(&with(&[("Name", json!("x"))])).unwrap();
    for (column, value) in both["tables"][0]["values"].as_array_mut().unwrap().iter_mut().zip([
        json!(2),
        json!(2),
        json!("A"),
        json!("C01"),
        json!("x"),
    ]) {
        column.as_array_mut().unwrap().push(value);
    }
    assert_eq!(lab.refusal(&both.to_string()).await.code, RefusalCode::Conflict, "one key, two contents");
    for (column, value, rule) in [
        ("Whole", at(".5"), "precision"),
        ("Millis", at(".1234"), "precision"),
        ("Full", at(".1234567"), "precision"),
        ("Name", json!("abcd "), "length"),
    ] {
        let refusal = lab.refusal(&with(&[(column, value)])).await;
        assert_eq!((refusal.code, refusal.faults[0].rule.as_str()), (RefusalCode::RowsInvalid, rule), "{column}");
    }
}

#[tokio::test]
async fn a_text_has_several_lines_only_where_its_table_says_so() {
    let sql = table(r#""Code" text NOT NULL, "Note" text, "Name" varchar(20)"#);
    let mut lab = Lab::adopting(&sql, &keyed("Code", "multiline = [\"Note\"]")).await;
    lab.send_twice(&row("T", &[("Code", json!("a")), ("Note", json!("one\r\ntwo\nthree"))]), 1).await;
    for (column, value) in [
        ("Name", json!("one\ntwo")),
        ("Code", json!("a\u{2028}b")),
        ("Note", json!("a\tb")),
        ("Note", json!("\u{1b}[2J")),
        ("Name", json!("\u{202e}txet")),
        ("Note", json!("\u{9b}2J")),
    ] {
        let mut values = vec![("Code", json!("b"))];
        values.retain(|(name, _)| *name != column);
        values.push((column, value));
        let refusal = lab.refusal(&row("T", &values)).await;
        assert_eq!(refusal.faults[0].rule, "characters", "{column}: {refusal:?}");
    }
    // Adopting the table without `multiline` creates a new version of its definition, because offices must know of the change.
    let again = lab.adopt("", &keyed("Code", "")).await.unwrap().remove(0);
    assert_eq!((again.version, again.changes.len()), (2, 1), "{again:?}");
    let Change::ColumnChanged { was, is } = &again.changes[0] else { panic!("{again:?}") };
    assert!(was.multiline && !is.multiline, "{again:?}");
}
