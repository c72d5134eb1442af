//! Reads the members of a JSON value that is already strict: objects of exactly these members, bounded arrays, names.

use std::fmt::Display;

use serde_json::{Map, Value};

use super::malformed;
use crate::expected::{Expected, Names};
use crate::refusal::Refusal;

/// What PostgreSQL lets a name have (NAMEDATALEN less one).
const NAME_OCTETS_MAX: usize = 63;

/// Takes an object apart that has these members and no others.
pub fn members<const N: usize>(
    value: Value,
    path: impl Display,
    names: &'static [&'static str; N],
) -> Result<[Value; N], Refusal> {
    let expected = || malformed(&path, Expected::ObjectOf(Names(names)));
    let Value::Object(mut object): Value = value else { return Err(expected()) };
    let complete = object.len() == N && names.iter().all(|name| object.contains_key(*name));
    if !complete {
        return Err(expected());
    }
    Ok(names.map(|name| take(&mut object, name)))
}

/// Takes an object apart that may have these members and has no others.
pub fn optional_members<const N: usize>(
    value: Value,
    path: impl Display,
    names: &'static [&'static str; N],
) -> Result<[Option<Value>; N], Refusal> {
    let expected = || malformed(&path, Expected::ObjectOfSome(Names(names)));
    let Value::Object(mut object): Value = value else { return Err(expected()) };
    let found = names.map(|name| object.remove(name));
    if object.is_empty() { Ok(found) } else { Err(expected()) }
}

/// Takes an object apart that has all of these members and may have those others, and no more.
pub fn members_and_optional<const N: usize, const M: usize>(
    value: Value,
    path: impl Display,
    names: &'static [&'static str; N],
    optional: &'static [&'static str; M],
) -> Result<([Value; N], [Option<Value>; M]), Refusal> {
    let expected = || malformed(&path, Expected::ObjectOf(Names(names)));
    let Value::Object(mut object): Value = value else { return Err(expected()) };
    if !names.iter().all(|name| object.contains_key(*name)) {
        return Err(expected());
    }
    let found = (names.map(|name| take(&mut object, name)), optional.map(|name| object.remove(name)));
    if object.is_empty() { Ok(found) } else { Err(expected()) }
}

/// Takes one member out of an object; null where there is none.
pub fn take(object: &mut Map<String, Value>, name: &str) -> Value {
    object.remove(name).unwrap_or_default()
}

/// Takes an array of 1 to `length_max`.
pub fn array(value: Value, path: impl Display, length_max: usize) -> Result<Vec<Value>, Refusal> {
    match value {
        Value::Array(array) if (1..=length_max).contains(&array.len()) => Ok(array),
        _ => Err(malformed(path, Expected::ArrayOf(length_max))),
    }
}

/// Takes the name of an application, a table or a column.
pub fn name(value: Value, path: impl Display) -> Result<String, Refusal> {
    text(value).filter(|text| is_name(text)).ok_or_else(|| malformed(path, Expected::Name))
}

/// Takes a text.
pub fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Says whether a text may be a name. Names come back in refusals and logs: bounded, and on one line.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_OCTETS_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}
