//! Runs a program as a child process: starts it, queries it over HTTP, sends it signals, kills it. The demo, the tests and the benchmarks
//! each have their own way of waiting for the program, so this module does not wait for it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, ChildStdin, Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

/// A child process. If it still runs when this value is dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a command.
    ///
    /// # Errors
    /// The operating system cannot start it.
    pub fn start(command: &mut Command) -> io::Result<Process> {
        Ok(Process { child: command.spawn()? })
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Takes the process's standard input; none where that is not a pipe, or was taken before.
    pub fn take_input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Takes the process's standard error; none where that is not a pipe, or was taken before.
    pub fn take_errors(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Sends a signal to the process.
    ///
    /// # Errors
    /// The process has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(signal::kill(Pid::from_raw(self.id().cast_signed()), signal)?)
    }

    /// Returns the exit status of the process; none while it runs.
    ///
    /// # Errors
    /// The operating system fails.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Kills the process with SIGKILL, which gives it no time to clean up, and waits until it has ended.
    ///
    /// # Errors
    /// The operating system fails.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process has usually ended already. A `drop` cannot report an error.
        self.kill().unwrap_or_default();
    }
}

/// Sends a GET request over HTTP and returns the whole answer, with status line and header. Returns an empty text where nobody listens, or
/// where nothing more comes within `patience`.
pub fn get(address: SocketAddr, path: &str, patience: Duration) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), patience).unwrap_or_default()
}

/// Sends the text of an HTTP request without a change, and returns the whole answer. The request must ask the server to close the
/// connection, because the answer is read up to the end of the connection.
///
/// # Errors
/// Nobody listens; nothing more comes within `patience`; the answer is not UTF-8.
pub fn ask(address: SocketAddr, words: &str, patience: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(words.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Returns the largest resident memory that a process ever had, in megabytes (`proc_pid_status(5)`); none where the process has ended.
pub fn rss_mb_max(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes = line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()?;
    Some(kilobytes / 1024.0)
}
