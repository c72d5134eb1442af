//! Connections to a relay. The dialer of the mailboxes dials them. Each connection signs in once and is kept for the next mail.
//!
//! lettre's own pool and TLS have four faults: they leave Nagle's algorithm on, which delays every final dot by 40 ms; they set no deadline
//! for the relay's replies; they accept plain text before STARTTLS as if TLS had protected it; and they keep a line in memory however long
//! it is. So lettre speaks SMTP here over streams that this crate opens.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Noop;
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::{SendFailure, starttls};
use crate::connect::{Cause, Dialer, MailError, Step, Stream, TestReport};
use crate::replies::Replies;
use crate::settings::{Credential, RelaySettings, Security};

/// A connection that was idle for longer is tested with NOOP before it is used, because relays close idle connections.
const FRESH: Duration = Duration::from_secs(5);

/// All connections to one relay.
pub struct Connections {
    dialer: Dialer,
    hello: ClientId,
    sign_in: Option<(Credentials, &'static [Mechanism])>,
    /// Longest time for sending one mail, or for the sign-in.
    timeout: Duration,
    rest_max: Duration,
    mails_max: u32,
    permits: Semaphore,
    resting: Mutex<Vec<Resting>>,
}

/// An idle connection between two mails.
struct Resting {
    connection: AsyncSmtpConnection,
    since: Instant,
    mails: u32,
}

impl Connections {
    /// Prepares the connections. The first connection is dialled when the first mail is sent.
    pub fn new(settings: &RelaySettings) -> Result<Connections, MailError> {
        let peer = format!("{}:{}", settings.host, settings.port());
        let wrong = |what: String| MailError { step: Step::Settings, peer: peer.clone(), cause: Cause::Settings(what) };
        settings.validate().map_err(|error| wrong(error.to_string()))?;
        let address = (settings.host.as_str(), settings.port());
        let ca_file = settings.ca_file.as_deref();
        let dialer = Dialer::new(address, settings.security, ca_file, settings.connect_timeout_seconds)?;
        let sign_in = settings.credential().map_err(|error| wrong(error.to_string()))?.map(|credential| {
            let (username, secret, mechanisms): (_, _, &[Mechanism]) = match credential {
                Credential::Password(username, password) => (username, password, &[Mechanism::Plain, Mechanism::Login]),
                Credential::Token(username, token) => (username, token, &[Mechanism::Xoauth2]),
            };
            (Credentials::new(username, secret.expose().to_owned()), mechanisms)
        });
        Ok(Connections {
            dialer,
            hello: settings.hello_name.clone().map_or_else(|| ClientId::Ipv4([127, 0, 0, 1].into()), ClientId::Domain),
            sign_in,
            timeout: Duration::from_secs(settings.read_timeout_seconds),
            rest_max: Duration::from_secs(settings.idle_seconds_max),
            mails_max: settings.mails_per_connection_max,
            permits: Semaphore::new(settings.connections_max),
            resting: Mutex::new(Vec::new()),
        })
    }

    /// Runs `work` on a connection, and keeps the connection where `work` succeeded.
    pub async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut AsyncSmtpConnection) -> Result<T, SendFailure>,
    ) -> Result<(), SendFailure> {
        // The semaphore is never closed, so this call waits and never fails.
        let _permit = self.permits.acquire().await;
        let (mut connection, mails) = match self.rested().await {
            Some(rested) => rested,
            None => (self.dial().await.map_err(SendFailure::before_mail)?, 0),
        };
        // Work that takes too long is dropped together with its connection, so nobody reads a late reply of the relay.
        self.within(work(&mut connection)).await?;
        self.lock().push(Resting { connection, since: Instant::now(), mails: mails + 1 });
        Ok(())
    }

    /// Returns an idle connection that still works, and the number of mails that it has carried. The connection used last is taken first,
    /// so that surplus connections stay idle and end.
    async fn rested(&self) -> Option<(AsyncSmtpConnection, u32)> {
        loop {
            // The lock is released at the end of this line, so no `await` happens while it is held.
            let next = self.lock().pop();
            let Resting { mut connection, since, mails } = next?;
            let rest = since.elapsed();
            if rest > self.rest_max || mails >= self.mails_max {
                let _relay_may_be_gone = self.within(connection.quit()).await;
            } else if rest < FRESH || self.within(connection.command(Noop)).await.is_ok() {
                return Some((connection, mails));
            }
        }
    }

    async fn dial(&self) -> Result<AsyncSmtpConnection, SendFailure> {
        let stream = match self.dialer.dial(&mut TestReport::default()).await? {
            // STARTTLS is required: where the relay does not offer STARTTLS, nothing is sent in plain text.
            Stream::Plain(tcp) if self.dialer.security() == Security::Starttls => {
                let hello = self.hello.to_string();
                let protecting = starttls::protect(&self.dialer, tcp, &hello);
                let protected = tokio::time::timeout(self.timeout, protecting).await;
                protected.map_err(|_elapsed| Cause::TimedOut(self.timeout.as_secs()))??
            }
            stream => stream.into(),
        };
        let stream = Box::new(Replies::new(stream));
        let mut connection = self.within(AsyncSmtpConnection::connect_with_transport(stream, &self.hello)).await?;
        if let Some((credentials, mechanisms)) = &self.sign_in {
            self.within(connection.auth(mechanisms, credentials)).await?;
        }
        Ok(connection)
    }

    async fn within<T, E: Into<SendFailure>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, SendFailure> {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(done) => done.map_err(E::into),
            Err(_elapsed) => Err(Cause::TimedOut(self.timeout.as_secs()).into()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Resting>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
