//! A fault: the database or this program failed, and the letter is not to blame. Nothing was committed, and a fault contains no content of
//! a record.
//!
//! PostgreSQL quotes values in its messages ("invalid input syntax for type date: …") and rows in its details. A fault keeps the names of
//! constraints, tables and columns, and omits these values.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

use crate::database::sqlstate;

const LOCK_NOT_AVAILABLE: &str = "55P03";
const QUERY_CANCELED: &str = "57014";
const OBJECT_IN_USE: &str = "55006";

/// Reason for which a database operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// PostgreSQL cannot be reached, is not ready, or has closed the connection. Waiting helps.
    #[error("the database is away: {0}")]
    Away(String),
    /// PostgreSQL answers but refuses the login: because of the user, the password, the name of the database, or its own rules. Waiting
    /// helps only if somebody changes them.
    #[error(
        "PostgreSQL does not admit this program ({sqlstate}): {message}: look at user, password and name of the database in \
         database.url_file or database.url, and at pg_hba.conf; a private PostgreSQL admits root and the user of the program"
    )]
    NotAdmitted {
        /// PostgreSQL's SQLSTATE.
        sqlstate: String,
        /// PostgreSQL's message.
        message: String,
    },
    /// The transaction conflicted with another (deadlock, serialisation, lock or statement timeout). Trying again helps.
    #[error("the database could not do this beside its other work ({sqlstate}): {message}")]
    Busy {
        /// PostgreSQL's SQLSTATE.
        sqlstate: String,
        /// PostgreSQL's message, without values.
        message: String,
    },
    /// A constraint refused the statement.
    #[error("constraint {constraint} of table {table} refused the statement")]
    Constraint {
        /// Kind of the constraint.
        kind: ConstraintKind,
        /// Name of the table, if PostgreSQL gives it.
        table: String,
        /// Name of the constraint; for NOT NULL, of the column.
        constraint: String,
    },
    /// A table, column, function, type or right that a statement needs is missing: somebody has changed the schema. Waiting helps if
    /// somebody repairs the schema.
    #[error("the database is not as it was adopted ({sqlstate}): {message}")]
    Altered {
        /// PostgreSQL's SQLSTATE.
        sqlstate: String,
        /// PostgreSQL's message, without values.
        message: String,
    },
    /// PostgreSQL refused a statement, most often because of a trigger: either the row or this program is wrong.
    #[error("the database refused a statement ({sqlstate}): {message}")]
    Refused {
        /// PostgreSQL's SQLSTATE; empty if PostgreSQL gave none.
        sqlstate: String,
        /// PostgreSQL's message, without values.
        message: String,
    },
    /// The database has no row for its server, since `init` did not run yet.
    #[error("xm.server is empty: run `xmserver init` on this database first")]
    NoServer,
    /// A control table contains a value that this program cannot read. The program does not guess another value.
    #[error("{what} of {subject} cannot be read: {expected}")]
    Unreadable {
        /// Name of the unreadable part.
        what: &'static str,
        /// The table, tariff or server that the value belongs to.
        subject: String,
        /// The values that can be read, or how to repair the value.
        expected: &'static str,
    },
    /// This program has a mistake.
    #[error("the database could not be used as meant: {0}")]
    Bug(String),
}

