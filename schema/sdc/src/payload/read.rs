//! From strict JSON to a letter or an answer. Version first, then the letter's key, then everything else.

use std::collections::HashSet;
use std::fmt::{self, Display};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::{Uuid, Variant};

use super::json::{Document, malformed};
use super::{LetterKey, PayloadLimits, Unreadable};
use crate::letter::{Answer, FORMAT_VERSION, Letter, Mode, Records, Request, TableRecords};
use crate::moment;
use crate::names::folded;
use crate::refusal::{Refusal, RefusalCode};

const LETTER: &[&str] = &["sdc", "id", "from", "to", "sequence", "time", "mode", "service", "body"];
const ANSWER: &[&str] = &["sdc", "id", "from", "to", "time", "mode", "receipt"];

/// 2^53: the largest number that every JSON library holds exactly (RFC 8259 6).
const SEQUENCE_MAX: u64 = 1 << 53;

/// What PostgreSQL lets a name have (NAMEDATALEN less one).
const NAME_OCTETS_MAX: usize = 63;

/// Reads a letter from its JSON.
pub fn letter(json: &[u8], limits: &PayloadLimits) -> Result<Letter, Unreadable> {
    let document = Document::divide(json).map_err(|refusal| Unreadable { refusal, key: None })?;
    let head = Head { document, limits };
    head.letter().map_err(|refusal| Unreadable { refusal, key: head.key().ok().map(Box::new) })
}

/// Reads an answer from its JSON.
pub fn answer(json: &[u8], limits: &PayloadLimits) -> Result<Answer, Refusal> {
    let head = Head { document: Document::divide(json)?, limits };
    let sdc = head.version()?;
    head.document.admit(ANSWER)?;
    Ok(Answer {
        sdc,
        id: head.id()?,
        from: head.server("from")?,
        to: head.typed("to", "an agency, and an installation where known")?,
        time: head.time()?,
        mode: head.mode()?,
        receipt: head.typed("receipt", "a receipt")?,
    })
}

/// The members about a letter, as opposed to its body.
struct Head<'a> {
    document: Document<'a>,
    limits: &'a PayloadLimits,
}

impl Head<'_> {
    fn letter(&self) -> Result<Letter, Refusal> {
        let sdc = self.version()?;
        self.document.admit(LETTER)?;
        let LetterKey { id, from, to, sequence, mode } = self.key()?;
        let time = self.time()?;
        let request = self.request()?;
        Ok(Letter { sdc, id, from, to, sequence, time, mode, request })
    }

    fn key(&self) -> Result<LetterKey, Refusal> {
        let from = self.typed("from", "an agency from 1 to 999999 and an installation")?;
        let key =
            LetterKey { id: self.id()?, from, to: self.server("to")?, sequence: self.sequence()?, mode: self.mode()? };
        if !is_installation(&key.from.installation) {
            return Err(malformed("from.installation", "1 to 32 of a-z, 0-9 and -, not beginning with -"));
        }
        Ok(key)
    }

    fn member(&self, name: &'static str) -> Result<Value, Refusal> {
        self.document.member(name, self.limits)
    }

    fn typed<T: DeserializeOwned + Serialize>(&self, name: &'static str, expected: &str) -> Result<T, Refusal> {
        let value = self.member(name)?;
        // serde's own message quotes the value.
        let read: T = serde_json::from_value(value.clone()).map_err(|_quotes| malformed(name, expected))?;
        // serde admits other forms: an object's values in an array, a variant as an object, null for what is absent.
        let is_our_form = serde_json::to_value(&read).is_ok_and(|written| written == value);
        if is_our_form { Ok(read) } else { Err(malformed(name, expected)) }
    }

    fn version(&self) -> Result<u16, Refusal> {
        let version = self.member("sdc")?.as_u64().ok_or_else(|| malformed("sdc", "a format version"))?;
        if version == u64::from(FORMAT_VERSION) {
            return Ok(FORMAT_VERSION);
        }
        let refusal = Refusal::new(RefusalCode::VersionUnsupported);
        Err(refusal.with("expected", FORMAT_VERSION).with("found", version))
    }

    fn id(&self) -> Result<Uuid, Refusal> {
        let text = text(self.member("id")?);
        let id = text.as_deref().and_then(|text| Uuid::try_parse(text).ok()).filter(|id| {
            let is_v7 = id.get_version_num() == 7 && id.get_variant() == Variant::RFC4122;
            is_v7 && text.as_deref() == Some(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
        });
        id.ok_or_else(|| malformed("id", "a UUID of version 7, in lower case with hyphens"))
    }

    fn server(&self, name: &'static str) -> Result<String, Refusal> {
        text(self.member(name)?)
            .filter(|text| is_name(text))
            .ok_or_else(|| malformed(name, "the name of a server, 1 to 63 octets"))
    }

    fn sequence(&self) -> Result<u64, Refusal> {
        let sequence = self.member("sequence")?.as_u64().filter(|number| (1..=SEQUENCE_MAX).contains(number));
        sequence.ok_or_else(|| malformed("sequence", "an integer from 1 to 9007199254740992"))
    }

    fn time(&self) -> Result<DateTime<Utc>, Refusal> {
        let time = text(self.member("time")?).and_then(|text| moment::read(&text));
        time.ok_or_else(|| malformed("time", moment::EXPECTED))
    }

    fn mode(&self) -> Result<Mode, Refusal> {
        self.typed("mode", "test or live")
    }

    fn request(&self) -> Result<Request, Refusal> {
        let service = text(self.member("service")?).ok_or_else(|| malformed("service", "the name of a service"))?;
        match service.as_str() {
            "export" => Ok(Request::Export(records(self.member("body")?, self.limits)?)),
            _ => {
                let refusal = Refusal::new(RefusalCode::ServiceUnknown);
                Err(if is_service(&service) { refusal.with("service", service) } else { refusal })
            }
        }
    }
}

