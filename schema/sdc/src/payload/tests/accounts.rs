//! The body of a request `account`: each of the two days may be absent, and has only one form.

use super::*;

fn asking(body: &str) -> String {
    let start = LETTER.find("\"export\"").unwrap();
    format!("{}\"account\",\"body\":{body}}}", &LETTER[..start])
}

#[test]
fn a_statement_is_asked_for_by_days_that_have_one_form() {
    for body in
        ["{}", r#"{"from":"2026-11-01"}"#, r#"{"to":"0001-01-01"}"#, r#"{"from":"2024-02-29","to":"2024-02-29"}"#]
    {
        let letter = read_letter(asking(body).as_bytes(), &LIMITS).unwrap();
        assert_eq!((letter.request.service().name(), letter.request.rows()), ("account", 0));
        assert_eq!(to_json(&letter), asking(body).as_bytes());
        let octets = write_letter(&letter, &LIMITS).unwrap();
        assert!(read_letter(&octets, &LIMITS).unwrap() == letter);
    }
    let (object, day) = ("an object of from, to, or none of them", "a day as YYYY-MM-DD");
    for (body, path, expected) in [
        ("null", "body", object),
        ("[]", "body", object),
        (r#"{"since":"2026-11-01"}"#, "body", object),
        (r#"{"from":null}"#, "body.from", day),
        (r#"{"from":20261101}"#, "body.from", day),
        (r#"{"from":"2026-1-01"}"#, "body.from", day),
        (r#"{"from":"2026-11-1 "}"#, "body.from", day),
        (r#"{"from":"2026-02-29"}"#, "body.from", day),
        (r#"{"from":"0000-01-01"}"#, "body.from", day),
        (r#"{"to":"+12026-01-01"}"#, "body.to", day),
        (r#"{"to":"2026-11-01T00:00:00Z"}"#, "body.to", day),
        (r#"{"from":"2026-11-02","to":"2026-11-01"}"#, "body.to", "a day that is not before from"),
    ] {
        let refusal = refused(asking(body).as_bytes());
        assert_eq!(refusal.code, RefusalCode::PayloadMalformed, "{body}: {refusal}");
        assert_eq!(parameter(&refusal, "path"), path, "{body}: {refusal}");
        assert!(parameter(&refusal, "expected").contains(expected), "{body}: {refusal}");
    }
}
