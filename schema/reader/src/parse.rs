//! Parses a SELECT in three steps: its tokens are checked, a SQL parser with bounded recursion makes a tree, and the tree is checked.

use sqlparser::ast::Query;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token};

use crate::grammar::Select;
use crate::tokens::tokens;
use crate::tree;
use crate::unreadable::{Reason, Unreadable};

/// Deepest recursion of the parser. Each bracket and each NOT takes two nested calls, and the check of the tokens admits twenty of them.
const RECURSION_MAX: usize = 48;

/// Parses a SELECT.
///
/// # Errors
/// The SELECT has a construct that the grammar does not have.
pub fn parse(text: &str) -> Result<Select, Unreadable> {
    tree::select(query(text)?)
}

fn query(text: &str) -> Result<Query, Unreadable> {
    let dialect = PostgreSqlDialect {};
    // The parser gets tokens instead of the text: a text it would also write to the log, and with it the names of people in the SELECT.
    let mut parser =
        Parser::new(&dialect).with_recursion_limit(RECURSION_MAX).with_tokens_with_locations(tokens(text)?);
    match parser.parse_query() {
        Ok(query) => match parser.peek_token() {
            end if end.token == Token::EOF => Ok(*query),
            more => Err(Unreadable::new(Reason::Syntax, place(more.span.start))),
        },
        Err(ParserError::RecursionLimitExceeded) => Err(Unreadable::new(Reason::TooDeep, RECURSION_MAX)),
        // The parser's own message is dropped: it quotes the agency's text.
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
