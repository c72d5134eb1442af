//! Connects to a mail server in steps: name, TCP, TLS. The error says which step failed.
//!
//! Guarantees: there is never a fall-back from TLS to plain text. The certificate must match the configured host. Without TLS only an
//! address of this machine is dialled, whatever the host's name is. One deadline covers all steps together.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::settings::Security;

mod tls;

pub use tls::TlsTrouble;

/// A step of fetching or sending mail. `mail test` reports the steps in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Checking the settings, including the secret.
    Settings,
    /// Finding the host's addresses.
    Dns,
    /// Connecting to one of the addresses.
    Tcp,
    /// Agreeing on TLS and checking the certificate; STLS and STARTTLS belong here.
    Tls,
    /// The server's greeting and its capabilities.
    Greeting,
    /// Signing in with user name and password, or with a token.
    SignIn,
    /// Reading the state of the mailbox.
    Mailbox,
    /// Fetching mails.
    Retrieve,
    /// Marking mails deleted.
    Delete,
    /// Ending the session. The server deletes mails only then.
    Quit,
    /// Composing the mail to send.
    Compose,
    /// The command MAIL FROM.
    Sender,
    /// The command RCPT TO.
    Recipient,
    /// The command DATA and the mail's text.
    Content,
    /// The reply to the final dot. Without it the client does not know whether the mail was taken (RFC 1047).
    Acceptance,
}

