//! Values by type, and what examination names.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::values::ColumnValues;
use super::{TableRows, checks};
use crate::definition::{Check, Column, ColumnType, Comparison, Corrections, Definition, Severity, Term};

fn read(kind: ColumnType, value: &Value) -> Result<String, (String, String)> {
    let column = Column { name: "c".to_owned(), kind, nullable: false, has_default: false };
    let mut faults = Vec::new();
    let values = ColumnValues::read(&column, std::slice::from_ref(value), &mut |row, rule, expected| {
        assert_eq!(row, 0);
        faults.push((rule.to_owned(), expected));
    });
    match faults.pop() {
        Some(fault) => Err(fault),
        None => Ok(values.text(0)),
    }
}

#[test]
fn every_type_takes_its_own_form_and_no_other() {
    let numeric = ColumnType::Numeric { precision: Some(6), scale: Some(2) };
    let text = ColumnType::Text { length_chars_max: Some(3) };
    let good: [(ColumnType, Value, &str); 18] = [
        (ColumnType::Smallint, json!(-32768), "-32768"),
        (ColumnType::Integer, json!(2_147_483_647), "2147483647"),
        (ColumnType::Bigint, json!(i64::MIN), "-9223372036854775808"),
        (numeric, json!("1234.50"), "1234.5"),
        (numeric, json!("-0.00"), "0"),
        (numeric, json!("001.5"), "1.5"),
        (numeric, json!(12), "12"),
        (ColumnType::Boolean, json!(true), "true"),
        (text, json!("N'É"), "N'É"),
        (text, json!(""), ""),
        (ColumnType::Date, json!("2024-02-29"), "2024-02-29"),
        (ColumnType::Time, json!("23:59"), "23:59:00"),
        (ColumnType::Time, json!("23:59:59"), "23:59:59"),
        (ColumnType::Timestamptz, json!("2026-11-23T15:00:00+01:00"), "2026-11-23 14:00:00 UTC"),
        (ColumnType::Uuid, json!("0193A6B0-0000-7000-8000-000000000001"), "0193a6b0-0000-7000-8000-000000000001"),
        (ColumnType::Bytea, json!("AP8="), "00ff"),
        (ColumnType::Bytea, json!(""), ""),
        (ColumnType::Text { length_chars_max: None }, json!("'; DROP TABLE x; --"), "'; DROP TABLE x; --"),
    ];
    for (kind, value, expected) in good {
        assert_eq!(read(kind, &value).as_deref(), Ok(expected), "{kind:?} {value}");
    }
    let bad: [(ColumnType, Value, &str); 27] = [
        (ColumnType::Smallint, json!(32768), "range"),
        (ColumnType::Integer, json!(2_147_483_648_i64), "range"),
        (ColumnType::Integer, json!("12"), "type"),
        (ColumnType::Integer, json!(true), "type"),
        (ColumnType::Bigint, json!(null), "not_null"),
        (numeric, json!("12345"), "range"),
        (numeric, json!("1.005"), "range"),
        (numeric, json!("1e3"), "type"),
        (numeric, json!("NaN"), "type"),
        (numeric, json!("."), "type"),
        (numeric, json!("-"), "type"),
        (ColumnType::Numeric { precision: None, scale: None }, json!("9".repeat(101)), "type"),
        (ColumnType::Boolean, json!("true"), "type"),
        (ColumnType::Boolean, json!(1), "type"),
        (text, json!("abcd"), "length"),
        (text, json!(5), "type"),
        (text, json!("a\0"), "type"),
        (ColumnType::Date, json!("2023-02-29"), "type"),
        (ColumnType::Date, json!("23-02-2024"), "type"),
        (ColumnType::Date, json!("infinity"), "type"),
        (ColumnType::Time, json!("24:00"), "type"),
        (ColumnType::Time, json!("23:59:60"), "type"),
        (ColumnType::Timestamptz, json!("2026-11-23 15:00"), "type"),
        (ColumnType::Uuid, json!("not-a-uuid-but-thirty-six-characters"), "type"),
        (ColumnType::Uuid, json!("0193a6b0000070008000000000000001"), "type"),
        (ColumnType::Bytea, json!("AP8"), "type"),
        (ColumnType::Bytea, json!("not base64"), "type"),
    ];
    for (kind, value, rule) in bad {
        let (found, expected) = read(kind, &value).expect_err(&format!("{kind:?} {value}"));
        assert_eq!(found, rule, "{kind:?} {value}");
        assert!(!expected.is_empty(), "{kind:?} {value} says what was expected");
    }
}

