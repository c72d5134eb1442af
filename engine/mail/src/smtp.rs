//! Sends mail through one relay with lettre, over connections that are reused.
//!
//! Only a 2xx reply after the final dot proves that the relay took a mail. Every other outcome is a failure. After a transient failure the
//! mail is sent again with the same Message-ID. After a permanent failure an operator has to look at the mail.

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

/// Whether sending the mail again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The relay cannot be reached, is busy, or did not say whether it took the mail.
    Transient,
    /// The relay refuses this mail for good.
    Permanent,
}

/// Failure of an attempt to send a mail: no reply proves that the relay took it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the relay did not take the mail: {}{reply}", .step.map(|step| format!("{step}: ")).unwrap_or_default())]
pub struct SendFailure {
    /// Whether sending the mail again can help.
    pub kind: FailureKind,
    /// The step of connecting or signing in that failed; none where the failure came later.
    pub step: Option<Step>,
    /// The relay's reply, or the fault of the connection. The text is cut to a bounded length and has no control characters.
    pub reply: String,
    /// Whether the attempt failed before any command about the mail: while connecting, in TLS or at the sign-in. Every other mail would
    /// have failed in the same way.
    pub is_before_mail: bool,
}

/// A mail to be sent.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// The Message-ID without angle brackets. It stays the same when the same mail is sent again.
    pub message_id: String,
    /// The sender's address.
    pub from: String,
    /// The only recipient's address.
    pub to: String,
    /// Subject in plain ASCII.
    pub subject: String,
    /// Whether the mail is marked as an automatic answer, which no program may answer (RFC 3834).
    pub is_automatic: bool,
    /// The attachments: the name of a file, and its content, which is a letter of the centre as a PEM block of CMS (a container).
    pub documents: Vec<(String, Vec<u8>)>,
}

/// Error: a field's text cannot be written into a mail header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected one line of plain ASCII, found something else")]
pub struct FieldRefused {
    /// Name of the field.
    pub field: &'static str,
}

impl Outgoing {
    /// Writes the mail with its attachments. An attached container is a PEM block, so it is ASCII in short lines already. It gets no second
    /// base64, which would make it a third longer.
    ///
    /// # Errors
    /// A field holds more than one line of plain ASCII. A line break in a field could smuggle a second mail into this mail.
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
        // No line of a container begins with this boundary, because base64 has no underscore.
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

/// A relay with its open connections.
pub struct Relay {
    connections: Connections,
}

impl Relay {
    /// Prepares a relay. The relay must be used on a tokio runtime that outlives it.
    ///
    /// # Errors
    /// A setting is wrong, or a secret or a certificate cannot be read.
    pub fn new(settings: &RelaySettings) -> Result<Relay, MailError> {
        Ok(Relay { connections: Connections::new(settings)? })
    }

    /// Sends a mail.
    ///
    /// # Errors
    /// The kind of failure, with the relay's reply.
    pub async fn send(&self, mail: &Outgoing) -> Result<(), SendFailure> {
        let permanent = |what: &dyn Display| SendFailure::new(FailureKind::Permanent, None, what);
        let octets = mail.render().map_err(|refused| permanent(&refused))?;
        let address = |text: &str| text.parse::<Address>().map_err(|error| permanent(&format!("address: {error}")));
        let envelope =
            Envelope::new(Some(address(&mail.from)?), vec![address(&mail.to)?]).map_err(|error| permanent(&error))?;
        let sending = async |connection: &mut AsyncSmtpConnection| {
            let code = connection.send(&envelope, &octets).await?.code();
            // lettre counts a 3xx reply as success, but after the final dot a 3xx reply does not prove that the relay took the mail.
            if code.severity != Severity::PositiveCompletion {
                return Err(Cause::Protocol(format!("{code} after the final dot")).into());
            }
            Ok(())
        };
        self.connections.run(sending).await
    }

    /// Connects, signs in and sends the command NOOP, for `mail test`.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn test(&self) -> Result<(), SendFailure> {
        self.connections.run(async |connection| Ok(connection.command(Noop).await?)).await
    }
}

/// Reply codes that concern this mail or its recipient (RFC 5321, 4.2.3). Other 5xx codes, such as a refused sign-in (RFC 4954) or an
/// unknown command, show that the relay is configured wrongly: all answers wait until somebody corrects the configuration.
const OF_THIS_MAIL: std::ops::RangeInclusive<u16> = 550..=556;
/// First digits of enhanced status codes that concern the relay although the reply code is one of `OF_THIS_MAIL`: the relay does not admit
/// this sender (RFC 3463, 3.8, such as `554 5.7.1 Relay access denied`), or the relay is full or broken (3.4, 3.5).
const OF_THE_RELAY: [&str; 3] = ["5.3.", "5.4.", "5.7."];

impl SendFailure {
    /// Makes a failure. All failures are made here, because `what` may quote the relay, and must pass [`printable`].
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
    /// Keeps the step and the cause of the error, but not the relay's name: the configuration has only one relay.
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
