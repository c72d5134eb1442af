//! The container as text: optional explanatory lines, then one PEM block (FORMAT.md, Document).
//!
//! The text before the block is at most a hint for routing. It is not signed, so nothing is ever decided by it. It may be any octets, in
//! any character set.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use memchr::memmem;

use crate::expected::Expected;
use crate::letter::Matricule;
use crate::refusal::{Refusal, RefusalCode};

mod blocks;

pub use blocks::{Block, Blocks};

const BEGIN: &str = "-----BEGIN CMS-----";
const END: &str = "-----END CMS-----";
/// Characters per line that RFC 7468, section 2, requires of a writer.
const LINE_CHARS: usize = 64;
const CLAIM: &[u8] = b"agency=";
const CLAIM_DIGITS: usize = 6;
/// Number of octets at the beginning of a mail that are searched for `agency=NNNNNN`, the sender's unproven claim to be this agency. They
/// hold the longest admitted header of a mail (256 KiB) and the first lines of the body, so that one scan finds the claim in either.
const CLAIM_SCANNED_BYTES: usize = (256 + 16) * 1024;

/// The limits of a document.
#[derive(Clone, Debug)]
pub struct DocumentLimits {
    /// Maximum number of bytes of the whole document. The agency's own limit, mostly lower, is checked once the agency is known.
    pub document_bytes_max: usize,
    /// Maximum number of bytes of the text before the block.
    pub preamble_bytes_max: usize,
}

impl Default for DocumentLimits {
    fn default() -> DocumentLimits {
        DocumentLimits { document_bytes_max: 4 << 20, preamble_bytes_max: 4 << 10 }
    }
}

/// A well-formed document: the agency that the unsigned text before the block claims as its sender, and the DER in the block.
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
            return Err(malformed(Expected::DocumentBytes(limits.document_bytes_max)));
        }
        let block = Blocks::of(text).next().filter(|block| block.is_alone);
        let block = block.ok_or_else(|| malformed(Expected::BeginLine))?;
        if block.start > limits.preamble_bytes_max {
            return Err(malformed(Expected::BytesBeforeBlock(limits.preamble_bytes_max)));
        }
        if !block.is_closed {
            return Err(malformed(Expected::EndLine(block.label)));
        }
        // Only blanks may follow. A second block would let two readers take different letters from one document: one the first, another the
        // last.
        if !is_blank(&text[block.end..]) {
            return Err(malformed(Expected::NothingAfterBlock));
        }
        let der = block.der().ok_or_else(|| malformed(Expected::PaddedBase64))?;
        Ok(Document { claim: claim(&text[..block.start]), der })
    }

    /// Writes a document with lines of 64 characters, and with a routing hint before the block where one is given.
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

    /// Returns the number of bytes that [`Document::render`] writes for the DER without a hint. Limits and prices count these bytes,
    /// because they do not depend on the sender's line length or on the text around the block.
    pub fn rendered_bytes(&self) -> usize {
        rendered_bytes(self.der.len())
    }

    /// Returns the agency in the text before the block. It is never trusted.
    pub fn claim(&self) -> Option<Matricule> {
        self.claim
    }

    /// Returns the DER in the block.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

/// Returns the number of bytes that [`Document::render`] writes for this many octets of DER without a hint.
pub fn rendered_bytes(der_octets: usize) -> usize {
    let base64 = der_octets.div_ceil(3) * 4;
    BEGIN.len() + base64.div_ceil(LINE_CHARS) + base64 + 1 + END.len() + 1
}

/// Finds an agency that a text claims as `agency=NNNNNN`, in a mail's subject or before the block. The claim is never trusted.
pub fn claim(text: &[u8]) -> Option<Matricule> {
    let scanned = &text[..text.len().min(CLAIM_SCANNED_BYTES)];
    memmem::find_iter(scanned, CLAIM).find_map(|at| {
        let after = &scanned[at + CLAIM.len()..];
        // A body in quoted-printable writes the equals sign as `=3D` (RFC 2045, 6.7).
        let after = after.strip_prefix(b"3D").unwrap_or(after);
        let (digits, rest) = after.split_at_checked(CLAIM_DIGITS)?;
        if !digits.iter().all(u8::is_ascii_digit) || rest.first().is_some_and(u8::is_ascii_digit) {
            return None;
        }
        let number = digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        Matricule::try_from(number).ok()
    })
}

/// Says whether a text has only white space and `>`, the mark of a quotation.
fn is_blank(text: &[u8]) -> bool {
    std::str::from_utf8(text)
        .is_ok_and(|text| text.chars().all(|character| character.is_whitespace() || character == '>'))
}

fn malformed(expected: Expected) -> Refusal {
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
    fn what_a_document_measures_depends_on_its_der_alone() {
        for length in (0..200).chain([1023, 1024, 1025, 100_000]) {
            let der = vec![0x5a; length];
            let rendered = Document::render(&der, None);
            let read = |text: &[u8]| Document::parse(text, &DocumentLimits::default()).unwrap().rendered_bytes();
            assert_eq!(read(&rendered), rendered.len(), "{length}");
            assert_eq!(read(&Document::render(&der, Some(Matricule::try_from(42).unwrap()))), rendered.len());
            let text = String::from_utf8(rendered.clone()).unwrap();
            let disclaimer = format!("{}\n{}", "This mail is confidential. ".repeat(75), text.replace('\n', "\r\n"));
            assert_eq!(read(disclaimer.as_bytes()), rendered.len());
            let base64 = BASE64.encode(&der);
            for line in [1, 4, 76, 1000] {
                let lines: Vec<&str> =
                    base64.as_bytes().chunks(line).map(|line| str::from_utf8(line).unwrap()).collect();
                let wrapped = format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"));
                assert_eq!(read(wrapped.as_bytes()), rendered.len(), "{length} in lines of {line}");
            }
        }
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
    }

    /// The text before the block is Latin-1, TNEF, or ends within a UTF-8 character. It is not trusted, so it never causes a refusal.
    #[test]
    fn octets_before_the_block_are_never_judged() {
        for before in [&b"d\xe9claration n\xb0 12\r\n"[..], b"\x78\x9f\x3e\x22\0\xff\xfe\n", b"\xc3\n", b"\0"] {
            let text = [before, b"SDC 1 agency=000042\n-----BEGIN CMS-----\nMAA=\n-----END CMS-----\n"].concat();
            let document = Document::parse(&text, &DocumentLimits::default()).unwrap();
            assert_eq!((document.der(), document.claim().map(u32::from)), (&[0x30, 0][..], Some(42)));
        }
    }

    #[test]
    fn older_software_writes_another_label() {
        let text = "-----BEGIN PKCS7-----\nMAA=\n-----END PKCS7-----\n";
        assert_eq!(parse(text).unwrap().der(), [0x30, 0]);
        let refusal = parse(&text.replace("END PKCS7", "END CMS")).unwrap_err();
        assert_eq!(refusal.parameters["expected"], "a line -----END PKCS7-----");
        assert!(
            parse(&format!("{text}-----BEGIN CMS-----\nMAA=\n-----END CMS-----\n")).is_err(),
            "the first counts for all"
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
