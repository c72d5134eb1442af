//! A mailbox, and how a session with it is opened: dialling, greeting, STLS, sign-in.

use std::time::Instant;

use crate::connect::{Cause, Dialer, MailError, Step, Stream, TestReport};
use crate::pop3::reply::{Expect, ReplyParser};
use crate::pop3::session::Session;
use crate::pop3::sign_in::{Capabilities, sign_in};
use crate::pop3::wire::Wire;
use crate::settings::{MailboxSettings, Security};

/// A mailbox with which sessions can be opened. It keeps what every session needs, such as the state of TLS resumption.
#[derive(Clone)]
pub struct Mailbox {
    settings: MailboxSettings,
    dialer: Dialer,
}

impl Mailbox {
    /// Prepares a mailbox. Errors belong to the step `settings`.
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

    /// Connects and signs in. The error says which step failed.
    pub async fn open(&self) -> Result<Session, MailError> {
        self.open_reporting(&mut TestReport::default()).await
    }

    /// Does every step up to reading the state of the mailbox, and changes nothing there. Reports the steps that succeeded.
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
            // Capabilities sent before TLS may come from an attacker, so they are requested again (RFC 2595, 4).
            capabilities = Capabilities::ask(&mut wire, Step::Greeting).await?;
            since = Instant::now();
        }
        sign_in(&mut wire, &credential, &capabilities).await?;
        if !capabilities.pipelining {
            // Some servers send some capabilities only in the transaction state (RFC 2449, 5).
            capabilities = Capabilities::ask(&mut wire, Step::SignIn).await?;
        }
        report.pass(Step::SignIn, since);
        let settings = self.settings.clone();
        Ok(Session { wire, settings, pipelining: capabilities.pipelining, top: capabilities.top })
    }

    /// Starts TLS by STLS, without any fall-back. If STLS is not offered or refused, or if plain text follows it, the session ends.
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
            // These octets would be read as if TLS had protected them, as in CVE-2011-0411 and many later cases.
            let injected = "plain text after the answer to STLS".to_owned();
            return Err(self.dialer.error(Step::Tls, Cause::Protocol(injected)));
        }
        let Stream::Plain(tcp) = wire.stream else {
            return Err(self.dialer.error(Step::Tls, Cause::Unsupported("STLS inside TLS")));
        };
        let stream = self.dialer.protect(tcp, report).await?;
        let mut wire = Wire::new(stream, wire.peer, &self.settings);
        // After STLS the server sends no second greeting (RFC 2595, 4).
        wire.parser = ReplyParser::default();
        wire.begin();
        Ok(wire)
    }
}
