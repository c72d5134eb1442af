//! Values by type, and what examination names.

use serde_json::{Value, json};

use super::values::ColumnValues;
use crate::definition::{Column, ColumnType};

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
