//! The body of `import`: which records the office wants to read.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::{Uuid, Variant};

use crate::expected::Expected;
use crate::json::malformed;
use crate::json::members::{array, members, members_and_optional, name, text};
use crate::refusal::Refusal;

/// Maximum number of octets of a SELECT.
pub const SELECT_OCTETS_MAX: usize = 16 << 10;
/// Maximum number of parts that one letter may ask the centre to send again.
pub const AGAIN_PARTS_MAX: usize = 100;

/// The records, or parts of a former answer, that an office wants to read.
#[derive(Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Import {
    /// Records that a restricted SELECT selects.
    Select {
        /// Text of the SELECT.
        select: String,
        /// Whether the office asks only for number, size and price of the records.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        estimate: bool,
    },
    /// All records of a table, or the records that have changed since a position.
    Table {
        /// The table, and the position from which changes are read.
        #[serde(flatten)]
        selection: Selection,
        /// Whether the office asks only for number, size and price of the records.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        estimate: bool,
    },
    /// Parts of an answer that were lost on the way.
    Again {
        /// The answer, and the numbers of its parts.
        again: Again,
    },
}

/// All records of a table, or only its changed records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// The family of tables, such as `ecr`.
    pub application: String,
    /// The table's name within its application.
    pub table: String,
    /// Position after which a record must have changed; absent where all records are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_since: Option<Position>,
}

/// Parts of a former answer that the centre shall send again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Again {
    /// UUID of the letter that the parts answer.
    pub letter: Uuid,
    /// Numbers of the parts, ascending.
    pub parts: Vec<u16>,
}

/// How far an office has read a table: the number of a transaction of the centre's database, and the epoch of that database. A database
/// that is restored from a backup begins a new epoch and counts its transactions anew, so a number from before the restore means nothing
/// after it. The text form is `EPOCH:HORIZON`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// Number of the database's epoch, from 1.
    pub epoch: u32,
    /// Number of the first transaction whose changes the office may not have read.
    pub horizon: u64,
}

/// The error of a text that is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {}", Expected::Position)]
pub struct UnknownPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.horizon)
    }
}

impl FromStr for Position {
    type Err = UnknownPosition;

    fn from_str(text: &str) -> Result<Position, UnknownPosition> {
        let (epoch, horizon) = text.split_once(':').ok_or(UnknownPosition)?;
        let read = |digits: &str| digits.parse::<u64>().ok();
        let epoch = read(epoch).and_then(|epoch| u32::try_from(epoch).ok()).ok_or(UnknownPosition)?;
        let position = Position { epoch, horizon: read(horizon).ok_or(UnknownPosition)? };
        // Each position has exactly one text form, so signs and leading zeros are refused.
        let is_one = position.to_string() == text && epoch >= 1 && i64::try_from(position.horizon).is_ok();
        if is_one { Ok(position) } else { Err(UnknownPosition) }
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Import {
    /// Says whether the office asks only for the number, size and price of the records.
    pub fn is_estimate(&self) -> bool {
        match self {
            Import::Select { estimate, .. } | Import::Table { estimate, .. } => *estimate,
            Import::Again { .. } => false,
        }
    }
}

// A SELECT may contain names of people, so `Debug` does not show it.
impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Import::Select { select, estimate } => write!(f, "Select({} octets, estimate {estimate})", select.len()),
            Import::Table { selection, estimate } => write!(f, "Table({selection:?}, estimate {estimate})"),
            Import::Again { again } => write!(f, "Again({again:?})"),
        }
    }
}

/// Reads the body from its JSON.
pub(super) fn read(body: Value) -> Result<Import, Refusal> {
    let has = |name| body.get(name).is_some();
    match (has("select"), has("application"), has("again")) {
        (true, false, false) => {
            let ([select], [estimate]) = members_and_optional(body, "body", &["select"], &["estimate"])?;
            let select = text(select).filter(|text| (1..=SELECT_OCTETS_MAX).contains(&text.len()));
            let select = select.ok_or_else(|| malformed("body.select", Expected::SelectText))?;
            Ok(Import::Select { select, estimate: is_estimate(estimate)? })
        }
        (false, true, false) => {
            let ([application, table], [changed_since, estimate]) =
                members_and_optional(body, "body", &["application", "table"], &["changed_since", "estimate"])?;
            let application = name(application, "body.application")?;
            let table = name(table, "body.table")?;
            let changed_since = changed_since.map(position).transpose()?;
            let selection = Selection { application, table, changed_since };
            Ok(Import::Table { selection, estimate: is_estimate(estimate)? })
        }
        (false, false, true) => {
            let [again] = members(body, "body", &["again"])?;
            let [letter, parts] = members(again, "body.again", &["letter", "parts"])?;
            let letter = text(letter).and_then(|text| letter_id(&text));
            let letter = letter.ok_or_else(|| malformed("body.again.letter", Expected::LetterId))?;
            Ok(Import::Again { again: Again { letter, parts: part_numbers(parts)? } })
        }
        _ => Err(malformed("body", Expected::Selection)),
    }
}

fn is_estimate(value: Option<Value>) -> Result<bool, Refusal> {
    match value {
        None => Ok(false),
        Some(Value::Bool(estimate)) => Ok(estimate),
        Some(_) => Err(malformed("body.estimate", Expected::TrueOrFalse)),
    }
}

fn position(value: Value) -> Result<Position, Refusal> {
    let position = text(value).and_then(|text| text.parse().ok());
    position.ok_or_else(|| malformed("body.changed_since", Expected::Position))
}

fn letter_id(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    let is_v7 = id.get_version_num() == 7 && id.get_variant() == Variant::RFC4122;
    (is_v7 && id.hyphenated().to_string() == text).then_some(id)
}

fn part_numbers(parts: Value) -> Result<Vec<u16>, Refusal> {
    let expected = || malformed("body.again.parts", Expected::PartNumbers);
    let parts = array(parts, "body.again.parts", AGAIN_PARTS_MAX).map_err(|_not_an_array| expected())?;
    let number = |part: &Value| part.as_u64().and_then(|part| u16::try_from(part).ok()).filter(|part| *part >= 1);
    let parts: Vec<u16> = parts.iter().map(number).collect::<Option<_>>().ok_or_else(expected)?;
    if parts.is_sorted_by(|one, next| one < next) { Ok(parts) } else { Err(expected()) }
}
