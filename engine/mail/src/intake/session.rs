//! One session of LMTP or SMTP, without input and output: it turns the client's octets into replies, and tells its caller what to do.
//!
//! The caller feeds octets to [`Session::advance`], sends what [`Session::replies`] returns, and does what each [`Event`] says. Whatever a
//! client sends, a session keeps no more than one command line and one mail of the permitted size in memory.

use std::mem;
use std::slice::Iter;
use std::sync::Arc;

use smtp_proto::{Error, Request};

use super::content::{Content, Incoming};
use super::{Outcome, Protocol};

/// Largest number of octets of a command line, its end included. RFC 5321, 4.5.3.1.4 demands 512, and parameters add to that.
const LINE_BYTES_MAX: usize = 4096;
/// Largest number of recipients of one mail. RFC 5321, 4.5.3.1.8 demands that a server accepts a hundred.
const RECIPIENTS_MAX: usize = 100;
/// Largest number of failed commands between two mails. A client with more is cut off.
const ERRORS_MAX: u32 = 20;
/// Largest number of commands between two mails. RFC 5321 needs four, and one for each recipient.
const COMMANDS_MAX: u32 = 500;

/// Settings that all sessions of a listener share.
#[derive(Debug)]
pub struct Rules {
    /// The protocol.
    pub protocol: Protocol,
    /// Host name in the greeting.
    pub hello_name: String,
    /// Addresses of the centre, in lower case. No other recipient is accepted.
    pub addresses: Vec<String>,
    /// Size in octets of the largest mail that is kept whole.
    pub mail_bytes_max: usize,
    /// Whether a client must begin TLS by STARTTLS before it may send mail.
    pub must_start_tls: bool,
}

/// What the caller of [`Session::advance`] does next. It first sends the replies.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The input is used up: wait for more.
    Read,
    /// Let the mail be taken, and then call [`Session::tell`].
    Mail(Content),
    /// Begin TLS on the connection, and then call [`Session::secured`].
    StartTls,
    /// Close the connection.
    Close,
}

/// State of a session.
#[derive(Default)]
enum State {
    /// Before EHLO or LHLO.
    #[default]
    Begun,
    /// Between two mails.
    Greeted,
    /// After MAIL, with the number of recipients that have been accepted.
    Mail { recipients: usize },
    /// After DATA.
    Content { recipients: usize, incoming: Incoming },
    /// The mail is being processed, and has no outcome yet.
    Waiting { recipients: usize },
    /// The connection is to be closed.
    Ended,
}

/// One session.
pub struct Session {
    rules: Arc<Rules>,
    /// The beginning of a command line whose end has not arrived.
    line: Vec<u8>,
    state: State,
    replies: Vec<u8>,
    is_secure: bool,
    errors: u32,
    since_mail: u32,
}

impl Session {
    /// Begins a session with the greeting. `is_secure` says whether the connection is protected already.
    pub fn new(rules: Arc<Rules>, is_secure: bool) -> Session {
        let greeting = format!("220 {} {} ready\r\n", rules.hello_name, rules.protocol.as_word());
        Session {
            rules,
            line: Vec::new(),
            state: State::default(),
            replies: greeting.into_bytes(),
            is_secure,
            errors: 0,
            since_mail: 0,
        }
    }

    /// Takes the replies that are to be sent.
    pub fn replies(&mut self) -> Vec<u8> {
        mem::take(&mut self.replies)
    }

    /// Says whether no mail is under way, so that the session may be ended.
    pub fn is_idle(&self) -> bool {
        !matches!(self.state, State::Content { .. } | State::Waiting { .. })
    }

    /// Returns the number of octets of a mail that are in memory.
    pub fn kept_bytes(&self) -> usize {
        match &self.state {
            State::Content { incoming, .. } => incoming.kept_bytes(),
            _ => 0,
        }
    }

    /// Returns the number of octets that have been received of the current mail.
    pub fn received_bytes(&self) -> u64 {
        match &self.state {
            State::Content { incoming, .. } => incoming.received_bytes(),
            _ => 0,
        }
    }

    /// Works on the client's octets until the caller has to do something. Octets that remain in `input` are for the next call.
    pub fn advance(&mut self, input: &mut Iter<'_, u8>) -> Event {
        loop {
            match mem::take(&mut self.state) {
                State::Ended => {
                    self.state = State::Ended;
                    return Event::Close;
                }
                State::Content { recipients, mut incoming } => match incoming.ingest(input) {
                    Some(content) => {
                        self.state = State::Waiting { recipients };
                        return Event::Mail(content);
                    }
                    None => {
                        self.state = State::Content { recipients, incoming };
                        return Event::Read;
                    }
                },
                state => self.state = state,
            }
            if let Some(event) = self.command(input) {
                return event;
            }
        }
    }

