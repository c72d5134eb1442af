//! Adoption of tables that operators made with any tool: reading, judging, marking and versioning them.
//!
//! Adoption changes the operators' table in three ways only: it adds the columns of provenance, and two unique
//! indexes: one record per (agency, installation, number), one live record per legal key. All of it is one transaction.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use serde::Serialize;
use serde_json::{Value, json};

mod file;
mod inspect;
mod judge;

pub use file::{MayRead, Rights, TableFile, TablesFile};
use inspect::{PROVENANCE, Relation, unique_index};

use super::{AdministrationError, audit};
use crate::definition::{Column, Corrections};
use crate::fault::Fault;
use crate::schema::{definitions, profiles, rights, tables};

/// What adoption did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adoption {
    /// Key in `xm.tables`.
    pub table_id: i32,
    /// Application and name, such as `ecr.ActeNaissance`.
    pub table: String,
    /// Version of the columns now.
    pub version: i32,
    /// What changed.
    pub outcome: Outcome,
}

/// How a table stands after adoption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is new.
    Adopted,
    /// Its columns changed: the definition has a further version.
    NewVersion,
    /// Scope, key, checks, corrections or rights changed.
    Changed,
    /// All was as it is.
    Unchanged,
}

/// An adopted table in a list.
#[derive(Clone, Debug, Queryable, Serialize)]
pub struct Adopted {
    /// Key in `xm.tables`.
    pub table_id: i32,
    /// Family of tables.
    pub application: String,
    /// Name in letters.
    pub name: String,
    /// PostgreSQL schema.
    pub schema_name: String,
    /// PostgreSQL table.
    pub relation_name: String,
    /// Scope column.
    pub scope_column: Option<String>,
    /// Legal key.
    pub legal_key: Vec<String>,
    /// How corrections are decided.
    pub corrections: String,
    /// Checks, as in the definition file.
    pub checks: Value,
    /// Version of the columns.
    pub version: i32,
}

type AdoptedColumns = (
    tables::id,
    tables::application,
    tables::name,
    tables::schema_name,
    tables::relation_name,
    tables::scope_column,
    tables::legal_key,
    tables::corrections,
    tables::checks,
    tables::version,
);
const ADOPTED: AdoptedColumns = (
    tables::id,
    tables::application,
    tables::name,
    tables::schema_name,
    tables::relation_name,
    tables::scope_column,
    tables::legal_key,
    tables::corrections,
    tables::checks,
    tables::version,
);

/// How an adopted table differs from its definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Application and name.
    pub table: String,
    /// Each difference, and what mends it.
    pub problems: Vec<String>,
}

/// Adopts every table of a definition file, or none.
///
/// Doing it again changes nothing; after ALTER TABLE the definition gets its next version, and letters are judged by
/// that from then on.
///
/// # Errors
/// [`AdministrationError::TableUnfit`] with every problem of the first unfit table; an unknown profile; a fault.
pub async fn adopt(
    connection: &mut AsyncPgConnection,
    operator: &str,
    file: &TablesFile,
) -> Result<Vec<Adoption>, AdministrationError> {
    connection
        .transaction(async |connection| {
            let mut adoptions = Vec::with_capacity(file.tables.len());
            for table in &file.tables {
                adoptions.push(adopt_one(connection, operator, file, table).await?);
            }
            Ok(adoptions)
        })
        .await
}

