//! Strict JSON. Where RFC 8259 lets readers differ, this reader refuses the text, so that every text has only one reading.
//!
//! Repeated members, fractions, exponents, numbers beyond 64 bits, NUL, text that is not in normalization form C, and deep nesting are
//! refused. The refusal has the place and the expectation, never the value. serde_json checks the syntax itself.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use unicode_normalization::is_nfc;

use crate::expected::{Expected, Names};
use crate::limits::PayloadLimits;
use crate::refusal::{Refusal, RefusalCode};

pub mod members;

/// The outermost object of a payload; the values of its members have not been read yet.
pub struct Document<'a> {
    text: &'a str,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Document<'a> {
    /// Divides the text into its members. Only their syntax is checked.
    pub fn divide(octets: &'a [u8]) -> Result<Document<'a>, Refusal> {
        let text = str::from_utf8(octets).map_err(|error| {
            let before = String::from_utf8_lossy(&octets[..error.valid_up_to()]);
            let (line, column) = position(&before, before.len());
            malformed("", Expected::Utf8).with("line", line).with("column", column)
        })?;
        let mut decoder = serde_json::Deserializer::from_str(text);
        let members = decoder.deserialize_map(Members).and_then(|members| decoder.end().map(|()| members));
        match members {
            Ok(members) => Ok(Document { text, members }),
            Err(error) => Err(malformed("", Expected::Json).with("line", error.line()).with("column", error.column())),
        }
    }

    /// Refuses members outside this list, and repeated members.
    pub fn admit(&self, known: &'static [&'static str]) -> Result<(), Refusal> {
        let mut seen = HashSet::new();
        if !self.members.iter().all(|(name, _)| seen.insert(name)) {
            return Err(malformed("", Expected::MemberOnce));
        }
        if self.members.iter().any(|(name, _)| !known.contains(&name.as_ref())) {
            return Err(malformed("", Expected::NoMembersBut(Names(known))));
        }
        Ok(())
    }

    /// Says whether the object has a member of this name.
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(member, _)| member == name)
    }

    /// Reads one member by the strict rules.
    pub fn member(&self, name: &'static str, limits: &PayloadLimits) -> Result<Value, Refusal> {
        let mut of_name = self.members.iter().filter(|(member, _)| member == name);
        let Some((_, raw)) = of_name.next() else { return Err(malformed(name, Expected::MemberOfName)) };
        if of_name.next().is_some() {
            return Err(malformed(name, Expected::MemberOnce));
        }
        let mut progress =
            Progress { limits, values: 0, objects: 0, path: vec![Step::Member(name.to_owned())], expected: None };
        let mut decoder = serde_json::Deserializer::from_str(raw.get());
        match (Strict { progress: &mut progress }).deserialize(&mut decoder) {
            Ok(value) => Ok(value),
            Err(error) => {
                let start = raw.get().as_ptr().addr() - self.text.as_ptr().addr();
                let (line, column) = position(self.text, start);
                let column = if error.line() == 1 { column + error.column() } else { error.column() };
                // serde_json refuses only one thing in valid JSON: a number that no float can hold, such as 1e400.
                let is_number = error.to_string().starts_with("number out of range");
                let expected =
                    progress.expected.unwrap_or(if is_number { Expected::JsonInteger } else { Expected::Json });
                let refusal = malformed(path_text(&progress.path), expected);
                Err(refusal.with("line", line + error.line() - 1).with("column", column))
            }
        }
    }
}

/// Makes the refusal of a payload that is wrong at one place.
pub fn malformed(path: impl fmt::Display, expected: Expected) -> Refusal {
    let refusal = Refusal::new(RefusalCode::PayloadMalformed).with("expected", expected);
    let path = path.to_string();
    if path.is_empty() { refusal } else { refusal.with("path", path) }
}

/// Returns the line of an offset, counted from 1, and the number of octets before the offset in that line.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    (memchr::memchr_iter(b'\n', before).count() + 1, offset - line_start)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(entry) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            members.push(entry);
        }
        Ok(members)
    }
}

enum Step {
    Member(String),
    Index(usize),
}

fn path_text(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Member(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                // The sender chose the member's name: it may be as long as the payload, or be a person's name.
                let is_plain =
                    name.len() <= 32 && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_');
                text.push_str(if is_plain { name } else { "?" });
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

struct Progress<'a> {
    limits: &'a PayloadLimits,
    values: usize,
    objects: usize,
    /// Path of the place that is being read; after an error, path of the error's place.
    path: Vec<Step>,
    expected: Option<Expected>,
}

impl Progress<'_> {
    fn refuse<E: de::Error>(&mut self, expected: Expected) -> E {
        self.expected = Some(expected);
        E::custom(expected)
    }

    fn count<E: de::Error>(&mut self) -> Result<(), E> {
        self.values += 1;
        if self.values > self.limits.values_max { Err(self.refuse(Expected::FewerValues)) } else { Ok(()) }
    }

    fn count_object<E: de::Error>(&mut self) -> Result<(), E> {
        self.objects += 1;
        if self.objects > self.limits.objects_max { Err(self.refuse(Expected::FewerObjects)) } else { Ok(()) }
    }

    /// Checks the depth before the reader enters an array or object. The members of the document are level 1, and the values in the member
    /// being read are level 2.
    fn enter<E: de::Error>(&mut self) -> Result<(), E> {
        if self.path.len() >= self.limits.depth_max { Err(self.refuse(Expected::LessNesting)) } else { Ok(()) }
    }

    fn text<E: de::Error>(&mut self, text: &str) -> Result<(), E> {
        // Most texts, also French ones, have only characters below U+0300. The first combining character is U+0300 (UAX #15, quick check),
        // and its UTF-8 begins with the octet 0xCC. So a text whose octets are all below 0xCC is in normalization form C.
        if text.bytes().all(|octet| (1..0xCC).contains(&octet)) {
            return Ok(());
        }
        if memchr::memchr(0, text.as_bytes()).is_some() {
            return Err(self.refuse(Expected::NoNul));
        }
        if is_nfc(text) { Ok(()) } else { Err(self.refuse(Expected::Nfc)) }
    }
}

struct Strict<'p, 'l> {
    progress: &'p mut Progress<'l>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, decoder: D) -> Result<Value, D::Error> {
        decoder.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Expected::Json)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        self.progress.count()?;
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        self.progress.count()?;
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.progress.count()?;
        Ok(Value::from(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => Err(self.progress.refuse(Expected::JsonInteger)),
        }
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Value, E> {
        Err(self.progress.refuse(Expected::JsonInteger))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        self.progress.count()?;
        self.progress.text(text)?;
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let progress = self.progress;
        progress.enter()?;
        progress.count()?;
        let mut array = Vec::new();
        progress.path.push(Step::Index(0));
        while let Some(element) = elements.next_element_seed(Strict { progress: &mut *progress })? {
            array.push(element);
            if let Some(Step::Index(index)) = progress.path.last_mut() {
                *index += 1;
            }
        }
        progress.path.pop();
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let progress = self.progress;
        progress.enter()?;
        progress.count_object()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            progress.text(&name)?;
            if object.contains_key(name.as_ref()) {
                return Err(progress.refuse(Expected::MemberOnce));
            }
            progress.path.push(Step::Member(name.clone().into_owned()));
            let value = members.next_value_seed(Strict { progress: &mut *progress })?;
            progress.path.pop();
            object.insert(name.into_owned(), value);
        }
        Ok(Value::Object(object))
    }
}
