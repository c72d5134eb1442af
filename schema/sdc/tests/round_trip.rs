//! Tests that each letter within the limits is read as it was written, in each form of a payload.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends there")]

use std::collections::HashSet;

use chrono::DateTime;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use sdc::letter::{FORMAT_VERSION, Letter, Mode, Office};
use sdc::names::folded;
use sdc::payload::{PayloadLimits, pack, read_letter, unpack, write_letter};
use sdc::request::{Records, Request, TableRecords};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use uuid::Builder;

/// Unix seconds of the years 0001 to 9999, which RFC 3339 can write.
const SECONDS: std::ops::Range<i64> = -62_135_596_800..253_402_300_800;
const NAME_OCTETS_MAX: usize = 63;

fn name() -> impl Strategy<Value = String> {
    let plain = "[A-Za-z_][A-Za-z0-9_]{0,20}".boxed();
    let any = any::<String>().prop_map(|text| text.nfc().filter(|character| !character.is_control()).collect());
    prop_oneof![3 => plain, 1 => any].prop_filter("a name has 1 to 63 octets", |name: &String| {
        (1..=NAME_OCTETS_MAX).contains(&name.len()) && name.nfc().eq(name.chars())
    })
}

fn value() -> impl Strategy<Value = Value> {
    let text = any::<String>().prop_map(|text| text.replace('\0', "").nfc().collect::<String>());
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![Just(i64::MIN), Just(i64::MAX), -9_i64..9].prop_map(Value::from),
        "[A-Z][a-zéèçà' -]{0,12}".prop_map(Value::from),
        "[\\x01-\\x7f\"\\\\/]{0,6}".prop_map(Value::from),
        text.prop_map(Value::from),
    ]
}

fn table(rows: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = TableRecords> {
    (name(), vec(name(), 1..6), rows).prop_flat_map(|(table, mut columns, rows)| {
        let mut seen = HashSet::new();
        columns.retain(|column| seen.insert(folded(column)));
        let values = vec(vec(value(), rows), columns.len());
        values.prop_map(move |values| TableRecords { table: table.clone(), columns: columns.clone(), values })
    })
}

fn letter(rows: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Letter> {
    let tables = vec(table(rows), 1..4).prop_map(|mut tables| {
        let mut seen = HashSet::new();
        tables.retain(|table| seen.insert(folded(&table.table)));
        tables
    });
    let from = (1..=999_999_u32, "[a-z0-9][a-z0-9-]{0,31}")
        .prop_map(|(agency, installation)| Office { agency: agency.try_into().unwrap(), installation });
    let id = (0..1_u64 << 48, any::<[u8; 10]>())
        .prop_map(|(millis, random)| Builder::from_unix_timestamp_millis(millis, &random).into_uuid());
    let mode = prop_oneof![Just(Mode::Test), Just(Mode::Live)];
    let sequence = prop_oneof![1..=3_u64, 1..=1_u64 << 53, Just(1_u64 << 53)];
    (id, from, name(), sequence, SECONDS, mode, name(), tables).prop_map(
        |(id, from, to, sequence, seconds, mode, application, tables)| Letter {
            sdc: FORMAT_VERSION,
            id,
            from,
            to,
            sequence,
            time: DateTime::from_timestamp(seconds, 0).unwrap(),
            mode,
            seen: (sequence % 2 == 0).then_some(sequence),
            request: Request::Export(Records { application, tables }),
        },
    )
}

/// Writes and reads a letter in every form: as JSON, compressed with the dictionary, and compressed without it.
fn assert_round_trip(letter: &Letter) -> Result<(), TestCaseError> {
    let limits = PayloadLimits::default();
    let octets = write_letter(letter, &limits).map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
    let json = serde_json::to_vec(letter).unwrap();
    let without_dictionary = zstd::bulk::compress(&json, 3).unwrap();
    for form in [&octets, &json, &without_dictionary, &pack(&json)] {
        prop_assert!(read_letter(form, &limits).is_ok_and(|read| read == *letter));
        prop_assert!(unpack(form, &limits).is_ok_and(|unpacked| unpacked == json), "all forms hold the same JSON");
    }
    let again = write_letter(&read_letter(&octets, &limits).unwrap(), &limits);
    prop_assert!(again.is_ok_and(|again| again == octets), "one letter, one form");
    Ok(())
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn a_small_letter_comes_back_as_it_was_written(letter in letter(1..=6)) {
        assert_round_trip(&letter)?;
    }

    /// A letter stores rows as columns, and each value is read back in its own row.
    #[test]
    fn a_row_keeps_its_values(rows in vec((any::<i64>(), "[A-Z][a-z]{0,8}"), 1..40), names in btree_set("[a-z]{1,8}", 2)) {
        let columns: Vec<String> = names.into_iter().collect();
        let values = vec![
            rows.iter().map(|(number, _)| Value::from(*number)).collect(),
            rows.iter().map(|(_, text)| Value::from(text.as_str())).collect(),
        ];
        let mut letter = read_letter(LETTER.as_bytes(), &PayloadLimits::default()).unwrap();
        let Request::Export(records) = &mut letter.request else { panic!("not an export") };
        records.tables[0] = TableRecords { table: "Acte".to_owned(), columns, values };
        let octets = write_letter(&letter, &PayloadLimits::default()).unwrap();
        let Request::Export(records) = read_letter(&octets, &PayloadLimits::default()).unwrap().request else { panic!("not an export") };
        let read: Vec<(i64, String)> = (0..records.tables[0].row_count())
            .map(|row| {
                let at = |column: usize| &records.tables[0].values[column][row];
                (at(0).as_i64().unwrap(), at(1).as_str().unwrap().to_owned())
            })
            .collect();
        prop_assert_eq!(read, rows);
    }
}

proptest! {
    #![proptest_config(config(3))]

    /// Letters of 800 to 1000 rows are large enough that compression works across many records.
    #[test]
    fn a_large_letter_comes_back_as_it_was_written(letter in letter(800..=1000)) {
        prop_assert!(serde_json::to_vec(&letter).unwrap().len() > 32 << 10 || letter_is_narrow(&letter));
        assert_round_trip(&letter)?;
    }
}

/// Says whether a letter has so few columns that even many rows can be smaller than 32 KiB.
fn letter_is_narrow(letter: &Letter) -> bool {
    let Request::Export(records) = &letter.request else { panic!("not an export") };
    records.tables.iter().map(|table| table.columns.len()).sum::<usize>() < 4
}

const LETTER: &str = concat!(
    r#"{"sdc":1,"id":"019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08","from":{"agency":42,"installation":"mairie"},"#,
    r#""to":"centre","sequence":1,"time":"2026-11-02T08:15:00Z","mode":"test","service":"export","#,
    r#""body":{"application":"ecr","tables":[{"table":"Acte","columns":["Numero","Nom"],"values":[[7],[null]]}]}}"#,
);
