//! A private PostgreSQL in a folder of the program. It is the database of every test, and of a centre whose configuration names no
//! database.
//!
//! Promises:
//! - PostgreSQL listens on a unix socket only, in a folder that nobody else may enter, and admits only users who run this program.
//! - Checksums and fsync are on, and no setting may turn durability off.
//! - Two postmasters never run on one folder, and none runs as root.
//! - `start` returns only after PostgreSQL has accepted a connection.
//! - The postmaster shuts down when this process dies. Where it could not, the next start finds it, and makes sure that the process really
//!   is this cluster's postmaster: a pid file alone may name a process of somebody else.
//! - PostgreSQL's log holds no statement, no parameter and no value: personal data stays in the tables.
//!
//! # Words
//!
//! | word | meaning | where |
//! |---|---|---|
//! | cluster | one data folder of PostgreSQL, with all databases in it; not several machines | [`Cluster`] |
//! | private | of a cluster: this program starts and stops it, and nobody else uses it | [`Cluster`] |
//! | postmaster | PostgreSQL's first process, which starts a process for each session and ends them all | `postmaster` |
//! | keeper thread | starts the postmaster as a child, and lives as long as it | `postmaster` |
//! | left over | of a postmaster: the program that started it was killed, and it still runs | `postmaster` |
//! | service user | the machine's user whom PostgreSQL runs as where this process is root | `service_user` |
//! | shared user | a user whom other programs run as too, so that they can read the data | `service_user` |
//! | superuser | the role `xmserver`, which may do everything in the cluster | [`Cluster::url`] |
//! | reader | the role `xm_reader`, through which agencies' records are read | [`READER`] |
//! | rules, map | files of PostgreSQL: who may connect, and which user of the machine as which role | `access` |
//! | fixed, usual | settings of PostgreSQL that a configuration may not change, and those that it may | [`ClusterSettings`] |
//! | primary, standby | a PostgreSQL that takes writes; a copy that repeats them and can take its place | [`testing`] |

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

mod access;
mod binaries;
mod error;
mod memory;
mod port;
mod postmaster;
mod service_user;
pub mod testing;
#[cfg(test)]
mod tests;
mod wal;

pub use binaries::{Binaries, MAJOR_MIN};
pub use error::ClusterError;
use error::io;
pub use port::Port;
use postmaster::Postmaster;
use service_user::ServiceUser;

/// Name of the cluster's superuser. Its database has the same name.
const OWNER: &str = "xmserver";
/// Name of the role that reads for agencies. This crate lets the role sign in; the program that creates the role decides its rights.
pub const READER: &str = "xm_reader";
const START_SECONDS_MAX: u64 = 300;
const STOP_SECONDS_MAX: u64 = 30;
/// Maximum number of bytes of a socket's path: the kernel's address has room for 108 bytes with the final NUL (`sockaddr_un`).
const SOCKET_PATH_BYTES_MAX: usize = 107;
const POLL: Duration = Duration::from_millis(20);

/// Settings that a configuration may not change, because another value would break a promise of this crate.
const FIXED: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
    // The text of an error may quote a wrong value, and its detail may quote a row, which are personal data. So PostgreSQL logs neither.
    // The program, to which PostgreSQL also reports the error, tells the operator what failed.
    ("log_min_messages", "log"),
    ("log_min_error_statement", "panic"),
    ("log_error_verbosity", "terse"),
    ("log_parameter_max_length", "0"),
    ("log_parameter_max_length_on_error", "0"),
    ("log_statement", "none"),
    ("log_min_duration_statement", "-1"),
    ("log_destination", "stderr"),
    ("logging_collector", "off"),
];

/// PostgreSQL settings that this crate sets by default. A configuration may give them other values.
const USUAL: &[(&str, &str)] = &[
    ("log_line_prefix", "%m [%p] "),
    ("log_checkpoints", "off"),
    ("max_wal_size", "2GB"),
    ("random_page_cost", "1.1"),
    ("jit", "off"),
];

