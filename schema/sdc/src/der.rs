//! A strict reader of DER (X.690): one encoding per value, so that no two readers can see different structures.
//!
//! Written here because it stands before OpenSSL, whose own parser accepts BER: what this reader does not admit never
//! reaches it. It allocates nothing and never reads past its slice.

/// Deepest nesting admitted.
pub const DEPTH_MAX: usize = 16;

/// An ASN.1 tag octet, low tag numbers only.
pub type Tag = u8;

/// INTEGER
pub const INTEGER: Tag = 0x02;
/// OCTET STRING
pub const OCTET_STRING: Tag = 0x04;
/// NULL
pub const NULL: Tag = 0x05;
/// OBJECT IDENTIFIER
pub const OBJECT_IDENTIFIER: Tag = 0x06;
/// BIT STRING
pub const BIT_STRING: Tag = 0x03;
/// SEQUENCE
pub const SEQUENCE: Tag = 0x30;
/// SET
pub const SET: Tag = 0x31;
/// Constructed bit of a tag.
const CONSTRUCTED: u8 = 0x20;

const PRIMITIVE_SEQUENCE: Tag = SEQUENCE & !CONSTRUCTED;
const PRIMITIVE_SET: Tag = SET & !CONSTRUCTED;

/// Returns the tag `[number]`, constructed.
pub const fn context(number: u8) -> Tag {
    0xa0 | number
}

/// Returns the tag `[number]`, primitive.
pub const fn context_primitive(number: u8) -> Tag {
    0x80 | number
}

/// Not DER, or not the structure asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the DER that is expected: {0}")]
pub struct DerError(pub &'static str);

type Result<T> = std::result::Result<T, DerError>;

/// One element.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    /// Its tag.
    pub tag: Tag,
    /// Its content.
    pub content: &'a [u8],
    /// Tag, length and content.
    pub whole: &'a [u8],
}

/// Reads elements one after another.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the beginning of a slice.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Says whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the tag of the next element, if there is one.
    pub fn peek(&self) -> Option<Tag> {
        self.rest.first().copied()
    }

    /// Reads the next element.
    pub fn element(&mut self) -> Result<Element<'a>> {
        let [tag, rest @ ..] = self.rest else { return Err(DerError("an element is missing")) };
        // High tag numbers have many encodings, and nothing in CMS needs them.
        if tag & 0x1f == 0x1f {
            return Err(DerError("a high tag number"));
        }
        let (length, header) = length(rest)?;
        let end = (1 + header).checked_add(length).ok_or(DerError("a length overflows"))?;
        let whole = self.rest.get(..end).ok_or(DerError("a length reaches past the end"))?;
        self.rest = &self.rest[end..];
        Ok(Element { tag: *tag, content: &whole[1 + header..], whole })
    }

    /// Reads the next element, which must have this tag.
    pub fn expect(&mut self, tag: Tag, what: &'static str) -> Result<Element<'a>> {
        if self.peek() != Some(tag) {
            return Err(DerError(what));
        }
        self.element()
    }

    /// Reads the next element if it has this tag.
    pub fn optional(&mut self, tag: Tag) -> Result<Option<Element<'a>>> {
        if self.peek() == Some(tag) { self.element().map(Some) } else { Ok(None) }
    }

    /// Reads the next element, which must be constructed with this tag, and returns a reader of its content.
    pub fn enter(&mut self, tag: Tag, what: &'static str) -> Result<Reader<'a>> {
        Ok(Reader::new(self.expect(tag, what)?.content))
    }

    /// Demands that nothing is left: what follows a structure is where a second meaning would hide.
    pub fn end(&self, what: &'static str) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(DerError(what)) }
    }

    /// Reads an INTEGER that must be small and not negative.
    pub fn small_integer(&mut self, what: &'static str) -> Result<u8> {
        match self.expect(INTEGER, what)?.content {
            [value] if *value < 0x80 => Ok(*value),
            _ => Err(DerError(what)),
        }
    }
}