#[test]
fn a_date_and_a_time_have_one_form() {
    let dates = ["-024-02-23", "+024-02-23", "2024-+2-23", "24-02-03", "2024-2-03", "2024-02-3", "2024- 2-23"]
        .into_iter()
        .chain(["0000-02-23", "2024-13-01", "2024-02-2\u{0663}"])
        .map(|text| (ColumnType::Date, text));
    let times = ["2026-11-23 15:00:00Z", "2026-11-23T15:00:60Z", "0000-01-01T00:00:00Z", "\u{0663}"]
        .map(|text| (ColumnType::Timestamptz, text));
    let hours =
        [" 9:05", "9:05", "12:60", "12-30", "12:30:", "12:30:5", "12:30-05", "+1:30", "1\u{0663}:30", "12:30:05.5"]
            .map(|text| (ColumnType::Time, text));
    for (kind, text) in dates.chain(hours).chain(times) {
        assert_eq!(read(kind, &json!(text)).unwrap_err().0, "type", "{kind:?} {text}");
    }
    assert!(read(ColumnType::Date, &json!("0001-01-01")).is_ok());
    assert!(read(ColumnType::Time, &json!("00:00:00")).is_ok());
}

#[test]
fn same_values_are_the_same_and_null_is_not_empty_text() {
    let column = Column {
        name: "c".to_owned(),
        kind: ColumnType::Text { length_chars_max: None },
        nullable: true,
        has_default: false,
    };
    let values = ColumnValues::read(&column, &[json!(null), json!(""), json!("x"), json!("x")], &mut |_, _, _| {
        panic!("no fault is expected")
    });
    assert!(values.same(2, &values, 3));
    assert!(!values.same(0, &values, 1), "NULL and empty text differ");
    assert!(values.same(0, &values, 0));
}

/// A table of whole numbers, as a letter brings it.
fn whole_numbers(name: &str, columns: &[(&str, Vec<i64>)], checks: Vec<Check>) -> TableRows {
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        kind: ColumnType::Bigint,
        nullable: false,
        has_default: false,
    };
    let definition = Definition {
        table_id: 1,
        application: "election".to_owned(),
        name: name.to_owned(),
        schema_name: "election".to_owned(),
        relation_name: name.to_owned(),
        version: 1,
        scope_column: None,
        legal_key: Vec::new(),
        corrections: Corrections::Never,
        checks,
        columns: columns.iter().map(|(name, _)| column(name)).collect(),
    };
    let values = columns.iter().zip(&definition.columns).map(|((_, values), column)| {
        let values: Vec<Value> = values.iter().map(|value| json!(value)).collect();
        ColumnValues::read(column, &values, &mut |_, _, _| panic!("no fault is expected"))
    });
    let numeros = (1..).take(columns[0].1.len()).collect();
    TableRows {
        columns: (0..columns.len()).collect(),
        values: values.collect(),
        numeros,
        definition: definition.into(),
    }
}

#[test]
fn sums_over_another_table_go_by_the_columns_agreed_on_and_take_no_longer_for_being_many() {
    const OFFICES: i64 = 10_000;
    let check = Check {
        code: "C4".to_owned(),
        left: vec![Term::Column("Exprimes".to_owned())],
        comparison: Comparison::Equal,
        right: vec![Term::Sum {
            table: "VoixCandidat".to_owned(),
            sum: "Voix".to_owned(),
            on: vec!["Bureau".to_owned()],
        }],
        severity: Severity::Refuse,
    };
    // Two candidates have 3 and 4 voices everywhere; in one office somebody counted eight, and one has no voices at all.
    let offices: Vec<i64> = (1..=OFFICES).collect();
    let counted = offices.iter().map(|office| if *office == 5000 { 8 } else { 7 }).collect();
    let both: Vec<i64> = offices.iter().chain(&offices).copied().filter(|office| *office != 9999).collect();
    let voices = (0..both.len()).map(|at| if at < both.len() / 2 { 3 } else { 4 }).collect();
    let tables = [
        whole_numbers("ResultatBureau", &[("Bureau", offices), ("Exprimes", counted)], vec![check]),
        whole_numbers("VoixCandidat", &[("Bureau", both), ("Voix", voices)], Vec::new()),
    ];
    let started = Instant::now();
    let mut faults = Vec::new();
    checks::check(&tables, &mut faults);
    let found: Vec<(u32, &str)> = faults.iter().map(|fault| (fault.row, fault.expected.as_str())).collect();
    let expected = [
        (5000, "Exprimes 8 (8) = sum of VoixCandidat.Voix 7 (7)"),
        (9999, "Exprimes 7 (7) = sum of VoixCandidat.Voix 0 (0)"),
    ];
    assert_eq!(found, expected);
    // One by one, 200 million comparisons of made-up texts would take minutes.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
