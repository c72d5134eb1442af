//! The surface `payload`: signed octets. A payload that is read can be written and read again, and no limit is exceeded while reading.

use std::borrow::Cow;

use chrono::SubsecRound;
use sdc::letter::Letter;
use sdc::payload::{
    PayloadForm, PayloadLimits, form, pack, read_answer, read_letter, unpack, write_answer, write_letter,
};
use sdc::refusal::{Refusal, RefusalCode};
use sdc::request::{CERTIFIED_KEYS_MAX, Correction, CorrectionAction, Records, Request};

const SEQUENCE_MAX: u64 = 1 << 53;
/// Maximum number of bytes of a refusal's text, because a receipt carries the refusal over a satellite link.
const REFUSAL_BYTES_MAX: usize = 1024;

/// Limits so small that a fuzzer reaches them.
const TIGHT: PayloadLimits = PayloadLimits {
    decompressed_bytes_max: 2048,
    ratio_max: 4,
    decompressed_bytes_free: 512,
    window_bytes_max: 64 << 10,
    depth_max: 6,
    values_max: 40,
    objects_max: 3,
    tables_max: 2,
    columns_max: 4,
    rows_max: 5,
};

/// Checks the promises about a payload: unpacking, and reading as a letter and as an answer.
pub fn payload(octets: &[u8]) {
    for limits in [PayloadLimits::default(), TIGHT] {
        check_frame(octets, &limits);
        check_letter(octets, &limits);
        check_answer(octets, &limits);
    }
    if let Ok(letter) = read_letter(octets, &TIGHT) {
        assert!(read_letter(octets, &PayloadLimits::default()).is_ok_and(|wide| wide == letter));
    }
}

fn check_frame(octets: &[u8], limits: &PayloadLimits) {
    match unpack(octets, limits) {
        Ok(json) => {
            let by_ratio = octets.len().saturating_mul(limits.ratio_max).max(limits.decompressed_bytes_free);
            assert!(json.len() <= limits.decompressed_bytes_max);
            assert!(matches!(json, Cow::Borrowed(_)) || json.len() <= by_ratio);
            let packed = pack(&json);
            assert!(packed.len() <= json.len(), "compression never grows");
            match unpack(&packed, limits) {
                Ok(again) => assert_eq!(again, json),
                Err(refusal) => assert_eq!(refusal.code, RefusalCode::CompressionMalformed, "too good a compression"),
            }
        }
        Err(refusal) => check_refusal(&refusal),
    }
}

fn check_letter(octets: &[u8], limits: &PayloadLimits) {
    match read_letter(octets, limits) {
        Ok(letter) => {
            match &letter.request {
                Request::Export(records) => check_records(records, limits),
                Request::Correct(corrections) => {
                    assert!((1..=limits.columns_max).contains(&corrections.corrections.len()));
                    let fits = |one: &Correction| {
                        let is_cancelled = one.action == CorrectionAction::Cancel;
                        one.columns.len() == one.values.len() && one.columns.is_empty() == is_cancelled
                    };
                    assert!(
                        corrections.corrections.iter().all(fits),
                        "a value for each column, and none of what is cancelled"
                    );
                }
                Request::Import(_) => {}
                Request::Certify(certified) => {
                    assert_eq!(certified.key.len(), certified.keys.len(), "one array per column");
                    assert!((1..=CERTIFIED_KEYS_MAX).contains(&certified.key_count()));
                    let columns = certified.keys.iter().chain(&certified.values);
                    assert!(columns.into_iter().all(|column| column.len() == certified.key_count()));
                }
                Request::Account(period) => assert!(period.from.zip(period.to).is_none_or(|(from, to)| from <= to)),
                Request::Profile(profile) => assert!(profile.set.as_ref().is_none_or(|set| !set.is_empty())),
                Request::Message(message) => assert!(!message.text.trim().is_empty()),
                Request::Renew(renew) => assert!(!renew.certificate.is_empty()),
                Request::Enrol(enrol) => assert!(!enrol.code.as_str().is_empty() && !enrol.certificate.is_empty()),
                Request::Recharge(recharge) => assert!((1..=64).contains(&recharge.code.as_str().len())),
            }
            assert!((1..=SEQUENCE_MAX).contains(&letter.sequence) && letter.id.get_version_num() == 7);
            let written = write_letter(&letter, &PayloadLimits::default()).expect("what is read can be written");
            let again = read_letter(&written, &PayloadLimits::default()).expect("what is written can be read");
            let letter = Letter { time: letter.time.trunc_subsecs(0), ..letter };
            assert!(again == letter, "a letter read again is the same letter");
            assert!(write_letter(&again, &PayloadLimits::default()).is_ok_and(|octets| octets == written));
        }
        Err(unreadable) => {
            check_refusal(&unreadable.refusal);
            assert!(unreadable.key.is_none_or(|key| (1..=SEQUENCE_MAX).contains(&key.sequence)));
        }
    }
}

fn check_answer(octets: &[u8], limits: &PayloadLimits) {
    match read_answer(octets, limits) {
        Ok(mut answer) => {
            let written = [PayloadForm::Json, form(octets)].map(|form| write_answer(&answer, form));
            answer.time = answer.time.trunc_subsecs(0);
            answer.receipt.received = answer.receipt.received.trunc_subsecs(0);
            for octets in written {
                let again = read_answer(&octets, &PayloadLimits::default());
                assert!(again.expect("what is written can be read") == answer);
            }
        }
        Err(refusal) => check_refusal(&refusal),
    }
}

fn check_records(records: &Records, limits: &PayloadLimits) {
    assert!((1..=limits.tables_max).contains(&records.tables.len()));
    for table in &records.tables {
        assert!((1..=limits.columns_max).contains(&table.columns.len()));
        assert_eq!(table.values.len(), table.columns.len(), "one array per column");
        assert!(table.values.iter().all(|column| column.len() == table.row_count()), "arrays of one length");
        assert!(table.values.iter().flatten().all(|value| !value.is_array() && !value.is_object() && !value.is_f64()));
    }
    let rows: usize = records.tables.iter().map(|table| table.row_count()).sum();
    assert!((1..=limits.rows_max).contains(&rows));
}

/// Checks that a refusal has one of the codes documented for a payload, and that no text of the sender makes the refusal long.
fn check_refusal(refusal: &Refusal) {
    let is_documented = matches!(
        refusal.code,
        RefusalCode::CompressionMalformed
            | RefusalCode::PayloadMalformed
            | RefusalCode::VersionUnsupported
            | RefusalCode::ServiceUnknown
    );
    assert!(is_documented, "{refusal}");
    assert!(refusal.to_string().len() <= REFUSAL_BYTES_MAX, "{refusal}");
}
