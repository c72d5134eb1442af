//! Decodes Content-Transfer-Encoding (RFC 2045, 6). As the RFC requires of receivers, octets that do not belong to the encoding are
//! ignored.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::cost::{Cost, line};

/// The last group may lack its padding or have meaningless bits, because a gateway may have cut the text.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Encoding of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferEncoding {
    /// No encoding: `7bit`, `8bit`, `binary`.
    Identity,
    /// Base64 (RFC 2045, 6.8).
    Base64,
    /// Quoted-printable (RFC 2045, 6.7).
    QuotedPrintable,
}

/// A body that has been decoded.
#[derive(Debug)]
pub struct Decoded<'b> {
    /// Decoded octets.
    pub octets: Cow<'b, [u8]>,
    /// Whether the body cannot contain a block in any other encoding.
    pub is_certain: bool,
}

impl TransferEncoding {
    /// Every encoding, the plain one first.
    pub const ALL: [TransferEncoding; 3] =
        [TransferEncoding::Identity, TransferEncoding::Base64, TransferEncoding::QuotedPrintable];

    /// Reads the name of an encoding, in upper or lower case. Returns `None` for an unknown name.
    pub fn of_name(name: &[u8]) -> Option<TransferEncoding> {
        match name.to_ascii_lowercase().as_slice() {
            b"7bit" | b"8bit" | b"binary" => Some(TransferEncoding::Identity),
            b"base64" => Some(TransferEncoding::Base64),
            b"quoted-printable" => Some(TransferEncoding::QuotedPrintable),
            _ => None,
        }
    }

    /// Decodes a body. Any octets can be decoded.
    pub fn decode<'b>(self, body: &'b [u8], cost: &mut Cost) -> Decoded<'b> {
        match self {
            TransferEncoding::Identity => Decoded { octets: Cow::Borrowed(body), is_certain: false },
            TransferEncoding::Base64 => base64(body, cost),
            TransferEncoding::QuotedPrintable => {
                Decoded { octets: Cow::Owned(quoted_printable(body, cost)), is_certain: false }
            }
        }
    }
}

/// "All line breaks or other characters not found in Table 1 must be ignored by decoding software", and padding "may be taken as evidence
/// that the end of the data has been reached" (RFC 2045, 6.8). So what a gateway appends after the padding is ignored.
fn base64<'b>(body: &[u8], cost: &mut Cost) -> Decoded<'b> {
    let mut characters = Vec::with_capacity(body.len());
    let (mut is_ended, mut is_certain) = (false, true);
    for octet in body {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if !is_ended => characters.push(*octet),
            b'=' => is_ended = true,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => is_certain = false,
        }
    }
    // A single last character does not encode a whole octet.
    characters.truncate(characters.len() - usize::from(characters.len() % 4 == 1));
    cost.add(body.len() + characters.len());
    // All remaining characters can be decoded.
    Decoded { octets: Cow::Owned(BASE64.decode(characters).unwrap_or_default()), is_certain }
}

/// Octets that are not part of the encoding stay unchanged. Blanks at the end of a line are removed (RFC 2045, 6.7).
fn quoted_printable(body: &[u8], cost: &mut Cost) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(body.len());
    let mut at = 0;
    while let Some(line) = line(body, at, cost) {
        let end = &body[line.start + line.octets.len()..line.next];
        at = line.next;
        let mut rest = line.octets.trim_ascii_end();
        cost.add(line.octets.len());
        let is_soft = rest.last() == Some(&b'=');
        if is_soft {
            rest = &rest[..rest.len() - 1];
        }
        while let Some((octet, after)) = rest.split_first() {
            rest = after;
            match (octet, after) {
                (b'=', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    decoded.push(nibble(*high) << 4 | nibble(*low));
                    rest = after;
                }
                _ => decoded.push(*octet),
            }
        }
        if !is_soft {
            decoded.extend_from_slice(end);
        }
    }
    decoded
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: TransferEncoding, body: &str) -> String {
        String::from_utf8_lossy(&encoding.decode(body.as_bytes(), &mut Cost::default()).octets).into_owned()
    }

    #[test]
    fn base64_passes_over_what_is_not_of_it_and_ends_with_its_padding() {
        for body in [
            "Qm9uam91cg==",
            "Qm9u\r\nam91cg==\r\n-- \r\nfooter",
            "Qm-9u*am<91>cg==",
            "Qm9uam91cg",
            "Qm9uam91cg=",
            "Qm9uam91ch==",
        ] {
            assert_eq!(decoded(TransferEncoding::Base64, body), "Bonjour", "{body}");
        }
        assert_eq!(decoded(TransferEncoding::Base64, "Q"), "");
        let is_certain = |body: &str| TransferEncoding::Base64.decode(body.as_bytes(), &mut Cost::default()).is_certain;
        assert!(is_certain("Qm9u\r\nam91cg==\r\n"));
        assert!(!is_certain("Qm9uam91cg==\r\nfooter"), "a block might stand behind the padding");
    }

    #[test]
    fn quoted_printable_keeps_what_is_no_encoding() {
        for (body, expected) in [
            ("d=E9j=e0 vu", "d\u{fffd}j\u{fffd} vu"),
            ("MAA=3D\r\n", "MAA=\r\n"),
            ("soft=\r\nline=  \nend", "softlineend"),
            ("blank \t\r\nnext\n", "blank\r\nnext\n"),
            ("=G1 = =3", "=G1 = =3"),
        ] {
            assert_eq!(decoded(TransferEncoding::QuotedPrintable, body), expected, "{body:?}");
        }
    }
}
