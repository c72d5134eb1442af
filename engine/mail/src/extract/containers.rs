//! Cuts the containers out of the bodies of a mail, in whatever encoding and character set they can be read.
//!
//! A part is read as its header says. Where that gives no whole block, the header may be wrong: gateways write it anew. So every
//! encoding is tried, and the first reading that has a whole block is taken, else the first that has a damaged one.

use std::borrow::Cow;
use std::collections::HashSet;

use sdc::document::Blocks;

use super::MailRefused;
use super::beside::WholeLetters;
use super::charset::in_utf8;
use super::cost::Cost;
use super::transfer_encoding::TransferEncoding;

/// Longest text before a block that is kept with the block; a longer text is no hint.
const PREAMBLE_BYTES_MAX: usize = 2048;

/// A body that is neither a multipart nor a mail.
#[derive(Debug)]
pub struct Part<'t> {
    /// The body as it came.
    pub body: &'t [u8],
    /// What its header says of the encoding.
    pub transfer_encoding: Option<TransferEncoding>,
    /// What its header says of the character set.
    pub charset: Option<&'t [u8]>,
    /// Whether it is HTML.
    pub is_html: bool,
    /// The `multipart/alternative` that it stands in, by its number.
    pub alternative: Option<usize>,
}

/// The containers that have been found so far, in the order in which they stand.
#[derive(Debug)]
pub struct Containers {
    found: Vec<Found>,
    found_max: usize,
    /// The first limit because of which something was left out.
    beyond: Option<MailRefused>,
}

#[derive(Debug)]
struct Found {
    container: Vec<u8>,
    /// Where the block begins in `container`, behind the lines before it.
    block_start: usize,
    /// Whether its block is whole: a block that is not was damaged on the way, or never was a letter.
    is_whole: bool,
    /// The text of the block, to compare it with other blocks.
    text: Vec<u8>,
    is_html: bool,
    alternative: Option<usize>,
}

impl Containers {
    /// Begins with none.
    pub fn new(found_max: usize) -> Containers {
        Containers { found: Vec::new(), found_max, beyond: None }
    }

    /// Remembers that something was left out, and why.
    pub fn leave_out(&mut self, limit: MailRefused) {
        self.beyond.get_or_insert(limit);
    }

    /// Looks for containers in a part.
    pub fn look_into(&mut self, part: &Part<'_>, cost: &mut Cost) {
        let said = part.transfer_encoding.unwrap_or(TransferEncoding::Identity);
        let others = TransferEncoding::ALL.into_iter().filter(|encoding| *encoding != said);
        let mut damaged = Vec::new();
        // Only one of the decoded bodies is read in another character set too, so that the cost of all readings has a bound.
        let mut is_read_anew = false;
        for encoding in std::iter::once(said).chain(others) {
            let decoded = encoding.decode(part.body, cost);
            let mut readings = vec![Cow::Borrowed(&*decoded.octets)];
            if !is_read_anew && let Some(text) = in_utf8(&decoded.octets, part.charset, cost) {
                is_read_anew = true;
                readings.push(Cow::Owned(text.into_owned().into_bytes()));
            }
            for text in readings {
                let found = self.cut_out(&text, part, cost);
                if found.iter().any(|found| found.is_whole) {
                    return self.add(found);
                }
                if damaged.is_empty() {
                    damaged = found;
                }
            }
            if encoding == said && decoded.is_certain {
                break;
            }
        }
        self.add(damaged);
    }

    /// Cuts each block out of a text, with the lines before it and without what follows it; at most one more than there is room for.
    fn cut_out(&self, text: &[u8], part: &Part<'_>, cost: &mut Cost) -> Vec<Found> {
        let mut found = Vec::new();
        let mut from = 0;
        let mut blocks = Blocks::of(text);
        let room = self.found_max - self.found.len() + 1;
        for block in blocks.by_ref().take(room) {
            let (is_whole, examined) = block.is_whole();
            let start = if block.start - from <= PREAMBLE_BYTES_MAX { from } else { block.start };
            let is_compared = is_whole && part.alternative.is_some();
            let text_compared = if is_compared { block.text() } else { Vec::new() };
            cost.add(examined + text_compared.len());
            found.push(Found {
                container: text[start..block.end].to_vec(),
                block_start: block.start - start,
                is_whole,
                text: text_compared,
                is_html: part.is_html,
                alternative: part.alternative,
            });
            from = block.end;
        }
        cost.add(blocks.examined());
        found
    }

    fn add(&mut self, found: Vec<Found>) {
        let room = self.found_max - self.found.len();
        if found.len() > room {
            self.leave_out(MailRefused::Containers(self.found_max));
        }
        self.found.extend(found.into_iter().take(room));
    }

    /// Returns the containers, and why they may not be all.
    ///
    /// Alternatives say the same (RFC 2046, 5.1.4). So where one of them holds a whole letter, a block that stands damaged between the tags
    /// of another is a copy of that letter and no container, and a whole block that comes again is the same letter. Elsewhere nothing says
    /// that two parts are the same: beside a whole letter of the mail, a damaged block is no container only if its lines show it
    /// ([`WholeLetters`]).
    pub fn into_parts(mut self, cost: &mut Cost) -> (Vec<Vec<u8>>, Option<MailRefused>) {
        let whole: HashSet<usize> =
            self.found.iter().filter(|found| found.is_whole).filter_map(|found| found.alternative).collect();
        let mut seen = HashSet::new();
        self.found.retain(|found| {
            let Some(alternative) = found.alternative.filter(|alternative| whole.contains(alternative)) else {
                return true;
            };
            if found.is_whole { seen.insert((alternative, found.text.clone())) } else { !found.is_html }
        });
        self.leave_out_what_is_none(cost);
        (self.found.into_iter().map(|found| found.container).collect(), self.beyond)
    }

    /// Takes out blocks that are no containers beside a whole letter, where the mail has one.
    fn leave_out_what_is_none(&mut self, cost: &mut Cost) {
        if self.found.iter().all(|found| found.is_whole) || !self.found.iter().any(|found| found.is_whole) {
            return;
        }
        let mut letters = WholeLetters::default();
        for found in self.found.iter().filter(|found| found.is_whole) {
            letters.add(found.block(), cost);
        }
        let is_kept: Vec<bool> = self
            .found
            .iter()
            .map(|found| found.is_whole || !letters.make_no_container_of(found.block(), cost))
            .collect();
        let mut is_kept = is_kept.into_iter();
        self.found.retain(|_| is_kept.next().unwrap_or(true));
    }
}

impl Found {
    fn block(&self) -> &[u8] {
        &self.container[self.block_start..]
    }
}
