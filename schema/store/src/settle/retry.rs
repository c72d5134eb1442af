//! Another attempt at letters that were refused or are held: an operator has them tried again, with whatever was mended meanwhile, or
//! with what people decided of a held one.
//!
//! The same judging under the same locks as at first: rights, scopes, credit, conflicts, and a key that was revoked since. What
//! depends on the arrival stays as it was then: the price is by the tariff of that day, and the certificate has to have been valid.
//! The verdict is a row of its own in `xm.attempts`; its receipt bears the attempt's number and replaces an answer that is not yet
//! sent. A letter that cannot be tried stays as it is.

use chrono::{DateTime, Utc};
use sdc::refusal::Refusal;
use uuid::Uuid;

use super::decision::Decision;
use super::flags;
use super::ruling::Ruling;

/// Who had letters tried again.
#[derive(Clone, Debug)]
pub struct Retry {
    /// The operator, by name.
    pub decider: String,
    /// When.
    pub decided_at: DateTime<Utc>,
    /// What was decided.
    pub ruling: Ruling,
    /// The approval by which two people decided; absent where one may.
    pub approval: Option<i64>,
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
    /// It is held by this attempt at this letter.
    Held {
        /// The letter.
        letter_id: Uuid,
        /// The attempt's number.
        attempt: i16,
        /// The checks that hold it, as `ResultatBureau.within_reference`.
        checks: Vec<String>,
    },
    /// No registered key signed it: no attempt is made.
    Stranger(Refusal),
    /// It was accepted before: no attempt is made.
    AcceptedBefore {
        /// The letter.
        letter_id: Uuid,
    },
    /// One of its tables takes no rows now: no attempt is made.
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
