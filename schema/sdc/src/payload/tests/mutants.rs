//! Random letters and answers are read as they were written, and no randomly damaged payload makes the reader panic.

use std::collections::BTreeMap;

use chrono::DateTime;
use proptest::collection::{btree_map, hash_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use uuid::Builder;

use super::*;
use crate::answer::receipt::{
    AccountReceipt, Flag, FlaggedRow, Hold, HoldCode, ReadReceipt, Receipt, TableReceipt, Verdict,
};
use crate::answer::statement::{EntryKind, Statement, StatementEntry};
use crate::answer::{Addressee, AnswerBody, AnswerContent};
use crate::letter::{FORMAT_VERSION, Matricule};
use crate::refusal::RowFault;
use crate::request::{Records, TableRecords};

const SEQUENCE_MAX: u64 = 1 << 53;

fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('\0', "").nfc().collect())
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z_éÉ][a-zA-Z0-9_éÉ ]{0,30}"
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ]
}

fn id() -> impl Strategy<Value = Uuid> {
    (0..1_u64 << 48, any::<[u8; 10]>())
        .prop_map(|(millis, octets)| Builder::from_unix_timestamp_millis(millis, &octets).into_uuid())
}

fn time() -> impl Strategy<Value = DateTime<chrono::Utc>> {
    (0..4_000_000_000_i64).prop_map(|seconds| DateTime::from_timestamp(seconds, 0).unwrap())
}

fn matricule() -> impl Strategy<Value = Matricule> {
    (1..=999_999_u32).prop_map(|number| number.try_into().unwrap())
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Test), Just(Mode::Live)]
}

/// Generates names that still differ when the case of letters is ignored.
fn names(count_max: usize) -> impl Strategy<Value = Vec<String>> {
    hash_set(name().prop_map(|name| name.to_lowercase()), 1..=count_max).prop_map(|names| names.into_iter().collect())
}

fn table(table: String) -> impl Strategy<Value = TableRecords> {
    (names(5), 1..6_usize).prop_flat_map(move |(columns, rows)| {
        let (table, values) = (table.clone(), vec(vec(value(), rows), columns.len()));
        values.prop_map(move |values| TableRecords { table: table.clone(), columns: columns.clone(), values })
    })
}

fn records() -> impl Strategy<Value = Records> {
    let tables = names(3).prop_flat_map(|names| names.into_iter().map(table).collect::<Vec<_>>());
    (name(), tables).prop_map(|(application, tables)| Records { application, tables })
}

fn letter() -> impl Strategy<Value = Letter> {
    let from = (matricule(), "[a-z0-9][a-z0-9-]{0,31}");
    (id(), from, name(), 1..=SEQUENCE_MAX, time(), mode(), records()).prop_map(
        |(id, (agency, installation), to, sequence, time, mode, records)| Letter {
            sdc: FORMAT_VERSION,
            id,
            from: Office { agency, installation },
            to,
            sequence,
            time,
            mode,
            seen: (sequence % 2 == 0).then_some(sequence),
            request: Request::Export(records),
        },
    )
}

fn refusal() -> impl Strategy<Value = Refusal> {
    let fault = (name(), any::<u32>(), option::of(name()), name(), text())
        .prop_map(|(table, row, column, rule, expected)| RowFault { table, row, column, rule, expected });
    let parameters = btree_map(name(), text(), 0..4).prop_map(BTreeMap::from);
    (0..RefusalCode::ALL.len(), parameters, vec(fault, 0..4)).prop_map(|(code, parameters, faults)| {
        let refusal = Refusal::new(RefusalCode::ALL[code]).with_faults(faults);
        Refusal { parameters, ..refusal }
    })
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let row = (name(), any::<u32>(), any::<u32>(), any::<u32>()).prop_map(|(table, new, duplicate, replaced)| {
        TableReceipt { table, new, duplicate, replaced, ..TableReceipt::default() }
    });
    let account = (any::<i64>(), any::<i64>(), "[A-Z]{3}").prop_map(|(cost, balance, currency)| AccountReceipt {
        cost,
        balance,
        currency,
    });
    let flag = || {
        let flagged = (any::<u32>(), name()).prop_map(|(row, arithmetic)| FlaggedRow { row, arithmetic });
        (name(), name(), any::<bool>(), vec(flagged, 0..3), any::<u32>())
            .prop_map(|(table, check, unjudged, rows, rows_total)| Flag { table, check, unjudged, rows, rows_total })
    };
    let of_letter = (option::of(id()), "[0-9a-f]{64}", option::of(1..=SEQUENCE_MAX), any::<u16>());
    let hold = (prop::sample::select(HoldCode::ALL.to_vec()), vec(flag(), 0..2))
        .prop_map(|(code, checks)| Hold { code, checks });
    let read = (any::<u64>(), any::<u16>(), any::<u64>()).prop_map(|(acts, parts, bytes)| ReadReceipt {
        acts: acts >> 1,
        parts,
        bytes: bytes >> 1,
    });
    let outcome =
        (option::of(refusal()), vec(row, 0..3), vec(flag(), 0..3), option::of(hold), option::of(read), account);
    (of_letter, outcome, 0..=SEQUENCE_MAX, time(), option::of(any::<i64>())).prop_map(
        |(
            (letter, digest, sequence, attempt),
            (refusal, rows, flags, hold, read, account),
            highest_sequence,
            received,
            skew_seconds,
        )| {
            Receipt {
                letter,
                digest,
                sequence,
                attempt,
                epoch: 1,
                verdict: if refusal.is_some() { Verdict::Refused } else { Verdict::Accepted },
                remedy: refusal.as_ref().and_then(|refusal| refusal.code.remedy()),
                refusal,
                hold,
                rows,
                flags,
                read,
                account,
                highest_sequence,
                received,
                skew_seconds,
            }
        },
    )
}

