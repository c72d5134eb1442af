//! Reads the members of a JSON value that the strict reader has let through: objects with exactly the listed members, bounded arrays,
//! names.

use std::fmt::Display;

use serde_json::{Map, Value};

use super::malformed;
use crate::expected::{Expected, Names};
use crate::refusal::Refusal;

/// Maximum number of octets of a name in PostgreSQL (NAMEDATALEN less one).
const NAME_OCTETS_MAX: usize = 63;

/// Divides an object that must have exactly the members `names`.
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

/// Divides an object that may have the members `names`, and no others.
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

/// Divides an object that must have the members of the first list, may have the members of the second list, and must have no others.
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

/// Removes one member from an object and returns it; returns null where the object does not have the member.
pub fn take(object: &mut Map<String, Value>, name: &str) -> Value {
    object.remove(name).unwrap_or_default()
}

/// Returns the values of an array that has 1 to `length_max` values.
pub fn array(value: Value, path: impl Display, length_max: usize) -> Result<Vec<Value>, Refusal> {
    match value {
        Value::Array(array) if (1..=length_max).contains(&array.len()) => Ok(array),
        _ => Err(malformed(path, Expected::ArrayOf(length_max))),
    }
}

/// Returns the name of an application, a table or a column.
pub fn name(value: Value, path: impl Display) -> Result<String, Refusal> {
    text(value).filter(|text| is_name(text)).ok_or_else(|| malformed(path, Expected::Name))
}

/// Returns a text; `None` where the value is no text.
pub fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Says whether a text can be a name. Refusals and logs quote names, so a name has a bounded length and no line breaks.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_OCTETS_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}
