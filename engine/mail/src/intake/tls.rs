//! The certificate that a listener shows, and its key. Both can be read again while the listener runs: certificates of public authorities
//! end after weeks, and connections that are open may not break for that.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::settings::Security;

/// The certificate that a listener shows to new connections, and its key, from two files.
#[derive(Debug)]
pub struct Certificate {
    certificate_file: PathBuf,
    key_file: PathBuf,
    shown: ArcSwapOption<CertifiedKey>,
}

impl Certificate {
    /// Names the files of a listener. Nothing is read yet. `None` where the connections are not protected, or a file is not named.
    pub fn of(
        security: Security,
        certificate_file: &Option<PathBuf>,
        key_file: &Option<PathBuf>,
    ) -> Option<Arc<Certificate>> {
        match (security, certificate_file, key_file) {
            (Security::Tls | Security::Starttls, Some(certificate_file), Some(key_file)) => {
                Some(Arc::new(Certificate {
                    certificate_file: certificate_file.clone(),
                    key_file: key_file.clone(),
                    shown: ArcSwapOption::empty(),
                }))
            }
            _ => None,
        }
    }

    /// Reads both files. New connections get what was read; connections that are open go on with what they began with.
    ///
    /// # Errors
    /// One sentence: the key of the setting, and what is wrong with its file. Then what was shown before is still shown.
    pub fn read(&self) -> Result<(), String> {
        let Certificate { certificate_file, key_file, shown } = self;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate_file)
            .and_then(Iterator::collect)
            .map_err(|error| unread("certificate_file", certificate_file, &error))?;
        if chain.is_empty() {
            return Err(format!("certificate_file: no certificate in PEM is in {}", certificate_file.display()));
        }
        let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| unread("key_file", key_file, &error))?;
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
            .map_err(|error| format!("key_file: {} is not the key of the certificate: {error}", key_file.display()))?;
        shown.store(Some(Arc::new(certified)));
        Ok(())
    }

    /// Reads both files, and makes what protects connections with them.
    ///
    /// # Errors
    /// Those of [`Certificate::read`].
    pub fn acceptor(self: &Arc<Certificate>) -> Result<TlsAcceptor, String> {
        self.read()?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("security: {error}"))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Certificate>::clone(self));
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.shown.load_full()
    }
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