async fn adopt_one(
    connection: &mut AsyncPgConnection,
    operator: &str,
    file: &TablesFile,
    table: &TableFile,
) -> Result<Adoption, AdministrationError> {
    let schema_name = file.schema_name();
    let full_name = format!("{}.{}", file.application, table.name);
    let unfit = |problems| AdministrationError::TableUnfit { table: full_name.clone(), problems };
    let mut names = vec![table.name.as_str(), table.relation_name(), schema_name];
    names.extend([file.application.as_str()]);
    if let Some(name) = names.into_iter().find(|name| !judge::is_plain(name)) {
        return Err(unfit(vec![format!("the name {name} has other characters than letters, digits and _")]));
    }
    if matches!(schema_name, "xm" | "pg_catalog" | "information_schema") {
        return Err(unfit(vec![format!(
            "schema {schema_name} belongs to the server: keep tables in one of their own"
        )]));
    }
    let Some(relation) = Relation::find(connection, schema_name, table.relation_name()).await? else {
        return Err(unfit(vec![format!(
            "there is no ordinary table {} in schema {schema_name} (views and partitioned tables cannot be adopted)",
            table.relation_name()
        )]));
    };
    let problems = judge::problems(connection, schema_name, table, &relation).await?;
    if !problems.is_empty() {
        return Err(unfit(problems));
    }
    mark(connection, schema_name, table).await?;
    let (table_id, version, mut outcome) = record(connection, file, table, &relation.definition_columns()).await?;
    if grant(connection, table_id, table).await? && outcome == Outcome::Unchanged {
        outcome = Outcome::Changed;
    }
    if outcome != Outcome::Unchanged {
        let detail = json!({ "outcome": outcome, "version": version, "definition": table });
        audit::write(connection, operator, "table.adopt", &format!("table {full_name}"), detail).await?;
    }
    Ok(Adoption { table_id, table: full_name, version, outcome })
}

/// Adds the columns of provenance and the two unique indexes.
async fn mark(connection: &mut AsyncPgConnection, schema_name: &str, table: &TableFile) -> Result<(), Fault> {
    let relation = format!("{}.{}", quoted(schema_name), quoted(table.relation_name()));
    let columns: Vec<String> =
        PROVENANCE.iter().map(|(name, type_name)| format!("ADD COLUMN IF NOT EXISTS {name} {type_name}")).collect();
    connection.batch_execute(&format!("ALTER TABLE {relation} {}", columns.join(", "))).await?;
    for (name, keys, condition) in wanted_indexes(table) {
        let found = unique_index(connection, schema_name, &name).await?;
        let fits = found.as_ref().is_some_and(|found| index_fits(found, &keys, condition));
        if fits {
            continue;
        }
        let keys = keys.iter().map(|key| quoted(key)).collect::<Vec<_>>().join(", ");
        let condition = condition.map(|text| format!(" WHERE {text}")).unwrap_or_default();
        connection
            .batch_execute(&format!(
                "DROP INDEX IF EXISTS {}.{}; CREATE UNIQUE INDEX {} ON {relation} ({keys}){condition}",
                quoted(schema_name),
                quoted(&name),
                quoted(&name)
            ))
            .await?;
    }
    Ok(())
}

