//! A sender that pushes mail by LMTP over one connection, as a mail server does, and returns the reply to each mail.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

/// Longest wait for a reply.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest wait for a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Name in the certificates of the servers.
const SERVER_NAME: &str = "localhost";
const HELLO: &[u8] = b"LHLO sender.example.org\r\n";
const STARTTLS: &[u8] = b"STARTTLS\r\n";

/// The outcome of an attempt to push a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The reply to the whole mail, or the first negative reply before it.
    Answered(u16),
    /// The connection was refused or ended before the mail was begun.
    CutBefore,
    /// The connection ended after the mail was begun, so it is unknown whether the server accepted the mail.
    CutAfter,
}

/// A connection, with TLS or without.
trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

/// A sender with at most one connection.
pub struct Sender {
    address: SocketAddr,
    recipient: String,
    tls: Option<Arc<ClientConfig>>,
    /// Longest wait for a reply before the mail is begun.
    patience_before: Duration,
    /// The connection, and its socket, whose timeout is set for each reply.
    stream: Option<(BufReader<Box<dyn Stream>>, TcpStream)>,
}

impl Sender {
    /// Makes a sender that connects with its first mail.
    pub fn new(address: SocketAddr, recipient: &str) -> Sender {
        let recipient = recipient.to_owned();
        Sender { address, recipient, tls: None, patience_before: PATIENCE, stream: None }
    }

    /// Makes a sender that begins TLS on each connection by STARTTLS, and leaves a server that does not answer within `patience_before`,
    /// as long as no mail is begun.
    pub fn over_tls(address: SocketAddr, recipient: &str, tls: Arc<ClientConfig>, patience_before: Duration) -> Sender {
        Sender { tls: Some(tls), patience_before, ..Sender::new(address, recipient) }
    }

    /// Pushes a mail once. After a reply 421 and after a cut, the next mail goes over a new connection.
    pub fn push(&mut self, mail: &[u8]) -> Pushed {
        let mut has_begun = false;
        let answered = self.talk(mail, &mut has_begun);
        match answered {
            Ok(421) => {
                self.stream = None;
                Pushed::Answered(421)
            }
            Ok(code) => Pushed::Answered(code),
            Err(_) => {
                self.stream = None;
                if has_begun { Pushed::CutAfter } else { Pushed::CutBefore }
            }
        }
    }

    fn talk(&mut self, mail: &[u8], has_begun: &mut bool) -> std::io::Result<u16> {
        if self.stream.is_none()
            && let Some(refusal) = self.connect()?
        {
            return Ok(refusal);
        }
        let Some((stream, socket)) = &mut self.stream else { return Err(ErrorKind::NotConnected.into()) };
        socket.set_read_timeout(Some(self.patience_before))?;
        let envelope =
            ["MAIL FROM:<>\r\n".to_owned(), format!("RCPT TO:<{}>\r\n", self.recipient), "DATA\r\n".to_owned()];
        for command in envelope {
            let code = say(stream, command.as_bytes())?;
            if code >= 400 {
                return Ok(code);
            }
        }
        *has_begun = true;
        socket.set_read_timeout(Some(PATIENCE))?;
        say(stream, &stuffed(mail))
    }

    /// Connects, and begins TLS where the sender uses it. Returns a negative reply of the server.
    fn connect(&mut self) -> std::io::Result<Option<u16>> {
        let socket = TcpStream::connect_timeout(&self.address, CONNECT_PATIENCE)?;
        socket.set_read_timeout(Some(self.patience_before))?;
        socket.set_nodelay(true)?;
        let mut plain = BufReader::new(socket.try_clone()?);
        let greeting = reply(&mut plain)?;
        if greeting != 220 {
            return Ok(Some(greeting));
        }
        let mut stream: BufReader<Box<dyn Stream>> = match &self.tls {
            None => BufReader::new(Box::new(socket.try_clone()?)),
            Some(tls) => {
                for (command, expected) in [(HELLO, 250), (STARTTLS, 220)] {
                    let code = say(&mut plain, command)?;
                    if code != expected {
                        return Ok(Some(code));
                    }
                }
                let name = ServerName::try_from(SERVER_NAME).map_err(Error::other)?;
                let session = ClientConnection::new(Arc::clone(tls), name).map_err(Error::other)?;
                BufReader::new(Box::new(StreamOwned::new(session, socket.try_clone()?)))
            }
        };
        let hello = say(&mut stream, HELLO)?;
        if hello != 250 {
            return Ok(Some(hello));
        }
        self.stream = Some((stream, socket));
        Ok(None)
    }
}

/// Puts a dot before each line that begins with a dot, and appends the line that ends the mail (RFC 5321, 4.5.2).
pub fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(mail.len() + 16);
    for line in mail.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    if !wire.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

fn say(stream: &mut BufReader<impl Read + Write>, octets: &[u8]) -> std::io::Result<u16> {
    stream.get_mut().write_all(octets)?;
    stream.get_mut().flush()?;
    reply(stream)
}

fn reply(stream: &mut BufReader<impl Read>) -> std::io::Result<u16> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let code = line.get(..3).and_then(|code| code.parse().ok());
        match (code, line.as_bytes().get(3)) {
            (Some(_), Some(b'-')) => {}
            (Some(code), _) => return Ok(code),
            (None, _) => return Err(Error::from(ErrorKind::UnexpectedEof)),
        }
    }
}
