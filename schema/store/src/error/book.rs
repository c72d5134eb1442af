//! Where the lines are kept that operators name by number.

/// Where lines are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Book {
    /// The journal.
    Journal,
    /// The quarantine.
    Quarantine,
    /// Letters that are held.
    Held,
    /// Flags.
    Flags,
}

impl Book {
    pub(super) fn code(self) -> &'static str {
        match self {
            Book::Journal => "journal",
            Book::Quarantine => "quarantine",
            Book::Held => "held",
            Book::Flags => "flags",
        }
    }
}
