//! Values of a message's parameters: texts stay as they are, numbers are written as the language writes them.

use std::borrow::Cow;

use fluent_bundle::FluentValue;
use fluent_bundle::types::{FluentNumber, FluentNumberOptions};
use sdc::printable::steers;

/// Number of digits from which a whole number is written in groups of three.
const GROUPED_FROM: usize = 5;
/// Separator between groups of digits in French: a narrow no-break space.
const FRENCH_SEPARATOR: char = '\u{202F}';

/// Value of one parameter of a message.
#[derive(Clone, Debug)]
pub struct Value(FluentValue<'static>);

impl From<&str> for Value {
    /// Replaces characters that could control a terminal, because the text may come from somebody else. Line breaks stay.
    fn from(text: &str) -> Value {
        Value(FluentValue::String(Cow::Owned(text.replace(|one: char| steers(one) && one != '\n', "\u{FFFD}"))))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::from(text.as_str())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Value {
        Value::from(text.as_str())
    }
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl From<$number> for Value {
            /// Makes a parameter of a count or a measure. A number that an operator may type again, such as a line's number, is passed as
            /// a text instead.
            fn from(number: $number) -> Value {
                Value(FluentValue::from(number))
            }
        })*
    };
}

numbers!(i16, i32, i64, u16, u32, u64, usize);

impl From<Value> for FluentValue<'static> {
    fn from(value: Value) -> FluentValue<'static> {
        value.0
    }
}

/// Makes a parameter of a measure with this number of digits after the decimal point.
pub fn decimal(number: f64, digits: usize) -> Value {
    let written = format!("{number:.digits$}");
    let options = FluentNumberOptions { minimum_fraction_digits: Some(digits), ..FluentNumberOptions::default() };
    // The number is rounded already; the option only keeps zeros at its end.
    let value = if digits == 0 { FluentNumberOptions::default() } else { options };
    Value(FluentValue::Number(FluentNumber::new(written.parse().unwrap_or(number), value)))
}

/// Reads a whole number that is shown as it is written, and that can choose between singular and plural.
pub(crate) fn plain(text: &str) -> Option<Value> {
    let is_number = text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<u64>().ok().filter(|number| is_number && number.to_string() == text)?;
    let mut number = FluentNumber::from(number);
    number.options.use_grouping = false;
    Some(Value(FluentValue::Number(number)))
}

/// Writes a number as French does: `48 210,5` with a narrow space between groups, if it has five digits or more.
pub(crate) fn french<M>(value: &FluentValue<'_>, _memoizer: &M) -> Option<String> {
    let FluentValue::Number(number) = value else { return None };
    let plain = number.as_string();
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain.as_ref()), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let is_grouped = number.options.use_grouping && whole.len() >= GROUPED_FROM;
    let mut written = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && is_grouped {
            written.push(FRENCH_SEPARATOR);
        }
        written.push(digit);
    }
    if let Some(fraction) = fraction {
        written.push(',');
        written.push_str(fraction);
    }
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_french_writes_them() {
        let written = |value: Value| french(&FluentValue::from(value), &()).unwrap();
        assert_eq!(written(Value::from(2910_u64)), "2910");
        assert_eq!(written(Value::from(48_210_u64)), "48\u{202F}210");
        assert_eq!(written(Value::from(-1_234_567_i64)), "-1\u{202F}234\u{202F}567");
        assert_eq!(written(decimal(1620.44, 1)), "1620,4");
        assert_eq!(written(decimal(85.0, 1)), "85,0");
        assert_eq!(written(decimal(85.2, 0)), "85");
        assert_eq!(written(plain("48210").unwrap()), "48210");
        assert!(["000042", "-1", "1.5", "", "9999999999999999"].iter().all(|text| plain(text).is_none()));
        assert_eq!(french(&FluentValue::from(Value::from("12.5")), &()), None, "a text is left alone");
    }

    #[test]
    fn a_text_cannot_rule_the_terminal() {
        let FluentValue::String(text) = FluentValue::from(Value::from("a\u{1b}[2J\u{202e}b\nc")) else { panic!() };
        assert_eq!(text, "a\u{FFFD}[2J\u{FFFD}b\nc");
    }
}
