//! Why a SELECT is refused: a closed list of codes, each with the name of what is refused.

use std::fmt;

use sdc::refusal::{Refusal, RefusalCode};

/// Most characters of a name that is told: the text comes from a stranger to SQL, and the refusal goes back over a slow link.
const FOUND_CHARS_MAX: usize = 63;

macro_rules! reasons {
    ($($(#[doc = $meaning:literal])* $variant:ident = $code:literal;)*) => {
        /// What a SELECT has that it may not have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[doc = $meaning])* $variant,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)*];

            /// Returns its code, as the refusal's parameter `reason` has it.
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$variant => $code,)* }
            }
        }
    };
}

reasons! {
    /// It is longer than a SELECT may be.
    TooLong = "too_long";
    /// It has more brackets or NOT within one another than may be.
    TooDeep = "too_deep";
    /// It has more terms than may be.
    TooManyTerms = "too_many_terms";
    /// It is no SELECT that can be taken apart.
    Syntax = "syntax";
    /// It is another statement, or several.
    Statement = "statement";
    /// A comment.
    Comment = "comment";
    /// A function, or what is written like one.
    Function = "function";
    /// A change of type.
    Cast = "cast";
    /// A query within the query.
    Subquery = "subquery";
    /// UNION, INTERSECT or EXCEPT.
    SetOperation = "set_operation";
    /// WITH.
    CommonTable = "common_table";
    /// Several tables.
    Join = "join";
    /// DISTINCT, GROUP BY, HAVING or a window.
    Grouping = "grouping";
    /// Another name for a column or a table.
    Alias = "alias";
    /// OFFSET, FETCH or something else that LIMIT is not.
    Limit = "limit";
    /// FOR UPDATE and its kin.
    Locking = "locking";
    /// INTO.
    Into = "into";
    /// A place for a parameter.
    Placeholder = "placeholder";
    /// Another operator than =, <>, <, <=, > and >=.
    Operator = "operator";
    /// A text that is not simply in single quotes.
    Text = "text";
    /// A number that is not simply of digits.
    Number = "number";
    /// A character that no SELECT has.
    Character = "character";
    /// A word of SQL that is not one of a restricted SELECT.
    Word = "word";
    /// Something else than a column compared with a value.
    Expression = "expression";
    /// A name in more than one part, or of more than 63 bytes.
    Name = "name";
    /// A table that is not adopted, or not by this name alone.
    UnknownTable = "unknown_table";
    /// A column that the table does not have.
    UnknownColumn = "unknown_column";
    /// A column that is named twice.
    ColumnTwice = "column_twice";
    /// A value that its column cannot have.
    Value = "value";
    /// NULL where a value is compared: IS NULL asks for it.
    NullCompared = "null_compared";
    /// LIKE on what is no text, or a pattern that ends within an escape.
    Pattern = "pattern";
}

/// A SELECT that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Unreadable {
    /// Why.
    pub reason: Reason,
    /// The name of what is refused, bounded and on one line; never a value.
    pub found: String,
    /// What a value should have been, as in a refusal of records.
    pub expected: Option<String>,
}

impl Unreadable {
    /// Refuses what has this name.
    pub fn new(reason: Reason, found: impl fmt::Display) -> Unreadable {
        let plain = |character: char| if character.is_control() { '?' } else { character };
        let found = found.to_string().chars().take(FOUND_CHARS_MAX).map(plain).collect();
        Unreadable { reason, found, expected: None }
    }

    /// Adds what a value should have been.
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
