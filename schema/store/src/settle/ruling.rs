//! What people decided of letters that they have tried again.

use std::collections::HashSet;

/// What people decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// The letters are judged as if they came now.
    Anew,
    /// What was held is released. Corrections that waited for approval have it.
    Release {
        /// Checks that hold it no longer, as `ResultatBureau.within_reference`; any other one does.
        waived: HashSet<String>,
        /// Why: it stands with the flags that the waived checks leave.
        reason: String,
    },
    /// What was held is refused, for this reason.
    Refuse(String),
}
