//! Decisions by people about letters that are tried again.

use std::collections::HashSet;

/// A decision by people about letters that are tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// The letters are judged as if they arrived now.
    Anew,
    /// Held letters are released. Corrections that waited for approval are approved.
    Release {
        /// Waived checks, each as `ResultatBureau.within_reference`. The letters are still held for any other check.
        waived: HashSet<String>,
        /// The reason that people gave. It is stored with the flags of the waived checks.
        reason: String,
    },
    /// The held letters are refused, for this reason.
    Refuse(String),
}
