//! A batch of letters in one settling transaction. Each letter is a case: the letter with everything that is known and decided about it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sdc::letter::{Letter, Matricule};
use sdc::service::Service;

use super::arrival::{Arrival, Outcome};
use super::decision::{Acceptance, Decision};
use super::judge::{Judged, Key, judge};
use crate::certificates::signers::Signer;
use crate::database::fault::Fault;
use crate::letters::collected::AnsweredLetter;
use crate::tables::catalogue::Catalogue;

/// One letter of a batch.
pub struct Case {
    /// The letter as it arrived, as far as it has been opened and read.
    pub arrival: Arrival,
    /// The judgement on the letter alone, made without the database.
    pub judged: Judged,
    /// The decision on the letter. It starts as `Deferred`, so that an undecided letter is never committed.
    pub decision: Decision,
    /// The id of the letter's line in the journal. It is reserved when the transaction begins, so that other rows can refer to the line
    /// before it is written; `None` until then.
    pub journal_id: Option<i64>,
}

impl Case {
    /// Makes an undecided case of a letter that has been judged.
    pub fn new(arrival: Arrival, judged: Judged) -> Case {
        Case { arrival, judged, decision: Decision::Deferred, journal_id: None }
    }

    /// Returns the verified signer; `None` for a stranger.
    pub fn signer(&self) -> Option<&Arc<Signer>> {
        self.arrival.signer()
    }

    /// Returns the agency of the verified signer; `None` for a stranger.
    pub fn agency(&self) -> Option<Matricule> {
        self.arrival.agency()
    }

    /// Returns the letter; `None` if it could not be read.
    pub fn letter(&self) -> Option<&Letter> {
        self.arrival.letter()
    }

    /// Returns the accepted content of the letter; `None` if the letter is not accepted.
    pub fn acceptance(&self) -> Option<&Acceptance> {
        self.decision.acceptance()
    }

    /// Returns the agency and the key of a letter with a verified signer; `None` for other letters.
    pub fn claimed_key(&self) -> Option<(Matricule, &Key)> {
        Some((self.agency()?, self.judged.key()?))
    }

    /// Returns the outcome that the decision gives.
    pub fn outcome(&self) -> Outcome {
        match &self.decision {
            Decision::Stranger(refusal) | Decision::Refused { refusal, .. } => Outcome::Refused(refusal.code),
            Decision::Duplicate(_) if self.arrival.source.is_fetched_again => Outcome::SettledBefore,
            Decision::Duplicate(_) => Outcome::Duplicate,
            Decision::Accepted { .. } => Outcome::Accepted,
            Decision::Held { .. } => Outcome::Held,
            Decision::Deferred => Outcome::Deferred,
        }
    }

    /// Returns the letter if its answer may be given to the sender at once. For an enrolment this is never allowed: a stranger who tries
    /// codes must not learn from the reply which code is right.
    pub fn answered_letter(&self) -> Option<AnsweredLetter> {
        let (Decision::Accepted { key, .. }
        | Decision::Refused { key, .. }
        | Decision::Held { key, .. }
        | Decision::Duplicate(key)) = &self.decision
        else {
            return None;
        };
        let is_enrolment = self.arrival.enrolment.is_some()
            || self.letter().is_some_and(|letter| letter.request.service() == Service::Enrol);
        let agency = self.agency().filter(|_| !is_enrolment)?;
        Some(AnsweredLetter { agency, installation: key.installation.clone(), letter_id: key.letter_id })
    }

    /// Returns how many seconds the time written in the letter is after its arrival by the centre's clock. The number is negative where
    /// that time is before the arrival, as after slow delivery.
    pub fn skew_seconds(&self) -> Option<i64> {
        self.letter().map(|letter| letter.time.signed_duration_since(self.arrival.received_at).num_seconds())
    }
}

/// Returns the places of a batch in the order in which its letters take effect: by agency, installation and sequence number. Letters that
/// are equal in all three keep the order of arrival.
pub fn order_of_effect(batch: &[Case]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..batch.len()).collect();
    order.sort_by_key(|&place| {
        let case = &batch[place];
        (case.agency(), case.judged.key().map(|key| key.order_of_effect(place)), place)
    });
    order
}

/// The letters of one settling transaction, in the order of arrival. Callers can read and change cases through a slice but cannot remove
/// any, so every letter gets an outcome.
pub struct Batch(Vec<Case>);

impl Batch {
    /// Makes a batch and judges each letter alone.
    pub fn judged(arrivals: Vec<Arrival>, catalogue: &Catalogue) -> Batch {
        let case = |arrival: Arrival| {
            let judged = judge(&arrival, catalogue);
            Case::new(arrival, judged)
        };
        Batch(arrivals.into_iter().map(case).collect())
    }

    /// Judges every letter again, with another catalogue.
    pub fn judge_again(&mut self, catalogue: &Catalogue) {
        for case in &mut self.0 {
            case.judged = judge(&case.arrival, catalogue);
        }
    }

    /// Gives each letter a reserved key of the journal, in the order of arrival.
    ///
    /// # Errors
    /// [`Fault::Bug`] if the numbers of keys and letters differ.
    pub fn number(&mut self, journal_ids: Vec<i64>) -> Result<(), Fault> {
        if journal_ids.len() != self.0.len() {
            let (keys, letters) = (journal_ids.len(), self.0.len());
            return Err(Fault::Bug(format!("{keys} keys of the journal were reserved for {letters} letters")));
        }
        for (place, journal_id) in journal_ids.into_iter().enumerate() {
            self.0[place].journal_id = Some(journal_id);
        }
        Ok(())
    }

    /// Replaces all decisions by the given ones, each with the place of its letter. A letter without a given decision is deferred.
    pub fn take_decisions(&mut self, decisions: Vec<(usize, Decision)>) {
        for case in &mut self.0 {
            case.decision = Decision::Deferred;
        }
        for (place, decision) in decisions {
            self.0[place].decision = decision;
        }
    }

    /// Gives the letters back, in the order of arrival.
    pub fn into_arrivals(self) -> Vec<Arrival> {
        self.0.into_iter().map(|case| case.arrival).collect()
    }
}

impl From<Vec<Case>> for Batch {
    fn from(cases: Vec<Case>) -> Batch {
        Batch(cases)
    }
}

impl Deref for Batch {
    type Target = [Case];

    fn deref(&self) -> &[Case] {
        &self.0
    }
}

impl DerefMut for Batch {
    fn deref_mut(&mut self) -> &mut [Case] {
        &mut self.0
    }
}
