//! Checks a SELECT's tokens: only words and signs of the grammar reach the parser, so the parser never sees other parts of SQL.
//!
//! Each construct is refused under its own reason. A word that the grammar does not know counts as the name of a table or column.
//! Rendering refuses the SELECT where no such table or column exists.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace, Word};

use crate::unreadable::{Reason, Unreadable};

/// Maximum number of octets of a SELECT.
pub const OCTETS_MAX: usize = sdc::request::SELECT_OCTETS_MAX;
/// Deepest nesting of brackets, and longest run of NOT.
const DEPTH_MAX: usize = 20;
/// Maximum number of comparisons, commas and words such as AND and IN. Each makes the parser's tree one level deeper, or adds a value to
/// bind to the statement.
const TERMS_MAX: usize = 1_000;
/// Maximum number of octets of a name in PostgreSQL. PostgreSQL cuts longer names, so two different names could become one.
const NAME_OCTETS_MAX: usize = 63;

/// Divides a SELECT into its tokens.
///
/// # Errors
/// The first token that a restricted SELECT cannot have, with its reason.
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

/// Finds the first unusual blank or control character outside of quotation marks. The tokenizer would take some of them for blanks, so a
/// SELECT could mean something else than it shows. A quotation mark within quotes is written twice; this needs no rule of its own, since
/// the first one ends the quotes and the second begins them again.
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

/// State of the check: what it remembers of the tokens before the present one.
#[derive(Default)]
struct Look {
    /// First unquoted word.
    first: Option<String>,
    /// Last token that is not a blank.
    before: Option<Token>,
    selects: usize,
    depth: usize,
    /// Number of NOTs that follow each other without another word between. Each makes the parser's tree one level deeper, as a bracket
    /// does.
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

    /// Checks an opening bracket. A name before it is refused, because that is a function call.
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

/// Says whether a keyword may stand before an opening bracket; any other word there is a function's name.
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

/// Checks that a number consists of digits, with at most one point between them. Other forms, such as `1e3` or `0x10`, mean different
/// things to different SQL parsers.
fn number(digits: &str, is_long: bool) -> Result<(), Unreadable> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
    let is_plain = !is_long && are_digits(whole) && are_digits(fraction);
    if is_plain { Ok(()) } else { Err(Unreadable::new(Reason::Number, digits)) }
}

/// Refuses a token that is not of the grammar, with its reason.
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

/// Returns the reason for which the grammar refuses a keyword of SQL. Returns `None` for most keywords, because they also serve as names
/// of columns.
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
