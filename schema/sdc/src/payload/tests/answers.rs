//! Reading an answer is as strict as reading a letter.

use super::*;
use crate::answer::receipt::TableReceipt;

#[test]
fn an_answer_has_one_form() {
    let members = "no members but sdc, id, from, to, time, mode, receipt";
    let to = r#""to":{"agency":42,"installation":"mairie"}"#;
    let addressee = "an agency, and an installation where known";
    let cases = [
        ("\"sdc\":1,", "", "sdc", "a member of this name"),
        ("\"sdc\":1", "\"sdc\":1,\"sequence\":1", "", members),
        ("\"sdc\":1", "\"sdc\":1,\"mode\":\"live\"", "", "each member once"),
        ("\"019a5f0e-9c00", "\"019A5F0E-9c00", "id", "a UUID of version 7"),
        ("\"from\":\"centre\"", "\"from\":{}", "from", "the name of a server"),
        (to, "\"to\":[42,\"mairie\"]", "to", addressee),
        (to, "\"to\":{\"agency\":42,\"installation\":null}", "to", addressee),
        (to, "\"to\":{\"agency\":0}", "to", addressee),
        ("08:16:00Z\"", "08:16:00\"", "time", "a time as in RFC 3339"),
        ("\"test\"", "{\"test\":null}", "mode", "test or live"),
        ("\"attempt\":1,", "", "receipt", "a receipt"),
        ("\"attempt\":1", "\"attempt\":1,\"attempt\":1", "receipt", "each member once"),
        ("\"attempt\":1", "\"attempt\":1,\"more\":0", "receipt", "a receipt"),
        ("\"attempt\":1", "\"attempt\":65536", "receipt", "a receipt"),
        ("\"accepted\"", "\"lost\"", "receipt", "a receipt"),
        ("\"digest\":\"00ff\"", "\"digest\":null", "receipt", "a receipt"),
        ("\"skew_seconds\":-30", "\"skew_seconds\":null", "receipt", "a receipt"),
        (r#"{"cost":100,"balance":-50,"currency":"XAF"}"#, r#"[100,-50,"XAF"]"#, "receipt", "a receipt"),
        ("\"accepted\"", "{\"accepted\":null}", "receipt", "a receipt"),
        ("08:15:30Z", "09:15:30+01:00", "receipt", "a receipt"),
        ("\"cost\":100", "\"cost\":1.5", "receipt.account.cost", "an integer of 64 bits"),
        ("\"XAF\"", "\"X\\u0000F\"", "receipt.account.currency", "text without U+0000"),
    ];
    for (good, bad, path, expected) in cases {
        let refusal = read_answer(with(ANSWER, good, bad).as_bytes(), &LIMITS).expect_err(bad);
        assert_eq!(refusal.code, RefusalCode::PayloadMalformed, "{bad}: {refusal}");
        assert_eq!(parameter(&refusal, "path"), path, "{bad}: {refusal}");
        assert!(parameter(&refusal, "expected").contains(expected), "{bad}: {refusal}");
    }
    let start = ANSWER.find("{\"letter\"").unwrap();
    for receipt in ["null", "[]", "{}"] {
        let refusal = read_answer(format!("{}{receipt}}}", &ANSWER[..start]).as_bytes(), &LIMITS).unwrap_err();
        assert_eq!((parameter(&refusal, "path"), parameter(&refusal, "expected")), ("receipt", "a receipt"));
    }
    let installation = with(ANSWER, ",\"installation\":\"mairie\"", "");
    assert_eq!(read_answer(installation.as_bytes(), &LIMITS).unwrap().to.installation, None);
    assert_eq!(read_answer(LETTER.as_bytes(), &LIMITS).unwrap_err().code, RefusalCode::PayloadMalformed);
    assert_eq!(refused(ANSWER.as_bytes()).code, RefusalCode::PayloadMalformed);
}

#[test]
fn a_body_has_one_form() {
    let body = concat!(
        r#","service":"account","part":2,"parts":3,"body":{"from":"2026-11-01","to":"2026-11-30","currency":"XAF","#,
        r#""opening":1000,"closing":-50,"credit_limit":500,"entries_total":2,"entries":[{"at":"2026-11-02T08:15:30Z","kind":"letter","#,
        r#""amount":-100,"balance":900,"letter":"019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08"},"#,
        r#"{"at":"2026-11-03T10:00:00Z","kind":"manual","amount":-950,"balance":-50,"note":"Imprimés"}]}}"#,
    );
    let answer = format!("{}{body}", ANSWER.strip_suffix('}').unwrap());
    let read = read_answer(answer.as_bytes(), &LIMITS).unwrap();
    assert_eq!(write_answer(&read, PayloadForm::Json), answer.as_bytes());
    let body = read.body.unwrap();
    assert_eq!((body.part, body.parts, body.content.service().name()), (2, 3, "account"));
    assert!(!format!("{body:?}").contains("Imprimés"), "what an operator wrote is not logged");
    let cases = [
        ("\"service\":\"account\",", "", "service", "a member of this name"),
        ("\"part\":2,", "", "part", "a member of this name"),
        ("\"parts\":3,", "", "parts", "a member of this name"),
        ("\"account\",\"part", "\"export\",\"part", "service", "a service whose answer has a body"),
        ("\"account\",\"part", "\"Account\",\"part", "service", "a service whose answer has a body"),
        ("\"part\":2", "\"part\":0", "part", "a number from 1 to parts"),
        ("\"part\":2", "\"part\":4", "part", "a number from 1 to parts"),
        ("\"parts\":3", "\"parts\":65536", "parts", "a number of parts"),
        ("\"opening\":1000,", "", "body", "a statement"),
        ("\"opening\":1000", "\"opening\":1000,\"more\":0", "body", "a statement"),
        ("\"2026-11-01\"", "\"2026-11-1\"", "body", "a statement"),
        ("\"2026-11-01\"", "\"2026-12-01\"", "body.to", "a day that is not before from"),
        ("\"manual\"", "\"gift\"", "body", "a statement"),
        ("\"note\":\"Imprimés\"", "\"note\":null", "body", "a statement"),
    ];
    for (good, bad, path, expected) in cases {
        let refusal = read_answer(with(&answer, good, bad).as_bytes(), &LIMITS).expect_err(bad);
        assert_eq!(refusal.code, RefusalCode::PayloadMalformed, "{bad}: {refusal}");
        assert_eq!(parameter(&refusal, "path"), path, "{bad}: {refusal}");
        assert!(parameter(&refusal, "expected").contains(expected), "{bad}: {refusal}");
    }
}

#[test]
fn an_answer_in_a_frame_has_the_limits_of_a_letter() {
    let frame = write_answer(&read_answer(ANSWER.as_bytes(), &LIMITS).unwrap(), NEWEST_FRAME);
    assert!(frame.len() < ANSWER.len() / 2, "{} octets of {}", frame.len(), ANSWER.len());
    for (octets, limits) in [
        ([frame.as_slice(), &frame].concat(), LIMITS),
        (frame[..frame.len() - 1].to_vec(), LIMITS),
        (frame.clone(), PayloadLimits { decompressed_bytes_max: ANSWER.len() - 1, ..LIMITS }),
    ] {
        assert_eq!(read_answer(&octets, &limits).unwrap_err().code, RefusalCode::CompressionMalformed);
    }
}

/// Each row has a name for a letter's payload, the payload's octets, the form that is read from them, and the form of the answer.
#[test]
fn an_answer_is_packed_as_its_letter_was() {
    let json = LETTER.as_bytes();
    let frame = |dictionary| PayloadForm::Frame { dictionary };
    let unpublished = [&[0x28, 0xb5, 0x2f, 0xfd, 0x21, 200], &json[..1]].concat();
    let cases = [
        ("JSON", json.to_vec(), PayloadForm::Json, PayloadForm::Json),
        ("JSON behind blanks", [b" \n", json].concat(), PayloadForm::Json, PayloadForm::Json),
        ("nothing", Vec::new(), PayloadForm::Json, PayloadForm::Json),
        ("no payload at all", b"\x28\xb5\x2f".to_vec(), PayloadForm::Json, PayloadForm::Json),
        ("our own", pack(json), frame(1), frame(1)),
        ("stock zstd", zstd::bulk::compress(json, 19).unwrap(), frame(0), frame(0)),
        ("a dictionary still to come", unpublished, frame(200), frame(1)),
        ("a frame cut in its header", b"\x28\xb5\x2f\xfd\x21".to_vec(), frame(0), frame(0)),
        ("a frame cut behind it", pack(json)[..8].to_vec(), frame(1), frame(1)),
    ];
    let answer = read_answer(ANSWER.as_bytes(), &LIMITS).unwrap();
    for (what, letter, of_letter, of_answer) in cases {
        assert_eq!(form(&letter), of_letter, "{what}");
        let octets = write_answer(&answer, of_letter);
        assert_eq!(form(&octets), of_answer, "{what}");
        assert_eq!(read_answer(&octets, &LIMITS).unwrap(), answer, "{what}");
    }
    assert_eq!(write_answer(&answer, PayloadForm::Json), ANSWER.as_bytes());
    let plain = write_answer(&answer, frame(0));
    assert_eq!(zstd::bulk::decompress(&plain, ANSWER.len()).unwrap(), ANSWER.as_bytes(), "stock zstd reads it");
}

#[test]
fn a_long_answer_to_a_frame_has_no_dictionary_that_its_letter_did_not_have() {
    let mut answer = read_answer(ANSWER.as_bytes(), &LIMITS).unwrap();
    let row = |number: u32| TableReceipt {
        table: format!("Acte{}", number.wrapping_mul(0x9e37_79b9)),
        new: number,
        duplicate: 0,
        ..TableReceipt::default()
    };
    answer.receipt.rows = (0..900).map(row).collect();
    for dictionary in [0, 1] {
        let octets = write_answer(&answer, PayloadForm::Frame { dictionary });
        assert!(to_json(&answer).len() > 32 << 10);
        assert_eq!(form(&octets), PayloadForm::Frame { dictionary });
        assert_eq!(read_answer(&octets, &LIMITS).unwrap(), answer);
    }
}
