//! The server's side of SMTP (RFC 5321) with PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), STARTTLS
//! (RFC 3207), AUTH (RFC 4954) and enhanced status codes (RFC 2034).
//!
//! The post office accepts mail for its own maildrops only. It relays nothing, and adds no header field to a mail.

use std::sync::Arc;

use super::connection::{Line, Next, Session, Taken, first_line};
use super::faults::{Fault, Protocol};
use super::maildrops::Mail;
use super::sign_in::{Claim, Exchange, Mechanism, Turn};
use super::smtp_data::DataReceiver;
use super::{Interior, SignInRule};

/// The number of wrong passwords after which the connection is closed.
const REFUSALS_MAX: u32 = 3;

pub(super) struct SmtpSession {
    interior: Arc<Interior>,
    protected: bool,
    greeted: bool,
    signed_in: bool,
    refusals: u32,
    envelope: Option<Envelope>,
    state: State,
}

enum State {
    Commands,
    Exchange(Exchange),
    Data(DataReceiver),
}

struct Envelope {
    sender: String,
    recipients: Vec<String>,
}

impl Session for SmtpSession {
    const PROTOCOL: Protocol = Protocol::Smtp;

    fn greet(&mut self, reply: &mut Vec<u8>) {
        line(reply, &format!("220 {} ESMTP post office", self.interior.settings.host_name));
    }

    fn take(&mut self, input: &[u8], reply: &mut Vec<u8>) -> Taken {
        if let State::Data(receiver) = &mut self.state {
            if self.interior.faults.strikes(&Fault::CutData) {
                return Taken { consumed: input.len(), next: Next::Cut };
            }
            let (consumed, done) = receiver.take(input);
            let next = if done { self.accept(reply) } else { Next::Read };
            return Taken { consumed, next };
        }
        let (next, consumed) = match first_line(input, self.interior.settings.line_size_bytes_max) {
            Line::Incomplete => (Next::Read, 0),
            Line::TooLong => {
                line(reply, "500 5.5.2 The line is too long");
                (Next::Close, 0)
            }
            Line::Malformed(consumed) => {
                line(reply, "500 5.5.2 A command is text that ends with CRLF");
                (Next::Go, consumed)
            }
            Line::Whole(command, consumed) => (self.command(command, reply), consumed),
        };
        Taken { consumed, next }
    }

    fn protected(&mut self) {
        *self = SmtpSession::new(self.interior.clone(), true);
    }
}

impl SmtpSession {
    pub(super) fn new(interior: Arc<Interior>, protected: bool) -> SmtpSession {
        SmtpSession {
            interior,
            protected,
            greeted: false,
            signed_in: false,
            refusals: 0,
            envelope: None,
            state: State::Commands,
        }
    }