    /// Tells the sender the outcome of its mail: in LMTP once for each recipient (RFC 2033, 4.2), in SMTP once.
    pub fn tell(&mut self, outcome: Outcome) {
        let State::Waiting { recipients } = mem::take(&mut self.state) else {
            self.state = State::Ended;
            return;
        };
        let times = match self.rules.protocol {
            Protocol::Lmtp => recipients,
            Protocol::Smtp => 1,
        };
        self.state = State::Greeted;
        (self.errors, self.since_mail) = (0, 0);
        match outcome {
            Outcome::Taken => (0..times).for_each(|_| self.say("250 2.0.0 the mail is settled")),
            Outcome::Later => (0..times).for_each(|_| self.say("451 4.3.0 not settled yet: send the mail again later")),
            Outcome::Leaving => self.leave(),
        }
    }

    /// Ends the session because the program stops.
    pub fn leave(&mut self) {
        self.end("421 4.3.2 this server is stopping: send the mail again");
    }

    /// Ends the session because it has kept its place for too long, or has sent too many octets.
    pub fn evict(&mut self) {
        self.end("421 4.4.2 this connection took too long: open another");
    }

    /// Continues after TLS has begun. Everything that the client said before is forgotten (RFC 3207, 4.2).
    pub fn secured(&mut self) {
        self.is_secure = true;
        self.state = State::Begun;
    }

    fn say(&mut self, line: &str) {
        self.replies.extend_from_slice(line.as_bytes());
        self.replies.extend_from_slice(b"\r\n");
    }

    fn end(&mut self, line: &str) {
        self.say(line);
        self.state = State::Ended;
    }

    fn refuse(&mut self, line: &str) {
        self.errors += 1;
        match self.errors > ERRORS_MAX {
            true => self.end("421 4.7.0 too many errors"),
            false => self.say(line),
        }
    }

    /// Reads one command and replies to it. Returns an event where the caller has something to do.
    fn command(&mut self, input: &mut Iter<'_, u8>) -> Option<Event> {
        let Some(line) = self.line(input) else {
            if self.line.len() < LINE_BYTES_MAX {
                return Some(Event::Read);
            }
            // The rest of the line would be read as further commands, so the session ends.
            self.end("500 5.5.2 a command has 4096 octets at most");
            return None;
        };
        // The parser gets one line at a time. After some errors it would otherwise skip the next line too.
        let request = match Request::parse(&mut line.iter()) {
            Ok(request) => request.into_owned(),
            Err(error) => {
                self.refuse(refusal_of(&error));
                return None;
            }
        };
        self.since_mail += 1;
        if self.since_mail > COMMANDS_MAX {
            self.end("421 4.7.0 too many commands without a mail");
            return None;
        }
        match request {
            Request::Ehlo { .. } | Request::Lhlo { .. } | Request::Helo { .. } => self.hello(&request),
            Request::Mail { .. } => self.mail(),
            Request::Rcpt { to } => self.recipient(&to.address),
            Request::Data => self.data(),
            Request::Rset => {
                if !matches!(self.state, State::Begun) {
                    self.state = State::Greeted;
                }
                self.say("250 2.0.0 forgotten");
            }
            Request::Noop { .. } => self.say("250 2.0.0 noted"),
            Request::Quit => self.end("221 2.0.0 goodbye"),
            Request::StartTls => return self.start_tls(input),
            Request::Vrfy { .. } => self.say("252 2.1.5 not told: send the mail"),
            Request::Help { .. } => self.say("214 2.0.0 RFC 5321 and RFC 2033"),
            // After BDAT the client sends a piece of a mail. It would be read as commands, so the session ends.
            Request::Bdat { .. } => self.end("503 5.5.1 CHUNKING is not offered"),
            Request::Auth { .. }
            | Request::Expn { .. }
            | Request::Etrn { .. }
            | Request::Atrn { .. }
            | Request::Burl { .. } => {
                self.refuse("502 5.5.1 this command is not offered");
            }
        }
        None
    }

