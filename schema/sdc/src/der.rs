//! A strict reader of DER (X.690). Each value has one encoding, so that no two readers can see different structures.
//!
//! This crate has its own reader because OpenSSL's parser also accepts BER: octets that this reader refuses never reach OpenSSL. The
//! reader allocates no memory and never reads past its slice. It does not check one rule of DER: the order within a SET OF, which changes
//! no value, and which older software gets wrong in signatures.

use crate::expected::Expected;

/// Deepest nesting admitted.
pub const DEPTH_MAX: usize = 16;

/// An ASN.1 tag octet, low tag numbers only.
pub type Tag = u8;

/// BOOLEAN
pub const BOOLEAN: Tag = 0x01;
/// INTEGER
pub const INTEGER: Tag = 0x02;
/// BIT STRING
pub const BIT_STRING: Tag = 0x03;
/// OCTET STRING
pub const OCTET_STRING: Tag = 0x04;
/// NULL
pub const NULL: Tag = 0x05;
/// OBJECT IDENTIFIER
pub const OBJECT_IDENTIFIER: Tag = 0x06;
/// UTCTime
pub const UTC_TIME: Tag = 0x17;
/// GeneralizedTime
pub const GENERALIZED_TIME: Tag = 0x18;
/// SEQUENCE
pub const SEQUENCE: Tag = 0x30;
/// SET
pub const SET: Tag = 0x31;
/// Constructed bit of a tag.
const CONSTRUCTED: u8 = 0x20;
/// Class bits of a tag. Where all are zero, the class is universal.
const CLASS: u8 = 0xc0;

/// Returns the tag `[number]`, constructed.
pub const fn context(number: u8) -> Tag {
    0xa0 | number
}

/// Returns the tag `[number]`, primitive.
pub const fn context_primitive(number: u8) -> Tag {
    0x80 | number
}

/// Error: the octets are not DER, or not the expected structure. The error says what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct DerError(pub Expected);

type Result<T> = std::result::Result<T, DerError>;

/// One element of DER.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    /// The element's tag.
    pub tag: Tag,
    /// The element's content.
    pub content: &'a [u8],
    /// The element's tag, length and content.
    pub whole: &'a [u8],
}

/// Reads elements one after another.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Makes a reader at the beginning of a slice.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Says whether all octets have been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the octets that have not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Returns the tag of the next element; none at the end.
    pub fn peek(&self) -> Option<Tag> {
        self.rest.first().copied()
    }

    /// Reads the next element.
    pub fn element(&mut self) -> Result<Element<'a>> {
        let [tag, rest @ ..] = self.rest else { return Err(DerError(Expected::OneMoreElement)) };
        // High tag numbers have many encodings, and CMS needs none of them.
        if tag & 0x1f == 0x1f {
            return Err(DerError(Expected::TagNumber));
        }
        let (length, length_octets) = length(rest)?;
        let header = 1 + length_octets;
        // A length that ends beyond the octets would make a careless parser read memory behind the octets.
        let end = header.checked_add(length).filter(|end| *end <= self.rest.len());
        let (whole, rest) = self.rest.split_at(end.ok_or(DerError(Expected::LengthWithinBytes))?);
        self.rest = rest;
        Ok(Element { tag: *tag, content: &whole[header..], whole })
    }

    /// Reads the next element, which must have this tag.
    pub fn expect(&mut self, tag: Tag, what: Expected) -> Result<Element<'a>> {
        if self.peek() != Some(tag) {
            return Err(DerError(what));
        }
        self.element()
    }

    /// Reads the next element if it has this tag; otherwise returns none.
    pub fn optional(&mut self, tag: Tag) -> Result<Option<Element<'a>>> {
        if self.peek() == Some(tag) { self.element().map(Some) } else { Ok(None) }
    }

    /// Reads the next element, which must be constructed with this tag, and returns a reader of its content.
    pub fn enter(&mut self, tag: Tag, what: Expected) -> Result<Reader<'a>> {
        Ok(Reader::new(self.expect(tag, what)?.content))
    }

    /// Checks that all octets have been read, because octets after a structure could give it a second meaning.
    pub fn end(&self, what: Expected) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(DerError(what)) }
    }

    /// Reads an INTEGER from 0 to 127.
    pub fn small_integer(&mut self, what: Expected) -> Result<u8> {
        match self.expect(INTEGER, what)?.content {
            [value] if *value < 0x80 => Ok(*value),
            _ => Err(DerError(what)),
        }
    }
}