/// Place of a private cluster, its binaries and its settings.
#[derive(Clone, Debug, Default)]
pub struct ClusterSettings {
    /// Folder of the cluster; it is made where it is missing. Where the process is root, the service user must be allowed to enter all
    /// folders above it.
    pub data_folder: PathBuf,
    /// Folder with `postgres` and `initdb`; where it is absent, the usual places are searched.
    pub binaries: Option<PathBuf>,
    /// Settings of PostgreSQL from the configuration, name and value. They take the place of the settings that this crate would choose. A
    /// setting that the crate needs as it is is refused.
    pub settings: Vec<(String, String)>,
}

/// A private PostgreSQL. When this value is dropped, PostgreSQL shuts down in the background; `stop` waits until it has ended.
pub struct Cluster {
    folder: PathBuf,
    binaries: Binaries,
    user: Option<ServiceUser>,
    settings: Vec<(String, String)>,
    postmaster: Option<Postmaster>,
    // This process keeps the folder's lock as long as this value lives, so that no other process starts a postmaster on the folder. However
    // the process ends, the kernel frees the lock.
    _lock: File,
}

impl Cluster {
    /// Starts the cluster, and first makes it where the folder has none.
    ///
    /// # Errors
    /// See [`ClusterError`]; the text of each error says what the operator can do.
    pub async fn start(settings: ClusterSettings) -> Result<Cluster, ClusterError> {
        if let Some((name, _)) = settings.settings.iter().find(|(name, _)| is_fixed(name)) {
            return Err(ClusterError::SettingFixed(name.clone()));
        }
        std::fs::create_dir_all(&settings.data_folder).map_err(io("create", &settings.data_folder))?;
        let folder = settings.data_folder.canonicalize().map_err(io("find", &settings.data_folder))?;
        let lock = lock(&folder)?;
        let data = folder.join("data");
        let user = ServiceUser::choose(&data)?;
        if let Some(user) = &user
            && let Some(barred) = user.barred_by(&folder)
        {
            return Err(ClusterError::Barred { user: user.name.clone(), folder: barred });
        }
        let binaries = Binaries::find(settings.binaries.as_deref(), data_major(&data)?)?;
        let mut cluster =
            Cluster { folder, binaries, user, settings: settings.settings, postmaster: None, _lock: lock };
        cluster.check_socket_path()?;
        if !data.exists() {
            cluster.initialise()?;
        }
        cluster.launch().await?;
        cluster.create_database().await?;
        Ok(cluster)
    }

    /// Returns the URL of the cluster's own database.
    pub fn url(&self) -> String {
        self.url_of(OWNER)
    }

