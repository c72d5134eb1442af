//! An in-memory post office that speaks real POP3 and real SMTP on ports of 127.0.0.1, for the demo, for trials and for tests.
//!
//! It shares no code with the POP3 client in crate `mail`: two independent implementations of the RFCs reveal more mistakes. On request
//! ([`Faults`]) it fails in the ways in which real servers fail. Lines, mails, connections and the total stored are limited. It runs on its
//! own thread, whatever runtime its owner has; dropping it ends every connection and the thread.

mod connection;
mod faults;
mod maildrops;
mod pop3_session;
mod sign_in;
mod smtp_data;
mod smtp_session;

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use faults::{Break, Fault, Faults, ListingOf, Protocol, When};
pub use maildrops::{Full, Mail};
pub use sign_in::Accounts;

use connection::{Connection, Session, Stream};
use maildrops::Maildrops;
use pop3_session::Pop3Session;
use smtp_session::SmtpSession;

/// The protection of connections by TLS.
#[derive(Clone, Debug, Default)]
pub enum Protection {
    /// No TLS.
    #[default]
    None,
    /// TLS begins with STLS or STARTTLS, where the client asks for it.
    Offered(Arc<ServerConfig>),
    /// TLS begins with the first octet, as for POP3S and SMTPS.
    Implicit(Arc<ServerConfig>),
}

impl Protection {
    fn offered(&self) -> Option<&Arc<ServerConfig>> {
        match self {
            Protection::Offered(config) => Some(config),
            Protection::None | Protection::Implicit(_) => None,
        }
    }
}

/// The rule by which senders must, may or cannot sign in over SMTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignInRule {
    /// Senders cannot sign in: `AUTH` is not offered.
    NotOffered,
    /// A sender may sign in, but need not.
    #[default]
    Offered,
    /// A sender must sign in: before that, `MAIL` is answered with 530.
    Required,
}

/// The settings with which a post office starts.
#[derive(Clone, Debug)]
pub struct PostOfficeSettings {
    /// The accounts that have a maildrop and may sign in.
    pub accounts: Accounts,
    /// The port for POP3; 0 for a free port.
    pub pop3_port: u16,
    /// The port for SMTP; 0 for a free port.
    pub smtp_port: u16,
    /// Protection of both protocols' connections.
    pub protection: Protection,
    /// Whether senders must sign in over SMTP.
    pub sign_in: SignInRule,
    /// Whether a maildrop admits only one POP3 session at a time, as with Dovecot's `pop3_lock_session` (RFC 1939 4).
    pub lock_maildrops: bool,
    /// The host name in the greeting.
    pub host_name: String,
    /// Largest number of connections at a time, for each protocol. A further client is told that there are too many, and its connection is
    /// closed.
    pub connections_max: usize,
    /// The longest command line in octets, CRLF included.
    pub line_size_bytes_max: usize,
    /// The largest mail that is accepted, in octets.
    pub mail_size_bytes_max: usize,
    /// Largest number of octets that all maildrops together may hold. Each mail counts its octets and a fixed overhead.
    pub stored_bytes_max: u64,
    /// Largest number of recipients of one mail.
    pub recipients_max: usize,
    /// The longest wait for a client, for reading as for writing.
    pub idle_timeout: Duration,
}

impl Default for PostOfficeSettings {
    fn default() -> PostOfficeSettings {
        PostOfficeSettings {
            accounts: Accounts::default(),
            pop3_port: 0,
            smtp_port: 0,
            protection: Protection::default(),
            sign_in: SignInRule::default(),
            lock_maildrops: false,
            host_name: "localhost".to_owned(),
            connections_max: 1024,
            line_size_bytes_max: 16 * 1024,
            mail_size_bytes_max: 8 * 1024 * 1024,
            stored_bytes_max: 64 * 1024 * 1024,
            recipients_max: 100,
            idle_timeout: Duration::from_secs(600),
        }
    }
}

/// The state that all sessions of a post office share.
#[derive(Debug)]
struct Interior {
    settings: PostOfficeSettings,
    maildrops: Arc<Maildrops>,
    faults: Faults,
}

/// A running post office.
#[derive(Debug)]
pub struct PostOffice {
    interior: Arc<Interior>,
    pop3_address: SocketAddr,
    smtp_address: SocketAddr,
    presence: watch::Sender<Order>,
    /// Locked while the presence is changed, so that a second change waits until both protocols have carried out the first.
    changing: Mutex<()>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Open,
    Away,
    Closed,
}

/// The wanted presence, and the channel on which each protocol reports that it has carried out the change.
type Order = (Presence, mpsc::SyncSender<()>);

/// Largest number of connections that the system keeps until the post office accepts them.
const WAITING_MAX: u32 = 1024;
/// The number of protocols that must carry out a change of presence: POP3 and SMTP.
const PROTOCOLS: usize = 2;

