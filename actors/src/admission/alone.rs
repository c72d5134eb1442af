//! A suspect is a mail over which code panicked or hung. It is tried alone: while it is processed, the whole process works on no other
//! mail. This module says how long a suspect waits until it is alone, and what the result of its attempt means.

use std::time::Duration;

use crate::custody::Fate;

/// Longest time that a suspect waits while another suspect, of any source, is being tried.
pub const TURN_WAIT_MAX: Duration = Duration::from_secs(1);
/// Longest time that a suspect waits until the process works on no other mail. This wait begins when no other suspect is being tried.
pub const ALONE_WAIT_MAX: Duration = Duration::from_secs(10);

/// Meaning of the fate of a suspect that was tried alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAlone {
    /// The suspect did no harm. It is settled, or it stays in its mailbox like any other mail.
    Absolved,
    /// The suspect made the centre panic or hang again. The attempt is added to the suspect's failed attempts; after too many of them it is
    /// not opened any more.
    Failed,
    /// A fault of the database, or the stop of the process, ended the attempt. The attempt does not count.
    TakenBack,
    /// The fate is not known, or shows nothing about the suspect: poison, which is not opened, could not be put into quarantine now.
    Unknown,
}

impl AfterAlone {
    /// Judges the fate of a suspect. `is_poison` says that the suspect has failed alone too often and is not opened any more.
    pub fn of(fate: Option<Fate>, is_poison: bool) -> AfterAlone {
        match fate {
            Some(Fate::Settled | Fate::Left) => AfterAlone::Absolved,
            // Withheld means that every actor handled the letter without a panic, and that only the database refused it.
            Some(Fate::Withheld) if !is_poison => AfterAlone::Absolved,
            Some(Fate::Suspect) => AfterAlone::Failed,
            Some(Fate::Returned | Fate::Deferred) if !is_poison => AfterAlone::TakenBack,
            Some(Fate::Returned | Fate::Deferred | Fate::Withheld) | None => AfterAlone::Unknown,
        }
    }
}
