//! Why rows are not in their table: a rule refused one, one is held already, or a fault.

use crate::database::fault::{ConstraintKind, Fault};

/// What a receipt names as the rule of a row that the table did not keep.
const NOT_KEPT: &str = "a trigger or rule of the table keeps this row out";
/// What a receipt names as the rule where a trigger raised an error. The trigger's message may quote the row, so it is not handed on.
const RAISED: &str = "a rule of the database";

/// Why rows are not in their table.
pub enum NotInserted {
    /// The rule that refused one of them.
    Rule(String),
    /// One row has the identity or legal key of a row already there. Holds the name of the constraint.
    Held(String),
    /// A fault that is no rule's refusal.
    Failed(Fault),
}

/// Says whether PostgreSQL has written as many rows as were sent, and else why not.
pub fn kept_rows(written: diesel::QueryResult<usize>, sent: usize) -> Result<(), NotInserted> {
    match written.map_err(Fault::from) {
        Ok(kept) if kept == sent => Ok(()),
        Ok(_fewer) => Err(NotInserted::Rule(NOT_KEPT.to_owned())),
        Err(Fault::Constraint { kind: ConstraintKind::Unique, constraint, .. }) => Err(NotInserted::Held(constraint)),
        Err(Fault::Constraint { constraint, .. }) => Err(NotInserted::Rule(constraint)),
        Err(fault) => Err(not_a_constraint(fault)),
    }
}

/// Reads a fault that is no constraint's: a rule of the database where a trigger raised it.
pub fn not_a_constraint(fault: Fault) -> NotInserted {
    match fault {
        Fault::Refused { .. } if !fault.is_within() => NotInserted::Rule(RAISED.to_owned()),
        fault => NotInserted::Failed(fault),
    }
}
