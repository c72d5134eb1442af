//! The one door of configuration: one TOML file, then the environment over it; unknown keys are refused.
//!
//! Every mistake becomes one sentence that names the file or variable, the key, what was expected and what was found.
//! Secrets have no key here: a password stands in a file of its own or in the environment, and is named by its place.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use mail::{MailboxSettings, RelaySettings};
use sdc::document::DocumentLimits;
use sdc::payload::PayloadLimits;
use serde::{Deserialize, Serialize};
use store::settle::SettlingSettings;

mod sentence;
#[cfg(test)]
mod tests;
mod validate;

/// Name of the configuration file, in the data folder or in [`SYSTEM_FOLDER`].
pub const FILE_NAME: &str = "xmserver.toml";
/// Where an installed server has its configuration.
pub const SYSTEM_FOLDER: &str = "/etc/xmserver";
/// Where an installed server has its data.
pub const DATA_FOLDER: &str = "/var/lib/xmserver";
/// A sample with every key and its default, as in `deploy/`.
pub const SAMPLE: &str = include_str!("../../deploy/xmserver.toml");

const ENVIRONMENT_PREFIX: &str = "XMSERVER_";
/// Stands between a table and its key in the name of a variable.
const LEVEL: &str = "__";
const DATA_FOLDER_KEY: &str = "server.data_folder";

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
    /// Environment variables that look like keys of ours and are none. Platforms make such names for every service
    /// (`XMSERVER_PORT`), so they are told of, and stop nothing.
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
    pub no_container: NoContainerRule,
    /// How it is reached.
    pub pop3: MailboxSettings,
}

fn poll_interval_seconds() -> u64 {
    10
}

/// What happens to mail that holds no container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoContainerRule {
    /// It stays where it is, and is counted.
    Leave,
    /// It goes to quarantine, bounded as everything of strangers is.
    #[default]
    Quarantine,
    /// It is deleted, and counted.
    Drop,
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

/// `[limits]`: what bounds memory, disk and load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Threads that decrypt and verify; 0 means one per processor.
    pub crypto_threads: usize,
    /// Batches settled side by side.
    pub writers: usize,
    /// Mails in hand.
    pub mails_in_hand_max: u32,
    /// Kilobytes in hand.
    pub kilobytes_in_hand_max: u32,
    /// Mails of the slow lane in hand.
    pub slow_mails_max: u32,
    /// Bytes of payloads that have been read and are not settled; in memory they are some ten times as large.
    pub unpacked_bytes_max: u32,
    /// Mails asked for at a time, per mailbox.
    pub window_mails: usize,
    /// Mails per session with a mailbox.
    pub session_mails_max: usize,
    /// Seconds per session with a mailbox.
    pub session_seconds_max: u64,
    /// Letters per transaction.
    pub batch_letters_max: usize,
    /// Longest wait of a letter for others.
    pub batch_wait_milliseconds: u64,
    /// Certificates kept in memory.
    pub signers_cached_max: u64,
    /// Answers taken from the outbox at a time.
    pub answers_claimed_max: i64,
    /// Answers being sent at a time.
    pub sending_max: usize,
    /// Largest container that is opened; an agency's own limit is mostly lower.
    pub document_bytes_max: usize,
    /// Largest letter once it is decompressed.
    pub payload_bytes_max: usize,
    /// Most rows of a letter, all tables together: it is written whole, and letters of others wait meanwhile.
    pub letter_rows_max: usize,
    /// Bytes kept of containers whose sender nobody vouches for.
    pub quarantine_bytes_max: u64,
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
        DatabaseConfiguration { url: None, url_file: None, ca_file: None, connections_max: 16, binaries_folder: None }
    }
}

// The URL may hold a password, where the environment gave it.
impl fmt::Debug for DatabaseConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfiguration").field("url_file", &self.url_file).finish_non_exhaustive()
    }
}

impl Limits {
    /// Returns what bounds a document.
    pub fn of_documents(&self) -> DocumentLimits {
        DocumentLimits { document_bytes_max: self.document_bytes_max, ..DocumentLimits::default() }
    }

    /// Returns what bounds what a letter says.
    pub fn of_payloads(&self) -> PayloadLimits {
        PayloadLimits {
            decompressed_bytes_max: self.payload_bytes_max,
            rows_max: self.letter_rows_max,
            ..PayloadLimits::default()
        }
    }

