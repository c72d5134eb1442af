//! A private PostgreSQL in a folder of ours: the database of whoever configured none, and of every test.
//!
//! Promises: only a unix socket in a folder that nobody else may enter, and behind it only whom the kernel says runs this
//! program (`access`); checksums and fsync on, and no setting may
//! turn durability off; never two on one folder; never as root; ready means that a connection was made; when this
//! process dies the postmaster shuts down, and what a killed run left behind is found by its process, not by its file.
//! The server's log holds no statement, no parameter and no value (personal data stays in the tables).

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
mod postmaster;
mod service_user;
pub mod testing;
#[cfg(test)]
mod tests;
mod wal;

pub use binaries::{Binaries, MAJOR_MIN};
pub use error::ClusterError;
use error::io;
use postmaster::Postmaster;
use service_user::ServiceUser;

/// Superuser of the cluster and name of its database.
const OWNER: &str = "xmserver";
/// A role that may sign in beside the superuser, once somebody has made it: what it may do is the affair of whoever does.
pub const READER: &str = "xm_reader";
const START_SECONDS_MAX: u64 = 300;
const STOP_SECONDS_MAX: u64 = 30;
/// A unix socket's address holds 108 bytes with its closing NUL (`sockaddr_un`).
const SOCKET_PATH_BYTES_MAX: usize = 107;
const POLL: Duration = Duration::from_millis(20);

/// Settings that nobody may change: each one would break a promise.
const FIXED: &[(&str, &str)] = &[
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("synchronous_commit", "on"),
    // An ERROR's text quotes the value that was wrong, its detail the row: the program reports the fault without them.
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

/// Settings of ours that may be overridden.
const USUAL: &[(&str, &str)] = &[
    ("log_line_prefix", "%m [%p] "),
    ("log_checkpoints", "off"),
    ("max_wal_size", "2GB"),
    ("random_page_cost", "1.1"),
    ("jit", "off"),
];

/// Where a private cluster lives and what it runs on.
#[derive(Clone, Debug, Default)]
pub struct ClusterSettings {
    /// Folder of the cluster; made when missing. Where we are root, its ancestors must let the service user pass.
    pub data_folder: PathBuf,
    /// Folder with `postgres` and `initdb`; searched for when absent.
    pub binaries: Option<PathBuf>,
    /// Further settings of PostgreSQL, name and value.
    pub settings: Vec<(String, String)>,
}

/// A private PostgreSQL. Dropped, it shuts down in the background; `stop` waits for that.
pub struct Cluster {
    folder: PathBuf,
    binaries: Binaries,
    user: Option<ServiceUser>,
    settings: Vec<(String, String)>,
    postmaster: Option<Postmaster>,
    // Held for as long as we may start a postmaster here; the kernel frees it however we end.
    _lock: File,
}

impl Cluster {
    /// Makes the cluster where there is none, and starts it.
    ///
    /// # Errors
    /// See [`ClusterError`]; each says what to do.
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

    /// Returns the URL of a database of this cluster for the other role.
    pub fn reader_url_of(&self, database: &str) -> String {
        format!("postgresql://{READER}@{}/{database}", percent_encoded(&self.socket_folder()))
    }

    /// Returns the postmaster's process id, while it is known to run.
    pub fn pid(&self) -> Option<i32> {
        self.postmaster
            .as_ref()
            .filter(|postmaster| postmaster.exit_status().is_none())
            .map(|postmaster| postmaster.pid().as_raw())
    }

    /// Waits until the postmaster has ended, by itself or killed by somebody else. Returns how, where that is known.
    pub async fn ended(&self) -> Option<ExitStatus> {
        match &self.postmaster {
            Some(postmaster) => postmaster.ended().await,
            None => None,
        }
    }

    /// Says whether the PostgreSQL of a folder runs as a user that other programs of the machine run as too: whoever can become that
    /// user can read the data. Such a user owns the data, whichever process has started PostgreSQL.
    pub fn shared_user(folder: &Path) -> Option<String> {
        ServiceUser::owner(&folder.join("data")).filter(ServiceUser::is_shared).map(|user| user.name)
    }

    /// Returns the programs in use.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Returns the path of the server's log.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    /// Shuts down: sessions are ended, a checkpoint is written. A postmaster that does not go in time is made to.
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

    /// Kills postmaster and sessions outright, as a power cut would. For fault tests.
    pub async fn kill(&mut self) {
        if let Some(postmaster) = self.postmaster.take() {
            postmaster.kill_with_children();
            postmaster.ended_within(Duration::from_secs(10)).await;
        }
    }

    /// Stops the cluster if it runs and starts it again on the same data.
    ///
    /// # Errors
    /// As for [`Cluster::start`].
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

    /// Runs `initdb` beside the final place: a half-made data folder never bears its name.
    fn initialise(&self) -> Result<(), ClusterError> {
        let (data, unfinished) = (self.folder.join("data"), self.folder.join("data.unfinished"));
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).map_err(io("remove", &unfinished))?;
        }
        self.private_folder(&unfinished)?;
        let output = postmaster::unprivileged(&self.binaries.program("initdb"), self.user.as_ref())
            .args(["--data-checksums", "--auth=reject", "--encoding=UTF8", "--locale=C.UTF-8", "--lc-messages=C"])
            // Texts in the order of their characters' numbers, as C.UTF-8 has it too; PostgreSQL compares octets faster.
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
    /// Tried again while the children of a killed postmaster still hold its shared memory: they notice its death soon.
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
        // The last of several settings of one name holds: the fixed ones.
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

    /// Returns the end of what the server logged since a position.
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

/// Takes the folder for this process.
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

/// Reads the major version that made the data folder, where there is one.
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

/// Ends a postmaster that still runs on a folder whose lock nobody holds.
async fn end_leftover(data: &Path) -> Result<(), ClusterError> {
    postmaster::end_leftover(data, Duration::from_secs(STOP_SECONDS_MAX)).await
}
