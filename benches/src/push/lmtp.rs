//! One connection of a mail server that hands mail on by LMTP (RFC 2033).

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::stock::CENTRE_ADDRESS;

/// The reply that asks for the mail.
const GO_ON: u16 = 354;
/// The reply after which the connection ends.
const LEAVING: u16 = 421;

/// A connection over which one mail after another is sent.
pub(super) struct Lmtp {
    stream: BufReader<TcpStream>,
    /// The commands before each mail.
    envelope: Vec<u8>,
    line: String,
}

impl Lmtp {
    /// Connects, and introduces itself with LHLO.
    ///
    /// # Errors
    /// The server does not answer, or its replies are not those of LMTP.
    pub(super) async fn connect(server: SocketAddr) -> Result<Lmtp> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let envelope = format!("MAIL FROM:<sender@stations.example>\r\nRCPT TO:<{CENTRE_ADDRESS}>\r\nDATA\r\n");
        let mut lmtp = Lmtp { stream: BufReader::new(stream), envelope: envelope.into_bytes(), line: String::new() };
        let greeting = lmtp.reply().await?;
        lmtp.stream.get_mut().write_all(b"LHLO stations.example\r\n").await?;
        let hello = lmtp.reply().await?;
        ensure!((greeting, hello) == (220, 250), "LMTP: the server greets with {greeting} and {hello}");
        Ok(lmtp)
    }

    /// Sends a mail. In `mail`, leading dots are doubled already, and the line that ends the mail is appended. The commands before the mail
    /// are sent together, as mail servers send them where PIPELINING is offered. Returns the code of the reply, and whether the connection
    /// is good for another mail.
    ///
    /// # Errors
    /// The connection ended.
    pub(super) async fn send(&mut self, mail: &[u8]) -> Result<(u16, bool)> {
        self.stream.get_mut().write_all(&self.envelope).await?;
        for asks_for_mail in [false, false, true] {
            let code = self.reply().await?;
            if code >= 400 || (asks_for_mail && code != GO_ON) {
                // The commands were sent together, and the replies to those after this one have not been read. A mail after it would take
                // them for its own, so the connection cannot be used for another.
                return Ok((code, false));
            }
        }
        self.stream.get_mut().write_all(mail).await?;
        let code = self.reply().await?;
        Ok((code, code != LEAVING))
    }

    /// Reads a reply of one or more lines, and returns its code.
    async fn reply(&mut self) -> Result<u16> {
        loop {
            self.line.clear();
            self.stream.read_line(&mut self.line).await?;
            let code = self.line.get(..3).and_then(|code| code.parse().ok()).context("LMTP: the connection ended")?;
            if self.line.as_bytes().get(3) != Some(&b'-') {
                return Ok(code);
            }
        }
    }
}
