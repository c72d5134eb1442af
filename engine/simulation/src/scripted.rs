//! Servers for tests, on a free port of the loopback address: the test itself dictates what they say, and reads what they hear.

#![expect(clippy::unwrap_used, reason = "only tests call it, and they fail by panicking")]

use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The server's side of one connection.
pub struct Peer<S> {
    stream: BufReader<S>,
    /// The lines that the client has sent, without their line ends.
    pub heard: Vec<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Makes the server's side of a connection over a stream.
    pub fn new(stream: S) -> Peer<S> {
        Peer { stream: BufReader::new(stream), heard: Vec::new() }
    }

    /// Sends octets to the client without a change.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may have closed the connection already. That is no error here: the test checks separately what the client received.
        drop(self.stream.write_all(bytes.as_ref()).await);
        drop(self.stream.flush().await);
    }

    /// Reads one line from the client. Returns an empty text at the end of the connection.
    pub async fn hear(&mut self) -> String {
        let mut line = Vec::new();
        drop(self.stream.read_until(b'\n', &mut line).await);
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if !line.is_empty() {
            self.heard.push(line.clone());
        }
        line
    }

    /// Reads one line from the client, which may be empty. Returns `None` at the end of the connection.
    pub async fn hear_any(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = self.stream.read_until(b'\n', &mut line).await.unwrap_or(0);
        (read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Answers each line of the client as the table says, until the connection ends. A line that is not in the table is answered with `-ERR
    /// unknown`.
    pub async fn answer(&mut self, table: &[(&str, &str)]) {
        loop {
            let line = self.hear().await;
            if line.is_empty() {
                return;
            }
            let answer = table.iter().find(|(asked, _)| line.starts_with(asked)).map(|(_, answer)| *answer);
            self.say(answer.unwrap_or("-ERR unknown\r\n")).await;
        }
    }
}

/// Accepts one connection on a free port and runs the script with it. Returns the port, and a handle that yields the script's result.
pub async fn serve<F, Fut, T>(script: F) -> (u16, JoinHandle<T>)
where
    F: FnOnce(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = T> + Send,
    T: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move { script(listener.accept().await.unwrap().0).await });
    (port, task)
}

/// Makes a self-signed certificate for these names. Returns it in PEM, for clients that are to trust it, and an acceptor with which a
/// server presents it.
pub fn certificate(names: &[&str]) -> (String, TlsAcceptor) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (made.cert.pem(), TlsAcceptor::from(Arc::new(config)))
}
