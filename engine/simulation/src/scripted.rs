//! Servers for tests that say and hear what a test dictates, on a free loopback port.

#![expect(clippy::unwrap_used, reason = "only tests call it, and they fail by panicking")]

use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The server's end of one connection.
pub struct Peer<S> {
    stream: BufReader<S>,
    /// Lines heard, without their ends.
    pub heard: Vec<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Talks over a stream.
    pub fn new(stream: S) -> Peer<S> {
        Peer { stream: BufReader::new(stream), heard: Vec::new() }
    }

    /// Says something, as it stands.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may have gone already; what it heard is its own assertion.
        drop(self.stream.write_all(bytes.as_ref()).await);
        drop(self.stream.flush().await);
    }

    /// Reads one line; empty at the end of the connection.
    pub async fn hear(&mut self) -> String {
        let mut line = Vec::new();
        drop(self.stream.read_until(b'\n', &mut line).await);
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if !line.is_empty() {
            self.heard.push(line.clone());
        }
        line
    }

    /// Reads one line, which may be empty; nothing at the end of the connection.
    pub async fn hear_any(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = self.stream.read_until(b'\n', &mut line).await.unwrap_or(0);
        (read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Answers each line by the table until the connection ends; a line that is not in it gets `-ERR unknown`.
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

/// Serves one connection on a free port. Returns the port, and a handle that gives what the script returned.
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

/// A self-signed certificate for these names: in PEM, to be trusted, and an acceptor that shows it.
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
