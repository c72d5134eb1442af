//! SQL statements with typed values, which diesel caches as prepared statements by their text.
//!
//! PostgreSQL would parse a `diesel::sql_query` again at every call. Settling runs the same dozen texts for every batch, so it uses
//! [`Statement`]. A text that is written in this crate is prepared at its first use. A text that is built of quoted identifiers for the
//! columns of a letter is prepared when it is used often (`kept`). Values never become text. Each `?` stands for a value, except within
//! quotes and comments. PostgreSQL's operators that contain a `?` cannot be used; their functions can.

mod kept;

use std::marker::PhantomData;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Date, Integer, Jsonb, Nullable, SmallInt, Text, Time, Timestamptz, Uuid as SqlUuid,
};
use sdc::letter::Matricule;
use uuid::Uuid;

/// Largest number of bytes of containers in one statement. Each connection of tokio-postgres keeps two buffers of the size of the largest
/// statement that it ever sent. Without a bound, many connections would use much memory.
pub const STATEMENT_BYTES_MAX: usize = 1 << 20;

/// Divides items into runs, each for one statement. A run has at most [`STATEMENT_BYTES_MAX`] bytes, or consists of one larger item.
pub fn runs<T>(items: &[T], bytes: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let mut total = 0;
        let fits = |item: &&T| {
            total += bytes(item);
            total <= STATEMENT_BYTES_MAX
        };
        let take = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (run, later) = rest.split_at(take);
        rest = later;
        (!run.is_empty()).then_some(run)
    })
}

/// Writes a select list that turns the given number of arrays into rows. `FROM unnest(…)` takes twice as long, since it stores each array
/// first.
pub fn unnested(arrays: usize) -> String {
    vec!["unnest(?)"; arrays].join(", ")
}

/// A typed value of a statement. An array is sent as one value, and `unnest` turns its elements into rows. A batch has tens of thousands of
/// long values, so these are borrowed and not copied.
pub enum Bind<'a> {
    /// `boolean`
    Boolean(bool),
    /// `integer`
    Integer(i32),
    /// `integer`
    Matricule(Matricule),
    /// `bigint`
    Bigint(i64),
    /// `text`
    Text(&'a str),
    /// `uuid`
    Uuid(Uuid),
    /// `timestamptz`
    Timestamptz(DateTime<Utc>),
    /// `smallint[]`
    Smallints(Vec<Option<i16>>),
    /// `integer[]`
    Integers(Vec<Option<i32>>),
    /// `integer[]`
    Matricules(Vec<Option<Matricule>>),
    /// `bigint[]`
    Bigints(Vec<Option<i64>>),
    /// `boolean[]`
    Booleans(Vec<Option<bool>>),
    /// `text[]`
    Texts(Vec<Option<&'a str>>),
    /// `date[]`
    Dates(Vec<Option<NaiveDate>>),
    /// `time[]`
    Times(Vec<Option<NaiveTime>>),
    /// `timestamptz[]`
    Timestamptzs(Vec<Option<DateTime<Utc>>>),
    /// `uuid[]`
    Uuids(Vec<Option<Uuid>>),
    /// `bytea[]`
    Byteas(Vec<Option<&'a [u8]>>),
    /// `jsonb[]`
    Jsonbs(Vec<Option<&'a serde_json::Value>>),
}

impl Bind<'_> {
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self {
            Bind::Boolean(value) => out.push_bind_param::<Bool, _>(value),
            Bind::Integer(value) => out.push_bind_param::<Integer, _>(value),
            Bind::Matricule(value) => out.push_bind_param::<Integer, _>(value),
            Bind::Bigint(value) => out.push_bind_param::<BigInt, _>(value),
            Bind::Text(value) => out.push_bind_param::<Text, _>(value),
            Bind::Uuid(value) => out.push_bind_param::<SqlUuid, _>(value),
            Bind::Timestamptz(value) => out.push_bind_param::<Timestamptz, _>(value),
            Bind::Smallints(values) => out.push_bind_param::<Array<Nullable<SmallInt>>, _>(values),
            Bind::Integers(values) => out.push_bind_param::<Array<Nullable<Integer>>, _>(values),
            Bind::Matricules(values) => out.push_bind_param::<Array<Nullable<Integer>>, _>(values),
            Bind::Bigints(values) => out.push_bind_param::<Array<Nullable<BigInt>>, _>(values),
            Bind::Booleans(values) => out.push_bind_param::<Array<Nullable<Bool>>, _>(values),
            Bind::Texts(values) => out.push_bind_param::<Array<Nullable<Text>>, _>(values),
            Bind::Dates(values) => out.push_bind_param::<Array<Nullable<Date>>, _>(values),
            Bind::Times(values) => out.push_bind_param::<Array<Nullable<Time>>, _>(values),
            Bind::Timestamptzs(values) => out.push_bind_param::<Array<Nullable<Timestamptz>>, _>(values),
            Bind::Uuids(values) => out.push_bind_param::<Array<Nullable<SqlUuid>>, _>(values),
            Bind::Byteas(values) => out.push_bind_param::<Array<Nullable<Bytea>>, _>(values),
            Bind::Jsonbs(values) => out.push_bind_param::<Array<Nullable<Jsonb>>, _>(values),
        }
    }
}

/// A statement whose rows have the SQL type `Row`. Each `?` of the text outside of quotes and comments stands for the next value.
pub struct Statement<'a, Row = ()> {
    text: &'a str,
    binds: &'a [Bind<'a>],
    /// Whether connections keep the statement prepared.
    is_kept: bool,
    row: PhantomData<fn() -> Row>,
}

