//! Connections to a relay: dialled as those to mailboxes are, signed in once, kept for the next mail.
//!
//! lettre has a pool and TLS of its own. They leave Nagle's algorithm on, which holds every final dot for 40 ms, set no
//! deadline on a relay's answers, let plain text in over STARTTLS, and keep a line in memory until it ends; so lettre speaks
//! SMTP here, over streams of ours.

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

/// A connection that rested longer is asked whether it still lives: relays hang up on the silent.
const FRESH: Duration = Duration::from_secs(5);

/// All connections to one relay.
pub struct Connections {
    dialer: Dialer,
    hello: ClientId,
    sign_in: Option<(Credentials, &'static [Mechanism])>,
    /// Longest time for one mail, or for signing in.
    timeout: Duration,
    rest_max: Duration,
    mails_max: u32,
    permits: Semaphore,
    resting: Mutex<Vec<Resting>>,
}

/// A connection between two mails.
struct Resting {
    connection: AsyncSmtpConnection,
    since: Instant,
    mails: u32,
}

impl Connections {
    /// Prepares the connections; the first is dialled when there is something to send.
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

    /// Does some work on a connection, and keeps the connection when the work went well.
    pub async fn run<T>(
        &self,
        work: impl AsyncFnOnce(&mut AsyncSmtpConnection) -> Result<T, SendFailure>,
    ) -> Result<(), SendFailure> {
        // The semaphore is never closed, so this waits and does not fail.
        let _permit = self.permits.acquire().await;
        let (mut connection, mails) = match self.rested().await {
            Some(rested) => rested,
            None => (self.dial().await.map_err(SendFailure::before_mail)?, 0),
        };
        // Work that takes too long is dropped with its connection: nobody would read what the relay says later.
        self.within(work(&mut connection)).await?;
        self.lock().push(Resting { connection, since: Instant::now(), mails: mails + 1 });
        Ok(())
    }

    /// Returns a connection that rests and still lives, and how many mails it has taken. The one used last comes first,
    /// so that the others may end.
    async fn rested(&self) -> Option<(AsyncSmtpConnection, u32)> {
        loop {
            // The lock ends with this line: nothing is awaited under it.
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
            // STARTTLS is required: a relay that does not offer it is not spoken to in clear.
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
