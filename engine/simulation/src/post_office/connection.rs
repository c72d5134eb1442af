//! One client's connection: passes octets between the socket and the session, and commits those faults that break the connection.
//!
//! Sessions do no I/O: they take octets and append their replies to a buffer. Replies to commands that arrived together are sent together,
//! so a client that pipelines its commands costs one read and one write for the whole group.

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
/// The size in octets above which the buffered replies are sent. The buffer exceeds it by one reply at most.
const WRITE_BYTES: usize = 64 * 1024;

/// The server's side of one protocol, such as POP3.
pub(super) trait Session {
    /// The protocol, as faults name it.
    const PROTOCOL: Protocol;
    /// Greets the client.
    fn greet(&mut self, reply: &mut Vec<u8>);
    /// Takes the first command in `input`, or as much of a mail's text as is there, and appends the reply.
    fn take(&mut self, input: &[u8], reply: &mut Vec<u8>) -> Taken;
    /// Called when TLS has begun: the session must forget everything that the client said before (CVE-2011-0411).
    fn protected(&mut self);
}

/// The result of a session's step: the number of octets that it took, and what the connection must do next.
pub(super) struct Taken {
    pub(super) consumed: usize,
    pub(super) next: Next,
}

/// The next action of the connection after a session's step.
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

/// The first command line in the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// The input has no line end yet.
    Incomplete,
    /// The line has more octets than allowed.
    TooLong,
    /// The line is not UTF-8, or ends with LF without CR. The number is its length in octets.
    Malformed(usize),
    /// A whole line without its CRLF; the number is its length with the CRLF.
    Whole(&'a str, usize),
}

/// Finds the first line of the input. Lines end with CRLF.
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

/// A client's socket, with or without TLS.
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

    /// Closes the connection without the close_notify of TLS, as when a line breaks.
    async fn cut(self) -> io::Result<()> {
        match self {
            Stream::Plain(mut stream) => stream.shutdown().await,
            Stream::Tls(stream) => stream.into_inner().0.shutdown().await,
        }
    }
}

/// One connection with a client, from the greeting to the end.
pub(super) struct Connection<'a> {
    pub(super) stream: Stream,
    pub(super) faults: &'a Faults,
    /// The certificate and key with which STLS or STARTTLS begins TLS.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// The longest wait for the client, for reading as for writing.
    pub(super) idle_timeout: Duration,
}

impl Connection<'_> {
    /// Runs the session until the connection ends. Fails where the socket fails, or the client sends nothing for longer than the idle
    /// timeout.
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
                    // Octets after the command were sent before TLS began, so an attacker may have inserted them (CVE-2011-0411). They are
                    // dropped.
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
        // A large mail has enlarged the buffer. It is shrunk here, so that a long connection does not keep that memory.
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
