//! Reading a notice is as strict as reading an answer, and a reader distinguishes notices from answers.

use super::*;
use crate::answer::notice::NoticeContent;

const NOTICE: &str = concat!(
    r#"{"sdc":1,"id":"019a5f0e-9c00-7c61-a2d4-5b1e9c3f7a0a","from":"centre","to":{"agency":42,"installation":"mairie"},"#,
    r#""time":"2026-11-02T08:16:00Z","mode":"test","service":"notice","body":{"number":3,"kind":"certificate_ends","#,
    r#""certificate":"e74fa3c9f168c274552a6e17165e57e7f921681766b216e71f69888f53d40c73","ends":"2026-12-02T08:00:00Z","days":30}}"#,
);

fn read(json: &str) -> Result<CentreLetter, Refusal> {
    read_centre_letter(json.as_bytes(), &LIMITS)
}

#[test]
fn a_notice_comes_back_as_it_was_written_in_every_form() {
    let CentreLetter::Notice(notice) = read(NOTICE).unwrap() else { panic!("an answer") };
    assert_eq!(write_notice(&notice), NOTICE.as_bytes());
    let NoticeContent::CertificateEnds { days, .. } = notice.content else { panic!("another notice") };
    assert_eq!((notice.number, notice.content.kind(), days), (3, "certificate_ends", 30));
    for form in [PayloadForm::Json, PayloadForm::Frame { dictionary: 0 }, NEWEST_FRAME] {
        let octets = pack_as(write_notice(&notice), form);
        assert_eq!(read_centre_letter(&octets, &LIMITS).unwrap(), CentreLetter::Notice(notice.clone()), "{form:?}");
    }
    let part = chrono::TimeDelta::milliseconds(999);
    let later = Notice { time: notice.time + part, ..notice };
    assert_eq!(write_notice(&later), NOTICE.as_bytes());
}

#[test]
fn a_notice_is_no_answer_and_an_answer_no_notice() {
    assert!(matches!(read(ANSWER).unwrap(), CentreLetter::Answer(_)));
    assert_eq!(read_answer(NOTICE.as_bytes(), &LIMITS).unwrap_err().code, RefusalCode::PayloadMalformed);
    assert_eq!(refused(NOTICE.as_bytes()).code, RefusalCode::PayloadMalformed);
    // A document with a receipt is read as an answer, even where it also has a notice's members.
    let receipt = &ANSWER[ANSWER.find("\"receipt\"").unwrap()..];
    let both = format!("{},{receipt}", NOTICE.strip_suffix('}').unwrap());
    assert_eq!(read(&both).unwrap_err().code, RefusalCode::PayloadMalformed);
    assert_eq!(read(&with(NOTICE, "\"sdc\":1", "\"sdc\":2")).unwrap_err().code, RefusalCode::VersionUnsupported);
}

#[test]
fn a_notice_has_one_form() {
    let members = "no members but sdc, id, from, to, time, mode, service, body";
    let body = "a number and what is told, by its kind";
    for (good, bad, path, expected) in [
        ("\"sdc\":1,", "", "sdc", "a member of this name"),
        ("\"sdc\":1", "\"sdc\":1,\"sequence\":1", "", members),
        ("\"sdc\":1", "\"sdc\":1,\"part\":1", "", members),
        ("\"sdc\":1", "\"sdc\":1,\"mode\":\"live\"", "", "each member once"),
        ("\"notice\"", "\"account\"", "receipt", "a member of this name"),
        (",\"installation\":\"mairie\"", "", "to", "an agency from 1 to 999999 and an installation"),
        ("\"mairie\"", "\"-mairie\"", "to.installation", "1 to 32 of a-z"),
        ("\"number\":3", "\"number\":0", "body.number", "an integer from 1"),
        ("\"number\":3,", "", "body", body),
        ("\"certificate_ends\"", "\"certificate_begins\"", "body", body),
        ("\"days\":30", "\"days\":-1", "body", body),
        ("\"days\":30", "\"days\":30,\"hours\":1", "body", body),
        ("\"days\":30", "\"days\":30,\"days\":30", "body", "each member once"),
        (",\"days\":30", "", "body", body),
        ("2026-12-02T08:00:00Z", "2026-12-02T09:00:00+01:00", "body", body),
        ("\"e74fa3", "\"E74fa3", "body.certificate", "a SHA-256 in lower-case hexadecimal"),
        ("\"e74fa3", "\"74fa3", "body.certificate", "a SHA-256 in lower-case hexadecimal"),
    ] {
        let refusal = read(&with(NOTICE, good, bad)).expect_err(bad);
        assert_eq!(refusal.code, RefusalCode::PayloadMalformed, "{bad}: {refusal}");
        assert_eq!(parameter(&refusal, "path"), path, "{bad}: {refusal}");
        assert!(parameter(&refusal, "expected").contains(expected), "{bad}: {refusal}");
    }
}

#[test]
fn the_columns_of_a_definition_are_objects() {
    let start = NOTICE.find("\"body\"").unwrap();
    let defining = |columns: &str| {
        let body = r#""number":3,"kind":"definitions","application":"ecr","table":"T","version":1,"legal_key":["K"]"#;
        format!(r#"{}"body":{{{body},"corrections":"never","columns":{columns}}}}}"#, &NOTICE[..start])
    };
    read(&defining(r#"[{"name":"K"}]"#)).unwrap();
    for columns in [r#"["K"]"#, "[[]]", r#"[{"name":"K"},null]"#] {
        let refusal = read(&defining(columns)).expect_err(columns);
        assert_eq!((refusal.code, parameter(&refusal, "path")), (RefusalCode::PayloadMalformed, "body.columns"));
    }
}