impl Step {
    /// Returns the step's name in logs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Step::Settings => "settings",
            Step::Dns => "dns",
            Step::Tcp => "tcp",
            Step::Tls => "tls",
            Step::Greeting => "greeting",
            Step::SignIn => "sign_in",
            Step::Mailbox => "mailbox",
            Step::Retrieve => "retrieve",
            Step::Delete => "delete",
            Step::Quit => "quit",
            Step::Compose => "compose",
            Step::Sender => "sender",
            Step::Recipient => "recipient",
            Step::Content => "content",
            Step::Acceptance => "acceptance",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A step failed and is to be tried again later: the fault is not caused by the mail. Nothing that the step has produced may be used.
#[derive(Debug, thiserror::Error)]
#[error("{peer}: {step}: {cause}")]
pub struct MailError {
    /// The step that failed.
    pub step: Step,
    /// `host:port` as configured.
    pub peer: String,
    /// Why the step failed.
    pub cause: Cause,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// Wrong settings.
    #[error("{0}")]
    Settings(String),
    /// The network reported an error.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The TLS handshake failed.
    #[error(transparent)]
    Tls(#[from] TlsTrouble),
    /// A deadline passed.
    #[error("no answer within {0} s")]
    TimedOut(u64),
    /// The connection ended in the middle.
    #[error("the server closed the connection")]
    Closed,
    /// The server gave a negative reply, with this text, made printable.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The server does not offer a feature that is needed.
    #[error("the server does not offer {0}")]
    Unsupported(&'static str),
    /// The server violated the protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(String),
}

/// The steps that succeeded, with the time that each took, and the step that failed.
#[derive(Debug, Default)]
pub struct TestReport {
    /// Steps passed, in order.
    pub passed: Vec<(Step, Duration)>,
    /// The failure that ended the test, if any.
    pub failure: Option<MailError>,
}

impl TestReport {
    pub(crate) fn pass(&mut self, step: Step, since: Instant) -> Instant {
        self.passed.push((step, since.elapsed()));
        Instant::now()
    }
}

/// What is needed to dial a server. The TLS settings are made once, so that TLS sessions can be resumed.
#[derive(Clone)]
pub(crate) struct Dialer {
    host: String,
    port: u16,
    security: Security,
    timeout: Duration,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Dialer {
    /// Prepares connections to a server. Errors belong to the step `settings`.
    pub(crate) fn new(
        (host, port): (&str, u16),
        security: Security,
        ca_file: Option<&Path>,
        timeout_seconds: u64,
    ) -> Result<Dialer, MailError> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let timeout = Duration::from_secs(timeout_seconds);
        let mut dialer = Dialer { host, port, security, timeout, tls: None };
        if security != Security::None {
            let name = ServerName::try_from(dialer.host.clone()).map_err(|error| {
                dialer.error(Step::Settings, Cause::Settings(format!("host: {}: {error}", dialer.host)))
            })?;
            let config = tls::client_config(ca_file)
                .map_err(|problem| dialer.error(Step::Settings, Cause::Settings(problem)))?;
            dialer.tls = Some((TlsConnector::from(Arc::new(config)), name));
        }
        Ok(dialer)
    }

    pub(crate) fn security(&self) -> Security {
        self.security
    }

    pub(crate) fn peer(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(crate) fn error(&self, step: Step, cause: Cause) -> MailError {
        MailError { step, peer: self.peer(), cause }
    }

    /// Connects to the server. With `Security::Tls` the returned stream is already protected.
    pub(crate) async fn dial(&self, report: &mut TestReport) -> Result<Stream, MailError> {
        let since = Instant::now();
        let addresses = self.resolve().await?;
        let since = report.pass(Step::Dns, since);
        let tcp = self.reach(&addresses).await?;
        report.pass(Step::Tcp, since);
        match self.security {
            Security::Tls => self.protect(tcp, report).await,
            Security::Starttls | Security::None => Ok(Stream::Plain(tcp)),
        }
    }

    /// Does the TLS handshake over a stream from which nothing else has been read.
    pub(crate) async fn protect(&self, tcp: TcpStream, report: &mut TestReport) -> Result<Stream, MailError> {
        let since = Instant::now();
        let Some((connector, name)) = &self.tls else {
            return Err(self.error(Step::Tls, Cause::Settings("security: expected `tls` or `starttls`".into())));
        };
        let agreed = self.within(Step::Tls, connector.connect(name.clone(), tcp)).await;
        let stream = agreed.map_err(|error| match error.cause {
            Cause::Io(error) => self.error(Step::Tls, TlsTrouble::of(error, self.security, self.port)),
            _ => error,
        })?;
        report.pass(Step::Tls, since);
        Ok(Stream::Tls(Box::new(stream)))
    }

    async fn resolve(&self) -> Result<Vec<SocketAddr>, MailError> {
        let found = self.within(Step::Dns, tokio::net::lookup_host((self.host.as_str(), self.port))).await?;
        let addresses: Vec<SocketAddr> = found.collect();
        if addresses.is_empty() {
            let nothing = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            return Err(self.error(Step::Dns, Cause::Io(nothing)));
        }
        // A host name may resolve to any address, so without TLS the address itself must be local.
        if self.security == Security::None && !addresses.iter().all(|address| address.ip().is_loopback()) {
            let cause = format!("security: `none` is for a server on this machine, and {} is elsewhere", self.host);
            return Err(self.error(Step::Settings, Cause::Settings(cause)));
        }
        Ok(addresses)
    }

    async fn reach(&self, addresses: &[SocketAddr]) -> Result<TcpStream, MailError> {
        let mut failure = Cause::Closed;
        for address in addresses {
            match self.within(Step::Tcp, TcpStream::connect(address)).await {
                Ok(tcp) => {
                    // Commands are small and wait for replies. Nagle's algorithm would delay each command until the server's delayed
                    // acknowledgement.
                    tcp.set_nodelay(true).map_err(|error| self.error(Step::Tcp, error.into()))?;
                    return Ok(tcp);
                }
                Err(error) => failure = error.cause,
            }
        }
        Err(self.error(Step::Tcp, failure))
    }

    async fn within<T>(&self, step: Step, work: impl Future<Output = io::Result<T>>) -> Result<T, MailError> {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.error(step, error.into())),
            Err(_elapsed) => Err(self.error(step, Cause::TimedOut(self.timeout.as_secs()))),
        }
    }
}

/// A connection to a mail server, with or without TLS.
#[derive(Debug)]
pub(crate) enum Stream {
    /// TCP without TLS.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;