    /// Takes the next line from the input, with its line end. Returns `None` if the line end has not arrived, or if the line is too long;
    /// `self.line` then contains the part that has arrived.
    fn line(&mut self, input: &mut Iter<'_, u8>) -> Option<Vec<u8>> {
        let rest = input.as_slice();
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let taken = end.min(LINE_BYTES_MAX - self.line.len());
        self.line.extend_from_slice(&rest[..taken]);
        *input = rest[taken..].iter();
        self.line.ends_with(b"\n").then(|| mem::take(&mut self.line))
    }

    fn hello(&mut self, request: &Request<String>) {
        let is_lmtp = matches!(request, Request::Lhlo { .. });
        if is_lmtp != (self.rules.protocol == Protocol::Lmtp) {
            return self.refuse(match self.rules.protocol {
                Protocol::Lmtp => "500 5.5.1 this is LMTP: begin with LHLO",
                Protocol::Smtp => "500 5.5.1 this is SMTP: begin with EHLO",
            });
        }
        self.state = State::Greeted;
        let name = self.rules.hello_name.clone();
        if matches!(request, Request::Helo { .. }) {
            return self.say(&format!("250 {name}"));
        }
        self.say(&format!("250-{name}"));
        if self.must_start_tls() {
            self.say("250-STARTTLS");
        }
        // SIZE is not offered on purpose. A sending server that knows the limit would return a mail that is too large to the mail's author,
        // and the centre would never learn of the mail.
        ["250-PIPELINING", "250-8BITMIME", "250-SMTPUTF8", "250 ENHANCEDSTATUSCODES"]
            .iter()
            .for_each(|line| self.say(line));
    }

    fn must_start_tls(&self) -> bool {
        self.rules.must_start_tls && !self.is_secure
    }

    fn mail(&mut self) {
        match self.state {
            _ if self.must_start_tls() => self.refuse("530 5.7.0 begin TLS by STARTTLS first"),
            State::Greeted => {
                self.state = State::Mail { recipients: 0 };
                self.say("250 2.1.0 go on");
            }
            State::Mail { .. } => self.refuse("503 5.5.1 this mail has a sender already"),
            _ => self.refuse("503 5.5.1 say hello first"),
        }
    }

    fn recipient(&mut self, address: &str) {
        let State::Mail { recipients } = &mut self.state else {
            return self.refuse("503 5.5.1 begin with MAIL");
        };
        if *recipients >= RECIPIENTS_MAX {
            return self.say("452 4.5.3 a mail has 100 recipients at most");
        }
        let address = address.to_lowercase();
        if !self.rules.addresses.contains(&address) {
            return self.say("550 5.1.1 nobody has this address here");
        }
        *recipients += 1;
        self.say("250 2.1.5 go on");
    }

    fn data(&mut self) {
        match self.state {
            State::Mail { recipients: 0 } => self.refuse("503 5.5.1 no recipient was accepted"),
            State::Mail { recipients } => {
                self.state = State::Content { recipients, incoming: Incoming::new(self.rules.mail_bytes_max) };
                self.say("354 end with a dot alone on a line");
            }
            _ => self.refuse("503 5.5.1 begin with MAIL"),
        }
    }

    fn start_tls(&mut self, input: &mut Iter<'_, u8>) -> Option<Event> {
        if !self.must_start_tls() {
            self.refuse("502 5.5.1 STARTTLS is not offered");
            return None;
        }
        // An attacker between client and server may have added these commands after STARTTLS. If they were read after the handshake, they
        // would look as if the client had sent them over TLS (CVE-2011-0411).
        if input.len() > 0 {
            self.end("554 5.5.1 nothing may follow STARTTLS before the handshake");
            return None;
        }
        self.say("220 2.0.0 begin TLS");
        Some(Event::StartTls)
    }
}

/// Returns the reply to a command that cannot be read.
fn refusal_of(error: &Error) -> &'static str {
    match error {
        Error::InvalidSenderAddress => "501 5.1.7 this is no address of a sender",
        Error::InvalidRecipientAddress => "501 5.1.3 this is no address of a recipient",
        Error::SyntaxError { .. } | Error::NeedsMoreData { .. } => "501 5.5.2 the command's syntax is wrong",
        Error::InvalidParameter { .. } => "501 5.5.4 a parameter is wrong",
        Error::UnsupportedParameter { .. } => "555 5.5.4 a parameter is not offered",
        _ => "500 5.5.1 this command is unknown",
    }
}

#[cfg(test)]
mod tests;
