//! Finds the records that letters correct, under the agencies' locks.

use std::sync::Arc;

use diesel::sql_types::{BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use sdc::letter::Matricule;
use sdc::request::CorrectionAction;
use serde_json::Value;
use uuid::Uuid;

use super::correction::{Correction, FoundRecord, Named, element};
use crate::database::fault::Fault;
use crate::database::identifier::quoted;
use crate::database::statement::{Bind, Statement};
use crate::settle::batch::Case;
use crate::settle::gathered::relation;
use crate::settle::judge::Judged;
use crate::settle::transaction::OpenTransaction;
use crate::tables::definition::{ColumnType, Definition};
use crate::tables::examine::{ColumnValues, Flags, NUMERO, STATUS, TableRows};

/// Looks up every record that a sound letter of the batch corrects. Returns the tables that cannot be read now, each with its fault.
///
/// # Errors
/// A fault with another cause than a table, such as a lost connection.
pub async fn look_up(
    transaction: &mut OpenTransaction,
    batch: &mut [Case],
) -> Result<Vec<(Arc<Definition>, Fault)>, Fault> {
    let mut broken: Vec<(Arc<Definition>, Fault)> = Vec::new();
    for case in batch {
        let Some(agency) = case.agency() else { continue };
        let Judged::Sound { work, .. } = &mut case.judged else { continue };
        // The corrections are in an `Arc`, which allows a change only while it has one owner. Nothing has cloned it since the letter was
        // judged, so the corrections can be changed in place.
        for correction in work.corrections_mut().unwrap_or_default() {
            if broken.iter().any(|(known, _)| known.table_id == correction.definition.table_id) {
                continue;
            }
            transaction.connection().batch_execute("SAVEPOINT record").await?;
            match find(transaction.connection(), agency, correction).await {
                Ok(found) => {
                    transaction.connection().batch_execute("RELEASE SAVEPOINT record").await?;
                    correction.found = found;
                }
                Err(fault) => {
                    transaction.connection().batch_execute("ROLLBACK TO SAVEPOINT record").await?;
                    transaction.is_of_a_row(&fault).await?;
                    broken.push((Arc::clone(&correction.definition), fault));
                }
            }
        }
    }
    Ok(broken)
}

type Row = (String, i64, Option<Uuid>, Option<String>, Option<i64>, bool, i64, String);
type SqlRow = (Text, BigInt, Nullable<SqlUuid>, Nullable<Text>, Nullable<BigInt>, Bool, BigInt, Text);

/// Reads and locks a record. Because of the lock, the version written to the history is exactly the one that the correction replaces.
async fn find(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    correction: &Correction,
) -> Result<Option<FoundRecord>, Fault> {
    let definition = &correction.definition;
    let mut binds = vec![Bind::Matricule(agency)];
    let condition = match &correction.named {
        Named::Identity { installation, numero } => {
            binds.extend([Bind::Text(installation), Bind::Bigint(*numero)]);
            "t.xm_installation = ? AND t.xm_numero = ?".to_owned()
        }
        Named::Key(values) => {
            let mut conditions = vec![format!("t.{} <> 0", quoted(STATUS))];
            for (name, value) in definition.legal_key.iter().zip(values) {
                let mut bind = value.empty_bind();
                value.push_onto(&[0], &mut bind);
                binds.push(bind);
                conditions.push(format!("t.{} = {}", quoted(name), element(definition, name)));
            }
            conditions.join(" AND ")
        }
    };
    let text = format!(
        "SELECT t.xm_installation, t.xm_numero, t.xm_letter, l.installation, t.xm_sequence, t.{status} <> 0, t.{numero}::bigint,
                to_jsonb(t)::text
           FROM {relation} t LEFT JOIN xm.letters l ON l.agency = t.xm_agency AND l.letter_id = t.xm_letter
          WHERE t.xm_agency = ? AND {condition}
            FOR NO KEY UPDATE OF t",
        status = quoted(STATUS),
        numero = quoted(NUMERO),
        relation = relation(definition),
    );
    let rows: Vec<Row> = Statement::<SqlRow>::of_columns(&text, &binds).load(connection).await?;
    let Some((installation, numero, letter, last, sequence, is_live, central_numero, text)) = rows.into_iter().next()
    else {
        return Ok(None);
    };
    let content: Value = serde_json::from_str(&text)
        .map_err(|_no_json| Fault::Bug("PostgreSQL's JSON of a record cannot be read".to_owned()))?;
    let before = as_it_is(definition, numero, &content);
    let after = (correction.action == CorrectionAction::Replace).then(|| as_it_will_be(&before, correction));
    let last = last.zip(sequence);
    Ok(Some(FoundRecord { installation, numero, letter, last, is_live, central_numero, content, before, after }))
}

/// Makes the row that checks look at from a stored record. The record's JSON is read as that of a letter would be, so that a stored value
/// and a sent one can be compared.
fn as_it_is(definition: &Arc<Definition>, numero: i64, content: &Value) -> TableRows {
    let mut rows = TableRows {
        definition: Arc::clone(definition),
        columns: vec![],
        values: vec![],
        numeros: vec![numero],
        flags: Flags::default(),
    };
    for (index, column) in definition.columns.iter().enumerate() {
        let is_alike = column.kind.joined_as().is_some() || column.kind == ColumnType::Boolean;
        if column.name == NUMERO || !is_alike {
            continue;
        }
        let value = content.get(&column.name).cloned().unwrap_or_default();
        rows.columns.push(index);
        // The stored record has been accepted before, so faults of its values are ignored here. If the column's type was changed since and
        // no longer allows a value, the value counts as missing.
        rows.values.push(ColumnValues::read(column, &[value], &mut |_, _, _| {}));
    }
    rows
}

fn as_it_will_be(before: &TableRows, correction: &Correction) -> TableRows {
    let mut after = before.clone();
    for (&index, values) in correction.columns.iter().zip(&correction.values) {
        match after.columns.binary_search(&index) {
            Ok(at) => after.values[at] = values.clone(),
            Err(at) => {
                after.columns.insert(at, index);
                after.values.insert(at, values.clone());
            }
        }
    }
    after
}
