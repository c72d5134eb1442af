//! The certificate that a listener shows, and its key.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::settings::Security;

/// Reads the certificate and its key. `None` where the connections use no TLS.
///
/// # Errors
/// A sentence that names the setting's key and says what is wrong with its file.
pub fn acceptor(
    security: Security,
    certificate_file: &Option<PathBuf>,
    key_file: &Option<PathBuf>,
) -> Result<Option<TlsAcceptor>, String> {
    if security == Security::None {
        return Ok(None);
    }
    let (Some(certificate_file), Some(key_file)) = (certificate_file, key_file) else {
        return Err("certificate_file: expected a certificate and its key, found none".to_owned());
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate_file)
        .and_then(Iterator::collect)
        .map_err(|error| unread("certificate_file", certificate_file, &error))?;
    if chain.is_empty() {
        return Err(format!("certificate_file: no certificate in PEM is in {}", certificate_file.display()));
    }
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| unread("key_file", key_file, &error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| format!("key_file: {} is not the key of the certificate: {error}", key_file.display()))?;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// Checks those settings of a listener that concern TLS. Returns one sentence for each wrong key.
pub fn problems(
    listen: SocketAddr,
    security: Security,
    certificate_file: &Option<PathBuf>,
    key_file: &Option<PathBuf>,
) -> Vec<String> {
    let mut problems = Vec::new();
    match (security, (certificate_file.is_some(), key_file.is_some())) {
        (Security::None, (false, false)) | (Security::Tls | Security::Starttls, (true, true)) => {}
        (Security::None, _) => problems.push("security: expected `tls` or `starttls`, found `none`".into()),
        (_, (false, _)) => problems.push("certificate_file: expected the server's certificate, found none".into()),
        (_, (true, false)) => problems.push("key_file: expected the key of certificate_file, found none".into()),
    }
    if security == Security::None && !listen.ip().is_loopback() {
        problems.push(format!(
            "security: `none` is for a server on this machine; {listen} is elsewhere, so expected `tls` or `starttls`"
        ));
    }
    if listen.port() == 0 {
        problems.push("listen: expected a port from 1 to 65535, found 0".into());
    }
    problems
}

fn unread(key: &str, file: &Path, error: &rustls_pki_types::pem::Error) -> String {
    format!("{key}: cannot read {} as PEM: {error}", file.display())
}
