//! The grammar of the restricted SELECT: types that cannot express anything else.

/// A restricted SELECT. Names are as the agency wrote them; whether the table and the columns exist has not been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// Names of columns in their order; empty for all columns.
    pub columns: Vec<String>,
    /// Name of the table.
    pub table: TableName,
    /// Condition on the rows; `None` for all rows.
    pub condition: Option<Condition>,
    /// Columns by which rows are ordered, the first column first.
    pub order: Vec<Ordering>,
    /// Maximum number of rows in the answer.
    pub limit: Option<u64>,
}

/// The name of a table, with its application where the agency wrote one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// Name of the application, which is a family of tables.
    pub application: Option<String>,
    /// Name of the table within its application.
    pub name: String,
}

/// A condition on rows. In SQL a condition is true, false or unknown, as a comparison with NULL is. A row is selected only where the
/// condition is true.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// All conditions hold.
    And(Vec<Condition>),
    /// At least one condition holds.
    Or(Vec<Condition>),
    /// The condition does not hold.
    Not(Box<Condition>),
    /// A column compared with a value.
    Compare {
        /// Name of the column.
        column: String,
        /// Operator, with the column on its left.
        operator: Operator,
        /// Value that the column is compared with.
        value: Literal,
    },
    /// A column whose value is one of a list.
    In {
        /// Name of the column.
        column: String,
        /// Values of the list.
        values: Vec<Literal>,
        /// Whether the condition is NOT IN.
        negated: bool,
    },
    /// A column between two values, both included.
    Between {
        /// Name of the column.
        column: String,
        /// Lower bound.
        low: Literal,
        /// Upper bound.
        high: Literal,
        /// Whether the condition is NOT BETWEEN.
        negated: bool,
    },
    /// A text column that matches a pattern.
    Like {
        /// Name of the column.
        column: String,
        /// Pattern: `%` stands for any text, `_` for any character, and `\` makes the next character stand for itself.
        pattern: String,
        /// Whether the condition is NOT LIKE.
        negated: bool,
    },
    /// A column that is NULL.
    IsNull {
        /// Name of the column.
        column: String,
        /// Whether the condition is IS NOT NULL.
        negated: bool,
    },
}

/// An operator that compares a column with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Operator {
    /// Every operator.
    pub const ALL: [Operator; 6] =
        [Operator::Equal, Operator::NotEqual, Operator::Less, Operator::AtMost, Operator::Greater, Operator::AtLeast];

    /// Returns the operator's sign in SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::NotEqual => "<>",
            Operator::Less => "<",
            Operator::AtMost => "<=",
            Operator::Greater => ">",
            Operator::AtLeast => ">=",
        }
    }

    /// Returns the operator for the two sides in the other order: `<` becomes `>`.
    pub fn turned(self) -> Operator {
        match self {
            Operator::Equal | Operator::NotEqual => self,
            Operator::Less => Operator::Greater,
            Operator::AtMost => Operator::AtLeast,
            Operator::Greater => Operator::Less,
            Operator::AtLeast => Operator::AtMost,
        }
    }

    /// Says whether the operator compares by order, not only by equality.
    pub fn is_of_order(self) -> bool {
        !matches!(self, Operator::Equal | Operator::NotEqual)
    }
}

/// A value as the agency wrote it; the type of its column decides how the value is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// Digits, with a sign and a point where they were written.
    Number(String),
    /// Text that was written in single quotes, without the quotes.
    Text(String),
    /// TRUE or FALSE.
    Boolean(bool),
}

/// A column by which rows are ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordering {
    /// Name of the column.
    pub column: String,
    /// Whether the largest values come first.
    pub descending: bool,
    /// Whether rows without a value come first. Where the agency did not say (`None`), NULL counts as the largest value, as PostgreSQL has
    /// it.
    pub nulls_first: Option<bool>,
}
