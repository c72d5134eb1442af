//! Carries out STARTTLS (RFC 3207) before lettre uses the connection, so that plain text is never read as if TLS had protected it.
//!
//! lettre keeps what it has buffered when it changes to TLS (CVE-2011-0411 and many like it). So the change to TLS is made here, and lettre
//! begins on the protected stream.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf};
use tokio::net::TcpStream;

use crate::connect::{Cause, Dialer, MailError, Step, Stream, TestReport};
use crate::replies::Replies;
use crate::words::printable;

/// A greeting for lettre, which expects one first. The server sent its own greeting before TLS, and does not repeat it (RFC 3207, 4.2).
const GREETING: &[u8] = b"220 \r\n";

/// Asks the server for STARTTLS and carries out the TLS handshake. If TLS fails, the connection fails: it never continues in plain text.
pub async fn protect(dialer: &Dialer, tcp: TcpStream, hello: &str) -> Result<Greeted, MailError> {
    let wrong = |cause: Cause| dialer.error(Step::Tls, cause);
    let mut clear = BufReader::new(Replies::new(tcp));
    expect(&mut clear, "220").await.map_err(|cause| dialer.error(Step::Greeting, cause))?;
    let offers = ask(&mut clear, &format!("EHLO {hello}"), "250").await.map_err(wrong)?;
    if !offers.iter().any(|offer| offer.eq_ignore_ascii_case("STARTTLS")) {
        return Err(wrong(Cause::Unsupported("STARTTLS")));
    }
    ask(&mut clear, "STARTTLS", "220").await.map_err(wrong)?;
    if !clear.buffer().is_empty() || clear.get_ref().has_surplus() {
        return Err(wrong(Cause::Protocol("plain text after the answer to STARTTLS".to_owned())));
    }
    let stream = dialer.protect(clear.into_inner().into_inner(), &mut TestReport::default()).await?;
    Ok(Greeted { greeting: GREETING, stream })
}

async fn ask(clear: &mut BufReader<Replies<TcpStream>>, command: &str, code: &str) -> Result<Vec<String>, Cause> {
    clear.write_all(format!("{command}\r\n").as_bytes()).await?;
    expect(clear, code).await
}

/// Reads a reply of one or more lines (RFC 5321, 4.2.1) and returns the lines without the code.
async fn expect(clear: &mut BufReader<Replies<TcpStream>>, code: &str) -> Result<Vec<String>, Cause> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        clear.read_until(b'\n', &mut line).await?;
        if !line.ends_with(b"\n") {
            return Err(Cause::Closed);
        }
        let line = printable(line.trim_ascii_end());
        let rest = line.strip_prefix(code).ok_or_else(|| Cause::Refused(line.clone()))?;
        let is_last = !rest.starts_with('-');
        lines.push(rest.get(1..).unwrap_or_default().to_owned());
        if is_last {
            return Ok(lines);
        }
    }
}

/// A stream whose reader first gets a greeting, where the server has sent its greeting already.
#[derive(Debug)]
pub struct Greeted {
    /// The part of the greeting that has not been read yet.
    greeting: &'static [u8],
    stream: Stream,
}

impl From<Stream> for Greeted {
    /// Adds no greeting, because the server will send its own.
    fn from(stream: Stream) -> Greeted {
        Greeted { greeting: &[], stream }
    }
}

impl AsyncRead for Greeted {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.greeting.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        }
        let (now, later) = this.greeting.split_at(this.greeting.len().min(buf.remaining()));
        buf.put_slice(now);
        this.greeting = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Greeted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Replies<Greeted> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.get_ref().stream {
            Stream::Plain(tcp) => tcp.peer_addr(),
            Stream::Tls(tls) => tls.get_ref().0.peer_addr(),
        }
    }
}
