//! Tests of the requests `import` and `certify`, and of the parts that answer them.

use serde_json::Value;

use super::*;
use crate::answer::part::{Answered, PartContent, PartHead};
use crate::answer::results::Found;
use crate::answer::sealed::sealed_bytes;
use crate::answer::{Addressee, CentreLetter};
use crate::cms::{self, ContentCipher};
use crate::document::Document;
use crate::keys::SigningKey;
use crate::request::{Import, Request};
use crate::service::Service;

fn letter_of(service: &str, body: &str) -> String {
    let start = LETTER.find("\"service\"").unwrap();
    format!("{}\"service\":\"{service}\",\"body\":{body}}}", &LETTER[..start])
}

fn read_as(service: &str, body: &str) -> Result<Request, crate::refusal::Refusal> {
    read_letter(letter_of(service, body).as_bytes(), &LIMITS)
        .map(|letter| letter.request)
        .map_err(|wrong| wrong.refusal)
}

#[test]
fn what_is_asked_for_is_read_and_written_alike() {
    let again = r#"{"again":{"letter":"019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08","parts":[2,5,65535]}}"#;
    let certify =
        r#"{"application":"ecr","table":"ActeNaissance","key":["CentreCode","NumeroActe"],"keys":[["A","B"],[1,2]]}"#;
    let compared = certify.replace("]]}", r#"]],"columns":["Nom"],"values":[["x",null]]}"#);
    for (service, body) in [
        ("import", r#"{"select":"SELECT * FROM t"}"#),
        ("import", r#"{"select":"SELECT * FROM t","estimate":true}"#),
        ("import", r#"{"application":"ecr","table":"ActeNaissance"}"#),
        ("import", r#"{"application":"ecr","table":"ActeNaissance","changed_since":"3:734","estimate":true}"#),
        ("import", again),
        ("certify", certify),
        ("certify", &compared),
    ] {
        let request = read_as(service, body).unwrap_or_else(|refusal| panic!("{body}: {refusal}"));
        assert_eq!(request.service().name(), service);
        assert_eq!(serde_json::to_string(&request).unwrap(), body);
        assert!(!format!("{request:?}").contains("SELECT"), "what is asked names people");
    }
    let Request::Import(import) = read_as("import", r#"{"select":"x","estimate":false}"#).unwrap() else { panic!() };
    assert!(!import.is_estimate() && matches!(import, Import::Select { .. }));
}

#[test]
fn each_body_has_one_form() {
    let long = format!(r#"{{"select":"{}"}}"#, "x".repeat(16_385));
    let many: Vec<String> = (1..=101).map(|part| part.to_string()).collect();
    let many =
        format!(r#"{{"again":{{"letter":"019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08","parts":[{}]}}}}"#, many.join(","));
    let keys: Vec<String> = (1..=101).map(|key| key.to_string()).collect();
    let too_many_keys = format!(r#"{{"application":"e","table":"t","key":["k"],"keys":[[{}]]}}"#, keys.join(","));
    let again =
        |parts: &str| format!(r#"{{"again":{{"letter":"019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08","parts":{parts}}}}}"#);
    let certify = |more: &str| format!(r#"{{"application":"e","table":"t","key":["k"],"keys":[[1,2]]{more}}}"#);
    let cases = [
        ("import", "{}".to_owned(), "body"),
        ("import", r#"{"select":"x","application":"e","table":"t"}"#.to_owned(), "body"),
        ("import", r#"{"select":"x","more":1}"#.to_owned(), "body"),
        ("import", r#"{"select":""}"#.to_owned(), "body.select"),
        ("import", long, "body.select"),
        ("import", r#"{"select":["x"]}"#.to_owned(), "body.select"),
        ("import", r#"{"select":"x","estimate":1}"#.to_owned(), "body.estimate"),
        ("import", r#"{"application":"e"}"#.to_owned(), "body"),
        ("import", r#"{"application":"e","table":"t","changed_since":"734"}"#.to_owned(), "body.changed_since"),
        ("import", r#"{"application":"e","table":"t","changed_since":"0:734"}"#.to_owned(), "body.changed_since"),
        ("import", r#"{"application":"e","table":"t","changed_since":"1:07"}"#.to_owned(), "body.changed_since"),
        ("import", r#"{"application":"e","table":"t","changed_since":734}"#.to_owned(), "body.changed_since"),
        ("import", again("[]"), "body.again.parts"),
        ("import", again("[0]"), "body.again.parts"),
        ("import", again("[2,1]"), "body.again.parts"),
        ("import", again("[1,1]"), "body.again.parts"),
        ("import", again("[65536]"), "body.again.parts"),
        ("import", many, "body.again.parts"),
        ("import", again("[1]").replace("7c61", "4c61"), "body.again.letter"),
        ("certify", r#"{"application":"e","table":"t","key":[],"keys":[]}"#.to_owned(), "body.key"),
        ("certify", certify("").replace("[[1,2]]", "[[1,2],[3,4]]"), "body.keys"),
        ("certify", certify(r#","columns":["c"]"#), "body"),
        ("certify", certify(r#","values":[[1,2]]"#), "body"),
        ("certify", certify(r#","columns":["c"],"values":[[1]]"#), "body.values[0]"),
        ("certify", certify(r#","columns":["c","C"],"values":[[1,2],[1,2]]"#), "body.columns[1]"),
        ("certify", too_many_keys, "body.keys[0]"),
    ];
    for (service, body, path) in cases {
        let refusal = read_as(service, &body).expect_err(&body);
        assert_eq!((refusal.code, parameter(&refusal, "path")), (RefusalCode::PayloadMalformed, path), "{body}");
    }
}

fn head(service: Service) -> PartHead {
    PartHead {
        sdc: 1,
        id: "019a5f0f-1c2d-7a30-8e4f-9b0a1c2d3e4f".parse().unwrap(),
        from: "centre-x".to_owned(),
        to: Addressee { agency: 42.try_into().unwrap(), installation: Some("main".to_owned()) },
        time: "2026-11-02T08:15:10Z".parse().unwrap(),
        mode: crate::letter::Mode::Test,
        answers: Answered { letter: "019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08".parse().unwrap(), digest: "3c".repeat(32) },
        service,
        part: 2,
        last: true,
    }
}

const ROWS: &str =
    r#"{"application":"ecr","table":"ActeNaissance","columns":["Nom"],"values":[["MBARGA",null]],"position":"1:734"}"#;

#[test]
fn a_part_is_read_as_it_was_written() {
    let estimate = r#"{"rows":120,"parts":2,"bytes":8123,"price":300,"currency":"XAF"}"#;
    let results = r#"{"application":"ecr","table":"T","first":1,"results":[{"outcome":"match"},{"outcome":"differs","columns":["Nom"]}]}"#;
    for (service, body) in [(Service::Import, ROWS), (Service::Import, estimate), (Service::Certify, results)] {
        for form in [PayloadForm::Json, NEWEST_FRAME] {
            let octets = write_part(&head(service), body.as_bytes(), form);
            let part = read_part(&octets, &LIMITS).unwrap_or_else(|refusal| panic!("{body}: {refusal}"));
            assert_eq!(part.head, head(service));
            assert_eq!(serde_json::to_value(&part.content).unwrap(), serde_json::from_str::<Value>(body).unwrap());
            assert_eq!(read_centre_letter(&octets, &LIMITS).unwrap(), CentreLetter::Part(part.clone()));
            assert!(read_answer(&octets, &LIMITS).is_err(), "it has no receipt");
            assert!(!format!("{part:?}").contains("MBARGA"));
        }
    }
    let PartContent::Results(results) =
        read_part(&write_part(&head(Service::Certify), results.as_bytes(), PayloadForm::Json), &LIMITS)
            .unwrap()
            .content
    else {
        panic!()
    };
    assert_eq!(results.results[1].outcome, Found::Differs);
}

/// A column of equal values, as of `SELECT Status FROM …`, would compress by more than the ratio that offices accept. Such a part must be
/// written as JSON, so that an office can read it.
#[test]
fn a_part_that_compresses_beyond_what_offices_admit_is_read_all_the_same() {
    let body = format!(
        r#"{{"application":"ecr","table":"ActeNaissance","columns":["Status"],"values":[[2{}]]}}"#,
        ",2".repeat(99_999)
    );
    for form in [NEWEST_FRAME, PayloadForm::Frame { dictionary: 0 }] {
        let octets = write_part(&head(Service::Import), body.as_bytes(), form);
        let part = read_part(&octets, &LIMITS).unwrap_or_else(|refusal| panic!("{refusal}"));
        assert!(matches!(part.content, PartContent::Rows(rows) if rows.row_count() == 100_000));
    }
}

#[test]
fn the_first_parts_of_an_answer_are_packed_as_tightly_as_letters() {
    let texts: Vec<String> =
        (0..20_000_u64).map(|n| format!("\"{:x}\"", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40)).collect();
    let body = format!(
        r#"{{"application":"ecr","table":"ActeNaissance","columns":["Nom"],"values":[[{}]]}}"#,
        texts.join(",")
    );
    let size = |part| write_part(&PartHead { part, ..head(Service::Import) }, body.as_bytes(), NEWEST_FRAME).len();
    // Each part contains its number, so parts with equal bodies can differ by a few octets. The test demands a difference of more than one
    // per cent, which only another compression level explains.
    let (first, further) = ([size(1), size(2)], [size(3), size(10_000)]);
    let margin = first[0] / 100;
    assert!(
        first.iter().max() < further.iter().min().map(|least| least - margin).as_ref(),
        "{first:?} and {further:?}"
    );
}

#[test]
fn a_part_has_one_form() {
    let part = String::from_utf8(write_part(&head(Service::Import), ROWS.as_bytes(), PayloadForm::Json)).unwrap();
    for (good, bad, path) in [
        ("\"part\":2", "\"part\":0", "part"),
        ("\"last\":true", "\"last\":false", "last"),
        ("\"import\"", "\"account\"", "service"),
        ("\"import\"", "\"certify\"", "body"),
        ("\"digest\":\"3c3c", "\"digest\":\"3C3c", "answers.digest"),
        ("\"values\":[[\"MBARGA\",null]]", "\"values\":\"none\"", "body"),
        ("\"position\":\"1:734\"", "\"position\":null", "body"),
        ("\"sdc\":1", "\"sdc\":1,\"receipt\":{}", ""),
    ] {
        let refusal = read_part(with(&part, good, bad).as_bytes(), &LIMITS).expect_err(bad);
        assert_eq!((refusal.code, parameter(&refusal, "path")), (RefusalCode::PayloadMalformed, path), "{bad}");
    }
}

/// A part is refused if a row or a record does not have one value for each column: a program that matches values to columns by position
/// would put a value under the wrong column.
#[test]
fn every_row_and_record_of_a_part_has_a_value_for_each_column() {
    let rows = |columns: &str, values: &str| {
        format!(r#"{{"application":"ecr","table":"T","columns":{columns},"values":{values}}}"#)
    };
    let results = |columns: &str, result: &str| {
        format!(r#"{{"application":"ecr","table":"T","first":1,{columns}"results":[{{"outcome":"match",{result}}}]}}"#)
    };
    for (service, body) in [
        (Service::Import, rows(r#"["a","b"]"#, "[[1,2]]")),
        (Service::Import, rows(r#"["a"]"#, "[[1],[2]]")),
        (Service::Import, rows(r#"["a","b"]"#, "[[1,2],[1]]")),
        (Service::Import, rows("[]", "[]")),
        (Service::Import, rows(r#"["a"]"#, "[[[1]]]")),
        (Service::Import, rows(r#"["a"]"#, r#"[[{"b":1}]]"#)),
        (Service::Certify, results(r#""columns":["a","b"],"#, r#""record":[1]"#)),
        (Service::Certify, results("", r#""record":[1]"#)),
        (Service::Certify, results(r#""columns":["a"],"#, r#""record":[[1]]"#)),
        (Service::Certify, results(r#""note_columns":["a"],"#, r#""notes":[[1],[1,2]]"#)),
        (Service::Certify, results("", r#""notes":[["mariage"]]"#)),
        (Service::Certify, results(r#""note_columns":["a"],"#, r#""notes":[[{}]]"#)),
    ] {
        let octets = write_part(&head(service), body.as_bytes(), PayloadForm::Json);
        let refusal = read_part(&octets, &LIMITS).expect_err(&body);
        assert_eq!((refusal.code, parameter(&refusal, "path")), (RefusalCode::PayloadMalformed, "body"), "{body}");
    }
    for (service, body) in [
        (Service::Import, rows(r#"["a","b"]"#, "[[1,2],[null,true]]")),
        (Service::Import, rows(r#"["a"]"#, "[[]]")),
        (Service::Certify, results(r#""columns":["a"],"note_columns":["b","c"],"#, r#""record":[1],"notes":[[1,2]]"#)),
        (Service::Certify, results(r#""columns":["a"],"#, r#""columns":["a"]"#)),
    ] {
        let octets = write_part(&head(service), body.as_bytes(), PayloadForm::Json);
        read_part(&octets, &LIMITS).unwrap_or_else(|refusal| panic!("{body}: {refusal}"));
    }
}

/// Answers are priced by a computed size of their container before they are sealed. The computed size is at least the real size, and less
/// than 300 bytes above it.
#[test]
fn a_container_is_no_longer_than_it_is_reckoned_and_little_shorter() {
    let of_curve = |algorithm| rcgen::KeyPair::generate_for(algorithm).unwrap();
    let kinds = [
        (of_curve(&rcgen::PKCS_ECDSA_P256_SHA256), "P-256"),
        (of_curve(&rcgen::PKCS_ECDSA_P384_SHA384), "P-384"),
        (rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap(), "RSA-2048"),
    ];
    let key = |pair: rcgen::KeyPair| {
        let mut parameters = rcgen::CertificateParams::new(vec![]).unwrap();
        parameters.is_ca = rcgen::IsCa::ExplicitNoCa;
        let certificate = parameters.self_signed(&pair).unwrap();
        SigningKey::from_pem(pair.serialize_pem().as_bytes(), certificate.pem().as_bytes()).unwrap()
    };
    let centre = key(of_curve(&rcgen::PKCS_ECDSA_P256_SHA256));
    for (pair, name) in kinds {
        let office = key(pair);
        assert_eq!(office.certificate().algorithm(), name);
        for cipher in [ContentCipher::Aes256Gcm, ContentCipher::Aes256Cbc] {
            for length in [1, 100, 1_000, 20_000, 150_000] {
                let signed = cms::sign(&vec![b'x'; length], &centre).unwrap();
                let der = cms::encrypt(&signed, office.certificate(), cipher).unwrap();
                let (real, reckoned) = (Document::render(&der, None).len(), sealed_bytes(length, name));
                assert!((real..real + 300).contains(&reckoned), "{name}, {cipher:?}, {length}: {real} and {reckoned}");
            }
        }
    }
}
