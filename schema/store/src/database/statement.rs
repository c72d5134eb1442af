//! A SQL text with typed binds that diesel caches as a prepared statement.
//!
//! `diesel::sql_query` is parsed anew at every call; settling runs the same dozen texts for every batch, so they go
//! through this fragment instead, whose cache key is its text. A text is either this crate's own, and prepared at its first use,
//! or is built for the columns of a letter from the catalogue's identifiers, quoted: that is prepared once it is used often, see
//! `kept`. Values never become text. A `?` stands for a bind, unless it stands between quoting marks or in a comment, where it
//! stays what it is; for operators that have one PostgreSQL has functions.

mod kept;

use std::marker::PhantomData;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Date, Integer, Jsonb, Nullable, SmallInt, Text, Time, Timestamptz, Uuid as SqlUuid,
};
use sdc::letter::Matricule;
use uuid::Uuid;

/// Most bytes of containers in one statement. tokio-postgres keeps, with each connection, room for the largest it ever
/// sent, twice; so many connections would otherwise hold what passed through them.
pub const STATEMENT_BYTES_MAX: usize = 1 << 20;

/// Cuts items into runs that are each sent in a statement of their own: at most [`STATEMENT_BYTES_MAX`] bytes, or one item.
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

/// Writes a select list that makes rows of so many arrays, one row at a time. `FROM unnest(…)` would write each array into
/// a store of its own first, which takes twice as long.
pub fn unnested(arrays: usize) -> String {
    vec!["unnest(?)"; arrays].join(", ")
}

/// One typed value of a statement. Arrays travel whole; their elements become rows by `unnest`. What is long is borrowed: a
/// batch has tens of thousands of values.
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

/// A statement whose rows have the SQL type `Row`. Each `?` of its text that is not quoted stands for the next bind.
pub struct Statement<'a, Row = ()> {
    text: &'a str,
    binds: &'a [Bind<'a>],
    /// Whether connections keep it prepared.
    is_kept: bool,
    row: PhantomData<fn() -> Row>,
}

impl<'a, Row> Statement<'a, Row> {
    /// Joins a text of this crate's own and its binds; there must be as many as the text has `?`. Nothing that a letter says is
    /// in the text, nor does it decide which of several it is.
    pub fn new(text: &'a str, binds: &'a [Bind<'a>]) -> Statement<'a, Row> {
        Statement::joined(text, binds, true)
    }

    /// Joins a text for the columns that a letter brings and its binds.
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

/// The error for a text that has not one bind for each `?`: every later value would go into the wrong column.
fn miscounted() -> diesel::result::Error {
    diesel::result::Error::QueryBuilderError("a statement has not one bind for each ? of its text".into())
}

/// Finds the marks of a text that stand for binds: those outside of quoting marks and comments.
fn marks(text: &str) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + text[from..].find(['?', '\'', '"', '-', '/'])?;
            // Of a quoting mark that is doubled the second one opens again what the first one closed.
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
