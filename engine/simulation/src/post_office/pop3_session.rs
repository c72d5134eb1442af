//! The server's side of POP3 (RFC 1939) with CAPA (RFC 2449), SASL (RFC 5034), STLS (RFC 2595).
//!
//! A session sees the maildrop as it was at sign-in. Deletions take effect at QUIT; if the connection ends otherwise, nothing is deleted.

use std::sync::Arc;

use super::Interior;
use super::connection::{Line, Next, Session, Taken, first_line};
use super::faults::{Break, Fault, ListingOf, Protocol};
use super::maildrops::{Mail, MaildropLock, Numbered};
use super::sign_in::{Claim, Exchange, Mechanism, Turn};

/// The number of wrong passwords after which the connection is closed.
const REFUSALS_MAX: u32 = 3;

pub(super) struct Pop3Session {
    interior: Arc<Interior>,
    protected: bool,
    refusals: u32,
    state: State,
}

enum State {
    /// Nobody is signed in yet. The value is the name that the USER command gave, if there was one.
    Authorization(Option<String>),
    /// An AUTH exchange has begun, and waits for the client's answer.
    Exchange(Exchange),
    Transaction(Maildrop),
}

/// The mails of a maildrop at sign-in, and which of them the session has marked for deletion.
struct Maildrop {
    address: String,
    mails: Vec<Numbered>,
    deleted: Vec<bool>,
    _lock: Option<MaildropLock>,
}

impl Session for Pop3Session {
    const PROTOCOL: Protocol = Protocol::Pop3;

    fn greet(&mut self, reply: &mut Vec<u8>) {
        line(reply, "+OK post office ready");
    }

    fn take(&mut self, input: &[u8], reply: &mut Vec<u8>) -> Taken {
        let (next, consumed) = match first_line(input, self.interior.settings.line_size_bytes_max) {
            Line::Incomplete => (Next::Read, 0),
            Line::TooLong => {
                line(reply, "-ERR the line is too long");
                (Next::Close, 0)
            }
            Line::Malformed(consumed) => {
                line(reply, "-ERR a command is text that ends with CRLF");
                (Next::Go, consumed)
            }
            Line::Whole(command, consumed) => (self.command(command, reply), consumed),
        };
        Taken { consumed, next }
    }

    fn protected(&mut self) {
        self.protected = true;
        self.state = State::Authorization(None);
    }
}

impl Pop3Session {
    pub(super) fn new(interior: Arc<Interior>, protected: bool) -> Pop3Session {
        Pop3Session { interior, protected, refusals: 0, state: State::Authorization(None) }
    }

    fn command(&mut self, command: &str, reply: &mut Vec<u8>) -> Next {
        if let State::Exchange(exchange) = &mut self.state {
            let turn = exchange.answer(command);
            return self.turn(turn, reply);
        }
        let (verb, argument) = command.split_once(' ').unwrap_or((command, ""));
        let verb = verb.to_ascii_uppercase();
        match (verb.as_str(), &mut self.state) {
            ("CAPA", _) => self.capabilities(reply),
            ("QUIT", State::Transaction(_)) => return self.update(reply),
            ("QUIT", _) => {
                line(reply, "+OK");
                return Next::Close;
            }
            (verb, State::Transaction(maildrop)) => return maildrop.command(&self.interior, verb, argument, reply),
            ("STLS", _) if self.protected || self.interior.settings.protection.offered().is_none() => {
                line(reply, "-ERR TLS is not to be had");
            }
            ("STLS", _) => {
                line(reply, "+OK begin TLS");
                return Next::StartTls;
            }
            ("USER", _) if argument.is_empty() => line(reply, "-ERR USER needs a name"),
            ("USER", state) => {
                *state = State::Authorization(Some(argument.to_owned()));
                line(reply, "+OK");
            }
            ("PASS", State::Authorization(name)) => match name.take() {
                // The whole rest is the password, spaces included (RFC 1939 7).
                Some(name) => return self.sign_in(&Claim::new(&name, argument), reply),
                None => line(reply, "-ERR USER comes before PASS"),
            },
            ("AUTH", _) => return self.authenticate(argument, reply),
            _ => line(reply, "-ERR not a command before sign-in"),
        }
        Next::Go
    }

    fn capabilities(&self, reply: &mut Vec<u8>) {
        line(reply, "+OK");
        for capability in ["TOP", "USER", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "SASL PLAIN XOAUTH2"] {
            line(reply, capability);
        }
        if !self.protected && self.interior.settings.protection.offered().is_some() {
            line(reply, "STLS");
        }
        line(reply, ".");
    }

    fn authenticate(&mut self, argument: &str, reply: &mut Vec<u8>) -> Next {
        let (name, initial) =
            argument.split_once(' ').map_or((argument, None), |(name, initial)| (name, Some(initial)));
        match Mechanism::named(name) {
            Some(mechanism @ (Mechanism::Plain | Mechanism::Xoauth2)) => {
                let (exchange, turn) = Exchange::begin(mechanism, initial);
                self.state = State::Exchange(exchange);
                self.turn(turn, reply)
            }
            Some(Mechanism::Login) | None => {
                line(reply, "-ERR the mechanisms are PLAIN and XOAUTH2");
                Next::Go
            }
        }
    }

