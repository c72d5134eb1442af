//! Reasons why rows were not inserted: a rule refused a row, a row is stored already, or a fault.

use crate::database::fault::{ConstraintKind, Fault};

/// Text in the receipt for a row that a trigger or rule of the table silently dropped.
const NOT_KEPT: &str = "a trigger or rule of the table keeps this row out";
/// Text in the receipt if a trigger raised an error. The trigger's own message is left out, because it may quote the row.
const RAISED: &str = "a rule of the database";

/// The reason why rows were not inserted.
pub enum NotInserted {
    /// A rule of the database refused a row. Contains the rule's name for the receipt.
    Rule(String),
    /// A row has the identity or legal key of a stored row. Contains the name of the constraint.
    Held(String),
    /// A fault that is not the refusal of a row by a rule.
    Failed(Fault),
}

/// Checks that PostgreSQL wrote as many rows as were sent, and returns the reason if it did not.
pub fn kept_rows(written: diesel::QueryResult<usize>, sent: usize) -> Result<(), NotInserted> {
    match written.map_err(Fault::from) {
        Ok(kept) if kept == sent => Ok(()),
        Ok(_fewer) => Err(NotInserted::Rule(NOT_KEPT.to_owned())),
        Err(Fault::Constraint { kind: ConstraintKind::Unique, constraint, .. }) => Err(NotInserted::Held(constraint)),
        Err(Fault::Constraint { constraint, .. }) => Err(NotInserted::Rule(constraint)),
        Err(fault) => Err(not_a_constraint(fault)),
    }
}

/// Interprets a fault that is not a violated constraint. If a trigger raised it, a rule has refused the row. Otherwise the statement has
/// failed.
pub fn not_a_constraint(fault: Fault) -> NotInserted {
    match fault {
        Fault::Refused { .. } if !fault.is_within() => NotInserted::Rule(RAISED.to_owned()),
        fault => NotInserted::Failed(fault),
    }
}
