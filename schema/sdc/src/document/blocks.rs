//! Finds the PEM blocks of a text. Documents and mails use the same finder, so that both give the same letters.
//!
//! The finder reads the lines once, whatever octets they have. A line ends at LF, CR or NUL: Outlook packs attachments into a file
//! `winmail.dat` (TNEF), where NULs stand before and after the document. A byte order mark, blanks and `>` at the beginning of a line are
//! ignored.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The label that this crate writes, and the label of older software, which a parser must treat in the same way (RFC 7468, 8 and 9).
const LABELS: [&[u8]; 2] = [b"CMS", b"PKCS7"];
const DASHES: &[u8] = b"-----";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Maximum number of octets of a line that are compared with a marker. No marker is longer.
const MARKER_BYTES_MAX: usize = 24;

/// For each octet, whether it is a character of base64 (RFC 4648, 4).
const CHARACTERS: [bool; 256] = {
    let mut is_character = [false; 256];
    let mut octet = 0u8;
    while octet < 128 {
        is_character[octet as usize] = octet.is_ascii_alphanumeric() || octet == b'+' || octet == b'/';
        octet += 1;
    }
    is_character
};

/// One block: the text between its two marker lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'t> {
    /// Position of the first marker's line.
    pub start: usize,
    /// Position of the block's end: after its last marker. Where that marker is missing, the block ends before the next block or at the
    /// end of the text.
    pub end: usize,
    /// Whether the block has its last marker.
    pub is_closed: bool,
    /// Label of the block.
    pub label: &'static str,
    /// Whether the first marker stands alone on its line.
    pub is_alone: bool,
    body: &'t [u8],
}

impl<'t> Block<'t> {
    /// Returns the characters of the body, without line ends, blanks and the ignored beginnings of lines.
    fn characters(&self) -> impl Iterator<Item = u8> + 't {
        let lines = self.body.split(|octet| matches!(octet, b'\n' | b'\r'));
        lines.flat_map(|line| without_prefix(line).iter().copied()).filter(|octet| !matches!(octet, b' ' | b'\t'))
    }

    /// Says whether the block is closed and its body can be padded base64. Returns with it the number of octets examined, which the caller
    /// adds to the cost of the mail. The examination stops at the first octet that is not base64.
    pub fn is_whole(&self) -> (bool, usize) {
        let (mut characters, mut padding, mut is_at_start) = (0usize, 0usize, true);
        for (examined, octet) in (1..).zip(self.body) {
            if CHARACTERS[usize::from(*octet)] && padding == 0 {
                characters += 1;
                is_at_start = false;
                continue;
            }
            match octet {
                b'\n' | b'\r' => is_at_start = true,
                b' ' | b'\t' => {}
                b'>' | 0xef | 0xbb | 0xbf if is_at_start => {}
                b'=' => padding += 1,
                _ => return (false, examined),
            }
        }
        let is_base64 = padding <= 2 && (characters + padding) % 4 == 0;
        (is_base64 && self.is_closed && self.is_alone, self.body.len())
    }

    /// Returns the characters of the body as one text. Blocks with the same text have the same DER.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.body.len());
        text.extend(self.characters());
        text
    }

    /// Decodes the body; none where it is not padded base64.
    pub fn der(&self) -> Option<Vec<u8>> {
        BASE64.decode(self.text()).ok()
    }
}

/// Iterator over the blocks of a text, in their order. Where a second block begins before the end marker of the first, the first block ends
/// there.
#[derive(Clone, Debug)]
pub struct Blocks<'t> {
    text: &'t [u8],
    at: usize,
    open: Option<Open>,
    examined: usize,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    start: usize,
    body_start: usize,
    label: &'static str,
    is_alone: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Begin,
    End,
}

struct Marker {
    edge: Edge,
    label: &'static str,
    /// Position of the marker's end, counted from the beginning of its line.
    end: usize,
    is_alone: bool,
}

impl<'t> Blocks<'t> {
    /// Makes an iterator over the blocks of a text, which may have any octets.
    pub fn of(text: &'t [u8]) -> Blocks<'t> {
        Blocks { text, at: 0, open: None, examined: 0 }
    }

    /// Returns the number of octets examined so far; an octet that was looked at twice counts twice. It is never more than twice the octets
    /// of the text, so a sender cannot make the search slow. The tests check that.
    pub fn examined(&self) -> usize {
        self.examined
    }

    /// Moves to the next line. Returns the line's position and its marker, if it has one.
    fn marker(&mut self) -> (usize, Option<Marker>) {
        let start = self.at;
        let rest = &self.text[start..];
        let end = memchr::memchr3(b'\n', b'\r', 0, rest).unwrap_or(rest.len());
        self.at = self.text.len().min(start + end + 1);
        let line = &rest[..end];
        let marked = without_prefix(line);
        let compared = if marked.starts_with(b"-") { marked.len().min(MARKER_BYTES_MAX) } else { 0 };
        self.examined += (self.at - start) + (line.len() - marked.len()) + compared;
        (start, marker(line, marked))
    }

    fn block(&self, open: Open, body_end: usize, closed_at: Option<usize>) -> Block<'t> {
        let Open { start, body_start, label, is_alone } = open;
        let body = &self.text[body_start..body_end];
        Block { start, end: closed_at.unwrap_or(body_end), is_closed: closed_at.is_some(), label, is_alone, body }
    }
}

