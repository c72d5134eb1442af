//! The postmaster as a child of this process, and the postmaster that is left over from a killed process.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

use crate::service_user::ServiceUser;
use crate::{ClusterError, io};

const POLL: Duration = Duration::from_millis(20);

/// A running postmaster. Its keeper thread starts it and waits for its end.
pub struct Postmaster {
    pid: Pid,
    exited: watch::Receiver<Option<ExitStatus>>,
}

impl Postmaster {
    /// Starts the postmaster from a thread that lives as long as the postmaster.
    ///
    /// The postmaster asks Linux for a signal at the death of its parent, so that it does not outlive this process. Linux sends the signal
    /// when the *thread* that started the postmaster ends. A thread of a runtime's blocking pool ends after some idle time, and the
    /// postmaster would end with it.
    pub fn spawn(command: Command) -> Result<Postmaster, ClusterError> {
        let program = PathBuf::from(command.get_program());
        let (exited_sender, exited) = watch::channel(None);
        let (pid_sender, pid_receiver) = std::sync::mpsc::channel();
        std::thread::Builder::new()
            .name("postgres-keeper".to_owned())
            .spawn(move || keep(command, &pid_sender, &exited_sender))
            .map_err(io("start the thread that keeps", &program))?;
        let raw = pid_receiver
            .recv()
            .map_err(|_gone| ClusterError::KeeperGone)?
            .map_err(|source| ClusterError::Io { what: "start", path: program, source })?;
        Ok(Postmaster { pid: Pid::from_raw(raw), exited })
    }

    /// Returns the postmaster's process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Returns the postmaster's exit status; none while it runs.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        *self.exited.borrow()
    }

    /// Sends a signal to the postmaster, unless it has ended: another process could have its process id by then.
    pub fn signal(&self, signal: Signal) {
        if self.exit_status().is_none() && kill(self.pid, signal).is_err() {
            tracing::debug!(pid = self.pid.as_raw(), "the postmaster ended before the signal");
        }
    }

    /// Kills the postmaster together with its sessions, as a power cut would. If only the postmaster were killed, the sessions would still
    /// finish what they are doing.
    pub fn kill_with_children(&self) {
        let pid = self.pid.as_raw();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        self.signal(Signal::SIGKILL);
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            if kill(Pid::from_raw(child), Signal::SIGKILL).is_err() {
                tracing::debug!(child, "a session ended before the signal");
            }
        }
    }

    /// Waits until the postmaster has ended, and returns its exit status; none where its keeper thread ended without the status.
    pub async fn ended(&self) -> Option<ExitStatus> {
        let mut exited = self.exited.clone();
        exited.wait_for(Option::is_some).await.ok().and_then(|status| *status)
    }

    /// Waits until the postmaster has ended, but no longer than `limit`. Returns whether it has ended.
    pub async fn ended_within(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.ended()).await.is_ok()
    }
}

fn keep(
    mut command: Command,
    pid_sender: &std::sync::mpsc::Sender<std::io::Result<i32>>,
    exited: &watch::Sender<Option<ExitStatus>>,
) {
    let started = command.spawn();
    let (reply, child) = match started {
        Ok(child) => (Ok(i32::try_from(child.id()).unwrap_or(i32::MAX)), Some(child)),
        Err(error) => (Err(error), None),
    };
    if pid_sender.send(reply).is_err() {
        tracing::debug!("nobody waits for the postmaster any more");
    }
    if let Some(Ok(status)) = child.map(|mut child| child.wait()) {
        exited.send_replace(Some(status));
    }
}

/// Makes a command that runs as the service user, without this process's environment. Ctrl-C at the terminal does not reach the command's
/// process: after it this program still finishes the letters in hand, for which it needs its database.
pub fn unprivileged(program: &Path, user: Option<&ServiceUser>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/").process_group(0).stdin(Stdio::null());
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

/// Makes the postmaster's command. By the program `setpriv` it asks Linux for a signal when this process dies, so that the postmaster then
/// shuts down.
///
/// Where `setpriv` is missing or may not do that, the postmaster outlives a process that is killed, and the next start finds it and shuts
/// it down.
pub fn dying_with_us(program: &Path, user: Option<&ServiceUser>) -> Command {
    let arranged = Command::new("setpriv")
        .args(["--pdeathsig", "INT", "--", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !arranged {
        return unprivileged(program, user);
    }
    let mut command = unprivileged(Path::new("setpriv"), user);
    command.args(["--pdeathsig", "INT", "--"]).arg(program);
    command
}

/// Shuts down a postmaster that still runs on the data folder of a killed process. The caller has the folder's lock.
///
/// The pid file tells the postmaster's process id. After a reboot another process may have that id, so only a process whose working folder
/// is the data folder is taken for the postmaster.
pub async fn end_leftover(data: &Path, deadline: Duration) -> Result<(), ClusterError> {
    let pid_file = data.join("postmaster.pid");
    let Some(pid) = read_pid(&pid_file) else { return Ok(()) };
    if !is_alive(pid) {
        return Ok(());
    }
    if !stands_in(pid, data) {
        // The process is somebody else's. PostgreSQL would take it for a postmaster all the same, and refuse to start, so the pid file is
        // removed.
        return std::fs::remove_file(&pid_file).map_err(io("remove the stale", &pid_file));
    }
    tracing::info!(pid = pid.as_raw(), "shutting down the PostgreSQL that a killed run left behind");
    for (signal, share) in [(Signal::SIGINT, 2), (Signal::SIGQUIT, 4)] {
        if kill(pid, signal) == Err(Errno::EPERM) {
            break;
        }
        let until = Instant::now() + deadline / share;
        while Instant::now() < until {
            if !is_alive(pid) || !stands_in(pid, data) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Err(ClusterError::LeftoverStays { pid: pid.as_raw(), folder: data.to_path_buf() })
}

fn read_pid(pid_file: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(pid_file).ok()?;
    let raw: i32 = text.lines().next()?.trim().parse().ok()?;
    (raw > 0).then(|| Pid::from_raw(raw))
}

fn is_alive(pid: Pid) -> bool {
    kill(pid, None) != Err(Errno::ESRCH)
}

fn stands_in(pid: Pid, data: &Path) -> bool {
    let working_folder = std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw()));
    match (working_folder, data.canonicalize()) {
        (Ok(working_folder), Ok(data)) => working_folder == data,
        _ => false,
    }
}

/// Opens the log for appending. A log that has grown large is first renamed to `postgres.log.1`.
pub fn open_log(path: &Path) -> Result<File, ClusterError> {
    const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX) {
        let older = path.with_extension("log.1");
        std::fs::rename(path, &older).map_err(io("rename", path))?;
    }
    File::options().create(true).append(true).mode(0o600).open(path).map_err(io("open", path))
}
