//! The room of the lab: namespaces of its own, in which it makes networks, processes and mounts. When the lab ends, in whatever way, the
//! kernel removes them all, and whoever opened the room removes its folder. If that one is killed, the next one removes the folder.
//!
//! The program runs twice. Outside, it makes a folder, opens the room, and waits. Inside, it is the lab.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result};
use nix::unistd::geteuid;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

/// Command that makes new namespaces: for networks, processes, mounts, and System V shared memory. With `--kill-child`, its end is the
/// kernel's SIGKILL to the first process inside, and with that one all others end, even frozen ones.
const UNSHARE: [&str; 7] = ["unshare", "--net", "--pid", "--mount", "--ipc", "--fork", "--kill-child"];
/// Shell commands of the first process inside. It buries processes whose parent has died, which is the duty of a first process.
const FIRST: &str = r#""$0" "$@" & wait $!"#;
/// Programs without which there is no lab, and what is lost without them.
const PROGRAMS: [&str; 5] = ["unshare", "nsenter", "setpriv", "ip", "haproxy"];
/// Part of the name of the room's folder.
const PREFIX: &str = "xm-lab-";
/// File in the room's folder that is locked as long as the room is open.
const LOCK: &str = "lock";

/// Says why this machine cannot have a room; `None` where it can.
pub fn hindrance() -> Option<String> {
    if !geteuid().is_root() {
        return Some("only root may make its networks".to_owned());
    }
    let lacking = PROGRAMS.into_iter().find(|program| !is_there(program));
    if let Some(program) = lacking {
        return Some(format!("the program {program} is missing"));
    }
    let (first, rest) = UNSHARE.split_first()?;
    let tried =
        Command::new(first).args(rest).args(["--mount-proc", "ip", "link", "add", "xm0", "type", "bridge"]).output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            Some(format!("namespaces are not allowed here: {}", String::from_utf8_lossy(&output.stderr).trim()))
        }
        Err(error) => Some(format!("unshare: {error}")),
    }
}

/// Says whether a program is in a folder of programs.
fn is_there(program: &str) -> bool {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].iter().any(|folder| Path::new(folder).join(program).exists())
}

/// Runs this program with these arguments inside a new room, and returns its exit code. Ctrl-C and SIGTERM end everything inside.
///
/// # Errors
/// The room cannot be opened; see [`hindrance`].
pub fn enter(arguments: &[OsString]) -> Result<i32> {
    remove_abandoned()?;
    let folder = TempDir::with_prefix(PREFIX)?;
    let lock = File::create(folder.path().join(LOCK))?;
    lock.lock()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = runtime.block_on(live(&folder, arguments))?;
    folder.close().context("the room's folder cannot be removed")?;
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
}

/// Removes the folders of rooms whose opener was killed.
fn remove_abandoned() -> Result<()> {
    for entry in fs::read_dir(std::env::temp_dir())?.flatten() {
        let is_room = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let Some(lock) = is_room.then(|| File::open(entry.path().join(LOCK)).ok()).flatten() else { continue };
        if lock.try_lock().is_ok() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

async fn live(folder: &TempDir, arguments: &[OsString]) -> Result<ExitStatus> {
    let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut command = tokio::process::Command::new("setpriv");
    // If this process is killed, unshare is killed too.
    command.args(["--pdeathsig", "KILL", "--"]).args(UNSHARE).args(["--mount-proc", "bash", "-c", FIRST]);
    command.arg(std::env::current_exe()?).args(arguments);
    // Every temporary folder that is made inside lies in the room's folder.
    command.env("TMPDIR", folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    let mut room = command.spawn().context("starting unshare by setpriv")?;
    tokio::select! {
        status = room.wait() => return Ok(status?),
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    eprintln!("lab: ended by a signal");
    room.start_kill()?;
    Ok(room.wait().await?)
}

/// Returns a new place for what is to be kept after the end of the room, such as logs.
///
/// # Errors
/// The disk is full.
pub fn keep() -> Result<PathBuf> {
    let room = std::env::temp_dir();
    // The room's own folder ends with it.
    let outside = room.parent().unwrap_or(&room);
    Ok(tempfile::Builder::new().prefix("xm-lab-logs-").tempdir_in(outside)?.keep())
}
