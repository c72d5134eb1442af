//! Mails from strangers that are meant to stop a centre. Each kind has stopped or slowed a version of it that was not yet proof against it.

/// The size of a large mail in octets: about the largest that a mail server accepts with its default settings.
const LARGE_BYTES: usize = 4_800_000;

/// Returns each kind of mail with which unknown senders once stopped or slowed the centre, with its name.
pub fn kinds() -> Vec<(&'static str, Vec<u8>)> {
    let mut kinds: Vec<(&'static str, Vec<u8>)> = ["From", "Message-ID", "Auto-Submitted", "Content-Transfer-Encoding"]
        .map(|field| ("encoded words", format!("{field}:{}\r\n\r\nx\r\n", " =?x?=x".repeat(9_100)).into_bytes()))
        .into();
    kinds.extend([
        ("encoded words in a part", in_part(&format!("Content-Transfer-Encoding:{}\r\n", " =?x?=x".repeat(57_000)))),
        ("encoded words, folded", in_part(&folded("Content-Transfer-Encoding:", " =?x?=x", LARGE_BYTES))),
        ("parameters, folded", in_part(&folded("Content-Type: text/plain", "; a*0*=b", LARGE_BYTES))),
        ("content types", in_part(&format!("Content-Type: text/plain; a={}\r\n", "b".repeat(4_000)).repeat(90))),
        ("comments", in_part(&format!("Content-Transfer-Encoding: {}\r\n", "(".repeat(400_000)))),
        ("boundaries", nested(99, 3_500, &"-".repeat(LARGE_BYTES - 99 * 7_200))),
        (
            "parts",
            format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\nx\r\n".repeat(LARGE_BYTES / 11))
                .into_bytes(),
        ),
        ("lines", format!("Subject: x\r\n\r\n{}", "\r\n".repeat(LARGE_BYTES / 2)).into_bytes()),
        (
            "a block",
            format!(
                "Subject: SDC 1 agency=000001\r\n\r\n-----BEGIN CMS-----\r\n{}-----END CMS-----\r\n",
                format!("{}\r\n", "A".repeat(76)).repeat(LARGE_BYTES / 78)
            )
            .into_bytes(),
        ),
        (
            "marker lines",
            format!("Subject: x\r\n\r\n{}", "-----BEGIN CMS-----\r\n".repeat(LARGE_BYTES / 21)).into_bytes(),
        ),
    ]);
    kinds
}

/// Returns a multipart mail whose only body part has these header fields.
fn in_part(fields: &str) -> Vec<u8> {
    format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{fields}\r\nx\r\n--b--\r\n").into_bytes()
}

/// Returns a header field of `bytes` octets made of many tokens, folded into lines that are nearly as long as RFC 5322, 2.1.1 allows.
fn folded(name: &str, token: &str, bytes: usize) -> String {
    let line = format!("{}\r\n ", token.repeat(990 / token.len()));
    format!("{name}{}\r\n", line.repeat(bytes / line.len()).trim_end())
}

/// Returns a mail in which `depth` multiparts are nested, each with a long boundary; the innermost holds the text.
fn nested(depth: usize, boundary_bytes: usize, text: &str) -> Vec<u8> {
    let boundary = |level: usize| format!("{level:04}{}", "-".repeat(boundary_bytes));
    let mut mail = String::new();
    for level in 0..depth {
        mail.push_str(&format!("Content-Type: multipart/mixed; boundary=\"{0}\"\r\n\r\n--{0}\r\n", boundary(level)));
    }
    mail.push_str(&format!("\r\n{text}\r\n"));
    mail.into_bytes()
}

/// Adds a header field with a number to a mail. Mails that are equal but for it have different digests, so the centre does not take them
/// for copies of one mail.
pub fn numbered(mail: &[u8], number: usize) -> Vec<u8> {
    [format!("X-Number: {number}\r\n").as_bytes(), mail].concat()
}