/// Kinds of constraint that PostgreSQL checks.
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
    /// Says whether the database cannot be used now, so that waiting may help and the letter is not to blame.
    pub fn is_away(&self) -> bool {
        matches!(self, Fault::Away(_) | Fault::NotAdmitted { .. })
    }

    /// Says whether PostgreSQL answers but refuses the login. At the start of a program, this means wrong settings. A running program waits
    /// until somebody repairs them.
    pub fn is_not_admitted(&self) -> bool {
        matches!(self, Fault::NotAdmitted { .. })
    }

    /// Says whether the same work may succeed when tried again.
    pub fn is_passing(&self) -> bool {
        self.is_away() || matches!(self, Fault::Busy { .. })
    }

    /// Says whether the work conflicted with other work in the database: another transaction, a lock, or a statement timeout. It does not
    /// count if the pool had no free connection: that fault has no SQLSTATE.
    pub fn is_beside_other_work(&self) -> bool {
        matches!(self, Fault::Busy { sqlstate, .. } if !sqlstate.is_empty())
    }

    /// Says whether a trigger that fails for one row may be the cause. The SQLSTATE does not exclude this, since a trigger may pass on
    /// another fault or raise any SQLSTATE. Deadlocks and similar conflicts do not count: they arise between two transactions, and end when
    /// one of them ends.
    pub fn may_be_of_a_row(&self) -> bool {
        match self {
            Fault::Busy { sqlstate, .. } => {
                matches!(sqlstate.as_str(), QUERY_CANCELED | LOCK_NOT_AVAILABLE | OBJECT_IN_USE)
            }
            Fault::Away(_) | Fault::NotAdmitted { .. } | Fault::Altered { .. } => true,
            _ => self.is_own(),
        }
    }

    /// Says whether the schema differs from the schema that the statements need.
    pub fn is_altered(&self) -> bool {
        matches!(self, Fault::Altered { .. })
    }

    /// Says whether the fault lies in the statement and its values, so that the same work fails again. A fault of the database or of its
    /// stored data does not count.
    pub fn is_own(&self) -> bool {
        matches!(self, Fault::Constraint { .. } | Fault::Refused { .. } | Fault::Bug(_))
    }

    /// Says whether PostgreSQL failed internally, or a foreign database that a trigger used has failed. Such a fault does not mean that the
    /// row breaks a rule.
    pub fn is_within(&self) -> bool {
        matches!(self, Fault::Refused { sqlstate, .. } if sqlstate.starts_with("XX") || sqlstate.starts_with("HV"))
    }

    /// Says whether both faults seem to have one cause: they are of the same kind and have the same SQLSTATE. The messages do not count,
    /// since they may contain values of a row.
    pub fn is_like(&self, other: &Fault) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other) && self.sqlstate() == other.sqlstate()
    }

    /// Returns the SQLSTATE of faults whose kind alone does not identify them; empty for the other kinds.
    fn sqlstate(&self) -> &str {
        match self {
            Fault::Busy { sqlstate, .. } | Fault::Altered { sqlstate, .. } | Fault::Refused { sqlstate, .. } => {
                sqlstate
            }
            _ => "",
        }
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
            // The messages of these errors come from diesel and this program, not from a record.
            DieselError::QueryBuilderError(error) => Fault::Bug(format!("a statement could not be built: {error}")),
            DieselError::DeserializationError(error) => Fault::Bug(format!("a result could not be read: {error}")),
            DieselError::SerializationError(_) => Fault::Bug("a value could not be sent".to_owned()),
            _ => Fault::Bug("a transaction was used out of turn".to_owned()),
        }
    }
}

impl From<diesel::ConnectionError> for Fault {
    fn from(error: diesel::ConnectionError) -> Fault {
        // A connection attempt sends no records, so the whole message may be shown. Every cause counts as away: nothing can be done until
        // somebody repairs the cause, and then all work continues.
        let told = error.to_string();
        match sqlstate::of_hint(Some(&told)).and_then(|told| told.split_once(' ')) {
            Some((sqlstate, message)) if sqlstate.starts_with("28") || sqlstate == "3D000" => {
                Fault::NotAdmitted { sqlstate: sqlstate.to_owned(), message: message.to_owned() }
            }
            Some((sqlstate, message)) => Fault::Away(format!("{message} ({sqlstate})")),
            None => Fault::Away(told),
        }
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
        DatabaseErrorKind::SerializationFailure => {
            Fault::Busy { sqlstate: "40001".to_owned(), message: "serialisation failure".to_owned() }
        }
        DatabaseErrorKind::ReadOnlyTransaction => Fault::Away("the database cannot be written: a standby".to_owned()),
        DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection => {
            Fault::Away("the connection is closed".to_owned())
        }
        _ => from_sqlstate(sqlstate::of_hint(information.hint()).unwrap_or_default(), information),
    }
}

