//! Stores the former versions of corrected records, and the corrections that arrived too late to take effect.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, unnested};
use crate::settle::batch::Case;
use crate::settle::corrections::correction::{Correction, Fate, FoundRecord};
use crate::settle::decision::Decision;
use crate::settle::judge::Key;
use crate::settle::written::Written;

/// One line of `xm.history`.
struct Line<'a> {
    case: &'a Case,
    key: &'a Key,
    correction: &'a Correction,
    found: &'a FoundRecord,
    is_superseded: bool,
    content: Value,
    at: DateTime<Utc>,
}

impl Written {
    /// Writes the former versions of records, with who changed them, when and why. If the batch has no corrections, as is usual, no
    /// statement is sent.
    pub(super) async fn insert_history(&self) -> Result<(), Fault> {
        let mut lines = Vec::new();
        for case in self.batch.iter() {
            let Decision::Accepted { key, acceptance, .. } = &case.decision else { continue };
            for (correction, fate) in acceptance.work.corrections().iter().zip(&acceptance.fates) {
                let Some(found) = &correction.found else { continue };
                let is_superseded = *fate == Fate::Superseded;
                // A superseded correction has not changed the record. So the requested change is stored in place of a former version.
                let content = if is_superseded { correction.json() } else { found.content.clone() };
                let at = self.decided_at(&case.arrival);
                lines.push(Line { case, key, correction, found, is_superseded, content, at });
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        let decider = self.retry.as_ref().map(|retry| retry.decider.as_str());
        let binds = [
            Bind::Integers(lines.iter().map(|line| Some(line.correction.definition.table_id)).collect()),
            Bind::Bigints(lines.iter().map(|line| Some(line.found.central_numero)).collect()),
            Bind::Matricules(lines.iter().map(|line| line.case.agency()).collect()),
            Bind::Texts(lines.iter().map(|line| Some(line.found.installation.as_str())).collect()),
            Bind::Bigints(lines.iter().map(|line| Some(line.found.numero)).collect()),
            Bind::Uuids(lines.iter().map(|line| line.found.letter.or(Some(line.key.letter_id))).collect()),
            Bind::Uuids(lines.iter().map(|line| Some(line.key.letter_id)).collect()),
            Bind::Jsonbs(lines.iter().map(|line| Some(&line.content)).collect()),
            Bind::Timestamptzs(lines.iter().map(|line| Some(line.at)).collect()),
            Bind::Texts(lines.iter().map(|line| Some(line.correction.action.as_str())).collect()),
            Bind::Booleans(lines.iter().map(|line| Some(line.is_superseded)).collect()),
            Bind::Texts(lines.iter().map(|line| Some(line.correction.reason.as_str())).collect()),
            Bind::Texts(lines.iter().map(|line| Some(line.correction.reference.as_str())).collect()),
            Bind::Texts(lines.iter().map(|_| decider).collect()),
        ];
        let text = format!(
            "INSERT INTO xm.history (table_id, numero, agency, installation, xm_numero, letter_id, replaced_by, content, kept_at,
                                     action, superseded, reason, reference, approved_by)
             SELECT {}",
            unnested(binds.len())
        );
        self.execute(&text, &binds).await?;
        Ok(())
    }
}
