//! Sends mail through one relay, over connections that are kept (lettre).
//!
//! A relay's "yes" after the final dot is the only proof of delivery. Everything else is either transient, and the mail is
//! sent again with the same Message-ID, or permanent, and a person looks at it.

use std::fmt::Display;

use chrono::Utc;
use lettre::Address;
use lettre::address::Envelope;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Noop;
use lettre::transport::smtp::response::Severity;

use crate::connect::{Cause, MailError, Step};
use crate::settings::RelaySettings;
use crate::words::printable;

mod connections;
mod starttls;

use connections::Connections;

/// Whether sending again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The relay is away, busy, or did not say what became of the mail.
    Transient,
    /// The relay will not take this mail.
    Permanent,
}

/// A mail that was not clearly taken.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the relay did not take the mail: {}{reply}", .step.map(|step| format!("{step}: ")).unwrap_or_default())]
pub struct SendFailure {
    /// Whether sending again can help.
    pub kind: FailureKind,
    /// The step that failed, where it was one on the way to the relay.
    pub step: Option<Step>,
    /// The relay's words, or what happened to the connection; bounded, and fit to be shown.
    pub reply: String,
    /// Whether the failure came before the mail was spoken of: in connecting, TLS or signing in. Another mail would have met it too.
    pub is_before_mail: bool,
}

/// A mail to be sent.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// The Message-ID without angle brackets; the same whenever the same mail is sent.
    pub message_id: String,
    /// The sender's address.
    pub from: String,
    /// The one recipient.
    pub to: String,
    /// Subject, plain ASCII.
    pub subject: String,
    /// Whether it is an answer that no program may answer (RFC 3834).
    pub is_automatic: bool,
    /// Containers by file name.
    pub documents: Vec<(String, Vec<u8>)>,
}

/// A field that cannot stand in a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected one line of plain ASCII, found something else")]
pub struct FieldRefused {
    /// Which field.
    pub field: &'static str,
}

impl Outgoing {
    /// Writes the mail. An SDC is ASCII in short lines, so it travels as it is: base64 would cost a third more.
    ///
    /// # Errors
    /// A field that would break the header: how a second mail is smuggled into the first.
    pub fn render(&self) -> Result<Vec<u8>, FieldRefused> {
        let fields =
            [("message_id", &self.message_id), ("from", &self.from), ("to", &self.to), ("subject", &self.subject)];
        for (field, value) in fields.into_iter().chain(self.documents.iter().map(|(name, _)| ("file name", name))) {
            let is_plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"';
            if !value.bytes().all(is_plain) || value.len() > 500 {
                return Err(FieldRefused { field });
            }
        }
        let mut mail = format!(
            "Message-ID: <{}>\r\nDate: {}\r\nFrom: {}\r\nTo: {}\r\nSubject: {}\r\n",
            self.message_id,
            Utc::now().to_rfc2822(),
            self.from,
            self.to,
            self.subject
        );
        if self.is_automatic {
            mail.push_str("Auto-Submitted: auto-replied\r\n");
        }
        mail.push_str("MIME-Version: 1.0\r\n");
        let mut mail = mail.into_bytes();
        if let [(name, document)] = self.documents.as_slice() {
            push_part(&mut mail, name, document);
            return Ok(mail);
        }
        // No line of an SDC begins with this, since base64 has no underscore.
        let boundary = "_sdc_";
        mail.extend_from_slice(format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n").as_bytes());
        for (name, document) in &self.documents {
            mail.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            push_part(&mut mail, name, document);
        }
        mail.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Ok(mail)
    }
}

fn push_part(mail: &mut Vec<u8>, name: &str, document: &[u8]) {
    let head = format!(
        "Content-Type: text/plain; charset=us-ascii\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\r\n"
    );
    mail.extend_from_slice(head.as_bytes());
    for line in document.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            mail.extend_from_slice(line);
            mail.extend_from_slice(b"\r\n");
        }
    }
}

