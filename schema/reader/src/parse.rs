//! From text to grammar: a SQL parser with a bound on its recursion, behind a first look at the tokens and before a second at the tree.

use sqlparser::ast::Query;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token};

use crate::grammar::Select;
use crate::tokens::tokens;
use crate::tree;
use crate::unreadable::{Reason, Unreadable};

/// How deep the parser may call itself: each bracket and each NOT costs it two calls.
const RECURSION_MAX: usize = 48;

/// Reads a SELECT.
///
/// # Errors
/// What it has that a restricted SELECT has not.
pub fn parse(text: &str) -> Result<Select, Unreadable> {
    tree::select(query(text)?)
}

fn query(text: &str) -> Result<Query, Unreadable> {
    let dialect = PostgreSqlDialect {};
    // Its own reading of texts would log them.
    let mut parser =
        Parser::new(&dialect).with_recursion_limit(RECURSION_MAX).with_tokens_with_locations(tokens(text)?);
    match parser.parse_query() {
        Ok(query) => match parser.peek_token() {
            end if end.token == Token::EOF => Ok(*query),
            more => Err(Unreadable::new(Reason::Syntax, place(more.span.start))),
        },
        Err(ParserError::RecursionLimitExceeded) => Err(Unreadable::new(Reason::TooDeep, RECURSION_MAX)),
        // The parser's own words quote the text.
        Err(ParserError::TokenizerError(_) | ParserError::ParserError(_)) => {
            Err(Unreadable::new(Reason::Syntax, place(parser.peek_token().span.start)))
        }
    }
}

fn place(location: Location) -> String {
    match location.line {
        0 => "its end".to_owned(),
        line => format!("line {line}, column {}", location.column),
    }
}
