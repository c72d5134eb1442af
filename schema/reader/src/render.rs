//! Renders a parsed SELECT as a statement of the centre: columns of the table, bound values of their types, and bounds on the rows that
//! the agency may read.
//!
//! The statement's text has no character that the agency wrote. Texts are ordered by the code points of their characters, not by the
//! database's collation, which differs from centre to centre. So a selection means the same at every centre, and tests can compute its
//! rows.

use std::fmt::Write;

use diesel::sql_types::{Array, Nullable, Text};
use sdc::names::same;
use serde_json::{Number, Value};
use store::database::identifier::quoted;
use store::database::statement::{Bind, Statement};
use store::reading::{Permit, login};
use store::tables::definition::{Column, ColumnType, Definition, NUMERO, STATUS};
use store::tables::examine::ColumnValues;

use crate::grammar::{Condition, Literal, Operator, Ordering, Select};
use crate::unreadable::{Reason, Unreadable};

/// The SQL type of a row: a text for each column, NULL where the column is NULL.
pub type Cells = Array<Nullable<Text>>;

/// A statement, with the values that are bound to its placeholders.
#[derive(Debug)]
pub struct Rendered {
    /// Text of the statement, with a placeholder `?` for each value.
    pub text: String,
    /// Values in the order of their placeholders; each is bound as an array.
    pub values: Vec<ColumnValues>,
    /// Columns of each row, in their order.
    pub columns: Vec<Column>,
}

impl Rendered {
    /// Returns the values as arrays for binding.
    pub fn binds(&self) -> Vec<Bind<'_>> {
        self.values.iter().map(bind).collect()
    }

    /// Makes a statement from a text and its values. The text may contain the rendered text, as in `DECLARE … CURSOR FOR`.
    pub fn statement<'a>(text: &'a str, binds: &'a [Bind<'a>]) -> Statement<'a, Cells> {
        Statement::of_columns(text, binds)
    }
}

fn bind(values: &ColumnValues) -> Bind<'_> {
    let all: Vec<usize> = (0..values.len()).collect();
    let mut bind = values.empty_bind();
    values.push_onto(&all, &mut bind);
    bind
}

/// The statuses that rows may have (column `Status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statuses {
    /// Records that an officer validated (status 2); an import gives these.
    Validated,
    /// Validated and cancelled records, so that an office that imports changes learns of cancelled records.
    ValidatedOrCancelled,
    /// Records that are not cancelled. The legal key's unique index has only such records, by a condition of its own; PostgreSQL uses the
    /// index only for a query with the same condition, so it is written the same here.
    Live,
    /// Cancelled records (status 0).
    Cancelled,
}

impl Statuses {
    fn condition(self) -> &'static str {
        match self {
            Statuses::Validated => "= 2",
            Statuses::ValidatedOrCancelled => "IN (0, 2)",
            Statuses::Live => "<> 0",
            Statuses::Cancelled => "= 0",
        }
    }
}

/// Bounds on the rows that a statement may give, whatever the agency's SELECT says.
#[derive(Clone, Debug)]
pub struct Bounds<'a> {
    /// Rights of the agency to read the table.
    pub permit: &'a Permit,
    /// Statuses that the rows may have.
    pub statuses: Statuses,
    /// Greatest age of the transaction that last wrote a row, counted back from the reading transaction; `None` for all rows.
    pub age_max: Option<i32>,
}

/// Renders a SELECT of a table's rows.
///
/// # Errors
/// The table does not have a name, or a column cannot have a value of the SELECT.
pub fn render(select: &Select, definition: &Definition, bounds: &Bounds<'_>) -> Result<Rendered, Unreadable> {
    let mut writer = Writer::new(definition);
    let columns = writer.columns(&select.columns)?;
    let condition = select.condition.as_ref().map(|condition| writer.condition(condition)).transpose()?;
    let order = writer.order(select)?;
    let asked = std::mem::take(&mut writer.values);
    let bounded = writer.bounds(definition, bounds);
    let condition = condition.map(|condition| format!(" AND ({condition})")).unwrap_or_default();
    let limit = select.limit.map(|limit| format!(" LIMIT {}", limit.min(i64::MAX.unsigned_abs()))).unwrap_or_default();
    writer.values.extend(asked);
    Ok(Rendered {
        text: format!(
            "SELECT {} FROM {} WHERE {bounded}{condition}{order}{limit}",
            cells(&columns),
            login::view(definition.table_id)
        ),
        values: writer.values,
        columns,
    })
}

