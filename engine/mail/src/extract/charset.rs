//! Converts text in character sets whose encoding of ASCII differs, above all UTF-16. In the octets of such text, the ASCII markers around
//! a letter (`-----BEGIN CMS-----`) cannot be found before the conversion.

use std::borrow::Cow;

use charset::Charset;

use super::cost::Cost;

/// A text in UTF-16 that contains ASCII has a NUL within this number of octets.
const NUL_BYTES_MAX: usize = 256;

/// Returns a text in UTF-8 if its character set does not include ASCII unchanged. The byte order mark determines the character set, or else
/// the label. In all other cases returns `None`, because blocks are then found in the octets without conversion.
pub fn in_utf8<'t>(octets: &'t [u8], label: Option<&[u8]>, cost: &mut Cost) -> Option<Cow<'t, str>> {
    let marked = Charset::for_bom(octets).map(|(charset, _)| charset);
    let charset = marked.or_else(|| Charset::for_label(label?)).filter(|charset| !charset.is_ascii_compatible())?;
    let is_utf16 = charset.name().starts_with("UTF-16");
    if is_utf16 && marked.is_none() && !octets.iter().take(NUL_BYTES_MAX).any(|octet| *octet == 0) {
        return None;
    }
    // Without a byte order mark UTF-16 is big-endian (RFC 2781, 4.3), but many programs write it little-endian. The first character shows
    // the order, since it is an ASCII character.
    let is_big_endian = charset.name() == "UTF-16LE" && octets.first() == Some(&0);
    let charset = Charset::for_label(b"utf-16be").filter(|_| is_big_endian).unwrap_or(charset);
    let (text, _, _) = charset.decode(octets);
    cost.add(octets.len() + text.len());
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8], label: Option<&str>) -> Option<String> {
        in_utf8(octets, label.map(str::as_bytes), &mut Cost::default()).map(Cow::into_owned)
    }

    fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn utf_16_is_told_by_its_name_its_mark_or_its_first_character() {
        let (little, big) = (utf16("É-é", u16::to_le_bytes), utf16("-é", u16::to_be_bytes));
        assert_eq!(read(&little, Some("utf-16le")).unwrap(), "É-é");
        assert_eq!(read(b"SDC 1", Some("utf-16le")), None, "said to be what it is not");
        assert_eq!(read(&little, Some(" UTF-16 ")).unwrap(), "É-é");
        assert_eq!(read(&big, Some("utf-16")).unwrap(), "-é");
        assert_eq!(read(&[b"\xff\xfe", &little[..]].concat(), None).unwrap(), "É-é");
        assert_eq!(read(&[b"\xfe\xff", &big[..]].concat(), Some("us-ascii")).unwrap(), "-é");
        assert_eq!(read(b"-----BEGIN CMS-----+AAo-MAA+AD0-", Some("utf-7")).unwrap(), "-----BEGIN CMS-----\nMAA=");
    }

    #[test]
    fn where_ascii_is_ascii_nothing_is_read_anew() {
        for label in
            ["us-ascii", "utf-8", "iso-8859-1", "windows-1252", "koi8-r", "gb18030", "shift_jis", "nobody's", ""]
        {
            assert_eq!(read(b"d\xe9j\xe0 vu", Some(label)), None, "{label}");
        }
        assert_eq!(read(b"\xef\xbb\xbfx", None), None);
    }
}
