//! The JSON text and the members of a letter without its body: each has one spelling, and no member may be unknown, repeated or missing.

use super::*;

#[test]
fn text_is_json_in_utf8_and_nothing_else() {
    for (letter, line, column) in [
        (b"".to_vec(), "1", "0"),
        (b"7".to_vec(), "1", "1"),
        (b"[]".to_vec(), "1", "0"),
        (b"null".to_vec(), "1", "4"),
        (format!("\u{feff}{LETTER}").into_bytes(), "1", "1"),
        (format!("{LETTER}x").into_bytes(), "1", "306"),
        (format!("{LETTER}\n{LETTER}").into_bytes(), "2", "1"),
        (LETTER.as_bytes()[..LETTER.len() - 1].to_vec(), "1", "304"),
        (LETTER.replace("\"sdc\"", "sdc").into_bytes(), "1", "2"),
        (LETTER.replace("\"sdc\"", "'sdc'").into_bytes(), "1", "2"),
        (LETTER.replace("\"mode\"", "//\n\"mode\"").into_bytes(), "1", "156"),
        (LETTER.replace("{\"sdc\"", "{\n\n,\"sdc\"").into_bytes(), "3", "1"),
    ] {
        let what = String::from_utf8_lossy(&letter).into_owned();
        let refusal = refused(&letter);
        assert_eq!(refusal.code, RefusalCode::PayloadMalformed, "{what}");
        assert_eq!(parameter(&refusal, "expected"), "JSON of RFC 8259", "{what}");
        assert_eq!((parameter(&refusal, "line"), parameter(&refusal, "column")), (line, column), "{what}");
    }
    for bad in [b"\xff".as_slice(), b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"] {
        let at = LETTER.find("centre").unwrap();
        let refusal = refused(&[&LETTER.as_bytes()[..at], bad, &LETTER.as_bytes()[at..]].concat());
        assert_eq!((refusal.code, parameter(&refusal, "expected")), (RefusalCode::PayloadMalformed, "UTF-8"));
        assert_eq!((parameter(&refusal, "line"), parameter(&refusal, "column")), ("1", at.to_string().as_str()));
    }
}

