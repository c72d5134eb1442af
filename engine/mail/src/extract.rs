//! Finds the containers in a mail. MIME is only their wrapping; nothing that it says is believed.
//!
//! The limits come first: mailparse builds a tree of everything, and 10 MB of tiny parts became 488 MB of it.

use mailparse::{MailHeaderMap, ParsedMail};
use memchr::memmem;

const BEGIN: &[u8] = b"-----BEGIN CMS-----";
const END: &[u8] = b"-----END CMS-----";
/// Text before a block that is kept with it; a longer one is no hint.
const PREAMBLE_BYTES_MAX: usize = 2048;
/// Longest sender domain (RFC 1035, 2.3.4) and Message-ID kept.
const DOMAIN_BYTES_MAX: usize = 253;
const MESSAGE_ID_BYTES_MAX: usize = 250;
const CONTENT_TYPE: &[u8] = b"content-type:";

/// What a mail may be.
#[derive(Clone, Debug)]
pub struct MailLimits {
    /// Whole mail, in bytes.
    pub mail_bytes_max: usize,
    /// Header of the mail, in bytes.
    pub header_bytes_max: usize,
    /// Lines, each of which may be a header of some part.
    pub lines_max: usize,
    /// Lines that begin as a boundary does, counted before anything is parsed.
    pub boundary_lines_max: usize,
    /// One `Content-Type` with its parameters, in bytes.
    pub content_type_bytes_max: usize,
    /// Parts.
    pub parts_max: usize,
    /// Nesting of parts.
    pub depth_max: usize,
}

impl Default for MailLimits {
    fn default() -> MailLimits {
        MailLimits {
            mail_bytes_max: 8 << 20,
            header_bytes_max: 64 << 10,
            lines_max: 200_000,
            boundary_lines_max: 200,
            content_type_bytes_max: 4 << 10,
            parts_max: 20,
            depth_max: 10,
        }
    }
}

/// A mail beyond the limits, or none at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailRefused {
    /// Larger than allowed.
    #[error("at most {0} bytes")]
    Size(usize),
    /// Header longer than allowed.
    #[error("a header of at most {0} bytes")]
    Header(usize),
    /// More lines than allowed.
    #[error("at most {0} lines")]
    Lines(usize),
    /// A `Content-Type` longer than allowed.
    #[error("a content type of at most {0} bytes")]
    ContentType(usize),
    /// More parts than allowed.
    #[error("at most {0} parts")]
    Parts(usize),
    /// Nested more deeply than allowed.
    #[error("parts nested at most {0} deep")]
    Depth(usize),
    /// Not parsable.
    #[error("a mail as RFC 5322 and RFC 2045 describe it")]
    Unparsable,
}

/// What was found in a mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Containers in the order in which they stand, each with the few lines before its block.
    pub containers: Vec<Vec<u8>>,
    /// Domain of `From`, in lower case; a claim that anybody can make. Empty where there is none.
    pub sender_domain: String,
    /// Whether the mail calls itself automatic (RFC 3834): a receipt of ours that came back, a bounce, a vacation notice.
    pub is_automatic: bool,
    /// Its Message-ID, if it is of bounded length and on one line.
    pub message_id: Option<String>,
}

/// Finds the containers of a mail, attached under any type or standing in the text.
///
/// # Errors
/// Which limit the mail passes.
pub fn extract(raw: &[u8], limits: &MailLimits) -> Result<Extracted, MailRefused> {
    if raw.len() > limits.mail_bytes_max {
        return Err(MailRefused::Size(limits.mail_bytes_max));
    }
    if header_length(raw) > limits.header_bytes_max {
        return Err(MailRefused::Header(limits.header_bytes_max));
    }
    // Dashes and all: a boundary may begin with dashes of its own, or be the marker of a block.
    if memmem::find_iter(raw, b"\n--").count() > limits.boundary_lines_max {
        return Err(MailRefused::Parts(limits.parts_max));
    }
    if memchr::memchr_iter(b'\n', raw).count() > limits.lines_max {
        return Err(MailRefused::Lines(limits.lines_max));
    }
    if longest_content_type(raw) > limits.content_type_bytes_max {
        return Err(MailRefused::ContentType(limits.content_type_bytes_max));
    }
    let mail = mailparse::parse_mail(raw).map_err(|_unparsable| MailRefused::Unparsable)?;
    let mut extracted = Extracted {
        sender_domain: sender_domain(&mail),
        is_automatic: is_automatic(&mail),
        message_id: message_id(&mail),
        containers: Vec::new(),
    };
    let mut parts = 0;
    collect(&mail, 0, &mut parts, limits, &mut extracted.containers)?;
    Ok(extracted)
}

fn header_length(raw: &[u8]) -> usize {
    let ends = [memmem::find(raw, b"\r\n\r\n"), memmem::find(raw, b"\n\n")];
    ends.into_iter().flatten().min().unwrap_or(raw.len())
}

