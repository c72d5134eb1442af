//! Inspections of the audit log: an operator reads it, has its chain verified, or exports it. Each inspection is a line of the log itself,
//! so that it is known who has read what about his colleagues.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Jsonb};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};

use super::action::AuditAction;
use super::audit::{self, Head, Line, Walk};
use super::audit_filter::AuditFilter;
use super::operator::Operator;
use super::privilege::Operation;
use crate::database::schema::audit as lines;
use crate::error::AdministrationError;
use crate::tables::records;

/// A search of the audit log that is on record; it gives its lines page by page.
#[derive(Clone, Debug)]
pub struct Inspection {
    filter: AuditFilter,
    /// What the detail of a look at the record contains, in any of these forms; `None` if no record is searched.
    looked_at: Option<Vec<Value>>,
}

impl Inspection {
    /// Begins a search, and writes its line.
    ///
    /// # Errors
    /// The operator may not read the log; the filter names a table that is not adopted, or another number of values than the table's legal
    /// key has columns; a fault of the database.
    pub async fn begin(
        connection: &mut AsyncPgConnection,
        operator: &Operator,
        filter: AuditFilter,
    ) -> Result<Inspection, AdministrationError> {
        operator.require(connection, Operation::AuditShow).await?;
        connection
            .transaction(async |connection| {
                let looked_at = match &filter.record {
                    None => None,
                    Some(asked) => {
                        let (record, letters) = records::named(connection, &asked.table, &asked.key).await?;
                        let of_letter = |(agency, letter_id)| json!({ "agency": agency, "letter_id": letter_id });
                        let looked_at = letters.into_iter().map(of_letter);
                        Some(looked_at.chain([json!({ "records": [record] })]).collect())
                    }
                };
                audit::write(connection, operator, &AuditAction::AuditShow { filter: &filter }).await?;
                Ok(Inspection { filter, looked_at })
            })
            .await
    }

    /// Returns at most `limit` lines, newest first. If `before` is given, only lines with a lower number are returned.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn page(
        &self,
        connection: &mut AsyncPgConnection,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Line>, AdministrationError> {
        let AuditFilter { line, operator, action, subject, since, until, looks, record: _ } = &self.filter;
        let mut query = lines::table
            .filter(lines::id.lt(before.unwrap_or(i64::MAX)))
            .order(lines::id.desc())
            .limit(limit)
            .select(Line::as_select())
            .into_boxed();
        if let Some(line) = line {
            query = query.filter(lines::id.eq(*line));
        }
        if let Some(operator) = operator {
            query = query.filter(lines::operator.eq(operator));
        }
        if let Some(action) = action {
            query = query.filter(lines::action.eq(action));
        }
        if let Some(subject) = subject {
            query = query.filter(lines::subject.eq(subject));
        }
        if let Some(since) = since {
            query = query.filter(lines::at.ge(*since));
        }
        if let Some(until) = until {
            query = query.filter(lines::at.lt(*until));
        }
        if *looks || self.looked_at.is_some() {
            query = query.filter(lines::action.eq_any(AuditAction::LOOKS));
        }
        if let Some(looked_at) = &self.looked_at {
            let contains = sql::<Bool>("detail @> ANY(").bind::<Array<Jsonb>, _>(looked_at);
            query = query.filter(contains.sql(")"));
        }
        Ok(query.load(connection).await?)
    }
}

/// Shows one line.
///
/// # Errors
/// The line does not exist; the errors of [`Inspection::begin`].
pub async fn show(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    line: i64,
) -> Result<Line, AdministrationError> {
    // The line is looked for before it is read, since the inspection writes one more.
    let last = audit::head(connection).await?.id;
    let filter = AuditFilter { line: Some(line), ..AuditFilter::default() };
    let inspection = Inspection::begin(connection, operator, filter).await?;
    let found = inspection.page(connection, Some(last + 1), 1).await?.into_iter().next();
    found.ok_or(AdministrationError::AuditLineUnknown(line))
}

/// Verifies the whole chain, and that it still has the line that somebody wrote down, if `written_down` is given. Returns the last line's
/// number and hash, to be written down.
///
/// # Errors
/// The operator may not verify the log; [`AdministrationError::AuditBroken`]; [`AdministrationError::AuditHeadOther`]; a fault of the
/// database. What was found is written down as a line of the log even where the chain is broken.
pub async fn verify(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    written_down: Option<&Head>,
) -> Result<Head, AdministrationError> {
    operator.require(connection, Operation::AuditVerify).await?;
    let found = audit::verify(connection, written_down).await;
    let action = match &found {
        Ok(head) => AuditAction::AuditVerify { is_whole: true, line: head.id },
        Err(AdministrationError::AuditBroken(line) | AdministrationError::AuditHeadOther { line, .. }) => {
            AuditAction::AuditVerify { is_whole: false, line: *line }
        }
        Err(_) => return found,
    };
    connection.transaction(async |connection| audit::write(connection, operator, &action).await).await?;
    found
}

/// An export of the audit log that is on record: it gives the lines oldest first, each verified, and ends with the line of the export.
#[derive(Debug)]
pub struct Export {
    walk: Walk,
    last: i64,
}

impl Export {
    /// Begins an export of the lines after a given one; 0 exports all.
    ///
    /// # Errors
    /// The operator may not export the log; the line does not exist; a fault of the database.
    pub async fn begin(
        connection: &mut AsyncPgConnection,
        operator: &Operator,
        after: i64,
    ) -> Result<Export, AdministrationError> {
        operator.require(connection, Operation::AuditExport).await?;
        connection
            .transaction(async |connection| {
                let walk = Walk::behind(connection, after).await?;
                audit::write(connection, operator, &AuditAction::AuditExport { after }).await?;
                Ok(Export { walk, last: audit::head(connection).await?.id })
            })
            .await
    }

    /// Returns the next lines; none at the end.
    ///
    /// # Errors
    /// [`AdministrationError::AuditBroken`]; a fault of the database.
    pub async fn page(&mut self, connection: &mut AsyncPgConnection) -> Result<Vec<Line>, AdministrationError> {
        self.walk.page(connection, self.last).await
    }
}
