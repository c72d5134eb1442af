//! Reading a payload: what is refused, with the refusal's code and place, and that a payload that is read loses nothing.

mod accounts;
mod answers;
mod bodies;
mod frames;
mod heads;
mod mutants;
mod notices;
mod reads;

use super::*;
use crate::refusal::RefusalCode;
use crate::request::Request;

const LIMITS: PayloadLimits = PayloadLimits {
    decompressed_bytes_max: 4 << 20,
    ratio_max: 200,
    decompressed_bytes_free: 64 << 10,
    window_bytes_max: 8 << 20,
    depth_max: 8,
    values_max: 500_000,
    objects_max: 1_000,
    tables_max: 50,
    columns_max: 200,
    rows_max: 20_000,
};

const LETTER: &str = concat!(
    r#"{"sdc":1,"id":"019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08","from":{"agency":42,"installation":"mairie"},"#,
    r#""to":"centre","sequence":1,"time":"2026-11-02T08:15:00Z","mode":"test","service":"export","#,
    r#""body":{"application":"ecr","tables":[{"table":"Acte","columns":["Numero","Nom"],"#,
    r#""values":[[7,8],["Épée",null]]}]}}"#,
);

const ANSWER: &str = concat!(
    r#"{"sdc":1,"id":"019a5f0e-9c00-7c61-a2d4-5b1e9c3f7a09","from":"centre","to":{"agency":42,"installation":"mairie"},"#,
    r#""time":"2026-11-02T08:16:00Z","mode":"test","receipt":{"letter":"019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08","#,
    r#""digest":"00ff","sequence":1,"attempt":1,"verdict":"accepted","rows":[{"table":"Acte","new":2,"duplicate":0}],"#,
    r#""account":{"cost":100,"balance":-50,"currency":"XAF"},"highest_sequence":1,"received":"2026-11-02T08:15:30Z","#,
    r#""skew_seconds":-30}}"#,
);

/// The form of the letters of an office that packs with the newest dictionary.
const NEWEST_FRAME: PayloadForm = PayloadForm::Frame { dictionary: 1 };

/// A text that stands for a person's name in refused payloads. No refusal may quote it.
const SECRET: &str = "Ngo Biyong";

/// Replaces a text that must occur exactly once.
fn with(text: &str, good: &str, bad: &str) -> String {
    assert_eq!(text.matches(good).count(), 1, "{good}");
    text.replace(good, bad)
}

fn refused(octets: &[u8]) -> Refusal {
    let refusal = read_letter(octets, &LIMITS).expect_err(&String::from_utf8_lossy(octets)).refusal;
    assert!(!format!("{refusal:?}").contains(SECRET), "{refusal} quotes what is personal");
    refusal
}

fn parameter<'a>(refusal: &'a Refusal, name: &str) -> &'a str {
    refusal.parameters.get(name).map_or("", String::as_str)
}

/// Checks that a letter is refused as malformed, at the place `path` and with the expectation `expected`.
fn assert_malformed(letter: &str, path: &str, expected: &str) {
    let refusal = refused(letter.as_bytes());
    assert_eq!(refusal.code, RefusalCode::PayloadMalformed, "{letter}: {refusal}");
    assert_eq!(parameter(&refusal, "path"), path, "{letter}: {refusal}");
    assert!(parameter(&refusal, "expected").contains(expected), "{letter}: {refusal}, not {expected}");
}

#[test]
fn the_limits_of_these_tests_are_those_in_force() {
    assert_eq!(PayloadLimits::default(), LIMITS);
}

#[test]
fn the_letter_and_the_answer_that_are_bent_here_are_good() {
    let letter = read_letter(LETTER.as_bytes(), &LIMITS).unwrap();
    assert_eq!(to_json(&letter), LETTER.as_bytes());
    let octets = write_letter(&letter, &LIMITS).unwrap();
    assert!(octets.len() < LETTER.len(), "{} octets of {}", octets.len(), LETTER.len());
    assert_eq!(read_letter(&octets, &LIMITS).unwrap(), letter);
    let answer = read_answer(ANSWER.as_bytes(), &LIMITS).unwrap();
    assert_eq!(to_json(&answer), ANSWER.as_bytes());
    assert_eq!(read_answer(&write_answer(&answer, NEWEST_FRAME), &LIMITS).unwrap(), answer);
}

#[test]
fn times_are_written_in_whole_seconds() {
    let part = chrono::TimeDelta::milliseconds(999);
    let letter = read_letter(LETTER.as_bytes(), &LIMITS).unwrap();
    let later = Letter { time: letter.time + part, ..letter };
    assert_eq!(to_json(&later), LETTER.as_bytes());
    let mut answer = read_answer(ANSWER.as_bytes(), &LIMITS).unwrap();
    answer.time += part;
    answer.receipt.received += part;
    assert_eq!(to_json(&answer), ANSWER.as_bytes());
}