/// Reads a definite, minimal length; returns it and how many octets it took.
fn length(bytes: &[u8]) -> Result<(usize, usize)> {
    let [first, rest @ ..] = bytes else { return Err(DerError("a length is missing")) };
    match first {
        0..=0x7f => Ok((usize::from(*first), 1)),
        // Indefinite lengths are BER; OpenSSL makes them with -stream.
        0x80 => Err(DerError("an indefinite length; sign and encrypt without -stream")),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let octets = rest.get(..count).ok_or(DerError("a length is cut"))?;
            let value = octets.iter().fold(0usize, |value, octet| value << 8 | usize::from(*octet));
            // A longer form than needed is a second encoding of the same value.
            let is_minimal = octets[0] != 0 && value > 0x7f;
            if is_minimal { Ok((value, 1 + count)) } else { Err(DerError("a length is not minimal")) }
        }
        _ => Err(DerError("a length of more than four octets")),
    }
}

/// Walks a whole structure once, so that depth and encoding are sound wherever its content is skipped later.
///
/// # Errors
/// The first thing that is not DER, or is nested more than [`DEPTH_MAX`] deep.
pub fn check(bytes: &[u8]) -> Result<()> {
    let mut reader = Reader::new(bytes);
    let element = reader.element()?;
    reader.end("bytes after the structure")?;
    check_element(&element, 0)
}

fn check_element(element: &Element<'_>, depth: usize) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(DerError("nested too deeply"));
    }
    if element.tag & CONSTRUCTED == 0 {
        return check_primitive(element);
    }
    // A constructed string is BER: the same octets in pieces.
    if matches!(element.tag & !CONSTRUCTED, OCTET_STRING | BIT_STRING) {
        return Err(DerError("a string in pieces"));
    }
    let mut reader = Reader::new(element.content);
    while !reader.is_empty() {
        check_element(&reader.element()?, depth + 1)?;
    }
    Ok(())
}

fn check_primitive(element: &Element<'_>) -> Result<()> {
    match (element.tag, element.content) {
        (INTEGER, []) => Err(DerError("an empty integer")),
        (INTEGER, [0, next, ..]) if next & 0x80 == 0 => Err(DerError("an integer is not minimal")),
        (INTEGER, [0xff, next, ..]) if next & 0x80 != 0 => Err(DerError("an integer is not minimal")),
        (NULL, [_, ..]) => Err(DerError("a NULL with content")),
        (OBJECT_IDENTIFIER, []) => Err(DerError("an empty object identifier")),
        (PRIMITIVE_SEQUENCE | PRIMITIVE_SET, _) => Err(DerError("a primitive sequence")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_encoding_of_each_value_is_admitted() {
        for good in [&[0x30, 0x00][..], &[0x30, 0x03, 0x02, 0x01, 0x05], &[0x04, 0x81, 0x80]] {
            let mut bytes = good.to_vec();
            if good == [0x04, 0x81, 0x80] {
                bytes.extend([0; 128]);
            }
            assert_eq!(check(&bytes), Ok(()), "{good:02x?}");
        }
        let bad: [(&[u8], &str); 12] = [
            (&[], "an element is missing"),
            (&[0x30], "a length is missing"),
            (&[0x30, 0x80, 0, 0], "an indefinite length; sign and encrypt without -stream"),
            (&[0x30, 0x01], "a length reaches past the end"),
            (&[0x30, 0x00, 0x00], "bytes after the structure"),
            (&[0x04, 0x81, 0x01, 0x00], "a length is not minimal"),
            (&[0x04, 0x82, 0x00, 0x80], "a length is not minimal"),
            (&[0x04, 0x85, 1, 1, 1, 1, 1], "a length of more than four octets"),
            (&[0x3f, 0x81, 0x00], "a high tag number"),
            (&[0x24, 0x00], "a string in pieces"),
            (&[0x02, 0x02, 0x00, 0x05], "an integer is not minimal"),
            (&[0x04, 0x84, 0xff, 0xff, 0xff, 0xff], "a length reaches past the end"),
        ];
        for (bytes, why) in bad {
            assert_eq!(check(bytes), Err(DerError(why)), "{bytes:02x?}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let mut nested = vec![0x30, 0x00];
        for _ in 0..DEPTH_MAX {
            let length = u8::try_from(nested.len()).unwrap();
            nested.splice(0..0, [0x30, length]);
        }
        assert_eq!(check(&nested), Ok(()));
        let length = u8::try_from(nested.len()).unwrap();
        nested.splice(0..0, [0x30, length]);
        assert_eq!(check(&nested), Err(DerError("nested too deeply")));
    }
}
