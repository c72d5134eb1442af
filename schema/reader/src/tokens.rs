//! The first look at a SELECT: only what the grammar knows passes to the parser, so that the parser never meets the rest of SQL.
//!
//! What is refused here is refused by name. A word that is none of the grammar's is a name of a table or a column, or it is refused
//! later, because there is no such name.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace, Word};

use crate::unreadable::{Reason, Unreadable};

/// Most octets of a SELECT.
pub const OCTETS_MAX: usize = sdc::request::SELECT_OCTETS_MAX;
/// Most brackets within one another, and most NOT one behind the other.
const DEPTH_MAX: usize = 20;
/// Most comparisons, listed values and words between them: each is a level of the parser's tree, or a value to be bound.
const TERMS_MAX: usize = 1_000;
/// Most octets of a name in PostgreSQL; it cuts longer ones off, so that two names would be one.
const NAME_OCTETS_MAX: usize = 63;

/// Divides a SELECT into its tokens.
///
/// # Errors
/// The first thing that a restricted SELECT cannot have.
pub fn tokens(text: &str) -> Result<Vec<TokenWithSpan>, Unreadable> {
    if text.len() > OCTETS_MAX {
        return Err(Unreadable::new(Reason::TooLong, format_args!("{} octets", text.len())));
    }
    if let Some(odd) = odd_blank(text) {
        return Err(Unreadable::new(Reason::Character, format_args!("U+{:04X}", u32::from(odd))));
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location();
    let tokens = tokens.map_err(|error| Unreadable::new(Reason::Syntax, error.location))?;
    let mut look = Look::default();
    for TokenWithSpan { token, .. } in &tokens {
        look.at(token)?;
    }
    if look.selects == 0 {
        return Err(Unreadable::new(Reason::Statement, look.first.unwrap_or_default()));
    }
    Ok(tokens)
}

/// Finds what the tokenizer takes for a blank and is none of a text file, outside of quoting marks: a mark that is doubled closes and
/// opens again.
fn odd_blank(text: &str) -> Option<char> {
    let mut quote = None;
    text.chars().find(|character| match (quote, character) {
        (None, '\'' | '"') => {
            quote = Some(*character);
            false
        }
        (Some(open), close) => {
            if open == *close {
                quote = None;
            }
            false
        }
        (None, '\t' | '\n' | '\r') => false,
        (None, character) => character.is_control() || (character.is_whitespace() && !character.is_ascii()),
    })
}

/// What has been seen so far.
#[derive(Default)]
struct Look {
    /// The first word.
    first: Option<String>,
    /// The token before, blanks passed over.
    before: Option<Token>,
    selects: usize,
    depth: usize,
    /// How many NOT stand one behind the other: each is a level of the tree, as a bracket is.
    nots: usize,
    terms: usize,
}

impl Look {
    fn at(&mut self, token: &Token) -> Result<(), Unreadable> {
        match token {
            Token::Whitespace(Whitespace::Space | Whitespace::Newline | Whitespace::Tab) => return Ok(()),
            Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)) => {
                return Err(Unreadable::new(Reason::Comment, ""));
            }
            Token::Word(word) => self.word(word)?,
            Token::LParen => self.opens()?,
            Token::RParen => self.depth = self.depth.saturating_sub(1),
            Token::Comma | Token::Eq | Token::Neq | Token::Lt | Token::Gt | Token::LtEq | Token::GtEq => self.term()?,
            Token::Number(digits, is_long) => number(digits, *is_long)?,
            Token::SingleQuotedString(_) | Token::Mul | Token::Minus | Token::Period | Token::EOF => {}
            other => return Err(refused(other)),
        }
        let is_not = matches!(token, Token::Word(Word { keyword: Keyword::NOT, quote_style: None, .. }));
        self.nots = if is_not { self.nots + 1 } else { 0 };
        if self.nots > DEPTH_MAX {
            return Err(Unreadable::new(Reason::TooDeep, DEPTH_MAX));
        }
        self.before = Some(token.clone());
        Ok(())
    }

    fn word(&mut self, word: &Word) -> Result<(), Unreadable> {
        if word.value.len() > NAME_OCTETS_MAX {
            return Err(Unreadable::new(Reason::Name, &word.value));
        }
        match word.quote_style {
            None => {}
            Some('"') => return Ok(()),
            Some(_) => return Err(Unreadable::new(Reason::Character, &word.value)),
        }
        self.first.get_or_insert_with(|| word.value.clone());
        match word.keyword {
            Keyword::SELECT => {
                self.selects += 1;
                if self.selects > 1 {
                    return Err(Unreadable::new(Reason::Subquery, &word.value));
                }
            }
            Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::IN | Keyword::BETWEEN | Keyword::LIKE => {
                self.term()?;
            }
            keyword => {
                if let Some(reason) = reason_of(keyword) {
                    return Err(Unreadable::new(reason, &word.value));
                }
            }
        }
        Ok(())
    }

    /// A bracket opens: behind a name it makes a function of it.
    fn opens(&mut self) -> Result<(), Unreadable> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Unreadable::new(Reason::TooDeep, DEPTH_MAX));
        }
        match &self.before {
            Some(Token::Word(word)) if word.quote_style.is_some() || !is_before_bracket(word.keyword) => {
                Err(Unreadable::new(Reason::Function, &word.value))
            }
            _ => Ok(()),
        }
    }

    fn term(&mut self) -> Result<(), Unreadable> {
        self.terms += 1;
        if self.terms > TERMS_MAX { Err(Unreadable::new(Reason::TooManyTerms, TERMS_MAX)) } else { Ok(()) }
    }
}

