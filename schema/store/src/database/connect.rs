//! One session: without TLS to this machine, with TLS to another machine. The program opens the socket itself, because a socket that
//! tokio-postgres opens cannot be wrapped in a [`Wire`].

use std::io;
use std::time::Duration;

use diesel::ConnectionError;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Client, Connection, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::settings::Target;
use super::sqlstate::MARK;
use super::watch::Watch;
use super::wire::{Wire, Wired};

/// Time without traffic after which the kernel asks whether the other machine is still there, and the pause between two questions.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// Number of unanswered questions after which the kernel closes the connection.
const KEEPALIVES_MAX: u32 = 3;
/// Longest time for which sent octets may stay without the other machine's acknowledgement.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);
/// SQLSTATE `invalid_password`.
const NO_PASSWORD: &str = "28P01";

/// Starts a session on one of the hosts. Without TLS, [`Target`] admits only hosts of this machine.
pub async fn start_session(target: &Target, at: usize, watch: Watch) -> Result<Client, ConnectionError> {
    let port = target.port(at);
    match &target.config.get_hosts()[at] {
        Host::Unix(folder) => {
            let stream = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await.map_err(unreachable)?;
            without_tls(target, stream, watch).await
        }
        Host::Tcp(name) => {
            let stream = match target.config.get_hostaddrs().get(at) {
                Some(address) => TcpStream::connect((*address, port)).await,
                None => TcpStream::connect((name.as_str(), port)).await,
            };
            let stream = stream.map_err(unreachable)?;
            set_options(&stream).map_err(unreachable)?;
            match &target.tls {
                Some(tls) => {
                    let mut connector = MakeRustlsConnect::new(rustls::ClientConfig::clone(tls));
                    let connector = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut connector, name)
                        .map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
                    with_tls(target, stream, Wired { connector, watch }).await
                }
                None => without_tls(target, stream, watch).await,
            }
        }
    }
}

async fn without_tls(
    target: &Target,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    watch: Watch,
) -> Result<Client, ConnectionError> {
    let (client, connection) = target.config.connect_raw(Wire::new(stream, watch), NoTls).await.map_err(failed)?;
    drive(target, client, connection).await
}

async fn with_tls<S, T>(target: &Target, stream: S, connector: T) -> Result<Client, ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    let (client, connection) = target.config.connect_raw(stream, connector).await.map_err(failed)?;
    drive(target, client, connection).await
}

/// Drives a connection in a task, and checks that the session can write, if the target demands this.
async fn drive<S, T>(target: &Target, client: Client, connection: Connection<S, T>) -> Result<Client, ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsStream + Unpin + Send + 'static,
{
    // The task ends when the client is dropped or when the connection ends. The client's next statement then fails.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the database has ended");
        }
    });
    let wanted = match target.config.get_target_session_attrs() {
        TargetSessionAttrs::ReadWrite => "off",
        TargetSessionAttrs::ReadOnly => "on",
        _ => return Ok(client),
    };
    if shown(&client, "transaction_read_only").await?.as_deref() == Some(wanted) {
        return Ok(client);
    }
    Err(ConnectionError::BadConnection(format!("the database has transaction_read_only other than {wanted}")))
}

/// Returns the session's value of a setting.
pub async fn shown(client: &Client, setting: &str) -> Result<Option<String>, ConnectionError> {
    let answer = client.simple_query(&format!("SHOW {setting}")).await.map_err(failed)?;
    Ok(answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

/// Sets the options by which the kernel notices that the other machine is gone.
fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE).with_retries(KEEPALIVES_MAX);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands the error over")]
fn unreachable(error: io::Error) -> ConnectionError {
    ConnectionError::BadConnection(format!("error connecting to server: {error}"))
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands the error over")]
fn failed(error: tokio_postgres::Error) -> ConnectionError {
    // tokio-postgres says only "db error"; the source of its error contains the server's message. The SQLSTATE, by which `fault` classifies
    // the error, is put before this message, since diesel's error has no other place for it.
    ConnectionError::BadConnection(match error.as_db_error() {
        Some(answer) => format!("{MARK}{} {}", answer.code().code(), answer.message()),
        None => {
            let words = std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
            // If PostgreSQL asks for a password and the URL has none, tokio-postgres itself makes the error, so there is no SQLSTATE from
            // the server.
            if words.starts_with("invalid configuration") { format!("{MARK}{NO_PASSWORD} {words}") } else { words }
        }
    })
}
