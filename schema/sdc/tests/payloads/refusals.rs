//! Refusals: each code as a receipt contains it, with the parameters that the centre adds; and payloads that must be refused.

use std::collections::BTreeSet;
use std::path::Path;

use sdc::answer::Answer;
use sdc::payload::{PayloadLimits, read_letter};
use sdc::refusal::{Refusal, RefusalCode, Remedy, RowFault};

use super::answers::{answer, refused};
use super::{LETTER, enrolments, vector, vectors};

const MEND: Remedy = Remedy::Mend;
const WAIT: Remedy = Remedy::Wait;

/// Codes for which there can be no vector: whether the centre refuses with them depends on the mail around a document or on the centre's
/// state, not on the octets of a document or a payload.
const BEYOND_OCTETS: [RefusalCode; 5] = [
    RefusalCode::OverSize,
    RefusalCode::MailMalformed,
    RefusalCode::NoContainer,
    RefusalCode::CertificateRevoked,
    RefusalCode::Poison,
];

type Told = (&'static str, Remedy, &'static [(&'static str, &'static str)]);

/// The codes that receipts contain, each with its remedy and its parameters.
const TOLD: &[Told] = &[
    (
        "certificate_expired",
        MEND,
        &[("not_before", "2025-01-01T00:00:00+00:00"), ("not_after", "2026-01-01T00:00:00+00:00")],
    ),
    ("cipher_not_allowed", MEND, &[("expected", "AES-256-GCM"), ("found", "AES-256-CBC")]),
    ("letter_too_large", MEND, &[("bytes", "300000"), ("bytes_max", "262144")]),
    ("compression_malformed", MEND, &[("dictionary", "200")]),
    ("payload_malformed", MEND, &[("expected", "an object of code"), ("path", "body")]),
    ("version_unsupported", MEND, &[("expected", "1"), ("found", "2")]),
    ("sender_mismatch", MEND, &[("expected", "000042"), ("found", "000043")]),
    ("wrong_server", MEND, &[("expected", "centre-x"), ("found", "centre-y")]),
    ("wrong_mode", MEND, &[("expected", "live"), ("found", "test")]),
    ("installation_unknown", MEND, &[("installation", "pc2")]),
    ("letter_conflict", MEND, &[("letter", LETTER)]),
    ("sequence_conflict", MEND, &[("sequence", "2")]),
    ("sequence_expired", MEND, &[("sequence", "2"), ("sequence_floor", "100")]),
    ("agency_suspended", WAIT, &[]),
    ("service_unknown", MEND, &[("service", "telex")]),
    ("service_not_allowed", WAIT, &[("service", "import"), ("status", "2"), ("status_needed", "3")]),
    ("table_unknown", MEND, &[("table", "ecr.ActeX")]),
    ("table_not_granted", WAIT, &[("table", "ecr.ActeNaissance"), ("plan", "standard")]),
    (
        "columns_mismatch",
        MEND,
        &[("table", "ecr.ActeNaissance"), ("definition_version", "2"), ("unknown", "Nom"), ("missing", "NomEnfant")],
    ),
    ("rows_invalid", MEND, &[]),
    ("out_of_scope", MEND, &[("granted", "CentreCode: C01, C02")]),
    ("record_unknown", MEND, &[]),
    ("correction_not_allowed", MEND, &[("table", "ecr.ActeNaissance")]),
    ("conflict", MEND, &[]),
    ("check_failed", MEND, &[]),
    ("hold_refused", MEND, &[("reason", "Le procès-verbal manque")]),
    ("select_refused", MEND, &[("reason", "value"), ("found", "DateNaissance"), ("expected", "a date YYYY-MM-DD")]),
    ("read_too_large", MEND, &[("limit", "rows"), ("expected", "2000000")]),
    ("parts_unknown", MEND, &[("letter", LETTER), ("expected", "2"), ("found", "1")]),
    ("quota_exceeded", WAIT, &[("plan", "standard"), ("acts", "2"), ("acts_max", "3"), ("acts_used", "2")]),
    ("insufficient_credit", WAIT, &[("price", "300"), ("balance", "70")]),
    ("profile_invalid", MEND, &[("path", "body.set.email")]),
    ("voucher_invalid", MEND, &[]),
    ("recharge_locked", WAIT, &[("until", "2026-11-03T08:15:10+00:00")]),
    ("certificate_invalid", MEND, &[("expected", "a key of its own")]),
    ("renewal_early", WAIT, &[("from", "2026-12-02T08:30:00+00:00")]),
    ("thread_unknown", MEND, &[("thread", LETTER)]),
    ("messages_full", WAIT, &[("limit", "100")]),
];

