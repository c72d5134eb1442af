//! Accepts connections, and runs a session over each of them.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connection::{Ended, serve};
use super::places::{Place, Places};
use super::session::{Rules, Session};
use super::tls::Certificate;
use super::{IntakeSettings, Recipient};
use crate::settings::{Security, SettingsError};

/// Longest time for the TLS handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Pause after a connection could not be accepted because the system had no resources for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest time to tell a connection that there is no place for it.
const REFUSE_MAX: Duration = Duration::from_secs(1);
/// Reply to a connection for which there is no place.
const NO_PLACE: &[u8] = b"421 4.3.2 all connections are busy: try again later\r\n";

/// Listens at one address.
#[derive(Clone, Debug)]
pub struct Listener {
    settings: IntakeSettings,
    rules: Arc<Rules>,
    certificate: Option<Arc<Certificate>>,
}

/// What the connections of a listener share.
#[derive(Clone)]
struct Shared<R> {
    rules: Arc<Rules>,
    security: Security,
    tls: Option<TlsAcceptor>,
    recipient: R,
}

impl Listener {
    /// Prepares to listen. Nothing is opened yet.
    ///
    /// # Errors
    /// One sentence for each wrong key of the settings.
    pub fn new(settings: IntakeSettings) -> Result<Listener, SettingsError> {
        settings.validate()?;
        let rules = Rules {
            protocol: settings.protocol,
            hello_name: settings.hello_name.clone(),
            addresses: settings.addresses.iter().map(|address| address.to_lowercase()).collect(),
            mail_bytes_max: usize::try_from(settings.mail_size_max_bytes).unwrap_or(usize::MAX),
            must_start_tls: settings.security == Security::Starttls,
        };
        let certificate = Certificate::of(settings.security, &settings.certificate_file, &settings.key_file);
        Ok(Listener { settings, rules: Arc::new(rules), certificate })
    }

    /// Reads the certificate and its key, as [`Listener::run`] does.
    ///
    /// # Errors
    /// A sentence that names the setting's key and says what is wrong with its file.
    pub fn check_files(&self) -> Result<(), String> {
        self.certificate.as_deref().map_or(Ok(()), Certificate::read)
    }

    /// Returns the certificate that new connections get, so that it can be read again; `None` where connections are not protected.
    pub fn certificate(&self) -> Option<Arc<Certificate>> {
        self.certificate.clone()
    }

    /// Listens, and lets `recipient` take the mails, until the future is dropped. `count` is called with the number of connections once the
    /// address is bound, and whenever the number changes. Returns only after a fault, with a sentence that describes it.
    pub async fn run<R: Recipient>(&self, recipient: R, count: impl Fn(usize) + Send) -> String {
        let tls = match self.certificate.as_ref().map(Certificate::acceptor).transpose() {
            Ok(tls) => tls,
            Err(problem) => return problem,
        };
        let listen = self.settings.listen;
        let listener = match TcpListener::bind(listen).await {
            Ok(listener) => listener,
            Err(error) => return format!("listen: cannot listen at {listen}: {error}"),
        };
        let shared = Shared { rules: Arc::clone(&self.rules), security: self.settings.security, tls, recipient };
        let places = Places::new(self.settings.connections_max);
        let mut connections = JoinSet::new();
        count(0);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _peer)) => match places.take(Instant::now()) {
                        Some(place) => {
                            connections.spawn(attend(shared.clone(), stream, place));
                        }
                        None => {
                            tokio::spawn(refuse(stream));
                        }
                    },
                    Err(error) => {
                        tracing::debug!(%listen, %error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = connections.join_next() => {
                    if let Err(error) = ended && error.is_panic() {
                        // The other connections continue. A mail that this connection had not answered is sent again.
                        tracing::error!(%listen, "a connection of a sender has panicked");
                    }
                }
            }
            count(places.taken());
        }
    }
}

/// Tells a connection that there is no place for it. An error is ignored, because the connection is closed in any case.
async fn refuse(mut stream: TcpStream) {
    drop(timeout(REFUSE_MAX, stream.write_all(NO_PLACE)).await);
}

/// Serves one connection to its end.
async fn attend<R: Recipient>(shared: Shared<R>, stream: TcpStream, place: Place) {
    if let Err(error) = converse(&shared, stream, &place).await {
        tracing::debug!(%error, "a connection of a sender failed: it keeps what was not answered");
    }
}

async fn converse<R: Recipient>(shared: &Shared<R>, stream: TcpStream, place: &Place) -> io::Result<()> {
    // Without this option, a reply would wait until the client has acknowledged the previous reply.
    stream.set_nodelay(true)?;
    match (&shared.tls, shared.security) {
        (Some(tls), Security::Tls) => {
            let protected = handshake(tls, stream, place).await?;
            let mut session = Session::new(Arc::clone(&shared.rules), true);
            serve(protected, &mut session, place, &shared.recipient).await?;
        }
        (Some(tls), _) => {
            let mut session = Session::new(Arc::clone(&shared.rules), false);
            if let Ended::StartTls(stream) = serve(stream, &mut session, place, &shared.recipient).await? {
                let protected = handshake(tls, stream, place).await?;
                session.secured();
                serve(protected, &mut session, place, &shared.recipient).await?;
            }
        }
        (None, _) => {
            let mut session = Session::new(Arc::clone(&shared.rules), false);
            serve(stream, &mut session, place, &shared.recipient).await?;
        }
    }
    Ok(())
}

async fn handshake(
    tls: &TlsAcceptor,
    stream: TcpStream,
    place: &Place,
) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    tokio::select! {
        agreed = timeout(HANDSHAKE_MAX, tls.accept(stream)) => {
            agreed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        }
        () = place.told() => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

#[cfg(test)]
mod tests;
