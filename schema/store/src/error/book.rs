//! Books: the journal, the quarantine, its selections, the held letters and the flags. Operators identify their entries by number.

/// A book in which the program searched for an entry by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Book {
    /// Journal of letters received.
    Journal,
    /// Quarantine of containers not accepted.
    Quarantine,
    /// Selections of entries of the quarantine.
    Selections,
    /// Letters that are held, or were held and are decided.
    Held,
    /// Flags: failed checks of accepted letters.
    Flags,
}

impl Book {
    pub(super) fn code(self) -> &'static str {
        match self {
            Book::Journal => "journal",
            Book::Quarantine => "quarantine",
            Book::Selections => "selections",
            Book::Held => "held",
            Book::Flags => "flags",
        }
    }
}
