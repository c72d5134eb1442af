//! Records the adoption of a table: its settings, the version of its definition, and the rights to it.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::names::same;
use serde_json::{Value, json};

use super::adopted::Adopted;
use super::change::{self, Change, Outcome};
use super::file::{TableFile, TablesFile};
use super::problem::{Problem, ProblemCode};
use crate::database::fault::Fault;
use crate::database::schema::{definitions, plans, rights, tables};
use crate::error::AdministrationError;
use crate::tables::definition::{Column, Corrections};

/// The result of recording an adopted table.
pub struct Recorded {
    /// Key in `xm.tables`.
    pub table_id: i32,
    /// Current version of the definition.
    pub version: i32,
    /// Whether the table is new, changed or unchanged.
    pub outcome: Outcome,
    /// Differences from the previous adoption; empty for a new table.
    pub changes: Vec<Change>,
}

/// Records table, definition and rights. The version increases if the columns differ from those of the latest version.
pub async fn record(
    connection: &mut AsyncPgConnection,
    file: &TablesFile,
    table: &TableFile,
    columns: &[Column],
    triggers: &Value,
) -> Result<Recorded, AdministrationError> {
    let existing = former(connection, file, table).await?;
    let is_new = existing.is_none();
    let mut recorded = match existing {
        None => insert(connection, file, table, columns, triggers).await?,
        Some(existing) => update(connection, file, table, columns, triggers, &existing).await?,
    };
    if grant(connection, recorded.table_id, table).await? && !is_new {
        recorded.changes.push(Change::Setting { key: "rights" });
        if recorded.outcome == Outcome::Unchanged {
            recorded.outcome = Outcome::Changed;
        }
    }
    Ok(recorded)
}

/// Finds the previous adoption of a table. An abandoned table may be adopted again under another PostgreSQL name.
///
/// Names are compared here and not by an index with `lower()`, because that function depends on the database's locale. The caller has
/// locked `xm.tables`.
async fn former(
    connection: &mut AsyncPgConnection,
    file: &TablesFile,
    table: &TableFile,
) -> Result<Option<Adopted>, AdministrationError> {
    let all: Vec<(Adopted, bool)> =
        tables::table.select((Adopted::as_select(), tables::abandoned_at.is_not_null())).load(connection).await?;
    let is_ours = |it: &Adopted| it.schema_name == file.schema_name() && it.relation_name == table.relation_name();
    let is_namesake = |it: &Adopted| it.application == file.application && same(&it.name, &table.name);
    if all.iter().any(|(it, abandoned)| !abandoned && !is_ours(it) && is_namesake(it)) {
        return Err(AdministrationError::TableUnfit {
            table: format!("{}.{}", file.application, table.name),
            problems: vec![Problem::new(ProblemCode::NameTaken)],
        });
    }
    let by_relation = all.iter().find(|(it, _)| is_ours(it));
    let found = by_relation.or_else(|| all.iter().find(|(it, abandoned)| *abandoned && is_namesake(it)));
    Ok(found.map(|(it, _)| it.clone()))
}

async fn insert(
    connection: &mut AsyncPgConnection,
    file: &TablesFile,
    table: &TableFile,
    columns: &[Column],
    triggers: &Value,
) -> Result<Recorded, AdministrationError> {
    let table_id: i32 = diesel::insert_into(tables::table)
        .values((
            tables::application.eq(&file.application),
            tables::name.eq(&table.name),
            tables::scope_column.eq(table.scope.as_deref()),
            tables::legal_key.eq(&table.legal_key),
            tables::corrections.eq(word(table.corrections)),
            tables::results.eq(table.results),
            tables::areas.eq(&table.areas),
            tables::checks.eq(json!(table.checks)),
            tables::notes.eq(notes(table)),
            tables::schema_name.eq(file.schema_name()),
            tables::relation_name.eq(table.relation_name()),
            tables::triggers_seen.eq(triggers),
        ))
        .returning(tables::id)
        .get_result(connection)
        .await
        .map_err(|error| explain(error, file, table))?;
    write_definition(connection, table_id, 1, &json!(columns)).await?;
    Ok(Recorded { table_id, version: 1, outcome: Outcome::Adopted, changes: Vec::new() })
}

