//! Errands that correct records: the office asks the centre to replace or cancel a record that it has sent before.

use std::collections::BTreeMap;

use agency::office::PackError;
use sdc::letter::Letter;
use sdc::refusal::RefusalCode;
use sdc::request::{Correction, CorrectionAction, Corrections, RecordName, Request};
use sdc::service::Service;
use serde_json::{Value, json};

use super::shelf::Act;
use super::{Desk, Errand, Errands, On, sealed};
use crate::dice::Dice;
use crate::memory::rows::row_of;
use crate::memory::{CorrectionMemory, Effect, Expected};
use crate::operators;
use crate::records::YEAR;
use crate::rules::INSTALLATION;
use crate::rules::{self, DEATHS, MARRIAGES};

/// A correction that is sent after another correction of the same record, although it was written first. The centre must treat it as
/// superseded.
pub(super) struct KeptBack {
    letter: Letter,
    expected: Expected,
}

/// The kind of a correction, with the outcome that it must get.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A death is replaced; the agency may do so itself.
    Replaced,
    /// A birth is to be replaced, and the centre refuses: births cannot be corrected.
    Intangible,
    /// A marriage is to be replaced, and an operator approves.
    Released,
    /// A death is cancelled; the agency may do so itself.
    Cancelled,
    /// A marriage is to be replaced, and an operator refuses.
    Refused,
    /// A death is corrected twice, and the correction that was written first is sent last.
    Overtaken,
}

const KINDS: [Kind; 6] =
    [Kind::Replaced, Kind::Released, Kind::Intangible, Kind::Overtaken, Kind::Refused, Kind::Cancelled];

impl Errands {
    /// Chooses the kind of the next correction. Where the office has no act of the right table, it tries to correct a birth: the centre
    /// refuses that, whether or not the birth exists.
    fn correction(&self) -> Kind {
        let kind = KINDS[(self.times(Service::Correct) + self.at) % KINDS.len()];
        let has_act = match kind {
            Kind::Replaced | Kind::Cancelled | Kind::Overtaken => !self.shelf.deaths.is_empty(),
            Kind::Released | Kind::Refused => !self.shelf.marriages.is_empty(),
            Kind::Intangible => true,
        };
        if has_act { kind } else { Kind::Intangible }
    }

    pub(super) fn must_wait_to_correct(&self) -> bool {
        let is_answered = |act: Option<&Act>| act.is_none_or(|act| act.is_answered);
        let is_ready = match self.correction() {
            _ if self.kept_back.is_some() => true,
            Kind::Intangible => true,
            Kind::Replaced | Kind::Cancelled | Kind::Overtaken => is_answered(self.shelf.deaths.front()),
            Kind::Released | Kind::Refused => is_answered(self.shelf.marriages.front()),
        };
        !(is_ready && self.is_over(Service::Correct))
    }
}

impl Desk {
    pub(super) fn correct(&mut self, dice: &mut Dice) -> Result<Errand, PackError> {
        let errand = match self.errands.kept_back.take() {
            Some(KeptBack { letter, expected }) => sealed(&mut self.office, letter, expected)?,
            None => self.correct_anew(dice)?,
        };
        self.errands.wait(Service::Correct, errand.packed.letter_id, On::Receipt);
        Ok(errand)
    }

