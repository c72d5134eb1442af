//! Reads the header of a mail or of a part, field by field. Only the first token of each field and the needed parameters are kept.
//!
//! RFC 2047 is never decoded. Nothing that the walk needs is written in this encoding, and the libraries that decode it need more than
//! linear time for what a stranger writes. For the same reason this module parses parameters itself.

use super::cost::{Cost, Line};
use super::transfer_encoding::TransferEncoding;

/// Longest line that is read, in octets (RFC 5322, 2.1.1). A longer line is skipped.
const LINE_BYTES_MAX: usize = 998;
/// Longest field that is read, in octets, including its folded lines. A longer field is skipped.
const FIELD_BYTES_MAX: usize = 8 << 10;

/// The fields that are read, by their names in lower case.
const WANTED: [&str; 5] = ["content-type", "content-transfer-encoding", "from", "auto-submitted", "message-id"];

/// Fields of a header.
#[derive(Debug, Default)]
pub struct Header {
    /// Content-Type; of several fields, the first that states a type.
    pub content_type: Option<ContentType>,
    /// Content-Transfer-Encoding; of several fields, the first with a known value.
    pub transfer_encoding: Option<TransferEncoding>,
    /// Fields that are used only in the header of the whole mail.
    pub origin: Origin,
}

/// What a mail states about itself. These are claims that anybody can make.
#[derive(Debug, Default)]
pub struct Origin {
    /// Value of the field From.
    pub from: Option<Vec<u8>>,
    /// Value of the field Auto-Submitted.
    pub auto_submitted: Option<Vec<u8>>,
    /// Value of the field Message-ID.
    pub message_id: Option<Vec<u8>>,
}

/// A content type with the needed parameters.
#[derive(Debug, Default)]
pub struct ContentType {
    /// The type in lower case, for example `text/plain`.
    pub kind: Vec<u8>,
    /// Parameter `boundary` (RFC 2046, 5.1.1).
    pub boundary: Option<Vec<u8>>,
    /// Parameter `charset` (RFC 2045, 5.2).
    pub charset: Option<Vec<u8>>,
}

/// A header of which some lines have been read.
#[derive(Debug, Default)]
pub struct HeaderReader {
    header: Header,
    field: Option<Field>,
    /// Number of octets of all lines so far.
    pub bytes: usize,
}

/// A field whose folded lines may still follow.
#[derive(Clone, Copy, Debug)]
struct Field {
    start: usize,
    end: usize,
    is_skipped: bool,
}

impl HeaderReader {
    /// Reads the next line of a header in `text`.
    pub fn take(&mut self, text: &[u8], line: Line<'_>, cost: &mut Cost) {
        self.bytes += line.next - line.start;
        let is_fold = matches!(line.octets.first(), Some(b' ' | b'\t'));
        if !is_fold {
            self.end_field(text, cost);
        }
        let before = self.field.filter(|_| is_fold);
        let (start, was_skipped) = before.map_or((line.start, false), |field| (field.start, field.is_skipped));
        let end = line.start + line.octets.len();
        let is_too_long = line.octets.len() > LINE_BYTES_MAX || end - start > FIELD_BYTES_MAX;
        self.field = Some(Field { start, end, is_skipped: was_skipped || is_too_long });
    }

    /// Ends the header.
    pub fn end(mut self, text: &[u8], cost: &mut Cost) -> Header {
        self.end_field(text, cost);
        self.header
    }

    fn end_field(&mut self, text: &[u8], cost: &mut Cost) {
        if let Some(Field { start, end, is_skipped: false }) = self.field.take() {
            self.header.read(&text[start..end], cost);
        }
    }
}

