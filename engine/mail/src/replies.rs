//! Bounds a server's replies while they are read. This layer is between a line-based protocol and its stream.
//!
//! lettre reads a whole line before it checks the length, so a relay that never ends a line fills memory until the deadline: a gigabyte in
//! seconds. Here reading ends with an error after [`LINE_BYTES_MAX`] without a line end, and after [`REPLY_BYTES_MAX`] or
//! [`REPLY_LINES_MAX`] of one reply. Also, each command has one reply (RFC 5321, 4.2): octets that a server sends before a command are
//! never taken for the reply to it.
//!
//! Every line-based protocol uses this layer, with lettre or without, except POP3. In POP3 mails arrive between the replies, and its parser
//! has the same bounds (`pop3::reply`).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longest line in bytes. RFC 5321, 4.5.3.1.5 allows 512 octets.
pub const LINE_BYTES_MAX: usize = 8 * 1024;
/// Longest reply in bytes. A reply to EHLO has a few hundred octets.
pub const REPLY_BYTES_MAX: usize = 64 * 1024;
/// Largest number of lines of one reply. The number is limited because lettre parses the whole reply again with each line that arrives.
pub const REPLY_LINES_MAX: usize = 256;

/// Octets read from the stream at a time.
const CHUNK_BYTES: usize = 4 * 1024;

/// How a server's lines violate the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// A line does not end.
    #[error("a line without an end: more than {LINE_BYTES_MAX} octets")]
    LineTooLong,
    /// A reply has no last line.
    #[error("a reply without an end: more than {REPLY_BYTES_MAX} octets or {REPLY_LINES_MAX} lines")]
    ReplyTooLong,
    /// A line ends with LF alone. If two programs disagree about where a line ends, a second command can be hidden between their readings
    /// (SMTP smuggling, CVE-2023-51764).
    #[error(
        "the server ends its lines with LF alone, and RFC 5321 asks for CRLF: have it, or the gateway before it, send CRLF"
    )]
    BareLineFeed,
    /// The server sent a reply before a command.
    #[error("a reply came that no command asked for")]
    Unasked,
}

impl From<LineFault> for io::Error {
    fn from(fault: LineFault) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, fault)
    }
}

/// A stream whose reading side returns one bounded reply for each command written. The server's greeting comes first.
///
/// Octets that are not printable ASCII are returned as `?`. A relay may write its texts in any character set. lettre treats a reply that is
/// not UTF-8 as a broken line, although its code says whether the mail was taken.
#[derive(Debug)]
pub struct Replies<S> {
    stream: S,
    /// Octets read from the stream. Those from `start` on have not been returned yet.
    held: Vec<u8>,
    start: usize,
    awaited: Option<ReplySoFar>,
}

/// State of a reply that is not complete.
#[derive(Clone, Copy, Debug, Default)]
struct ReplySoFar {
    bytes: usize,
    lines: usize,
    line_bytes: usize,
    /// Whether the current line says that another line follows: `250-`.
    goes_on: bool,
    is_after_cr: bool,
}

impl ReplySoFar {
    /// Reads further octets of the reply. Returns how many of the octets belong to the reply, and whether the reply ends with them.
    fn read(&mut self, octets: &[u8]) -> Result<(usize, bool), LineFault> {
        for (at, octet) in octets.iter().enumerate() {
            self.bytes += 1;
            self.line_bytes += 1;
            if self.line_bytes > LINE_BYTES_MAX {
                return Err(LineFault::LineTooLong);
            }
            if self.bytes > REPLY_BYTES_MAX || self.lines >= REPLY_LINES_MAX {
                return Err(LineFault::ReplyTooLong);
            }
            if self.line_bytes == 4 {
                self.goes_on = *octet == b'-';
            }
            if *octet == b'\n' {
                if !self.is_after_cr {
                    return Err(LineFault::BareLineFeed);
                }
                if !self.goes_on {
                    return Ok((at + 1, true));
                }
                (self.lines, self.line_bytes, self.goes_on) = (self.lines + 1, 0, false);
            }
            self.is_after_cr = *octet == b'\r';
        }
        Ok((octets.len(), false))
    }
}

impl<S> Replies<S> {
    /// Makes the layer for a stream on which the server's greeting is still to be read.
    pub fn new(stream: S) -> Replies<S> {
        Replies { stream, held: Vec::new(), start: 0, awaited: Some(ReplySoFar::default()) }
    }

    /// Says whether octets have been read that belong to no reply to a command.
    pub fn has_surplus(&self) -> bool {
        self.start < self.held.len()
    }

    /// Returns the stream. Octets that were read and not returned are lost.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Returns a reference to the stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> Replies<S> {
    /// Reads from the stream. If the read succeeds and `held` is empty afterwards, the stream has ended.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.held.resize(CHUNK_BYTES, 0);
        self.start = 0;
        let mut chunk = ReadBuf::new(&mut self.held);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut chunk);
        let filled = if matches!(read, Poll::Ready(Ok(()))) { chunk.filled().len() } else { 0 };
        self.held.truncate(filled);
        read
    }

    /// Checks that the server has sent nothing since the last reply, and that the stream has not ended, before a command is sent.
    fn expect_silence(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.has_surplus() {
            return Err(LineFault::Unasked.into());
        }
        match self.fill(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(())) if self.has_surplus() => Err(LineFault::Unasked.into()),
            Poll::Ready(Ok(())) => {
                Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the server closed the connection"))
            }
            Poll::Ready(Err(error)) => Err(error),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replies<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.has_surplus() {
            ready!(this.fill(cx))?;
        }
        let unread = this.held.get(this.start..).unwrap_or_default();
        let Some(reply) = this.awaited.as_mut() else {
            return Poll::Ready(if unread.is_empty() { Ok(()) } else { Err(LineFault::Unasked.into()) });
        };
        let (used, is_whole) = reply.read(unread.get(..buf.remaining()).unwrap_or(unread))?;
        for octet in unread.get(..used).unwrap_or_default() {
            let is_plain = matches!(octet, b'\r' | b'\n' | b'\t' | 0x20..0x7f);
            buf.put_slice(&[if is_plain { *octet } else { b'?' }]);
        }
        this.start += used;
        if is_whole {
            this.awaited = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Replies<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.awaited.is_none() {
            this.expect_silence(cx)?;
            this.awaited = Some(ReplySoFar::default());
        }
        Pin::new(&mut this.stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
