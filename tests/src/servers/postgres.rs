//! A PostgreSQL of an operator's own: it listens on the network, with TLS, and is the primary of a centre's database or a standby.
//!
//! A COMMIT of a primary waits until one of its standbys has it (`synchronous_standby_names`). PostgreSQL needs root here, since its
//! processes change to the user `postgres`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cluster::Binaries;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::certificate::Certificate;
use super::daemon::Daemon;
use super::folder::{Folder, Owner, give, is_root};
use super::place::Place;
use super::wait_within;

/// Superuser and database of the centre.
pub const OWNER: &str = "xmserver";
/// User of the system whom PostgreSQL runs as.
const SYSTEM_USER: &str = "postgres";
/// PostgreSQL's usual port.
pub const PORT: u16 = 5432;
/// Longest wait for the end of PostgreSQL.
const END_MAX: Duration = Duration::from_secs(20);

/// A PostgreSQL, running or stopped.
#[derive(Debug)]
pub struct Postgres {
    /// The process. The field is declared first, so that the process ends before its folder is removed.
    daemon: Option<Daemon>,
    /// Name under which a primary knows this standby.
    name: String,
    address: SocketAddr,
    place: Place,
    binaries: Binaries,
    /// Place of the data, where that is not in `folder`.
    elsewhere: Option<PathBuf>,
    folder: Folder,
}

