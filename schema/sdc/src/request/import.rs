//! The body of `import`: which records the office wants back.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::{Uuid, Variant};

use crate::expected::Expected;
use crate::json::malformed;
use crate::json::members::{array, members, members_and_optional, name, text};
use crate::refusal::Refusal;

/// Most octets of a SELECT.
pub const SELECT_OCTETS_MAX: usize = 16 << 10;
/// Most parts that one letter asks for again.
pub const AGAIN_PARTS_MAX: usize = 100;

/// What an office wants back.
#[derive(Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Import {
    /// Records, as a restricted SELECT names them.
    Select {
        /// The SELECT.
        select: String,
        /// Whether only their number, size and price are asked for.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        estimate: bool,
    },
    /// All records of a table, or those that have changed.
    Table {
        /// Which.
        #[serde(flatten)]
        selection: Selection,
        /// Whether only their number, size and price are asked for.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        estimate: bool,
    },
    /// Parts of an answer that were lost on the way.
    Again {
        /// Which.
        again: Again,
    },
}

/// The records of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// The family of tables, such as `ecr`.
    pub application: String,
    /// The table's name within it.
    pub table: String,
    /// Only those changed since this position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_since: Option<Position>,
}

/// Parts of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Again {
    /// The letter that they answer.
    pub letter: Uuid,
    /// Their numbers, ascending.
    pub parts: Vec<u16>,
}

/// How far an office has read: up to which transaction of the centre's database, and in which life of that database, since one that is
/// restored begins to count anew. In text `EPOCH:HORIZON`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The life of the database, from 1.
    pub epoch: u32,
    /// The first transaction whose changes the office may not have.
    pub horizon: u64,
}

/// A text that is no position.
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
        // One text for one position: no signs, no further zeros.
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
    /// Says whether only number, size and price are asked for.
    pub fn is_estimate(&self) -> bool {
        match self {
            Import::Select { estimate, .. } | Import::Table { estimate, .. } => *estimate,
            Import::Again { .. } => false,
        }
    }
}

// A SELECT names people.
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
