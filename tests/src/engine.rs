//! `xmserver` as its users run it: a process on a data folder, told to stop by signals, asked by HTTP and by commands.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::Signal;
use simulation::process::{self, Process};
use tempfile::TempDir;

use crate::program::xmserver;
use crate::servers::{Dovecot, wait_within};

/// Environment variable with the password of every mailbox.
const PASSWORD_VARIABLE: &str = "MAILBOX_PASSWORD";
const LOG_TAIL_LINES: usize = 40;
/// Longest wait for anything that the engine does.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest wait for more of an answer over HTTP.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// A data folder, and the process on it while there is one.
pub struct Engine {
    process: Option<Process>,
    http: SocketAddr,
    password: String,
    program: PathBuf,
    /// Environment variables of `xmserver run`.
    variables: Vec<(String, String)>,
    /// The process's standard input, for orders what to do to itself; only the program built for nemesis listens.
    orders: Option<ChildStdin>,
    folder: TempDir,
}

/// Where a centre collects and sends.
#[derive(Clone, Debug)]
pub struct Posts<'a> {
    /// Holds the mailboxes.
    pub dovecot: &'a Dovecot,
    /// Addresses of the mailboxes, each with the same password.
    pub mailboxes: &'a [String],
    /// That password.
    pub password: &'a str,
    /// Takes the answers.
    pub relay: SocketAddr,
    /// The centre's own address.
    pub address: &'a str,
    /// Further lines of the configuration file, with their sections.
    pub further: &'a str,
}

impl Engine {
    /// Makes a folder that PostgreSQL's own user may pass, where tests run as root, and configures a centre in it.
    ///
    /// # Errors
    /// The disk is full; no port is free.
    pub fn configured(posts: &Posts<'_>) -> Result<Engine> {
        Engine::of(xmserver()?, posts.password, |http| configuration(posts, http))
    }

    /// Makes such a folder for a given program. `configuration` gets the address at which the program answers over HTTP.
    ///
    /// # Errors
    /// The disk is full; no port is free.
    pub fn of(program: &Path, password: &str, configuration: impl FnOnce(SocketAddr) -> String) -> Result<Engine> {
        let passable = fs::Permissions::from_mode(0o711);
        let folder = tempfile::Builder::new().prefix("xm-engine-").permissions(passable).tempdir()?;
        let http = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let engine = Engine {
            process: None,
            http,
            password: password.to_owned(),
            program: program.to_owned(),
            variables: Vec::new(),
            orders: None,
            folder,
        };
        fs::DirBuilder::new().create(engine.data())?;
        fs::set_permissions(engine.data(), fs::Permissions::from_mode(0o711))?;
        fs::write(engine.data().join("xmserver.toml"), configuration(http))?;
        Ok(engine)
    }

    /// Makes another engine with the same configuration and keys, as on a second machine.
    ///
    /// # Errors
    /// This one has no keys yet; the disk is full.
    pub fn twin(&self) -> Result<Engine> {
        let text = fs::read_to_string(self.data().join("xmserver.toml"))?;
        let mut twin =
            Engine::of(&self.program, &self.password, |http| text.replace(&self.http.to_string(), &http.to_string()))?;
        let (from, to) = (self.data().join("keys"), twin.data().join("keys"));
        fs::create_dir(&to)?;
        fs::set_permissions(&to, fs::metadata(&from)?.permissions())?;
        for file in fs::read_dir(&from)? {
            let file = file?;
            fs::copy(file.path(), to.join(file.file_name()))?;
        }
        twin.variables.clone_from(&self.variables);
        Ok(twin)
    }

