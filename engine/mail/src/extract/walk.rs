//! Walks once over the lines of a mail: over its parts, their parts, and mails that were forwarded whole.
//!
//! Each line is read once, with a stack of the boundaries to which it may belong. Only mails that are encoded themselves are walked again
//! after decoding. Such mails are walked up to two levels deep.

use super::boundaries::{BOUNDARY_BYTES_MAX, Boundaries};
use super::containers::{Containers, Part};
use super::cost::{Cost, line, without_line_end};
use super::header::{Header, HeaderReader, Origin};
use super::transfer_encoding::TransferEncoding;
use super::{MailLimits, MailRefused};

/// Largest number of encoded mails nested in each other. Each of them is a further walk over almost all octets.
const ENCODINGS_MAX: usize = 2;

/// A walk over one mail.
pub struct Walk<'l> {
    limits: &'l MailLimits,
    /// Cost of the walk so far.
    pub cost: Cost,
    /// Containers found so far.
    pub containers: Containers,
    parts: usize,
    alternatives: usize,
}

/// Position of a mail or part in the nesting.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// Number of parts and mails around this position.
    depth: usize,
    /// Number of encoded mails around this position.
    encodings: usize,
    /// Number of the innermost `multipart/alternative` around this position, if any.
    alternative: Option<usize>,
}

/// A multipart whose end has not been read.
struct Multipart {
    place: Place,
    is_digest: bool,
}

/// Meaning of the lines at the walk's current position.
enum State {
    /// The header of a part, or of the mail that the part is.
    Header { reader: HeaderReader, bytes_max: usize, is_digest: bool },
    /// The body of a part, which begins at `start`.
    Body { start: usize, header: Header, is_mail: bool },
    /// Text before the first part of a multipart. If no part follows, the boundary is wrong and this text is the body.
    Preamble { start: usize, header: Header },
    /// Text around the parts that belongs to no part (RFC 2046, 5.1.1).
    Between,
}

/// State of the walk over one mail.
struct Message<'t> {
    text: &'t [u8],
    boundaries: Boundaries,
    multiparts: Vec<Multipart>,
    state: State,
    place: Place,
    /// Fields of the mail's header, once it has been read.
    origin: Option<Origin>,
}

