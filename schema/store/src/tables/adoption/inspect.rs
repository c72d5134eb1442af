//! A table as PostgreSQL's catalogue describes it.

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::problem::{Problem, ProblemCode};
use crate::database::fault::Fault;
use crate::tables::definition::{Column, ColumnType, is_provenance};

/// The columns of provenance, which adoption adds, with their types as PostgreSQL writes them. They say which letter each record came from.
pub const PROVENANCE: &[(&str, &str)] = &[
    ("xm_agency", "integer"),
    ("xm_installation", "text"),
    ("xm_numero", "bigint"),
    ("xm_sequence", "bigint"),
    ("xm_letter", "uuid"),
];

/// A column as PostgreSQL's catalogue describes it.
#[derive(QueryableByName)]
pub struct Found {
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Name of the type without length, such as `character varying`.
    #[diesel(sql_type = Text)]
    pub type_name: String,
    /// Length, precision and scale as PostgreSQL packs them into one number; -1 if there is no limit.
    #[diesel(sql_type = Integer)]
    pub modifier: i32,
    #[diesel(sql_type = Bool)]
    pub nullable: bool,
    #[diesel(sql_type = Bool)]
    pub has_default: bool,
    #[diesel(sql_type = Bool)]
    pub is_generated: bool,
    /// Whether the column's collation distinguishes any two different texts.
    #[diesel(sql_type = Bool)]
    pub is_exact: bool,
}

/// A table as PostgreSQL's catalogue describes it.
pub struct Relation {
    /// Every column, in PostgreSQL's order.
    pub columns: Vec<Found>,
}

#[derive(QueryableByName)]
struct Kind {
    #[diesel(sql_type = Text)]
    kind: String,
}

impl Relation {
    /// Finds a table; `None` if there is no ordinary table of this name.
    pub async fn find(
        connection: &mut AsyncPgConnection,
        schema_name: &str,
        relation_name: &str,
    ) -> Result<Option<Relation>, Fault> {
        let found: Option<Kind> = diesel::sql_query(
            "SELECT c.relkind::text AS kind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = $1 AND c.relname = $2",
        )
        .bind::<Text, _>(schema_name)
        .bind::<Text, _>(relation_name)
        .get_result(connection)
        .await
        .optional()?;
        // Only an ordinary table (kind `r`) can be adopted, since adoption makes unique indexes. A view cannot have one, and in a
        // partitioned table a unique index must contain the partition key.
        if found.is_none_or(|found| found.kind != "r") {
            return Ok(None);
        }
        let columns = diesel::sql_query(
            "SELECT a.attname::text AS name, format_type(a.atttypid, NULL) AS type_name, a.atttypmod AS modifier,
                    NOT a.attnotnull AS nullable, (a.atthasdef OR a.attidentity <> '') AS has_default,
                    (a.attgenerated <> '' OR a.attidentity = 'a' AND a.attname <> 'Numero') AS is_generated,
                    coalesce(l.collisdeterministic, true) AS is_exact
               FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
               LEFT JOIN pg_collation l ON l.oid = a.attcollation
              WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped
              ORDER BY a.attnum",
        )
        .bind::<Text, _>(schema_name)
        .bind::<Text, _>(relation_name)
        .load(connection)
        .await?;
        Ok(Some(Relation { columns }))
    }

    /// Finds a column by its exact name.
    pub fn column(&self, name: &str) -> Option<&Found> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns the columns that letters may use. Columns of an unsupported type are left out. `multiline` lists the columns whose text may
    /// have several lines.
    pub fn definition_columns(&self, multiline: &[String]) -> Vec<Column> {
        self.columns
            .iter()
            .filter(|found| !found.is_provenance())
            .filter_map(|found| {
                Some(Column {
                    name: found.name.clone(),
                    kind: found.kind()?,
                    nullable: found.nullable,
                    has_default: found.has_default,
                    multiline: multiline.contains(&found.name),
                })
            })
            .collect()
    }
}

impl Found {
    /// Says whether the column's name is reserved for provenance.
    pub fn is_provenance(&self) -> bool {
        is_provenance(&self.name)
    }

    /// Returns the column's type; `None` if the type is not supported.
    pub fn kind(&self) -> Option<ColumnType> {
        // PostgreSQL stores lengths, and the precision and scale of `numeric`, with an offset of four (VARHDRSZ).
        let limit = u32::try_from(self.modifier - 4).ok().filter(|_| self.modifier >= 4);
        Some(match self.type_name.as_str() {
            "smallint" => ColumnType::Smallint,
            "integer" => ColumnType::Integer,
            "bigint" => ColumnType::Bigint,
            "numeric" => ColumnType::Numeric {
                precision: limit.and_then(|limit| u16::try_from(limit >> 16).ok()),
                scale: limit.and_then(numeric_scale),
            },
            "boolean" => ColumnType::Boolean,
            "text" => ColumnType::Text { length_chars_max: None, padded: false },
            "character varying" => ColumnType::Text { length_chars_max: limit, padded: false },
            "character" => ColumnType::Text { length_chars_max: limit, padded: true },
            "date" => ColumnType::Date,
            "time without time zone" => ColumnType::Time,
            // For times, the modifier is the number of fraction digits, without the offset.
            "timestamp with time zone" => ColumnType::Timestamptz { fraction_digits: u8::try_from(self.modifier).ok() },
            "uuid" => ColumnType::Uuid,
            "bytea" => ColumnType::Bytea,
            _ => return None,
        })
    }

    /// Returns a problem if the column's collation treats different texts as equal: one record could then be taken for a duplicate of
    /// another.
    pub fn inexact(&self) -> Option<Problem> {
        (!self.is_exact && !self.is_provenance())
            .then(|| Problem::new(ProblemCode::CollationInexact).with("column", &self.name))
    }

    /// Says whether checks may calculate with the column.
    pub fn is_integer(&self) -> bool {
        matches!(self.kind(), Some(ColumnType::Smallint | ColumnType::Integer | ColumnType::Bigint))
    }
}

/// Reads the scale of a `numeric` type. Since PostgreSQL 15, the low eleven bits of the modifier are a signed number.
fn numeric_scale(limit: u32) -> Option<i16> {
    const SIGN: u32 = 0x400;
    let bits = i32::try_from(limit & 0x7ff).ok()?;
    let scale = if limit & SIGN == 0 { bits } else { bits - 0x800 };
    i16::try_from(scale).ok()
}

/// A unique index: its columns in order, and its condition.
#[derive(QueryableByName)]
pub struct UniqueIndex {
    #[diesel(sql_type = Array<Text>)]
    pub columns: Vec<String>,
    #[diesel(sql_type = Nullable<Text>)]
    pub condition: Option<String>,
}

/// Finds a valid unique index by name.
pub async fn unique_index(
    connection: &mut AsyncPgConnection,
    schema_name: &str,
    index_name: &str,
) -> Result<Option<UniqueIndex>, Fault> {
    let index = diesel::sql_query(
        "SELECT ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, false) FROM generate_series(1, i.indnkeyatts) k) AS columns,
                pg_get_expr(i.indpred, i.indrelid) AS condition
           FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = $1 AND c.relname = $2 AND i.indisunique AND i.indisvalid",
    )
    .bind::<Text, _>(schema_name)
    .bind::<Text, _>(index_name)
    .get_result(connection)
    .await
    .optional()?;
    Ok(index)
}