/// Returns an example of a faulty row, with its rule, column and expectation, for a code that lists faulty rows.
fn fault(code: &str) -> Option<RowFault> {
    let (rule, column, expected) = match code {
        "rows_invalid" => ("type", Some("DateActe"), "a date YYYY-MM-DD"),
        "out_of_scope" => ("scope", Some("CentreCode"), ""),
        "record_unknown" => ("record_unknown", None, ""),
        "conflict" => ("conflict", None, ""),
        "check_failed" => ("turnout", None, "Emargements 430 (430) <= Inscrits 400 (400)"),
        _ => return None,
    };
    let (table, column) = ("ActeNaissance".to_owned(), column.map(str::to_owned));
    Some(RowFault { table, row: 1, column, rule: rule.to_owned(), expected: expected.to_owned() })
}

/// The path of every vector of an answer with a refusal, and the answer that must be read from it.
pub fn expected() -> Vec<(String, Answer)> {
    let told = |(code, remedy, parameters): &Told| {
        let mut refusal = Refusal::new(RefusalCode::parse(code).unwrap()).with_faults(Vec::from_iter(fault(code)));
        for (name, value) in *parameters {
            refusal = refusal.with(name, value);
        }
        (format!("refused/{code}"), answer(refused(refusal, *remedy)))
    };
    TOLD.iter().map(told).collect()
}

/// A new code must be added to `TOLD`, to the vectors of documents, or to `BEYOND_OCTETS`; until then this test fails and names the code.
#[test]
fn every_code_has_a_vector_or_is_of_no_octets() {
    let mut answered = BTreeSet::new();
    for (code, remedy, _) in TOLD {
        let code = RefusalCode::parse(code).unwrap();
        assert_eq!(code.remedy(), Some(*remedy), "{code}");
        assert!(answered.insert(code), "{code} stands here twice");
    }
    let all = RefusalCode::ALL.iter().copied();
    assert_eq!(answered, all.clone().filter(|code| code.is_answered()).collect(), "answers/refused and TOLD");
    // Each refused document is in a folder with the name of its code; `wire/vectors` tests these documents.
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let of_a_document =
        |code: &RefusalCode| documents.join(code.as_str()).is_dir() || enrolments::codes().contains(code.as_str());
    let without: BTreeSet<RefusalCode> = all.filter(|code| !code.is_answered() && !of_a_document(code)).collect();
    assert_eq!(without, BEYOND_OCTETS.into_iter().collect());
}

/// Payloads below the folder `refused`, each in the folder of its code, with one expected parameter of the refusal and its value.
const REFUSED: [(&str, &str, &str); 8] = [
    ("compression_malformed/cut.zst", "limit", "frame"),
    ("compression_malformed/dictionary_unknown.zst", "dictionary", "200"),
    ("payload_malformed/latin1.json", "expected", "UTF-8"),
    ("payload_malformed/member_twice.json", "expected", "each member once"),
    ("payload_malformed/no_json.json", "line", "1"),
    ("service_unknown/notice.json", "service", "notice"),
    ("service_unknown/telex.json", "service", "telex"),
    ("version_unsupported/next.json", "found", "2"),
];

#[test]
fn each_payload_that_is_no_letter_is_refused_by_the_code_of_its_folder() {
    let here: BTreeSet<String> = REFUSED.iter().map(|(path, ..)| format!("refused/{path}")).collect();
    assert_eq!(vectors("refused"), here);
    for (path, name, value) in REFUSED {
        let refusal =
            read_letter(&vector(&format!("refused/{path}")), &PayloadLimits::default()).expect_err(path).refusal;
        assert_eq!(refusal.code.as_str(), path.split('/').next().unwrap(), "{path}: {refusal}");
        assert_eq!(refusal.parameters.get(name).map(String::as_str), Some(value), "{path}: {refusal}");
    }
}
