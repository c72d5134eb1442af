//! Settings of an address at which offices post letters, as an operator writes them.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use mail::intake::tls::{self, Certificate};
use mail::settings::{finish, within};
use mail::{Security, SettingsError};
use serde::{Deserialize, Serialize};

/// An address at which offices post letters over HTTPS.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Name of the intake in logs, metrics and the journal. It differs from the names of all mailboxes, folders and other intakes.
    #[serde(default = "name")]
    pub name: String,
    /// Address and port to listen at.
    pub listen: SocketAddr,
    /// `tls`, or `none` behind a proxy that has the certificate. `none` is allowed only at an address of this machine.
    #[serde(default)]
    pub security: Security,
    /// PEM file of the server's certificate, followed by the certificates of its issuers. Required unless `security` is `none`.
    #[serde(default)]
    pub certificate_file: Option<PathBuf>,
    /// PEM file of the private key of `certificate_file`.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// Addresses of the proxies in front of this address. The header field `X-Forwarded-For` is believed only if a proxy of this list sent
    /// it.
    #[serde(default)]
    pub proxies: Vec<IpAddr>,
    /// Largest number of connections at once. When it is reached, the connection that has been without a letter for longest gives its place
    /// up.
    #[serde(default = "connections_max")]
    pub connections_max: usize,
    /// Largest document in bytes.
    #[serde(default = "document_size_max_bytes")]
    pub document_size_max_bytes: u64,
    /// Longest time, in seconds, for which a letter is held while the database cannot be reached, before its sender is asked to send it
    /// again.
    #[serde(default = "hold_seconds_max")]
    pub hold_seconds_max: u64,
    /// Largest number of requests from one address in a minute. IPv6 addresses with the same first 64 bits count as one address.
    #[serde(default = "requests_per_minute_max")]
    pub requests_per_minute_max: u32,
}

fn name() -> String {
    "https".to_owned()
}

fn hold_seconds_max() -> u64 {
    60
}

fn connections_max() -> usize {
    1000
}

fn document_size_max_bytes() -> u64 {
    5 * 1024 * 1024
}

fn requests_per_minute_max() -> u32 {
    600
}

impl HttpSettings {
    /// Makes settings with the default of every key, and without TLS.
    pub fn new(listen: SocketAddr) -> HttpSettings {
        HttpSettings {
            name: name(),
            listen,
            security: Security::None,
            certificate_file: None,
            key_file: None,
            proxies: Vec::new(),
            connections_max: connections_max(),
            document_size_max_bytes: document_size_max_bytes(),
            hold_seconds_max: hold_seconds_max(),
            requests_per_minute_max: requests_per_minute_max(),
        }
    }

    /// Checks everything that can be checked without disk and network.
    ///
    /// # Errors
    /// One sentence for each wrong key.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let mut problems = tls::problems(self.listen, self.security, &self.certificate_file, &self.key_file);
        if self.security == Security::Starttls {
            problems.push("security: expected `tls` or `none`, found `starttls`".to_owned());
        }
        within("connections_max", self.connections_max as u64, 1, 10_000, &mut problems);
        within("hold_seconds_max", self.hold_seconds_max, 1, 300, &mut problems);
        within("document_size_max_bytes", self.document_size_max_bytes, 16 * 1024, 64 * 1024 * 1024, &mut problems);
        within("requests_per_minute_max", u64::from(self.requests_per_minute_max), 1, 1_000_000, &mut problems);
        finish(problems)
    }

    /// Reads the certificate and its key, as the listener does.
    ///
    /// # Errors
    /// A sentence that names the setting's key and says what is wrong with its file.
    pub fn check_files(&self) -> Result<(), String> {
        self.certificate().map_or(Ok(()), |certificate| certificate.read())
    }

    /// Names the files of the certificate; `None` where connections are not protected.
    pub(super) fn certificate(&self) -> Option<Arc<Certificate>> {
        Certificate::of(self.security, &self.certificate_file, &self.key_file)
    }
}
