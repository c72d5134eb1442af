//! Tests that values from the header are bounded and plain. Tests that limits hold, and that the letters before a limit are found.

use super::*;

#[test]
fn what_the_header_says_is_bounded_and_plain() {
    let extracted = found(attached("7bit", SDC).as_bytes());
    assert_eq!(extracted.sender_domain, "office.example");
    assert!(!extracted.is_automatic);
    let mail = format!("From: x@{}<script>\r\nAuto-Submitted: auto-replied\r\n\r\n", "a".repeat(400));
    let extracted = found(mail.as_bytes());
    assert_eq!(extracted.sender_domain.len(), DOMAIN_BYTES_MAX);
    assert!(extracted.is_automatic);
    assert!(!found(b"Auto-Submitted: no (comment)\r\n\r\n").is_automatic);
    // The sender's domain is found even if no body follows the header. The `From` of a forwarded mail within the mail is not used.
    assert_eq!(found(b"From: a@b.example").sender_domain, "b.example");
    let forwarded = "Content-Type: message/rfc822\r\n\r\nFrom: a@b.example\r\nMessage-ID: <1@x>\r\n\r\n";
    assert_eq!(
        (found(forwarded.as_bytes()).sender_domain, found(forwarded.as_bytes()).message_id),
        (String::new(), None)
    );
}

#[test]
fn a_message_id_is_one_plain_word() {
    let id = |value: &str| found(format!("Message-ID: {value}\r\n\r\n").as_bytes()).message_id;
    assert_eq!(id("<1@office.example>").as_deref(), Some("<1@office.example>"));
    assert_eq!(id("\r\n\t<1@office.example> ").as_deref(), Some("<1@office.example>"));
    for other in ["=?utf-8?q?<1=0D=0ABcc:_x@y>?=", "<1\u{7}@x>", "<1 2@x>", "1@x", &format!("<{}>", "x".repeat(250))] {
        assert_eq!(id(other), None, "{other}");
    }
}

#[test]
fn only_sums_refuse_a_mail() {
    let refused = |mail: String| extract(mail.as_bytes(), &MailLimits::default()).unwrap_err();
    assert_eq!(refused(" ".repeat((8 << 20) + 1)), MailRefused::Size(8 << 20));
    let fields = |bytes: usize| format!("X-Long: {}\r\n", "y".repeat(190)).repeat(bytes / 200);
    assert_eq!(refused(format!("{}\r\n{SDC}", fields(300_000))), MailRefused::Header(256 << 10));
    assert_eq!(refused(with_part(&fields(70_000), SDC)), MailRefused::Header(64 << 10));
    assert_eq!(containers(&format!("{}\r\n{SDC}", fields(200_000))), [SDC.trim_end()]);
    assert_eq!(containers(&with_part(&fields(60_000), SDC)), [SDC.trim_end()]);
    // Several providers add reports one after another, in folded lines of encoded words.
    let report = |number: usize| {
        let words = format!("=?utf-8?B?{}?=\r\n ", "A".repeat(60)).repeat(14);
        format!("X-MS-Exchange-AntiSpam-MessageData-{number}: {words}end\r\n")
    };
    let reports: String = (0..80).map(report).collect();
    assert!(reports.len() > 72_000);
    let reported = format!("{reports}{}", attached("base64", &base64_lines(SDC.as_bytes())));
    assert_eq!(containers(&reported), [SDC.trim_end()]);
    let forwarded = format!("Content-Type: message/rfc822\r\n\r\n{}\r\n{SDC}", fields(100_000));
    assert_eq!(containers(&forwarded), [SDC.trim_end()], "a forwarded mail has the header of a mail");
}

#[test]
fn a_line_or_a_field_longer_than_honest_ones_is_skipped() {
    for field in [
        format!("X-Report: {}\r\n", "y".repeat(60_000)),
        format!("From: {}@b.example\r\n", "a".repeat(2000)),
        format!("References:{}\r\n", "\r\n <1@x>".repeat(5000)),
        "x".repeat(100_000) + "\r\n",
    ] {
        let mail = format!("{field}{}", attached("base64", &base64_lines(SDC.as_bytes())));
        assert_eq!(containers(&mail).len(), 1);
    }
}

#[test]
fn what_is_beyond_a_limit_costs_nothing_of_what_stands_before() {
    let limits = MailLimits::default();
    let mail = |blocks: usize| found(format!("From: a@b\r\n\r\n{}", SDC.repeat(blocks)).as_bytes());
    assert_eq!((mail(100).containers.len(), mail(100).beyond), (100, None));
    let more = mail(90_000);
    assert_eq!((more.containers.len(), more.beyond), (100, Some(MailRefused::Containers(100))));

    let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    let many = found(format!("{head}--b\r\n\r\n{SDC}{}", "--b\r\n\r\nx\r\n".repeat(100_000)).as_bytes());
    assert_eq!((many.containers.len(), many.beyond), (1, Some(MailRefused::Parts(limits.parts_max))));

    let nested = |levels: usize, inner: &str| {
        (0..levels).fold(inner.to_owned(), |inner, level| {
            format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n{inner}\r\n--b{level}--\r\n")
        })
    };
    let text = format!("Content-Type: text/plain\r\n\r\n{SDC}");
    assert_eq!((containers(&nested(10, &text)).len(), found(nested(10, &text).as_bytes()).beyond), (1, None));
    let deep = found(nested(15, &text).as_bytes());
    assert_eq!(
        (deep.containers.len(), deep.beyond),
        (1, Some(MailRefused::Depth(10))),
        "the text is searched as it is"
    );
    let mails = found(format!("{}\r\n{SDC}", "Content-Type: message/rfc822\r\n\r\n".repeat(12)).as_bytes());
    assert_eq!(mails.beyond, Some(MailRefused::Depth(10)));
}

#[test]
fn offices_are_told_the_limits_that_hold() {
    let limits = MailLimits::default();
    let format = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../FORMAT.md")).unwrap();
    for row in [
        format!(
            "| its header, all fields together; that of a forwarded mail | {} KiB |",
            limits.header_bytes_max >> 10
        ),
        format!("| header of a part | {} KiB |", limits.part_header_bytes_max >> 10),
        format!("| documents | {} |", limits.containers_max),
        format!("| parts | {} {:03} |", limits.parts_max / 1000, limits.parts_max % 1000),
        format!("| parts and forwarded mails within each other | {} |", limits.depth_max),
    ] {
        assert!(format.contains(&row), "FORMAT.md should say: {row}");
    }
}
