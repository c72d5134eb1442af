//! The values of one column, read from JSON by the column's type and kept in arrays that PostgreSQL takes whole.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::definition::{Column, ColumnType};
use crate::statement::Bind;

/// One column's values, `None` for NULL.
#[derive(Clone, PartialEq)]
pub enum ColumnValues {
    /// `smallint`
    Smallint(Vec<Option<i16>>),
    /// `integer`
    Integer(Vec<Option<i32>>),
    /// `bigint`
    Bigint(Vec<Option<i64>>),
    /// `numeric`, as checked decimal text; PostgreSQL casts it
    Numeric(Vec<Option<String>>),
    /// `boolean`
    Boolean(Vec<Option<bool>>),
    /// `text` and its kin
    Text(Vec<Option<String>>),
    /// `date`
    Date(Vec<Option<NaiveDate>>),
    /// `time`
    Time(Vec<Option<NaiveTime>>),
    /// `timestamptz`
    Timestamptz(Vec<Option<DateTime<Utc>>>),
    /// `uuid`
    Uuid(Vec<Option<Uuid>>),
    /// `bytea`
    Bytea(Vec<Option<Vec<u8>>>),
}

/// Applies an expression to the vector inside, whatever its type.
macro_rules! each {
    ($values:expr, $vector:ident => $body:expr) => {
        match $values {
            ColumnValues::Smallint($vector) => $body,
            ColumnValues::Integer($vector) => $body,
            ColumnValues::Bigint($vector) => $body,
            ColumnValues::Numeric($vector) => $body,
            ColumnValues::Boolean($vector) => $body,
            ColumnValues::Text($vector) => $body,
            ColumnValues::Date($vector) => $body,
            ColumnValues::Time($vector) => $body,
            ColumnValues::Timestamptz($vector) => $body,
            ColumnValues::Uuid($vector) => $body,
            ColumnValues::Bytea($vector) => $body,
        }
    };
}

impl ColumnValues {
    /// Reads a column, calling `fault` with row, rule and what was expected for every value that breaks a rule.
    pub fn read(column: &Column, values: &[Value], fault: &mut impl FnMut(usize, &str, String)) -> ColumnValues {
        let mut reader = Reader { column, fault };
        match column.kind {
            ColumnType::Smallint => ColumnValues::Smallint(reader.cells(values, integer_cell)),
            ColumnType::Integer => ColumnValues::Integer(reader.cells(values, integer_cell)),
            ColumnType::Bigint => ColumnValues::Bigint(reader.cells(values, integer_cell)),
            ColumnType::Numeric { precision, scale } => {
                ColumnValues::Numeric(reader.cells(values, |value| numeric_cell(value, precision, scale)))
            }
            ColumnType::Boolean => {
                ColumnValues::Boolean(reader.cells(values, |value| value.as_bool().ok_or(TYPE.with("true or false"))))
            }
            ColumnType::Text { length_chars_max } => {
                ColumnValues::Text(reader.cells(values, |value| text_cell(value, length_chars_max)))
            }
            ColumnType::Date => ColumnValues::Date(reader.cells(values, date_cell)),
            ColumnType::Time => ColumnValues::Time(reader.cells(values, time_cell)),
            ColumnType::Timestamptz => ColumnValues::Timestamptz(reader.cells(values, timestamptz_cell)),
            ColumnType::Uuid => ColumnValues::Uuid(reader.cells(values, uuid_cell)),
            ColumnType::Bytea => ColumnValues::Bytea(reader.cells(values, |value| {
                let text = value.as_str().ok_or(TYPE.with("base64 text"))?;
                BASE64.decode(text).map_err(|_not_base64| TYPE.with("base64 text"))
            })),
        }
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        each!(self, vector => vector.len())
    }

    /// Says whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a row's value if it is a whole number.
    pub fn integer(&self, row: usize) -> Option<i64> {
        match self {
            ColumnValues::Smallint(values) => values.get(row).copied().flatten().map(i64::from),
            ColumnValues::Integer(values) => values.get(row).copied().flatten().map(i64::from),
            ColumnValues::Bigint(values) => values.get(row).copied().flatten(),
            _ => None,
        }
    }

    /// Returns a row's value as text, equal for equal values; NULL is empty.
    pub fn text(&self, row: usize) -> String {
        match self {
            ColumnValues::Bytea(values) => {
                values.get(row).and_then(Option::as_ref).map(hex::encode).unwrap_or_default()
            }
            ColumnValues::Smallint(values) => display(values, row),
            ColumnValues::Integer(values) => display(values, row),
            ColumnValues::Bigint(values) => display(values, row),
            ColumnValues::Numeric(values) | ColumnValues::Text(values) => display(values, row),
            ColumnValues::Boolean(values) => display(values, row),
            ColumnValues::Date(values) => display(values, row),
            ColumnValues::Time(values) => display(values, row),
            ColumnValues::Timestamptz(values) => display(values, row),
            ColumnValues::Uuid(values) => display(values, row),
        }
    }