/// The message with which the post office's thread reports its start: the addresses of POP3 and SMTP, or the error.
type Started = io::Result<(SocketAddr, SocketAddr)>;

impl PostOffice {
    /// Starts a post office. Fails where a port is taken or the system gives no thread.
    pub fn start(settings: PostOfficeSettings) -> io::Result<PostOffice> {
        let maildrops = Arc::new(Maildrops::new(settings.stored_bytes_max));
        let interior = Arc::new(Interior { settings, maildrops, faults: Faults::default() });
        let (done, carried_out) = mpsc::sync_channel(PROTOCOLS);
        let presence = watch::Sender::new((Presence::Open, done));
        let (started, starting) = mpsc::sync_channel(1);
        let (inside, watched) = (interior.clone(), presence.subscribe());
        let thread = std::thread::Builder::new()
            .name("post-office".to_owned())
            .spawn(move || run(&inside, &watched, &started))?;
        let (pop3_address, smtp_address) = starting.recv().map_err(io::Error::other)??;
        wait_for_both(&carried_out);
        Ok(PostOffice {
            interior,
            pop3_address,
            smtp_address,
            presence,
            changing: Mutex::default(),
            thread: Some(thread),
        })
    }

    /// Returns the address at which the post office speaks POP3.
    pub fn pop3_address(&self) -> SocketAddr {
        self.pop3_address
    }

    /// Returns the address at which the post office speaks SMTP.
    pub fn smtp_address(&self) -> SocketAddr {
        self.smtp_address
    }

    /// Returns the faults, so that a test can switch them.
    pub fn faults(&self) -> &Faults {
        &self.interior.faults
    }

    /// Puts a mail into a maildrop, whether or not the address has an account. A missing CRLF at the end of the mail is added. Fails where
    /// the post office is full.
    pub fn deliver(&self, address: &str, mail: impl Into<Vec<u8>>) -> Result<(), Full> {
        let mut bytes = mail.into();
        if !bytes.is_empty() && !bytes.ends_with(b"\r\n") {
            bytes.extend_from_slice(b"\r\n");
        }
        let mail = Mail { envelope_sender: String::new(), bytes: bytes.into() };
        self.interior.maildrops.deliver(&[address.to_owned()], mail)
    }

    /// Removes all mails from a maildrop and returns them, the oldest first.
    pub fn take(&self, address: &str) -> Vec<Mail> {
        self.interior.maildrops.take(address)
    }

    /// Counts the mails in a maildrop.
    pub fn count(&self, address: &str) -> usize {
        self.interior.maildrops.count(address)
    }

    /// Returns the unique ids of a maildrop's mails as UIDL gives them, the oldest first.
    pub fn uidls(&self, address: &str) -> Vec<String> {
        let maildrops = &self.interior.maildrops;
        maildrops.list(address).into_iter().map(|(id, _)| maildrops.uidl(id)).collect()
    }

    /// Waits until a maildrop holds at least `count_min` mails. The wait has no limit, so callers must put a timeout around it.
    pub async fn wait_for(&self, address: &str, count_min: usize) {
        let mut arrivals = self.interior.maildrops.arrivals();
        while self.count(address) < count_min {
            if arrivals.changed().await.is_err() {
                return;
            }
        }
    }

    /// Returns the octets that all maildrops hold together, with the fixed overhead of each mail.
    pub fn stored_bytes(&self) -> u64 {
        self.interior.maildrops.stored_bytes()
    }

    /// Makes the post office unreachable: cuts every connection and refuses new ones until [`PostOffice::come_back`]. Mails stay. Returns
    /// when both protocols have stopped.
    pub fn go_away(&self) {
        self.change(Presence::Away);
    }

    /// Makes the post office reachable again on the same ports. Returns when both protocols listen.
    pub fn come_back(&self) {
        self.change(Presence::Open);
    }

    fn change(&self, presence: Presence) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, carried_out) = mpsc::sync_channel(PROTOCOLS);
        self.presence.send_replace((presence, done));
        wait_for_both(&carried_out);
    }
}

impl Drop for PostOffice {
    fn drop(&mut self) {
        self.presence.send_replace((Presence::Closed, mpsc::sync_channel(PROTOCOLS).0));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the post office's thread panicked");
        }
    }
}

/// Waits until both protocols have carried out a change of presence.
fn wait_for_both(carried_out: &mpsc::Receiver<()>) {
    for _ in 0..PROTOCOLS {
        if let Err(error) = carried_out.recv_timeout(Duration::from_secs(10)) {
            tracing::error!(%error, "the post office does not follow");
            return;
        }
    }
}

