//! One session with a POP3 server, from dialling to QUIT.
//!
//! Promises: credentials go over TLS, or to this machine; a mail is deleted only if `quit` returned `Ok`; commands are
//! pipelined where the server says PIPELINING (RFC 2449, 6.6), with a bounded window; every wait has a deadline; a mail
//! that is too large, or that the server refuses, is that mail's result and not the session's end. After an error the
//! session is of no more use: dropping it closes the connection, and the server forgets the deletions.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::connect::{Cause, Dialer, MailError, Step, Stream, TestReport};
use crate::pop3::listing::{self, LISTING_LINE_BYTES_MAX, Listed};
use crate::pop3::reply::{Expect, Reply, ReplyParser, Status};
use crate::settings::{Credential, MailboxSettings, Security};

/// How much is kept of a mail that is too large.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Lines asked for with TOP, so that the head of an over-size mail is about as large as what is kept of it.
const HEAD_LINES: usize = 200;

/// Longest capability list: a few dozen lines in practice.
const CAPABILITY_BYTES_MAX: usize = 16 * 1024;

/// Read at once; the size of a TLS record.
const CHUNK_BYTES: usize = 16 * 1024;

/// DELE commands in flight: each and its answer are under 40 bytes, so both sides' socket buffers hold a window.
const DELETE_WINDOW: usize = 256;

/// A mailbox that sessions can be opened with; keeps what every session needs, TLS resumption among it.
#[derive(Clone)]
pub struct Mailbox {
    settings: MailboxSettings,
    dialer: Dialer,
}

/// An open session, signed in.
pub struct Session {
    wire: Wire,
    settings: MailboxSettings,
    pipelining: bool,
    top: bool,
}

/// What STAT tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxSize {
    /// Mails in the mailbox.
    pub mails: u64,
    /// Their size together.
    pub size_bytes: u64,
}

/// A mail that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retrieved {
    /// The mail, as it was listed.
    pub listed: Listed,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of asking for a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The mail, octet for octet.
    Mail(Vec<u8>),
    /// The mail is larger than allowed: its first 16 KB at most (nothing if the server knows no TOP), and its size.
    OverSize {
        /// First bytes.
        head: Vec<u8>,
        /// Size as listed, or as counted where the listing told less.
        size_bytes: u64,
    },
    /// The server refused this one mail, with these words.
    Refused(String),
}

impl Mailbox {
    /// Prepares a mailbox. Errors are of step `settings`.
    pub fn new(settings: MailboxSettings) -> Result<Mailbox, MailError> {
        let dialer = Dialer::new(
            (&settings.host, settings.port()),
            settings.security,
            settings.ca_file.as_deref(),
            settings.connect_timeout_seconds,
        )?;
        settings.validate().map_err(|error| dialer.error(Step::Settings, Cause::Settings(error.to_string())))?;
        Ok(Mailbox { settings, dialer })
    }

    /// Connects and signs in. The error's step says how far it came.
    pub async fn open(&self) -> Result<Session, MailError> {
        self.open_reporting(&mut TestReport::default()).await
    }

    /// Goes through every step up to looking into the mailbox, changes nothing, and tells how far it came.
    pub async fn test(&self) -> TestReport {
        let mut report = TestReport::default();
        if let Err(error) = self.look(&mut report).await {
            report.failure = Some(error);
        }
        report
    }

    async fn look(&self, report: &mut TestReport) -> Result<(), MailError> {
        let mut session = self.open_reporting(report).await?;
        let since = Instant::now();
        session.stat().await?;
        report.pass(Step::Mailbox, since);
        session.quit().await
    }