    /// Says whether two rows of two columns of the same type hold the same value.
    pub fn same(&self, row: usize, other: &ColumnValues, other_row: usize) -> bool {
        match (self, other) {
            (ColumnValues::Smallint(a), ColumnValues::Smallint(b)) => a.get(row) == b.get(other_row),
            (ColumnValues::Boolean(a), ColumnValues::Boolean(b)) => a.get(row) == b.get(other_row),
            (ColumnValues::Bytea(a), ColumnValues::Bytea(b)) => a.get(row) == b.get(other_row),
            _ => self.is_null(row) == other.is_null(other_row) && self.text(row) == other.text(other_row),
        }
    }

    fn is_null(&self, row: usize) -> bool {
        each!(self, vector => vector.get(row).is_none_or(Option::is_none))
    }

    /// Returns an empty bind of the column's type, to gather rows of many letters.
    pub fn empty_bind<'a>(&self) -> Bind<'a> {
        match self {
            ColumnValues::Smallint(_) => Bind::Smallints(vec![]),
            ColumnValues::Integer(_) => Bind::Integers(vec![]),
            ColumnValues::Bigint(_) => Bind::Bigints(vec![]),
            ColumnValues::Numeric(_) | ColumnValues::Text(_) => Bind::Texts(vec![]),
            ColumnValues::Boolean(_) => Bind::Booleans(vec![]),
            ColumnValues::Date(_) => Bind::Dates(vec![]),
            ColumnValues::Time(_) => Bind::Times(vec![]),
            ColumnValues::Timestamptz(_) => Bind::Timestamptzs(vec![]),
            ColumnValues::Uuid(_) => Bind::Uuids(vec![]),
            ColumnValues::Bytea(_) => Bind::Byteas(vec![]),
        }
    }

    /// Appends rows to a bind of the column's type.
    pub fn push_onto<'a>(&'a self, rows: &[usize], bind: &mut Bind<'a>) {
        let rows = rows.iter().copied();
        match (bind, self) {
            (Bind::Smallints(to), ColumnValues::Smallint(from)) => to.extend(rows.map(|row| from[row])),
            (Bind::Integers(to), ColumnValues::Integer(from)) => to.extend(rows.map(|row| from[row])),
            (Bind::Bigints(to), ColumnValues::Bigint(from)) => to.extend(rows.map(|row| from[row])),
            (Bind::Texts(to), ColumnValues::Numeric(from) | ColumnValues::Text(from)) => {
                to.extend(rows.map(|row| from[row].as_deref()));
            }
            (Bind::Booleans(to), ColumnValues::Boolean(from)) => to.extend(rows.map(|row| from[row])),
            (Bind::Dates(to), ColumnValues::Date(from)) => to.extend(rows.map(|row| from[row])),
            (Bind::Times(to), ColumnValues::Time(from)) => to.extend(rows.map(|row| from[row])),
            (Bind::Timestamptzs(to), ColumnValues::Timestamptz(from)) => to.extend(rows.map(|row| from[row])),
            (Bind::Uuids(to), ColumnValues::Uuid(from)) => to.extend(rows.map(|row| from[row])),
            (Bind::Byteas(to), ColumnValues::Bytea(from)) => to.extend(rows.map(|row| from[row].as_deref())),
            // Columns are gathered by table, as one catalogue defines it for the whole batch, so their types agree.
            (_, from) => debug_assert!(false, "{} values do not fit the bind of their column", from.len()),
        }
    }
}

// Values are people's lives: they never reach a log.
impl std::fmt::Debug for ColumnValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} values", self.len())
    }
}

fn display<T: ToString>(values: &[Option<T>], row: usize) -> String {
    values.get(row).and_then(Option::as_ref).map(ToString::to_string).unwrap_or_default()
}

/// What a value breaks: the rule's code and what was expected.
struct Broken {
    rule: &'static str,
    expected: String,
}

struct Rule(&'static str);

const TYPE: Rule = Rule("type");
const LENGTH: Rule = Rule("length");
const RANGE: Rule = Rule("range");

impl Rule {
    fn with(&self, expected: impl Into<String>) -> Broken {
        Broken { rule: self.0, expected: expected.into() }
    }
}

struct Reader<'a, F> {
    column: &'a Column,
    fault: &'a mut F,
}

impl<F: FnMut(usize, &str, String)> Reader<'_, F> {
    fn cells<T>(&mut self, values: &[Value], read: impl Fn(&Value) -> Result<T, Broken>) -> Vec<Option<T>> {
        let mut cells = Vec::with_capacity(values.len());
        for (row, value) in values.iter().enumerate() {
            if value.is_null() {
                if !self.column.nullable {
                    (self.fault)(row, "not_null", "a value".to_owned());
                }
                cells.push(None);
                continue;
            }
            match read(value) {
                Ok(cell) => cells.push(Some(cell)),
                Err(broken) => {
                    (self.fault)(row, broken.rule, broken.expected);
                    cells.push(None);
                }
            }
        }
        cells
    }
}

