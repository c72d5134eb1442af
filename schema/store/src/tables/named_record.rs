//! The name of a record: its table and the values of its legal key. People find a record by this name, on paper and in the audit log.

use std::collections::BTreeMap;

use sdc::names::same;
use serde::Serialize;
use serde_json::Value;

/// A record's table and legal key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedRecord {
    /// Full name of the table, such as `ecr.ActeNaissance`.
    pub table: String,
    /// Values of the legal key as text, by column.
    pub key: BTreeMap<String, String>,
}

impl NamedRecord {
    /// Names the record of a row that an operator reads; `None` if the row lacks a column of the legal key. A correction has the legal key
    /// among the values `before`.
    pub fn of_row(table: &str, legal_key: &[String], content: &Value) -> Option<NamedRecord> {
        NamedRecord::of_values(table, legal_key, content)
            .or_else(|| NamedRecord::of_values(table, legal_key, content.get("before")?))
    }

    /// Names the record with these values, in the order of the legal key; `None` if there are more or fewer values than columns.
    pub fn given(table: &str, legal_key: &[String], values: &[String]) -> Option<NamedRecord> {
        let key = legal_key.iter().cloned().zip(values.iter().cloned()).collect();
        (values.len() == legal_key.len()).then(|| NamedRecord { table: table.to_owned(), key })
    }

    fn of_values(table: &str, legal_key: &[String], content: &Value) -> Option<NamedRecord> {
        let content = content.as_object()?;
        let value = |column: &String| {
            let (_, value) = content.iter().find(|(name, _)| same(name, column))?;
            Some((column.clone(), as_text(value)?))
        };
        let key = legal_key.iter().map(value).collect::<Option<_>>()?;
        Some(NamedRecord { table: table.to_owned(), key })
    }
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_named_by_its_legal_key_wherever_a_row_has_it() {
        let legal_key = ["CentreCode", "NumeroActe"].map(str::to_owned);
        let named = NamedRecord::given("ecr.ActeNaissance", &legal_key, &["C01".to_owned(), "17".to_owned()]).unwrap();
        for row in [
            json!({ "centrecode": "C01", "NumeroActe": 17, "Nom": "Ngo" }),
            json!({ "action": "cancel", "before": { "CentreCode": "C01", "NumeroActe": 17 }, "after": {} }),
        ] {
            assert_eq!(NamedRecord::of_row("ecr.ActeNaissance", &legal_key, &row).as_ref(), Some(&named), "{row}");
        }
        for row in [json!({ "CentreCode": "C01" }), json!({ "CentreCode": "C01", "NumeroActe": null }), json!(1)] {
            assert_eq!(NamedRecord::of_row("ecr.ActeNaissance", &legal_key, &row), None, "{row}");
        }
        assert_eq!(NamedRecord::given("ecr.ActeNaissance", &legal_key, &["C01".to_owned()]), None);
    }
}