    fn command(&mut self, command: &str, reply: &mut Vec<u8>) -> Next {
        if let State::Exchange(exchange) = &mut self.state {
            let turn = exchange.answer(command);
            return self.turn(turn, reply);
        }
        let (verb, argument) = command.split_once(' ').unwrap_or((command, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" if argument.is_empty() => line(reply, "501 5.5.4 The client's name is missing"),
            "EHLO" => self.hello(reply),
            "HELO" => {
                (self.greeted, self.envelope) = (true, None);
                line(reply, &format!("250 {}", self.interior.settings.host_name));
            }
            "STARTTLS" if self.protected || self.interior.settings.protection.offered().is_none() => {
                line(reply, "502 5.5.1 TLS is not to be had");
            }
            "STARTTLS" => {
                line(reply, "220 2.0.0 Begin TLS");
                return Next::StartTls;
            }
            "AUTH" => return self.authenticate(argument, reply),
            "MAIL" => self.mail(argument, reply),
            "RCPT" => self.recipient(argument, reply),
            "DATA" => self.data(reply),
            "RSET" => {
                self.envelope = None;
                line(reply, "250 2.0.0 OK");
            }
            "NOOP" => line(reply, "250 2.0.0 OK"),
            "VRFY" => line(reply, "252 2.5.0 Send a mail to find out"),
            "QUIT" => {
                line(reply, "221 2.0.0 Bye");
                return Next::Close;
            }
            _ => line(reply, "500 5.5.2 Not a command of this server"),
        }
        Next::Go
    }

    fn hello(&mut self, reply: &mut Vec<u8>) {
        (self.greeted, self.envelope) = (true, None);
        let settings = &self.interior.settings;
        line(reply, &format!("250-{}", settings.host_name));
        line(reply, "250-PIPELINING");
        line(reply, "250-8BITMIME");
        line(reply, "250-ENHANCEDSTATUSCODES");
        if !self.protected && settings.protection.offered().is_some() {
            line(reply, "250-STARTTLS");
        }
        if settings.sign_in != SignInRule::NotOffered && !self.signed_in {
            line(reply, "250-AUTH PLAIN LOGIN XOAUTH2");
        }
        line(reply, &format!("250 SIZE {}", settings.mail_size_bytes_max));
    }

    fn authenticate(&mut self, argument: &str, reply: &mut Vec<u8>) -> Next {
        let (name, initial) =
            argument.split_once(' ').map_or((argument, None), |(name, initial)| (name, Some(initial)));
        let wrong = match Mechanism::named(name) {
            _ if self.interior.settings.sign_in == SignInRule::NotOffered => "502 5.5.1 Nobody signs in here",
            _ if !self.greeted => "503 5.5.1 EHLO comes first",
            _ if self.signed_in => "503 5.5.1 Signed in already",
            _ if self.envelope.is_some() => "503 5.5.1 Not within a mail",
            None => "504 5.5.4 The mechanisms are PLAIN, LOGIN and XOAUTH2",
            Some(mechanism) => {
                let (exchange, turn) = Exchange::begin(mechanism, initial);
                self.state = State::Exchange(exchange);
                return self.turn(turn, reply);
            }
        };
        line(reply, wrong);
        Next::Go
    }

    fn turn(&mut self, turn: Turn, reply: &mut Vec<u8>) -> Next {
        match turn {
            Turn::Challenge(challenge) => line(reply, &format!("334 {challenge}")),
            Turn::Claimed(claim) => return self.sign_in(&claim, reply),
            Turn::Refused => {
                self.state = State::Commands;
                self.refusals += 1;
                line(reply, "535 5.7.8 Wrong name or password");
                return if self.refusals < REFUSALS_MAX { Next::Go } else { Next::Close };
            }
            Turn::Malformed => {
                self.state = State::Commands;
                line(reply, "501 5.5.2 The exchange was broken off");
            }
        }
        Next::Go
    }

    fn sign_in(&mut self, claim: &Claim, reply: &mut Vec<u8>) -> Next {
        let interior = &self.interior;
        let admitted =
            claim.holds(&interior.settings.accounts) && !interior.faults.strikes(&Fault::RefuseSignIn(Self::PROTOCOL));
        if admitted {
            (self.state, self.signed_in) = (State::Commands, true);
            line(reply, "235 2.7.0 Signed in");
            return Next::Go;
        }
        let turn = match &mut self.state {
            State::Exchange(exchange) => exchange.refuse(),
            State::Commands | State::Data(_) => Turn::Refused,
        };
        self.turn(turn, reply)
    }

    fn mail(&mut self, argument: &str, reply: &mut Vec<u8>) {
        let wrong = match path(argument, "FROM:") {
            _ if !self.greeted => "503 5.5.1 EHLO comes first",
            _ if self.interior.settings.sign_in == SignInRule::Required && !self.signed_in => "530 5.7.0 Sign in first",
            _ if self.envelope.is_some() => "503 5.5.1 One mail at a time",
            None => "501 5.5.4 The form is MAIL FROM:<address>",
            Some((sender, parameters)) => match self.parameters_problem(parameters) {
                Some(wrong) => wrong,
                None => {
                    self.envelope = Some(Envelope { sender: sender.to_owned(), recipients: Vec::new() });
                    "250 2.1.0 OK"
                }
            },
        };
        line(reply, wrong);
    }

    /// Checks the parameters after the path of MAIL. Returns the error reply, if there is an error.
    fn parameters_problem(&self, parameters: &str) -> Option<&'static str> {
        for parameter in parameters.split_ascii_whitespace() {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match key.to_ascii_uppercase().as_str() {
                "SIZE" => match value.parse::<usize>() {
                    Ok(size) if size <= self.interior.settings.mail_size_bytes_max => {}
                    Ok(_) => return Some("552 5.3.4 The mail is too large"),
                    Err(_) => return Some("501 5.5.4 SIZE is a number"),
                },
                "BODY" if value.eq_ignore_ascii_case("7BIT") || value.eq_ignore_ascii_case("8BITMIME") => {}
                "AUTH" if self.interior.settings.sign_in != SignInRule::NotOffered => {}
                _ => return Some("555 5.5.4 A parameter of MAIL is unknown"),
            }
        }
        None
    }