impl Bind<'_> {
    /// Makes a value in whole seconds, for `make_interval(secs => ?::double precision)`.
    pub fn seconds(time: Duration) -> Bind<'static> {
        Bind::Bigint(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
    }
}

impl<'a, Row> Statement<'a, Row> {
    /// Makes a statement from a text written in this crate and its values, one for each `?`. The content of a letter may not be part of the
    /// text, and may not select one of several texts.
    pub fn new(text: &'a str, binds: &'a [Bind<'a>]) -> Statement<'a, Row> {
        Statement::joined(text, binds, true)
    }

    /// Makes a statement from a text that was built for the columns of a letter, and its values.
    pub fn of_columns(text: &'a str, binds: &'a [Bind<'a>]) -> Statement<'a, Row> {
        Statement::joined(text, binds, kept::is_kept(text))
    }

    fn joined(text: &'a str, binds: &'a [Bind<'a>], is_kept: bool) -> Statement<'a, Row> {
        debug_assert_eq!(marks(text).count(), binds.len(), "one bind per ? in {text}");
        Statement { text, binds, is_kept, row: PhantomData }
    }
}

impl<Row> QueryFragment<Pg> for Statement<'_, Row> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if !self.is_kept {
            out.unsafe_to_cache_prepared();
        }
        let mut binds = self.binds.iter();
        let mut written = 0;
        for mark in marks(self.text) {
            out.push_sql(&self.text[written..mark]);
            binds.next().ok_or_else(miscounted)?.push(&mut out)?;
            written = mark + 1;
        }
        out.push_sql(&self.text[written..]);
        if binds.next().is_some() { Err(miscounted()) } else { Ok(()) }
    }
}

/// Makes the error for a text with more or fewer `?` than values. Without this error, values would get into wrong columns.
fn miscounted() -> diesel::result::Error {
    diesel::result::Error::QueryBuilderError("a statement has not one bind for each ? of its text".into())
}

/// Finds the byte position of each `?` that stands for a value, outside of quotes and comments.
fn marks(text: &str) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + text[from..].find(['?', '\'', '"', '-', '/'])?;
            // A doubled quotation mark needs no special case: the first mark closes the quote, and the second mark opens it again.
            let (skipped, end) = match &text[at..] {
                mark if mark.starts_with('?') => {
                    from = at + 1;
                    return Some(at);
                }
                quoted if quoted.starts_with(['\'', '"']) => (1, &quoted[..1]),
                comment if comment.starts_with("--") => (2, "\n"),
                comment if comment.starts_with("/*") => (2, "*/"),
                _ => (1, ""),
            };
            let inside = at + skipped;
            from = text[inside..].find(end).map_or(text.len(), |length| inside + length + end.len());
        }
    })
}

