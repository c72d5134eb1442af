//! The SDC as text: optional explanatory lines, then one PEM block. FORMAT.md, Document.
//!
//! What stands before the block is a hint for routing at most. It is not signed, so nothing is ever decided by it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use memchr::memmem;

use crate::letter::Matricule;
use crate::refusal::{Refusal, RefusalCode};

const BEGIN: &str = "-----BEGIN CMS-----";
const END: &str = "-----END CMS-----";
/// Characters per line that RFC 7468, section 2 asks of a writer.
const LINE_CHARS: usize = 64;
const CLAIM: &[u8] = b"agency=";
const CLAIM_DIGITS: usize = 6;
/// How far into a mail a claim is looked for: headers and the first lines, at the price of one scan.
const CLAIM_SCANNED_BYTES: usize = 16 * 1024;

/// What a document may be.
#[derive(Clone, Debug)]
pub struct DocumentLimits {
    /// Whole document, in bytes. The agency's own limit, mostly lower, is judged once the agency is known.
    pub document_bytes_max: usize,
    /// Text before the block, in bytes.
    pub preamble_bytes_max: usize,
}

impl Default for DocumentLimits {
    fn default() -> DocumentLimits {
        DocumentLimits { document_bytes_max: 4 << 20, preamble_bytes_max: 4 << 10 }
    }
}

