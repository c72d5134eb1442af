//! The result of settling a batch: settled, or failed with a fault.

use sdc::letter::Matricule;
use sdc::refusal::RefusalCode;
use uuid::Uuid;

use super::arrival::{Arrival, Outcome};
use super::tally::Tally;
use crate::database::fault::Fault;
use crate::letters::collected::AnsweredLetter;

/// The result of a committed batch.
#[derive(Debug)]
pub struct Settled {
    /// One outcome per arrival, in the batch's order.
    pub outcomes: Vec<Outcome>,
    /// Number of rows written into the tables.
    pub rows: usize,
    /// Totals of the batch, by service.
    pub tally: Tally,
    /// The refused letters, for the log.
    pub refused: Vec<RefusedLetter>,
    /// The letters that came by HTTPS and have an answer, each with its place in the batch.
    pub answered: Vec<(usize, AnsweredLetter)>,
}

/// The data of a refused container that may be logged: ids and the reason of the refusal, but never the content, which is personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedLetter {
    /// Id of the container's line in the journal; `None` if quarantine only counted the container.
    pub journal_line: Option<i64>,
    /// The agency whose key signed the container.
    pub agency: Option<Matricule>,
    /// Id of the letter.
    pub letter_id: Option<Uuid>,
    /// Code of the refusal.
    pub code: RefusalCode,
}

/// A batch that failed with a fault, before or at COMMIT.
#[derive(Debug)]
pub struct Unsettled {
    /// The fault that stopped the settling.
    pub fault: Fault,
    /// All arrivals of the batch, of which nothing is committed. Empty if the connection broke at COMMIT, because it is then unknown
    /// whether the batch is committed.
    pub batch: Vec<Arrival>,
}
