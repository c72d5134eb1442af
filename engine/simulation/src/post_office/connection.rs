//! One client's connection: carries octets between a socket and a session, and commits the faults of the wire.
//!
//! Sessions do no I/O; they take octets and append their replies. Replies to commands that came together leave together,
//! so a pipelining client costs one read and one write for a whole window.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use memchr::memchr;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::faults::{Fault, Faults, Protocol};

const READ_BYTES: usize = 16 * 1024;
/// Replies are sent on once they are larger than this, so they exceed it by one reply at most.
const WRITE_BYTES: usize = 64 * 1024;

/// The server's side of one protocol.
pub(super) trait Session {
    /// The protocol, as faults name it.
    const PROTOCOL: Protocol;
    /// Greets the client.
    fn greet(&mut self, reply: &mut Vec<u8>);
    /// Takes the first command in `input`, or as much of a mail's text as is there, and appends the reply.
    fn take(&mut self, input: &[u8], reply: &mut Vec<u8>) -> Taken;
    /// The connection is now protected: everything that the client said before is void.
    fn protected(&mut self);
}

/// How many octets a session has taken, and what is to be done then.
pub(super) struct Taken {
    pub(super) consumed: usize,
    pub(super) next: Next,
}

/// What is to be done after a session has taken octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Read more: there was no whole command.
    Read,
    /// Go on with the next command.
    Go,
    /// Send the reply, then begin TLS.
    StartTls,
    /// Send the replies and end.
    Close,
    /// A fault: send what is written so far and end in the middle of it.
    Cut,
    /// A fault: send what is written so far and nothing more.
    Hang,
}

/// One command line, if it is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// No line end yet.
    Incomplete,
    /// More octets than a line may have.
    TooLong,
    /// A line that is not text, or that a bare LF ends.
    Malformed(usize),
    /// The line without its CRLF, and its length with it.
    Whole(&'a str, usize),
}

/// Finds the first line; its end is CRLF.
pub(super) fn first_line(input: &[u8], size_bytes_max: usize) -> Line<'_> {
    let Some(end) = memchr(b'\n', input) else {
        return if input.len() > size_bytes_max { Line::TooLong } else { Line::Incomplete };
    };
    let length = end + 1;
    if length > size_bytes_max {
        return Line::TooLong;
    }
    match input[..end].strip_suffix(b"\r").map(std::str::from_utf8) {
        Some(Ok(line)) if !line.contains('\r') => Line::Whole(line, length),
        _ => Line::Malformed(length),
    }
}

/// A client's socket, protected or not.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Begins TLS on a connection that has none.
    pub(super) async fn protect(self, config: Arc<ServerConfig>) -> io::Result<Stream> {
        match self {
            Stream::Plain(stream) => {
                let stream = TlsAcceptor::from(config).accept(stream).await?;
                Ok(Stream::Tls(Box::new(stream)))
            }
            Stream::Tls(_) => Err(io::Error::other("the connection is protected already")),
        }
    }

    async fn read(&mut self, input: &mut Vec<u8>) -> io::Result<usize> {
        input.reserve(READ_BYTES);
        match self {
            Stream::Plain(stream) => stream.read_buf(input).await,
            Stream::Tls(stream) => stream.read_buf(input).await,
        }
    }

    async fn write(&mut self, output: &[u8]) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.write_all(output).await,
            Stream::Tls(stream) => {
                stream.write_all(output).await?;
                stream.flush().await
            }
        }
    }

    async fn close(mut self) -> io::Result<()> {
        match &mut self {
            Stream::Plain(stream) => stream.shutdown().await,
            Stream::Tls(stream) => stream.shutdown().await,
        }
    }

    /// Ends without a word: no close_notify, as when a line breaks.
    async fn cut(self) -> io::Result<()> {
        match self {
            Stream::Plain(mut stream) => stream.shutdown().await,
            Stream::Tls(stream) => stream.into_inner().0.shutdown().await,
        }
    }
}

