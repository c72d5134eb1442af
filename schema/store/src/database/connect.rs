//! One connection: without TLS to this machine, inside TLS to another one. In both cases its faults have their SQLSTATE.

use std::io;
use std::time::Duration;

use diesel::ConnectionError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::DatabaseSettings;
use super::settings::Target;
use super::sqlstate::{MARK, SqlStateStream, Telling};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const PORT: u16 = 5432;
/// SQLSTATE `invalid_password`.
const NO_PASSWORD: &str = "28P01";

/// Connects and makes the session's settings.
pub async fn connect(target: &Target, settings: &DatabaseSettings) -> Result<AsyncPgConnection, ConnectionError> {
    let mut connection = match &target.tls {
        Some(tls) => {
            let connector = Telling(MakeRustlsConnect::new(rustls::ClientConfig::clone(tls)));
            let (client, connection) = target.config.connect(connector).await.map_err(failed)?;
            AsyncPgConnection::try_from_client_and_connection(client, connection).await?
        }
        None => AsyncPgConnection::try_from(connect_here(&target.config).await?).await?,
    };
    let session = format!(
        "SET synchronous_commit = on; SET statement_timeout = {}; SET lock_timeout = {};
         SET idle_in_transaction_session_timeout = {}; SET TimeZone = 'UTC'",
        settings.statement_timeout.as_millis(),
        settings.lock_timeout.as_millis(),
        settings.idle_in_transaction_timeout.as_millis(),
    );
    connection.batch_execute(&session).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// Connects to the first host that takes us. Without TLS all hosts are of this machine: [`Target`] sees to that. The socket is opened here,
/// since one that tokio-postgres opens itself cannot be wrapped.
async fn connect_here(config: &Config) -> Result<Client, ConnectionError> {
    let ports = config.get_ports();
    let mut last = ConnectionError::BadConnection("the database URL names no host".to_owned());
    for (at, host) in config.get_hosts().iter().enumerate() {
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(PORT);
        let connected = match host {
            Host::Unix(folder) => match within(UnixStream::connect(folder.join(format!(".s.PGSQL.{port}")))).await {
                Ok(stream) => start(config, stream).await,
                Err(error) => Err(unreachable(&error)),
            },
            Host::Tcp(name) => match within(TcpStream::connect((name.as_str(), port))).await {
                Ok(stream) => match stream.set_nodelay(true) {
                    Ok(()) => start(config, stream).await,
                    Err(error) => Err(unreachable(&error)),
                },
                Err(error) => Err(unreachable(&error)),
            },
        };
        match connected {
            Ok(client) => return Ok(client),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn within<T>(connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(CONNECT_TIMEOUT, connecting).await.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
}

async fn start(
    config: &Config,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Client, ConnectionError> {
    let (client, connection) = config.connect_raw(SqlStateStream::new(stream), NoTls).await.map_err(failed)?;
    // The task ends with the client, or with the server: the client's next statement then says so.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the database has ended");
        }
    });
    let wanted = match config.get_target_session_attrs() {
        TargetSessionAttrs::ReadWrite => "off",
        TargetSessionAttrs::ReadOnly => "on",
        _ => return Ok(client),
    };
    let answer = client.simple_query("SHOW transaction_read_only").await.map_err(failed)?;
    let is_wanted = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => row.get(0) == Some(wanted),
        _ => false,
    };
    if answer.iter().any(is_wanted) {
        return Ok(client);
    }
    Err(ConnectionError::BadConnection(format!("the database has transaction_read_only other than {wanted}")))
}

fn unreachable(error: &io::Error) -> ConnectionError {
    ConnectionError::BadConnection(format!("error connecting to server: {error}"))
}

fn failed(error: tokio_postgres::Error) -> ConnectionError {
    // tokio-postgres says only "db error"; what the server said is the source. The server's SQLSTATE is put before its message, as it is
    // put into hints elsewhere: diesel's type has no other room for it.
    ConnectionError::BadConnection(match error.as_db_error() {
        Some(answer) => format!("{MARK}{} {}", answer.code().code(), answer.message()),
        None => {
            let words = std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
            // A password that PostgreSQL asks for and the URL lacks is noticed on our side of the wire.
            if words.starts_with("invalid configuration") { format!("{MARK}{NO_PASSWORD} {words}") } else { words }
        }
    })
}
