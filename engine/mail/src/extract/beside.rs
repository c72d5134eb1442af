//! Tells which blocks that are not whole count as no containers, where the same mail has a whole letter.
//!
//! A damaged letter is kept for a person to look at, since it may be all that came of some records. Of two kinds of blocks
//! nobody misses anything: the copy of a letter that arrived whole (as HTML, cut short, hurt by a gateway), and prose that speaks of
//! the marker. Alone in a mail both are kept: there, nothing says what the sender meant to send.

use std::borrow::Cow;
use std::collections::HashSet;

use super::cost::Cost;

/// So many characters of base64 in a row stand in no prose, and in every full line of a letter: nobody wraps a letter more narrowly.
const RUN_MIN: usize = 32;
/// Octets that mean nothing before a line: blanks, quotation, a byte order mark.
const PREFIX: &[u8] = b" \t>\xef\xbb\xbf";

/// The lines of the whole letters of a mail.
#[derive(Debug, Default)]
pub struct WholeLetters<'c> {
    lines: HashSet<Cow<'c, [u8]>>,
}

impl<'c> WholeLetters<'c> {
    /// Adds a letter, whose block begins with its first marker.
    pub fn add(&mut self, block: &'c [u8], cost: &mut Cost) {
        self.lines.extend(Lines::of(block, cost).all);
    }

    /// Says whether a block that is not whole is no container: most of its lines are lines of a whole letter; or it is empty, or has
    /// words behind its first marker, and none of its lines could be a letter's.
    pub fn make_no_container_of(&self, block: &[u8], cost: &mut Cost) -> bool {
        let Lines { all, has_words_behind_marker } = Lines::of(block, cost);
        let shared = all.iter().filter(|line| self.lines.contains(*line)).count();
        let is_copy = 2 * shared > all.len();
        let is_prose = all.is_empty() || has_words_behind_marker && !all.iter().any(|line| has_run(line));
        is_copy || is_prose
    }
}

/// The lines between the markers of a block that hold anything, without tags and without a [`PREFIX`].
struct Lines<'t> {
    /// The first line is what stands behind the first marker, on the marker's own line.
    all: Vec<Cow<'t, [u8]>>,
    has_words_behind_marker: bool,
}

impl<'t> Lines<'t> {
    fn of(block: &'t [u8], cost: &mut Cost) -> Lines<'t> {
        cost.add(block.len());
        let mut rows = block.split(|octet| matches!(octet, b'\n' | b'\r' | 0));
        let behind = without_tags(behind_marker(rows.next().unwrap_or_default()));
        let has_words_behind_marker = behind.iter().any(|octet| matches!(octet, b' ' | b'\t'));
        let between = rows.map(without_prefix).take_while(|row| !row.starts_with(b"-----END ")).map(without_tags);
        let all = std::iter::once(behind).chain(between).filter(|line| !line.is_empty()).collect();
        Lines { all, has_words_behind_marker }
    }
}

fn without_prefix(row: &[u8]) -> &[u8] {
    let start = row.iter().position(|octet| !PREFIX.contains(octet)).unwrap_or(row.len());
    &row[start..]
}

fn behind_marker(row: &[u8]) -> &[u8] {
    let label = without_prefix(row).strip_prefix(b"-----BEGIN ").unwrap_or_default();
    let end = label.windows(5).position(|octets| octets == b"-----").map_or(label.len(), |at| at + 5);
    &label[end..]
}

fn without_tags(row: &[u8]) -> Cow<'_, [u8]> {
    if !row.contains(&b'<') {
        return Cow::Borrowed(row.trim_ascii());
    }
    let mut is_tag = false;
    let text = row.iter().copied().filter(|octet| {
        is_tag = (is_tag || *octet == b'<') && *octet != b'>';
        !is_tag && *octet != b'>'
    });
    Cow::Owned(text.collect::<Vec<u8>>().trim_ascii().to_vec())
}

fn has_run(line: &[u8]) -> bool {
    let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    line.split(|octet| !is_base64(octet)).any(|run| run.len() >= RUN_MIN)
}
