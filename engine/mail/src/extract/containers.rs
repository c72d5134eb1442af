//! Extracts the containers from the bodies of a mail, in any encoding and character set in which they can be read. A container is a block
//! of base64 between `-----BEGIN CMS-----` and `-----END CMS-----`, with the few lines before it.
//!
//! A part is read as its header says. If this gives no whole block, the header may be wrong, since gateways rewrite headers. So every
//! encoding is tried. The first reading with a whole block is used, or else the first reading with a damaged block.

use std::borrow::Cow;
use std::collections::HashSet;

use sdc::document::Blocks;

use super::MailRefused;
use super::beside::WholeLetters;
use super::charset::in_utf8;
use super::cost::Cost;
use super::transfer_encoding::TransferEncoding;

/// Longest text before a block that is kept with the block, in octets. A letter has only a short line there, the routing hint (`SDC 1
/// agency=…`); a longer text is something else.
const PREAMBLE_BYTES_MAX: usize = 2048;

/// A body that is neither a multipart nor a mail.
#[derive(Debug)]
pub struct Part<'t> {
    /// Body as it was received.
    pub body: &'t [u8],
    /// Encoding that the part's header states.
    pub transfer_encoding: Option<TransferEncoding>,
    /// Character set that the part's header states.
    pub charset: Option<&'t [u8]>,
    /// Whether the part is HTML.
    pub is_html: bool,
    /// Number of the `multipart/alternative` that contains the part, if any.
    pub alternative: Option<usize>,
}

/// The containers that have been found so far, in the order of the mail.
#[derive(Debug)]
pub struct Containers {
    found: Vec<Found>,
    found_max: usize,
    /// The first limit that caused something to be omitted.
    beyond: Option<MailRefused>,
}

#[derive(Debug)]
struct Found {
    container: Vec<u8>,
    /// Offset in `container` at which the block begins, after the lines before it.
    block_start: usize,
    /// Whether the block is whole. An incomplete block was damaged on the way, or never was a letter.
    is_whole: bool,
    /// Text of the block, for comparison with other blocks.
    text: Vec<u8>,
    is_html: bool,
    alternative: Option<usize>,
}

impl Containers {
    /// Makes an empty collection.
    pub fn new(found_max: usize) -> Containers {
        Containers { found: Vec::new(), found_max, beyond: None }
    }

    /// Remembers that something was omitted, and because of which limit.
    pub fn leave_out(&mut self, limit: MailRefused) {
        self.beyond.get_or_insert(limit);
    }

    /// Searches a part for containers.
    pub fn look_into(&mut self, part: &Part<'_>, cost: &mut Cost) {
        let said = part.transfer_encoding.unwrap_or(TransferEncoding::Identity);
        let others = TransferEncoding::ALL.into_iter().filter(|encoding| *encoding != said);
        let mut damaged = Vec::new();
        // Only one of the decoded bodies is also read in another character set, so that the cost of all readings is bounded.
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

    /// Extracts each block from a text, with the lines before it and without the text after it. Extracts at most one block more than the
    /// collection may still take; the additional block shows that the limit is exceeded.
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

    /// Returns the containers, and the limit because of which there may be more.
    ///
    /// Alternatives have the same contents (RFC 2046, 5.1.4). So if one alternative contains a whole letter, a damaged HTML block in
    /// another alternative is a copy of that letter and no container, and a second whole block is the same letter. Other parts need not
    /// have the same contents. If the mail has a whole letter, a damaged block in such a part is no container only if its lines show it
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

    /// If the mail has a whole letter, removes the damaged blocks that are only a copy of it, or prose that mentions a marker.
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
