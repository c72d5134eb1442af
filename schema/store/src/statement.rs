//! A SQL text with typed binds that diesel caches as a prepared statement.
//!
//! `diesel::sql_query` is parsed anew at every call; settling runs the same dozen texts for every batch, so they go
//! through this fragment instead, whose cache key is its text. A text is either a constant of this crate or is built
//! from the catalogue's identifiers, quoted; values never become text.

use std::marker::PhantomData;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Date, Integer, Jsonb, Nullable, SmallInt, Text, Time, Timestamptz, Uuid as SqlUuid,
};
use uuid::Uuid;

/// One typed value of a statement. Arrays travel whole; their elements become rows by `unnest`.
pub enum Bind {
    /// `integer`
    Integer(i32),
    /// `bigint`
    Bigint(i64),
    /// `text`
    Text(String),
    /// `uuid`
    Uuid(Uuid),
    /// `timestamptz`
    Timestamptz(DateTime<Utc>),
    /// `smallint[]`
    Smallints(Vec<Option<i16>>),
    /// `integer[]`
    Integers(Vec<Option<i32>>),
    /// `bigint[]`
    Bigints(Vec<Option<i64>>),
    /// `boolean[]`
    Booleans(Vec<Option<bool>>),
    /// `text[]`
    Texts(Vec<Option<String>>),
    /// `date[]`
    Dates(Vec<Option<NaiveDate>>),
    /// `time[]`
    Times(Vec<Option<NaiveTime>>),
    /// `timestamptz[]`
    Timestamptzs(Vec<Option<DateTime<Utc>>>),
    /// `uuid[]`
    Uuids(Vec<Option<Uuid>>),
    /// `bytea[]`
    Byteas(Vec<Option<Vec<u8>>>),
    /// `jsonb[]`
    Jsonbs(Vec<Option<serde_json::Value>>),
}

impl Bind {
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self {
            Bind::Integer(value) => out.push_bind_param::<Integer, _>(value),
            Bind::Bigint(value) => out.push_bind_param::<BigInt, _>(value),
            Bind::Text(value) => out.push_bind_param::<Text, _>(value),
            Bind::Uuid(value) => out.push_bind_param::<SqlUuid, _>(value),
            Bind::Timestamptz(value) => out.push_bind_param::<Timestamptz, _>(value),
            Bind::Smallints(values) => out.push_bind_param::<Array<Nullable<SmallInt>>, _>(values),
            Bind::Integers(values) => out.push_bind_param::<Array<Nullable<Integer>>, _>(values),
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

/// A statement whose rows have the SQL type `Row`. Each `?` of its text stands for the next bind.
pub struct Statement<'a, Row = ()> {
    text: &'a str,
    binds: &'a [Bind],
    row: PhantomData<fn() -> Row>,
}

impl<'a, Row> Statement<'a, Row> {
    /// Joins a text and its binds; there must be as many as the text has `?`.
    pub fn new(text: &'a str, binds: &'a [Bind]) -> Statement<'a, Row> {
        debug_assert_eq!(text.matches('?').count(), binds.len(), "one bind per ? in {text}");
        Statement { text, binds, row: PhantomData }
    }
}

impl<Row> QueryFragment<Pg> for Statement<'_, Row> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut binds = self.binds.iter();
        for (index, piece) in self.text.split('?').enumerate() {
            if index > 0
                && let Some(bind) = binds.next()
            {
                bind.push(&mut out)?;
            }
            out.push_sql(piece);
        }
        Ok(())
    }
}

impl<Row> QueryId for Statement<'_, Row> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Row> Query for Statement<'_, Row> {
    type SqlType = Row;
}

impl<Row, Conn> diesel::query_dsl::RunQueryDsl<Conn> for Statement<'_, Row> {}
