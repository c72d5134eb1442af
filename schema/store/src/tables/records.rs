//! Records found by their legal keys: what a record says, and which letters wrote it.

use std::sync::Arc;

use chrono::NaiveDate;
use diesel::QueryableByName;
use diesel::sql_types::{Integer, Jsonb, Nullable, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::catalogue::Catalogue;
use super::definition::{ColumnType, Definition, NUMERO};
use super::named_record::NamedRecord;
use crate::database::identifier::quoted;
use crate::database::statement::{Bind, Statement};
use crate::error::{AdministrationError, InvalidValue};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// A record as an operator reads it.
#[derive(Clone, Debug, PartialEq, QueryableByName, Serialize)]
pub struct Record {
    /// Agency that sent the record; `None` if the centre wrote it.
    #[diesel(sql_type = Nullable<Integer>)]
    pub agency: Option<Matricule>,
    /// Letter that last wrote the record; `None` if the centre wrote it.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub letter_id: Option<Uuid>,
    /// Values by column, without those of provenance. A `bytea` is `{"bytes": 4711}`, since nobody reads it here.
    #[diesel(sql_type = Jsonb)]
    pub content: Value,
}

/// Shows the records of a legal key, cancelled ones too: `table` is the full name of the table, such as `ecr.ActeNaissance`, and `values`
/// are those of the legal key in its order. The audit log records that the operator looked, even if there is no such record.
///
/// # Errors
/// The table is not adopted, or its legal key has other columns; no record has the key; a fault of the database.
pub async fn show(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    table: &str,
    values: &[String],
) -> Result<Vec<Record>, AdministrationError> {
    operator.require(connection, Operation::RecordShow).await?;
    let (definition, record) = definition_of(connection, table, values).await?;
    let found = connection
        .transaction(async |connection| {
            let found = read(connection, &definition, &record).await?;
            let action = AuditAction::RecordShow { table: &record.table, records: std::slice::from_ref(&record) };
            audit::write(connection, operator, &action).await?;
            Ok::<Vec<Record>, AdministrationError>(found)
        })
        .await?;
    if found.is_empty() { Err(AdministrationError::RecordUnknown(record)) } else { Ok(found) }
}

async fn read(
    connection: &mut AsyncPgConnection,
    definition: &Definition,
    record: &NamedRecord,
) -> Result<Vec<Record>, AdministrationError> {
    let (condition, binds) = condition(definition, record);
    let text = format!(
        "SELECT t.xm_agency AS agency, t.xm_letter AS letter_id, to_jsonb(t) AS content FROM {}.{} t WHERE {condition}",
        quoted(&definition.schema_name),
        quoted(&definition.relation_name),
    );
    let mut records: Vec<Record> = Statement::<diesel::sql_types::Untyped>::new(&text, &binds).load(connection).await?;
    for record in &mut records {
        let mut shown = serde_json::Map::new();
        for column in &definition.columns {
            let value = record.content.get(&column.name).cloned().unwrap_or_default();
            let value = match (column.kind, value.as_str()) {
                // PostgreSQL writes two hexadecimal digits for each octet, behind `\\x`.
                (ColumnType::Bytea, Some(text)) => json!({ "bytes": text.len().saturating_sub(2) / 2 }),
                _ => value,
            };
            shown.insert(column.name.clone(), value);
        }
        record.content = Value::Object(shown);
    }
    Ok(records)
}

/// Names the record that a person means, and lists the letters that it came by.
pub(crate) async fn named(
    connection: &mut AsyncPgConnection,
    table: &str,
    values: &[String],
) -> Result<(NamedRecord, Vec<(Matricule, Uuid)>), AdministrationError> {
    let (definition, record) = definition_of(connection, table, values).await?;
    let letters = letters_of(connection, &definition, &record).await?;
    Ok((record, letters))
}

async fn definition_of(
    connection: &mut AsyncPgConnection,
    table: &str,
    values: &[String],
) -> Result<(Arc<Definition>, NamedRecord), AdministrationError> {
    let unknown = || AdministrationError::TableUnknown(table.to_owned());
    let (application, name) = table.split_once('.').ok_or_else(unknown)?;
    let definition = Catalogue::load(connection).await?.table(application, name).ok_or_else(unknown)?;
    let full_name = format!("{}.{}", definition.application, definition.name);
    let record = NamedRecord::given(&full_name, &definition.legal_key, values)
        .filter(|record| {
            definition.legal_key.iter().all(|column| is_readable(&definition, column, &record.key[column]))
        })
        .ok_or_else(|| InvalidValue::RecordKey { columns: definition.legal_key.clone() })?;
    Ok((definition, record))
}

/// Lists the letters that a record came by: the one that wrote what the table has, and those of its history. The list is empty if the table
/// has no such record.
async fn letters_of(
    connection: &mut AsyncPgConnection,
    definition: &Definition,
    record: &NamedRecord,
) -> Result<Vec<(Matricule, Uuid)>, AdministrationError> {
    let (condition, mut binds) = condition(definition, record);
    let text = format!(
        "WITH named AS (SELECT {}::bigint AS numero, xm_agency, xm_letter FROM {}.{} WHERE {condition}),
              kept AS (SELECT h.* FROM xm.history h JOIN named n ON h.table_id = ? AND h.numero = n.numero)
         SELECT xm_agency, xm_letter FROM named WHERE xm_letter IS NOT NULL AND xm_agency IS NOT NULL
          UNION SELECT agency, letter_id FROM kept
          UNION SELECT agency, replaced_by FROM kept WHERE replaced_by IS NOT NULL",
        quoted(NUMERO),
        quoted(&definition.schema_name),
        quoted(&definition.relation_name),
    );
    binds.push(Bind::Integer(definition.table_id));
    Ok(Statement::<(Integer, SqlUuid)>::new(&text, &binds).load(connection).await?)
}

/// Returns the condition that a row is the record, and its values.
fn condition<'a>(definition: &Definition, record: &'a NamedRecord) -> (String, Vec<Bind<'a>>) {
    let equal = |column: &String| match definition.column(column).map(|column| column.kind) {
        Some(kind) if is_compared_as_it_is(kind) => format!("{} = CAST(? AS {})", quoted(column), kind.in_sql()),
        _ => format!("{}::text = ?", quoted(column)),
    };
    let equal: Vec<String> = definition.legal_key.iter().map(equal).collect();
    let binds = definition.legal_key.iter().map(|column| Bind::Text(record.key[column].as_str())).collect();
    (equal.join(" AND "), binds)
}

/// Says whether a column is compared by its own type, so that the index of the legal key is used. Other types have several texts for one
/// value, so their text is compared.
fn is_compared_as_it_is(kind: ColumnType) -> bool {
    kind.joined_as().is_some()
}

/// Says whether PostgreSQL would read a text as a value of the column.
fn is_readable(definition: &Definition, column: &str, text: &str) -> bool {
    match definition.column(column).map(|column| column.kind) {
        Some(ColumnType::Smallint) => text.parse::<i16>().is_ok(),
        Some(ColumnType::Integer) => text.parse::<i32>().is_ok(),
        Some(ColumnType::Bigint) => text.parse::<i64>().is_ok(),
        Some(ColumnType::Date) => text.parse::<NaiveDate>().is_ok(),
        Some(ColumnType::Uuid) => text.parse::<Uuid>().is_ok(),
        _ => !text.contains('\0'),
    }
}
