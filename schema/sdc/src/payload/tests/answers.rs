//! Answers are read as strictly as letters.

use super::*;

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
fn an_answer_in_a_frame_has_the_limits_of_a_letter() {
    let frame = write_answer(&read_answer(ANSWER.as_bytes(), &LIMITS).unwrap());
    assert!(frame.len() < ANSWER.len() / 2, "{} octets of {}", frame.len(), ANSWER.len());
    for (octets, limits) in [
        ([frame.as_slice(), &frame].concat(), LIMITS),
        (frame[..frame.len() - 1].to_vec(), LIMITS),
        (frame.clone(), PayloadLimits { decompressed_bytes_max: ANSWER.len() - 1, ..LIMITS }),
    ] {
        assert_eq!(read_answer(&octets, &limits).unwrap_err().code, RefusalCode::CompressionMalformed);
    }
}
