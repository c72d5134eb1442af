//! The body of `correct`: replacements and cancellations of records already sent, each with its reason.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::expected::Expected;
use crate::json::malformed;
use crate::json::members::{array, members, name, take, text};
use crate::limits::PayloadLimits;
use crate::names::folded;
use crate::printable::steers;
use crate::refusal::Refusal;

/// Maximum number of corrections in one letter.
const CORRECTIONS_MAX: usize = 100;
/// Maximum number of characters of a reason, and of a reference.
const REASON_CHARS_MAX: usize = 500;
/// 2^53: the largest number that every JSON library holds exactly (RFC 8259 6).
const NUMERO_MAX: i64 = 1 << 53;

/// Corrections of records of one application; all of them take effect, or none.
#[derive(Clone, PartialEq, Serialize)]
pub struct Corrections {
    /// The family of tables, such as `election`.
    pub application: String,
    /// The corrections, at least one.
    pub corrections: Vec<Correction>,
}

/// The correction of one record.
#[derive(Clone, PartialEq, Serialize)]
pub struct Correction {
    /// The table's name within its application.
    pub table: String,
    /// Name of the record that is corrected.
    pub record: RecordName,
    /// Whether the record is replaced or cancelled.
    pub action: CorrectionAction,
    /// Columns that change, once each; empty where the record is cancelled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// New values, in the order of `columns`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Value>,
    /// Why the record is corrected, on one line.
    pub reason: String,
    /// Document that proves the correction, such as the number of the minutes, on one line.
    pub reference: String,
}

/// How a correction identifies its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RecordName {
    /// The installation that sent the record, and the record's number there.
    Identity {
        /// Name of the installation that sent the record.
        installation: String,
        /// Number of the record in that installation.
        numero: i64,
    },
    /// The legal key of the record.
    Key {
        /// Value of each column of the key, by the column's name.
        key: BTreeMap<String, Value>,
    },
}

/// What a correction does to its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CorrectionAction {
    /// The record gets other values.
    Replace,
    /// The record is no longer valid.
    Cancel,
}

impl CorrectionAction {
    /// Returns `replace` or `cancel`.
    pub fn as_str(self) -> &'static str {
        match self {
            CorrectionAction::Replace => "replace",
            CorrectionAction::Cancel => "cancel",
        }
    }
}

// `Debug` shows no content: names of people do not belong in a log.
impl fmt::Debug for Corrections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Corrections({}, {})", self.application, self.corrections.len())
    }
}

impl fmt::Debug for Correction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Correction({} of {})", self.action.as_str(), self.table)
    }
}

/// Reads the body from its JSON.
pub(super) fn read(body: Value, limits: &PayloadLimits) -> Result<Corrections, Refusal> {
    let [application, corrections] = members(body, "body", &["application", "corrections"])?;
    let application = name(application, "body.application")?;
    let corrections = array(corrections, "body.corrections", CORRECTIONS_MAX)?;
    let mut read = Vec::with_capacity(corrections.len());
    for (index, entry) in corrections.into_iter().enumerate() {
        read.push(correction(entry, &format!("body.corrections[{index}]"), limits)?);
    }
    Ok(Corrections { application, corrections: read })
}

fn correction(mut entry: Value, path: &str, limits: &PayloadLimits) -> Result<Correction, Refusal> {
    let mut taken = |name: &str| entry.as_object_mut().and_then(|object| object.remove(name));
    let (columns, values) = (taken("columns"), taken("values"));
    let [table, record, action, reason, reference] =
        members(entry, path, &["table", "record", "action", "reason", "reference"])?;
    let table = name(table, format_args!("{path}.table"))?;
    let record = record_name(record, &format!("{path}.record"), limits)?;
    let action = match action.as_str() {
        Some("replace") => CorrectionAction::Replace,
        Some("cancel") => CorrectionAction::Cancel,
        _ => return Err(malformed(format_args!("{path}.action"), Expected::CorrectionAction)),
    };
    let (columns, values) = match (action, columns, values) {
        (CorrectionAction::Cancel, None, None) => (Vec::new(), Vec::new()),
        (CorrectionAction::Cancel, _, _) => return Err(malformed(path, Expected::NoValues)),
        (CorrectionAction::Replace, columns, values) => {
            changes(columns.unwrap_or_default(), values.unwrap_or_default(), path, limits)?
        }
    };
    let reason = line(reason, format_args!("{path}.reason"))?;
    let reference = line(reference, format_args!("{path}.reference"))?;
    Ok(Correction { table, record, action, columns, values, reason, reference })
}

fn record_name(record: Value, path: &str, limits: &PayloadLimits) -> Result<RecordName, Refusal> {
    let expected = || malformed(path, Expected::RecordName);
    let Value::Object(mut object): Value = record else { return Err(expected()) };
    let named = match (object.len(), object.contains_key("key")) {
        (1, true) => key(take(&mut object, "key"), limits).map(|key| RecordName::Key { key }),
        (2, false) => {
            let installation = text(take(&mut object, "installation")).filter(|name| is_installation(name));
            let numero = take(&mut object, "numero").as_i64().filter(|numero| (1..=NUMERO_MAX).contains(numero));
            installation.zip(numero).map(|(installation, numero)| RecordName::Identity { installation, numero })
        }
        _ => None,
    };
    named.ok_or_else(expected)
}

