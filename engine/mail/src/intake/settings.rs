//! Settings of an intake, as an operator writes them. An intake is an address at which other mail servers push mail, by LMTP or SMTP.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::tls;
use crate::settings::{Security, SettingsError, finish, within};

/// Protocol by which mail is pushed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// LMTP (RFC 2033), by which a mail server hands on mail that it has queued.
    #[default]
    Lmtp,
    /// SMTP (RFC 5321), for a mail server that asks before it queues, as Postfix' `smtpd_proxy_filter` does.
    Smtp,
}

impl Protocol {
    /// Returns the protocol's name in the greeting.
    pub(super) fn as_word(self) -> &'static str {
        match self {
            Protocol::Lmtp => "LMTP",
            Protocol::Smtp => "ESMTP",
        }
    }
}

/// One address at which mail is pushed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntakeSettings {
    /// Protocol of the senders.
    #[serde(default)]
    pub protocol: Protocol,
    /// Address and port to listen at.
    pub listen: SocketAddr,
    /// Protection of the connections. `none` is allowed only at an address of this machine.
    #[serde(default)]
    pub security: Security,
    /// PEM file of the server's certificate, followed by the certificates of its issuers. Required unless `security` is `none`.
    #[serde(default)]
    pub certificate_file: Option<PathBuf>,
    /// PEM file of the private key of `certificate_file`.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// E-mail addresses whose mail is taken. Mail for others is refused.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Host name in the greeting.
    #[serde(default = "hello_name")]
    pub hello_name: String,
    /// Largest number of connections at once. When it is reached, the connection that has been without a mail for longest gives its place
    /// up.
    #[serde(default = "connections_max")]
    pub connections_max: usize,
    /// Largest mail that is kept whole, in bytes; of a larger mail only the first 16 KB are kept.
    #[serde(default = "mail_size_max_bytes")]
    pub mail_size_max_bytes: u64,
}

fn hello_name() -> String {
    "localhost".to_owned()
}

fn connections_max() -> usize {
    400
}

fn mail_size_max_bytes() -> u64 {
    5 * 1024 * 1024
}

impl IntakeSettings {
    /// Makes settings with the default of every key, and without TLS.
    pub fn new(protocol: Protocol, listen: SocketAddr) -> IntakeSettings {
        IntakeSettings {
            protocol,
            listen,
            security: Security::None,
            certificate_file: None,
            key_file: None,
            addresses: Vec::new(),
            hello_name: hello_name(),
            connections_max: connections_max(),
            mail_size_max_bytes: mail_size_max_bytes(),
        }
    }

    /// Checks everything that can be checked without disk and network.
    ///
    /// # Errors
    /// One sentence for each wrong key.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let mut problems = tls::problems(self.listen, self.security, &self.certificate_file, &self.key_file);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        if !(1..=253).contains(&self.hello_name.len()) || !self.hello_name.bytes().all(is_name) {
            problems.push(format!("hello_name: expected a host name, found {:?}", self.hello_name));
        }
        within("connections_max", self.connections_max as u64, 1, 10_000, &mut problems);
        within("mail_size_max_bytes", self.mail_size_max_bytes, 16 * 1024, 64 * 1024 * 1024, &mut problems);
        finish(problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_names_its_key() {
        let here = SocketAddr::from(([127, 0, 0, 1], 24));
        let good = IntakeSettings::new(Protocol::Lmtp, here);
        good.validate().unwrap();
        let with_files = |security, certificate: bool, key: bool| IntakeSettings {
            security,
            certificate_file: certificate.then(|| "/c.pem".into()),
            key_file: key.then(|| "/k.pem".into()),
            ..good.clone()
        };
        with_files(Security::Tls, true, true).validate().unwrap();
        with_files(Security::Starttls, true, true).validate().unwrap();
        for (wrong, key) in [
            (IntakeSettings { listen: SocketAddr::from(([0, 0, 0, 0], 24)), ..good.clone() }, "security: "),
            (IntakeSettings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..good.clone() }, "listen: "),
            (with_files(Security::None, true, true), "security: "),
            (with_files(Security::Tls, false, true), "certificate_file: "),
            (with_files(Security::Starttls, true, false), "key_file: "),
            (IntakeSettings { hello_name: "a b".into(), ..good.clone() }, "hello_name: "),
            (IntakeSettings { hello_name: String::new(), ..good.clone() }, "hello_name: "),
            (IntakeSettings { connections_max: 0, ..good.clone() }, "connections_max: "),
            (IntakeSettings { mail_size_max_bytes: 100, ..good.clone() }, "mail_size_max_bytes: "),
        ] {
            let problems = wrong.validate().unwrap_err().problems;
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with(key), "{problems:?}");
        }
    }
}
