//! Golden payloads: the signed octets of letters, answers, parts and notices in `tests/payloads/vectors`, written by hand after FORMAT.md.
//! Each vector must be read as the value in these tests, and that value must be written as the same octets. So a later version cannot
//! change the format unnoticed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends there")]

mod answers;
mod bent;
mod enrolments;
mod letters;
mod notices;
mod parts;
mod refusals;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sdc::answer::Addressee;
use uuid::Uuid;

/// UUID of the letter that the answers of these tests answer.
const LETTER: &str = "019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08";
/// Digest of the letter [`LETTER`].
const DIGEST: &str = "3c8ba0502fac40b288e4f4e9d867370feb3fe8b2648a55eb1df789d3936a53ce";
/// Octets in the place of a certificate. They are no certificate, because no reader of a payload parses certificates.
const DER: &[u8] = &[0x30, 0x0b, 0x04, 0x02, 0x21, 0x01, 0x02, 0x01, 0x00, 0x03, 0x02, 0x01, 0x02];
/// [`DER`] in base64.
const DER_BASE64: &str = "MAsEAiEBAgEAAwIBAg==";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads/vectors")
}

/// Returns the octets of a vector.
fn vector(path: &str) -> Vec<u8> {
    std::fs::read(folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the paths of the vectors below a folder. The vectors are in folders of that folder, and the paths begin with its name.
fn vectors(below: &str) -> BTreeSet<String> {
    let entries = |path: PathBuf| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &std::fs::DirEntry| entry.file_name().into_string().unwrap();
    let of_kind = |kind: std::fs::DirEntry| {
        let stem = format!("{below}/{}", name(&kind));
        entries(kind.path()).map(move |file| format!("{stem}/{}", name(&file))).collect::<Vec<_>>()
    };
    entries(folder().join(below)).flat_map(of_kind).collect()
}

/// Asserts that each vector below a folder has an expected value, and that each expected value has a vector.
fn assert_complete<P: fmt::Display, T>(below: &str, expected: &[(P, T)]) {
    let here: BTreeSet<String> = expected.iter().map(|(path, _)| format!("{below}/{path}.json")).collect();
    assert_eq!(here.len(), expected.len(), "each once");
    assert_eq!(vectors(below), here);
}

fn uuid(text: &str) -> Uuid {
    text.parse().unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn to(installation: Option<&str>) -> Addressee {
    Addressee { agency: 42.try_into().unwrap(), installation: installation.map(str::to_owned) }
}