    fn recipient(&mut self, argument: &str, reply: &mut Vec<u8>) {
        let (settings, faults) = (&self.interior.settings, &self.interior.faults);
        let answer = match (&mut self.envelope, path(argument, "TO:")) {
            (None, _) => "503 5.5.1 MAIL comes first",
            (_, None | Some(("", _))) => "501 5.5.4 The form is RCPT TO:<address>",
            (_, Some((_, parameters))) if !parameters.is_empty() => "555 5.5.4 A parameter of RCPT is unknown",
            (Some(envelope), _) if envelope.recipients.len() >= settings.recipients_max => {
                "452 4.5.3 Too many recipients"
            }
            (_, Some((address, _))) if !settings.accounts.has(address) => "550 5.1.1 No such maildrop",
            _ if faults.strikes(&Fault::DeferRecipient) => "450 4.2.1 The maildrop is busy, try later",
            _ if faults.strikes(&Fault::DenyRelay) => "554 5.7.1 Relay access denied",
            _ if faults.strikes(&Fault::RejectRecipient) => "550 5.2.1 The maildrop takes no mail",
            (Some(envelope), Some((address, _))) => {
                envelope.recipients.push(address.to_owned());
                "250 2.1.5 OK"
            }
        };
        line(reply, answer);
    }

    fn data(&mut self, reply: &mut Vec<u8>) {
        match &self.envelope {
            None => line(reply, "503 5.5.1 MAIL comes first"),
            Some(envelope) if envelope.recipients.is_empty() => line(reply, "554 5.5.1 No recipient was accepted"),
            Some(_) => {
                self.state = State::Data(DataReceiver::new(self.interior.settings.mail_size_bytes_max));
                line(reply, "354 End with CRLF . CRLF");
            }
        }
    }

    /// Delivers the mail when its final dot has come, and replies.
    fn accept(&mut self, reply: &mut Vec<u8>) -> Next {
        let state = std::mem::replace(&mut self.state, State::Commands);
        let (Some(envelope), State::Data(receiver)) = (self.envelope.take(), state) else {
            line(reply, "503 5.5.1 MAIL comes first");
            return Next::Go;
        };
        let faults = &self.interior.faults;
        let answer = match receiver.finish() {
            None => "552 5.3.4 The mail is too large",
            Some(_) if faults.strikes(&Fault::DeferData) => "451 4.3.0 Not now, try later",
            Some(text) => {
                let mail = Mail { envelope_sender: envelope.sender, bytes: text.into() };
                match self.interior.maildrops.deliver(&envelope.recipients, mail) {
                    Ok(()) if faults.strikes(&Fault::LoseDataReply) => return Next::Cut,
                    Ok(()) => "250 2.0.0 OK, stored",
                    Err(_) => "452 4.3.1 The post office is full, try later",
                }
            }
        };
        line(reply, answer);
        Next::Go
    }
}

fn line(reply: &mut Vec<u8>, text: &str) {
    reply.extend_from_slice(text.as_bytes());
    reply.extend_from_slice(b"\r\n");
}

/// Reads `FROM:<address> parameters`; a source route is not accepted, a quoted local part is kept as it is.
fn path<'a>(argument: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (found, rest) = argument.split_at_checked(keyword.len())?;
    if !found.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = rest.trim_start_matches(' ').strip_prefix('<')?;
    let mut quoted = false;
    let mut escaped = false;
    let end = rest.bytes().position(|octet| {
        let at_end = octet == b'>' && !quoted;
        quoted ^= octet == b'"' && !escaped;
        escaped = octet == b'\\' && quoted && !escaped;
        at_end
    })?;
    let (address, parameters) = (&rest[..end], &rest[end + 1..]);
    let well_formed = address.len() <= 320 && (quoted_or_plain(address) || address.is_empty());
    (well_formed && (parameters.is_empty() || parameters.starts_with(' '))).then(|| (address, parameters.trim()))
}

fn quoted_or_plain(address: &str) -> bool {
    address.starts_with('"') || !address.bytes().any(|octet| octet <= b' ' || b"<>:,".contains(&octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_with_what_follows_them() {
        assert_eq!(path("FROM:<a@x>", "FROM:"), Some(("a@x", "")));
        assert_eq!(path("from:<> SIZE=1 BODY=7BIT", "FROM:"), Some(("", "SIZE=1 BODY=7BIT")));
        assert_eq!(path("TO:<\"a> b\\\" c\"@x>", "TO:"), Some(("\"a> b\\\" c\"@x", "")));
        for malformed in
            ["", "TO", "TO:", "TO:a@x", "TO:<a@x", "TO:<a b@x>", "TO:<@r:a@x>", "TO:<a@x>SIZE=1", "FROM:<a@x>"]
        {
            assert_eq!(path(malformed, "TO:"), None, "{malformed}");
        }
    }
}
