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
        "out of shared memory",
        "could not open",
        "could not read",
        "could not access",
        "could not fsync",
        "could not create",
        "invalid page",
        "invalid memory alloc",
        "unexpected data beyond EOF",
        "missing chunk number",
        "no unpinned buffers",
        "index \"",
        "database is not accepting commands",
        "memory exhausted",
    ];
    const BUSY: &[&str] = &[
        "deadlock detected",
        "canceling statement due to",
        "could not obtain lock",
        "could not serialize",
        "current transaction is aborted", // what was sent behind the cause: it says nothing of a row
    ];
    if AWAY.iter().any(|start| message.starts_with(start) || message.contains("No space left on device")) {
        Fault::Away(without_values(message))
    } else if BUSY.iter().any(|start| message.starts_with(start)) {
        Fault::Busy(without_values(message))
    } else {
        Fault::Bug(without_values(message))
    }
}

/// Says whether a message is about tables and rights, as PostgreSQL itself words it: it then names no value.
pub(crate) fn is_about_structure(message: &str) -> bool {
    const THINGS: &[&str] = &["relation \"", "column \"", "schema \"", "type \"", "function ", "operator "];
    let is_missing = message.ends_with("does not exist") && THINGS.iter().any(|thing| message.starts_with(thing));
    let is_of_another_type = message.starts_with("column \"") && message.contains(" is of type ");
    is_missing || is_of_another_type || message.starts_with("permission denied for")
}

/// Keeps the names of relations and columns that do not exist; takes out whatever else PostgreSQL put in quotes.
fn without_values(message: &str) -> String {
    if is_about_structure(message) {
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
        let behind_the_cause = "current transaction is aborted, commands ignored until end of transaction block";
        assert!(from_message(behind_the_cause).is_passing());
        assert!(!from_message("syntax error at or near \"x\"").is_passing());
    }

    #[test]
    fn a_disk_or_memory_that_fails_is_no_letter_s_doing() {
        for message in [
            "could not read blocks 5..5 in file \"base/5/16384\": read only 0 of 8192 bytes",
            "could not open file \"base/5/16384\": Permission denied",
            "invalid page in block 5 of relation base/5/16384",
            "out of shared memory",
            "index \"births_pkey\" contains unexpected zero page at block 0",
            "could not extend file \"base/5/16384\": No space left on device",
        ] {
            assert!(from_message(message).is_away(), "{message}");
        }
    }

    #[test]
    fn a_trigger_that_speaks_of_what_does_not_exist_is_a_rule_not_a_missing_table() {
        assert!(is_about_structure("column \"nom\" of relation \"acte\" does not exist"));
        assert!(is_about_structure("permission denied for table acte"));
        assert!(is_about_structure("column \"age\" is of type integer but expression is of type text"));
        assert!(!is_about_structure("the centre of Jean Mbarga does not exist"));
    }
}