    async fn open_reporting(&self, report: &mut TestReport) -> Result<Session, MailError> {
        let since = Instant::now();
        let credential = self
            .settings
            .credential()
            .map_err(|error| self.dialer.error(Step::Settings, Cause::Settings(error.to_string())))?;
        report.pass(Step::Settings, since);
        let stream = self.dialer.dial(report).await?;
        let since = Instant::now();
        let mut wire = Wire::new(stream, self.dialer.peer(), &self.settings);
        wire.begin();
        wire.ok(Step::Greeting).await?;
        let mut capabilities = Capabilities::ask(&mut wire, Step::Greeting).await?;
        let mut since = report.pass(Step::Greeting, since);
        if self.dialer.security() == Security::Starttls {
            wire = self.protect(wire, &capabilities, report).await?;
            // Whatever was said before TLS may be another's words (RFC 2595, 4).
            capabilities = Capabilities::ask(&mut wire, Step::Greeting).await?;
            since = Instant::now();
        }
        sign_in(&mut wire, &credential, &capabilities).await?;
        if !capabilities.pipelining {
            // Some servers tell what the transaction state knows only in that state (RFC 2449, 5).
            capabilities = Capabilities::ask(&mut wire, Step::SignIn).await?;
        }
        report.pass(Step::SignIn, since);
        let settings = self.settings.clone();
        Ok(Session { wire, settings, pipelining: capabilities.pipelining, top: capabilities.top })
    }

    /// STLS, with no way back: an offer missing, refused or followed by plain text ends the session.
    async fn protect(
        &self,
        mut wire: Wire,
        capabilities: &Capabilities,
        report: &mut TestReport,
    ) -> Result<Wire, MailError> {
        if !capabilities.stls {
            return Err(self.dialer.error(Step::Tls, Cause::Unsupported("STLS")));
        }
        wire.send(Step::Tls, b"STLS\r\n", &[Expect::Line]).await?;
        wire.ok(Step::Tls).await?;
        if wire.parser.has_surplus() {
            // CVE-2011-0411 and its many children: these bytes would be read as if TLS had protected them.
            let injected = "plain text after the answer to STLS".to_owned();
            return Err(self.dialer.error(Step::Tls, Cause::Protocol(injected)));
        }
        let Stream::Plain(tcp) = wire.stream else {
            return Err(self.dialer.error(Step::Tls, Cause::Unsupported("STLS inside TLS")));
        };
        let stream = self.dialer.protect(tcp, report).await?;
        let mut wire = Wire::new(stream, wire.peer, &self.settings);
        // RFC 2595, 4: no second greeting.
        wire.parser = ReplyParser::default();
        wire.begin();
        Ok(wire)
    }
}

impl Session {
    /// Connects and signs in. The error's step says how far it came.
    pub async fn open(settings: &MailboxSettings) -> Result<Session, MailError> {
        Mailbox::new(settings.clone())?.open().await
    }

    /// Says whether the server takes commands without waiting for answers.
    pub fn is_pipelining(&self) -> bool {
        self.pipelining
    }

