//! What keeps a table from being adopted, or has changed in an adopted one: a stable code with parameters. The words are made where
//! they are read.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

macro_rules! problem_codes {
    ($($(#[doc = $meaning:literal])* $variant:ident = $code:literal;)*) => {
        /// The closed list of problems. A comment names the parameters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemCode {
            $($(#[doc = $meaning])* $variant,)*
        }

        impl ProblemCode {
            /// Every code.
            pub const ALL: &'static [ProblemCode] = &[$(ProblemCode::$variant,)*];

            /// Returns the code for programs.
            pub fn as_str(self) -> &'static str {
                match self { $(ProblemCode::$variant => $code,)* }
            }
        }
    };
}

problem_codes! {
    /// `name` has characters that no letter can have.
    NameNotPlain = "name_not_plain";
    /// `schema` is the server's.
    SchemaReserved = "schema_reserved";
    /// No ordinary table `relation` in `schema`.
    RelationMissing = "relation_missing";
    /// Another table goes by the name.
    NameTaken = "name_taken";
    /// The application's name is not valid.
    ApplicationInvalid = "application_invalid";
    /// The name of `column` cannot stand in a letter: too long, or with characters other than letters, digits and `_`.
    ColumnNotPlain = "column_not_plain";
    /// Another column differs from `column` in case only.
    ColumnTwin = "column_twin";
    /// `column` of provenance must be of `type`.
    ProvenanceUnfit = "provenance_unfit";
    /// `column` has a name that is kept for provenance.
    ColumnReserved = "column_reserved";
    /// `column` is of `type`, which is not supported.
    TypeUnsupported = "type_unsupported";
    /// The collation of `column` takes different texts for the same.
    CollationInexact = "collation_inexact";
    /// PostgreSQL always generates `column`.
    ColumnGenerated = "column_generated";
    /// There is no number.
    NumeroMissing = "numero_missing";
    /// The number is not PostgreSQL's.
    NumeroUnfit = "numero_unfit";
    /// There is no status.
    StatusMissing = "status_missing";
    /// The status is of another type.
    StatusUnfit = "status_unfit";
    /// No column names a record in law.
    LegalKeyEmpty = "legal_key_empty";
    /// `column` of the legal key may be unknown.
    LegalKeyNullable = "legal_key_nullable";
    /// `column` is in the legal key twice, or is the server's own.
    LegalKeyTwice = "legal_key_twice";
    /// `count` keys of the columns `key` are held twice.
    LegalKeyHeldTwice = "legal_key_held_twice";
    /// `column` of the scope may be unknown.
    ScopeNullable = "scope_nullable";
    /// `column` that is to have several lines is of `type`.
    MultilineNotText = "multiline_not_text";
    /// `column` of `role` does not exist.
    ColumnMissing = "column_missing";
    /// `column` of `role` does not exist; `near` does.
    ColumnMisspelt = "column_misspelt";
    /// A side of `check` is empty.
    CheckSideEmpty = "check_side_empty";
    /// `check` refers to a row of `table` by other columns than its legal key `key`.
    CheckReferenceKey = "check_reference_key";
    /// `check` looks at what `table` holds by columns that do not begin its legal key `key`.
    CheckHeldKey = "check_held_key";
    /// `check` joins by `column`, which is of `type` in one table and of `other` in the other one.
    CheckJoinUnlike = "check_join_unlike";
    /// The allowance of `check` has a percentage of nothing, or a term without a percentage.
    CheckAllowance = "check_allowance";
    /// Two checks have one code.
    ChecksSameCode = "checks_same_code";
    /// `check` names `column`, which does not exist.
    CheckColumnMissing = "check_column_missing";
    /// `check` names `column`, which is of `type`.
    CheckColumnNotInteger = "check_column_not_integer";
    /// `check` names `table`, which `application` does not have.
    CheckTableMissing = "check_table_missing";
    /// `check` joins `table` by nothing.
    CheckJoinEmpty = "check_join_empty";
    /// `check` joins by `column`, which one of the tables does not have.
    CheckJoinMissing = "check_join_missing";
    /// The tables `children` inherit from it.
    Inherited = "inherited";
    /// It is a part of another table.
    Partition = "partition";
    /// It has `rules`.
    Rules = "rules";
    /// Rows are hidden from the server.
    RowsHidden = "rows_hidden";
    /// A crash empties it.
    Unlogged = "unlogged";
    /// `relation` of `table` is gone.
    RelationGone = "relation_gone";
    /// The kept definition cannot be read.
    DefinitionUnreadable = "definition_unreadable";
    /// `index` is gone or changed.
    IndexGone = "index_gone";
    /// `column` is gone, or of a type that is not supported.
    ColumnGone = "column_gone";
    /// `column` has changed.
    ColumnChanged = "column_changed";
    /// `column` is new.
    ColumnNew = "column_new";
    /// `column` of provenance is gone or changed.
    ProvenanceGone = "provenance_gone";
    /// `trigger` was made since.
    TriggerNew = "trigger_new";
    /// `trigger` does something else since.
    TriggerChanged = "trigger_changed";
    /// `trigger` is gone or disabled since.
    TriggerGone = "trigger_gone";
}

/// One problem of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    code: ProblemCode,
    parameters: Vec<(&'static str, String)>,
}

impl Problem {
    /// Names a problem.
    pub fn new(code: ProblemCode) -> Problem {
        Problem { code, parameters: Vec::new() }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Problem {
        self.parameters.push((name, value.to_string()));
        self
    }

    /// Returns its code.
    pub fn code(&self) -> ProblemCode {
        self.code
    }

    /// Returns a parameter; empty where it has none of this name.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value)
    }
}

/// For logs and tests.
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
