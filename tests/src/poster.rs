//! A client that posts letters over HTTP or HTTPS, as the program of an office does.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// First line of a document.
const BEGIN: &str = "-----BEGIN ";

/// A connection to a server.
pub struct Poster {
    sender: SendRequest<Full<Bytes>>,
}

/// A reply.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Reply {
    /// Cuts the body into its documents.
    pub fn documents(&self) -> Vec<Vec<u8>> {
        let text = String::from_utf8_lossy(&self.body);
        let begins: Vec<usize> = text.match_indices(BEGIN).map(|(at, _)| at).collect();
        let ends = begins.iter().skip(1).copied().chain([text.len()]);
        begins.iter().zip(ends).map(|(begin, end)| text[*begin..end].as_bytes().to_vec()).collect()
    }

    /// Returns a header field; an empty text where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Poster {
    /// Connects to a server; with TLS where `trusted` names the file with the server's certificate.
    ///
    /// # Errors
    /// The server does not answer, or presents another certificate.
    pub async fn connect(server: SocketAddr, trusted: Option<&Path>) -> Result<Poster> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let Some(file) = trusted else { return Poster::over(stream).await };
        let name = ServerName::try_from("localhost")?;
        Poster::over(TlsConnector::from(trusting(file)?).connect(name, stream).await?).await
    }

    async fn over(
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Poster> {
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // This task moves the octets of the connection, and ends with it. Its error is dropped, because the request that is cut off by it
        // returns an error as well.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Poster { sender })
    }

    /// Posts a document.
    ///
    /// # Errors
    /// The connection ended before the whole reply had come.
    pub async fn post(&mut self, document: &[u8]) -> Result<Reply> {
        self.send("POST", "/v1/letters", &[], document).await
    }

    /// Asks for the answer to a letter.
    ///
    /// # Errors
    /// The connection ended before the whole reply had come.
    pub async fn answer(&mut self, path: &str, digest: &str) -> Result<Reply> {
        self.send("GET", path, &[("X-Letter-Digest", digest)], &[]).await
    }

    /// Sends any request.
    ///
    /// # Errors
    /// The connection ended before the whole reply had come.
    pub async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply> {
        self.sender.ready().await?;
        let mut request = Request::builder().method(method).uri(path).header("Host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = self.sender.send_request(request.body(Full::new(Bytes::copy_from_slice(body)))?).await?;
        let (head, body) = reply.into_parts();
        let body = body.collect().await?.to_bytes().to_vec();
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
    }
}

/// Makes the TLS settings of a client that trusts the certificate in this file, and no other.
///
/// # Errors
/// The certificate cannot be read.
pub fn trusting(file: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file).context("the certificate cannot be read")?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