    /// Returns what settling is told.
    pub fn of_settling(&self) -> SettlingSettings {
        SettlingSettings { stranger_bytes_max: self.quarantine_bytes_max, ..SettlingSettings::default() }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            crypto_threads: 0,
            writers: 2,
            mails_in_hand_max: 2048,
            kilobytes_in_hand_max: 16 * 1024,
            slow_mails_max: 1024,
            unpacked_bytes_max: 8 << 20,
            window_mails: 256,
            session_mails_max: 10_000,
            session_seconds_max: 10,
            batch_letters_max: 300,
            batch_wait_milliseconds: 100,
            signers_cached_max: 10_000,
            answers_claimed_max: 200,
            sending_max: 4,
            document_bytes_max: 4 << 20,
            payload_bytes_max: 4 << 20,
            letter_rows_max: 20_000,
            quarantine_bytes_max: 1 << 30,
        }
    }
}

/// What is wrong with the configuration: one sentence per mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct ConfigurationError {
    /// The sentences.
    pub problems: Vec<String>,
}

/// What the command line says about configuration.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--data-folder`.
    pub data_folder: Option<PathBuf>,
}

impl Configuration {
    /// Returns the addresses that are the centre's own: those of its mailboxes, and the one that answers come from.
    pub fn own_addresses(&self) -> Vec<String> {
        let mailboxes = self.mailboxes.iter().map(|mailbox| mailbox.pop3.username.clone());
        mailboxes.chain(self.relay.iter().map(|relay| relay.address.clone())).collect()
    }

    /// Reads file and environment and checks what can be checked without touching anything.
    ///
    /// The file is the one named; else `xmserver.toml` in the data folder; else the one in `/etc/xmserver`; else none. The
    /// environment is above the file, and the command line above both: with `--config` the data folder is the one that
    /// this file means, whatever the environment says. A file that stands in a data folder and names none means its own.
    ///
    /// # Errors
    /// Every mistake that was found, each in one sentence.
    pub fn load(sources: &Sources) -> Result<Configuration, ConfigurationError> {
        let environment = environment();
        let file = match &sources.file {
            Some(file) if !file.is_file() => {
                let problem = format!("{}: there is no such configuration file", file.display());
                return Err(ConfigurationError { problems: vec![problem] });
            }
            Some(file) => Some(file.clone()),
            None => find_file(sources.data_folder.as_deref(), &environment),
        };
        let mut figment = Figment::new();
        if let Some(file) = &file {
            figment = figment.merge(Toml::file_exact(file));
        }
        let of_file = figment.extract_inner::<PathBuf>(DATA_FOLDER_KEY).ok().or_else(|| own_folder(file.as_deref()?));
        figment = figment.merge(environment);
        let is_named = figment.find_value(DATA_FOLDER_KEY).is_ok();
        let folder = match &sources.data_folder {
            Some(folder) => Some(std::path::absolute(folder).unwrap_or_else(|_| folder.clone())),
            None => of_file.filter(|_| sources.file.is_some() || !is_named),
        };
        if let Some(folder) = folder {
            figment = figment.merge(Serialized::default(DATA_FOLDER_KEY, folder).profile("default"));
        }
        let mut configuration: Configuration = figment.extract().map_err(|error| ConfigurationError {
            problems: error.into_iter().map(|error| sentence::of(&error, file.as_deref())).collect(),
        })?;
        configuration.file = file;
        configuration.no_keys = no_keys();
        let problems = validate::problems(&configuration, &figment);
        if problems.is_empty() { Ok(configuration) } else { Err(ConfigurationError { problems }) }
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

/// Only names with two underscores are keys: `XMSERVER_SERVER__LOG_LEVEL`.
fn environment() -> Env {
    Env::prefixed(ENVIRONMENT_PREFIX).filter(|name| name.as_str().contains(LEVEL)).split(LEVEL)
}

fn no_keys() -> Vec<String> {
    let others = Env::prefixed(ENVIRONMENT_PREFIX).lowercase(false).filter(|name| !name.as_str().contains(LEVEL));
    others.iter().map(|(name, _)| format!("{ENVIRONMENT_PREFIX}{name}")).collect()
}

/// Returns the folder of a file that stands in a data folder.
fn own_folder(file: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(file).ok()?.parent()?.to_path_buf();
    folder.join("keys").is_dir().then_some(folder)
}

fn find_file(data_folder: Option<&Path>, environment: &Env) -> Option<PathBuf> {
    let configured = environment
        .iter()
        .find(|(key, _)| key.as_str().eq_ignore_ascii_case(DATA_FOLDER_KEY))
        .map(|(_, value)| PathBuf::from(value));
    let data_folder = data_folder.map(Path::to_path_buf).or(configured).unwrap_or_else(|| DATA_FOLDER.into());
    [data_folder, SYSTEM_FOLDER.into()].into_iter().map(|folder| folder.join(FILE_NAME)).find(|file| file.is_file())
}
