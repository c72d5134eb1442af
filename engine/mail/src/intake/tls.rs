//! The certificate that an intake shows, and its key.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::settings::IntakeSettings;
use crate::settings::Security;

/// Reads the certificate and its key. `None` where the connections are not protected.
///
/// # Errors
/// One sentence: the key of the setting, and what is wrong with its file.
pub(super) fn acceptor(settings: &IntakeSettings) -> Result<Option<TlsAcceptor>, String> {
    if settings.security == Security::None {
        return Ok(None);
    }
    let (Some(certificate_file), Some(key_file)) = (&settings.certificate_file, &settings.key_file) else {
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

fn unread(key: &str, file: &Path, error: &rustls_pki_types::pem::Error) -> String {
    format!("{key}: cannot read {} as PEM: {error}", file.display())
}
