//! The configuration: one TOML file, and environment variables, which override the file. Unknown keys are refused.
//!
//! Every mistake becomes one sentence that names the file or variable, the key, what was expected and what was found. Secrets have no key:
//! a password is in a file of its own or in the environment, and the configuration names that place.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use actors::pipeline::Limits;
use actors::transport::NoContainer;
use actors::transport::http::HttpSettings;
use carrier::CarrierSettings;
use mail::{IntakeSettings, MailboxSettings, RelaySettings, Security};
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
/// Sample configuration with every key and its default. It is the file `deploy/xmserver.toml`.
pub const SAMPLE: &str = include_str!("../../deploy/xmserver.toml");

/// The whole configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Configuration {
    /// The server process.
    pub server: ServerConfiguration,
    /// The address of the database, and the login.
    pub database: DatabaseConfiguration,
    /// Mailboxes that letters are collected from.
    #[serde(rename = "mailbox")]
    pub mailboxes: Vec<MailboxConfiguration>,
    /// Transfer folder, which letters come from and answers go to as files, for letters on memory sticks or through a gateway. It is none
    /// where all letters come by e-mail.
    pub folder: Option<FolderConfiguration>,
    /// Addresses at which other mail servers push letters.
    #[serde(rename = "intake")]
    pub intakes: Vec<IntakeConfiguration>,
    /// Address at which offices post letters over HTTPS and collect the answers.
    pub https: Option<HttpSettings>,
    /// NATS JetStream, which takes pushed letters from the process that receives them to the one that settles them; none where each process
    /// settles what it receives.
    pub carrier: Option<CarrierSettings>,
    /// Relay that answers are sent to; none where no letter comes by e-mail.
    pub relay: Option<RelayConfiguration>,
    /// What offices are told in their kits; none where no kits are written.
    pub kit: Option<KitConfiguration>,
    /// Limits on memory, disk and load.
    pub limits: Limits,
    /// Path of the configuration file that was read; none where there is no file.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// Environment variables that begin with `XMSERVER_` and set no key of the configuration. Container platforms set such names for every
    /// service (`XMSERVER_PORT`), so the program only logs them, and does not refuse them.
    #[serde(skip)]
    pub no_keys: Vec<String>,
}

/// `[server]`: the server process.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfiguration {
    /// Folder of the keys, of the process's identity and, where no database is configured, of the private PostgreSQL.
    pub data_folder: PathBuf,
    /// Folder of the centre's keys; `keys` in the data folder where the key is absent.
    pub keys_folder: Option<PathBuf>,
    /// Name of this process among several that serve the centre. The identity of the process is then derived from its name, and not kept
    /// in the data folder, so that it stays the same on another host.
    pub process_name: Option<String>,
    /// What this process does. With `intake` and `work` there is a carrier.
    pub role: Role,
    /// Address and port at which `/live`, `/ready` and `/metrics` are served.
    pub http_address: SocketAddr,
    /// Format of the log lines.
    pub log_format: LogFormat,
    /// What is logged: a level, or directives such as `info,actors=debug`.
    pub log_level: String,
    /// Time, in seconds, for which a stopping program still takes pushed letters, while `/accept` tells balancers to send them elsewhere.
    /// If no letters are pushed to the program, it stops without this delay.
    pub drain_notice_seconds: u64,
    /// Longest time, in seconds, that a shutdown waits for letters being processed.
    pub shutdown_seconds_max: u64,
    /// Longest time, in seconds, that metrics read from the database are kept; metrics that cost little are read more often.
    pub metrics_kept_seconds_max: u64,
}

/// What a process does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    #[default]
    All,
    /// It receives pushed letters, and hands them to the carrier. It has neither keys nor a database.
    Intake,
    /// It settles letters, of mailboxes, folder and carrier. Nothing is pushed to it.
    Work,
}

impl Role {
    /// Returns the role's name in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::All => "all",
            Role::Intake => "intake",
            Role::Work => "work",
        }
    }
}

/// Format of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// JSON for programs, one object a line.
    Json,
}

/// `[database]`: the address of the operator's own database. Without an address the program runs a private PostgreSQL in the data folder.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfiguration {
    /// `postgresql://user@host/database`. Write a password not here but in `url_file` or in the environment.
    pub url: Option<String>,
    /// File whose first line is the URL, password included.
    pub url_file: Option<PathBuf>,
    /// URL of the same database with the login that reads for agencies, `postgresql://xm_reader@host/database`.
    pub reader_url: Option<String>,
    /// File whose first line is the URL of the login `xm_reader`, password included.
    pub reader_url_file: Option<PathBuf>,
    /// PEM file of certificates that are trusted instead of the system's certificates.
    pub ca_file: Option<PathBuf>,
    /// Largest number of connections that this process opens to the database.
    pub connections_max: usize,
    /// Folder with the programs `postgres` and `initdb` of the private PostgreSQL; the program searches for them where the key is absent.
    pub binaries_folder: Option<PathBuf>,
}

/// `[[mailbox]]`: one mailbox that agencies write to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailboxConfiguration {
    /// Name of the mailbox in logs, metrics and the journal.
    pub name: String,
    /// Pause between polls, in seconds, while the mailbox is empty.
    #[serde(default = "poll_interval_seconds")]
    pub poll_interval_seconds: u64,
    /// What happens to mail that holds no container.
    #[serde(default)]
    pub no_container: NoContainer,
    /// Host, account and limits of the POP3 connection.
    pub pop3: MailboxSettings,
}

