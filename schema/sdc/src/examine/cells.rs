//! Reads one value of a letter by its column's type. A value that PostgreSQL would round, cut or change is refused.
//!
//! A record that is sent again must be recognised as the same, and the table must contain exactly what an officer signed. So a value is
//! accepted only if the column stores it unchanged, or in the one form that this file gives it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, NaiveDate, NaiveTime, Timelike, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::expected::Expected;
use crate::moment;

/// The rule that a value breaks, and a description of a right value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Code of the rule: `not_null`, `type`, `range`, `precision`, `length` or `characters`.
    pub rule: &'static str,
    /// Description of a right value. It never contains the wrong value.
    pub expected: String,
}

/// Code of the rule that a value breaks.
pub struct Rule(&'static str);

/// The column needs a value.
pub const NOT_NULL: Rule = Rule("not_null");
/// The value has another JSON type or another form.
pub const TYPE: Rule = Rule("type");
const LENGTH: Rule = Rule("length");
const RANGE: Rule = Rule("range");
/// The value is more precise than the column stores: PostgreSQL would round it.
const PRECISION: Rule = Rule("precision");
const CHARACTERS: Rule = Rule("characters");

impl Rule {
    /// Combines the rule with the description of a right value.
    pub fn with(&self, expected: impl Into<String>) -> Broken {
        Broken { rule: self.0, expected: expected.into() }
    }
}

/// Reads a whole number.
pub fn integer<T: TryFrom<i64> + Bounds>(value: &Value) -> Result<T, Broken> {
    let number = value.as_i64().ok_or_else(|| TYPE.with("a whole number"))?;
    T::try_from(number).map_err(|_out_of_range| RANGE.with(T::BOUNDS))
}

/// The range of a number type, in words.
pub trait Bounds {
    /// The smallest and the largest number of the type.
    const BOUNDS: &'static str;
}
impl Bounds for i16 {
    const BOUNDS: &'static str = "-32768 to 32767";
}
impl Bounds for i32 {
    const BOUNDS: &'static str = "-2147483648 to 2147483647";
}
impl Bounds for i64 {
    const BOUNDS: &'static str = "-9223372036854775808 to 9223372036854775807";
}

/// Reads decimal text `-?digits(.digits)?`: no exponent, no NaN. The number of digits is limited, because PostgreSQL accepts 131 072.
///
/// Equal numbers give equal texts: 1.50, 01.5 and 1.5 become the same. PostgreSQL first rounds to the scale. Before the point it then
/// allows at most `precision - scale` digits. The scale may be negative or larger than the precision.
pub fn numeric(value: &Value, precision: Option<u16>, scale: Option<i16>) -> Result<String, Broken> {
    const DIGITS_MAX: usize = 100;
    let text = match value {
        Value::Number(number) if number.is_i64() => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return Err(TYPE.with("a decimal number as text")),
    };
    let unsigned = text.strip_prefix('-').unwrap_or(&text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || text.len() > DIGITS_MAX {
        return Err(TYPE.with("a decimal number as text"));
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    if whole.is_empty() && fraction.is_empty() {
        return Ok("0".to_owned());
    }
    if let (Some(precision), Some(scale)) = (precision, scale) {
        within(whole, fraction, i32::from(precision), i32::from(scale))?;
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    Ok(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// Checks whether `numeric(precision, scale)` stores a number unchanged. `whole` and `fraction` are the digits before and after the point,
/// without leading zeros of the first and trailing zeros of the second.
fn within(whole: &str, fraction: &str, precision: i32, scale: i32) -> Result<(), Broken> {
    let count = |digits: &str| i32::try_from(digits.len()).unwrap_or(i32::MAX);
    // Positions of the first and the last digit that is not zero: 1 for the ones, 0 for the tenths, 3 for the hundreds.
    let first =
        if whole.is_empty() { -count(fraction) + count(fraction.trim_start_matches('0')) } else { count(whole) };
    let last =
        if fraction.is_empty() { 1 + count(whole) - count(whole.trim_end_matches('0')) } else { 1 - count(fraction) };
    if last + scale < 1 {
        return Err(PRECISION.with(match scale {
            1.. => format!("at most {scale} digits after the point"),
            0 => "a whole number".to_owned(),
            _ => format!("a whole number that ends in {} zeros", -scale),
        }));
    }
    if first > precision - scale {
        return Err(RANGE.with(if (0..=precision).contains(&scale) {
            format!("at most {precision} digits, {scale} of them after the point")
        } else {
            format!("a number below 10 to the power of {}", precision - scale)
        }));
    }
    Ok(())
}

/// The texts that a column accepts.
#[derive(Clone, Copy)]
pub struct TextRules {
    /// Largest number of characters; absent if unlimited.
    pub length_chars_max: Option<u32>,
    /// Whether blanks at the end are ignored, as in `char(n)`.
    pub padded: bool,
    /// Whether the text may have several lines.
    pub multiline: bool,
}

/// Reads a text.
pub fn text(value: &Value, rules: TextRules) -> Result<String, Broken> {
    let text = value.as_str().ok_or_else(|| TYPE.with("text"))?;
    if let Some(expected) = forbidden(text, rules.multiline) {
        return Err(CHARACTERS.with(expected));
    }
    // PostgreSQL ignores blanks at the end when it compares `char(n)` values, and returns them padded with any number of blanks. Without
    // the blanks, equal values are equal texts.
    let text = if rules.padded { text.trim_end_matches(' ') } else { text };
    let chars_max = rules.length_chars_max.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    // Counting characters takes time, and a text has no more characters than bytes. So they are counted only if the bytes exceed the limit.
    if text.len() > chars_max && text.chars().count() > chars_max {
        return Err(LENGTH.with(format!("at most {chars_max} characters")));
    }
    Ok(text.to_owned())
}

/// Returns what was expected, if a text has characters that a record must not have.
///
/// Control characters (C0 and C1) move the cursor of a person who looks at the record, or end a line of a list. The overrides U+202D and
/// U+202E show letters and digits in another order than they were signed in, so that two readers could read a name or an amount
/// differently. Other marks of direction are allowed: embeddings, isolates, U+200E, U+200F and U+061C only arrange runs of text and keep
/// the order within each run. Arabic records, and telephone numbers copied from an address book, contain them for good reasons.
fn forbidden(text: &str, multiline: bool) -> Option<&'static str> {
    // Nearly every text has only printable ASCII characters, none of which is forbidden. This quick test spares such texts the search
    // below.
    if text.bytes().all(|byte| matches!(byte, 0x20..0x7f)) {
        return None;
    }
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if multiline && characters.peek() == Some(&'\n') => {}
            '\n' | '\u{2028}' | '\u{2029}' if multiline => {}
            '\r' if multiline => return Some("text whose lines end with LF or CR LF"),
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => return Some("text of one line"),
            '\u{202d}' | '\u{202e}' => return Some("text without U+202D and U+202E"),
            control if control.is_control() => return Some("text without control characters"),
            _ => {}
        }
    }
    None
}

/// Reads a date.
pub fn date(value: &Value) -> Result<NaiveDate, Broken> {
    value.as_str().and_then(date_of).ok_or_else(|| TYPE.with("a date YYYY-MM-DD"))
}

/// Reads `YYYY-MM-DD` and nothing else. The parser of chrono is not used, because it allows signs and blanks and interprets its format
/// string at every call, and a letter of a thousand acts has four thousand dates.
fn date_of(text: &str) -> Option<NaiveDate> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text.as_bytes() else { return None };
    // PostgreSQL has no year 0.
    let year = number([y1, y2, y3, y4]).filter(|year| *year > 0)?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, number([m1, m2])?, number([d1, d2])?)
}

/// Reads a time of day with whole seconds. `time(n)` stores whole seconds for every n.
pub fn time(value: &Value) -> Result<NaiveTime, Broken> {
    value.as_str().and_then(time_of).ok_or_else(|| TYPE.with("a time HH:MM or HH:MM:SS"))
}

/// Reads `HH:MM` or `HH:MM:SS` and nothing else. A leap second is refused, because PostgreSQL would turn it into the next minute.
fn time_of(text: &str) -> Option<NaiveTime> {
    let (hour, minute, second) = match *text.as_bytes() {
        [h1, h2, b':', m1, m2] => ([h1, h2], [m1, m2], [b'0'; 2]),
        [h1, h2, b':', m1, m2, b':', s1, s2] => ([h1, h2], [m1, m2], [s1, s2]),
        _ => return None,
    };
    NaiveTime::from_hms_opt(number(hour)?, number(minute)?, number(second)?)
}

/// Reads digits as a whole number; `None` if a character is not a digit.
fn number<const DIGITS: usize>(digits: [u8; DIGITS]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

/// Reads a time with date. The column stores microseconds, or `fraction_digits` digits of the second's fraction. A more precise time is
/// refused, since PostgreSQL would round it.
pub fn timestamptz(value: &Value, fraction_digits: Option<u8>) -> Result<DateTime<Utc>, Broken> {
    const MICROSECONDS: u8 = 6;
    let expected = || TYPE.with(Expected::Moment.to_string());
    let time = value.as_str().and_then(moment::read).ok_or_else(expected)?;
    let digits = fraction_digits.unwrap_or(MICROSECONDS).min(MICROSECONDS);
    if time.nanosecond() % 10_u32.pow(9 - u32::from(digits)) != 0 {
        return Err(PRECISION.with(match digits {
            0 => "a time of whole seconds".to_owned(),
            digits => format!("a time with at most {digits} digits of a second's fraction"),
        }));
    }
    Ok(time)
}

/// Reads a UUID.
pub fn uuid(value: &Value) -> Result<Uuid, Broken> {
    let expected = || TYPE.with("a hyphenated UUID");
    let text = value.as_str().filter(|text| text.len() == 36).ok_or_else(expected)?;
    Uuid::try_parse(text).map_err(|_no_uuid| expected())
}

/// Reads `true` or `false`.
pub fn boolean(value: &Value) -> Result<bool, Broken> {
    value.as_bool().ok_or_else(|| TYPE.with("true or false"))
}

/// Reads octets from their base64 text.
pub fn octets(value: &Value) -> Result<Vec<u8>, Broken> {
    let text = value.as_str().ok_or_else(|| TYPE.with("base64 text"))?;
    BASE64.decode(text).map_err(|_not_base64| TYPE.with("base64 text"))
}
