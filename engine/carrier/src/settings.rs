//! Settings of the carrier, as an operator writes them.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the sender of a document that was posted over HTTPS is told, and when. Senders of mail are always told after the commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Contract {
    /// The sender is answered after the commit.
    #[default]
    Settled,
    /// The sender is told that its document was received as soon as the carrier has it on the disks of a majority of its servers.
    Carried,
}

impl Contract {
    /// Returns the contract's name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Contract::Settled => "settled",
            Contract::Carried => "carried",
        }
    }
}

/// The servers of the carrier, and how its stream is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierSettings {
    /// URLs of the servers, `tls://host:4222`; `nats://` only for servers on this machine.
    pub servers: Vec<String>,
    /// URLs at which the servers tell their state, `http://host:8222`. They are asked whether they write to disk before they acknowledge.
    #[serde(default)]
    pub monitoring: Vec<String>,
    /// Name of the user; none where the servers ask for none.
    #[serde(default)]
    pub username: Option<String>,
    /// File whose first line is the user's password. It is read anew for each connection.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// PEM file of certificates that are trusted instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// When the sender of a document is answered.
    #[serde(default)]
    pub contract: Contract,
    /// Number of partitions. All processes have the same number.
    #[serde(default = "partitions")]
    pub partitions: u16,
    /// Number of servers that keep each parcel. Only `xmserver carrier init` uses it.
    #[serde(default = "replicas")]
    pub replicas: usize,
    /// Largest number of bytes in the stream. Beyond it parcels are refused. Only `xmserver carrier init` uses it.
    #[serde(default = "stream_bytes_max")]
    pub stream_bytes_max: u64,
}

fn partitions() -> u16 {
    16
}

fn replicas() -> usize {
    3
}

fn stream_bytes_max() -> u64 {
    20_000_000_000
}

impl CarrierSettings {
    /// Makes the settings of a carrier with these servers, and the defaults for all else.
    pub fn new(servers: Vec<String>) -> CarrierSettings {
        CarrierSettings {
            servers,
            monitoring: Vec::new(),
            username: None,
            password_file: None,
            ca_file: None,
            contract: Contract::Settled,
            partitions: partitions(),
            replicas: replicas(),
            stream_bytes_max: stream_bytes_max(),
        }
    }

    /// Returns one sentence for each mistake; each begins with the key. Nothing is opened.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.servers.is_empty() {
            problems.push("servers: expected tls://host:port of each server, found none".to_owned());
        }
        for server in &self.servers {
            match parts(server) {
                Some(("tls", _)) => {}
                Some(("nats", host)) if is_here(host) => {}
                Some(("nats", host)) => problems.push(format!(
                    "servers: `nats://` is for a server on this machine; {host} is elsewhere, so expected `tls://`"
                )),
                _ => problems.push(format!("servers: expected tls://host:port, found {server:?}")),
            }
        }
        for server in &self.monitoring {
            if !matches!(parts(server), Some(("http", _))) {
                problems.push(format!("monitoring: expected http://host:port, found {server:?}"));
            }
        }
        match (&self.username, &self.password_file) {
            (Some(_), None) => {
                problems.push("password_file: expected a file with the user's password, found none".to_owned());
            }
            (None, Some(_)) => {
                problems.push("username: expected a name to go with the password, found none".to_owned());
            }
            _ => {}
        }
        if self.contract == Contract::Carried && self.monitoring.is_empty() {
            problems.push("monitoring: expected http://host:port of each server, found none".to_owned());
        }
        for (key, value, least, most) in [
            ("partitions", u64::from(self.partitions), 1, 256),
            ("replicas", self.replicas as u64, 1, 5),
            ("stream_bytes_max", self.stream_bytes_max, 16 << 20, 1 << 50),
        ] {
            if !(least..=most).contains(&value) {
                problems.push(format!("{key}: expected {least} to {most}, found {value}"));
            }
        }
        problems
    }
}

/// Takes a URL apart: its scheme and its host. Returns `None` where a part is missing, or there is something besides the port.
fn parts(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (host, port) = rest.trim_end_matches('/').rsplit_once(':')?;
    let is_plain = !host.is_empty() && !host.contains(['/', '@', ' ']);
    (is_plain && port.parse::<u16>().is_ok()).then_some((scheme, host))
}

fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(change: impl FnOnce(&mut CarrierSettings)) -> Vec<String> {
        let mut settings = CarrierSettings::new(vec!["tls://nats-1.example.org:4222".to_owned()]);
        change(&mut settings);
        settings.problems()
    }

    #[test]
    fn each_mistake_has_a_sentence() {
        assert_eq!(problems(|_| ()), Vec::<String>::new());
        assert_eq!(problems(|settings| settings.servers = vec!["nats://[::1]:4222".to_owned()]), Vec::<String>::new());
        for (server, told) in [
            ("nats://10.0.0.1:4222", "servers: `nats://` is for a server on this machine; 10.0.0.1 is elsewhere"),
            ("tls://host", "servers: expected tls://host:port, found \"tls://host\""),
            ("tls://user:password@host:4222", "servers: expected tls://host:port"),
        ] {
            let found = problems(|settings| settings.servers = vec![server.to_owned()]);
            assert!(found.len() == 1 && found[0].starts_with(told), "{found:?}");
        }
        type Change = fn(&mut CarrierSettings);
        let cases: [(Change, &str); 6] = [
            (|settings| settings.servers.clear(), "servers: expected tls://host:port of each server, found none"),
            (|settings| settings.monitoring = vec!["https://h:1".to_owned()], "monitoring: expected http://host:port"),
            (|settings| settings.username = Some("work".to_owned()), "password_file: expected a file"),
            (|settings| settings.contract = Contract::Carried, "monitoring: expected http://host:port of each server"),
            (|settings| settings.partitions = 0, "partitions: expected 1 to 256, found 0"),
            (|settings| settings.stream_bytes_max = 1, "stream_bytes_max: expected 16777216 to"),
        ];
        for (change, told) in cases {
            let found = problems(change);
            assert!(found.len() == 1 && found[0].starts_with(told), "{found:?}");
        }
    }
}
