//! Writes the corrections of accepted letters into their tables. What the records contained before goes to the history, together with the
//! verdicts (`post::history`).

use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::request::CorrectionAction;

use super::correction::{Correction, Fate, element};
use crate::database::identifier::quoted;
use crate::database::statement::{Bind, Statement};
use crate::settle::batch::Case;
use crate::settle::decision::Decision;
use crate::settle::gathered::relation;
use crate::settle::judge::Key;
use crate::settle::not_inserted::{NotInserted, kept_rows};
use crate::tables::examine::STATUS;

/// Says whether an accepted letter of the batch corrects a record.
pub fn are_in(batch: &[Case]) -> bool {
    batch.iter().filter_map(Case::acceptance).any(|acceptance| !acceptance.fates.is_empty())
}

/// Applies the corrections of accepted letters, one after the other.
pub async fn apply(connection: &AsyncPgConnection, batch: &[Case]) -> Result<(), NotInserted> {
    for case in batch {
        let Decision::Accepted { key, acceptance, .. } = &case.decision else { continue };
        let Some(agency) = case.agency() else { continue };
        for (correction, fate) in acceptance.work.corrections().iter().zip(&acceptance.fates) {
            if *fate != Fate::Superseded {
                correct(connection, agency.as_i32(), key, correction).await?;
            }
        }
    }
    Ok(())
}

async fn correct(
    mut connection: &AsyncPgConnection,
    agency: i32,
    key: &Key,
    correction: &Correction,
) -> Result<(), NotInserted> {
    let Some(found) = &correction.found else { return Ok(()) };
    let definition = &correction.definition;
    let (mut changes, mut binds) = (Vec::new(), Vec::new());
    for (&index, values) in correction.columns.iter().zip(&correction.values) {
        let name = &definition.columns[index].name;
        let mut bind = values.empty_bind();
        values.push_onto(&[0], &mut bind);
        binds.push(bind);
        changes.push(format!("{} = {}", quoted(name), element(definition, name)));
    }
    if correction.action == CorrectionAction::Cancel {
        changes.push(format!("{} = 0", quoted(STATUS)));
    }
    binds.push(Bind::Bigints(vec![key.sequence]));
    binds.push(Bind::Uuid(key.letter_id));
    binds.extend([Bind::Integer(agency), Bind::Text(&found.installation), Bind::Bigint(found.numero)]);
    let text = format!(
        "UPDATE {} SET {}, xm_sequence = (?)[1], xm_letter = ? WHERE xm_agency = ? AND xm_installation = ? AND xm_numero = ?",
        relation(definition),
        changes.join(", ")
    );
    kept_rows(Statement::<()>::of_columns(&text, &binds).execute(&mut connection).await, 1)
}
