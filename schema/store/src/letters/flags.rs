//! Flags: marks on accepted letters that need an explanation, since a check of their content failed or could not be judged. A flag is open
//! until an operator explains it (SPEC 4, Checks).

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::database::schema::flags;
use crate::error::{AdministrationError, Book, InvalidValue};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Largest number of characters of an explanation.
const EXPLANATION_CHARS_MAX: usize = 1000;

/// A flag as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct FlagLine {
    /// Number of the flag.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Agency that sent the letter.
    #[diesel(sql_type = Integer)]
    pub agency: Matricule,
    /// Id of the letter.
    #[diesel(sql_type = SqlUuid)]
    pub letter_id: Uuid,
    /// Full name of the table, such as `election.ResultatBureau`.
    #[diesel(sql_type = Text)]
    pub table: String,
    /// Code of the check.
    #[diesel(sql_type = Text)]
    pub check: String,
    /// Whether the check could not be judged, because of a NULL or a missing reference.
    #[diesel(sql_type = Bool)]
    pub unjudged: bool,
    /// First hundred rows with this flag, each with the arithmetic of the check.
    #[diesel(sql_type = Jsonb)]
    pub rows: Value,
    /// Number of all rows with this flag.
    #[diesel(sql_type = Integer)]
    pub rows_total: i32,
    /// Time when the letter arrived.
    #[diesel(sql_type = Timestamptz)]
    pub flagged_at: DateTime<Utc>,
    /// Explanation of the flag; `None` while the flag is open.
    #[diesel(sql_type = Nullable<Text>)]
    pub explanation: Option<String>,
    /// Name of the user who explained the flag; `None` while the flag is open.
    #[diesel(sql_type = Nullable<Text>)]
    pub explained_by: Option<String>,
    /// Time of the explanation; `None` while the flag is open.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub explained_at: Option<DateTime<Utc>>,
}

/// Filter of a list of flags, which begins with the newest.
#[derive(Clone, Debug, Default)]
pub struct FlagFilter {
    /// Only flags on letters of this agency.
    pub agency: Option<Matricule>,
    /// Only flags of this check.
    pub check: Option<String>,
    /// Whether explained flags are listed too.
    pub with_explained: bool,
    /// Only flags with a lower number than this.
    pub before: Option<i64>,
    /// Largest number of flags to list; 100 when `None`.
    pub limit: Option<i64>,
}

/// Lists flags, the newest first.
///
/// # Errors
/// A fault of the database.
pub async fn list(
    connection: &mut AsyncPgConnection,
    filter: &FlagFilter,
) -> Result<Vec<FlagLine>, AdministrationError> {
    let lines = diesel::sql_query(
        "SELECT f.id, f.agency, f.letter_id, coalesce(t.application || '.' || t.name, f.table_id::text) AS table,
                f.check_code AS check, f.unjudged, f.rows, f.rows_total, f.flagged_at, f.explanation, f.explained_by, f.explained_at
           FROM xm.flags f LEFT JOIN xm.tables t ON t.id = f.table_id
          WHERE ($1 IS NULL OR f.agency = $1) AND ($2 IS NULL OR f.check_code = $2) AND (f.explained_at IS NULL OR $3)
            AND ($4 IS NULL OR f.id < $4)
          ORDER BY f.id DESC LIMIT $5",
    )
    .bind::<Nullable<Integer>, _>(filter.agency)
    .bind::<Nullable<Text>, _>(&filter.check)
    .bind::<Bool, _>(filter.with_explained)
    .bind::<Nullable<BigInt>, _>(filter.before)
    .bind::<BigInt, _>(filter.limit.unwrap_or(100))
    .load(connection)
    .await?;
    Ok(lines)
}

/// Explains a flag. An explained flag is kept, but no longer listed as open.
///
/// # Errors
/// The flag does not exist or is explained already; an explanation that is empty, longer than 1 000 characters or not on one line; a fault
/// of the database.
pub async fn explain(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i64,
    explanation: &str,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::FlagExplain).await?;
    let explanation = explanation.trim();
    let is_long = explanation.chars().count() > EXPLANATION_CHARS_MAX;
    if explanation.is_empty() || is_long || explanation.chars().any(char::is_control) {
        return Err(InvalidValue::Explanation { chars_max: EXPLANATION_CHARS_MAX }.into());
    }
    connection
        .transaction(async |connection| {
            let found: Option<(String, Option<String>)> = flags::table
                .find(id)
                .select((flags::check_code, flags::explained_by))
                .for_update()
                .first(connection)
                .await
                .optional()?;
            let (check, explained_by) = found.ok_or(AdministrationError::LineUnknown { book: Book::Flags, id })?;
            if let Some(user) = explained_by {
                return Err(AdministrationError::FlagExplained { id, user });
            }
            diesel::update(flags::table.find(id))
                .set((
                    flags::explanation.eq(Some(explanation)),
                    flags::explained_by.eq(Some(operator.user())),
                    flags::explained_at.eq(Some(Utc::now())),
                ))
                .execute(connection)
                .await?;
            let action = AuditAction::FlagExplain { flag: id, check: &check, explanation };
            audit::write(connection, operator, &action).await?;
            Ok(())
        })
        .await
}