/// Classifies a fault by SQLSTATE (PostgreSQL, appendix A) and nothing else: messages are in the server's language, and a trigger may raise
/// any message.
fn from_sqlstate(sqlstate: &str, information: &(dyn DatabaseErrorInformation + Send + Sync)) -> Fault {
    // If PostgreSQL reports a position in the statement, its message contains a name from the statement and no value.
    let message = match information.statement_position() {
        Some(_) => information.message().to_owned(),
        None => without_values(information.message()),
    };
    match Cause::of(sqlstate) {
        Cause::Away => Fault::Away(format!("{message} ({sqlstate})")),
        Cause::Busy => Fault::Busy { sqlstate: sqlstate.to_owned(), message },
        Cause::Altered => Fault::Altered { sqlstate: sqlstate.to_owned(), message },
        // Most SQLSTATEs without a cause of their own are raised by a trigger. A trigger is a rule of its table, so the statement counts as
        // refused.
        Cause::Refused => {
            Fault::Refused { sqlstate: sqlstate.to_owned(), message: without_values(information.message()) }
        }
    }
}

/// Cause of a fault, according to the SQLSTATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Away,
    Busy,
    Altered,
    Refused,
}

impl Cause {
    fn of(sqlstate: &str) -> Cause {
        match sqlstate {
            // Cancelled by a timeout or an operator; lock not available in time; object in use; statement in a transaction that has already
            // failed; session or transaction that took too long, as after a program was frozen. None of these depends on a row.
            QUERY_CANCELED | LOCK_NOT_AVAILABLE | OBJECT_IN_USE | "25P02" | "25P03" | "25P04" => Cause::Busy,
            // The database cannot be used now: it is read-only, such as a standby or a primary that is demoted, or its pages cannot be
            // read.
            "25006" | "XX001" | "XX002" => Cause::Away,
            // A schema or the database is missing; a prepared plan no longer fits, since a table was altered.
            "3F000" | "3D000" | "55000" | "0A000" => Cause::Altered,
            _ => match sqlstate.get(..2).unwrap_or_default() {
                // Connection exceptions; no disk space, memory or connections left; shutdown; input and output errors; errors of a
                // configuration file.
                "08" | "53" | "57" | "58" | "F0" => Cause::Away,
                // Serialisation failure, deadlock.
                "40" => Cause::Busy,
                // A table, column, function or type of the statement is missing, ambiguous or of another kind; a column is now generated; a
                // right was withdrawn. The fault lies in the statement and not in a value.
                "42" => Cause::Altered,
                _ => Cause::Refused,
            },
        }
    }
}

/// Quotation marks in PostgreSQL's messages of all languages: "…", «…», »…«, „…“, ‹…›.
const QUOTATION_MARKS: [char; 9] =
    ['"', '\u{ab}', '\u{bb}', '\u{2039}', '\u{203a}', '\u{201c}', '\u{201d}', '\u{201e}', '\u{201f}'];