impl Postgres {
    /// Makes a new PostgreSQL, which is not started. Once it is a primary, its commits wait for one of the standbys with these names.
    /// Its data may lie elsewhere than in its own folder.
    pub fn make(
        (name, place, port): (&str, Place, u16),
        standbys: &[&str],
        certificate: &Certificate,
        elsewhere: Option<&Path>,
    ) -> Result<Postgres> {
        ensure!(is_root(), "this PostgreSQL starts as root only: its processes change to the user {SYSTEM_USER}");
        let folder = Folder::make(name)?;
        let owner = Owner::named(SYSTEM_USER)?;
        let (binaries, elsewhere) = (Binaries::find(None, None)?, elsewhere.map(Path::to_owned));
        let address = SocketAddr::new(place.address, port);
        let postgres = Postgres { daemon: None, name: name.to_owned(), address, place, binaries, elsewhere, folder };
        for (source, name) in [(&certificate.certificate_path, "server.crt"), (&certificate.key_path, "server.key")] {
            let copy = postgres.folder.path().join(name);
            fs::copy(source, &copy)?;
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600))?;
            give(&copy, Some(owner))?;
        }
        postgres.folder.write("hba", HOSTS)?;
        postgres.folder.write("postgresql.conf", &postgres.configuration(standbys))?;
        fs::create_dir_all(postgres.data())?;
        fs::set_permissions(postgres.data(), fs::Permissions::from_mode(0o700))?;
        give(&postgres.data(), Some(owner))?;
        Ok(postgres)
    }

    /// Fills the data folder with an empty database cluster.
    pub fn initialise(&self) -> Result<()> {
        let data = self.data();
        let data = data.to_str().context("the temporary folder's name is no text")?;
        let settings = ["--data-checksums", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--lc-collate=C"];
        self.run("initdb", &[&settings[..], &["--no-instructions", "--username", OWNER, "--pgdata", data]].concat())
    }

    /// Replaces the data by a copy of a running primary's. The next start is that of a standby of this primary.
    pub fn copy_from(&mut self, primary: &Postgres) -> Result<()> {
        self.kill();
        for entry in fs::read_dir(self.data())? {
            let path = entry?.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
        let (data, address) = (self.data(), primary.address.ip().to_string());
        let data = data.to_str().context("the temporary folder's name is no text")?;
        let port = primary.address.port().to_string();
        let from = ["--host", &address, "--port", &port, "--username", OWNER, "--no-password"];
        self.run(
            "pg_basebackup",
            &[&from[..], &["--checkpoint=fast", "--wal-method=stream", "--pgdata", data]].concat(),
        )?;
        fs::write(self.data().join("standby.signal"), "")?;
        self.follow_from_start(primary)
    }

    /// Makes a stopped standby follow this primary from its next start on.
    pub fn follow_from_start(&self, primary: &Postgres) -> Result<()> {
        let text = format!("primary_conninfo = '{}'\n", self.way_to(primary));
        let file = self.data().join("postgresql.auto.conf");
        fs::write(&file, text)?;
        let owner = Owner::named(SYSTEM_USER)?;
        give(&file, Some(owner))?;
        give(&self.data().join("standby.signal"), Some(owner))
    }

    /// Returns the settings by which this standby reaches a primary.
    pub fn way_to(&self, primary: &Postgres) -> String {
        format!(
            "host={} port={} user={OWNER} application_name={} connect_timeout=3 sslmode=disable",
            primary.address.ip(),
            primary.address.port(),
            self.name
        )
    }

    /// Starts PostgreSQL, without waiting until it answers.
    pub fn start(&mut self) -> Result<()> {
        if self.daemon.is_none() {
            let (data, file) = (self.data(), self.folder.path().join("postgresql.conf"));
            let (data, file) = (data.to_string_lossy(), format!("config_file={}", file.display()));
            let program = self.binaries.program("postgres");
            let program = program.to_str().context("the folder of PostgreSQL's programs is no text")?;
            let place = self.as_service_user();
            self.daemon = Some(Daemon::start_at(&place, program, &["-D", &data, "-c", &file], &self.folder)?);
        }
        Ok(())
    }

    /// Changes a setting from the next start on.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        let mut file = fs::File::options().append(true).open(self.folder.path().join("postgresql.conf"))?;
        Ok(writeln!(file, "{name} = '{value}'")?)
    }

    /// Says whether PostgreSQL was started, and since then neither killed nor stopped, and has not ended by itself.
    pub fn is_running(&mut self) -> Result<bool> {
        self.daemon.as_mut().map_or(Ok(false), |daemon| Ok(!daemon.has_ended()?))
    }

    /// Kills all processes of PostgreSQL at once, frozen or not, as a power cut would.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.daemon = None;
        // The sessions are no children of this process. The kernel has ended them soon.
        let data = self.data();
        let ended = wait_within(END_MAX, "PostgreSQL's processes have ended", || Ok(standing_in(&data).is_empty()));
        if let Err(error) = ended {
            eprintln!("{error}");
        }
        // A process of another namespace may have the process id that this file names.
        fs::remove_file(data.join("postmaster.pid")).unwrap_or_default();
    }

    /// Stops PostgreSQL in order: it ends its sessions and writes a checkpoint.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        daemon.signal(Signal::SIGINT)?;
        wait_within(END_MAX, "PostgreSQL has ended", || daemon.has_ended())
    }

    /// Stops all processes of PostgreSQL, as those of a frozen machine are, or lets them go on.
    pub fn signal(&self, signal: Signal) {
        let Some(daemon) = &self.daemon else { return };
        let mut reached: BTreeSet<i32> = BTreeSet::new();
        // The postmaster is first, so that it starts no process that would go on.
        let Ok(postmaster) = i32::try_from(daemon.id()) else { return };
        let mut next = vec![postmaster];
        while let Some(pid) = next.pop() {
            // A session may have ended meanwhile.
            kill(Pid::from_raw(pid), signal).unwrap_or_default();
            reached.insert(pid);
            if next.is_empty() {
                next.extend(standing_in(&self.data()).into_iter().filter(|pid| !reached.contains(pid)));
            }
        }
    }

    /// Returns the address at which PostgreSQL listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the name under which a primary knows this standby.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the URL of the centre's database for connections without TLS, which only the machine of the test may make.
    pub fn url(&self) -> String {
        format!("postgresql://{OWNER}@{}/{OWNER}?connect_timeout=1", self.address())
    }

    /// Returns the path of PostgreSQL's log.
    pub fn log_path(&self) -> &Path {
        self.folder.log_path()
    }

    /// Returns the last lines of PostgreSQL's log.
    pub fn tail_of_log(&self) -> String {
        self.folder.tail_of_log()
    }

    fn data(&self) -> PathBuf {
        self.elsewhere.clone().unwrap_or_else(|| self.folder.path().join("data"))
    }

    /// Returns a place in which programs run as PostgreSQL's own user.
    fn as_service_user(&self) -> Place {
        let mut place = self.place.clone();
        let change = ["setpriv", "--reuid", SYSTEM_USER, "--regid", SYSTEM_USER, "--init-groups", "--pdeathsig", "INT"];
        place.launcher.extend(change.map(str::to_owned));
        place.launcher.push("--".to_owned());
        place
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let launcher = self.as_service_user().launcher;
        let (first, rest) = launcher.split_first().context("a launcher has a first word")?;
        let output =
            Command::new(first).args(rest).arg(self.program(program)).args(arguments).current_dir("/").output()?;
        ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Not every folder with a server's programs has those of clients.
    fn program(&self, name: &str) -> PathBuf {
        Some(self.binaries.program(name)).filter(|path| path.exists()).unwrap_or_else(|| name.into())
    }

    fn configuration(&self, standbys: &[&str]) -> String {
        let (address, port, folder) = (self.address.ip(), self.address.port(), self.folder.path().display());
        let mut text = format!("listen_addresses = '{address}'\nport = {port}\nhba_file = '{folder}/hba'\n{SETTINGS}");
        text.push_str(&format!("ssl_cert_file = '{folder}/server.crt'\nssl_key_file = '{folder}/server.key'\n"));
        if !standbys.is_empty() {
            text.push_str(&format!("synchronous_standby_names = 'ANY 1 ({})'\n", standbys.join(", ")));
        }
        text
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Who may connect: everybody on the test's network. Its machines use TLS; the test itself and standbys need not.
const HOSTS: &str = "host all all samenet trust\nhost replication all samenet trust\n";

/// Settings that all have. A standby or primary that is silent for seconds is given up, so that a test need not wait for minutes.
const SETTINGS: &str = "\
unix_socket_directories = ''
ssl = on
max_connections = 200
shared_buffers = 48MB
jit = off
wal_level = replica
wal_keep_size = '128MB'
max_wal_senders = 10
hot_standby = on
wal_receiver_timeout = '4s'
wal_sender_timeout = '4s'
wal_retrieve_retry_interval = '300ms'
wal_receiver_status_interval = '1s'
tcp_user_timeout = '5s'
log_destination = stderr
log_line_prefix = '%m [%p] '
log_checkpoints = off
";

/// Returns the processes whose working folder is this folder: PostgreSQL's, which work in their data folder.
fn standing_in(folder: &Path) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder)).collect()
}