impl<Row> QueryId for Statement<'_, Row> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Row> Query for Statement<'_, Row> {
    type SqlType = Row;
}

impl<Row, Conn> diesel::query_dsl::RunQueryDsl<Conn> for Statement<'_, Row> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_in_quotes_and_comments_are_no_binds_and_others_are() {
        for text in
            ["SELECT 'a?'", "SELECT \"a?b\" FROM t", "SELECT 1 -- why?", "SELECT /* ? */ 1", "SELECT 'it''s ?'", ""]
        {
            assert_eq!(marks(text).count(), 0, "{text}");
        }
        for (text, binds) in [
            ("SELECT ?", 1),
            ("SELECT 'a' || ?", 1),
            ("SELECT \"a\" - ? / ?", 2),
            ("SELECT 1 -- why?\n , ?", 1),
            ("SELECT 'it''s', ?", 1),
            ("SELECT '?', ?, /* 'one? */ ?, \"?\"\"?\", ? -- ?", 3),
            ("SELECT é, 'é?', ?", 1),
        ] {
            assert_eq!(marks(text).count(), binds, "{text}");
            assert!(marks(text).all(|at| text[at..].starts_with('?')), "{text}");
        }
    }

    #[test]
    fn a_statement_with_more_or_fewer_binds_than_marks_is_not_sent() {
        use diesel::query_builder::QueryBuilder;
        let built = |text, binds: &[Bind<'_>]| {
            let statement = Statement::<()> { text, binds, is_kept: true, row: PhantomData };
            let mut builder = <Pg as diesel::backend::Backend>::QueryBuilder::default();
            statement.to_sql(&mut builder, &Pg).map(|()| builder.finish())
        };
        assert_eq!(built("SELECT ?, ?", &[Bind::Integer(1), Bind::Integer(2)]).unwrap(), "SELECT $1, $2");
        let quoted = "SELECT '?', ?, \"a?\" FROM t -- why?";
        assert_eq!(built(quoted, &[Bind::Integer(1)]).unwrap(), "SELECT '?', $1, \"a?\" FROM t -- why?");
        assert!(built("SELECT ?, ?", &[Bind::Integer(1)]).is_err());
        assert!(built("SELECT ?", &[Bind::Integer(1), Bind::Integer(2)]).is_err());
    }

    #[test]
    fn a_text_of_our_own_is_kept_at_its_first_use_and_one_for_columns_once_it_is_used_often() {
        assert!(Statement::<()>::new("SELECT 7000", &[]).is_kept);
        let kept: Vec<bool> = (0..9).map(|_| Statement::<()>::of_columns("SELECT 7001", &[]).is_kept).collect();
        assert_eq!(kept, [false, false, false, false, false, false, false, true, true]);
    }

    #[test]
    fn a_run_is_bounded_and_what_is_larger_goes_alone() {
        let half = STATEMENT_BYTES_MAX / 2;
        let sizes = [half, half, 1, STATEMENT_BYTES_MAX * 4, STATEMENT_BYTES_MAX * 4, 7, 8];
        let cut: Vec<&[usize]> = runs(&sizes, |size| *size).collect();
        assert_eq!(cut, [&sizes[..2], &sizes[2..3], &sizes[3..4], &sizes[4..5], &sizes[5..]]);
        assert_eq!(runs(&[] as &[usize], |size| *size).count(), 0);
    }
}