impl<'l> Walk<'l> {
    /// Makes a walk that has read nothing yet.
    pub fn new(limits: &'l MailLimits) -> Walk<'l> {
        let containers = Containers::new(limits.containers_max);
        Walk { limits, cost: Cost::default(), containers, parts: 0, alternatives: 0 }
    }

    /// Walks over a mail and returns the fields of its header.
    ///
    /// # Errors
    /// A header is too long.
    pub fn message(&mut self, text: &[u8], place: Place) -> Result<Origin, MailRefused> {
        let boundaries = Boundaries::default();
        let state = self.header_of_mail();
        let mut message = Message { text, boundaries, multiparts: Vec::new(), state, place, origin: None };
        let mut at = 0;
        while let Some(line) = line(text, at, &mut self.cost) {
            at = line.next;
            if let Some(delimiter) = message.boundaries.delimiter(line.octets, &mut self.cost) {
                let end = without_line_end(&text[..line.start]).len();
                self.end_part(&mut message, end, Some(delimiter.level))?;
                let open = if delimiter.is_last { delimiter.level } else { delimiter.level + 1 };
                message.boundaries.keep(open);
                message.multiparts.truncate(open);
                message.state = if delimiter.is_last { State::Between } else { self.next_part(&mut message) };
            } else if let State::Header { reader, bytes_max, .. } = &mut message.state {
                if line.octets.is_empty() {
                    self.begin_body(&mut message, at);
                } else {
                    reader.take(text, line, &mut self.cost);
                    if reader.bytes > *bytes_max {
                        return Err(MailRefused::Header(*bytes_max));
                    }
                }
            }
        }
        self.end_part(&mut message, text.len(), None)?;
        Ok(message.origin.unwrap_or_default())
    }

    fn header_of_mail(&self) -> State {
        State::Header { reader: HeaderReader::default(), bytes_max: self.limits.header_bytes_max, is_digest: false }
    }

    /// Begins a part of the innermost multipart.
    fn next_part(&mut self, message: &mut Message<'_>) -> State {
        let Some(multipart) = message.multiparts.last() else { return State::Between };
        message.place = Place { depth: multipart.place.depth + 1, ..multipart.place };
        let (bytes_max, is_digest) = (self.limits.part_header_bytes_max, multipart.is_digest);
        match self.has_room_for_part() {
            true => State::Header { reader: HeaderReader::default(), bytes_max, is_digest },
            false => State::Between,
        }
    }

    fn has_room_for_part(&mut self) -> bool {
        self.parts += 1;
        let has_room = self.parts <= self.limits.parts_max;
        if !has_room {
            self.containers.leave_out(MailRefused::Parts(self.limits.parts_max));
        }
        has_room
    }

    /// Says whether a multipart or a mail at this position may be searched.
    fn has_room_below(&mut self, place: Place) -> bool {
        let has_room = place.depth < self.limits.depth_max;
        if !has_room {
            self.containers.leave_out(MailRefused::Depth(self.limits.depth_max));
        }
        has_room
    }

    /// Ends the header at the empty line. A multipart, a mail or a body follows.
    fn begin_body(&mut self, message: &mut Message<'_>, start: usize) {
        let State::Header { reader, is_digest, .. } = std::mem::replace(&mut message.state, State::Between) else {
            return;
        };
        let mut header = reader.end(message.text, &mut self.cost);
        message.origin.get_or_insert_with(|| std::mem::take(&mut header.origin));
        let mut place = message.place;
        let boundary = boundary(&header);
        let is_mail = is_mail(&header, is_digest);
        if (boundary.is_some() || is_mail) && !self.has_room_below(place) {
            message.state = State::Body { start, header, is_mail: false };
        } else if let Some(boundary) = boundary {
            if kind(&header) == b"multipart/alternative" {
                self.alternatives += 1;
                place.alternative = Some(self.alternatives);
            }
            message.boundaries.open(boundary);
            message.multiparts.push(Multipart { place, is_digest: kind(&header) == b"multipart/digest" });
            message.state = State::Preamble { start, header };
        } else if is_mail && is_plain(&header) {
            message.place.depth += 1;
            message.state = if self.has_room_for_part() { self.header_of_mail() } else { State::Between };
        } else {
            message.state = State::Body { start, header, is_mail };
        }
    }

    /// Ends a part whose text ends at `end`. The mail ends there, or a delimiter of the multipart at `level` follows.
    fn end_part(&mut self, message: &mut Message<'_>, end: usize, level: Option<usize>) -> Result<(), MailRefused> {
        match std::mem::replace(&mut message.state, State::Between) {
            State::Header { reader, .. } => {
                let header = reader.end(message.text, &mut self.cost);
                message.origin.get_or_insert(header.origin);
            }
            State::Body { start, header, is_mail: true } => {
                self.encoded_mail(&message.text[start..end.max(start)], &header, message.place)?;
            }
            State::Body { start, header, is_mail: false } => {
                self.body(&message.text[start..end.max(start)], &header, message.place);
            }
            State::Preamble { start, header } if level.is_none_or(|level| level + 1 < message.multiparts.len()) => {
                self.body(&message.text[start..end.max(start)], &header, message.place);
            }
            State::Preamble { .. } | State::Between => {}
        }
        Ok(())
    }

    fn body(&mut self, body: &[u8], header: &Header, place: Place) {
        let part = Part {
            body,
            transfer_encoding: header.transfer_encoding,
            charset: header.content_type.as_ref().and_then(|content_type| content_type.charset.as_deref()),
            is_html: kind(header) == b"text/html",
            alternative: place.alternative,
        };
        self.containers.look_into(&part, &mut self.cost);
    }

    /// Walks over a mail that is itself encoded. RFC 2046, 5.2.1 forbids such mails, but some programs send them.
    fn encoded_mail(&mut self, body: &[u8], header: &Header, place: Place) -> Result<(), MailRefused> {
        if place.encodings == ENCODINGS_MAX || !self.has_room_for_part() {
            self.containers.leave_out(MailRefused::Depth(self.limits.depth_max));
            return Ok(());
        }
        let said = header.transfer_encoding.unwrap_or(TransferEncoding::Identity);
        // A colon in the first line belongs to a header, and is no character of base64. So the mail is not really encoded.
        let first_line = line(body, 0, &mut self.cost).map_or(&body[..0], |line| line.octets);
        let is_plain = said == TransferEncoding::Base64 && self.cost.find(b':', first_line).is_some();
        let encoding = if is_plain { TransferEncoding::Identity } else { said };
        let decoded = encoding.decode(body, &mut self.cost);
        let place = Place { depth: place.depth + 1, encodings: place.encodings + 1, ..place };
        self.message(&decoded.octets, place)?;
        Ok(())
    }
}

fn kind(header: &Header) -> &[u8] {
    header.content_type.as_ref().map(|content_type| content_type.kind.as_slice()).unwrap_or_default()
}

/// Returns the boundary, if the header is of a multipart and states a valid one.
fn boundary(header: &Header) -> Option<Vec<u8>> {
    let boundary = header.content_type.as_ref()?.boundary.as_ref()?;
    let is_boundary = kind(header).starts_with(b"multipart/") && (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len());
    is_boundary.then(|| boundary.clone())
}

/// Says whether a part is a mail: by its type, or because it states no type and is part of a digest (RFC 2046, 5.1.5).
fn is_mail(header: &Header, is_digest: bool) -> bool {
    match &header.content_type {
        Some(content_type) => {
            matches!(content_type.kind.as_slice(), b"message/rfc822" | b"message/global" | b"message/news")
        }
        None => is_digest,
    }
}

fn is_plain(header: &Header) -> bool {
    header.transfer_encoding.is_none_or(|encoding| encoding == TransferEncoding::Identity)
}
