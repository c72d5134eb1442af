//! Sends mail through one relay, over pooled connections (lettre).
//!
//! A relay's "yes" after the final dot is the only proof of delivery. Everything else is either transient, and the mail is
//! sent again with the same Message-ID, or permanent, and a person looks at it.

use std::time::Duration;

use chrono::Utc;
use lettre::address::Envelope;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::connect::{Cause, MailError, Step};
use crate::settings::{Credential, RelaySettings, Security, is_loopback};

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
#[error("the relay did not take the mail: {reply}")]
pub struct SendFailure {
    /// Whether sending again can help.
    pub kind: FailureKind,
    /// The relay's words, or what happened to the connection; bounded.
    pub reply: String,
}

/// A mail to be sent.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// Without angle brackets; the same whenever the same mail is sent.
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

/// A relay with its pool of connections.
pub struct Relay {
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Relay {
    /// Prepares a relay. Must be called, and used, on a tokio runtime that outlives it.
    ///
    /// # Errors
    /// Settings that are wrong, or a secret or certificate that cannot be read.
    pub fn new(settings: &RelaySettings) -> Result<Relay, MailError> {
        let peer = format!("{}:{}", settings.host, settings.port());
        let wrong = |what: String| MailError { step: Step::Settings, peer: peer.clone(), cause: Cause::Settings(what) };
        settings.validate().map_err(|error| wrong(error.to_string()))?;
        let tls = match settings.security {
            // Settings admit this for the machine itself only.
            Security::None if is_loopback(&settings.host) => Tls::None,
            Security::None => return Err(wrong("security: expected `tls` or `starttls` for another machine".into())),
            Security::Tls => Tls::Wrapper(tls_parameters(settings).map_err(wrong)?),
            // Required: a relay that does not offer it is not spoken to in clear.
            Security::Starttls => Tls::Required(tls_parameters(settings).map_err(wrong)?),
        };
        let hello = settings.hello_name.clone().map_or_else(|| ClientId::Ipv4([127, 0, 0, 1].into()), ClientId::Domain);
        let connections = u32::try_from(settings.connections_max).unwrap_or(u32::MAX);
        let pool = PoolConfig::new().max_size(connections).idle_timeout(Duration::from_secs(settings.idle_seconds_max));
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port())
            .hello_name(hello)
            .tls(tls)
            .timeout(Some(Duration::from_secs(settings.read_timeout_seconds)))
            .pool_config(pool);
        builder = match settings.credential().map_err(|error| wrong(error.to_string()))? {
            None => builder,
            Some(Credential::Password(username, password)) => builder
                .credentials(Credentials::new(username, password.expose().to_owned()))
                .authentication(vec![Mechanism::Plain, Mechanism::Login]),
            Some(Credential::Token(username, token)) => builder
                .credentials(Credentials::new(username, token.expose().to_owned()))
                .authentication(vec![Mechanism::Xoauth2]),
        };
        Ok(Relay { transport: builder.build() })
    }

    /// Sends a mail.
    ///
    /// # Errors
    /// What kind of failure it was, with the relay's words.
    pub async fn send(&self, mail: &Outgoing) -> Result<(), SendFailure> {
        let permanent = |reply: String| SendFailure { kind: FailureKind::Permanent, reply };
        let octets = mail.render().map_err(|refused| permanent(refused.to_string()))?;
        let address = |text: &str| text.parse::<Address>().map_err(|error| permanent(format!("address: {error}")));
        let envelope = Envelope::new(Some(address(&mail.from)?), vec![address(&mail.to)?])
            .map_err(|error| permanent(error.to_string()))?;
        match self.transport.send_raw(&envelope, &octets).await {
            Ok(_) => Ok(()),
            Err(error) => Err(failure(&error)),
        }
    }

    /// Connects, signs in and says good-bye, for `mail test`.
    ///
    /// # Errors
    /// What failed.
    pub async fn test(&self) -> Result<(), SendFailure> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(SendFailure { kind: FailureKind::Transient, reply: "the relay did not answer NOOP".to_owned() })
            }
            Err(error) => Err(failure(&error)),
        }
    }
}

/// Replies that concern this mail or its address (RFC 5321 4.2.3). Other replies of 5xx, such as a sign-in refused (RFC 4954) or
/// a command unknown, tell that the relay is set up wrongly: every answer waits until somebody has put that right.
const OF_THIS_MAIL: std::ops::RangeInclusive<u16> = 550..=556;

fn failure(error: &lettre::transport::smtp::Error) -> SendFailure {
    let is_of_this_mail = error.status().is_some_and(|code| OF_THIS_MAIL.contains(&u16::from(code)));
    let kind = if error.is_permanent() && is_of_this_mail { FailureKind::Permanent } else { FailureKind::Transient };
    SendFailure { kind, reply: error.to_string().chars().take(300).collect() }
}

fn tls_parameters(settings: &RelaySettings) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(file) = &settings.ca_file {
        let unreadable =
            |error: String| format!("ca_file {}: {error}; a file of PEM certificates is expected", file.display());
        let pem = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
        builder =
            builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| unreadable(error.to_string()))?);
    }
    builder.build_rustls().map_err(|error| error.to_string())
}