#[test]
fn each_member_stands_once_and_none_other() {
    let members = [
        ("sdc", "1"),
        ("id", r#""019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08""#),
        ("from", r#"{"agency":42,"installation":"mairie"}"#),
        ("to", r#""centre""#),
        ("sequence", "1"),
        ("time", r#""2026-11-02T08:15:00Z""#),
        ("mode", r#""test""#),
        ("service", r#""export""#),
    ];
    for (name, value) in members {
        let member = format!(r#""{name}":{value},"#);
        assert_malformed(&with(LETTER, &member, ""), name, "a member of this name");
        // The reader reads the member `sdc` first, so a second `sdc` is refused with this name as the place. Afterwards the reader looks
        // for any repeated member of the whole document, and that refusal has no place.
        let path = if name == "sdc" { "sdc" } else { "" };
        assert_malformed(&with(LETTER, &member, &member.repeat(2)), path, "each member once");
        let escaped = format!("{member}\"\\u{:04x}{}\":{value},", u32::from(name.as_bytes()[0]), &name[1..]);
        assert_malformed(&with(LETTER, &member, &escaped), path, "each member once");
    }
    let body = LETTER.find(",\"body\"").unwrap();
    assert_malformed(&format!("{}}}", &LETTER[..body]), "body", "a member of this name");
    for stranger in ["Ngo Biyong", "SDC", "", "bodY", "receipt"] {
        let letter = with(LETTER, "{\"sdc\"", &format!("{{\"{stranger}\":0,\"sdc\""));
        assert_malformed(&letter, "", "no members but sdc, id, from, to, sequence, time, mode, seen, service, body");
    }
}

#[test]
fn each_member_has_one_form() {
    let id = "a UUID of version 7, in lower case with hyphens";
    let office = "an agency from 1 to 999999 and an installation";
    let installation = "1 to 32 of a-z, 0-9 and -";
    let server = "the name of a server, 1 to 63 octets";
    let sequence = "an integer from 1 to 9007199254740992";
    let integer = "an integer of 64 bits";
    let letter_id = "\"019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08\"";
    let from = r#"{"agency":42,"installation":"mairie"}"#;
    let time = "\"2026-11-02T08:15:00Z\"";
    let long_name = format!("\"to\":\"{}\"", "é".repeat(32));
    let long_installation = format!("\"{}\"", "a".repeat(33));
    let cases = [
        ("\"sdc\":1", "\"sdc\":\"1\"", "sdc", "a format version"),
        ("\"sdc\":1", "\"sdc\":-1", "sdc", "a format version"),
        ("\"sdc\":1", "\"sdc\":1.0", "sdc", integer),
        ("\"sdc\":1", "\"sdc\":[1]", "sdc", "a format version"),
        (letter_id, "7", "id", id),
        (letter_id, "\"Ngo Biyong\"", "id", id),
        (letter_id, "\"019A5F0E-8F3B-7C61-A2D4-5B1E9C3F7A08\"", "id", id),
        (letter_id, "\"019a5f0e8f3b7c61a2d45b1e9c3f7a08\"", "id", id),
        (letter_id, "\"{019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08}\"", "id", id),
        (letter_id, "\"urn:uuid:019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a08\"", "id", id),
        (letter_id, "\"019a5f0e-8f3b-4c61-a2d4-5b1e9c3f7a08\"", "id", id),
        (letter_id, "\"019a5f0e-8f3b-7c61-c2d4-5b1e9c3f7a08\"", "id", id),
        (from, "{\"agency\":0,\"installation\":\"mairie\"}", "from", office),
        (from, "{\"agency\":1000000,\"installation\":\"mairie\"}", "from", office),
        (from, "{\"agency\":-1,\"installation\":\"mairie\"}", "from", office),
        (from, "{\"agency\":\"42\",\"installation\":\"mairie\"}", "from", office),
        (from, "{\"agency\":42.0,\"installation\":\"mairie\"}", "from.agency", integer),
        (from, "{\"agency\":42}", "from", office),
        (from, "{\"agency\":42,\"installation\":\"mairie\",\"a\":\"Ngo Biyong\"}", "from", office),
        (from, "{\"agency\":42,\"agency\":42,\"installation\":\"mairie\"}", "from", "each member once"),
        (from, "[42,\"mairie\"]", "from", office),
        (from, "42", "from", office),
        ("\"mairie\"", "\"\"", "from.installation", installation),
        ("\"mairie\"", "\"-a\"", "from.installation", installation),
        ("\"mairie\"", "\"Mairie\"", "from.installation", installation),
        ("\"mairie\"", "\"Ngo Biyong\"", "from.installation", installation),
        ("\"mairie\"", long_installation.as_str(), "from.installation", installation),
        ("\"to\":\"centre\"", "\"to\":\"\"", "to", server),
        ("\"to\":\"centre\"", "\"to\":null", "to", server),
        ("\"to\":\"centre\"", "\"to\":\"a\\nb\"", "to", server),
        ("\"to\":\"centre\"", &long_name, "to", server),
        ("\"sequence\":1", "\"sequence\":0", "sequence", sequence),
        ("\"sequence\":1", "\"sequence\":-1", "sequence", sequence),
        ("\"sequence\":1", "\"sequence\":9007199254740993", "sequence", sequence),
        ("\"sequence\":1", "\"sequence\":\"1\"", "sequence", sequence),
        ("\"sequence\":1", "\"sequence\":1e0", "sequence", integer),
        ("\"sequence\":1", "\"sequence\":18446744073709551616", "sequence", integer),
        (time, "\"Ngo Biyong\"", "time", "a time as in RFC 3339"),
        (time, "\"2026-11-02\"", "time", "a time as in RFC 3339"),
        (time, "\"2026-11-02T08:15:00\"", "time", "a time as in RFC 3339"),
        (time, "\"2026-02-30T08:15:00Z\"", "time", "a time as in RFC 3339"),
        (time, "\"2026-11-02 08:15:00Z\"", "time", "a time as in RFC 3339"),
        (time, "\"2026-11-02t08:15:00z\"", "time", "a time as in RFC 3339"),
        (time, "\"2026-12-31T23:59:60Z\"", "time", "a time as in RFC 3339"),
        (time, "1793607300", "time", "a time as in RFC 3339"),
        (time, "\"9999-12-31T23:59:59-23:59\"", "time", "a time as in RFC 3339"),
        (time, "\"0000-01-01T00:00:00+23:59\"", "time", "a time as in RFC 3339"),
        ("\"test\"", "\"Test\"", "mode", "test or live"),
        ("\"test\"", "\"Ngo Biyong\"", "mode", "test or live"),
        ("\"test\"", "{\"test\":null}", "mode", "test or live"),
        ("\"test\"", "null", "mode", "test or live"),
        ("\"export\"", "null", "service", "the name of a service"),
    ];
    for (good, bad, path, expected) in cases {
        assert_malformed(&with(LETTER, good, bad), path, expected);
    }
}

#[test]
fn what_was_seen_has_one_form() {
    for bad in ["0", "null", "9007199254740993"] {
        let letter = with(LETTER, "\"sequence\":1", &format!("\"sequence\":1,\"seen\":{bad}"));
        assert_malformed(&letter, "seen", "an integer from 1 to 9007199254740992");
    }
}

#[test]
fn another_version_is_named_whatever_else_it_has() {
    for version in ["0", "2", "65537", "9223372036854775807"] {
        let letter = with(LETTER, "\"sdc\":1", &format!("\"of_then\":[],\"sdc\":{version}"));
        for octets in [letter.as_bytes(), &pack(letter.as_bytes())] {
            let refusal = refused(octets);
            assert_eq!(refusal.code, RefusalCode::VersionUnsupported);
            assert_eq!((parameter(&refusal, "expected"), parameter(&refusal, "found")), ("1", version));
        }
        let answer = with(ANSWER, "\"sdc\":1", &format!("\"sdc\":{version}"));
        assert_eq!(read_answer(answer.as_bytes(), &LIMITS).unwrap_err().code, RefusalCode::VersionUnsupported);
    }
}

#[test]
fn another_service_is_named_where_it_has_the_form_of_one() {
    for (service, named) in [("vote", "vote"), ("a_b", "a_b"), ("Export", ""), ("Ngo Biyong", ""), ("", "")] {
        let letter = with(LETTER, "\"export\"", &format!("\"{service}\""));
        for letter in [with(&letter, "\"body\":{", "\"body\":{\"unread\":1e400,"), letter] {
            let refusal = refused(letter.as_bytes());
            assert_eq!((refusal.code, parameter(&refusal, "service")), (RefusalCode::ServiceUnknown, named));
        }
    }
}

#[test]
fn a_letter_is_named_even_where_the_rest_of_it_is_wrong() {
    let letter = read_letter(LETTER.as_bytes(), &LIMITS).unwrap();
    let key =
        LetterKey { id: letter.id, from: letter.from, to: letter.to, sequence: letter.sequence, mode: letter.mode };
    let cases = [
        ("\"body\":{", "\"body\":{\"more\":0,", true),
        ("\"sdc\":1", "\"sdc\":2", true),
        ("\"sdc\":1,", "", true),
        ("\"sdc\":1", "\"sdc\":1,\"more\":0", true),
        ("\"export\"", "\"correct\"", true),
        ("\"2026-11-02T08:15:00Z\"", "0", true),
        ("\"sequence\":1", "\"sequence\":0", false),
        ("\"sequence\":1", "\"sequence\":1,\"sequence\":1", false),
        ("\"mairie\"", "\"MAIRIE\"", false),
        ("\"test\"", "\"drill\"", false),
        ("\"to\":\"centre\"", "\"to\":1", false),
        ("{\"sdc\"", "{sdc", false),
    ];
    for (good, bad, is_named) in cases {
        let unreadable = read_letter(with(LETTER, good, bad).as_bytes(), &LIMITS).unwrap_err();
        assert_eq!(unreadable.key.as_deref(), is_named.then_some(&key), "{bad}");
    }
}