/// A well-formed document: its claim, and the DER that the block holds.
#[derive(Clone, Debug)]
pub struct Document {
    claim: Option<Matricule>,
    der: Vec<u8>,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// `document_malformed`, with parameter `expected`.
    pub fn parse(text: &[u8], limits: &DocumentLimits) -> Result<Document, Refusal> {
        if text.len() > limits.document_bytes_max {
            return Err(malformed(format!("at most {} bytes", limits.document_bytes_max)));
        }
        let text = std::str::from_utf8(text).map_err(|_not_utf8| malformed("UTF-8 text"))?;
        // Windows editors begin a UTF-8 file with this mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let begin = line_start(text, BEGIN).ok_or_else(|| malformed(format!("a line {BEGIN}")))?;
        if begin > limits.preamble_bytes_max {
            return Err(malformed(format!("at most {} bytes before the block", limits.preamble_bytes_max)));
        }
        let (preamble, block) = text.split_at(begin);
        let body = &block[BEGIN.len()..];
        let end = line_start(body, END).ok_or_else(|| malformed(format!("a line {END}")))?;
        let (body, rest) = body.split_at(end);
        // Anything after the block could be a second one that another reader prefers.
        if !rest[END.len()..].trim().is_empty() {
            return Err(malformed("nothing after the block"));
        }
        let mut base64 = Vec::with_capacity(body.len());
        base64.extend(body.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n' | b' ' | b'\t')));
        let der = BASE64.decode(base64).map_err(|_not_base64| malformed("base64 with its padding"))?;
        Ok(Document { claim: claim(preamble.as_bytes()), der })
    }

    /// Writes a document of 64-character lines, with a routing hint before the block where one is given.
    pub fn render(der: &[u8], hint: Option<Matricule>) -> Vec<u8> {
        let base64 = BASE64.encode(der);
        let mut text = String::with_capacity(base64.len() + base64.len() / LINE_CHARS + 80);
        if let Some(matricule) = hint {
            text.push_str(&format!("SDC 1 agency={matricule}\n"));
        }
        text.push_str(BEGIN);
        for (index, character) in base64.chars().enumerate() {
            if index % LINE_CHARS == 0 {
                text.push('\n');
            }
            text.push(character);
        }
        text.push('\n');
        text.push_str(END);
        text.push('\n');
        text.into_bytes()
    }

    /// Returns the agency that the text before the block mentions. Never trusted.
    pub fn claim(&self) -> Option<Matricule> {
        self.claim
    }

    /// Returns the DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

/// Finds the agency that a text mentions as `agency=NNNNNN`: in a mail's subject, or before the block. Never trusted.
pub fn claim(text: &[u8]) -> Option<Matricule> {
    let scanned = &text[..text.len().min(CLAIM_SCANNED_BYTES)];
    memmem::find_iter(scanned, CLAIM).find_map(|at| {
        let after = &scanned[at + CLAIM.len()..];
        // A body in quoted-printable writes the equals sign so (RFC 2045, 6.7).
        let after = after.strip_prefix(b"3D").unwrap_or(after);
        let (digits, rest) = after.split_at_checked(CLAIM_DIGITS)?;
        if !digits.iter().all(u8::is_ascii_digit) || rest.first().is_some_and(u8::is_ascii_digit) {
            return None;
        }
        let number = digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        Matricule::try_from(number).ok()
    })
}

/// Finds a marker that stands alone on its line.
fn line_start(text: &str, marker: &str) -> Option<usize> {
    memmem::find_iter(text.as_bytes(), marker).find(|&at| {
        let before = text[..at].bytes().next_back();
        let after = text[at + marker.len()..].trim_start_matches([' ', '\t']).bytes().next();
        matches!(before, None | Some(b'\n')) && matches!(after, None | Some(b'\r' | b'\n'))
    })
}

fn malformed(expected: impl ToString) -> Refusal {
    Refusal::new(RefusalCode::DocumentMalformed).with("expected", expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Document, Refusal> {
        Document::parse(text.as_bytes(), &DocumentLimits::default())
    }

    #[test]
    fn what_is_rendered_is_read_back() {
        let der: Vec<u8> = (0..=255).collect();
        let text = Document::render(&der, Some(Matricule::try_from(42).unwrap()));
        let document = Document::parse(&text, &DocumentLimits::default()).unwrap();
        assert_eq!(document.der(), der);
        assert_eq!(document.claim(), Some(Matricule::try_from(42).unwrap()));
        let windows = [b"\xef\xbb\xbf", &text[..]].concat();
        assert_eq!(Document::parse(&windows, &DocumentLimits::default()).unwrap().der(), der);
        let gateway = String::from_utf8(text).unwrap().replace('\n', "\r\n") + "\r\n \r\n";
        assert_eq!(parse(&gateway).unwrap().der(), der, "CRLF and blanks at the end come from mail");
    }

    #[test]
    fn every_other_shape_is_refused() {
        let good = "-----BEGIN CMS-----\nMAA=\n-----END CMS-----\n";
        assert!(parse(good).is_ok());
        let cases = [
            (String::new(), "a line -----BEGIN CMS-----"),
            (good.replace("BEGIN", "BEG1N"), "a line -----BEGIN CMS-----"),
            (format!("x{good}"), "a line -----BEGIN CMS-----"),
            (good.replace("-----END CMS-----", ""), "a line -----END CMS-----"),
            (good.replace("MAA=", "MAA"), "base64 with its padding"),
            (good.replace("MAA=", "M*A="), "base64 with its padding"),
            (format!("{good}{good}"), "nothing after the block"),
            (format!("{good}signature of a mailing list"), "nothing after the block"),
            (format!("{}\n{good}", "x".repeat(5000)), "at most 4096 bytes before the block"),
            (format!("{good}{}", " ".repeat(5 << 20)), "at most 4194304 bytes"),
        ];
        for (text, expected) in cases {
            let refusal = parse(&text).unwrap_err();
            assert_eq!(refusal.code, RefusalCode::DocumentMalformed);
            assert_eq!(refusal.parameters["expected"], expected);
        }
        assert!(
            Document::parse(b"\xff\n-----BEGIN CMS-----\nMAA=\n-----END CMS-----\n", &DocumentLimits::default())
                .is_err()
        );
    }

    #[test]
    fn a_claim_is_six_digits_near_the_top() {
        assert_eq!(claim(b"Subject: SDC 1 agency=000042\r\n").map(u32::from), Some(42));
        assert_eq!(claim(b"SDC 1 agency=3D000042=20\r\n").map(u32::from), Some(42), "quoted-printable");
        assert_eq!(claim(b"my agency=none; SDC 1 agency=000042").map(u32::from), Some(42));
        for text in ["agency=42", "agency=+00042", "agency=000000", "agency=", "agence=000042", "agency=0000421"] {
            assert_eq!(claim(text.as_bytes()), None, "{text}");
        }
        let mut far = vec![b' '; CLAIM_SCANNED_BYTES];
        far.extend_from_slice(b"agency=000042");
        assert_eq!(claim(&far), None);
    }
}