/// Removes what PostgreSQL quotes, in any language: everything from the first quotation mark to the last, since a value may contain
/// quotation marks.
fn without_values(message: &str) -> String {
    let Some((before, quoted)) = message.split_once(QUOTATION_MARKS) else { return message.to_owned() };
    let behind = quoted.rsplit_once(QUOTATION_MARKS).map_or("", |(_, behind)| behind);
    format!("{before}…{behind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of an error that diesel's interface for database errors returns.
    struct Told {
        message: &'static str,
        hint: Option<String>,
        position: Option<i32>,
    }

    impl DatabaseErrorInformation for Told {
        fn message(&self) -> &str {
            self.message
        }

        fn details(&self) -> Option<&str> {
            None
        }

        fn hint(&self) -> Option<&str> {
            self.hint.as_deref()
        }

        fn table_name(&self) -> Option<&str> {
            None
        }

        fn column_name(&self) -> Option<&str> {
            None
        }

        fn constraint_name(&self) -> Option<&str> {
            None
        }

        fn statement_position(&self) -> Option<i32> {
            self.position
        }
    }

    fn fault(sqlstate: &str, message: &'static str, position: Option<i32>) -> Fault {
        let told = Told { message, hint: Some(format!("SQLSTATE {sqlstate}")), position };
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(told)).into()
    }

    #[test]
    fn values_are_left_out_and_names_kept() {
        let date = fault("22007", "invalid input syntax for type date: \"Jean Mbarga\"", Some(8));
        assert_eq!(date.to_string(), "the database refused a statement (22007): invalid input syntax for type date: …");
        let table = fault("42P01", "relation \"ecr.acte\" does not exist", Some(13));
        assert!(table.to_string().ends_with("(42P01): relation \"ecr.acte\" does not exist"), "{table}");
        let raised = fault("42P01", "the centre of \"Jean Mbarga\" does not exist", None);
        assert!(!raised.to_string().contains("Mbarga"), "{raised}");
        // The messages have the quotation marks of several languages. Some values contain quotation marks, and one message is cut off.
        for message in [
            "syntaxe en entrée invalide pour le type date : « Jean Mbarga »",
            "ungültige Eingabesyntax für Typ date: »Jean Mbarga«",
            "nieprawidłowa składnia wejścia dla typu date: „Jean Mbarga”",
            "invalid input syntax for type date: \"5\" Mbarga \"x\"",
            "valeur « l'acte »Mbarga« » trop longue",
            "invalid input syntax for type date: \"Jean Mbarga",
        ] {
            let fault = fault("22007", message, None);
            assert!(!fault.to_string().contains("Mbarga") && fault.to_string().contains('…'), "{fault}");
        }
    }

    #[test]
    fn a_fault_is_known_by_its_sqlstate_whatever_the_words() {
        // The message suggests another cause than the SQLSTATE, or is in another language; the SQLSTATE decides.
        for (sqlstate, message) in [
            ("57P01", "deadlock detected"),
            ("57P03", "le système de bases de données se lance"),
            ("53100", "column \"x\" does not exist"),
            ("53200", "mémoire épuisée"),
            ("58030", "la table ne veut pas"),
            ("XX001", "page invalide"),
            ("25006", "ne peut pas exécuter INSERT dans une transaction en lecture seule"),
        ] {
            assert!(fault(sqlstate, message, None).is_away(), "{sqlstate}");
        }
        for (sqlstate, message) in [
            ("40P01", "Bloquage mortel (deadlock) détecté"),
            ("55P03", "could not open relation"),
            ("57014", "terminating connection due to administrator command"),
            ("25P02", "la transaction est annulée"),
            ("25P03", "arrêt des connexions suite à l'expiration du délai d'inactivité en transaction"),
        ] {
            let fault = fault(sqlstate, message, None);
            assert!(fault.is_passing() && !fault.is_away(), "{sqlstate}");
        }
        for (sqlstate, message) in [
            ("42703", "la colonne « W » n'existe pas"),
            ("42P01", "the database system is shutting down"),
            ("42501", "droit refusé pour la table acte"),
            ("42601", "erreur de syntaxe"),
            ("42702", "la référence à la colonne « W » est ambiguë"),
        ] {
            assert!(fault(sqlstate, message, Some(1)).is_altered(), "{sqlstate}");
        }
        for (sqlstate, message) in [
            ("P0001", "the database system is shutting down"),
            ("P0001", "could not open the register of this centre"),
            ("P0001", "column \"x\" of the act does not exist"),
            ("P0001", "deadlock detected"),
            ("22012", "division par zéro"),
            ("XX000", "cache lookup failed for type 0"),
        ] {
            assert!(fault(sqlstate, message, None).is_own(), "{sqlstate}");
        }
    }
}