/// Says whether a word may stand before an opening bracket without being a function's name.
fn is_before_bracket(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::AND
            | Keyword::OR
            | Keyword::NOT
            | Keyword::IN
            | Keyword::BETWEEN
            | Keyword::LIKE
            | Keyword::BY
            | Keyword::LIMIT
    )
}

/// Digits, and a point with digits behind it. PostgreSQL knows other forms, each of which some reader knows not.
fn number(digits: &str, is_long: bool) -> Result<(), Unreadable> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
    let is_plain = !is_long && are_digits(whole) && are_digits(fraction);
    if is_plain { Ok(()) } else { Err(Unreadable::new(Reason::Number, digits)) }
}

/// Names what else SQL has than words, numbers, texts and the signs of the grammar.
fn refused(token: &Token) -> Unreadable {
    let reason = match token {
        Token::SemiColon => Reason::Statement,
        Token::DoubleColon => Reason::Cast,
        Token::Placeholder(_) | Token::Question | Token::AtSign | Token::Colon => Reason::Placeholder,
        Token::DollarQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::TripleSingleQuotedString(_)
        | Token::TripleDoubleQuotedString(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::DoubleQuotedByteStringLiteral(_)
        | Token::TripleSingleQuotedByteStringLiteral(_)
        | Token::TripleDoubleQuotedByteStringLiteral(_)
        | Token::SingleQuotedRawStringLiteral(_)
        | Token::DoubleQuotedRawStringLiteral(_)
        | Token::TripleSingleQuotedRawStringLiteral(_)
        | Token::TripleDoubleQuotedRawStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::QuoteDelimitedStringLiteral(_)
        | Token::NationalQuoteDelimitedStringLiteral(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::HexStringLiteral(_) => return Unreadable::new(Reason::Text, ""),
        Token::Char(character) => return Unreadable::new(Reason::Character, character),
        _ => Reason::Operator,
    };
    Unreadable::new(reason, token)
}

/// Returns why a word of SQL is none of the grammar. Most words of SQL are also names that columns bear, and are none of these.
fn reason_of(keyword: Keyword) -> Option<Reason> {
    let reason = match keyword {
        Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::MINUS => Reason::SetOperation,
        Keyword::WITH | Keyword::RECURSIVE => Reason::CommonTable,
        Keyword::JOIN
        | Keyword::CROSS
        | Keyword::NATURAL
        | Keyword::INNER
        | Keyword::OUTER
        | Keyword::USING
        | Keyword::LATERAL
        | Keyword::ON => Reason::Join,
        Keyword::DISTINCT | Keyword::GROUP | Keyword::HAVING | Keyword::WINDOW | Keyword::OVER => Reason::Grouping,
        Keyword::AS => Reason::Alias,
        Keyword::OFFSET | Keyword::FETCH | Keyword::ONLY => Reason::Limit,
        Keyword::FOR => Reason::Locking,
        Keyword::INTO => Reason::Into,
        Keyword::CAST | Keyword::TRY_CAST | Keyword::CONVERT => Reason::Cast,
        Keyword::EXISTS | Keyword::ANY | Keyword::ALL | Keyword::SOME | Keyword::VALUES => Reason::Subquery,
        Keyword::ILIKE
        | Keyword::SIMILAR
        | Keyword::RLIKE
        | Keyword::REGEXP
        | Keyword::ESCAPE
        | Keyword::OVERLAPS
        | Keyword::OPERATOR
        | Keyword::COLLATE => Reason::Operator,
        Keyword::CASE
        | Keyword::WHEN
        | Keyword::ARRAY
        | Keyword::INTERVAL
        | Keyword::TABLESAMPLE
        | Keyword::ROW
        | Keyword::CURRENT_USER
        | Keyword::SESSION_USER
        | Keyword::CURRENT_DATE
        | Keyword::CURRENT_TIME
        | Keyword::CURRENT_TIMESTAMP
        | Keyword::LOCALTIME
        | Keyword::LOCALTIMESTAMP => Reason::Word,
        Keyword::INSERT
        | Keyword::UPDATE
        | Keyword::DELETE
        | Keyword::MERGE
        | Keyword::CREATE
        | Keyword::ALTER
        | Keyword::DROP
        | Keyword::TRUNCATE
        | Keyword::COPY
        | Keyword::GRANT
        | Keyword::REVOKE
        | Keyword::EXECUTE
        | Keyword::EXPLAIN
        | Keyword::TABLE => Reason::Statement,
        _ => return None,
    };
    Some(reason)
}