fn poll_interval_seconds() -> u64 {
    10
}

/// `[folder]`: the transfer folder. Letters are taken from its folder `in`, and answers are written to its folder `out`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FolderConfiguration {
    /// Name of the folder in logs, metrics and the journal; no mailbox has the same name.
    #[serde(default = "folder_name")]
    pub name: String,
    /// Path of the folder.
    pub path: PathBuf,
    /// Pause between two listings of the folder, in seconds, while the folder is empty.
    #[serde(default = "poll_interval_seconds")]
    pub poll_interval_seconds: u64,
    /// Seconds for which a file must stay unchanged before it is taken; 0 where every writer renames finished files into place.
    #[serde(default = "quiet_seconds")]
    pub quiet_seconds: u64,
    /// Largest size of a file that is taken whole, in bytes; of a larger file only the first 16 KB are taken.
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

/// `[[intake]]`: one address at which other mail servers push letters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntakeConfiguration {
    /// Name of the intake in logs, metrics and the journal; no mailbox, folder or other intake has the same name.
    pub name: String,
    /// What happens to mail that holds no container. It cannot be left, because there is no mailbox to leave it in.
    #[serde(default)]
    pub no_container: NoContainer,
    /// Longest time, in seconds, for which a sender waits while the database cannot be reached, before it is asked to send the mail again.
    #[serde(default = "hold_seconds_max")]
    pub hold_seconds_max: u64,
    /// Protocol, address and limits.
    pub smtp: IntakeSettings,
}

fn hold_seconds_max() -> u64 {
    90
}

/// `[relay]`: the mail server that answers are handed to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayConfiguration {
    /// E-mail address of the centre, which answers come from.
    pub address: String,
    /// Host, account and limits of the SMTP connection.
    pub smtp: RelaySettings,
}

/// `[kit]`: what offices are told of the centre and of their mail, in the kits with which they are set up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KitConfiguration {
    /// Telephone of the operators; empty if offices are told none.
    pub telephone: String,
    /// Address that offices write to; that of the first mailbox, or of the relay, where the key is absent.
    pub address: Option<String>,
    /// Server from which offices fetch their answers, each from the mailbox of its agency's e-mail address.
    pub pop3: Option<KitServer>,
    /// Server that takes the mails of offices.
    pub smtp: Option<KitServer>,
    /// Address before `/v1/letters` at which offices post letters over HTTPS.
    pub https_url: Option<String>,
}

/// A mail server, as offices reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KitServer {
    /// Host name as in the server's certificate.
    pub host: String,
    /// Port; the usual one of the protocol where the key is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Protection of the connection.
    #[serde(default)]
    pub security: Security,
}

impl Default for ServerConfiguration {
    fn default() -> ServerConfiguration {
        ServerConfiguration {
            data_folder: DATA_FOLDER.into(),
            keys_folder: None,
            process_name: None,
            role: Role::All,
            http_address: SocketAddr::from(([127, 0, 0, 1], 9464)),
            log_format: LogFormat::Text,
            log_level: "info".to_owned(),
            drain_notice_seconds: 5,
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

// `Debug` leaves the URL out, because a URL given by the environment may hold a password.
impl fmt::Debug for DatabaseConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfiguration").field("url_file", &self.url_file).finish_non_exhaustive()
    }
}

impl Configuration {
    /// Returns the e-mail addresses of the centre: those of its mailboxes and intakes, and the sender's address of its answers.
    pub fn own_addresses(&self) -> Vec<String> {
        let intakes = self.intakes.iter().flat_map(|intake| intake.smtp.addresses.iter().cloned());
        self.mailbox_addresses().chain(intakes).collect()
    }

    /// Returns the addresses whose mail an intake takes: those that it names, or else those of the mailboxes and of the relay.
    pub fn addresses_of(&self, intake: &IntakeConfiguration) -> Vec<String> {
        match intake.smtp.addresses.is_empty() {
            true => self.mailbox_addresses().collect(),
            false => intake.smtp.addresses.clone(),
        }
    }

    /// Says whether letters are pushed to this program.
    pub fn has_pushed(&self) -> bool {
        !self.listens_for_mail().is_empty() || self.listens_for_posts().is_some()
    }

    /// Returns the addresses at which this process takes mail. The file may name more: replicas of different roles can share one file.
    pub fn listens_for_mail(&self) -> &[IntakeConfiguration] {
        if self.server.role == Role::Work { &[] } else { &self.intakes }
    }

    /// Returns the address at which this process takes letters over HTTPS.
    pub fn listens_for_posts(&self) -> Option<&HttpSettings> {
        self.https.as_ref().filter(|_| self.server.role != Role::Work)
    }

    fn mailbox_addresses(&self) -> impl Iterator<Item = String> {
        let mailboxes = self.mailboxes.iter().map(|mailbox| mailbox.pop3.username.clone());
        mailboxes.chain(self.relay.iter().map(|relay| relay.address.clone()))
    }

    /// Returns the folder of the private PostgreSQL, within the data folder.
    pub fn cluster_folder(&self) -> PathBuf {
        self.server.data_folder.join("database")
    }

    /// Says whether the private PostgreSQL is used.
    pub fn is_embedded(&self) -> bool {
        self.database.url.is_none() && self.database.url_file.is_none()
    }
}