/// Returns the length of the longest `Content-Type` in any part, folded lines included: mailparse compares each parameter
/// with each other, so that one of a megabyte would take hours.
fn longest_content_type(raw: &[u8]) -> usize {
    let line_starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', raw).map(|newline| newline + 1));
    let is_content_type =
        |at: &usize| raw[*at..].get(..CONTENT_TYPE.len()).is_some_and(|name| name.eq_ignore_ascii_case(CONTENT_TYPE));
    line_starts.filter(is_content_type).map(|at| folded_length(&raw[at..])).max().unwrap_or(0)
}

/// Returns the length of a header field: up to a line that does not begin with white space (RFC 5322, 2.2.3).
fn folded_length(field: &[u8]) -> usize {
    let is_last = |newline: &usize| !matches!(field.get(newline + 1), Some(b' ' | b'\t'));
    memchr::memchr_iter(b'\n', field).find(is_last).unwrap_or(field.len())
}

fn collect(
    part: &ParsedMail<'_>,
    depth: usize,
    parts: &mut usize,
    limits: &MailLimits,
    containers: &mut Vec<Vec<u8>>,
) -> Result<(), MailRefused> {
    *parts += 1;
    if *parts > limits.parts_max {
        return Err(MailRefused::Parts(limits.parts_max));
    }
    if depth > limits.depth_max {
        return Err(MailRefused::Depth(limits.depth_max));
    }
    for inner in &part.subparts {
        collect(inner, depth + 1, parts, limits, containers)?;
    }
    if part.subparts.is_empty() {
        match part.get_body_raw() {
            Ok(body) => cut_out(&body, limits.parts_max, containers),
            // What a gateway has damaged may have been a letter: it is kept as one that cannot be read.
            Err(_undecodable) => containers.push(part.raw_bytes.to_vec()),
        }
    }
    if containers.len() > limits.parts_max { Err(MailRefused::Parts(limits.parts_max)) } else { Ok(()) }
}

/// Cuts each block out of a text, with the lines before it and without what follows it.
fn cut_out(text: &[u8], containers_max: usize, containers: &mut Vec<Vec<u8>>) {
    let mut from = 0;
    // One too many tells the caller.
    while containers.len() <= containers_max
        && let Some(begin) = find_line(text, BEGIN, from)
    {
        let start = if begin - from <= PREAMBLE_BYTES_MAX { from } else { begin };
        let end = find_line(text, END, begin).map_or(text.len(), |at| at + END.len());
        containers.push(text[start..end].to_vec());
        from = end;
    }
}

fn find_line(text: &[u8], marker: &[u8], from: usize) -> Option<usize> {
    memmem::find_iter(&text[from..], marker).map(|at| from + at).find(|&at| at == 0 || text[at - 1] == b'\n')
}

fn sender_domain(mail: &ParsedMail<'_>) -> String {
    let from = mail.headers.get_first_value("From").unwrap_or_default();
    let domain = from.rsplit_once('@').map(|(_, domain)| domain).unwrap_or_default();
    let domain: String = domain
        .chars()
        .take_while(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '-'))
        .take(DOMAIN_BYTES_MAX)
        .collect();
    domain.to_ascii_lowercase()
}

fn is_automatic(mail: &ParsedMail<'_>) -> bool {
    let value = mail.headers.get_first_value("Auto-Submitted").unwrap_or_default();
    !value.trim().is_empty() && !value.trim().eq_ignore_ascii_case("no")
}

fn message_id(mail: &ParsedMail<'_>) -> Option<String> {
    let id = mail.headers.get_first_value("Message-ID")?;
    // An encoded word brings any character, a line's end too.
    (id.len() <= MESSAGE_ID_BYTES_MAX && !id.contains(char::is_control)).then_some(id)
}

#[cfg(test)]
mod tests {
    use base64::Engine;

    use super::*;

    const SDC: &str = "SDC 1 agency=000042\r\n-----BEGIN CMS-----\r\nMAA=\r\n-----END CMS-----\r\n";

    fn containers(mail: &str) -> Vec<String> {
        let extracted = extract(mail.as_bytes(), &MailLimits::default()).unwrap();
        extracted.containers.into_iter().map(|container| String::from_utf8(container).unwrap()).collect()
    }

    fn attached(encoding: &str, content: &str) -> String {
        format!(
            "From: Poste <Poste@Office.Example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nBonjour\r\n--b\r\nContent-Type: application/octet-stream; name=l.sdc\r\n\
             Content-Transfer-Encoding: {encoding}\r\n\r\n{content}\r\n--b--\r\n"
        )
    }

