//! Suspects (mails over which code panicked or hung) are tried alone, with nothing else in hand in the whole process: how long a suspect
//! waits for that, and what its fate means then.

use std::time::Duration;

use crate::custody::Fate;

/// Longest wait of a suspect for its turn among the suspects of all sources.
pub const TURN_WAIT_MAX: Duration = Duration::from_secs(1);
/// Longest wait of a suspect, once it has its turn, until nothing else is in hand.
pub const ALONE_WAIT_MAX: Duration = Duration::from_secs(10);

/// What a suspect's fate means, once it was tried alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAlone {
    /// The suspect is innocent, or settled.
    Absolved,
    /// The suspect made the centre fail again: the attempt counts.
    Failed,
    /// A fault or a stop ended the attempt, which is not the letter's fault: the attempt does not count.
    TakenBack,
    /// The fate is not known, or says nothing of the suspect.
    Unknown,
}

impl AfterAlone {
    /// Judges a fate.
    pub fn of(fate: Option<Fate>, is_poison: bool) -> AfterAlone {
        match fate {
            Some(Fate::Settled | Fate::Left) => AfterAlone::Absolved,
            // All actors have handled the letter, and only the database failed.
            Some(Fate::Withheld) if !is_poison => AfterAlone::Absolved,
            Some(Fate::Suspect) => AfterAlone::Failed,
            Some(Fate::Returned | Fate::Deferred) if !is_poison => AfterAlone::TakenBack,
            Some(Fate::Returned | Fate::Deferred | Fate::Withheld) | None => AfterAlone::Unknown,
        }
    }
}
