//! A letter in a mail is a block: lines of base64 between the markers `-----BEGIN CMS-----` and `-----END CMS-----`. This module decides
//! which incomplete blocks do not count as containers, because the same mail has a whole letter.
//!
//! A damaged letter is kept for a person to look at, since some of its records may not have arrived otherwise. Two kinds of blocks can be
//! ignored without loss: a copy of a letter that arrived whole (as HTML, cut short, or damaged by a gateway), and prose that mentions the
//! first marker. If a mail has no whole letter, both kinds are kept, because nothing shows what the sender meant to send.

use std::borrow::Cow;
use std::collections::HashSet;

use super::cost::Cost;

/// Number of base64 characters in a row that never occurs in prose, but in every full line of a letter: no program wraps letters more
/// narrowly.
const RUN_MIN: usize = 32;
/// Octets that are ignored at the beginning of a line: blanks, quotation marks of replies, and a byte order mark.
const PREFIX: &[u8] = b" \t>\xef\xbb\xbf";

/// The lines of the whole letters of a mail.
#[derive(Debug, Default)]
pub struct WholeLetters<'c> {
    lines: HashSet<Cow<'c, [u8]>>,
}

impl<'c> WholeLetters<'c> {
    /// Adds the lines of a whole letter. The block begins with its first marker.
    pub fn add(&mut self, block: &'c [u8], cost: &mut Cost) {
        self.lines.extend(Lines::of(block, cost).all);
    }

    /// Says whether an incomplete block is no container. This is so if most of its lines are lines of a whole letter. It is also so if none
    /// of its lines could be a letter's, and the block is empty or has words after its first marker.
    pub fn make_no_container_of(&self, block: &[u8], cost: &mut Cost) -> bool {
        let Lines { all, has_words_behind_marker } = Lines::of(block, cost);
        let shared = all.iter().filter(|line| self.lines.contains(*line)).count();
        let is_copy = 2 * shared > all.len();
        let is_prose = all.is_empty() || has_words_behind_marker && !all.iter().any(|line| has_run(line));
        is_copy || is_prose
    }
}

/// Lines between the markers of a block that are not empty, without tags and without a [`PREFIX`].
struct Lines<'t> {
    /// All these lines. If anything follows the first marker on its own line, it is the first entry.
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