    /// Asks how many mails there are.
    pub async fn stat(&mut self) -> Result<MailboxSize, MailError> {
        self.settle(Step::Mailbox).await?;
        self.wire.send(Step::Mailbox, b"STAT\r\n", &[Expect::Line]).await?;
        let reply = self.wire.ok(Step::Mailbox).await?;
        let mut numbers = reply.text.split(' ').map(str::parse::<u64>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(mails)), Some(Ok(size_bytes))) => Ok(MailboxSize { mails, size_bytes }),
            _ => Err(self.wire.broken(Step::Mailbox, format!("STAT answered {:?}", reply.text))),
        }
    }

    /// Lists the mails, at most `listing_entries_max` of them, in the order of their numbers.
    pub async fn listing(&mut self) -> Result<Vec<Listed>, MailError> {
        self.settle(Step::Mailbox).await?;
        let entries_max = self.settings.listing_entries_max;
        let keep_bytes_max = entries_max.saturating_mul(LISTING_LINE_BYTES_MAX);
        // A flooded mailbox is listed in part and emptied bit by bit; refusing it would stop it for ever.
        let expect =
            Expect::Body { likely_bytes: 0, keep_bytes_max, drain_bytes_max: keep_bytes_max.saturating_mul(100) };
        let (uidl, list) = if self.pipelining {
            self.wire.send(Step::Mailbox, b"UIDL\r\nLIST\r\n", &[expect, expect]).await?;
            (self.wire.ok(Step::Mailbox).await, self.wire.ok(Step::Mailbox).await)
        } else {
            self.wire.send(Step::Mailbox, b"UIDL\r\n", &[expect]).await?;
            let uidl = self.wire.ok(Step::Mailbox).await;
            self.wire.send(Step::Mailbox, b"LIST\r\n", &[expect]).await?;
            (uidl, self.wire.ok(Step::Mailbox).await)
        };
        let (uidl, list) = (uidl?.body.unwrap_or_default(), list?.body.unwrap_or_default());
        listing::join(&uidl, &list, entries_max).map_err(|problem| self.wire.broken(Step::Mailbox, problem))
    }

    /// Starts to fetch mails, in the order given; [`Retrieval::next`] gives each as soon as it is whole. Of mails
    /// listed or found larger than `size_max_bytes` only the head is kept.
    pub async fn retrieve<'a>(
        &'a mut self,
        listed: &'a [Listed],
        size_max_bytes: u64,
    ) -> Result<Retrieval<'a>, MailError> {
        self.settle(Step::Retrieve).await?;
        let size_max_bytes = usize::try_from(size_max_bytes).unwrap_or(usize::MAX);
        Ok(Retrieval { session: self, listed, asked: 0, answered: 0, size_max_bytes, commands: Vec::new() })
    }

    /// Fetches at most the first 16 KB of a mail.
    pub async fn top(&mut self, number: u32) -> Result<Vec<u8>, MailError> {
        self.settle(Step::Retrieve).await?;
        let command = format!("TOP {number} {HEAD_LINES}\r\n");
        self.wire.send(Step::Retrieve, command.as_bytes(), &[head_expected()]).await?;
        Ok(self.wire.ok(Step::Retrieve).await?.body.unwrap_or_default().bytes)
    }

    /// Marks mails deleted; `quit` deletes them. Returns the numbers that the server refused.
    pub async fn delete(&mut self, numbers: &[u32]) -> Result<Vec<u32>, MailError> {
        self.settle(Step::Delete).await?;
        let window = if self.pipelining { DELETE_WINDOW } else { 1 };
        let mut refused = Vec::new();
        for window in numbers.chunks(window) {
            let commands: String = window.iter().map(|number| format!("DELE {number}\r\n")).collect();
            self.wire.send(Step::Delete, commands.as_bytes(), &vec![Expect::Line; window.len()]).await?;
            for number in window {
                if self.wire.reply(Step::Delete).await?.status != Status::Ok {
                    refused.push(*number);
                }
            }
        }
        Ok(refused)
    }

    /// Takes back every deletion of this session.
    pub async fn reset(&mut self) -> Result<(), MailError> {
        self.settle(Step::Delete).await?;
        self.wire.send(Step::Delete, b"RSET\r\n", &[Expect::Line]).await?;
        self.wire.ok(Step::Delete).await.map(drop)
    }

    /// Keeps the session alive.
    pub async fn noop(&mut self) -> Result<(), MailError> {
        self.settle(Step::Mailbox).await?;
        self.wire.send(Step::Mailbox, b"NOOP\r\n", &[Expect::Line]).await?;
        self.wire.ok(Step::Mailbox).await.map(drop)
    }

    /// Ends the session. Only `Ok` means that the mails marked are deleted; after an error nobody knows, so they will
    /// come again or not, and both must be harmless.
    pub async fn quit(mut self) -> Result<(), MailError> {
        self.settle(Step::Quit).await?;
        self.wire.send(Step::Quit, b"QUIT\r\n", &[Expect::Line]).await?;
        self.wire.ok(Step::Quit).await?;
        // Politeness only: the answer is in hand, and the server may have closed first.
        drop(self.wire.stream.shutdown().await);
        Ok(())
    }

    /// Begins a group of commands: reads away what an abandoned retrieval had asked for, and starts the clock anew.
    async fn settle(&mut self, step: Step) -> Result<(), MailError> {
        self.wire.begin();
        while self.wire.parser.outstanding() > 0 {
            self.wire.reply(step).await?;
        }
        Ok(())
    }
}