/// Reads a definite, minimal length. Returns the length and the number of its octets.
fn length(bytes: &[u8]) -> Result<(usize, usize)> {
    let [first, rest @ ..] = bytes else { return Err(DerError(Expected::Length)) };
    match first {
        0..=0x7f => Ok((usize::from(*first), 1)),
        // An indefinite length is BER. Its end is found only by reading on, and readers differ about it. `openssl` writes it with the
        // option -stream.
        0x80 => Err(DerError(Expected::DefiniteLength)),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let octets = rest.get(..count).ok_or(DerError(Expected::WholeLength))?;
            let value = octets.iter().fold(0usize, |value, octet| value << 8 | usize::from(*octet));
            // A length in a longer form than needed would be a second encoding of the same value.
            let is_minimal = octets[0] != 0 && value > 0x7f;
            if is_minimal { Ok((value, 1 + count)) } else { Err(DerError(Expected::MinimalLength)) }
        }
        // The length has more than four octets. No document is so long, and on a machine of 32 bits the number would overflow.
        _ => Err(DerError(Expected::ShortLength)),
    }
}

/// Checks depth and encoding of a whole structure. The scans call it first; afterwards they may skip parts of the structure without
/// checking them.
///
/// # Errors
/// An element is not DER, or is nested more than [`DEPTH_MAX`] deep.
pub fn check(bytes: &[u8]) -> Result<()> {
    let mut reader = Reader::new(bytes);
    let element = reader.element()?;
    reader.end(Expected::NothingAfterStructure)?;
    check_element(&element, 0)
}

fn check_element(element: &Element<'_>, depth: usize) -> Result<()> {
    // Every level of nesting costs stack memory, and 4 000 levels have crashed other programs.
    if depth > DEPTH_MAX {
        return Err(DerError(Expected::Depth));
    }
    let is_universal = element.tag & CLASS == 0;
    if element.tag & CONSTRUCTED == 0 {
        return if is_universal { check_primitive(element) } else { Ok(()) };
    }
    // A constructed string is BER: its octets come in pieces, which a reader must join before it can compare them.
    if is_universal && !matches!(element.tag, SEQUENCE | SET) {
        return Err(DerError(Expected::StringInOnePiece));
    }
    let mut reader = Reader::new(element.content);
    while !reader.is_empty() {
        check_element(&reader.element()?, depth + 1)?;
    }
    Ok(())
}

/// Checks that a value of a universal type has its only encoding. Where a type has no empty value, no octets at all are refused: some
/// readers have then taken the octets of the next element for the value.
fn check_primitive(element: &Element<'_>) -> Result<()> {
    let is_sound = match element.tag {
        // Tag 0 marks the end of an element of indefinite length, which only BER has.
        0 => false,
        BOOLEAN => matches!(element.content, [0 | 0xff]),
        INTEGER => match element.content {
            [] => false,
            [0, next, ..] => next & 0x80 != 0,
            [0xff, next, ..] => next & 0x80 == 0,
            _ => true,
        },
        // The first octet counts the unused bits at the end, which must be zero.
        BIT_STRING => match element.content {
            [] => false,
            [unused] => *unused == 0,
            [unused, .., last] => *unused < 8 && last.trailing_zeros() >= u32::from(*unused),
        },
        NULL => element.content.is_empty(),
        OBJECT_IDENTIFIER => is_minimal_identifier(element.content),
        tag => !matches!(tag | CONSTRUCTED, SEQUENCE | SET),
    };
    if is_sound { Ok(()) } else { Err(DerError(Expected::OneEncoding)) }
}

/// Says whether each arc of an object identifier is complete and without leading zeros: `2a 80 86` would be a second encoding of `2a 86`.
fn is_minimal_identifier(content: &[u8]) -> bool {
    let mut begins_arc = true;
    for octet in content {
        if begins_arc && *octet == 0x80 {
            return false;
        }
        begins_arc = octet & 0x80 == 0;
    }
    begins_arc && !content.is_empty()
}

