//! A program as a process: started, asked over HTTP, signalled, killed. For the demo, tests and benches, each of which waits in
//! its own way.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, ChildStdin, Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

/// A process; killed, where it still runs, when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a command.
    ///
    /// # Errors
    /// The operating system's own.
    pub fn start(command: &mut Command) -> io::Result<Process> {
        Ok(Process { child: command.spawn()? })
    }

    /// Returns its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes its standard input, where that is a pipe and was not taken.
    pub fn take_input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Takes its standard error, where that is a pipe and was not taken.
    pub fn take_errors(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// It is gone.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(signal::kill(Pid::from_raw(self.id().cast_signed()), signal)?)
    }

    /// Tells with what status it has ended, where it has.
    ///
    /// # Errors
    /// The operating system's own.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Kills it as a power cut would, and waits until it is gone.
    ///
    /// # Errors
    /// The operating system's own.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process has mostly ended already, and nobody could do anything about an error.
        self.kill().unwrap_or_default();
    }
}

/// Asks over HTTP and returns the answer, status and head included. It is empty while nobody listens, and where nothing more comes within
/// `patience`.
pub fn get(address: SocketAddr, path: &str, patience: Duration) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), patience).unwrap_or_default()
}

/// Sends a request over HTTP as it stands and returns the answer as it comes. The request must ask that the connection be closed.
///
/// # Errors
/// Nobody listens; nothing more comes for so long; the answer is no text.
pub fn ask(address: SocketAddr, words: &str, patience: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(words.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Returns the most memory that a process ever had resident, in megabytes (`proc_pid_status(5)`); nothing where it is gone.
pub fn rss_mb_max(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes = line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()?;
    Some(kilobytes / 1024.0)
}
