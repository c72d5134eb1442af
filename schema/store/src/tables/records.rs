//! Records found by their legal keys: which letters wrote a record.

use chrono::NaiveDate;
use diesel::sql_types::{Integer, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use uuid::Uuid;

use super::catalogue::Catalogue;
use super::definition::{ColumnType, Definition, NUMERO};
use super::named_record::NamedRecord;
use crate::database::identifier::quoted;
use crate::database::statement::{Bind, Statement};
use crate::error::{AdministrationError, InvalidValue};

/// A record that a person names: the full name of its table, such as `ecr.ActeNaissance`, and the values of the legal key in its order.
pub(crate) async fn named(
    connection: &mut AsyncPgConnection,
    table: &str,
    values: &[String],
) -> Result<(NamedRecord, Vec<(Matricule, Uuid)>), AdministrationError> {
    let unknown = || AdministrationError::TableUnknown(table.to_owned());
    let (application, name) = table.split_once('.').ok_or_else(unknown)?;
    let definition = Catalogue::load(connection).await?.table(application, name).ok_or_else(unknown)?;
    let full_name = format!("{}.{}", definition.application, definition.name);
    let record = NamedRecord::given(&full_name, &definition.legal_key, values)
        .filter(|record| {
            definition.legal_key.iter().all(|column| is_readable(&definition, column, &record.key[column]))
        })
        .ok_or_else(|| InvalidValue::RecordKey { columns: definition.legal_key.clone() })?;
    let letters = letters_of(connection, &definition, &record).await?;
    Ok((record, letters))
}

/// Lists the letters that a record came by: the one that wrote what the table has, and those of its history. The list is empty if the table
/// has no such record.
async fn letters_of(
    connection: &mut AsyncPgConnection,
    definition: &Definition,
    record: &NamedRecord,
) -> Result<Vec<(Matricule, Uuid)>, AdministrationError> {
    let condition = |column: &String| match definition.column(column).map(|column| column.kind) {
        Some(kind) if is_compared_as_it_is(kind) => format!("{} = CAST(? AS {})", quoted(column), kind.in_sql()),
        _ => format!("{}::text = ?", quoted(column)),
    };
    let conditions: Vec<String> = definition.legal_key.iter().map(condition).collect();
    let text = format!(
        "WITH named AS (SELECT {}::bigint AS numero, xm_agency, xm_letter FROM {}.{} WHERE {}),
              kept AS (SELECT h.* FROM xm.history h JOIN named n ON h.table_id = ? AND h.numero = n.numero)
         SELECT xm_agency, xm_letter FROM named WHERE xm_letter IS NOT NULL AND xm_agency IS NOT NULL
          UNION SELECT agency, letter_id FROM kept
          UNION SELECT agency, replaced_by FROM kept WHERE replaced_by IS NOT NULL",
        quoted(NUMERO),
        quoted(&definition.schema_name),
        quoted(&definition.relation_name),
        conditions.join(" AND ")
    );
    let mut binds: Vec<Bind<'_>> =
        definition.legal_key.iter().map(|column| Bind::Text(record.key[column].as_str())).collect();
    binds.push(Bind::Integer(definition.table_id));
    Ok(Statement::<(Integer, SqlUuid)>::new(&text, &binds).load(connection).await?)
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