impl Header {
    fn read(&mut self, field: &[u8], cost: &mut Cost) {
        let Some(colon) = cost.find(b':', field) else { return };
        // The obsolete syntax allows blanks before the colon (RFC 5322, 4.5.8).
        let name = field[..colon].trim_ascii_end();
        cost.add(name.len());
        let origin = &mut self.origin;
        let Some(wanted) = WANTED.into_iter().find(|wanted| wanted.as_bytes().eq_ignore_ascii_case(name)) else {
            return;
        };
        match wanted {
            "content-type" if self.content_type.is_none() => {
                self.content_type = ContentType::read(&pieces(&value(field, cost), cost), cost);
            }
            "content-transfer-encoding" if self.transfer_encoding.is_none() => {
                let pieces = pieces(&value(field, cost), cost);
                self.transfer_encoding = pieces.first().and_then(|name| TransferEncoding::of_name(name.trim_ascii()));
            }
            "from" if origin.from.is_none() => origin.from = Some(value(field, cost)),
            "auto-submitted" if origin.auto_submitted.is_none() => {
                origin.auto_submitted = pieces(&value(field, cost), cost).into_iter().next();
            }
            "message-id" if origin.message_id.is_none() => origin.message_id = Some(value(field, cost)),
            _ => {}
        }
    }
}

/// Returns the value of a field, unfolded (RFC 5322, 2.2.3).
fn value(field: &[u8], cost: &mut Cost) -> Vec<u8> {
    // mailparse reads each octet of a field once, and the octets of its name once more.
    cost.add(3 * field.len());
    let Ok((header, _)) = mailparse::parse_header(field) else { return Vec::new() };
    let unfolded = header.get_value_raw().iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n'));
    unfolded.collect::<Vec<u8>>().trim_ascii().to_vec()
}

/// Splits a structured value at its semicolons. Removes comments (RFC 5322, 3.2.2) and the quotes of quoted strings.
fn pieces(value: &[u8], cost: &mut Cost) -> Vec<Vec<u8>> {
    cost.add(value.len());
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    let (mut is_quoted, mut is_escaped, mut comments) = (false, false, 0usize);
    for octet in value.iter().copied() {
        match octet {
            _ if is_escaped => {
                is_escaped = false;
                piece.extend((comments == 0).then_some(octet));
            }
            b'\\' if is_quoted || comments > 0 => is_escaped = true,
            b'"' if comments == 0 => is_quoted = !is_quoted,
            b'(' if !is_quoted => comments += 1,
            b')' if comments > 0 => comments -= 1,
            _ if comments > 0 => {}
            b';' if !is_quoted => pieces.push(std::mem::take(&mut piece)),
            _ => piece.push(octet),
        }
    }
    pieces.push(piece);
    pieces
}

impl ContentType {
    fn read(pieces: &[Vec<u8>], cost: &mut Cost) -> Option<ContentType> {
        let (kind, parameters) = pieces.split_first()?;
        let kind: Vec<u8> =
            kind.iter().filter(|octet| !octet.is_ascii_whitespace()).map(u8::to_ascii_lowercase).collect();
        let boundary = parameter(parameters, b"boundary", cost);
        let charset = parameter(parameters, b"charset", cost);
        kind.contains(&b'/').then_some(ContentType { kind, boundary, charset })
    }
}

/// Returns a parameter. If it is split into segments, up to ten of them are joined, and percent signs are decoded (RFC 2231, 3 and 4).
fn parameter(parameters: &[Vec<u8>], wanted: &[u8], cost: &mut Cost) -> Option<Vec<u8>> {
    let mut segments: [Option<Vec<u8>>; 10] = Default::default();
    for parameter in parameters {
        cost.add(parameter.len());
        let Some(equals) = memchr::memchr(b'=', parameter) else { continue };
        let (name, value) = (parameter[..equals].trim_ascii(), parameter[equals + 1..].trim_ascii());
        let Some((own, rest)) = name.split_at_checked(wanted.len()) else { continue };
        if !own.eq_ignore_ascii_case(wanted) {
            continue;
        }
        let (number, text) = match rest {
            b"" => return Some(value.to_vec()),
            b"*" => (0, without_percent_signs(value, true)),
            [b'*', digit @ b'0'..=b'9'] => (digit - b'0', value.to_vec()),
            [b'*', digit @ b'0'..=b'9', b'*'] => (digit - b'0', without_percent_signs(value, *digit == b'0')),
            _ => continue,
        };
        segments[usize::from(number)] = Some(text);
    }
    let text: Vec<u8> = segments.into_iter().map_while(|segment| segment).flatten().collect();
    (!text.is_empty()).then_some(text)
}

