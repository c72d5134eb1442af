//! Examines one value of a record by the type of its column. Centre and offices use the same rules, so that an office learns of a wrong
//! value before it packs the record.
//!
//! The centre additionally knows what only its tables can tell: conflicts, rights, checks over several rows.

pub mod cells;
pub mod column;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use cells::{Broken, NOT_NULL, TYPE, TextRules};
use column::{Column, ColumnType};

/// Examines a value. Returns it in the one form in which the column keeps it: equal values are equal JSON.
///
/// # Errors
/// The rule that the value breaks, and what a right value would be.
pub fn value(column: &Column, value: &Value) -> Result<Value, Broken> {
    if value.is_null() {
        return if column.nullable { Ok(Value::Null) } else { Err(NOT_NULL.with("a value")) };
    }
    Ok(match column.kind {
        ColumnType::Smallint => cells::integer::<i16>(value)?.into(),
        ColumnType::Integer => cells::integer::<i32>(value)?.into(),
        ColumnType::Bigint => cells::integer::<i64>(value)?.into(),
        ColumnType::Numeric { precision, scale } => cells::numeric(value, precision, scale)?.into(),
        ColumnType::Boolean => cells::boolean(value)?.into(),
        ColumnType::Text { length_chars_max, padded } => {
            cells::text(value, TextRules { length_chars_max, padded, multiline: column.multiline })?.into()
        }
        ColumnType::Date => cells::date(value)?.to_string().into(),
        ColumnType::Time => cells::time(value)?.to_string().into(),
        ColumnType::Timestamptz { fraction_digits } => {
            let moment = cells::timestamptz(value, fraction_digits)?;
            moment.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true).into()
        }
        ColumnType::Uuid => cells::uuid(value)?.to_string().into(),
        ColumnType::Bytea => BASE64.encode(cells::octets(value)?).into(),
    })
}

/// Reads what a person typed for a column, or what a file of comma-separated values has, and examines it. An empty text is NULL.
///
/// # Errors
/// The rule that the text breaks, and what a right value would be.
pub fn typed(column: &Column, text: &str) -> Result<Value, Broken> {
    if text.is_empty() {
        return value(column, &Value::Null);
    }
    let read = match column.kind {
        ColumnType::Smallint | ColumnType::Integer | ColumnType::Bigint => {
            Value::from(text.trim().parse::<i64>().map_err(|_no_number| TYPE.with("a whole number"))?)
        }
        ColumnType::Boolean => match text.trim() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err(TYPE.with("true or false")),
        },
        ColumnType::Text { .. } => Value::from(crate::names::composed(text)),
        _ => Value::from(text.trim()),
    };
    value(column, &read)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn column(kind: ColumnType) -> Column {
        Column { name: "X".to_owned(), kind, nullable: false, has_default: false, multiline: false }
    }

    #[test]
    fn what_a_person_types_becomes_the_value_that_the_centre_takes() {
        let text = ColumnType::Text { length_chars_max: Some(4), padded: true };
        let amount = ColumnType::Numeric { precision: Some(6), scale: Some(2) };
        for (kind, typed_text, expected) in [
            (ColumnType::Smallint, "2026", Ok(json!(2026))),
            (ColumnType::Smallint, "40000", Err("range")),
            (ColumnType::Integer, "1.5", Err("type")),
            (amount, "01.50", Ok(json!("1.5"))),
            (amount, "1.505", Err("precision")),
            (ColumnType::Boolean, "true", Ok(json!(true))),
            (ColumnType::Boolean, "oui", Err("type")),
            // The accent is a character of its own here; letters are in NFC.
            (text, "E\u{301}de\u{301}", Ok(json!("Édé"))),
            (text, "M   ", Ok(json!("M"))),
            (text, "Bertoua", Err("length")),
            (text, "a\u{1b}", Err("characters")),
            (ColumnType::Date, "2026-02-29", Err("type")),
            (ColumnType::Date, "2026-11-02", Ok(json!("2026-11-02"))),
            (ColumnType::Time, "08:15", Ok(json!("08:15:00"))),
            (
                ColumnType::Timestamptz { fraction_digits: Some(0) },
                "2026-11-02T08:15:00+01:00",
                Ok(json!("2026-11-02T07:15:00Z")),
            ),
            (
                ColumnType::Uuid,
                "8F14E45F-CEEA-467F-A8B5-1F0D3C2B9A77",
                Ok(json!("8f14e45f-ceea-467f-a8b5-1f0d3c2b9a77")),
            ),
            (ColumnType::Bytea, "AQI=", Ok(json!("AQI="))),
            (ColumnType::Bytea, "%", Err("type")),
            (ColumnType::Date, "", Err("not_null")),
        ] {
            let read = typed(&column(kind), typed_text).map_err(|broken| broken.rule);
            assert_eq!(read, expected, "{kind:?} {typed_text:?}");
        }
        assert_eq!(
            typed(&Column { nullable: true, ..column(ColumnType::Date) }, "").map_err(|b| b.rule),
            Ok(Value::Null)
        );
    }
}