fn integer_cell<T: TryFrom<i64> + Bounds>(value: &Value) -> Result<T, Broken> {
    let number = value.as_i64().ok_or_else(|| TYPE.with("a whole number"))?;
    T::try_from(number).map_err(|_out_of_range| RANGE.with(T::BOUNDS))
}

trait Bounds {
    const BOUNDS: &'static str;
}
impl Bounds for i16 {
    const BOUNDS: &'static str = "-32768 to 32767";
}
impl Bounds for i32 {
    const BOUNDS: &'static str = "-2147483648 to 2147483647";
}
impl Bounds for i64 {
    const BOUNDS: &'static str = "-9223372036854775808 to 9223372036854775807";
}

/// Decimal text `-?digits(.digits)?`: no exponent, no NaN, within precision and scale. Bounded, since PostgreSQL takes 131 072 digits.
fn numeric_cell(value: &Value, precision: Option<u16>, scale: Option<u16>) -> Result<String, Broken> {
    const DIGITS_MAX: usize = 100;
    let text = match value {
        Value::Number(number) if number.is_i64() => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return Err(TYPE.with("a decimal number as text")),
    };
    let unsigned = text.strip_prefix('-').unwrap_or(&text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || text.len() > DIGITS_MAX {
        return Err(TYPE.with("a decimal number as text"));
    }
    let fraction = fraction.trim_end_matches('0');
    let whole_digits = whole.trim_start_matches('0').len();
    let scale = scale.map_or(DIGITS_MAX, usize::from);
    let precision = precision.map_or(2 * DIGITS_MAX, usize::from);
    if fraction.len() > scale || whole_digits > precision.saturating_sub(scale) {
        return Err(RANGE.with(format!("at most {precision} digits, {scale} of them after the point")));
    }
    // One text for one value: 1.50, 01.5 and 1.5 are the same number.
    let whole = whole.trim_start_matches('0');
    let sign = if text.starts_with('-') && !(whole.is_empty() && fraction.is_empty()) { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    Ok(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

fn text_cell(value: &Value, length_chars_max: Option<u32>) -> Result<String, Broken> {
    let text = value.as_str().ok_or_else(|| TYPE.with("text"))?;
    // PostgreSQL has no NUL in text: it would fail the whole batch.
    if text.contains('\0') {
        return Err(TYPE.with("text without NUL"));
    }
    let chars_max = length_chars_max.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    // No text has more characters than bytes.
    if text.len() > chars_max && text.chars().count() > chars_max {
        return Err(LENGTH.with(format!("at most {chars_max} characters")));
    }
    Ok(text.to_owned())
}

fn date_cell(value: &Value) -> Result<NaiveDate, Broken> {
    value.as_str().and_then(date).ok_or_else(|| TYPE.with("a date YYYY-MM-DD"))
}

/// Reads `YYYY-MM-DD` and nothing else. chrono's own reading admits signs and blanks, and interprets its format at every call: a
/// letter of a thousand acts has four thousand dates.
fn date(text: &str) -> Option<NaiveDate> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text.as_bytes() else { return None };
    // PostgreSQL has no year 0.
    let year = number([y1, y2, y3, y4]).filter(|year| *year > 0)?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, number([m1, m2])?, number([d1, d2])?)
}

fn time_cell(value: &Value) -> Result<NaiveTime, Broken> {
    value.as_str().and_then(time).ok_or_else(|| TYPE.with("a time HH:MM or HH:MM:SS"))
}

/// Reads `HH:MM` or `HH:MM:SS` and nothing else. No leap second: PostgreSQL would turn it into the next minute.
fn time(text: &str) -> Option<NaiveTime> {
    let (hour, minute, second) = match *text.as_bytes() {
        [h1, h2, b':', m1, m2] => ([h1, h2], [m1, m2], [b'0'; 2]),
        [h1, h2, b':', m1, m2, b':', s1, s2] => ([h1, h2], [m1, m2], [s1, s2]),
        _ => return None,
    };
    NaiveTime::from_hms_opt(number(hour)?, number(minute)?, number(second)?)
}

/// Reads digits as a whole number, or nothing where one of them is none.
fn number<const DIGITS: usize>(digits: [u8; DIGITS]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

fn timestamptz_cell(value: &Value) -> Result<DateTime<Utc>, Broken> {
    let expected = || TYPE.with("an RFC 3339 time such as 2026-11-23T14:05:00Z");
    // chrono takes a blank for the T as well, and a leap second, which PostgreSQL would turn into the next minute.
    let is_plain = |text: &&str| text.get(..11).is_some_and(|day| day.ends_with('T')) && text.get(17..19) != Some("60");
    let text = value.as_str().filter(is_plain).ok_or_else(expected)?;
    let time = DateTime::parse_from_rfc3339(text).map_err(|_no_time| expected())?.to_utc();
    if time.year() < 1 { Err(expected()) } else { Ok(time) }
}

fn uuid_cell(value: &Value) -> Result<Uuid, Broken> {
    let expected = || TYPE.with("a hyphenated UUID");
    let text = value.as_str().filter(|text| text.len() == 36).ok_or_else(expected)?;
    Uuid::try_parse(text).map_err(|_no_uuid| expected())
}