/// Mails on their way: a window of them is asked for, and each is given out as soon as it is whole, so that it can be
/// worked on while the next arrive. To pause between two calls is safe, to stop as well.
pub struct Retrieval<'a> {
    session: &'a mut Session,
    listed: &'a [Listed],
    asked: usize,
    answered: usize,
    size_max_bytes: usize,
    commands: Vec<u8>,
}

impl Retrieval<'_> {
    /// Waits for the next mail; `Ok(None)` after the last.
    pub async fn next(&mut self) -> Result<Option<Retrieved>, MailError> {
        let Some(listed) = self.listed.get(self.answered) else { return Ok(None) };
        self.ask().await?;
        let reply = self.session.wire.reply(Step::Retrieve).await?;
        self.answered += 1;
        let listed = listed.clone();
        let outcome = match reply {
            Reply { status: Status::Ok, body: Some(body), .. } if self.is_over(&listed) => {
                Outcome::OverSize { head: body.bytes, size_bytes: listed.size_bytes }
            }
            Reply { status: Status::Ok, body: Some(mut body), .. } if body.is_cut() => {
                body.bytes.truncate(HEAD_BYTES_MAX);
                Outcome::OverSize { head: body.bytes, size_bytes: body.size_bytes as u64 }
            }
            Reply { status: Status::Ok, body: Some(body), .. } => Outcome::Mail(body.bytes),
            // A server that does not know TOP: NOOP went in its place, or -ERR came back.
            _ if self.is_over(&listed) => Outcome::OverSize { head: Vec::new(), size_bytes: listed.size_bytes },
            refused => Outcome::Refused(refused.text),
        };
        Ok(Some(Retrieved { listed, outcome }))
    }

    /// Asks for more once half of the window has arrived, so that one write carries many commands.
    async fn ask(&mut self) -> Result<(), MailError> {
        let window = if self.session.pipelining { self.session.settings.window_mails } else { 1 };
        let in_flight = self.asked - self.answered;
        if in_flight > window / 2 || self.asked == self.listed.len() {
            return Ok(());
        }
        let until = (self.answered + window).min(self.listed.len());
        let mut expected = Vec::with_capacity(until - self.asked);
        self.commands.clear();
        for listed in self.listed.get(self.asked..until).unwrap_or_default() {
            let (command, expect) = match (self.is_over(listed), self.session.top) {
                (true, true) => (format!("TOP {} {HEAD_LINES}\r\n", listed.number), head_expected()),
                (true, false) => ("NOOP\r\n".to_owned(), Expect::Line),
                (false, _) => (format!("RETR {}\r\n", listed.number), self.mail_expected(listed)),
            };
            self.commands.extend_from_slice(command.as_bytes());
            expected.push(expect);
        }
        self.session.wire.begin();
        self.asked = until;
        self.session.wire.send(Step::Retrieve, &self.commands, &expected).await
    }

    fn is_over(&self, listed: &Listed) -> bool {
        listed.size_bytes > self.size_max_bytes as u64
    }

    /// LIST may lie, so the limit holds while the mail comes in. A mail that is over costs its transfer, up to sixteen
    /// times the limit, and not the mails behind it.
    fn mail_expected(&self, listed: &Listed) -> Expect {
        let drain_bytes_max = self.size_max_bytes.saturating_mul(16).max(CHUNK_BYTES * 4);
        let likely_bytes = usize::try_from(listed.size_bytes).unwrap_or(usize::MAX);
        Expect::Body { likely_bytes, keep_bytes_max: self.size_max_bytes, drain_bytes_max }
    }
}

/// A header may be of any size, and TOP always sends the whole of it.
fn head_expected() -> Expect {
    Expect::Body { likely_bytes: 0, keep_bytes_max: HEAD_BYTES_MAX, drain_bytes_max: 64 * 1024 * 1024 }
}

