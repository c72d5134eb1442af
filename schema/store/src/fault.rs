//! A fault: the world is wrong, not the letter. Nothing was committed, and nothing of a record's content is told.
//!
//! PostgreSQL quotes values in its messages ("invalid input syntax for type date: …") and rows in its details. A fault
//! keeps names of constraints, tables and columns, which are ours, and leaves out what is anybody's.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

/// What kept a database operation from being done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// PostgreSQL is not there, not ready, or took the connection away. Waiting helps.
    #[error("the database is away: {0}")]
    Away(String),
    /// The transaction met another one (deadlock, serialisation, lock or statement timeout). Trying again helps.
    #[error("the database could not do this beside its other work: {0}")]
    Busy(String),
    /// A constraint refused the statement.
    #[error("constraint {constraint} of table {table} refused the statement")]
    Constraint {
        /// What kind of rule.
        kind: ConstraintKind,
        /// The table, as far as PostgreSQL names it.
        table: String,
        /// The constraint; for NOT NULL the column.
        constraint: String,
    },
    /// A statement that cannot work: we, or somebody who changed the schema, are wrong.
    #[error("the database refused a statement: {0}")]
    Bug(String),
}

/// The kinds of rule that PostgreSQL guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstraintKind {
    /// PRIMARY KEY or UNIQUE.
    Unique,
    /// REFERENCES.
    ForeignKey,
    /// NOT NULL.
    NotNull,
    /// CHECK.
    Check,
    /// EXCLUDE.
    Exclusion,
}

impl Fault {
    /// Says whether waiting for the database helps; the letter is not to blame then.
    pub fn is_away(&self) -> bool {
        matches!(self, Fault::Away(_))
    }

    /// Says whether the same work may succeed when tried again.
    pub fn is_passing(&self) -> bool {
        matches!(self, Fault::Away(_) | Fault::Busy(_))
    }

    /// Says whether this constraint refused the statement.
    pub fn is_constraint(&self, name: &str) -> bool {
        matches!(self, Fault::Constraint { constraint, .. } if constraint == name)
    }
}

impl From<DieselError> for Fault {
    fn from(error: DieselError) -> Fault {
        match error {
            DieselError::DatabaseError(kind, information) => from_database(kind, information.as_ref()),
            DieselError::BrokenTransactionManager => Fault::Away("the connection was lost in a transaction".to_owned()),
            DieselError::RollbackErrorOnCommit { rollback_error, commit_error } => {
                tracing::debug!(error = %Fault::from(*rollback_error), "the rollback failed too");
                Fault::from(*commit_error)
            }
            DieselError::NotFound => Fault::Bug("a row that must exist was not found".to_owned()),
            // These messages come from our own types, not from a record.
            DieselError::QueryBuilderError(error) => Fault::Bug(format!("a statement could not be built: {error}")),
            DieselError::DeserializationError(error) => Fault::Bug(format!("a result could not be read: {error}")),
            DieselError::SerializationError(_) => Fault::Bug("a value could not be sent".to_owned()),
            _ => Fault::Bug("a transaction was used out of turn".to_owned()),
        }
    }
}

impl From<diesel::ConnectionError> for Fault {
    fn from(error: diesel::ConnectionError) -> Fault {
        // Connecting sends no records. Whatever the cause (no server, password, no such database), nothing can be
        // done before it is mended, and everything goes on by itself afterwards.
        Fault::Away(error.to_string())
    }
}

fn from_database(kind: DatabaseErrorKind, information: &(dyn DatabaseErrorInformation + Send + Sync)) -> Fault {
    let constraint = |kind| Fault::Constraint {
        kind,
        table: information.table_name().unwrap_or("unknown").to_owned(),
        constraint: information.constraint_name().or(information.column_name()).unwrap_or("unknown").to_owned(),
    };
    match kind {
        DatabaseErrorKind::UniqueViolation => constraint(ConstraintKind::Unique),
        DatabaseErrorKind::ForeignKeyViolation | DatabaseErrorKind::RestrictViolation => {
            constraint(ConstraintKind::ForeignKey)
        }
        DatabaseErrorKind::NotNullViolation => constraint(ConstraintKind::NotNull),
        DatabaseErrorKind::CheckViolation => constraint(ConstraintKind::Check),
        DatabaseErrorKind::ExclusionViolation => constraint(ConstraintKind::Exclusion),
        DatabaseErrorKind::SerializationFailure => Fault::Busy("serialisation failure".to_owned()),
        DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection => {
            Fault::Away("the connection is closed".to_owned())
        }
        _ => from_message(information.message()),
    }
}

/// Judges by the message, since diesel hands on no SQLSTATE. `lc_messages` must be C or English: `xmserver check` says so.
fn from_message(message: &str) -> Fault {
    const AWAY: &[&str] = &[
        "terminating connection",
        "the database system is",
        "sorry, too many clients",
        "remaining connection slots",
        "No space left on device",
        "could not write",
        "could not extend file",
        "cannot execute", // … in a read-only transaction: a standby, or a primary being demoted
        "connection to client lost",
        "out of memory",
    ];
    const BUSY: &[&str] =
        &["deadlock detected", "canceling statement due to", "could not obtain lock", "could not serialize"];
    if AWAY.iter().any(|start| message.starts_with(start) || message.contains("No space left on device")) {
        Fault::Away(without_values(message))
    } else if BUSY.iter().any(|start| message.starts_with(start)) {
        Fault::Busy(without_values(message))
    } else {
        Fault::Bug(without_values(message))
    }
}

/// Keeps the names of relations and columns that do not exist; takes out whatever else PostgreSQL put in quotes.
fn without_values(message: &str) -> String {
    let names_only = message.ends_with("does not exist") || message.starts_with("permission denied for");
    if names_only {
        return message.to_owned();
    }
    let mut kept = String::with_capacity(message.len());
    for (index, part) in message.split('"').enumerate() {
        kept.push_str(if index % 2 == 0 { part } else { "…" });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_left_out_and_names_kept() {
        assert_eq!(
            from_message("invalid input syntax for type date: \"Jean Mbarga\""),
            Fault::Bug("invalid input syntax for type date: …".to_owned())
        );
        assert_eq!(
            from_message("relation \"ecr.acte\" does not exist"),
            Fault::Bug("relation \"ecr.acte\" does not exist".to_owned())
        );
    }

    #[test]
    fn shutting_down_is_away_and_a_deadlock_is_busy() {
        assert!(from_message("terminating connection due to administrator command").is_away());
        assert!(from_message("the database system is starting up").is_away());
        assert!(!from_message("deadlock detected").is_away());
        assert!(from_message("deadlock detected").is_passing());
        assert!(!from_message("syntax error at or near \"x\"").is_passing());
    }
}