/// A relay with its connections.
pub struct Relay {
    connections: Connections,
}

impl Relay {
    /// Prepares a relay. Must be used on a tokio runtime that outlives it.
    ///
    /// # Errors
    /// Settings that are wrong, or a secret or certificate that cannot be read.
    pub fn new(settings: &RelaySettings) -> Result<Relay, MailError> {
        Ok(Relay { connections: Connections::new(settings)? })
    }

    /// Sends a mail.
    ///
    /// # Errors
    /// What kind of failure it was, with the relay's words.
    pub async fn send(&self, mail: &Outgoing) -> Result<(), SendFailure> {
        let permanent = |what: &dyn Display| SendFailure::new(FailureKind::Permanent, None, what);
        let octets = mail.render().map_err(|refused| permanent(&refused))?;
        let address = |text: &str| text.parse::<Address>().map_err(|error| permanent(&format!("address: {error}")));
        let envelope =
            Envelope::new(Some(address(&mail.from)?), vec![address(&mail.to)?]).map_err(|error| permanent(&error))?;
        let sending = async |connection: &mut AsyncSmtpConnection| {
            let code = connection.send(&envelope, &octets).await?.code();
            // To lettre a 3xx is a yes too: after the final dot it is none.
            if code.severity != Severity::PositiveCompletion {
                return Err(Cause::Protocol(format!("{code} after the final dot")).into());
            }
            Ok(())
        };
        self.connections.run(sending).await
    }

    /// Connects, signs in and exchanges a word, for `mail test`.
    ///
    /// # Errors
    /// What failed.
    pub async fn test(&self) -> Result<(), SendFailure> {
        self.connections.run(async |connection| Ok(connection.command(Noop).await?)).await
    }
}

/// Replies that concern this mail or its address (RFC 5321 4.2.3). Other replies of 5xx, such as a sign-in refused (RFC 4954) or
/// a command unknown, tell that the relay is set up wrongly: every answer waits until somebody has put that right.
const OF_THIS_MAIL: std::ops::RangeInclusive<u16> = 550..=556;
/// Of replies with these codes, those whose enhanced status code begins so concern the relay: it does not let this sender through (RFC 3463
/// 3.8, as in `554 5.7.1 Relay access denied`), or it is full or broken (3.4, 3.5).
const OF_THE_RELAY: [&str; 3] = ["5.3.", "5.4.", "5.7."];

impl SendFailure {
    /// Makes a failure. Every failure is made here, since its words may be the relay's own.
    fn new(kind: FailureKind, step: Option<Step>, what: &dyn Display) -> SendFailure {
        SendFailure { kind, step, reply: printable(what.to_string().as_bytes()), is_before_mail: false }
    }

    fn before_mail(self) -> SendFailure {
        SendFailure { is_before_mail: true, ..self }
    }
}

impl From<lettre::transport::smtp::Error> for SendFailure {
    fn from(error: lettre::transport::smtp::Error) -> SendFailure {
        let words = error.to_string();
        let is_of_this_mail = error.status().is_some_and(|code| OF_THIS_MAIL.contains(&u16::from(code)))
            && !OF_THE_RELAY.iter().any(|class| words.contains(&format!(": {class}")));
        let kind =
            if error.is_permanent() && is_of_this_mail { FailureKind::Permanent } else { FailureKind::Transient };
        SendFailure::new(kind, None, &error)
    }
}

impl From<MailError> for SendFailure {
    /// Leaves out which relay it is: there is one, the configuration names it, and whoever shows a failure knows it.
    fn from(error: MailError) -> SendFailure {
        SendFailure::new(FailureKind::Transient, Some(error.step), &error.cause)
    }
}

impl From<Cause> for SendFailure {
    fn from(cause: Cause) -> SendFailure {
        SendFailure::new(FailureKind::Transient, None, &cause)
    }
}

#[cfg(test)]
mod tests;