/// Renders a statement that finds the records of a list of legal keys. The first cell of each row is the number of its legal key in the
/// list, from 1.
pub fn render_keys(
    definition: &Definition,
    keys: &[(Column, ColumnValues)],
    columns: &[Column],
    bounds: &Bounds<'_>,
) -> Rendered {
    let mut writer = Writer::new(definition);
    let (mut arrays, mut names, mut equal) = (Vec::new(), Vec::new(), Vec::new());
    for (place, (column, values)) in keys.iter().enumerate() {
        arrays.push(format!("?{}", cast(column, true)));
        names.push(format!("k{place}"));
        equal.push(format!("{} = k.k{place}", quoted(&column.name)));
        writer.values.push(values.clone());
    }
    let bounded = writer.bounds(definition, bounds);
    // The login reads through views that are security barriers: PostgreSQL applies the view's own condition before any other. In a join
    // with such a view it would read the whole table instead of looking each legal key up in the index. So each key goes into a subquery,
    // for which PostgreSQL uses the index, and `OFFSET 0` keeps it from turning the subquery back into a join.
    let text = format!(
        "SELECT array_prepend(k.n::text, {}) FROM unnest({}) WITH ORDINALITY AS k ({}, n)
          CROSS JOIN LATERAL (SELECT * FROM {} WHERE {bounded} AND {} OFFSET 0) v
          ORDER BY k.n, v.{}",
        cells_of(columns, "v."),
        arrays.join(", "),
        names.join(", "),
        login::view(definition.table_id),
        equal.join(" AND "),
        quoted(NUMERO),
    );
    Rendered { text, values: writer.values, columns: columns.to_vec() }
}

/// Returns the SQL expression of a row, an array of texts.
fn cells(columns: &[Column]) -> String {
    cells_of(columns, "")
}

fn cells_of(columns: &[Column], table: &str) -> String {
    let cells: Vec<String> = columns.iter().map(|column| cell(column, table)).collect();
    format!("ARRAY[{}]::text[]", cells.join(", "))
}

/// Returns the SQL expression of a cell as text, in the form of letters. `table` is empty, or an alias followed by a point.
fn cell(column: &Column, table: &str) -> String {
    let name = format!("{table}{}", quoted(&column.name));
    match column.kind {
        ColumnType::Numeric { .. } => format!("trim_scale({name})::text"),
        // The session writes times as `2026-11-01 08:15:00+00` (it is set to UTC and ISO 8601), so the form of letters differs only in the
        // blank and in the zone.
        ColumnType::Timestamptz { .. } => format!("replace(replace({name}::text, ' ', 'T'), '+00', 'Z')"),
        ColumnType::Bytea => format!("translate(encode({name}, 'base64'), chr(10), '')"),
        _ => format!("{name}::text"),
    }
}

/// Returns the cast that a bound value needs for a column's type; empty where none is needed.
fn cast(column: &Column, is_array: bool) -> String {
    let name = match column.kind {
        ColumnType::Numeric { .. } => "numeric",
        ColumnType::Text { padded: true, .. } => "bpchar",
        _ => return String::new(),
    };
    format!("::{name}{}", if is_array { "[]" } else { "" })
}

/// Returns a cell as JSON, in the form of letters.
pub fn json(column: &Column, cell: Option<&str>) -> Value {
    let Some(cell) = cell else { return Value::Null };
    match column.kind {
        ColumnType::Smallint | ColumnType::Integer | ColumnType::Bigint => {
            cell.parse::<i64>().map_or(Value::Null, |number| Value::Number(Number::from(number)))
        }
        ColumnType::Boolean => Value::Bool(cell == "true"),
        _ => Value::String(cell.to_owned()),
    }
}

