//! Everything that is configured: one TOML file, and the environment above it. Unknown keys are refused.
//!
//! Every mistake becomes one sentence that names the file or variable, the key, what was expected and what was found. Secrets have no key:
//! a password stands in a file of its own or in the environment, and the configuration names that place.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use actors::pipeline::Limits;
use actors::transport::NoContainer;
use mail::{MailboxSettings, RelaySettings};
use serde::{Deserialize, Serialize};

mod load;
mod sentence;
#[cfg(test)]
mod tests;
mod validate;

pub use load::{ConfigurationError, Sources};

/// Name of the configuration file, in the data folder or in [`SYSTEM_FOLDER`].
pub const FILE_NAME: &str = "xmserver.toml";
/// Where an installed server has its configuration.
pub const SYSTEM_FOLDER: &str = "/etc/xmserver";
/// Where an installed server has its data.
pub const DATA_FOLDER: &str = "/var/lib/xmserver";
/// A sample with every key and its default, as in `deploy/`.
pub const SAMPLE: &str = include_str!("../../deploy/xmserver.toml");

/// Everything that is configured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Configuration {
    /// The process itself.
    pub server: ServerConfiguration,
    /// Where the database is.
    pub database: DatabaseConfiguration,
    /// Where letters come from.
    #[serde(rename = "mailbox")]
    pub mailboxes: Vec<MailboxConfiguration>,
    /// Where letters come from and answers go as files.
    pub folder: Option<FolderConfiguration>,
    /// Where answers go.
    pub relay: Option<RelayConfiguration>,
    /// What bounds memory, disk and load.
    pub limits: Limits,
    /// The file that was read, if any.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Environment variables that look like keys and are none. Platforms make such names for every service (`XMSERVER_PORT`), so these are
    /// logged and refuse nothing.
    #[serde(skip)]
    pub no_keys: Vec<String>,
}

/// `[server]`: the process itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfiguration {
    /// Folder of keys, process identity and, where no database is configured, the private one.
    pub data_folder: PathBuf,
    /// Where `/live`, `/ready` and `/metrics` are served.
    pub http_address: SocketAddr,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged: a level, or directives such as `info,actors=debug`.
    pub log_level: String,
    /// Longest that a shutdown waits for letters in hand.
    pub shutdown_seconds_max: u64,
    /// Longest that metrics read from the database are kept; those that cost little are read more often.
    pub metrics_kept_seconds_max: u64,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// `[database]`: a database of one's own, or none for a private PostgreSQL in the data folder.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfiguration {
    /// `postgresql://user@host/database`; a password belongs into `url_file` or the environment.
    pub url: Option<String>,
    /// File whose first line is the URL, password included.
    pub url_file: Option<PathBuf>,
    /// The same database under the login that reads for agencies, `postgresql://xm_reader@host/database`.
    pub reader_url: Option<String>,
    /// File whose first line is that URL, password included.
    pub reader_url_file: Option<PathBuf>,
    /// Certificates to trust instead of the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// Most connections that this process holds.
    pub connections_max: usize,
    /// Folder with `postgres` and `initdb`, for the private PostgreSQL; searched for when absent.
    pub binaries_folder: Option<PathBuf>,
}

/// `[[mailbox]]`: one mailbox that agencies write to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailboxConfiguration {
    /// Its name in logs, metrics and the journal.
    pub name: String,
    /// Pause between polls while it is empty.
    #[serde(default = "poll_interval_seconds")]
    pub poll_interval_seconds: u64,
    /// What happens to mail that holds no container.
    #[serde(default)]
    pub no_container: NoContainer,
    /// How it is reached.
    pub pop3: MailboxSettings,
}

fn poll_interval_seconds() -> u64 {
    10
}

/// `[folder]`: the transfer folder, whose `in` is taken and whose `out` is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderConfiguration {
    /// Its name in logs, metrics and the journal; no mailbox has the same.
    #[serde(default = "folder_name")]
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Pause between looks while it is empty.
    #[serde(default = "poll_interval_seconds")]
    pub poll_interval_seconds: u64,
    /// How long a file must have been left alone by whoever writes it, from one look at it to another; 0 where every writer renames.
    #[serde(default = "quiet_seconds")]
    pub quiet_seconds: u64,
    /// Largest file that is taken whole; of larger ones only the first 16 KB.
    #[serde(default = "file_size_max_bytes")]
    pub file_size_max_bytes: u64,
}

fn folder_name() -> String {
    "folder".to_owned()
}

fn quiet_seconds() -> u64 {
    2
}

fn file_size_max_bytes() -> u64 {
    5 << 20
}

/// `[relay]`: who takes the answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayConfiguration {
    /// The centre's own address.
    pub address: String,
    /// How the relay is reached.
    pub smtp: RelaySettings,
}

impl Default for ServerConfiguration {
    fn default() -> ServerConfiguration {
        ServerConfiguration {
            data_folder: DATA_FOLDER.into(),
            http_address: SocketAddr::from(([127, 0, 0, 1], 9464)),
            log_format: LogFormat::Text,
            log_level: "info".to_owned(),
            shutdown_seconds_max: 30,
            metrics_kept_seconds_max: 300,
        }
    }
}

impl Default for DatabaseConfiguration {
    fn default() -> DatabaseConfiguration {
        DatabaseConfiguration {
            url: None,
            url_file: None,
            reader_url: None,
            reader_url_file: None,
            ca_file: None,
            connections_max: 16,
            binaries_folder: None,
        }
    }
}

// The URL may hold a password, where the environment gave it.
impl fmt::Debug for DatabaseConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfiguration").field("url_file", &self.url_file).finish_non_exhaustive()
    }
}

impl Configuration {
    /// Returns the addresses that are the centre's own: those of its mailboxes, and the one that answers come from.
    pub fn own_addresses(&self) -> Vec<String> {
        let mailboxes = self.mailboxes.iter().map(|mailbox| mailbox.pop3.username.clone());
        mailboxes.chain(self.relay.iter().map(|relay| relay.address.clone())).collect()
    }

    /// Returns the folder of the private PostgreSQL.
    pub fn cluster_folder(&self) -> PathBuf {
        self.server.data_folder.join("database")
    }

    /// Says whether the private PostgreSQL is used.
    pub fn is_embedded(&self) -> bool {
        self.database.url.is_none() && self.database.url_file.is_none()
    }
}
