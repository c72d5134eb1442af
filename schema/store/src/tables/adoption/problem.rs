//! Problems that prevent the adoption of a table, and problems that an adopted table got later. They are stable codes with parameters; the
//! program that shows them adds the words.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

macro_rules! problem_codes {
    ($($(#[doc = $meaning:literal])* $variant:ident = $code:literal;)*) => {
        /// The closed list of problems. The comment on each problem has its parameters in backticks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $($(#[doc = $meaning])* $variant,)*
        }

        impl ProblemCode {
            /// Every code, in the order of the list.
            pub const ALL: &'static [ProblemCode] = &[$(ProblemCode::$variant,)*];

            /// Returns the code as programs read it.
            pub fn as_str(self) -> &'static str {
                match self { $(ProblemCode::$variant => $code,)* }
            }
        }
    };
}

problem_codes! {
    /// `name` has characters that no letter can have.
    NameNotPlain = "name_not_plain";
    /// `schema` is one of the server's own schemas.
    SchemaReserved = "schema_reserved";
    /// `schema` has no ordinary table `relation`.
    RelationMissing = "relation_missing";
    /// Another adopted table of the application has the name.
    NameTaken = "name_taken";
    /// The application's name is not valid.
    ApplicationInvalid = "application_invalid";
    /// The name of `column` is not possible in a letter: too long, or with characters other than letters, digits and `_`.
    ColumnNotPlain = "column_not_plain";
    /// Another column differs from `column` in case only.
    ColumnTwin = "column_twin";
    /// `column` has the name of a column that adoption adds, but its type is not `type`.
    ProvenanceUnfit = "provenance_unfit";
    /// `column` has a name that is reserved for the columns that adoption adds.
    ColumnReserved = "column_reserved";
    /// `column` is of `type`, which is not supported.
    TypeUnsupported = "type_unsupported";
    /// The collation of `column` treats different texts as equal.
    CollationInexact = "collation_inexact";
    /// PostgreSQL always generates `column`, so letters cannot give its value.
    ColumnGenerated = "column_generated";
    /// The column `Numero` is missing.
    NumeroMissing = "numero_missing";
    /// PostgreSQL does not assign the values of the column `Numero` itself.
    NumeroUnfit = "numero_unfit";
    /// The column `Status` is missing.
    StatusMissing = "status_missing";
    /// The column `Status` has an unfit type.
    StatusUnfit = "status_unfit";
    /// The legal key has no column.
    LegalKeyEmpty = "legal_key_empty";
    /// `column` of the legal key may be NULL.
    LegalKeyNullable = "legal_key_nullable";
    /// `column` is in the legal key twice, or is a column that adoption adds.
    LegalKeyTwice = "legal_key_twice";
    /// `count` keys of the columns `key` occur more than once in the table.
    LegalKeyHeldTwice = "legal_key_held_twice";
    /// `column` of the scope may be NULL.
    ScopeNullable = "scope_nullable";
    /// `column` marked `multiline` is of `type`, which is not a text type.
    MultilineNotText = "multiline_not_text";
    /// `notes` names `table`, which `application` does not have.
    NotesTableMissing = "notes_table_missing";
    /// `notes` joins `table` by nothing.
    NotesJoinEmpty = "notes_join_empty";
    /// `notes` joins by `column`, which one of the tables does not have.
    NotesJoinMissing = "notes_join_missing";
    /// `notes` joins by `column`, which is of `type` in one table and of `other` in the other one.
    NotesJoinUnlike = "notes_join_unlike";
    /// `column`, to which the definition file gives the `role` (such as scope), does not exist.
    ColumnMissing = "column_missing";
    /// `column`, to which the definition file gives the `role` (such as scope), does not exist; a column `near` with a similar name does.
    ColumnMisspelt = "column_misspelt";
    /// A side of `check` is empty.
    CheckSideEmpty = "check_side_empty";
    /// `check` refers to a row of `table` by other columns than its legal key `key`.
    CheckReferenceKey = "check_reference_key";
    /// `check` looks at the stored rows of `table` by columns that are not the first columns of its legal key `key`.
    CheckHeldKey = "check_held_key";
    /// `check` joins by `column`, which is of `type` in one table and of `other` in the second table.
    CheckJoinUnlike = "check_join_unlike";
    /// The allowance of `check` has a percentage without a term, or a term without a percentage.
    CheckAllowance = "check_allowance";
    /// Two checks have the same code.
    ChecksSameCode = "checks_same_code";
    /// `check` uses `column`, which does not exist.
    CheckColumnMissing = "check_column_missing";
    /// `check` uses `column`, whose type `type` is not an integer.
    CheckColumnNotInteger = "check_column_not_integer";
    /// `check` uses `table`, which `application` does not have.
    CheckTableMissing = "check_table_missing";
    /// `check` joins `table` by no column.
    CheckJoinEmpty = "check_join_empty";
    /// `check` joins by `column`, which one of the tables does not have.
    CheckJoinMissing = "check_join_missing";
    /// The tables `children` inherit from the table.
    Inherited = "inherited";
    /// The table is a partition of another table.
    Partition = "partition";
    /// The table has `rules`.
    Rules = "rules";
    /// Row level security hides rows from the server.
    RowsHidden = "rows_hidden";
    /// The table is unlogged, so that a crash empties it.
    Unlogged = "unlogged";
    /// `relation` of `table` no longer exists.
    RelationGone = "relation_gone";
    /// The stored definition cannot be read.
    DefinitionUnreadable = "definition_unreadable";
    /// `index` was dropped or changed.
    IndexGone = "index_gone";
    /// `column` was dropped, or its type is no longer supported.
    ColumnGone = "column_gone";
    /// `column` has changed.
    ColumnChanged = "column_changed";
    /// `column` is new.
    ColumnNew = "column_new";
    /// `column`, which adoption added, was dropped or changed.
    ProvenanceGone = "provenance_gone";
    /// `trigger` was created after the adoption.
    TriggerNew = "trigger_new";
    /// `trigger` has another definition or other code than at the adoption.
    TriggerChanged = "trigger_changed";
    /// `trigger` was dropped or disabled since the adoption.
    TriggerGone = "trigger_gone";
}

/// One problem of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    code: ProblemCode,
    parameters: Vec<(&'static str, String)>,
}

impl Problem {
    /// Makes a problem without parameters.
    pub fn new(code: ProblemCode) -> Problem {
        Problem { code, parameters: Vec::new() }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Problem {
        self.parameters.push((name, value.to_string()));
        self
    }

    /// Returns the problem's code.
    pub fn code(&self) -> ProblemCode {
        self.code
    }

    /// Returns a parameter's value; empty if the problem has no parameter of this name.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value)
    }
}

/// The form for logs and tests: the code, then the parameters.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())?;
        self.parameters.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parameters: std::collections::BTreeMap<_, _> =
            self.parameters.iter().map(|(name, value)| (*name, value)).collect();
        let mut members = serializer.serialize_struct("Problem", 2)?;
        members.serialize_field("code", self.code.as_str())?;
        members.serialize_field("parameters", &parameters)?;
        members.end()
    }
}