/// Writes the parts of a statement, and collects its values in the order of their placeholders.
struct Writer {
    readable: Vec<Column>,
    values: Vec<ColumnValues>,
}

impl Writer {
    fn new(definition: &Definition) -> Writer {
        Writer { readable: login::readable(definition), values: Vec::new() }
    }

    fn column(&self, name: &str) -> Result<Column, Unreadable> {
        let found = self.readable.iter().find(|column| same(&column.name, name));
        found.cloned().ok_or_else(|| Unreadable::new(Reason::UnknownColumn, name))
    }

    fn columns(&self, names: &[String]) -> Result<Vec<Column>, Unreadable> {
        if names.is_empty() {
            return Ok(self.readable.clone());
        }
        let mut columns: Vec<Column> = Vec::with_capacity(names.len());
        for name in names {
            let column = self.column(name)?;
            if columns.contains(&column) {
                return Err(Unreadable::new(Reason::ColumnTwice, name));
            }
            columns.push(column);
        }
        Ok(columns)
    }

    fn bounds(&mut self, definition: &Definition, bounds: &Bounds<'_>) -> String {
        let mut text = format!("{} {}", quoted(STATUS), bounds.statuses.condition());
        if let Some(agency) = bounds.permit.own {
            self.values.push(ColumnValues::Integer(vec![Some(agency.as_i32())]));
            text.push_str(" AND xm_agency = (?)[1]");
        }
        if let (Some(codes), Some(scope)) = (&bounds.permit.codes, &definition.scope_column) {
            self.values.push(ColumnValues::Text(codes.iter().map(|code| Some(code.clone())).collect()));
            let column = definition.column(scope);
            let scope = match column {
                // An index on the scope column is used only where the column is compared as it is, without a cast.
                Some(Column { kind: ColumnType::Text { padded: false, .. }, .. }) | None => quoted(scope),
                Some(column) => cell(column, ""),
            };
            // Writing to a String cannot fail.
            write!(text, " AND {scope} = ANY(?)").unwrap_or_default();
        }
        if let Some(age) = bounds.age_max {
            self.values.push(ColumnValues::Integer(vec![Some(age)]));
            write!(text, " AND age({}) <= (?)[1]", login::CHANGE).unwrap_or_default();
        }
        text
    }

    fn condition(&mut self, condition: &Condition) -> Result<String, Unreadable> {
        match condition {
            Condition::And(terms) => self.joined(terms, " AND "),
            Condition::Or(terms) => self.joined(terms, " OR "),
            Condition::Not(inner) => Ok(format!("NOT ({})", self.condition(inner)?)),
            Condition::Compare { column, operator, value } => {
                let column = self.column(column)?;
                let mark = self.value(&column, value)?;
                Ok(format!("{} {} {mark}", compared(&column, *operator), operator.as_str()))
            }
            Condition::In { column, values, negated } => {
                let column = self.column(column)?;
                let read = read(&column, values)?;
                self.values.push(read);
                let (sign, all) = if *negated { ("<>", "ALL") } else { ("=", "ANY") };
                Ok(format!("{} {sign} {all}(?{})", quoted(&column.name), cast(&column, true)))
            }
            Condition::Between { column, low, high, negated } => {
                let column = self.column(column)?;
                let (low, high) = (self.value(&column, low)?, self.value(&column, high)?);
                let not = if *negated { "NOT " } else { "" };
                Ok(format!("{} {not}BETWEEN {low} AND {high}", compared(&column, Operator::AtMost)))
            }
            Condition::Like { column, pattern, negated } => self.like(column, pattern, *negated),
            Condition::IsNull { column, negated } => {
                let column = self.column(column)?;
                Ok(format!("{} IS {}NULL", quoted(&column.name), if *negated { "NOT " } else { "" }))
            }
        }
    }

    fn joined(&mut self, terms: &[Condition], word: &str) -> Result<String, Unreadable> {
        let mut text = String::new();
        for term in terms {
            let term = self.condition(term)?;
            let before = if text.is_empty() { "" } else { word };
            write!(text, "{before}({term})").unwrap_or_default();
        }
        Ok(text)
    }