    fn turn(&mut self, turn: Turn, reply: &mut Vec<u8>) -> Next {
        match turn {
            Turn::Challenge(challenge) => line(reply, &format!("+ {challenge}")),
            Turn::Claimed(claim) => return self.sign_in(&claim, reply),
            Turn::Refused => return self.refuse(reply),
            Turn::Malformed => {
                self.state = State::Authorization(None);
                line(reply, "-ERR the exchange was broken off");
            }
        }
        Next::Go
    }

    fn sign_in(&mut self, claim: &Claim, reply: &mut Vec<u8>) -> Next {
        let interior = &self.interior;
        let admitted =
            claim.holds(&interior.settings.accounts) && !interior.faults.strikes(&Fault::RefuseSignIn(Self::PROTOCOL));
        if !admitted {
            let turn = match &mut self.state {
                State::Exchange(exchange) => exchange.refuse(),
                State::Authorization(_) | State::Transaction(_) => Turn::Refused,
            };
            return self.turn(turn, reply);
        }
        let lock = if interior.settings.lock_maildrops {
            let Some(lock) = interior.maildrops.lock_maildrop(&claim.name) else {
                self.state = State::Authorization(None);
                line(reply, "-ERR [IN-USE] another session has the maildrop");
                return Next::Go;
            };
            Some(lock)
        } else {
            None
        };
        let mails = interior.maildrops.list(&claim.name);
        line(reply, &format!("+OK {} mails", mails.len()));
        let deleted = vec![false; mails.len()];
        self.state = State::Transaction(Maildrop { address: claim.name.clone(), mails, deleted, _lock: lock });
        Next::Go
    }

    fn refuse(&mut self, reply: &mut Vec<u8>) -> Next {
        self.state = State::Authorization(None);
        self.refusals += 1;
        line(reply, "-ERR [AUTH] wrong name or password");
        if self.refusals < REFUSALS_MAX { Next::Go } else { Next::Close }
    }

    /// Ends the session at QUIT: deletes the marked mails, as in the UPDATE state of RFC 1939 6.
    fn update(&mut self, reply: &mut Vec<u8>) -> Next {
        let State::Transaction(maildrop) = std::mem::replace(&mut self.state, State::Authorization(None)) else {
            return Next::Close;
        };
        if self.interior.faults.strikes(&Fault::DropQuitBeforeDeletion) {
            return Next::Cut;
        }
        let marked = maildrop.mails.iter().zip(&maildrop.deleted).filter_map(|((id, _), marked)| marked.then_some(*id));
        let deleted = self.interior.maildrops.delete(&maildrop.address, marked);
        if self.interior.faults.strikes(&Fault::DropQuitAfterDeletion) {
            return Next::Cut;
        }
        line(reply, &format!("+OK {deleted} mails deleted"));
        Next::Close
    }
}

impl Maildrop {
    fn command(&mut self, interior: &Interior, verb: &str, argument: &str, reply: &mut Vec<u8>) -> Next {
        match verb {
            "NOOP" => line(reply, "+OK"),
            "RSET" => {
                self.deleted.fill(false);
                line(reply, "+OK");
            }
            "STAT" => {
                let (count, bytes) =
                    self.left().fold((0, 0), |(count, bytes), (_, (_, mail))| (count + 1, bytes + mail.bytes.len()));
                line(reply, &format!("+OK {count} {bytes}"));
            }
            "LIST" => self
                .listing((interior, ListingOf::Sizes), argument, reply, |(_, mail)| Some(mail.bytes.len().to_string())),
            "UIDL" => self.listing((interior, ListingOf::Ids), argument, reply, |(id, _)| {
                let uidl = interior.maildrops.uidl(*id);
                // RFC 1939 has no error for a single line of a listing, so the fault does not touch a listing of all mails. Only `UIDL n`
                // is refused.
                let refused =
                    !argument.is_empty() && interior.faults.strikes(&Fault::RefuseMail { uidl: uidl.clone() });
                (!refused).then_some(uidl)
            }),
            "RETR" | "TOP" => return self.retrieve(interior, verb == "TOP", argument, reply),
            "DELE" => match self.index(argument) {
                Some(index) => {
                    self.deleted[index] = true;
                    line(reply, "+OK");
                }
                None => line(reply, NO_SUCH_MAIL),
            },
            _ => line(reply, "-ERR not a command after sign-in"),
        }
        Next::Go
    }

    /// Returns the mails that are not marked for deletion, with their index.
    fn left(&self) -> impl Iterator<Item = (usize, &Numbered)> {
        self.mails.iter().enumerate().filter(|(index, _)| !self.deleted[*index])
    }

    /// Finds the index of a mail by its number, which counts from 1. Mails marked for deletion are not found.
    fn index(&self, number: &str) -> Option<usize> {
        let digits = !number.is_empty() && number.bytes().all(|octet| octet.is_ascii_digit());
        let index = digits.then(|| number.parse::<usize>().ok())??.checked_sub(1)?;
        (!*self.deleted.get(index)?).then_some(index)
    }

