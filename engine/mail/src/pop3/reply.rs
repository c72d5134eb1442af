//! Parses a POP3 server's octets into replies. The parser uses no I/O and no clock, so a test can feed it anything that a hostile server
//! can send.
//!
//! Whether a reply has a body depends on the command. So each command is announced with [`ReplyParser::expect`], and a reply to no command
//! is an error. In returned bodies the byte-stuffing is removed, and every other octet is unchanged. Memory is bounded: a status line by
//! [`LINE_BYTES_MAX`], a body by the limit given with its command. Octets beyond that limit are counted and dropped, so that one over-size
//! mail does not end the session. More than `drain_bytes_max` octets do end it.

use std::collections::VecDeque;

use memchr::memmem;

use crate::words::printable;

/// Longest status line. RFC 2449, 4 allows 512 octets; some greetings are longer.
pub const LINE_BYTES_MAX: usize = 1024;

/// Form of the reply to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// A status line only.
    Line,
    /// A status line and, if it is `+OK`, a body up to the line with a single dot.
    Body {
        /// Bytes to reserve in advance, at most `keep_bytes_max`. Without this, the buffer of a large mail would be copied as it grows, and
        /// would take twice the mail's size.
        likely_bytes: usize,
        /// Largest number of bytes that are kept. Further bytes are only counted.
        keep_bytes_max: usize,
        /// Largest number of bytes that are read. More bytes are an error.
        drain_bytes_max: usize,
    },
}

/// First word of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `+OK`
    Ok,
    /// `-ERR`
    Err,
    /// `+ `: the server waits for the next line of a SASL exchange (RFC 5034).
    Continue,
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// First word of the reply.
    pub status: Status,
    /// Rest of the status line, made printable.
    pub text: String,
    /// The body, where one was expected and the status is `+OK`.
    pub body: Option<Body>,
}

/// Body of a reply, with byte-stuffing removed. Its line ends are those that the server sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Bytes that were kept.
    pub bytes: Vec<u8>,
    /// Size of the whole body in bytes. It is larger than the length of `bytes` where the body was cut.
    pub size_bytes: usize,
}

impl Body {
    /// Says whether the server sent more than was kept.
    pub fn is_cut(&self) -> bool {
        self.size_bytes > self.bytes.len()
    }
}

/// How the server's octets violate POP3.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The status line does not end.
    #[error("a status line is longer than {LINE_BYTES_MAX} octets")]
    LineTooLong,
    /// The status line begins with another word.
    #[error("expected a reply beginning with +OK or -ERR, found {0:?}")]
    NotAReply(String),
    /// Lines end with LF alone. A body ends with a line of a single dot. If such a line between two LFs ended the body, a mail could
    /// contain text that is read as the server's replies, since servers stuff only dots after CRLF.
    #[error(
        "the server ends its lines with LF alone, and RFC 1939, 3 asks for CRLF: have it, or the gateway before it, send CRLF"
    )]
    BareLineFeed,
    /// Octets arrived although every command had its reply.
    #[error("a reply came that no command asked for")]
    Unasked,
    /// The body is longer than any allowed mail.
    #[error("a body is longer than {0} octets")]
    BodyTooLong(usize),
    /// The connection ended inside a reply, or before the reply to a command.
    #[error("the connection ended with {0} replies outstanding")]
    Ended(usize),
}

/// Splits a server's octets into replies.
#[derive(Debug, Default)]
pub struct ReplyParser {
    expected: VecDeque<Expect>,
    buffer: Vec<u8>,
    /// Offset in `buffer` at which the unread octets begin.
    start: usize,
    body: Option<OpenBody>,
}

#[derive(Debug)]
struct OpenBody {
    text: String,
    body: Body,
    keep_bytes_max: usize,
    drain_bytes_max: usize,
    at_start: bool,
}

impl ReplyParser {
    /// Makes a parser that expects a greeting.
    pub fn new() -> ReplyParser {
        let mut parser = ReplyParser::default();
        parser.expect(Expect::Line);
        parser
    }

    /// Announces the reply of a command that is about to be sent.
    pub fn expect(&mut self, expect: Expect) {
        self.expected.push_back(expect);
    }

    /// Returns how many replies are still to come.
    pub fn outstanding(&self) -> usize {
        self.expected.len()
    }

    /// Says whether there are octets that no reply has used. After the reply to STLS, such octets were injected by an attacker.
    pub fn has_surplus(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// Says whether a reply has begun and is not complete.
    pub fn is_inside_reply(&self) -> bool {
        self.body.is_some() || self.has_surplus()
    }

    /// Says whether the incomplete body would be complete if lines ended with LF alone.
    pub fn ends_with_bare_line_feed(&self) -> bool {
        let kept = self.body.as_ref().filter(|open| !open.body.is_cut()).map(|open| open.body.bytes.as_slice());
        // The stuffed dot at the beginning of a line is removed once it is known that the line does not end the body.
        kept.is_some_and(|bytes| bytes == b"\n" || bytes.ends_with(b"\n.\n"))
    }

    /// Adds octets that the server sent.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the next complete reply, or `None` until more octets are added. After an error the parser must not be used any more.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, ReplyError> {
        if self.body.is_none() {
            let Some((status, text)) = self.status_line()? else { return Ok(None) };
            let Some(Expect::Body { likely_bytes, keep_bytes_max, drain_bytes_max }) = self.expected.front().copied()
            else {
                self.expected.pop_front();
                return Ok(Some(Reply { status, text, body: None }));
            };
            if status != Status::Ok {
                self.expected.pop_front();
                return Ok(Some(Reply { status, text, body: None }));
            }
            let body = Body { bytes: Vec::with_capacity(likely_bytes.min(keep_bytes_max)), size_bytes: 0 };
            self.body = Some(OpenBody { text, body, keep_bytes_max, drain_bytes_max, at_start: true });
        }
        self.continue_body()
    }

