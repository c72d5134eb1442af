//! Settings for the connection to the database, and the rule that no connection over a network is unencrypted.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Handle;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// PostgreSQL's usual port.
const PORT: u16 = 5432;

/// How to reach a database.
#[derive(Clone)]
pub struct DatabaseSettings {
    /// URL of the database: `postgresql://user:password@host/database`. The host may be the folder of a unix socket (percent-encoded).
    /// Several hosts are separated by commas; the program works with the host that can be written to.
    pub url: String,
    /// PEM file of the certificate authorities that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Largest number of connections that this process opens.
    pub connections_max: usize,
    /// Name of the program that `pg_stat_activity` shows.
    pub application_name: String,
    /// Longest wait for a connection.
    pub wait: Duration,
    /// Longest duration of one statement.
    pub statement_timeout: Duration,
    /// Longest wait of a statement for a lock.
    pub lock_timeout: Duration,
    /// Longest time for which a transaction may be idle. PostgreSQL then ends its session and releases its locks. A program that freezes
    /// during a transaction keeps the accounts of the batch's agencies locked. After this time, other replicas can lock these accounts and
    /// settle letters of these agencies.
    pub idle_in_transaction_timeout: Duration,
    /// Runtime on which the pool's connections are driven. Without it, a connection is driven on the runtime of the task that caused it to
    /// be made.
    pub runtime: Option<Handle>,
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
            idle_in_transaction_timeout: Duration::from_secs(10),
            runtime: None,
        }
    }
}

// The URL may contain a password, so it is not printed.
impl std::fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseSettings").field("connections_max", &self.connections_max).finish_non_exhaustive()
    }
}

/// Errors in the settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The text is not a URL that PostgreSQL accepts.
    #[error("the database URL cannot be read ({0}): expected postgresql://user:password@host/database")]
    Url(#[source] tokio_postgres::Error),
    /// The URL has no host.
    #[error(
        "the database URL names no host: expected postgresql://user:password@host/database, or a socket's folder as host"
    )]
    HostMissing,
    /// The host is another machine, and the URL disables TLS.
    #[error(
        "database host {0} is another machine and sslmode is disable: records would travel in clear; remove sslmode=disable"
    )]
    Clear(String),
    /// No certificate authorities are installed.
    #[error(
        "no certificate authority to verify the database host with: name a PEM file as ca_file, or install ca-certificates"
    )]
    NoAuthorities,
    /// The file of certificate authorities cannot be used.
    #[error("ca_file {} is no PEM file of certificates: {reason}", path.display())]
    CaFile {
        /// Path of the file.
        path: PathBuf,
        /// What is wrong with the file.
        reason: String,
    },
    /// The TLS library refuses the settings.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Checked settings, ready for connecting.
pub(super) struct Target {
    pub config: tokio_postgres::Config,
    /// Configuration of TLS, if TLS is used. `sslmode` is then `require`, and the host's name is always verified.
    pub tls: Option<Arc<ClientConfig>>,
}

impl Target {
    /// Reads the settings. A host on another machine always needs verified TLS, whatever `sslmode` the URL has. On this machine, TLS is
    /// used only if the URL requires it. There is no TLS without verification.
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
        // If there are several hosts, one is the primary, and the others are standbys, which cannot be written to. So a session counts only
        // if it can write: the program then goes on to the next host until it finds the primary.
        if config.get_hosts().len() > 1 && config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Ok(Target { config, tls })
    }

    /// Returns the port of one of the hosts. The URL has one port for each host, or one port for all.
    pub fn port(&self, at: usize) -> u16 {
        let ports = self.config.get_ports();
        ports.get(at).or(ports.first()).copied().unwrap_or(PORT)
    }

    /// Returns the name of one of the hosts with its port, or the folder of its socket.
    pub fn name(&self, at: usize) -> String {
        match &self.config.get_hosts()[at] {
            Host::Unix(folder) => folder.display().to_string(),
            Host::Tcp(name) => format!("{name}:{}", self.port(at)),
        }
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
            // If the machine has no certificate authorities, the target is refused, which the test accepts too.
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