    #[test]
    fn a_container_is_found_attached_or_in_the_text_under_any_encoding() {
        let trimmed = SDC.trim_end();
        let base64 = base64::engine::general_purpose::STANDARD.encode(SDC);
        assert_eq!(containers(&attached("7bit", SDC)), [trimmed]);
        assert_eq!(containers(&attached("base64", &base64)), [trimmed]);
        assert_eq!(containers(&attached("quoted-printable", &SDC.replace('=', "=3D"))), [trimmed]);
        assert_eq!(containers(&format!("From: a@b\r\n\r\n{SDC}-- \r\nmailing list footer\r\n")), [trimmed]);
        assert_eq!(containers(&format!("From: a@b\r\n\r\n{SDC}{SDC}")).len(), 2);
        assert_eq!(containers("From: a@b\r\n\r\nno container here").len(), 0);
    }

    #[test]
    fn no_letter_of_a_mail_is_passed_over() {
        let mail = |blocks: usize| format!("From: a@b\r\n\r\n{}", SDC.repeat(blocks));
        assert_eq!(containers(&mail(20)).len(), 20);
        let refused = extract(mail(21).as_bytes(), &MailLimits::default()).unwrap_err();
        assert_eq!(refused, MailRefused::Parts(20));
        // What a gateway has damaged is kept as it came, to be refused and looked at.
        let damaged = containers(&attached("base64", "U0RDIDEg*** damaged"));
        assert_eq!(damaged.len(), 1);
        assert!(damaged[0].contains("U0RDIDEg***"), "{damaged:?}");
    }

    #[test]
    fn what_the_header_says_is_bounded_and_plain() {
        let mail = attached("7bit", SDC);
        let extracted = extract(mail.as_bytes(), &MailLimits::default()).unwrap();
        assert_eq!(extracted.sender_domain, "office.example");
        assert!(!extracted.is_automatic);
        let mail = format!("From: x@{}<script>\r\nAuto-Submitted: auto-replied\r\n\r\n", "a".repeat(400));
        let extracted = extract(mail.as_bytes(), &MailLimits::default()).unwrap();
        assert_eq!(extracted.sender_domain.len(), DOMAIN_BYTES_MAX);
        assert!(extracted.is_automatic);
    }

    #[test]
    fn a_message_id_is_one_line() {
        let id = |value: &str| extract(format!("Message-ID: {value}\r\n\r\n").as_bytes(), &MailLimits::default());
        assert_eq!(id("<1@office.example>").unwrap().message_id.as_deref(), Some("<1@office.example>"));
        assert_eq!(id("=?utf-8?q?<1=0D=0ABcc:_x@y>?=").unwrap().message_id, None);
    }

    #[test]
    fn every_limit_is_kept_before_memory_is_spent() {
        let refused = |mail: &str| extract(mail.as_bytes(), &MailLimits::default()).unwrap_err();
        assert_eq!(refused(&" ".repeat((8 << 20) + 1)), MailRefused::Size(8 << 20));
        assert_eq!(refused(&format!("X: {}\r\n\r\n", "y".repeat(70_000))), MailRefused::Header(64 << 10));
        let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
        assert_eq!(refused(&format!("{head}{}", "--b\r\n\r\nx\r\n".repeat(100_000))), MailRefused::Parts(20));
        assert_eq!(refused(&format!("{head}{}", "--b\r\n\r\nx\r\n".repeat(50))), MailRefused::Parts(20));
        // A boundary that begins with dashes, as most do.
        let dashes = "Content-Type: multipart/mixed; boundary=--b\r\n\r\n";
        assert_eq!(refused(&format!("{dashes}{}", "----b\r\n\r\nx\r\n".repeat(100_000))), MailRefused::Parts(20));
        let marker = "Content-Type: multipart/mixed; boundary=\"---BEGIN CMS-----\"\r\n\r\n";
        assert_eq!(refused(&format!("{marker}{}", "-----BEGIN CMS-----\r\n\r\n".repeat(300))), MailRefused::Parts(20));
        // The header of a part, of more lines or parameters than any mail has.
        assert_eq!(refused(&format!("{head}--b\r\n{}", "a:\n".repeat(200_000))), MailRefused::Lines(200_000));
        let parameters = |count| (0..count).map(|number| format!(";\r\n a{number}*0*=b")).collect::<String>();
        let mail = |count| format!("{head}--b\r\ncontent-TYPE: text/plain{}\r\n\r\nx\r\n--b--", parameters(count));
        assert_eq!(refused(&mail(100_000)), MailRefused::ContentType(4 << 10));
        assert!(extract(mail(250).as_bytes(), &MailLimits::default()).is_ok());
        let mut nested = "Content-Type: text/plain\r\n\r\nx\r\n".to_owned();
        for level in 0..15 {
            nested = format!(
                "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n{nested}\r\n--b{level}--\r\n"
            );
        }
        assert_eq!(refused(&nested), MailRefused::Depth(10));
    }
}
