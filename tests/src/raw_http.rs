//! An HTTP client that sends the octets of a test unchanged, so that the test can break every rule of HTTP.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for the server to accept a connection, to read or to write.
const PATIENCE: Duration = Duration::from_secs(90);

/// A connection without TLS.
pub struct Raw {
    stream: TcpStream,
    /// Octets that have been received but are not part of a reply that was returned: the beginning of the next one.
    rest: Vec<u8>,
}

/// A reply, as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawReply {
    /// Status code.
    pub status: u16,
    /// Status line and header fields.
    pub head: String,
    /// Body.
    pub body: Vec<u8>,
}

impl RawReply {
    /// Returns all octets of the reply without the field `Date`, so that replies of different moments can be compared.
    pub fn without_date(&self) -> Vec<u8> {
        let lines = self.head.split_inclusive("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
        [lines.collect::<String>().as_bytes(), &self.body].concat()
    }

    /// Says whether the server closes the connection after this reply.
    pub fn closes(&self) -> bool {
        self.head.to_ascii_lowercase().contains("\r\nconnection: close\r\n")
    }
}

/// Returns the octets of a request that posts a document, with further header fields.
pub fn posting(fields: &str, document: &[u8]) -> Vec<u8> {
    let head = format!("POST /v1/letters HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: {}\r\n\r\n", document.len());
    [head.as_bytes(), document].concat()
}

/// Returns the octets of a request that posts a document in chunks of this size, with further header fields.
pub fn posting_in_chunks(fields: &str, document: &[u8], size: usize) -> Vec<u8> {
    let head = format!("POST /v1/letters HTTP/1.1\r\nHost: x\r\n{fields}Transfer-Encoding: chunked\r\n\r\n");
    let mut octets = head.into_bytes();
    for chunk in document.chunks(size) {
        octets.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        octets.extend_from_slice(chunk);
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(b"0\r\n\r\n");
    octets
}

impl Raw {
    /// Connects to a server.
    ///
    /// # Errors
    /// Nothing listens at the address.
    pub fn connect(server: SocketAddr) -> Result<Raw> {
        let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Raw { stream, rest: Vec::new() })
    }

    /// Returns another handle of the connection, for another thread.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn another(&self) -> Result<TcpStream> {
        self.stream.try_clone()
    }

    /// Writes octets.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn send(&mut self, octets: &[u8]) -> Result<()> {
        self.stream.write_all(octets)
    }

    /// Closes the connection's direction to the server, which tells the server that nothing more comes.
    ///
    /// # Errors
    /// The connection has ended.
    pub fn end(&self) -> Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Reads a reply; `None` where the connection ended without a further reply.
    ///
    /// # Errors
    /// The connection ended within a reply, or nothing came for too long.
    pub fn reply(&mut self) -> Result<Option<RawReply>> {
        let head_end = loop {
            match find(&self.rest, b"\r\n\r\n") {
                Some(at) => break at + 4,
                None if !self.more()? => {
                    return if self.rest.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
                }
                None => {}
            }
        };
        let head = String::from_utf8_lossy(&self.rest[..head_end]).into_owned();
        let status = head.get(9..12).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| Error::other(format!("no reply of HTTP: {head}")))?;
        let length = head.to_ascii_lowercase().split("content-length: ").nth(1).and_then(|rest| {
            let digits = rest.split("\r\n").next()?;
            digits.parse::<usize>().ok()
        });
        let whole = head_end + length.unwrap_or_default();
        while self.rest.len() < whole {
            if !self.more()? {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let body = self.rest[head_end..whole].to_vec();
        self.rest.drain(..whole);
        Ok(Some(RawReply { status, head, body }))
    }

    /// Reads replies until the connection ends. A reset of the connection counts as its end.
    ///
    /// # Errors
    /// The connection stays open, or the octets are no HTTP.
    pub fn replies(&mut self) -> Result<Vec<RawReply>> {
        let mut replies = Vec::new();
        loop {
            match self.reply() {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => return Ok(replies),
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                    return Ok(replies);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads octets until the connection ends.
    ///
    /// # Errors
    /// The connection stays open.
    pub fn all(&mut self) -> Result<Vec<u8>> {
        loop {
            match self.more() {
                Ok(true) => {}
                Ok(false) => return Ok(std::mem::take(&mut self.rest)),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(std::mem::take(&mut self.rest)),
                Err(error) => return Err(error),
            }
        }
    }

    fn more(&mut self) -> Result<bool> {
        let mut piece = [0; 16 * 1024];
        let read = self.stream.read(&mut piece)?;
        self.rest.extend_from_slice(&piece[..read]);
        Ok(read > 0)
    }
}

fn find(octets: &[u8], wanted: &[u8]) -> Option<usize> {
    octets.windows(wanted.len()).position(|window| window == wanted)
}