    fn correct_anew(&mut self, dice: &mut Dice) -> Result<Errand, PackError> {
        let times = self.errands.times(Service::Correct);
        let kind = self.errands.correction();
        let shelf = &mut self.errands.shelf;
        let acts = match kind {
            Kind::Released | Kind::Refused => &mut shelf.marriages,
            _ => &mut shelf.deaths,
        };
        let act = (kind != Kind::Intangible).then(|| acts.pop_front()).flatten();
        let Some(mut act) = act else {
            let numero = shelf.births.front().map_or(1, |act| act.numero);
            let record = RecordName::Identity { installation: INSTALLATION.to_owned(), numero };
            let correction =
                replacing("ActeNaissance", record, &[("Officier", json!("Autre"))], operators::proof(times));
            let expected = Expected::Refused(RefusalCode::CorrectionNotAllowed);
            return self.ask(request(correction), expected);
        };
        let key = self.key_of(&act);
        let by_identity = RecordName::Identity { installation: INSTALLATION.to_owned(), numero: act.numero };
        match kind {
            Kind::Cancelled => {
                self.errands.shelf.cancelled = Some(act.number);
                let changed = correction_of(DEATHS, &mut act, &[("Status", json!(0))], true);
                let correction = Correction {
                    action: CorrectionAction::Cancel,
                    columns: Vec::new(),
                    values: Vec::new(),
                    ..replacing("ActeDeces", key, &[], operators::proof(times))
                };
                let cost = rules::price(self.errands.plan(), "correct", DEATHS);
                self.ask(request(correction), Expected::Accepted { effect: Effect::Correction(changed), cost })
            }
            Kind::Released | Kind::Refused => {
                let is_released = kind == Kind::Released;
                let place = [("LieuMariage", json!(format!("Mairie no {times}")))];
                let mut corrected = act.clone();
                let changed = correction_of(MARRIAGES, &mut corrected, &place, false);
                let proof = if is_released { operators::proof(times) } else { operators::no_proof(times) };
                let correction = replacing("ActeMariage", by_identity, &place, proof);
                let cost = rules::price(self.errands.plan(), "correct", MARRIAGES);
                self.errands.shelf.marriages.push_back(if is_released { corrected } else { act });
                let effect = Effect::Correction(changed);
                self.ask(request(correction), Expected::Decided { effect, cost, is_released })
            }
            _ => {
                let cost = rules::price(self.errands.plan(), "correct", DEATHS);
                if kind == Kind::Overtaken {
                    self.keep_back(&act, times, cost)?;
                }
                let calling = [("Profession", json!(format!("{} no {times}", dice.pick(&["tailleur", "berger"]))))];
                let changed = correction_of(DEATHS, &mut act, &calling, false);
                let correction = replacing("ActeDeces", by_identity, &calling, operators::proof(times));
                self.errands.shelf.deaths.push_back(act);
                self.ask(request(correction), Expected::Accepted { effect: Effect::Correction(changed), cost })
            }
        }
    }

    /// Writes a correction and keeps it back. It is sent only after another correction of the same record, written later, is answered.
    fn keep_back(&mut self, act: &Act, times: usize, cost: i64) -> Result<(), PackError> {
        let calling = [("Profession", json!(format!("pêcheur no {times}")))];
        let mut never = act.clone();
        let changed = correction_of(DEATHS, &mut never, &calling, false);
        let correction = replacing("ActeDeces", self.key_of(act), &calling, operators::proof(times));
        let letter = self.office.compose_request(request(correction))?;
        let effect = Effect::Correction(CorrectionMemory { is_superseded: true, ..changed });
        self.errands.kept_back = Some(KeptBack { letter, expected: Expected::Accepted { effect, cost } });
        Ok(())
    }

    fn key_of(&self, act: &Act) -> RecordName {
        let key = [
            ("CentreCode", json!(self.register.centre_code())),
            ("AnneeRegistre", json!(YEAR)),
            ("NumeroActe", json!(act.number)),
        ];
        RecordName::Key { key: key.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
    }
}

fn request(correction: Correction) -> Request {
    Request::Correct(Corrections { application: "ecr".to_owned(), corrections: vec![correction] })
}

fn replacing(table: &str, record: RecordName, changes: &[(&str, Value)], reference: String) -> Correction {
    Correction {
        table: table.to_owned(),
        record,
        action: CorrectionAction::Replace,
        columns: changes.iter().map(|(column, _)| (*column).to_owned()).collect(),
        values: changes.iter().map(|(_, value)| value.clone()).collect(),
        reason: "erreur de plume".to_owned(),
        reference,
    }
}

/// Changes the act, and returns the correction in the form in which the memory keeps it.
fn correction_of(
    table: &'static str,
    act: &mut Act,
    changes: &[(&str, Value)],
    is_cancelled: bool,
) -> CorrectionMemory {
    for (column, value) in changes {
        act.cells.insert((*column).to_owned(), value.clone());
    }
    let cells: &BTreeMap<String, Value> = &act.cells;
    let cells: Vec<(&str, &Value)> = cells.iter().map(|(column, value)| (column.as_str(), value)).collect();
    let row = row_of(table, &cells);
    CorrectionMemory { table, numero: row.numero, is_cancelled, content: row.content, is_superseded: false }
}
