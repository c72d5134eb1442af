//! Writes the flags of accepted letters, for the operators.

use sdc::answer::receipt::Flag;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, unnested};
use crate::settle::flags::named;
use crate::settle::retry::Retry;
use crate::settle::ruling::Ruling;
use crate::settle::verdict::VerdictRow;
use crate::settle::written::Written;

impl Written {
    /// Writes the flags of accepted letters. Most batches have no flags and then need no statement.
    pub(super) async fn insert_flags(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let mut lines = Vec::new();
        for verdict in verdicts {
            for (table_id, flag) in &verdict.flags {
                let rows = serde_json::to_value(&flag.rows)
                    .map_err(|_no_json| Fault::Bug("the rows of a flag could not be written as JSON".to_owned()))?;
                lines.push((verdict, *table_id, flag, rows));
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        let binds = [
            Bind::Matricules(lines.iter().map(|(verdict, ..)| Some(verdict.agency)).collect()),
            Bind::Uuids(lines.iter().map(|(verdict, ..)| Some(verdict.key.letter_id)).collect()),
            Bind::Integers(lines.iter().map(|(_, table_id, ..)| Some(*table_id)).collect()),
            Bind::Texts(lines.iter().map(|(_, _, flag, _)| Some(flag.check.as_str())).collect()),
            Bind::Booleans(lines.iter().map(|(_, _, flag, _)| Some(flag.unjudged)).collect()),
            Bind::Jsonbs(lines.iter().map(|(.., rows)| Some(rows)).collect()),
            Bind::Integers(lines.iter().map(|(_, _, flag, _)| Some(saturating(flag.rows_total))).collect()),
            Bind::Timestamptzs(lines.iter().map(|(verdict, ..)| Some(verdict.received_at)).collect()),
            Bind::Texts(lines.iter().map(|(_, _, flag, _)| self.waived(flag).map(|(reason, _)| reason)).collect()),
            Bind::Texts(
                lines
                    .iter()
                    .map(|(_, _, flag, _)| self.waived(flag).map(|(_, retry)| retry.decider.as_str()))
                    .collect(),
            ),
            Bind::Timestamptzs(
                lines.iter().map(|(_, _, flag, _)| self.waived(flag).map(|(_, retry)| retry.decided_at)).collect(),
            ),
        ];
        let text = format!(
            "INSERT INTO xm.flags (agency, letter_id, table_id, check_code, unjudged, rows, rows_total, flagged_at,
                                   explanation, explained_by, explained_at)
         SELECT {}",
            unnested(binds.len())
        );
        self.execute(&text, &binds).await?;
        Ok(())
    }
}

impl Written {
    /// Returns the reason and the retry if people waived the check of this flag when they released the letter; `None` if they did not. The
    /// reason is stored as the flag's explanation, so operators need not explain the flag.
    fn waived(&self, flag: &Flag) -> Option<(&str, &Retry)> {
        let retry = self.retry.as_ref()?;
        match &retry.ruling {
            Ruling::Release { waived, reason } if waived.contains(&named(flag)) => Some((reason, retry)),
            _ => None,
        }
    }
}

fn saturating(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