/// What the server says it knows (RFC 2449).
#[derive(Clone, Copy, Debug, Default)]
struct Capabilities {
    stls: bool,
    pipelining: bool,
    top: bool,
    sasl_plain: bool,
    sasl_xoauth2: bool,
}

impl Capabilities {
    /// Asks with CAPA; a server that does not know it knows nothing else either, except TOP, which it may.
    async fn ask(wire: &mut Wire, step: Step) -> Result<Capabilities, MailError> {
        let (keep_bytes_max, drain_bytes_max) = (CAPABILITY_BYTES_MAX, CAPABILITY_BYTES_MAX);
        let expect = Expect::Body { likely_bytes: 0, keep_bytes_max, drain_bytes_max };
        wire.send(step, b"CAPA\r\n", &[expect]).await?;
        let reply = wire.reply(step).await?;
        let Some(body) = reply.body else { return Ok(Capabilities { top: true, ..Capabilities::default() }) };
        let text = String::from_utf8_lossy(&body.bytes).to_ascii_uppercase();
        let mut capabilities = Capabilities::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("STLS") => capabilities.stls = true,
                Some("PIPELINING") => capabilities.pipelining = true,
                Some("TOP") => capabilities.top = true,
                Some("SASL") => {
                    for mechanism in words {
                        capabilities.sasl_plain |= mechanism == "PLAIN";
                        capabilities.sasl_xoauth2 |= mechanism == "XOAUTH2";
                    }
                }
                _ => {}
            }
        }
        Ok(capabilities)
    }
}

/// Signs in by the best way that the server names, and tries no second one: wrong passwords lock accounts.
async fn sign_in(wire: &mut Wire, credential: &Credential, known: &Capabilities) -> Result<(), MailError> {
    match credential {
        Credential::Password(user, password) if known.sasl_plain => {
            sasl(wire, "PLAIN", &format!("\0{user}\0{}", password.expose())).await
        }
        Credential::Password(user, password) => {
            for (word, value) in [("USER", user.as_str()), ("PASS", password.expose())] {
                if value.chars().any(char::is_control) {
                    let problem = Cause::Settings(format!("{word} cannot carry control characters"));
                    return Err(wire.error(Step::SignIn, problem));
                }
                wire.send(Step::SignIn, format!("{word} {value}\r\n").as_bytes(), &[Expect::Line]).await?;
                wire.ok(Step::SignIn).await?;
            }
            Ok(())
        }
        Credential::Token(user, token) if known.sasl_xoauth2 => {
            let response = format!("user={user}\x01auth=Bearer {}\x01\x01", token.expose());
            sasl(wire, "XOAUTH2", &response).await
        }
        Credential::Token(..) => Err(wire.error(Step::SignIn, Cause::Unsupported("SASL XOAUTH2"))),
    }
}

/// One SASL exchange (RFC 5034). The response waits for its challenge, because tokens are longer than a command may be.
async fn sasl(wire: &mut Wire, mechanism: &str, response: &str) -> Result<(), MailError> {
    use base64::Engine;
    wire.send(Step::SignIn, format!("AUTH {mechanism}\r\n").as_bytes(), &[Expect::Line]).await?;
    let mut line = base64::engine::general_purpose::STANDARD.encode(response);
    loop {
        let reply = wire.reply(Step::SignIn).await?;
        match reply.status {
            Status::Ok if line.is_empty() => return Ok(()),
            Status::Ok => return Err(wire.broken(Step::SignIn, "+OK before the credentials were sent".into())),
            Status::Err => return Err(wire.error(Step::SignIn, Cause::Refused(reply.text))),
            Status::Continue => {
                // A challenge after the response is XOAUTH2's error; the empty line asks for the -ERR that follows.
                line.push_str("\r\n");
                wire.send(Step::SignIn, line.as_bytes(), &[Expect::Line]).await?;
                line.clear();
            }
        }
    }
}

