//! Conditions of a SELECT: translates the parser's tree into the types of `grammar`, or refuses it.

use sqlparser::ast::{BinaryOperator, Expr, Ident, UnaryOperator, Value, ValueWithSpan};

use crate::grammar::{Condition, Literal, Operator};
use crate::unreadable::{Reason, Unreadable};

/// Translates a condition.
pub fn condition(expression: Expr) -> Result<Condition, Unreadable> {
    match expression {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            chain(*left, *right, &BinaryOperator::And).map(Condition::And)
        }
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            chain(*left, *right, &BinaryOperator::Or).map(Condition::Or)
        }
        Expr::BinaryOp { left, op, right } => compare(*left, &op, *right),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => Ok(Condition::Not(Box::new(condition(*expr)?))),
        Expr::Nested(inner) => condition(*inner),
        Expr::IsNull(expr) => Ok(Condition::IsNull { column: column(*expr)?, negated: false }),
        Expr::IsNotNull(expr) => Ok(Condition::IsNull { column: column(*expr)?, negated: true }),
        Expr::InList { expr, list, negated } => {
            let values = list.into_iter().map(literal).collect::<Result<Vec<Literal>, Unreadable>>()?;
            if values.is_empty() {
                return Err(Unreadable::new(Reason::Syntax, "IN"));
            }
            Ok(Condition::In { column: column(*expr)?, values, negated })
        }
        Expr::Between { expr, negated, low, high } => {
            Ok(Condition::Between { column: column(*expr)?, low: literal(*low)?, high: literal(*high)?, negated })
        }
        Expr::Like { negated, any, expr, pattern, escape_char } => {
            if any || escape_char.is_some() {
                return Err(Unreadable::new(Reason::Operator, "ESCAPE"));
            }
            let column = column(*expr)?;
            match literal(*pattern)? {
                Literal::Text(pattern) => Ok(Condition::Like { column, pattern, negated }),
                Literal::Number(_) | Literal::Boolean(_) => Err(Unreadable::new(Reason::Pattern, column)),
            }
        }
        other => Err(no_condition(&other)),
    }
}

/// Translates terms that are joined by AND, or by OR. The parser makes `a AND b AND c` a tree that is one level deeper on the left for each
/// term. A letter may have a thousand terms, and a function that called itself for each level could exhaust the stack; so a loop walks
/// down.
fn chain(mut left: Expr, right: Expr, word: &BinaryOperator) -> Result<Vec<Condition>, Unreadable> {
    let mut terms = vec![right];
    loop {
        match left {
            Expr::BinaryOp { left: further, op, right } if op == *word => {
                terms.push(*right);
                left = *further;
            }
            first => {
                terms.push(first);
                break;
            }
        }
    }
    terms.into_iter().rev().map(condition).collect()
}

fn compare(left: Expr, op: &BinaryOperator, right: Expr) -> Result<Condition, Unreadable> {
    let operator = match op {
        BinaryOperator::Eq => Operator::Equal,
        BinaryOperator::NotEq => Operator::NotEqual,
        BinaryOperator::Lt => Operator::Less,
        BinaryOperator::LtEq => Operator::AtMost,
        BinaryOperator::Gt => Operator::Greater,
        BinaryOperator::GtEq => Operator::AtLeast,
        other => return Err(Unreadable::new(Reason::Operator, other)),
    };
    if matches!(left, Expr::Identifier(_)) {
        return Ok(Condition::Compare { column: column(left)?, operator, value: literal(right)? });
    }
    let value = literal(left)?;
    Ok(Condition::Compare { column: column(right)?, operator: operator.turned(), value })
}

/// Reads the name of a column.
pub fn column(expression: Expr) -> Result<String, Unreadable> {
    match expression {
        Expr::Identifier(Ident { value, quote_style: _, span: _ }) => Ok(value),
        Expr::CompoundIdentifier(parts) => {
            Err(Unreadable::new(Reason::Name, parts.last().map_or("", |part| part.value.as_str())))
        }
        other => Err(no_condition(&other)),
    }
}

fn literal(expression: Expr) -> Result<Literal, Unreadable> {
    match expression {
        Expr::Value(ValueWithSpan { value, span: _ }) => match value {
            Value::Number(digits, false) => Ok(Literal::Number(digits)),
            Value::SingleQuotedString(text) => Ok(Literal::Text(text)),
            Value::Boolean(truth) => Ok(Literal::Boolean(truth)),
            Value::Null => Err(Unreadable::new(Reason::NullCompared, "NULL")),
            Value::Placeholder(name) => Err(Unreadable::new(Reason::Placeholder, name)),
            _ => Err(Unreadable::new(Reason::Text, "")),
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match *expr {
            Expr::Value(ValueWithSpan { value: Value::Number(digits, false), span: _ }) => {
                Ok(Literal::Number(format!("-{digits}")))
            }
            _ => Err(Unreadable::new(Reason::Operator, "-")),
        },
        other => Err(no_condition(&other)),
    }
}

/// Makes the refusal of a construct that is neither a condition, a column nor a value, where the grammar expects one of them.
fn no_condition(expression: &Expr) -> Unreadable {
    let (reason, found) = match expression {
        Expr::Function(function) => (Reason::Function, function.name.to_string()),
        Expr::Extract { .. }
        | Expr::Ceil { .. }
        | Expr::Floor { .. }
        | Expr::Position { .. }
        | Expr::Substring { .. }
        | Expr::Trim { .. }
        | Expr::Overlay { .. }
        | Expr::Struct { .. }
        | Expr::Map(_)
        | Expr::MatchAgainst { .. } => (Reason::Function, String::new()),
        Expr::Cast { .. } | Expr::Convert { .. } | Expr::TypedString(_) | Expr::AtTimeZone { .. } => {
            (Reason::Cast, String::new())
        }
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => (Reason::Subquery, String::new()),
        Expr::AnyOp { .. } | Expr::AllOp { .. } | Expr::InUnnest { .. } => (Reason::Subquery, String::new()),
        Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } | Expr::Collate { .. } => {
            (Reason::Operator, String::new())
        }
        Expr::BinaryOp { op, .. } => (Reason::Operator, op.to_string()),
        Expr::UnaryOp { op, .. } => (Reason::Operator, op.to_string()),
        Expr::Prefixed { .. } => (Reason::Text, String::new()),
        Expr::Case { .. } => (Reason::Word, "CASE".to_owned()),
        _ => (Reason::Expression, String::new()),
    };
    Unreadable::new(reason, found)
}
