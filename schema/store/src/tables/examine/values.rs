//! The values of one column, read from JSON by the column's type and stored in arrays that can be bound to a statement.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use sdc::examine::cells::{self, Broken, TextRules};
use serde_json::Value;
use uuid::Uuid;

use crate::database::statement::Bind;
use crate::tables::definition::{Column, ColumnType};

/// The values of one column, by row; `None` for NULL.
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
    /// `text`, `varchar(n)` and `char(n)`
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

#[cfg(test)]
thread_local! {
    /// Number of texts that this thread has made from values. Tests use this count in place of a measured time.
    pub static TEXTS_MADE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl ColumnValues {
    /// Reads a column's values. For every value that breaks a rule it calls `fault` with the row, the rule and what was expected.
    pub fn read(column: &Column, values: &[Value], fault: &mut impl FnMut(usize, &str, String)) -> ColumnValues {
        let mut reader = Reader { column, fault };
        match column.kind {
            ColumnType::Smallint => ColumnValues::Smallint(reader.cells(values, cells::integer)),
            ColumnType::Integer => ColumnValues::Integer(reader.cells(values, cells::integer)),
            ColumnType::Bigint => ColumnValues::Bigint(reader.cells(values, cells::integer)),
            ColumnType::Numeric { precision, scale } => {
                ColumnValues::Numeric(reader.cells(values, |value| cells::numeric(value, precision, scale)))
            }
            ColumnType::Boolean => ColumnValues::Boolean(reader.cells(values, cells::boolean)),
            ColumnType::Text { length_chars_max, padded } => {
                let rules = TextRules { length_chars_max, padded, multiline: column.multiline };
                ColumnValues::Text(reader.cells(values, |value| cells::text(value, rules)))
            }
            ColumnType::Date => ColumnValues::Date(reader.cells(values, cells::date)),
            ColumnType::Time => ColumnValues::Time(reader.cells(values, cells::time)),
            ColumnType::Timestamptz { fraction_digits } => {
                ColumnValues::Timestamptz(reader.cells(values, |value| cells::timestamptz(value, fraction_digits)))
            }
            ColumnType::Uuid => ColumnValues::Uuid(reader.cells(values, cells::uuid)),
            ColumnType::Bytea => ColumnValues::Bytea(reader.cells(values, cells::octets)),
        }
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        each!(self, vector => vector.len())
    }

    /// Says whether the column has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the value of a row; `None` if it is NULL or not a whole number.
    pub fn integer(&self, row: usize) -> Option<i64> {
        match self {
            ColumnValues::Smallint(values) => values.get(row).copied().flatten().map(i64::from),
            ColumnValues::Integer(values) => values.get(row).copied().flatten().map(i64::from),
            ColumnValues::Bigint(values) => values.get(row).copied().flatten(),
            _ => None,
        }
    }

    /// Returns a row's value as text; equal values give equal texts, and NULL gives an empty text.
    pub fn text(&self, row: usize) -> String {
        #[cfg(test)]
        TEXTS_MADE.set(TEXTS_MADE.get() + 1);
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

    /// Returns a row's value as JSON: numbers and booleans as such, octets in base64, all other values as text.
    pub fn json(&self, row: usize) -> Value {
        if self.is_null(row) {
            return Value::Null;
        }
        match self {
            ColumnValues::Smallint(_) | ColumnValues::Integer(_) | ColumnValues::Bigint(_) => {
                self.integer(row).map_or(Value::Null, Value::from)
            }
            ColumnValues::Boolean(values) => values.get(row).copied().flatten().map_or(Value::Null, Value::from),
            ColumnValues::Bytea(values) => {
                values.get(row).and_then(Option::as_ref).map_or(Value::Null, |octets| BASE64.encode(octets).into())
            }
            _ => self.text(row).into(),
        }
    }

    /// Says whether two rows, of two columns of the same type, have the same value.
    pub fn same(&self, row: usize, other: &ColumnValues, other_row: usize) -> bool {
        match (self, other) {
            (ColumnValues::Smallint(a), ColumnValues::Smallint(b)) => a.get(row) == b.get(other_row),
            (ColumnValues::Boolean(a), ColumnValues::Boolean(b)) => a.get(row) == b.get(other_row),
            (ColumnValues::Bytea(a), ColumnValues::Bytea(b)) => a.get(row) == b.get(other_row),
            _ => self.is_null(row) == other.is_null(other_row) && self.text(row) == other.text(other_row),
        }
    }

    /// Says whether a row's value is NULL.
    pub fn is_null(&self, row: usize) -> bool {
        each!(self, vector => vector.get(row).is_none_or(Option::is_none))
    }

    /// Returns an empty statement parameter ([`Bind`]) of the column's type, to which the rows of many letters are added.
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

    /// Appends the values of these rows to a statement parameter of the column's type.
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
            // This cannot happen: all rows of one parameter are of the same column in the same catalogue, so the two types are equal.
            (_, from) => debug_assert!(false, "{} values do not fit the bind of their column", from.len()),
        }
    }
}

// Values are personal data and must never be logged, so only their number is shown.
impl std::fmt::Debug for ColumnValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} values", self.len())
    }
}

fn display<T: ToString>(values: &[Option<T>], row: usize) -> String {
    values.get(row).and_then(Option::as_ref).map(ToString::to_string).unwrap_or_default()
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