    fn listing(
        &self,
        (interior, of): (&Interior, ListingOf),
        argument: &str,
        reply: &mut Vec<u8>,
        tell: impl Fn(&Numbered) -> Option<String>,
    ) {
        if argument.is_empty() {
            if interior.faults.strikes(&Fault::RefuseListing(of)) {
                return line(reply, "-ERR not today");
            }
            line(reply, "+OK");
            for (index, mail) in self.left() {
                let odd = |fault: &Fault| match fault {
                    Fault::OddLine { of: odd, number, line } if (*odd, *number) == (of, index + 1) => {
                        Some(line.clone())
                    }
                    _ => None,
                };
                match interior.faults.strike(odd) {
                    Some(Some(odd)) => line(reply, &odd),
                    Some(None) => {}
                    None => line(reply, &format!("{} {}", index + 1, tell(mail).unwrap_or_default())),
                }
            }
            return line(reply, ".");
        }
        match self.index(argument).and_then(|index| Some((index + 1, tell(&self.mails[index])?))) {
            Some((number, told)) => line(reply, &format!("+OK {number} {told}")),
            None => line(reply, NO_SUCH_MAIL),
        }
    }

    fn retrieve(&self, interior: &Interior, top: bool, argument: &str, reply: &mut Vec<u8>) -> Next {
        let (number, lines) = argument.split_once(' ').map_or((argument, None), |(number, rest)| (number, Some(rest)));
        let lines = match (top, lines.map(str::parse::<usize>)) {
            (false, None) => None,
            (true, Some(Ok(lines))) => Some(lines),
            _ => {
                line(reply, "-ERR the forms are RETR number and TOP number lines");
                return Next::Go;
            }
        };
        let Some((id, mail)) = self.index(number).map(|index| &self.mails[index]) else {
            line(reply, NO_SUCH_MAIL);
            return Next::Go;
        };
        let named =
            |fault: &Fault| matches!(fault, Fault::RefuseMail { uidl } if *uidl == interior.maildrops.uidl(*id));
        if interior.faults.strike(|fault| named(fault).then_some(())).is_some() {
            line(reply, NO_SUCH_MAIL);
            return Next::Go;
        }
        let uidl = interior.maildrops.uidl(*id);
        let breaks = |fault: &Fault| match fault {
            Fault::BreakMail { uidl: broken, how } if *broken == uidl => Some(*how),
            _ => None,
        };
        let breaks = interior.faults.strike(breaks);
        if breaks == Some(Break::Drop) {
            return Next::Cut;
        }
        line(reply, &format!("+OK {} octets", mail.bytes.len()));
        let start = reply.len();
        stuff(lines.map_or(&mail.bytes[..], |lines| head(mail, lines)), reply);
        match breaks {
            Some(Break::Cut) => return Next::Cut,
            Some(Break::Hang) => {
                reply.truncate(start + 10);
                return Next::Hang;
            }
            Some(Break::HalfTerminator) => {
                reply.extend_from_slice(b".\r");
                return Next::Hang;
            }
            Some(Break::Drop) | None => {}
        }
        let broken = |fault: &Fault| match fault {
            Fault::CutRetrieval { after_bytes } => Some((*after_bytes, Next::Cut)),
            Fault::HangRetrieval { after_bytes } => Some((*after_bytes, Next::Hang)),
            _ => None,
        };
        if !top && let Some((after_bytes, next)) = interior.faults.strike(broken) {
            reply.truncate(start.saturating_add(after_bytes).min(reply.len()));
            return next;
        }
        line(reply, ".");
        Next::Go
    }
}

const NO_SUCH_MAIL: &str = "-ERR no such mail";

fn line(reply: &mut Vec<u8>, text: &str) {
    reply.extend_from_slice(text.as_bytes());
    reply.extend_from_slice(b"\r\n");
}

/// Returns the header, the empty line and the first `body_lines` lines of the body, as TOP sends them.
fn head(mail: &Mail, body_lines: usize) -> &[u8] {
    let mut left: Option<usize> = None;
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', &mail.bytes).map(|end| end + 1) {
        if left == Some(0) {
            return &mail.bytes[..start];
        }
        left = match left {
            Some(lines) => Some(lines - 1),
            None => (&mail.bytes[start..end] == b"\r\n").then_some(body_lines),
        };
        start = end;
    }
    &mail.bytes[..start]
}

/// Doubles the dot at the start of a line, RFC 1939 3.
fn stuff(text: &[u8], reply: &mut Vec<u8>) {
    reply.reserve(text.len() + 8);
    if text.starts_with(b".") {
        reply.push(b'.');
    }
    let mut start = 0;
    for found in memchr::memmem::find_iter(text, b"\r\n.") {
        let end = found + 2;
        reply.extend_from_slice(&text[start..end]);
        reply.push(b'.');
        start = end;
    }
    reply.extend_from_slice(&text[start..]);
}