impl<'t> Iterator for Blocks<'t> {
    type Item = Block<'t>;

    fn next(&mut self) -> Option<Block<'t>> {
        while self.at < self.text.len() {
            let (start, Some(Marker { edge, label, end, is_alone })) = self.marker() else { continue };
            let end = start + end;
            match (edge, self.open) {
                (Edge::Begin, before) => {
                    self.open = Some(Open { start, body_start: end, label, is_alone });
                    if let Some(open) = before {
                        return Some(self.block(open, start, None));
                    }
                }
                (Edge::End, Some(open)) if open.label == label => {
                    self.open = None;
                    return Some(self.block(open, start, Some(end)));
                }
                (Edge::End, _) => {}
            }
        }
        let open = self.open.take()?;
        Some(self.block(open, self.text.len(), None))
    }
}

/// Removes the ignored beginning of a line: blanks, `>` and byte order marks.
fn without_prefix(mut line: &[u8]) -> &[u8] {
    loop {
        line = match line {
            [b' ' | b'\t' | b'>', rest @ ..] => rest,
            [0xef, ..] => match line.strip_prefix(BYTE_ORDER_MARK) {
                Some(rest) => rest,
                None => return line,
            },
            _ => return line,
        };
    }
}

/// Reads the marker at the beginning of a line, after its ignored beginning has been removed.
fn marker(line: &[u8], marked: &[u8]) -> Option<Marker> {
    let rest = marked.strip_prefix(DASHES)?;
    let (edge, rest) = match rest.strip_prefix(b"BEGIN ") {
        Some(rest) => (Edge::Begin, rest),
        None => (Edge::End, rest.strip_prefix(b"END ")?),
    };
    let of = |label: &&[u8]| rest.strip_prefix(*label)?.strip_prefix(DASHES);
    let (label, rest) = LABELS.iter().find_map(|label| Some((std::str::from_utf8(label).ok()?, of(label)?)))?;
    let is_alone = rest.iter().all(|octet| matches!(octet, b' ' | b'\t'));
    Some(Marker { edge, label, end: line.len() - rest.len(), is_alone })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &[u8]) -> Vec<(usize, usize, bool)> {
        Blocks::of(text).map(|block| (block.start, block.end, block.is_whole().0)).collect()
    }

    #[test]
    fn marks_blanks_quotation_and_nuls_before_a_line_mean_nothing() {
        let plain = "-----BEGIN CMS-----\nMAA=\n-----END CMS-----";
        let quoted = |before: &str| plain.split('\n').map(|line| format!("{before}{line}\r\n")).collect::<String>();
        for before in ["", "> ", ">>> > ", "\t  ", "\u{feff}", ">\u{feff}"] {
            let text = quoted(before);
            let blocks: Vec<_> = Blocks::of(text.as_bytes()).collect();
            assert_eq!(blocks.len(), 1, "{before:?}");
            assert_eq!(blocks[0].der().unwrap(), [0x30, 0], "{before:?}");
        }
        let tnef = [b"\x3f\0\0\0", plain.as_bytes(), b"\x1f\x0e"].concat();
        assert_eq!(found(&tnef), [(4, 4 + plain.len(), true)]);
        assert_eq!(found(plain.replace('\n', "\r").as_bytes()), [(0, plain.len(), true)]);
        for other in [format!("x{plain}"), plain.replace("CMS", "CMX"), plain.replace(" CMS", "CMS")] {
            assert_eq!(found(other.as_bytes()), [], "{other}");
        }
    }

    #[test]
    fn a_block_ends_with_its_own_label_and_before_the_next_one() {
        let pkcs7 = "-----BEGIN PKCS7-----\nMAA=\n-----END CMS-----\nMAA=\n-----END PKCS7-----";
        let blocks: Vec<_> = Blocks::of(pkcs7.as_bytes()).collect();
        assert_eq!((blocks.len(), blocks[0].label, blocks[0].end), (1, "PKCS7", pkcs7.len()));
        assert!(!blocks[0].is_whole().0);
        let cut = "-----BEGIN CMS-----\nMA\n-----BEGIN CMS-----\nMAA=\n-----END CMS-----\n-----BEGIN CMS-----\nMA";
        assert_eq!(found(cut.as_bytes()), [(0, 23, false), (23, 65, true), (66, cut.len(), false)]);
        assert!(found(b"-----BEGIN CMS-----<br>\nMAA=\n-----END CMS-----").iter().all(|(_, _, is_whole)| !is_whole));
    }

    #[test]
    fn no_text_is_examined_more_than_twice() {
        for line in
            ["\n", "-\n", "-----BEGIN CMS-----\n", "-----BEGIN CM\n", ">\n", "> -----END \n", "-----", "\0", " "]
        {
            let text = line.repeat(1000);
            let mut blocks = Blocks::of(text.as_bytes());
            blocks.by_ref().for_each(drop);
            assert!((text.len()..=2 * text.len()).contains(&blocks.examined()), "{line:?}: {}", blocks.examined());
        }
    }
}
