//! The capabilities of a server, and signing in by the best method that it offers.

use crate::connect::{Cause, MailError, Step};
use crate::pop3::reply::{Expect, Status};
use crate::pop3::wire::Wire;
use crate::settings::Credential;

/// Longest capability list in bytes. In practice a list has a few dozen lines.
const CAPABILITY_BYTES_MAX: usize = 16 * 1024;

/// Capabilities that the server offers (RFC 2449).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Capabilities {
    pub(super) stls: bool,
    pub(super) pipelining: bool,
    pub(super) top: bool,
    sasl_plain: bool,
    sasl_xoauth2: bool,
}

impl Capabilities {
    /// Requests the capabilities with CAPA. A server that does not support CAPA is taken to support none of them, except TOP, which it may
    /// support.
    pub(super) async fn ask(wire: &mut Wire, step: Step) -> Result<Capabilities, MailError> {
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

/// Signs in by the best method that the server offers. No second method is tried, because wrong passwords lock accounts.
pub(super) async fn sign_in(wire: &mut Wire, credential: &Credential, known: &Capabilities) -> Result<(), MailError> {
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

/// Does one SASL exchange (RFC 5034). The response is sent only after the challenge, because tokens are longer than a command may be.
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
                // A challenge after the response is the error of XOAUTH2. The empty line requests the -ERR that follows.
                line.push_str("\r\n");
                wire.send(Step::SignIn, line.as_bytes(), &[Expect::Line]).await?;
                line.clear();
            }
        }
    }
}