/// Decodes percent signs. Skips the character set and language with which the first segment begins.
fn without_percent_signs(value: &[u8], is_first: bool) -> Vec<u8> {
    let text = if is_first { value.splitn(3, |octet| *octet == b'\'').nth(2).unwrap_or(value) } else { value };
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((octet, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).filter(|_| *octet == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(encoded) => {
                decoded.push(encoded);
                rest = &after[2..];
            }
            None => {
                decoded.push(*octet);
                rest = after;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::super::cost::line;
    use super::*;

    fn read(text: &str) -> Header {
        let (mut reader, mut cost, mut at) = (HeaderReader::default(), Cost::default(), 0);
        while let Some(line) = line(text.as_bytes(), at, &mut cost) {
            at = line.next;
            reader.take(text.as_bytes(), line, &mut cost);
        }
        assert!(cost.octets() <= 8 * text.len() + 100, "{} for {}", cost.octets(), text.len());
        reader.end(text.as_bytes(), &mut cost)
    }

    fn content_type(value: &str) -> (String, Option<String>, Option<String>) {
        let found = read(&format!("Content-Type:{value}\r\n")).content_type.unwrap_or_default();
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        (text(found.kind), found.boundary.map(text), found.charset.map(text))
    }

    #[test]
    fn a_content_type_is_read_with_blanks_comments_quotes_and_segments() {
        let mixed = ("multipart/mixed".to_owned(), Some("=_b; x".to_owned()), None);
        for value in [
            " multipart/mixed; boundary=\"=_b; x\"",
            "Multipart/Mixed;\r\n\tBOUNDARY = \"=_b\\; x\" ",
            " (a (nested; boundary=c) comment) multipart / mixed (b) ; charset; boundary=\"=_b; x\"(c)",
            " multipart/mixed; boundary*=utf-8'fr'%3D_b%3B%20x",
            " multipart/mixed; boundary*1=\"x\"; boundary*0*=utf-8''%3D_b%3b%20",
            " multipart/mixed; boundary*0=other; boundary=\"=_b; x\"; xboundary=y",
        ] {
            assert_eq!(content_type(value), mixed, "{value}");
        }
        assert_eq!(content_type(" text/plain; charset=utf-16le").2.as_deref(), Some("utf-16le"));
        assert_eq!(content_type(" nothing").0, "");
        assert_eq!(content_type(" text/plain; boundary*1=x; boundary*=%").1.as_deref(), Some("%x"));
    }

    #[test]
    fn of_several_encodings_the_first_that_is_known_counts() {
        let base64 = Some(TransferEncoding::Base64);
        for fields in [
            "Content-Transfer-Encoding: base64  ",
            "content-transfer-encoding :\tBASE64",
            "Content-Transfer-Encoding: (as ever) base64 (RFC 2045)",
            "Content-Transfer-Encoding:\r\n base64;",
            "Content-Transfer-Encoding: \"base64\"",
            "Content-Transfer-Encoding: raw\r\nContent-Transfer-Encoding: raw\r\nContent-Transfer-Encoding: base64",
            "Content-Transfer-Encoding: base64\r\nContent-Transfer-Encoding: 7bit",
        ] {
            assert_eq!(read(&format!("{fields}\r\n")).transfer_encoding, base64, "{fields}");
        }
        assert_eq!(read("Content-Transfer-Encoding: x-uuencode\r\n").transfer_encoding, None);
    }

    #[test]
    fn what_is_longer_than_any_honest_field_is_skipped_and_the_rest_read() {
        let id = "Message-ID: <1@x>\r\n";
        let folded = |lines: usize| format!("From: a@b\r\n{}", " x\r\n".repeat(lines));
        for long in [format!("From: {}@b\r\n", "a".repeat(1000)), folded(3000), format!("{}\r\n", "x".repeat(100_000))]
        {
            let header = read(&format!("{long}{id}"));
            assert_eq!((header.origin.from, header.origin.message_id), (None, Some(b"<1@x>".to_vec())));
        }
        assert!(read(&folded(1000)).origin.from.is_some());
    }
}
