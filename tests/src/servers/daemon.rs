//! The process of a server. It is a direct child in a process group of its own, and it ends with the test's process, however the test's
//! process ends.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::folder::Folder;
use super::place::Place;
use super::wait_until;

/// A running server process, with the processes that it started.
#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
    leader: Pid,
}

impl Daemon {
    /// Starts a program that stays in the foreground. Its output goes to the log in the folder.
    pub(super) fn start(program: &str, arguments: &[&str], folder: &Folder) -> Result<Daemon> {
        Daemon::start_at(&Place::default(), program, arguments, folder)
    }

    /// Does what [`Daemon::start`] does, in a given place.
    pub(super) fn start_at(place: &Place, program: &str, arguments: &[&str], folder: &Folder) -> Result<Daemon> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.log_path())?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--"]).args(&place.launcher).arg(program).args(arguments);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let child = spawn_for_the_process(command).with_context(|| format!("starting {program} by setpriv"))?;
        let leader = Pid::from_raw(i32::try_from(child.id())?);
        Ok(Daemon { child, leader })
    }

    /// Waits until a server sends its greeting on a port. Fails if the process ends first, or at the deadline.
    pub(super) fn wait_for_greeting(&mut self, address: SocketAddr, greeting: &str, folder: &Folder) -> Result<()> {
        let child = &mut self.child;
        let ready = wait_until(&format!("{address} greets with {greeting}"), || {
            if let Some(status) = child.try_wait()? {
                bail!("the server ended with {status}");
            }
            Ok(greets(address, greeting))
        });
        ready.with_context(|| format!("the end of its log:\n{}", folder.tail_of_log()))
    }

    /// Returns the id of the server's first process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to end, and waits until its first process has ended or the deadline has come. Whatever process of the server still
    /// runs then is killed.
    pub(super) fn stop(mut self) -> Result<()> {
        kill(self.leader, Signal::SIGTERM)?;
        let child = &mut self.child;
        wait_until("the server has ended", || Ok(child.try_wait()?.is_some()))
    }

    /// Sends a signal to the server and to those of its processes that are in its group.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(killpg(self.leader, signal)?)
    }

    /// Says whether the server's first process has ended.
    pub(super) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Kills the server and all its processes.
    fn kill(&mut self) -> Result<()> {
        match killpg(self.leader, Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => return Err(error).context("killing a server's processes"),
        }
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("a server may still be running: {error:#}");
        }
    }
}

/// Longest wait for a greeting over one connection. After that the test opens another, because a server that is just starting may take a
/// connection and never answer it.
const GREETING_WAIT: Duration = Duration::from_millis(500);

fn greets(address: SocketAddr, greeting: &str) -> bool {
    let Ok(stream) = TcpStream::connect_timeout(&address, GREETING_WAIT) else { return false };
    if stream.set_read_timeout(Some(GREETING_WAIT)).is_err() {
        return false;
    }
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok() && line.starts_with(greeting)
}

type Order = (Command, SyncSender<std::io::Result<Child>>);

/// Starts a process from a thread that lives as long as this process. The kernel sends the death signal when the *thread* that started the
/// child ends (prctl(2), PR_SET_PDEATHSIG). Each test runs in a thread of its own, and another test may use the server after the thread
/// that started it has ended.
fn spawn_for_the_process(command: Command) -> Result<Child> {
    static STARTER: OnceLock<SyncSender<Order>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (orders, incoming) = sync_channel::<Order>(0);
        std::thread::spawn(move || {
            for (mut command, answer) in incoming {
                if answer.send(command.spawn()).is_err() {
                    return;
                }
            }
        });
        orders
    });
    let (answer, started) = sync_channel(1);
    if starter.send((command, answer)).is_err() {
        bail!("the thread that starts servers is gone");
    }
    Ok(started.recv()??)
}