type WantedIndex = (String, Vec<String>, Option<&'static str>);

fn wanted_indexes(table: &TableFile) -> [WantedIndex; 2] {
    // The installation last: comparing numbers is quick, and they differ before it comes to the text.
    let identity = ["xm_agency", "xm_numero", "xm_installation"].map(str::to_owned).to_vec();
    [
        (index_name(table.relation_name(), "_xm_record"), identity, None),
        (index_name(table.relation_name(), "_xm_legal_key"), table.legal_key.clone(), Some("\"Status\" <> 0")),
    ]
}

fn index_fits(found: &inspect::UniqueIndex, keys: &[String], condition: Option<&str>) -> bool {
    // In whatever order: it guards the same, and making it anew would keep a large table locked.
    let found_keys: BTreeSet<&str> = found.columns.iter().map(|key| key.trim_matches('"')).collect();
    let found_condition = found.condition.as_deref().map(|text| text.trim_matches(['(', ')']));
    found_keys == keys.iter().map(String::as_str).collect() && found_condition == condition
}

/// Names an index after its table, within PostgreSQL's 63 bytes.
fn index_name(relation_name: &str, suffix: &str) -> String {
    let mut stem = relation_name;
    while stem.len() + suffix.len() > 63 {
        stem = &stem[..stem.char_indices().next_back().map_or(0, |(at, _)| at)];
    }
    format!("{stem}{suffix}")
}

/// Writes table and definition; the version rises when the columns differ from the last one's.
async fn record(
    connection: &mut AsyncPgConnection,
    file: &TablesFile,
    table: &TableFile,
    columns: &[Column],
) -> Result<(i32, i32, Outcome), AdministrationError> {
    let existing: Option<Adopted> = tables::table
        .filter(tables::schema_name.eq(file.schema_name()))
        .filter(tables::relation_name.eq(table.relation_name()))
        .select(ADOPTED)
        .for_update()
        .first(connection)
        .await
        .optional()?;
    let columns_json = json!(columns);
    let checks = json!(table.checks);
    let facts = (
        tables::application.eq(&file.application),
        tables::name.eq(&table.name),
        tables::scope_column.eq(table.scope.as_deref()),
        tables::legal_key.eq(&table.legal_key),
        tables::corrections.eq(word(table.corrections)),
        tables::checks.eq(&checks),
    );
    let Some(existing) = existing else {
        let table_id: i32 = diesel::insert_into(tables::table)
            .values((
                facts,
                tables::schema_name.eq(file.schema_name()),
                tables::relation_name.eq(table.relation_name()),
            ))
            .returning(tables::id)
            .get_result(connection)
            .await
            .map_err(|error| explain(error, file, table))?;
        write_definition(connection, table_id, 1, &columns_json).await?;
        return Ok((table_id, 1, Outcome::Adopted));
    };
    let held: Value = definitions::table
        .find((existing.table_id, existing.version))
        .select(definitions::columns_found)
        .first(connection)
        .await?;
    let same_facts = existing.application == file.application
        && existing.name == table.name
        && existing.scope_column == table.scope
        && existing.legal_key == table.legal_key
        && existing.corrections == word(table.corrections)
        && existing.checks == checks;
    let (version, outcome) = match (held == columns_json, same_facts) {
        (true, true) => return Ok((existing.table_id, existing.version, Outcome::Unchanged)),
        (true, false) => (existing.version, Outcome::Changed),
        (false, _) => (existing.version + 1, Outcome::NewVersion),
    };
    if outcome == Outcome::NewVersion {
        write_definition(connection, existing.table_id, version, &columns_json).await?;
    }
    diesel::update(tables::table.find(existing.table_id))
        .set((facts, tables::version.eq(version)))
        .execute(connection)
        .await
        .map_err(|error| explain(error, file, table))?;
    Ok((existing.table_id, version, outcome))
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

/// Makes the rights those of the file. Says whether they were others.
async fn grant(
    connection: &mut AsyncPgConnection,
    table_id: i32,
    table: &TableFile,
) -> Result<bool, AdministrationError> {
    let known: Vec<String> = profiles::table.select(profiles::name).load(connection).await?;
    if let Some(unknown) = table.rights.keys().find(|profile| !known.contains(profile)) {
        return Err(AdministrationError::ProfileUnknown(unknown.clone()));
    }
    let held: Vec<(String, bool, String)> = rights::table
        .filter(rights::table_id.eq(table_id))
        .order(rights::profile)
        .select((rights::profile, rights::may_export, rights::may_read))
        .load(connection)
        .await?;
    let wanted: Vec<(String, bool, String)> = table
        .rights
        .iter()
        .map(|(profile, right)| (profile.clone(), right.may_export, right.may_read.as_str().to_owned()))
        .collect();
    if held.len() == wanted.len() && wanted.iter().all(|right| held.contains(right)) {
        return Ok(false);
    }
    diesel::delete(rights::table.filter(rights::table_id.eq(table_id))).execute(connection).await?;
    for (profile, may_export, may_read) in &wanted {
        diesel::insert_into(rights::table)
            .values((
                rights::table_id.eq(table_id),
                rights::profile.eq(profile),
                rights::may_export.eq(may_export),
                rights::may_read.eq(may_read),
            ))
            .execute(connection)
            .await?;
    }
    Ok(true)
}

/// Lists the adopted tables.
///
/// # Errors
/// A fault.
pub async fn list(connection: &mut AsyncPgConnection) -> Result<Vec<Adopted>, AdministrationError> {
    Ok(tables::table.order((tables::application, tables::name)).select(ADOPTED).load(connection).await?)
}

/// Finds an adopted table by application and name, as `ecr.ActeNaissance`, the name without regard to case.
///
/// # Errors
/// No such table; a fault.
pub async fn find(connection: &mut AsyncPgConnection, full_name: &str) -> Result<Adopted, AdministrationError> {
    let unknown = || AdministrationError::TableUnknown(full_name.to_owned());
    let (application, name) = full_name.split_once('.').ok_or_else(unknown)?;
    list(connection)
        .await?
        .into_iter()
        .find(|table| table.application == application && table.name.to_lowercase() == name.to_lowercase())
        .ok_or_else(unknown)
}

/// Compares every adopted table with the database; empty when all agree.
///
/// # Errors
/// A fault.
pub async fn check(connection: &mut AsyncPgConnection) -> Result<Vec<Drift>, AdministrationError> {
    let mut drifts = Vec::new();
    for table in list(connection).await? {
        let problems = drift(connection, &table).await?;
        if !problems.is_empty() {
            drifts.push(Drift { table: format!("{}.{}", table.application, table.name), problems });
        }
    }
    Ok(drifts)
}

async fn drift(connection: &mut AsyncPgConnection, table: &Adopted) -> Result<Vec<String>, AdministrationError> {
    let Some(relation) = Relation::find(connection, &table.schema_name, &table.relation_name).await? else {
        return Ok(vec![format!("table {}.{} is gone: restore it", table.schema_name, table.relation_name)]);
    };
    let held: Value = definitions::table
        .find((table.table_id, table.version))
        .select(definitions::columns_found)
        .first(connection)
        .await?;
    let mut problems = Vec::new();
    let Ok(defined) = serde_json::from_value::<Vec<Column>>(held) else {
        return Ok(vec!["its definition cannot be read: adopt it again".to_owned()]);
    };
    let found = relation.definition_columns();
    for column in &defined {
        match found.iter().find(|other| other.name == column.name) {
            None => problems.push(format!("column {} is gone or has an unsupported type: adopt again", column.name)),
            Some(other) if other != column => {
                problems.push(format!("column {} has another type, nullability or default: adopt again", column.name));
            }
            Some(_) => {}
        }
    }
    let added =
        |column: &&inspect::Found| !column.is_provenance() && !defined.iter().any(|known| known.name == column.name);
    problems.extend(
        relation.columns.iter().filter(added).map(|column| format!("column {} is new: adopt again", column.name)),
    );
    for (name, type_name) in PROVENANCE {
        if relation.column(name).is_none_or(|column| column.type_name != *type_name) {
            problems.push(format!("column {name} of provenance is gone or changed: adopt again"));
        }
    }
    let file = TableFile {
        name: table.name.clone(),
        relation: Some(table.relation_name.clone()),
        scope: table.scope_column.clone(),
        legal_key: table.legal_key.clone(),
        corrections: Corrections::Never,
        checks: Vec::new(),
        rights: std::collections::BTreeMap::new(),
    };
    for (name, keys, condition) in wanted_indexes(&file) {
        let found = unique_index(connection, &table.schema_name, &name).await?;
        if !found.is_some_and(|found| index_fits(&found, &keys, condition)) {
            problems.push(format!("unique index {name} is gone or changed: adopt again"));
        }
    }
    Ok(problems)
}

fn explain(error: diesel::result::Error, file: &TablesFile, table: &TableFile) -> AdministrationError {
    let unfit = |problem: String| AdministrationError::TableUnfit {
        table: format!("{}.{}", file.application, table.name),
        problems: vec![problem],
    };
    AdministrationError::explain(
        error,
        vec![
            ("tables_name", unfit("another table of the application is adopted under this name".to_owned())),
            (
                "tables_application_check",
                unfit("the application's name must be 1 to 31 of a-z, 0-9 and _, beginning with a letter".to_owned()),
            ),
        ],
    )
}

fn word(corrections: Corrections) -> &'static str {
    match corrections {
        Corrections::Never => "never",
        Corrections::AfterApproval => "after_approval",
        Corrections::ByAgency => "by_agency",
    }
}

/// Quotes an identifier for a statement.
fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}