    /// Must be called when the connection has ended. Returns an error if a reply was still expected or was incomplete.
    pub fn end(&self) -> Result<(), ReplyError> {
        match self.expected.len() {
            0 if !self.has_surplus() => Ok(()),
            outstanding => Err(ReplyError::Ended(outstanding)),
        }
    }

    fn status_line(&mut self) -> Result<Option<(Status, String)>, ReplyError> {
        let unread = self.buffer.get(self.start..).unwrap_or_default();
        if unread.is_empty() {
            return Ok(None);
        }
        if self.expected.is_empty() {
            return Err(ReplyError::Unasked);
        }
        let window = unread.get(..LINE_BYTES_MAX).unwrap_or(unread);
        let Some(end) = memchr::memchr(b'\n', window) else {
            return if window.len() < LINE_BYTES_MAX { Ok(None) } else { Err(ReplyError::LineTooLong) };
        };
        let line = window.get(..end).unwrap_or_default();
        let (status, text) = parse_status(line.strip_suffix(b"\r").unwrap_or(line))?;
        // A status line that ends with LF alone is accepted, unless a body follows it: a body with such line ends has no recognisable end.
        let has_body = status == Status::Ok && matches!(self.expected.front(), Some(Expect::Body { .. }));
        if has_body && !line.ends_with(b"\r") {
            return Err(ReplyError::BareLineFeed);
        }
        self.start += end + 1;
        Ok(Some((status, text)))
    }

    /// Moves octets of the open body out of the buffer. Only CRLF.CRLF ends a body: a server that stuffs only dots after CRLF would
    /// otherwise let a mail contain text that is read as the server's replies.
    fn continue_body(&mut self) -> Result<Option<Reply>, ReplyError> {
        let Some(mut open) = self.body.take() else { return Ok(None) };
        let mut rest = self.buffer.get(self.start..).unwrap_or_default();
        let finished = open.take(&mut rest)?;
        self.start = self.buffer.len() - rest.len();
        if !finished {
            self.body = Some(open);
            return Ok(None);
        }
        self.expected.pop_front();
        Ok(Some(Reply { status: Status::Ok, text: open.text, body: Some(open.body) }))
    }
}

impl OpenBody {
    /// Consumes `rest` as far as possible. Returns true once the final dot has been read.
    fn take(&mut self, rest: &mut &[u8]) -> Result<bool, ReplyError> {
        if self.at_start {
            // The first line of the body follows the CRLF of the status line.
            match rest {
                [b'.', b'\r', b'\n', ..] => return Ok(self.finish(rest, 3)),
                [] | [b'.'] | [b'.', b'\r'] => return Ok(false),
                [b'.', ..] => *rest = &rest[1..],
                _ => {}
            }
            self.at_start = false;
        }
        loop {
            let Some(found) = memmem::find(rest, b"\r\n.") else {
                // The last octets may be the beginning of CRLF and a dot, so they are not taken yet.
                let held = if rest.ends_with(b"\r\n") { 2 } else { usize::from(rest.ends_with(b"\r")) };
                let (taken, held) = rest.split_at(rest.len() - held);
                self.keep(taken)?;
                *rest = held;
                return Ok(false);
            };
            match rest.get(found + 3..).unwrap_or_default() {
                [b'\r', b'\n', ..] => {
                    self.keep(&rest[..found + 2])?;
                    return Ok(self.finish(rest, found + 5));
                }
                [] | [b'\r'] => {
                    self.keep(&rest[..found])?;
                    *rest = &rest[found..];
                    return Ok(false);
                }
                after => {
                    self.keep(&rest[..found + 2])?;
                    *rest = after;
                }
            }
        }
    }

    fn finish(&mut self, rest: &mut &[u8], used: usize) -> bool {
        *rest = &rest[used..];
        true
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), ReplyError> {
        let room = self.keep_bytes_max.saturating_sub(self.body.bytes.len());
        self.body.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.body.size_bytes += bytes.len();
        if self.body.size_bytes > self.drain_bytes_max {
            return Err(ReplyError::BodyTooLong(self.drain_bytes_max));
        }
        Ok(())
    }
}

fn parse_status(line: &[u8]) -> Result<(Status, String), ReplyError> {
    let (status, rest) = if let Some(rest) = line.strip_prefix(b"+OK") {
        (Status::Ok, rest)
    } else if let Some(rest) = line.strip_prefix(b"-ERR") {
        (Status::Err, rest)
    } else if line == b"+" || line.starts_with(b"+ ") {
        (Status::Continue, &line[1..])
    } else {
        return Err(ReplyError::NotAReply(printable(&line[..line.len().min(60)])));
    };
    match rest.first() {
        None | Some(b' ' | b'\t') => Ok((status, printable(rest).trim().to_owned())),
        Some(_) => Err(ReplyError::NotAReply(printable(&line[..line.len().min(60)]))),
    }
}

#[cfg(test)]
mod tests;