    fn like(&mut self, name: &str, pattern: &str, negated: bool) -> Result<String, Unreadable> {
        let column = self.column(name)?;
        let ColumnType::Text { .. } = column.kind else { return Err(Unreadable::new(Reason::Pattern, name)) };
        // A pattern that ends with an escape character has nothing to escape, and PostgreSQL would fail. So the SELECT is refused here.
        let escapes = pattern.chars().rev().take_while(|character| *character == '\\').count();
        if escapes % 2 == 1 {
            return Err(Unreadable::new(Reason::Pattern, name));
        }
        // A pattern may be longer than any text of the column, so it is read as text of any length.
        let unbounded = ColumnType::Text { length_chars_max: None, padded: false };
        let any = Column { kind: unbounded, multiline: true, ..column.clone() };
        let read = read(&any, &[Literal::Text(pattern.to_owned())])?;
        self.values.push(read);
        let not = if negated { "NOT " } else { "" };
        Ok(format!("{} {not}LIKE (?)[1]", compared(&column, Operator::AtMost)))
    }

    /// Binds a value and returns its placeholder.
    fn value(&mut self, column: &Column, literal: &Literal) -> Result<String, Unreadable> {
        let read = read(column, std::slice::from_ref(literal))?;
        self.values.push(read);
        Ok(format!("(?{})[1]", cast(column, true)))
    }

    fn order(&self, select: &Select) -> Result<String, Unreadable> {
        if select.order.is_empty() && select.limit.is_none() {
            return Ok(String::new());
        }
        let mut keys = Vec::with_capacity(select.order.len() + 1);
        for Ordering { column, descending, nulls_first } in &select.order {
            let column = self.column(column)?;
            let direction = if *descending { " DESC" } else { "" };
            let nulls = match nulls_first {
                Some(true) => " NULLS FIRST",
                Some(false) => " NULLS LAST",
                None => "",
            };
            keys.push(format!("{}{direction}{nulls}", compared(&column, Operator::AtMost)));
        }
        // Rows that are equal in the columns of ORDER BY could come in any order, and a LIMIT would cut off now these, now those. So they
        // are ordered by their record numbers.
        keys.push(quoted(NUMERO));
        Ok(format!(" ORDER BY {}", keys.join(", ")))
    }
}

/// Returns the SQL expression of a column in a comparison. Texts are ordered by the code points of their characters.
fn compared(column: &Column, operator: Operator) -> String {
    let name = quoted(&column.name);
    match column.kind {
        ColumnType::Text { padded, .. } if operator.is_of_order() => {
            format!("({name}{} COLLATE \"C\")", if padded { "::text" } else { "" })
        }
        _ => name,
    }
}

/// Reads literals by the rules for the values in letters. A literal that the column cannot have is refused with the form that the column
/// expects.
fn read(column: &Column, literals: &[Literal]) -> Result<ColumnValues, Unreadable> {
    let mut refused = None;
    let values: Vec<Value> = literals.iter().map(|literal| value(column, literal)).collect();
    let read = ColumnValues::read(column, &values, &mut |_row: usize, _rule: &str, expected: String| {
        refused.get_or_insert(expected);
    });
    match refused {
        None => Ok(read),
        Some(expected) => Err(Unreadable::new(Reason::Value, &column.name).expecting(expected)),
    }
}

/// Returns a literal as the JSON value that a letter would have.
fn value(column: &Column, literal: &Literal) -> Value {
    match literal {
        Literal::Text(text) => Value::String(text.clone()),
        Literal::Boolean(truth) => Value::Bool(*truth),
        Literal::Number(digits) => match (digits.parse::<i64>(), column.kind) {
            (_, ColumnType::Numeric { .. }) => Value::String(digits.clone()),
            (Ok(number), _) => Value::Number(Number::from(number)),
            // The digits are too many for an i64, so they have no JSON number. A value of a wrong type is returned in their place: [`read`]
            // refuses it, and tells the office which form the column expects.
            (Err(_), ColumnType::Boolean) => Value::String(digits.clone()),
            (Err(_), _) => Value::Bool(false),
        },
    }
}