/// Writes one element: the reverse of [`Reader::element`].
pub fn write(tag: Tag, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|content| content.len()).sum();
    let mut whole = Vec::with_capacity(length + 6);
    whole.push(tag);
    let octets = length.to_be_bytes();
    let significant = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];
    match significant {
        [] => whole.push(0),
        [short] if *short < 0x80 => whole.push(*short),
        long => {
            // The length has at most eight octets.
            whole.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            whole.extend_from_slice(long);
        }
    }
    contents.iter().for_each(|content| whole.extend_from_slice(content));
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_encoding_of_each_value_is_admitted() {
        for good in [
            &[0x30, 0x00][..],
            &[0x30, 0x03, 0x02, 0x01, 0x05],
            &[0x01, 0x01, 0xff],
            &[0x02, 0x02, 0x00, 0x80],
            &[0x02, 0x02, 0xff, 0x7f],
            &[0x03, 0x02, 0x04, 0xf0],
            &[0x06, 0x03, 0x2a, 0x86, 0x48],
            &[0x80, 0x00],
            &write(OCTET_STRING, &[&[0; 128]]),
        ] {
            assert_eq!(check(good), Ok(()), "{good:02x?}");
        }
        const VALUE: &str = "the one encoding that DER gives a value";
        const PIECE: &str = "strings and numbers in one piece";
        let bad: [(&[u8], &str); 29] = [
            (&[], "one more element"),
            (&[0x30], "a length"),
            (&[0x30, 0x80, 0, 0], "definite lengths: sign and encrypt without -stream"),
            (&[0x30, 0x01], "lengths within the bytes"),
            (&[0x30, 0x82, 0x01], "a whole length"),
            (&[0x30, 0x00, 0x00], "nothing after the structure"),
            (&[0x04, 0x81, 0x01, 0x00], "minimal lengths"),
            (&[0x04, 0x82, 0x00, 0x80], "minimal lengths"),
            (&[0x04, 0x85, 1, 1, 1, 1, 1], "lengths of at most four octets"),
            (&[0x04, 0x84, 0xff, 0xff, 0xff, 0xff], "lengths within the bytes"),
            (&[0x3f, 0x81, 0x00], "tag numbers below 31"),
            (&[0x24, 0x00], PIECE),
            (&[0x23, 0x00], PIECE),
            (&[0x22, 0x00], PIECE),
            (&[0x2c, 0x00], PIECE),
            (&[0x00, 0x00], VALUE),
            (&[0x01, 0x01, 0x01], VALUE),
            (&[0x01, 0x00], VALUE),
            (&[0x02, 0x00], VALUE),
            (&[0x02, 0x02, 0x00, 0x05], VALUE),
            (&[0x02, 0x02, 0xff, 0x85], VALUE),
            (&[0x03, 0x00], VALUE),
            (&[0x03, 0x01, 0x01], VALUE),
            (&[0x03, 0x02, 0x04, 0xf8], VALUE),
            (&[0x05, 0x01, 0x00], VALUE),
            (&[0x06, 0x00], VALUE),
            (&[0x06, 0x02, 0x80, 0x01], VALUE),
            (&[0x06, 0x02, 0x2a, 0x86], VALUE),
            (&[0x10, 0x00], VALUE),
        ];
        for (bytes, expected) in bad {
            assert_eq!(check(bytes).map_err(|error| error.0.to_string()), Err(expected.to_owned()), "{bytes:02x?}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let mut nested = write(SEQUENCE, &[]);
        for _ in 0..DEPTH_MAX {
            nested = write(SEQUENCE, &[&nested]);
        }
        assert_eq!(check(&nested), Ok(()));
        assert_eq!(check(&write(SEQUENCE, &[&nested])), Err(DerError(Expected::Depth)));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000] {
            let content = vec![7; length];
            let whole = write(OCTET_STRING, &[&content]);
            assert_eq!(Reader::new(&whole).element().map(|element| element.content.to_vec()), Ok(content), "{length}");
            assert_eq!(check(&whole), Ok(()));
        }
    }
}
