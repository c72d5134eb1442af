//! Sentences for errors of letters, and of lines of the journal and the quarantine.

use store::error::{AdministrationError, Book};

pub(super) fn of_letters(error: &AdministrationError) -> String {
    match error {
        AdministrationError::LetterUnknown(name) => {
            format!("no letter is known by {name}: expected its id, its digest, or a line's number in the journal")
        }
        AdministrationError::LineUnknown { book: Book::Journal, id } => format!("journal line {id} does not exist"),
        AdministrationError::LineUnknown { book: Book::Quarantine, id } => {
            format!("quarantine entry {id} does not exist")
        }
        AdministrationError::LineUnknown { book: Book::Selections, id } => format!("selection {id} does not exist"),
        AdministrationError::NothingSelected => {
            "no open entry of the quarantine is of this group: `xmserver quarantine groups` lists them".to_owned()
        }
        AdministrationError::LineUnknown { book: Book::Held, id } => format!("held letter {id} does not exist"),
        AdministrationError::LineUnknown { book: Book::Flags, id } => format!("flag {id} does not exist"),
        AdministrationError::HeldDecided { id, state } => format!("held letter {id} is {state} already"),
        AdministrationError::FlagExplained { id, user } => format!("flag {id} was explained by {user} already"),
        AdministrationError::QuarantineDecided { id, state } => format!("quarantine entry {id} is {state} already"),
        AdministrationError::QuarantineIncomplete { id } => {
            format!("quarantine entry {id} cannot be tried again: only its first bytes are kept; have it sent again")
        }
        other => other.to_string(),
    }
}
