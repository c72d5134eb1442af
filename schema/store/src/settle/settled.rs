//! What became of a batch: settled, or not.

use sdc::letter::Matricule;
use sdc::refusal::RefusalCode;
use uuid::Uuid;

use super::arrival::{Arrival, Outcome};
use crate::database::fault::Fault;

/// What a committed batch did, in the batch's order.
#[derive(Debug)]
pub struct Settled {
    /// One outcome per arrival.
    pub outcomes: Vec<Outcome>,
    /// Rows written.
    pub rows: usize,
    /// Minor units charged.
    pub charged: i64,
    /// The letters that were refused.
    pub refused: Vec<RefusedLetter>,
}

/// What the log names a refused container by: never anything that it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedLetter {
    /// Its line in the journal; it has none where quarantine only counts it.
    pub journal_line: Option<i64>,
    /// Whose key signed it.
    pub agency: Option<Matricule>,
    /// Its id.
    pub letter_id: Option<Uuid>,
    /// Why.
    pub code: RefusalCode,
}

/// A batch that met a fault: nothing of it is committed.
#[derive(Debug)]
pub struct Unsettled {
    /// What was wrong with the world.
    pub fault: Fault,
    /// The batch, whole; empty where the connection broke at COMMIT, so that it is unknown whether the batch was committed.
    pub batch: Vec<Arrival>,
}
