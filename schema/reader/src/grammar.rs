//! A restricted SELECT as it is meant: our own small types, which can say nothing else.

/// What is asked for. Names are as they were written; whether there is such a table or column is not known yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// Names of columns in their order; none for all.
    pub columns: Vec<String>,
    /// The table.
    pub table: TableName,
    /// Which rows.
    pub condition: Option<Condition>,
    /// In which order, the first column first.
    pub order: Vec<Ordering>,
    /// How many at most.
    pub limit: Option<u64>,
}

/// The name of a table, with that of its application where it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// The family of tables.
    pub application: Option<String>,
    /// The table's name within it.
    pub name: String,
}

/// Which rows are meant, by SQL's logic of three values: a row is given where the condition is true.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// All of them.
    And(Vec<Condition>),
    /// Any of them.
    Or(Vec<Condition>),
    /// Not that.
    Not(Box<Condition>),
    /// A column compared with a value.
    Compare {
        /// The column.
        column: String,
        /// How.
        operator: Operator,
        /// With what.
        value: Literal,
    },
    /// A column that has one of some values.
    In {
        /// The column.
        column: String,
        /// The values.
        values: Vec<Literal>,
        /// Whether it has none of them.
        negated: bool,
    },
    /// A column between two values, both included.
    Between {
        /// The column.
        column: String,
        /// The lower.
        low: Literal,
        /// The upper.
        high: Literal,
        /// Whether it is not between them.
        negated: bool,
    },
    /// A text that has a form: `%` stands for any text, `_` for any character, `\` takes that meaning away.
    Like {
        /// The column.
        column: String,
        /// The form.
        pattern: String,
        /// Whether it has another.
        negated: bool,
    },
    /// A column without a value.
    IsNull {
        /// The column.
        column: String,
        /// Whether it has one.
        negated: bool,
    },
}

/// How a column is compared.
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

    /// Returns its sign.
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

    /// Returns the one that says the same with its sides exchanged.
    pub fn turned(self) -> Operator {
        match self {
            Operator::Equal | Operator::NotEqual => self,
            Operator::Less => Operator::Greater,
            Operator::AtMost => Operator::AtLeast,
            Operator::Greater => Operator::Less,
            Operator::AtLeast => Operator::AtMost,
        }
    }

    /// Says whether it depends on which of two values is the smaller.
    pub fn is_of_order(self) -> bool {
        !matches!(self, Operator::Equal | Operator::NotEqual)
    }
}

/// A value as it was written; its column says how it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// Digits, with a sign and a point where they were written.
    Number(String),
    /// Text in single quotes, without them.
    Text(String),
    /// TRUE or FALSE.
    Boolean(bool),
}

/// A column by which rows are ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordering {
    /// The column.
    pub column: String,
    /// Whether the largest come first.
    pub descending: bool,
    /// Whether rows without a value come first; where it is not said, they count as the largest.
    pub nulls_first: Option<bool>,
}
