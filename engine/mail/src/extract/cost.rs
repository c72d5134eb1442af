//! Cost of reading a mail, counted in octets instead of time.

/// Number of octets examined. An octet counts once for every pass that reads it, including the passes of decoders and libraries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    octets: usize,
}

impl Cost {
    /// Returns the bound of the cost for a mail of this length.
    pub fn max(mail_bytes: usize) -> usize {
        16 * mail_bytes + (64 << 10)
    }

    /// Returns the octets examined so far.
    pub fn octets(self) -> usize {
        self.octets
    }

    /// Counts one pass over `octets` octets.
    pub(super) fn add(&mut self, octets: usize) {
        self.octets += octets;
    }

    /// Finds an octet in a text. Counts the octets up to it as examined.
    pub(super) fn find(&mut self, octet: u8, text: &[u8]) -> Option<usize> {
        let at = memchr::memchr(octet, text);
        self.add(at.map_or(text.len(), |at| at + 1));
        at
    }
}

/// A line of a text.
#[derive(Clone, Copy, Debug)]
pub struct Line<'t> {
    /// Offset in the text at which the line begins.
    pub start: usize,
    /// Offset at which the next line begins.
    pub next: usize,
    /// The line without its end, LF or CRLF.
    pub octets: &'t [u8],
}

/// Returns the line that begins at `start`, or `None` at the end of the text.
pub fn line<'t>(text: &'t [u8], start: usize, cost: &mut Cost) -> Option<Line<'t>> {
    let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
    let (octets, next) = match cost.find(b'\n', rest) {
        Some(at) => (&rest[..at], start + at + 1),
        None => (rest, text.len()),
    };
    Some(Line { start, next, octets: octets.strip_suffix(b"\r").unwrap_or(octets) })
}

/// Returns a text without its final line end: the line end before a boundary belongs to the boundary (RFC 2046, 5.1.1).
pub fn without_line_end(text: &[u8]) -> &[u8] {
    match text {
        [rest @ .., b'\r', b'\n'] | [rest @ .., b'\n'] => rest,
        _ => text,
    }
}