/// Runs the post office; its thread executes this function.
fn run(interior: &Arc<Interior>, presence: &watch::Receiver<Order>, started: &mpsc::SyncSender<Started>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tell(started, Err(error)),
    };
    runtime.block_on(async {
        let settings = &interior.settings;
        let (pop3, smtp) = match (Counter::bind(settings.pop3_port), Counter::bind(settings.smtp_port)) {
            (Ok(pop3), Ok(smtp)) => (pop3, smtp),
            (Err(error), _) | (_, Err(error)) => return tell(started, Err(error)),
        };
        tell(started, Ok((pop3.address, smtp.address)));
        tokio::join!(
            pop3.serve(interior, presence.clone(), Pop3Session::new, "-ERR [SYS/TEMP] too many connections\r\n"),
            smtp.serve(interior, presence.clone(), SmtpSession::new, "421 4.3.2 Too many connections\r\n"),
        );
    });
}

fn tell(started: &mpsc::SyncSender<Started>, outcome: Started) {
    if started.send(outcome).is_err() {
        tracing::debug!("nobody waits for the post office to start");
    }
}

/// The endpoint of one protocol. The socket `_holder` keeps the port but never listens. On Linux another socket of this process can listen
/// on the same port. While none does, connections are refused, and yet no other process gets the port.
struct Counter {
    address: SocketAddr,
    _holder: TcpSocket,
}

impl Counter {
    fn bind(port: u16) -> io::Result<Counter> {
        let holder = bind((Ipv4Addr::LOCALHOST, port).into())
            .map_err(|error| io::Error::new(error.kind(), format!("port {port} of 127.0.0.1: {error}")))?;
        Ok(Counter { address: holder.local_addr()?, _holder: holder })
    }

    /// Serves clients until the post office is dropped.
    async fn serve<S: Session + Send + 'static>(
        self,
        interior: &Arc<Interior>,
        mut presence: watch::Receiver<Order>,
        session: impl Fn(Arc<Interior>, bool) -> S,
        too_many: &'static str,
    ) {
        loop {
            let (wanted, done) = presence.borrow_and_update().clone();
            match wanted {
                Presence::Closed => return,
                Presence::Away => {
                    acknowledge(&done);
                    if presence.changed().await.is_err() {
                        return;
                    }
                }
                Presence::Open => match bind(self.address).and_then(|socket| socket.listen(WAITING_MAX)) {
                    Ok(listener) => {
                        acknowledge(&done);
                        serve_while_open(&listener, interior, &mut presence, &session, too_many).await;
                    }
                    Err(error) => {
                        tracing::warn!(address = %self.address, %error, "the post office cannot listen, trying again");
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                },
            }
        }
    }
}

/// Accepts connections until the presence changes; then it cuts all of them.
async fn serve_while_open<S: Session + Send + 'static>(
    listener: &TcpListener,
    interior: &Arc<Interior>,
    presence: &mut watch::Receiver<Order>,
    session: &impl Fn(Arc<Interior>, bool) -> S,
    too_many: &'static str,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = presence.changed() => {
                // A child process that is being started holds a copy of every socket until its `exec`. Closing the listener would leave
                // that copy listening; shutting it down ends the listening for all copies.
                if let Err(error) = SockRef::from(listener).shutdown(Shutdown::Both) {
                    tracing::debug!(%error, "the post office cannot stop listening");
                }
                return connections.shutdown().await;
            }
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < interior.settings.connections_max => {
                    let protected = matches!(interior.settings.protection, Protection::Implicit(_));
                    let session = session(interior.clone(), protected);
                    connections.spawn(attend(stream, session, interior.clone()));
                }
                Ok((stream, _)) => {
                    // The buffer of a new socket has room for one line, so no wait is needed. If the write fails, the client only misses
                    // the explanation.
                    if let Err(error) = stream.try_write(too_many.as_bytes()) {
                        tracing::debug!(%error, "a connection too many was not told so");
                    }
                }
                Err(error) => {
                    // Most likely the process is out of file descriptors. The pause lets some connections end before the next attempt.
                    tracing::warn!(%error, "the post office cannot take a connection");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
        }
    }
}

fn acknowledge(done: &mpsc::SyncSender<()>) {
    if done.try_send(()).is_err() {
        tracing::trace!("nobody waits for this change of presence");
    }
}

async fn attend<S: Session>(stream: TcpStream, session: S, interior: Arc<Interior>) {
    let settings = &interior.settings;
    let conversation = async {
        stream.set_nodelay(true)?;
        let mut stream = Stream::Plain(stream);
        if let Protection::Implicit(config) = &settings.protection {
            stream = stream.protect(config.clone()).await?;
        }
        let connection = Connection {
            stream,
            faults: &interior.faults,
            tls: settings.protection.offered().cloned(),
            idle_timeout: settings.idle_timeout,
        };
        connection.hold(session).await
    };
    if let Err(error) = conversation.await {
        tracing::debug!(protocol = ?S::PROTOCOL, %error, "a connection to the post office broke");
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // The option lets two sockets of this process share the port. On systems other than Unix, it would let any process take the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
