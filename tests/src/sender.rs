//! A sender that pushes mail by LMTP over one connection, as a mail server does, and returns the reply to each mail.

use std::io::{BufRead, BufReader, Error, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for a reply.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest wait for a connection.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

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

/// A sender with at most one connection.
#[derive(Debug)]
pub struct Sender {
    address: SocketAddr,
    recipient: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Sender {
    /// Makes a sender that connects with its first mail.
    pub fn new(address: SocketAddr, recipient: &str) -> Sender {
        Sender { address, recipient: recipient.to_owned(), stream: None }
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
        if self.stream.is_none() {
            let stream = TcpStream::connect_timeout(&self.address, CONNECT_PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            let stream = self.stream.insert(BufReader::new(stream));
            let greeting = reply(stream)?;
            if greeting != 220 {
                return Ok(greeting);
            }
            let hello = say(stream, b"LHLO sender.example.org\r\n")?;
            if hello != 250 {
                return Ok(hello);
            }
        }
        let Some(stream) = &mut self.stream else { return Err(ErrorKind::NotConnected.into()) };
        let envelope =
            ["MAIL FROM:<>\r\n".to_owned(), format!("RCPT TO:<{}>\r\n", self.recipient), "DATA\r\n".to_owned()];
        for command in envelope {
            let code = say(stream, command.as_bytes())?;
            if code >= 400 {
                return Ok(code);
            }
        }
        *has_begun = true;
        say(stream, &stuffed(mail))
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

fn say(stream: &mut BufReader<TcpStream>, octets: &[u8]) -> std::io::Result<u16> {
    stream.get_mut().write_all(octets)?;
    reply(stream)
}

fn reply(stream: &mut BufReader<TcpStream>) -> std::io::Result<u16> {
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