/// Stream, parser and clock together.
struct Wire {
    stream: Stream,
    parser: ReplyParser,
    peer: String,
    chunk: Box<[u8]>,
    read_timeout: Duration,
    group_timeout: Duration,
    /// What is left for the current group; only waiting for the server uses it up, never the caller's own work.
    group_left: Duration,
    /// A command may be half written, or the server has broken the protocol.
    unusable: bool,
}

impl Wire {
    fn new(stream: Stream, peer: String, settings: &MailboxSettings) -> Wire {
        Wire {
            stream,
            parser: ReplyParser::new(),
            peer,
            chunk: vec![0; CHUNK_BYTES].into_boxed_slice(),
            read_timeout: Duration::from_secs(settings.read_timeout_seconds),
            group_timeout: Duration::from_secs(settings.group_timeout_seconds),
            group_left: Duration::ZERO,
            unusable: false,
        }
    }

    fn begin(&mut self) {
        self.group_left = self.group_timeout;
    }

    /// Writes commands whose replies are expected in this order.
    async fn send(&mut self, step: Step, commands: &[u8], expected: &[Expect]) -> Result<(), MailError> {
        if self.unusable {
            return Err(self.error(step, Cause::Closed));
        }
        for expect in expected {
            self.parser.expect(*expect);
        }
        // Until the write is done the session cannot be used: the caller may drop this future half way.
        self.unusable = true;
        let written = tokio::time::timeout(self.read_timeout, async {
            self.stream.write_all(commands).await?;
            self.stream.flush().await
        });
        match written.await {
            Ok(Ok(())) => {
                self.unusable = false;
                Ok(())
            }
            Ok(Err(error)) => Err(self.error(step, error.into())),
            Err(_elapsed) => Err(self.error(step, Cause::TimedOut(self.read_timeout.as_secs()))),
        }
    }

    /// Waits for the next reply, whatever it says.
    async fn reply(&mut self, step: Step) -> Result<Reply, MailError> {
        loop {
            match self.parser.next_reply() {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) if self.unusable => return Err(self.error(step, Cause::Closed)),
                Ok(None) => self.read(step).await?,
                Err(error) => return Err(self.broken(step, error.to_string())),
            }
        }
    }

    /// Waits for the next reply, which must be `+OK`.
    async fn ok(&mut self, step: Step) -> Result<Reply, MailError> {
        let reply = self.reply(step).await?;
        match reply.status {
            Status::Ok => Ok(reply),
            Status::Err => Err(self.error(step, Cause::Refused(reply.text))),
            Status::Continue => Err(self.broken(step, "a SASL challenge that nothing asked for".into())),
        }
    }

    async fn read(&mut self, step: Step) -> Result<(), MailError> {
        let since = Instant::now();
        let patience = self.read_timeout.min(self.group_left);
        let read = tokio::time::timeout(patience, self.stream.read(&mut self.chunk)).await;
        self.group_left = self.group_left.saturating_sub(since.elapsed());
        let cause = match read {
            Ok(Ok(0)) => match self.parser.end() {
                // The end in the middle of a reply is told apart from a plain hang-up between two.
                Err(error) if self.parser.is_inside_reply() => Cause::Protocol(error.to_string()),
                _ => Cause::Closed,
            },
            Ok(Ok(count)) => {
                self.parser.feed(self.chunk.get(..count).unwrap_or_default());
                return Ok(());
            }
            Ok(Err(error)) => error.into(),
            Err(_elapsed) if self.group_left.is_zero() => Cause::TimedOut(self.group_timeout.as_secs()),
            Err(_elapsed) => Cause::TimedOut(self.read_timeout.as_secs()),
        };
        self.unusable = true;
        Err(self.error(step, cause))
    }

    fn broken(&mut self, step: Step, problem: String) -> MailError {
        self.unusable = true;
        self.error(step, Cause::Protocol(problem))
    }

    fn error(&self, step: Step, cause: Cause) -> MailError {
        MailError { step, peer: self.peer.clone(), cause }
    }
}

#[cfg(test)]
mod tests;