fn records(body: Value, limits: &PayloadLimits) -> Result<Records, Refusal> {
    let [application, tables] = members(body, "body", ["application", "tables"])?;
    let application = name(application, "body.application")?;
    let tables = array(tables, "body.tables", limits.tables_max)?;
    let mut rows_left = limits.rows_max;
    let mut names = HashSet::new();
    let mut read = Vec::with_capacity(tables.len());
    for (index, entry) in tables.into_iter().enumerate() {
        let path = format_args!("body.tables[{index}]");
        let table = table(entry, path, rows_left, limits)?;
        rows_left -= table.row_count();
        if !names.insert(folded(&table.table)) {
            return Err(malformed(format_args!("{path}.table"), "each table once, whatever the case of its letters"));
        }
        read.push(table);
    }
    Ok(Records { application, tables: read })
}

// A path is put into words only for a refusal.
fn table(
    entry: Value,
    path: fmt::Arguments<'_>,
    rows_max: usize,
    limits: &PayloadLimits,
) -> Result<TableRecords, Refusal> {
    let [table, columns, values] = members(entry, path, ["table", "columns", "values"])?;
    let table = name(table, format_args!("{path}.table"))?;
    let columns_path = format_args!("{path}.columns");
    let mut names = HashSet::new();
    let mut read = Vec::new();
    for (index, column) in array(columns, columns_path, limits.columns_max)?.into_iter().enumerate() {
        let column = name(column, format_args!("{columns_path}[{index}]"))?;
        if !names.insert(folded(&column)) {
            let expected = "each column once, whatever the case of its letters";
            return Err(malformed(format_args!("{columns_path}[{index}]"), expected));
        }
        read.push(column);
    }
    let values = values_by_column(values, format_args!("{path}.values"), read.len(), rows_max)?;
    Ok(TableRecords { table, columns: read, values })
}

fn values_by_column(
    values: Value,
    path: fmt::Arguments<'_>,
    columns: usize,
    rows_max: usize,
) -> Result<Vec<Vec<Value>>, Refusal> {
    let Value::Array(arrays) = values else { return Err(malformed(path, "an array per column")) };
    if arrays.len() != columns {
        return Err(malformed(path, &format!("{columns} arrays, one per column")));
    }
    let mut read: Vec<Vec<Value>> = Vec::with_capacity(columns);
    for (index, column) in arrays.into_iter().enumerate() {
        let column = array(column, format_args!("{path}[{index}]"), rows_max)?;
        if let Some(first) = read.first().filter(|first| first.len() != column.len()) {
            return Err(malformed(format_args!("{path}[{index}]"), &format!("{} values as in [0]", first.len())));
        }
        if let Some(row) = column.iter().position(|value| value.is_array() || value.is_object()) {
            let expected = "text, an integer, true, false or null";
            return Err(malformed(format_args!("{path}[{index}][{row}]"), expected));
        }
        read.push(column);
    }
    Ok(read)
}

/// Takes an object apart that has these members and no others.
fn members<const N: usize>(value: Value, path: impl Display, names: [&str; N]) -> Result<[Value; N], Refusal> {
    let expected = || malformed(&path, &format!("an object of {}", names.join(", ")));
    let Value::Object(mut object): Value = value else { return Err(expected()) };
    let complete = object.len() == N && names.iter().all(|name| object.contains_key(*name));
    if !complete {
        return Err(expected());
    }
    Ok(names.map(|name| take(&mut object, name)))
}

fn take(object: &mut Map<String, Value>, name: &str) -> Value {
    object.remove(name).unwrap_or_default()
}

fn array(value: Value, path: impl Display, length_max: usize) -> Result<Vec<Value>, Refusal> {
    match value {
        Value::Array(array) if (1..=length_max).contains(&array.len()) => Ok(array),
        _ => Err(malformed(path, &format!("an array of 1 to {length_max}"))),
    }
}

fn name(value: Value, path: impl Display) -> Result<String, Refusal> {
    text(value).filter(|text| is_name(text)).ok_or_else(|| malformed(path, "a name of 1 to 63 octets"))
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

// Names come back in refusals and logs: bounded, and on one line.
fn is_name(text: &str) -> bool {
    (1..=NAME_OCTETS_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn is_service(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_')
}

fn is_installation(text: &str) -> bool {
    let is_plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with('-')
}