fn body() -> impl Strategy<Value = AnswerBody> {
    let kind = prop::sample::select(vec![
        EntryKind::Letter,
        EntryKind::Recharge,
        EntryKind::Voucher,
        EntryKind::Manual,
        EntryKind::Reversal,
    ]);
    let entry = (time(), kind, any::<i64>(), any::<i64>(), option::of(id()), option::of(name())).prop_map(
        |(at, kind, amount, balance, letter, note)| StatementEntry { at, kind, amount, balance, letter, note },
    );
    let balances = (any::<i64>(), any::<i64>(), any::<i64>());
    let statement = (time(), time(), "[A-Z]{3}", balances, vec(entry, 0..4)).prop_map(
        |(from, to, currency, (opening, closing, credit_limit), entries)| {
            let entries_total = 4;
            let (from, to) = (from.min(to).date_naive(), from.max(to).date_naive());
            Statement { from, to, currency, opening, closing, credit_limit, entries_total, entries }
        },
    );
    (1..=u16::MAX, any::<u16>(), statement).prop_map(|(part, more, statement)| AnswerBody {
        part,
        parts: part.saturating_add(more),
        content: AnswerContent::Statement(statement),
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    let to = (matricule(), option::of("[a-z0-9][a-z0-9-]{0,31}"));
    (id(), name(), to, time(), mode(), receipt(), option::of(body())).prop_map(
        |(id, from, (agency, installation), time, mode, receipt, body)| {
            let to = Addressee { agency, installation };
            Answer { sdc: FORMAT_VERSION, id, from, to, time, mode, receipt, body }
        },
    )
}

/// A change of octets, caused by a fault in transit or by an attacker.
#[derive(Clone, Debug)]
enum Bend {
    Flip(prop::sample::Index, u8),
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Cut(prop::sample::Index),
}

fn bend() -> impl Strategy<Value = Bend> {
    let at = any::<prop::sample::Index>;
    // Octets that have a meaning in JSON are drawn more often than chance would draw them.
    let octet = prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\0-.e1\x00 \n\xcc\x81".to_vec())];
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Bend::Flip(at, 1 << bit)),
        (at(), octet.clone()).prop_map(|(at, octet)| Bend::Replace(at, octet)),
        (at(), vec(octet, 1..9)).prop_map(|(at, octets)| Bend::Insert(at, octets)),
        (at(), 1..9_usize).prop_map(|(at, count)| Bend::Remove(at, count)),
        (at(), 1..99_usize).prop_map(|(at, count)| Bend::Repeat(at, count)),
        at().prop_map(Bend::Cut),
    ]
}

fn bent(good: &[u8], bends: &[Bend]) -> Vec<u8> {
    let mut octets = good.to_vec();
    for bend in bends {
        let end = |at: usize, count: usize| octets.len().min(at + count);
        match bend {
            _ if octets.is_empty() => {}
            Bend::Flip(at, mask) => *at.get_mut(&mut octets) ^= mask,
            Bend::Replace(at, octet) => *at.get_mut(&mut octets) = *octet,
            Bend::Insert(at, more) => drop(octets.splice(at.index(octets.len())..at.index(octets.len()), more.clone())),
            Bend::Remove(at, count) => drop(octets.drain(at.index(octets.len())..end(at.index(octets.len()), *count))),
            Bend::Repeat(at, count) => {
                let start = at.index(octets.len());
                let again = octets[start..end(start, *count)].to_vec();
                drop(octets.splice(start..start, again));
            }
            Bend::Cut(at) => octets.truncate(at.index(octets.len())),
        }
    }
    octets
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn a_letter_is_read_as_it_was_written(letter in letter()) {
        let octets = write_letter(&letter, &LIMITS).unwrap();
        prop_assert!(read_letter(&octets, &LIMITS).unwrap() == letter);
        prop_assert!(read_letter(&to_json(&letter), &LIMITS).unwrap() == letter);
    }

    #[test]
    fn an_answer_is_read_as_it_was_written(answer in answer()) {
        prop_assert_eq!(read_answer(&write_answer(&answer, NEWEST_FRAME), &LIMITS).unwrap(), answer);
    }
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn a_bent_payload_is_refused_or_can_be_written_again(bends in vec(bend(), 1..4), kind in 0..4_usize) {
        let good = [LETTER, ANSWER][kind % 2].as_bytes();
        let octets = bent(&if kind < 2 { good.to_vec() } else { pack(good) }, &bends);
        match read_letter(&octets, &LIMITS) {
            Ok(letter) => prop_assert!(write_letter(&letter, &LIMITS).is_ok()),
            Err(Unreadable { refusal, .. }) => prop_assert!(refusal.code.is_answered()),
        }
        if let Ok(answer) = read_answer(&octets, &LIMITS) {
            prop_assert!(read_answer(&write_answer(&answer, NEWEST_FRAME), &LIMITS).is_ok());
        }
    }

    #[test]
    fn octets_at_random_are_refused(octets in vec(any::<u8>(), 0..200)) {
        prop_assert!(read_letter(&octets, &LIMITS).is_err());
        let frame = [[0x28, 0xb5, 0x2f, 0xfd].as_slice(), &octets].concat();
        prop_assert!(read_letter(&frame, &LIMITS).is_err());
        prop_assert!(read_answer(&frame, &LIMITS).is_err());
    }
}