    /// Returns the URL of a database of this cluster.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgresql://{OWNER}@{}/{database}", percent_encoded(&self.socket_folder()))
    }

    /// Returns the URL of a database of this cluster for the role `xm_reader`.
    pub fn reader_url_of(&self, database: &str) -> String {
        format!("postgresql://{READER}@{}/{database}", percent_encoded(&self.socket_folder()))
    }

    /// Returns the postmaster's process id; `None` where it is stopped or has ended.
    pub fn pid(&self) -> Option<i32> {
        self.postmaster
            .as_ref()
            .filter(|postmaster| postmaster.exit_status().is_none())
            .map(|postmaster| postmaster.pid().as_raw())
    }

    /// Waits until the postmaster has ended, for whatever reason. Returns its exit status; `None` where the status is unknown or no
    /// postmaster was started.
    pub async fn ended(&self) -> Option<ExitStatus> {
        match &self.postmaster {
            Some(postmaster) => postmaster.ended().await,
            None => None,
        }
    }

    /// Returns the name of the user who owns the data, if other programs of the machine run as that user too: all of them can read the
    /// data, which an operator should know. The owner is read from the folder, so PostgreSQL need not run.
    pub fn shared_user(folder: &Path) -> Option<String> {
        ServiceUser::owner(&folder.join("data")).filter(ServiceUser::is_shared).map(|user| user.name)
    }

    /// Returns the PostgreSQL programs that the cluster runs.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Returns the path of PostgreSQL's log.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    /// Shuts PostgreSQL down: it ends its sessions and writes a checkpoint. A postmaster that does not end in time is killed.
    pub async fn stop(&mut self) {
        let Some(postmaster) = self.postmaster.take() else { return };
        for (signal, seconds) in [(Signal::SIGINT, STOP_SECONDS_MAX), (Signal::SIGQUIT, 10), (Signal::SIGKILL, 10)] {
            postmaster.signal(signal);
            if postmaster.ended_within(Duration::from_secs(seconds)).await {
                return;
            }
            tracing::warn!(?signal, seconds, "PostgreSQL did not shut down in time");
        }
    }

    /// Kills the postmaster and its sessions at once, as a power cut would, for tests of faults.
    pub async fn kill(&mut self) {
        if let Some(postmaster) = self.postmaster.take() {
            postmaster.kill_with_children();
            postmaster.ended_within(Duration::from_secs(10)).await;
        }
    }

    /// Stops the cluster if it runs and starts it again on the same data.
    ///
    /// # Errors
    /// The errors of [`Cluster::start`].
    pub async fn restart(&mut self) -> Result<(), ClusterError> {
        self.stop().await;
        self.launch().await
    }

    fn socket_folder(&self) -> PathBuf {
        self.folder.join("socket")
    }

    fn check_socket_path(&self) -> Result<(), ClusterError> {
        let length = self.socket_folder().join(".s.PGSQL.5432.lock").as_os_str().len();
        match length.checked_sub(SOCKET_PATH_BYTES_MAX) {
            Some(excess) if excess > 0 => Err(ClusterError::PathTooLong { folder: self.folder.clone(), excess }),
            _ => Ok(()),
        }
    }

    /// Runs `initdb` in a folder of another name, and renames the folder at the end. If `initdb` is cut short, the next start finds no
    /// folder of the final name, and does not take a half-made one for a cluster.
    fn initialise(&self) -> Result<(), ClusterError> {
        let (data, unfinished) = (self.folder.join("data"), self.folder.join("data.unfinished"));
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).map_err(io("remove", &unfinished))?;
        }
        self.private_folder(&unfinished)?;
        let output = postmaster::unprivileged(&self.binaries.program("initdb"), self.user.as_ref())
            .args(["--data-checksums", "--auth=reject", "--encoding=UTF8", "--locale=C.UTF-8", "--lc-messages=C"])
            // Both collations C and C.UTF-8 order texts by the code points of their characters. C is taken, because under it PostgreSQL
            // compares octets, which is faster.
            .args(["--lc-collate=C", "--no-instructions", "--username", OWNER, "--pgdata"])
            .arg(&unfinished)
            .output()
            .map_err(io("run", &self.binaries.program("initdb")))?;
        if !output.status.success() {
            return Err(ClusterError::Initialise(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        std::fs::rename(&unfinished, &data).map_err(io("rename", &unfinished))
    }

    fn private_folder(&self, path: &Path) -> Result<(), ClusterError> {
        if !path.exists() {
            DirBuilder::new().mode(0o700).create(path).map_err(io("create", path))?;
        }
        self.user.as_ref().map_or(Ok(()), |user| user.own(path))
    }

    /// Starts the postmaster and waits until it answers.
    ///
    /// After a postmaster was killed, its child processes use its shared memory for a moment more, and PostgreSQL refuses to start. They
    /// soon notice that their postmaster is dead, and end; so the start is tried again.
    async fn launch(&mut self) -> Result<(), ClusterError> {
        let data = self.folder.join("data");
        postmaster::end_leftover(&data, Duration::from_secs(STOP_SECONDS_MAX)).await?;
        self.private_folder(&self.socket_folder())?;
        let patience = Instant::now() + Duration::from_secs(STOP_SECONDS_MAX);
        let buffers = memory::shared_buffers();
        let compression = wal::compression(&self.binaries, self.user.as_ref(), &data);
        let of_machine = [("shared_buffers", buffers.as_str()), ("wal_compression", compression)];
        loop {
            let log_start = std::fs::metadata(self.log_path()).map_or(0, |metadata| metadata.len());
            let postmaster = Postmaster::spawn(self.command(&data, &of_machine)?)?;
            match self.wait_until_ready(&postmaster, log_start).await {
                Ok(()) => {
                    self.postmaster = Some(postmaster);
                    return Ok(());
                }
                Err(ClusterError::Start(log)) if log.contains("still in use") && Instant::now() < patience => {
                    tokio::time::sleep(POLL).await;
                }
                Err(error) => {
                    postmaster.signal(Signal::SIGINT);
                    return Err(error);
                }
            }
        }
    }

    fn command(&self, data: &Path, of_machine: &[(&str, &str)]) -> Result<std::process::Command, ClusterError> {
        let mut command = postmaster::dying_with_us(&self.binaries.program("postgres"), self.user.as_ref());
        command.arg("-D").arg(data).arg("-k").arg(self.socket_folder());
        let overriding = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // Where a setting is given several times, PostgreSQL uses the last value. So the fixed settings come last, and nothing before them
        // can change them.
        let usual = USUAL.iter().chain(of_machine).copied();
        for (name, value) in usual.chain(overriding).chain(FIXED.iter().copied()) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        for (name, file) in access::write(&self.folder, self.user.as_ref())? {
            command.arg("-c").arg(format!("{name}={}", file.display()));
        }
        let log = postmaster::open_log(&self.log_path())?;
        let also_log = log.try_clone().map_err(io("open", &self.log_path()))?;
        command.stdout(log).stderr(also_log);
        Ok(command)
    }

    async fn wait_until_ready(&self, postmaster: &Postmaster, log_start: u64) -> Result<(), ClusterError> {
        let url = self.url_of("postgres");
        let deadline = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        loop {
            if connect(&url).await.is_ok() {
                return Ok(());
            }
            if postmaster.exit_status().is_some() {
                return Err(ClusterError::Start(self.log_since(log_start)));
            }
            if Instant::now() > deadline {
                return Err(ClusterError::StartTimeout(self.log_since(log_start)));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Returns the last lines, at most six, that PostgreSQL wrote to its log after a byte position.
    fn log_since(&self, position: u64) -> String {
        const LINES_MAX: usize = 6;
        let bytes = std::fs::read(self.log_path()).unwrap_or_default();
        let new = bytes.get(usize::try_from(position).unwrap_or(0)..).unwrap_or_default();
        let text = String::from_utf8_lossy(new);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES_MAX)..].join(" | ")
    }

    async fn create_database(&self) -> Result<(), ClusterError> {
        let client = connect(&self.url_of("postgres")).await.map_err(ClusterError::Create)?;
        let exists = client
            .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&OWNER])
            .await
            .map_err(ClusterError::Create)?;
        if exists.is_none() {
            client.batch_execute(&format!("CREATE DATABASE {OWNER}")).await.map_err(ClusterError::Create)?;
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(postmaster) = &self.postmaster {
            postmaster.signal(Signal::SIGINT);
        }
    }
}

fn is_fixed(name: &str) -> bool {
    const FILES: [&str; 4] = ["unix_socket_directories", "data_directory", "hba_file", "ident_file"];
    FILES.contains(&name) || FIXED.iter().any(|(fixed, _)| *fixed == name)
}

/// Locks the folder for this process, so that no second process starts a postmaster on it.
fn lock(folder: &Path) -> Result<File, ClusterError> {
    let path = folder.join("lock");
    let file =
        File::options().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(ClusterError::InUse(folder.to_path_buf())),
        Err(std::fs::TryLockError::Error(source)) => Err(ClusterError::Io { what: "lock", path, source }),
    }
}

/// Reads the major version of PostgreSQL that made the data folder; `None` where the folder does not exist yet.
fn data_major(data: &Path) -> Result<Option<u32>, ClusterError> {
    if !data.exists() {
        return Ok(None);
    }
    let path = data.join("PG_VERSION");
    let text = std::fs::read_to_string(&path).map_err(io("read", &path))?;
    text.trim().parse().map(Some).map_err(|error| ClusterError::Io {
        what: "understand",
        path,
        source: std::io::Error::other(error),
    })
}

/// Connects to a database of the cluster over its socket. The connection ends with the client.
///
/// # Errors
/// PostgreSQL does not answer, or does not let this process in.
pub async fn connect(url: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the private PostgreSQL ended");
        }
    });
    Ok(client)
}

fn percent_encoded(path: &Path) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(text, "%{byte:02X}").unwrap_or_default();
        }
    }
    text
}

/// Ends a postmaster that still runs on a folder whose lock no process holds.
async fn end_leftover(data: &Path) -> Result<(), ClusterError> {
    postmaster::end_leftover(data, Duration::from_secs(STOP_SECONDS_MAX)).await
}