/// One conversation from greeting to end.
pub(super) struct Connection<'a> {
    pub(super) stream: Stream,
    pub(super) faults: &'a Faults,
    /// The certificate and key with which STLS or STARTTLS begins TLS.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Longest wait for the client, reading or writing.
    pub(super) idle_timeout: Duration,
}

impl Connection<'_> {
    /// Holds the conversation. Errors: the socket's, or a client that stays away longer than the idle timeout.
    pub(super) async fn hold<S: Session>(mut self, mut session: S) -> io::Result<()> {
        let mut input = Vec::new();
        let mut output = Vec::new();
        session.greet(&mut output);
        loop {
            let mut position = 0;
            let next = loop {
                let before = output.len();
                let taken = session.take(&input[position..], &mut output);
                position += taken.consumed;
                let next = if output.len() > before {
                    self.commit_reply_faults(S::PROTOCOL, &mut output, before, taken.next).await
                } else {
                    taken.next
                };
                match next {
                    Next::Go if output.len() > WRITE_BYTES => self.send(&mut output).await?,
                    Next::Go => {}
                    _ => break next,
                }
            };
            input.drain(..position);
            self.send(&mut output).await?;
            match next {
                Next::Read | Next::Go => {
                    if within(self.idle_timeout, self.stream.read(&mut input)).await? == 0 {
                        return Ok(());
                    }
                }
                Next::Close => return self.stream.close().await,
                Next::Cut => return self.stream.cut().await,
                Next::Hang => {
                    while within(self.idle_timeout, self.stream.read(&mut input)).await? > 0 {
                        input.clear();
                    }
                    return Ok(());
                }
                Next::StartTls => {
                    // What came in the clear behind the command may be an attacker's (CVE-2011-0411).
                    input.clear();
                    let config =
                        self.tls.clone().ok_or_else(|| io::Error::other("no certificate to begin TLS with"))?;
                    self.stream = within(self.idle_timeout, self.stream.protect(config)).await?;
                    session.protected();
                }
            }
        }
    }

    async fn commit_reply_faults(&self, protocol: Protocol, output: &mut Vec<u8>, start: usize, next: Next) -> Next {
        let delay = self.faults.strike(|fault| match fault {
            Fault::DelayReply(concerned, delay) if *concerned == protocol => Some(*delay),
            _ => None,
        });
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        if self.faults.strikes(&Fault::CutReply(protocol)) {
            let first_line = memchr(b'\n', &output[start..]).unwrap_or(output.len() - start);
            output.truncate(start + first_line / 2);
            return Next::Cut;
        }
        if protocol == Protocol::Pop3 && self.faults.strikes(&Fault::BareLineFeeds) {
            let bare: Vec<u8> = output.drain(start..).filter(|octet| *octet != b'\r').collect();
            output.extend_from_slice(&bare);
        }
        next
    }

    async fn send(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        within(self.idle_timeout, self.stream.write(output)).await?;
        output.clear();
        // The memory of one large mail must not be held for as long as the connection lasts.
        output.shrink_to(2 * WRITE_BYTES);
        Ok(())
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_crlf_within_its_limit() {
        assert_eq!(first_line(b"NOOP\r\nQUIT\r\n", 20), Line::Whole("NOOP", 6));
        assert_eq!(first_line(b"NOOP\r", 20), Line::Incomplete);
        assert_eq!(first_line(b"NOOP\nQUIT\r\n", 20), Line::Malformed(5));
        assert_eq!(first_line(b"NO\rOP\r\n", 20), Line::Malformed(7));
        assert_eq!(first_line(b"\xff\r\n", 20), Line::Malformed(3));
        assert_eq!(first_line(b"0123456789\r\n", 11), Line::TooLong);
        assert_eq!(first_line(b"0123456789ab", 11), Line::TooLong);
    }
}
