//! Another attempt at letters that were refused: an operator has them tried again, with whatever was mended meanwhile.
//!
//! The same judging under the same locks as at first: rights, scopes, credit, conflicts, and a key that was revoked since. What is of
//! the arrival stays of the arrival: the price is by the tariff of that day, and the certificate has to have been valid then. The
//! verdict is a row of its own in `xm.attempts`, its receipt bears the attempt's number, and takes the place of an answer that
//! waits. Nothing happens to the letter where it cannot be tried.

use chrono::{DateTime, Utc};
use sdc::refusal::Refusal;
use uuid::Uuid;

use super::arrival::Arrival;
use super::decide::Decision;
use super::verdict::VerdictRow;
use super::{Settler, Unsettled, Written};
use crate::database::fault::Fault;
use crate::database::statement::Bind;

/// Who had letters tried again.
#[derive(Clone, Debug)]
pub struct Retry {
    /// The operator, by name.
    pub decider: String,
    /// When.
    pub decided_at: DateTime<Utc>,
}

/// What a retry makes of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It is accepted by this attempt at this letter.
    Accepted {
        /// The letter.
        letter_id: Uuid,
        /// The attempt's number.
        attempt: i16,
    },
    /// It is refused by this attempt at this letter.
    Refused {
        /// The letter.
        letter_id: Uuid,
        /// The attempt's number.
        attempt: i16,
        /// Why.
        refusal: Refusal,
    },
    /// Nobody vouches for it: no attempt is made.
    Stranger(Refusal),
    /// It was accepted before: no attempt is made.
    AcceptedBefore {
        /// The letter.
        letter_id: Uuid,
    },
    /// A table of its takes no rows now: no attempt is made.
    Waits,
}

impl Settler {
    /// Writes as [`Settler::write`] does; letters that were refused are tried again.
    ///
    /// # Errors
    /// As there.
    pub async fn write_again(&self, batch: Vec<Arrival>, retry: Retry) -> Result<Written, Unsettled> {
        self.write_as(batch, Some(retry)).await
    }
}

impl Written {
    /// Returns what becomes of the batch, in its order, once it is posted.
    pub fn tried(&self) -> Vec<Tried> {
        let tried = |decision: &Decision| match decision {
            Decision::Accepted { key, .. } => Tried::Accepted { letter_id: key.letter_id, attempt: key.attempt },
            Decision::Refused { key, refusal, .. } => {
                Tried::Refused { letter_id: key.letter_id, attempt: key.attempt, refusal: refusal.clone() }
            }
            Decision::Stranger(refusal) => Tried::Stranger(refusal.clone()),
            Decision::Duplicate(key) => Tried::AcceptedBefore { letter_id: key.letter_id },
            Decision::Deferred => Tried::Waits,
        };
        self.decisions.iter().map(tried).collect()
    }

    /// Returns the connection of the open transaction, for what is to be committed with the batch.
    pub fn connection(&mut self) -> &mut diesel_async::AsyncPgConnection {
        self.transaction.connection()
    }

    /// Takes away the answers to earlier attempts that wait. The row of the new answer gets an id of its own: whatever a program does
    /// that has claimed the old one, it is not done to this.
    pub(super) async fn take_answers_back(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let again = self.again(verdicts);
        if again.is_empty() {
            return Ok(());
        }
        let text = "DELETE FROM xm.outbox o USING unnest(?, ?) AS n (agency, letter_id)
                     WHERE o.agency = n.agency AND o.letter_id = n.letter_id";
        self.execute(text, &names(&again)).await?;
        Ok(())
    }

    /// Writes the rows of later attempts. One statement, so that what is sent behind it stays behind it.
    pub(super) async fn insert_attempts(&self, verdicts: &[VerdictRow]) -> Result<(), Fault> {
        let again = self.again(verdicts);
        let Some(retry) = self.retry.as_ref().filter(|_| !again.is_empty()) else { return Ok(()) };
        let mut binds = Vec::from(names(&again));
        binds.extend([
            Bind::Smallints(again.iter().map(|verdict| Some(verdict.key.attempt)).collect()),
            Bind::Texts(again.iter().map(|verdict| Some(verdict.outcome.as_str())).collect()),
            Bind::Byteas(again.iter().map(|verdict| Some(verdict.receipt.as_slice())).collect()),
            Bind::Timestamptzs(again.iter().map(|verdict| Some(verdict.decided_at)).collect()),
            Bind::Text(&retry.decider),
        ]);
        let text = "WITH n AS (SELECT * FROM unnest(?, ?, ?, ?, ?, ?)
                                 AS n (agency, letter_id, attempt, verdict, receipt, decided_at)),
                         raised AS (UPDATE xm.letters l SET attempt = n.attempt, verdict = n.verdict, answered_at = NULL
                                      FROM n WHERE l.agency = n.agency AND l.letter_id = n.letter_id)
                    INSERT INTO xm.attempts (agency, letter_id, attempt, verdict, receipt, decided_at, decider)
                    SELECT n.*, ? FROM n";
        self.execute(text, &binds).await?;
        Ok(())
    }

    fn again<'a>(&self, verdicts: &'a [VerdictRow]) -> Vec<&'a VerdictRow> {
        let verdicts = verdicts.iter().filter(|_| self.retry.is_some());
        verdicts.filter(|verdict| !verdict.key.is_of_first_attempt()).collect()
    }
}

fn names<'a>(verdicts: &[&VerdictRow]) -> [Bind<'a>; 2] {
    [
        Bind::Integers(verdicts.iter().map(|verdict| Some(verdict.agency)).collect()),
        Bind::Uuids(verdicts.iter().map(|verdict| Some(verdict.key.letter_id)).collect()),
    ]
}