fn key(value: Value, limits: &PayloadLimits) -> Option<BTreeMap<String, Value>> {
    let Value::Object(object): Value = value else { return None };
    let names: HashSet<String> = object.keys().map(|name| folded(name)).collect();
    let is_sound = (1..=limits.columns_max).contains(&object.len())
        && names.len() == object.len()
        && object.iter().all(|(name, value)| crate::json::members::is_name(name) && is_cell(value) && !value.is_null());
    is_sound.then(|| object.into_iter().collect())
}

fn changes(
    columns: Value,
    values: Value,
    path: &str,
    limits: &PayloadLimits,
) -> Result<(Vec<String>, Vec<Value>), Refusal> {
    let path_of = |member: &str| format!("{path}.{member}");
    let (mut read, mut names) = (Vec::new(), HashSet::new());
    for column in array(columns, path_of("columns"), limits.columns_max)? {
        let column = name(column, path_of("columns"))?;
        if !names.insert(folded(&column)) {
            return Err(malformed(path_of("columns"), Expected::ColumnOnce));
        }
        read.push(column);
    }
    let values = array(values, path_of("values"), limits.columns_max)?;
    if values.len() != read.len() || !values.iter().all(is_cell) {
        return Err(malformed(path_of("values"), Expected::ValuePerColumn));
    }
    Ok((read, values))
}

fn is_cell(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

fn line(value: Value, path: fmt::Arguments<'_>) -> Result<String, Refusal> {
    let is_plain = |text: &String| {
        (1..=REASON_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(steers) && !text.trim().is_empty()
    };
    text(value).filter(is_plain).ok_or_else(|| malformed(path, Expected::PlainLine(REASON_CHARS_MAX)))
}

fn is_installation(text: &str) -> bool {
    let is_plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with('-')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(correction: &Value) -> Value {
        json!({"application": "election", "corrections": [correction]})
    }

    fn sound() -> Value {
        json!({"table": "ResultatBureau", "record": {"key": {"ElectionCode": "PR26", "BureauCode": "0117"}}, "action": "replace",
               "columns": ["Exprimes"], "values": [140], "reason": "counted twice", "reference": "PV 88/117"})
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        let cancel = json!({"table": "VoixCandidat", "record": {"installation": "main", "numero": 7}, "action": "cancel",
                            "reason": "sent for another station", "reference": "PV 88/117"});
        for correction in [sound(), cancel] {
            let read = read(body(&correction), &PayloadLimits::default()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), body(&correction));
        }
    }

    #[test]
    fn whatever_is_not_of_this_form_is_refused_with_its_place() {
        let with = |member: &str, value: Value| {
            let mut correction = sound();
            correction[member] = value;
            correction
        };
        let without = |member: &str| {
            let mut correction = sound();
            correction.as_object_mut().unwrap().remove(member);
            correction
        };
        for (correction, path) in [
            (with("more", json!(1)), "body.corrections[0]"),
            (without("reason"), "body.corrections[0]"),
            (with("reason", json!("")), "body.corrections[0].reason"),
            (with("reason", json!(" ")), "body.corrections[0].reason"),
            (with("reason", json!("a\nb")), "body.corrections[0].reason"),
            (with("reference", json!("é".repeat(501))), "body.corrections[0].reference"),
            (with("action", json!("erase")), "body.corrections[0].action"),
            (with("action", json!("cancel")), "body.corrections[0]"),
            (without("values"), "body.corrections[0].values"),
            (with("values", json!([1, 2])), "body.corrections[0].values"),
            (with("values", json!([[1]])), "body.corrections[0].values"),
            (with("columns", json!([])), "body.corrections[0].columns"),
            (with("columns", json!(["a", "A"])), "body.corrections[0].columns"),
            (with("record", json!({})), "body.corrections[0].record"),
            (with("record", json!({"key": {}})), "body.corrections[0].record"),
            (with("record", json!({"key": {"a": null}})), "body.corrections[0].record"),
            (with("record", json!({"key": {"a": 1, "A": 1}})), "body.corrections[0].record"),
            (with("record", json!({"installation": "main", "numero": 0})), "body.corrections[0].record"),
            (with("record", json!({"installation": "-", "numero": 1})), "body.corrections[0].record"),
            (with("record", json!({"installation": "main", "numero": 1, "key": {}})), "body.corrections[0].record"),
        ] {
            let refusal = read(body(&correction), &PayloadLimits::default()).unwrap_err();
            assert_eq!(refusal.parameters.get("path").map(String::as_str), Some(path), "{correction}");
        }
        let many = json!({"application": "election", "corrections": vec![sound(); CORRECTIONS_MAX + 1]});
        assert!(read(many, &PayloadLimits::default()).is_err());
    }
}
