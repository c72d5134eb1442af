//! Another attempt at a letter that was refused or is held. Settling makes such an attempt when an operator has the letter tried again
//! after the cause was removed, or when people have decided about a held letter.
//!
//! Each attempt judges the letter as the first one did, under the same locks: rights, scopes, credit, conflicts, and whether the key was
//! revoked since. Price and certificate are still judged by the day on which the letter arrived. The verdict is a separate row in
//! `xm.attempts`. Its receipt has the attempt's number and replaces an answer that is not sent yet. A letter that cannot be tried does not
//! change.

use chrono::{DateTime, Utc};
use sdc::refusal::Refusal;
use uuid::Uuid;

use super::decision::Decision;
use super::flags;
use super::ruling::Ruling;

/// The decision to try letters again: who took it, when, and with which ruling.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Name of the operator.
    pub decider: String,
    /// Moment of the decision.
    pub decided_at: DateTime<Utc>,
    /// What was decided about the letters.
    pub ruling: Ruling,
    /// The number of the approval by which two people decided; `None` if one person decided alone.
    pub approval: Option<i64>,
}

/// The result of trying one container again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// This attempt accepts the letter.
    Accepted {
        /// Id of the letter.
        letter_id: Uuid,
        /// Number of the attempt.
        attempt: i16,
    },
    /// This attempt refuses the letter.
    Refused {
        /// Id of the letter.
        letter_id: Uuid,
        /// Number of the attempt.
        attempt: i16,
        /// The reason.
        refusal: Refusal,
    },
    /// This attempt holds the letter.
    Held {
        /// Id of the letter.
        letter_id: Uuid,
        /// Number of the attempt.
        attempt: i16,
        /// The checks that hold the letter, each as `ResultatBureau.within_reference`.
        checks: Vec<String>,
    },
    /// No registered key signed the container: no attempt is made.
    Stranger(Refusal),
    /// The letter was accepted before: no attempt is made.
    AcceptedBefore {
        /// Id of the letter.
        letter_id: Uuid,
    },
    /// One of the letter's tables takes no rows now: no attempt is made.
    Waits,
}

impl From<&Decision> for Tried {
    fn from(decision: &Decision) -> Tried {
        match decision {
            Decision::Accepted { key, .. } => Tried::Accepted { letter_id: key.letter_id, attempt: key.attempt },
            Decision::Refused { key, refusal, .. } => {
                Tried::Refused { letter_id: key.letter_id, attempt: key.attempt, refusal: refusal.clone() }
            }
            Decision::Held { key, hold, .. } => Tried::Held {
                letter_id: key.letter_id,
                attempt: key.attempt,
                checks: hold.found.iter().map(|found| flags::named(&found.flag)).collect(),
            },
            Decision::Stranger(refusal) => Tried::Stranger(refusal.clone()),
            Decision::Duplicate(key) => Tried::AcceptedBefore { letter_id: key.letter_id },
            Decision::Deferred => Tried::Waits,
        }
    }
}
