//! Where the database is and how it is reached: settings, and the rule that nothing crosses a network in clear.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};

/// How to reach a database.
#[derive(Clone)]
pub struct DatabaseSettings {
    /// `postgresql://user:password@host/database`, or a unix socket's folder as host (percent-encoded).
    pub url: String,
    /// Certificates to trust instead of the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// Most connections that this process holds.
    pub connections_max: usize,
    /// Shown in `pg_stat_activity`.
    pub application_name: String,
    /// Longest that work waits for a connection.
    pub wait: Duration,
    /// Longest that one statement may take.
    pub statement_timeout: Duration,
    /// Longest that a statement waits for a lock.
    pub lock_timeout: Duration,
    /// Longest that a transaction may lie idle before PostgreSQL ends its session and frees its locks.
    pub idle_in_transaction_timeout: Duration,
}

impl DatabaseSettings {
    /// Makes settings with the defaults.
    pub fn new(url: impl Into<String>) -> DatabaseSettings {
        DatabaseSettings {
            url: url.into(),
            ca_file: None,
            connections_max: 16,
            application_name: "xmserver".to_owned(),
            wait: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(60),
            lock_timeout: Duration::from_secs(20),
            idle_in_transaction_timeout: Duration::from_secs(60),
        }
    }
}

// The URL may hold a password.
impl std::fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseSettings").field("connections_max", &self.connections_max).finish_non_exhaustive()
    }
}

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not a URL that PostgreSQL knows.
    #[error("the database URL cannot be read ({0}): expected postgresql://user:password@host/database")]
    Url(#[source] tokio_postgres::Error),
    /// No host.
    #[error(
        "the database URL names no host: expected postgresql://user:password@host/database, or a socket's folder as host"
    )]
    HostMissing,
    /// A remote host without TLS.
    #[error(
        "database host {0} is another machine and sslmode is disable: records would travel in clear; remove sslmode=disable"
    )]
    Clear(String),
    /// No certificate authorities.
    #[error(
        "no certificate authority to verify the database host with: name a PEM file as ca_file, or install ca-certificates"
    )]
    NoAuthorities,
    /// The file of certificate authorities is unusable.
    #[error("ca_file {} is no PEM file of certificates: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS library refuses.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Checked settings, ready to connect with.
pub(super) struct Target {
    pub config: tokio_postgres::Config,
    /// Present where TLS is used; `sslmode` is `require` then, and the host's name is always verified.
    pub tls: Option<Arc<ClientConfig>>,
}

impl Target {
    /// Reads the settings. `sslmode` means this here: a host on another machine always needs verified TLS, whatever the URL leaves out; on
    /// this machine TLS is used where the URL requires it. There is no unverified TLS.
    pub fn new(settings: &DatabaseSettings) -> Result<Target, SettingsError> {
        let url = settings.url.replace("sslmode=verify-full", "sslmode=require");
        let mut config = tokio_postgres::Config::from_str(&url).map_err(SettingsError::Url)?;
        if config.get_hosts().is_empty() {
            return Err(SettingsError::HostMissing);
        }
        let remote = config.get_hosts().iter().find_map(remote_name);
        let tls = match (remote, config.get_ssl_mode()) {
            (Some(host), SslMode::Disable) => return Err(SettingsError::Clear(host)),
            (Some(_), _) | (None, SslMode::Require) => Some(tls_config(settings)?),
            (None, _) => None,
        };
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        config.application_name(&settings.application_name);
        config.connect_timeout(Duration::from_secs(5));
        config.keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(Duration::from_secs(30));
        Ok(Target { config, tls })
    }
}

fn remote_name(host: &Host) -> Option<String> {
    match host {
        Host::Unix(_) => None,
        Host::Tcp(name) => {
            let is_here = name == "localhost" || IpAddr::from_str(name).is_ok_and(|address| address.is_loopback());
            (!is_here).then(|| name.clone())
        }
    }
}

fn tls_config(settings: &DatabaseSettings) -> Result<Arc<ClientConfig>, SettingsError> {
    let mut roots = RootCertStore::empty();
    match &settings.ca_file {
        Some(path) => {
            let unusable = |reason: String| SettingsError::CaFile { path: path.clone(), reason };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))? {
                let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
            }
        }
        None => {
            let (_added, _ignored) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(SettingsError::NoAuthorities);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target, SettingsError> {
        Target::new(&DatabaseSettings::new(url))
    }

    #[test]
    fn another_machine_is_never_reached_in_clear() {
        assert!(
            matches!(target("postgresql://u@db.example.org/x?sslmode=disable"), Err(SettingsError::Clear(host)) if host == "db.example.org")
        );
        for url in ["postgresql://u@db.example.org/x", "postgresql://u@10.0.0.7/x?sslmode=verify-full"] {
            // Where the machine has no authorities installed, refusing is as good.
            match target(url) {
                Ok(target) => {
                    assert_eq!((target.tls.is_some(), target.config.get_ssl_mode()), (true, SslMode::Require));
                }
                Err(error) => assert!(matches!(error, SettingsError::NoAuthorities), "{error}"),
            }
        }
    }

    #[test]
    fn this_machine_needs_no_tls() {
        for url in [
            "postgresql://u@127.0.0.1/x",
            "postgresql://u@[::1]/x",
            "postgresql://u@%2Frun%2Fpg/x",
            "postgresql://localhost/x",
        ] {
            assert!(target(url).unwrap().tls.is_none(), "{url}");
        }
    }

    #[test]
    fn a_bad_url_is_explained_without_its_password() {
        let error = target("mysql://u:hunter2@h/x").err().unwrap().to_string();
        assert!(error.contains("postgresql://") && !error.contains("hunter2"), "{error}");
        assert!(matches!(target("postgresql:///x"), Err(SettingsError::HostMissing)));
    }

    #[test]
    fn a_ca_file_that_is_none_is_named() {
        let mut settings = DatabaseSettings::new("postgresql://u@db.example.org/x");
        settings.ca_file = Some("/etc/hostname".into());
        assert!(Target::new(&settings).is_err());
        settings.ca_file = Some("/nowhere/ca.pem".into());
        assert!(Target::new(&settings).err().unwrap().to_string().contains("/nowhere/ca.pem"));
    }
}
