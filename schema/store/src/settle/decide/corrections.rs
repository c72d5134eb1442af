//! Decides letters that correct records. The corrected record must be the agency's own, and must not be cancelled. A correction that is
//! older than the stored record changes nothing. The policy of a table may require that corrections wait for approval.

use sdc::answer::receipt::HoldCode;
use sdc::letter::Matricule;
use sdc::refusal::{Refusal, RefusalCode, RowFault, RowFaults};
use sdc::request::CorrectionAction;

use super::Round;
use crate::settle::arrival::Arrival;
use crate::settle::corrections::correction::{Correction, Fate, FoundRecord};
use crate::settle::decision::{Decision, Hold};
use crate::settle::flags;
use crate::settle::judge::Key;
use crate::settle::ruling::Ruling;
use crate::settle::work::Work;
use crate::tables::definition::{Corrections as Policy, Severity};
use crate::tables::examine::{Beside, Found, Holdings, Totals, reckon_corrected, row_number};

impl<'a> Round<'a> {
    pub(super) fn decide_corrections(
        &mut self,
        (at, arrival): (usize, &'a Arrival),
        agency: Matricule,
        key: Key,
        digest: &[u8],
        work: &'a Work,
    ) -> Decision {
        let corrections = work.corrections();
        if corrections.iter().any(|correction| self.must_wait(agency, correction)) {
            return Decision::Deferred;
        }
        let fates = match fates(corrections, agency, &key) {
            Ok(fates) => fates,
            Err(refusal) => return self.refuse(agency, key, digest, refusal, None),
        };
        change(&mut self.holdings, corrections, &fates, true);
        let judged = self.judge_corrections(corrections, &fates);
        change(&mut self.holdings, corrections, &fates, false);
        let found = match judged {
            Ok(found) => found,
            Err(refusal) => return self.refuse(agency, key, digest, refusal, None),
        };
        let waived = self.waived();
        let holds: Vec<Found> = found
            .iter()
            .filter(|found| found.severity == Severity::Hold && !waived.contains(&flags::named(&found.flag)))
            .cloned()
            .collect();
        let waits = |(correction, fate): (&Correction, &Fate)| {
            correction.definition.corrections != Policy::ByAgency && *fate != Fate::Superseded
        };
        let is_released = matches!(self.knowledge.ruling, Some(Ruling::Release { .. }));
        if !is_released && corrections.iter().zip(&fates).any(waits) {
            return self.hold(agency, key, digest, Hold { work: work.clone(), code: HoldCode::Approval, found: holds });
        }
        if !holds.is_empty() {
            return self.hold(agency, key, digest, Hold { work: work.clone(), code: HoldCode::Check, found: holds });
        }
        let decision = self.accept((at, arrival), key, digest, (work, found, fates.clone()));
        if matches!(decision, Decision::Accepted { .. }) {
            change(&mut self.holdings, corrections, &fates, true);
            self.corrected.extend(corrections.iter().filter_map(|correction| named(agency, correction)));
        }
        decision
    }

    /// Says whether a correction cannot be decided yet: the table takes no rows now, or another letter of this batch may write or correct
    /// the record, and that change is not in the table yet.
    fn must_wait(&self, agency: Matricule, correction: &Correction) -> bool {
        let table_id = correction.definition.table_id;
        self.knowledge.withheld.contains(&table_id)
            || correction.found.is_none() && self.written.contains(&(agency, table_id))
            || named(agency, correction).is_some_and(|named| self.corrected.contains(&named))
    }

    /// Judges the corrected records by every check of their tables, with the values that the corrections give them.
    fn judge_corrections(&self, corrections: &[Correction], fates: &[Fate]) -> Result<Vec<Found>, Refusal> {
        let beside = Beside { catalogue: self.catalogue, holdings: &self.holdings, stands_for_letter: true };
        let (mut faults, mut found) = (RowFaults::default(), Vec::new());
        for (at, (correction, fate)) in corrections.iter().zip(fates).enumerate() {
            let Some(record) = correction.found.as_ref().filter(|_| *fate != Fate::Superseded) else { continue };
            let rows = record.after.as_ref().unwrap_or(&record.before);
            let is_cancelled = record.after.is_none();
            found.extend(reckon_corrected(rows, row_number(at), is_cancelled, beside, &mut faults));
        }
        if faults.is_empty() { Ok(found) } else { Err(Refusal::new(RefusalCode::CheckFailed).with_faults(faults)) }
    }
}

/// Returns table id, agency, installation and number of the record that a correction changes; `None` if the record was not found.
fn named(agency: Matricule, correction: &Correction) -> Option<(i32, Matricule, String, i64)> {
    let FoundRecord { installation, numero, .. } = correction.found.as_ref()?;
    Some((correction.definition.table_id, agency, installation.clone(), *numero))
}

/// Decides the fate of each correction.
///
/// # Errors
/// The refusal of a letter that corrects a record which its agency has not sent, a cancelled record, one record twice, or a record outside
/// the codes granted to its agency.
fn fates(corrections: &[Correction], agency: Matricule, key: &Key) -> Result<Vec<Fate>, Refusal> {
    let (mut unknown, mut outside) = (RowFaults::default(), RowFaults::default());
    let (mut fates, mut seen) = (Vec::with_capacity(corrections.len()), std::collections::HashSet::new());
    for (at, correction) in corrections.iter().enumerate() {
        let fault = |column: Option<&String>, rule: &str, expected: &str| RowFault {
            table: correction.definition.name.clone(),
            row: row_number(at),
            column: column.cloned(),
            rule: rule.to_owned(),
            expected: expected.to_owned(),
        };
        let Some(found) = &correction.found else {
            unknown.add(|| fault(None, "unknown", "a record that the agency has sent"));
            continue;
        };
        let is_older = found.last.as_ref().is_some_and(|(installation, sequence)| {
            *installation == key.installation && key.sequence.is_some_and(|own| own < *sequence)
        });
        if !is_older && (!found.is_live || !seen.insert(named(agency, correction))) {
            unknown.add(|| fault(None, "cancelled", "a record that is valid, once in the letter"));
        }
        if let Some(scope) = &correction.definition.scope_column {
            let code = found.before.column(scope).map(|values| values.text(0)).unwrap_or_default();
            if !correction.granted.contains(&code) {
                outside.add(|| fault(Some(scope), "scope", "a code granted to the agency"));
            }
        }
        fates.push(match (is_older, correction.action) {
            (true, _) => Fate::Superseded,
            (false, CorrectionAction::Replace) => Fate::Replaced,
            (false, CorrectionAction::Cancel) => Fate::Cancelled,
        });
    }
    if !unknown.is_empty() {
        return Err(Refusal::new(RefusalCode::RecordUnknown).with_faults(unknown));
    }
    if !outside.is_empty() {
        return Err(Refusal::new(RefusalCode::OutOfScope).with_faults(outside));
    }
    Ok(fates)
}

/// Changes the sums over the tables, as corrections change their records. If `is_forward` is set, each stored record is subtracted and the
/// corrected record is added; if not, the corrected record is subtracted and the stored record is added again.
fn change(holdings: &mut Holdings, corrections: &[Correction], fates: &[Fate], is_forward: bool) {
    for (correction, fate) in corrections.iter().zip(fates) {
        let Some(found) = correction.found.as_ref().filter(|_| *fate != Fate::Superseded) else { continue };
        let mut change = |rows, is_there: bool| {
            let change = if is_there { Totals::add } else { Totals::take };
            holdings.change(std::slice::from_ref(rows), &[vec![true]], change);
        };
        change(&found.before, !is_forward);
        if let Some(after) = &found.after {
            change(after, is_forward);
        }
    }
}