async fn update(
    connection: &mut AsyncPgConnection,
    file: &TablesFile,
    table: &TableFile,
    columns: &[Column],
    triggers: &Value,
    existing: &Adopted,
) -> Result<Recorded, AdministrationError> {
    let table_id = existing.table_id;
    let held: Value = definitions::table
        .find((table_id, existing.version))
        .select(definitions::columns_found)
        .first(connection)
        .await?;
    let columns_json = json!(columns);
    let mut changes = of_settings(existing, file, table, triggers);
    let (version, outcome) = if held != columns_json {
        // If the stored definition cannot be read, it counts as a definition without columns, so each present column is listed as new.
        let held: Vec<Column> = serde_json::from_value(held).unwrap_or_default();
        changes.extend(change::of_columns(&held, columns));
        write_definition(connection, table_id, existing.version + 1, &columns_json).await?;
        (existing.version + 1, Outcome::NewVersion)
    } else if changes.is_empty() {
        (existing.version, Outcome::Unchanged)
    } else {
        (existing.version, Outcome::Changed)
    };
    let is_back = diesel::update(tables::table.find(table_id).filter(tables::abandoned_at.is_not_null()))
        .set(tables::abandoned_at.eq(None::<chrono::DateTime<chrono::Utc>>))
        .execute(connection)
        .await?
        > 0;
    let outcome = if is_back && outcome == Outcome::Unchanged { Outcome::Changed } else { outcome };
    if outcome != Outcome::Unchanged {
        diesel::update(tables::table.find(table_id))
            .set((
                tables::application.eq(&file.application),
                tables::name.eq(&table.name),
                tables::scope_column.eq(table.scope.as_deref()),
                tables::legal_key.eq(&table.legal_key),
                tables::corrections.eq(word(table.corrections)),
                tables::results.eq(table.results),
                tables::areas.eq(&table.areas),
                tables::checks.eq(json!(table.checks)),
                tables::notes.eq(notes(table)),
                tables::schema_name.eq(file.schema_name()),
                tables::relation_name.eq(table.relation_name()),
                tables::version.eq(version),
                tables::triggers_seen.eq(triggers),
            ))
            .execute(connection)
            .await
            .map_err(|error| explain(error, file, table))?;
    }
    Ok(Recorded { table_id, version, outcome, changes })
}

fn of_settings(existing: &Adopted, file: &TablesFile, table: &TableFile, triggers: &Value) -> Vec<Change> {
    [
        ("application", existing.application == file.application),
        ("name", existing.name == table.name),
        ("relation", existing.relation_name == table.relation_name() && existing.schema_name == file.schema_name()),
        ("scope", existing.scope_column == table.scope),
        ("legal_key", existing.legal_key == table.legal_key),
        ("corrections", existing.corrections == word(table.corrections)),
        ("results", existing.results == table.results),
        ("areas", existing.areas == table.areas),
        ("checks", existing.checks == json!(table.checks)),
        ("notes", existing.notes == notes(table)),
        ("triggers", existing.triggers_seen == *triggers),
    ]
    .into_iter()
    .filter(|(_, is_same)| !is_same)
    .map(|(key, _)| Change::Setting { key })
    .collect()
}

async fn write_definition(
    connection: &mut AsyncPgConnection,
    table_id: i32,
    version: i32,
    columns: &Value,
) -> Result<(), Fault> {
    diesel::insert_into(definitions::table)
        .values((
            definitions::table_id.eq(table_id),
            definitions::version.eq(version),
            definitions::columns_found.eq(columns),
        ))
        .execute(connection)
        .await?;
    Ok(())
}

/// A right: the plan, whether its agencies may send records, whose records they may import, whose they may have certified, and what the
/// answer to a certify contains.
type Right = (String, bool, String, String, String);

/// Replaces the rights to the table by those of the file. Says whether the rights changed.
async fn grant(
    connection: &mut AsyncPgConnection,
    table_id: i32,
    table: &TableFile,
) -> Result<bool, AdministrationError> {
    let known: Vec<String> = plans::table.select(plans::name).load(connection).await?;
    if let Some(unknown) = table.rights.keys().find(|plan| !known.contains(plan)) {
        return Err(AdministrationError::PlanUnknown(unknown.clone()));
    }
    let held: Vec<Right> = rights::table
        .filter(rights::table_id.eq(table_id))
        .order(rights::plan)
        .select((rights::plan, rights::may_export, rights::may_read, rights::may_certify, rights::certify_gives))
        .load(connection)
        .await?;
    let wanted: Vec<Right> = table
        .rights
        .iter()
        .map(|(plan, right)| {
            let words = [right.may_read.as_str(), right.may_certify.as_str(), right.certify_gives.as_str()];
            let [may_read, may_certify, certify_gives] = words.map(str::to_owned);
            (plan.clone(), right.may_export, may_read, may_certify, certify_gives)
        })
        .collect();
    if held.len() == wanted.len() && wanted.iter().all(|right| held.contains(right)) {
        return Ok(false);
    }
    diesel::delete(rights::table.filter(rights::table_id.eq(table_id))).execute(connection).await?;
    for (plan, may_export, may_read, may_certify, certify_gives) in &wanted {
        diesel::insert_into(rights::table)
            .values((
                rights::table_id.eq(table_id),
                rights::plan.eq(plan),
                rights::may_export.eq(may_export),
                rights::may_read.eq(may_read),
                rights::may_certify.eq(may_certify),
                rights::certify_gives.eq(certify_gives),
            ))
            .execute(connection)
            .await?;
    }
    Ok(true)
}

fn explain(error: diesel::result::Error, file: &TablesFile, table: &TableFile) -> AdministrationError {
    let unfit = |code| AdministrationError::TableUnfit {
        table: format!("{}.{}", file.application, table.name),
        problems: vec![Problem::new(code)],
    };
    AdministrationError::explain(
        error,
        vec![
            ("tables_name", unfit(ProblemCode::NameTaken)),
            ("tables_application_check", unfit(ProblemCode::ApplicationInvalid)),
        ],
    )
}

fn notes(table: &TableFile) -> Option<Value> {
    table.notes.as_ref().map(|notes| json!(notes))
}

fn word(corrections: Corrections) -> &'static str {
    match corrections {
        Corrections::Never => "never",
        Corrections::AfterApproval => "after_approval",
        Corrections::ByAgency => "by_agency",
    }
}