    /// Sets an environment variable of `xmserver run`, from the next start on.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.variables.push((variable.to_owned(), value.to_owned()));
    }

    /// Returns the data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns a folder for whatever else belongs to this centre.
    pub fn place(&self) -> &Path {
        self.folder.path()
    }

    /// Returns where it answers HTTP.
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// Returns the process id.
    ///
    /// # Errors
    /// It does not run.
    pub fn process_id(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("the engine does not run")?.id())
    }

    fn command(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        command.env(PASSWORD_VARIABLE, &self.password).env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    fn place_of_data(&self) -> [OsString; 2] {
        ["--data-folder".into(), self.data().into()]
    }

    /// Runs a command of operators and returns what it prints.
    ///
    /// # Errors
    /// The command says no; the error has its words.
    pub fn operate(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(self.program.as_os_str()).args(self.place_of_data()).args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "xmserver {arguments:?}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts `xmserver run`.
    ///
    /// # Errors
    /// It runs already, or cannot be started.
    pub fn start(&mut self) -> Result<()> {
        self.start_through(&[])
    }

    /// Starts `xmserver run` through a launcher: a command that prepares something, and then becomes the command in its last words.
    ///
    /// # Errors
    /// It runs already, or cannot be started.
    pub fn start_through(&mut self, launcher: &[&str]) -> Result<()> {
        ensure!(self.process.is_none(), "the engine runs already");
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut words = launcher.iter().map(OsStr::new).chain([self.program.as_os_str()]);
        let mut command = self.command(words.next().context("a command has a first word")?);
        command.args(words).args(self.place_of_data());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let mut process = Process::start(command.arg("run").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log))?;
        self.orders = process.take_input();
        self.process = Some(process);
        Ok(())
    }

    /// Gives an order. A program that has just died takes none, which is no error.
    pub fn tell(&mut self, order: &str) {
        if let Some(orders) = &mut self.orders {
            writeln!(orders, "{order}").ok();
        }
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(self.process.as_ref().context("the engine does not run")?.signal(signal)?)
    }

    /// Tells with what status the program has ended by itself, where it has; the engine may then be started again.
    ///
    /// # Errors
    /// The operating system's own.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.process.as_mut().map(Process::ended).transpose()?.flatten();
        if status.is_some() {
            self.process = None;
        }
        Ok(status)
    }

    /// Says whether it was started and has not been stopped or found ended since.
    pub fn is_started(&self) -> bool {
        self.process.is_some()
    }

    /// Returns the path of its log.
    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Waits until it takes mail.
    ///
    /// # Errors
    /// It ends, or does not in time; the error has the end of its log.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        self.wait_until("the engine is ready", |engine| Ok(engine.get("/ready").starts_with("HTTP/1.1 200")))
    }

    /// Waits until a condition holds while the engine runs.
    ///
    /// # Errors
    /// It ends, or the condition does not hold in time; the error has the end of its log.
    pub fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&Engine) -> Result<bool>) -> Result<()> {
        let waited = wait_within(PATIENCE, what, || {
            self.check()?;
            condition(self)
        });
        waited.with_context(|| self.log_tail())
    }

    /// Fails when it has ended by itself.
    ///
    /// # Errors
    /// It has.
    pub fn check(&mut self) -> Result<()> {
        match self.process.as_mut().map(Process::ended).transpose()?.flatten() {
            Some(status) => bail!("the engine ended with {status}\n{}", self.log_tail()),
            None => Ok(()),
        }
    }

    /// Returns an answer over HTTP with its status and body; empty while the engine does not listen.
    pub fn get(&self, path: &str) -> String {
        process::get(self.http, path, ANSWER_PATIENCE)
    }

    /// Returns the sum of a metric over its labels; 0 while there is none.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics");
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Kills the engine as a power cut would.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&mut self) -> Result<()> {
        Ok(self.process.take().context("the engine does not run")?.kill()?)
    }

    /// Tells the engine to drain and waits for its end.
    ///
    /// # Errors
    /// It does not end in time, or badly.
    pub fn stop(&mut self) -> Result<()> {
        self.stop_by(Signal::SIGTERM)
    }

    /// Stops it by the signal of a terminal that is closed.
    ///
    /// # Errors
    /// It does not end in time, or badly.
    pub fn hang_up(&mut self) -> Result<()> {
        self.stop_by(Signal::SIGHUP)
    }

    fn stop_by(&mut self, signal: Signal) -> Result<()> {
        let mut process = self.process.take().context("the engine does not run")?;
        process.signal(signal)?;
        let mut status = None;
        let waited = wait_within(PATIENCE, "the engine has drained", || {
            status = process.ended()?;
            Ok(status.is_some())
        });
        if waited.is_err() {
            process.kill()?;
        }
        waited.with_context(|| self.log_tail())?;
        ensure!(status.is_some_and(|status| status.success()), "the engine ended with {status:?}\n{}", self.log_tail());
        Ok(())
    }

    /// Returns the last lines of its log.
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.process.is_some() && self.kill().is_err() {
            eprintln!("an engine was gone before its test ended\n{}", self.log_tail());
        }
    }
}

fn configuration(posts: &Posts<'_>, http: SocketAddr) -> String {
    let mut text = format!(
        "[server]\nhttp_address = \"{http}\"\n[relay]\naddress = \"{}\"\n\
         [relay.smtp]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n{}",
        posts.address,
        posts.relay.port(),
        posts.further,
    );
    for (at, mailbox) in posts.mailboxes.iter().enumerate() {
        text.push_str(&format!(
            "[[mailbox]]\nname = \"box{at}\"\npoll_interval_seconds = 1\n[mailbox.pop3]\nhost = \"127.0.0.1\"\nport = {}\n\
             security = \"none\"\nusername = \"{mailbox}\"\npassword_env = \"{PASSWORD_VARIABLE}\"\n",
            posts.dovecot.pop3_address().port(),
        ));
    }
    text
}
