//! Reasons for which a SELECT is refused: a closed list of codes. A refusal has the code, and the name of the construct that is refused.

use std::fmt;

use sdc::refusal::{Refusal, RefusalCode};

/// Maximum number of characters of a name in a refusal, because the refusal travels over a slow link.
const FOUND_CHARS_MAX: usize = 63;

macro_rules! reasons {
    ($($(#[doc = $meaning:literal])* $variant:ident = $code:literal;)*) => {
        /// Reason for which a SELECT is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[doc = $meaning])* $variant,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)*];

            /// Returns the reason's code, which is the refusal's parameter `reason`.
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$variant => $code,)* }
            }
        }
    };
}

reasons! {
    /// The SELECT is longer than `OCTETS_MAX`.
    TooLong = "too_long";
    /// Brackets are nested too deep, or NOT is repeated too often.
    TooDeep = "too_deep";
    /// The SELECT has more terms than `TERMS_MAX`.
    TooManyTerms = "too_many_terms";
    /// The parser cannot read the SELECT.
    Syntax = "syntax";
    /// The text is another statement, or several statements.
    Statement = "statement";
    /// The SELECT has a comment.
    Comment = "comment";
    /// The SELECT calls a function, or has a name before a bracket.
    Function = "function";
    /// The SELECT changes a value's type, as CAST and `::` do.
    Cast = "cast";
    /// The SELECT has a query within the query.
    Subquery = "subquery";
    /// The SELECT has UNION, INTERSECT or EXCEPT.
    SetOperation = "set_operation";
    /// The SELECT has WITH.
    CommonTable = "common_table";
    /// The SELECT names several tables or none, or has JOIN.
    Join = "join";
    /// The SELECT has DISTINCT, GROUP BY, HAVING or a window.
    Grouping = "grouping";
    /// The SELECT gives a column or a table another name.
    Alias = "alias";
    /// The SELECT has OFFSET or FETCH, or its LIMIT is no whole number.
    Limit = "limit";
    /// The SELECT has FOR UPDATE or another form of FOR.
    Locking = "locking";
    /// The SELECT has INTO.
    Into = "into";
    /// The SELECT has a placeholder for a parameter.
    Placeholder = "placeholder";
    /// The SELECT has another operator than =, <>, <, <=, > and >=.
    Operator = "operator";
    /// A text is not in plain single quotes.
    Text = "text";
    /// A number does not consist of digits with at most one point between them.
    Number = "number";
    /// The SELECT has a character that the grammar does not know.
    Character = "character";
    /// The SELECT has a word of SQL that the grammar does not know.
    Word = "word";
    /// A term is not a column compared with a value.
    Expression = "expression";
    /// A name has more parts than allowed, or more than 63 bytes.
    Name = "name";
    /// No adopted table has the name, or several applications have one of that name.
    UnknownTable = "unknown_table";
    /// The table has no column of that name.
    UnknownColumn = "unknown_column";
    /// A column is named twice.
    ColumnTwice = "column_twice";
    /// The column cannot have the value.
    Value = "value";
    /// A value is compared with NULL, instead of IS NULL.
    NullCompared = "null_compared";
    /// LIKE is used on a column that is no text, or its pattern ends within an escape.
    Pattern = "pattern";
}

/// Refusal of a SELECT, with its reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Unreadable {
    /// Reason of the refusal.
    pub reason: Reason,
    /// Name of the refused construct, at most 63 characters on one line; never a value, which may be personal data.
    pub found: String,
    /// Form that the column's values have, where a value was refused; `None` otherwise.
    pub expected: Option<String>,
}

impl Unreadable {
    /// Makes a refusal from its reason and the name of the construct.
    pub fn new(reason: Reason, found: impl fmt::Display) -> Unreadable {
        let plain = |character: char| if character.is_control() { '?' } else { character };
        let found = found.to_string().chars().take(FOUND_CHARS_MAX).map(plain).collect();
        Unreadable { reason, found, expected: None }
    }

    /// Adds the form that the column's values have.
    #[must_use]
    pub fn expecting(mut self, expected: String) -> Unreadable {
        self.expected = Some(expected);
        self
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.reason.as_str(), self.found)
    }
}

impl From<Unreadable> for Refusal {
    fn from(unreadable: Unreadable) -> Refusal {
        let Unreadable { reason, found, expected } = unreadable;
        let refusal = Refusal::new(RefusalCode::SelectRefused).with("reason", reason.as_str());
        let refusal = if found.is_empty() { refusal } else { refusal.with("found", found) };
        match expected {
            Some(expected) => refusal.with("expected", expected),
            None => refusal,
        }
    }
}
