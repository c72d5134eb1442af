//! `xmserver` as its users run it: a process with a data folder, which is controlled by signals, HTTP requests and commands.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::pty::openpty;
use nix::sys::signal::Signal;
use simulation::process::{self, Process};
use tempfile::TempDir;

use crate::program::xmserver;
use crate::servers::{Dovecot, Port, wait_within};

/// Environment variable with the password of every mailbox.
const PASSWORD_VARIABLE: &str = "MAILBOX_PASSWORD";
const LOG_TAIL_LINES: usize = 40;
/// Longest wait for anything that the engine does.
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest wait for the next octets of an HTTP answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// A data folder with its configuration, and the engine's process while it runs.
pub struct Engine {
    process: Option<Process>,
    /// Address at which the program answers HTTP requests, and its port, where that is one of 127.0.0.1.
    http: SocketAddr,
    _port: Option<Port>,
    password: String,
    program: PathBuf,
    /// Environment variables for `xmserver run`.
    variables: Vec<(String, String)>,
    /// Standard input of the process. A test writes orders to it, for example to be killed at a given place. Only a program built with the
    /// feature `nemesis` reads these orders.
    orders: Option<ChildStdin>,
    folder: TempDir,
}

/// Mailboxes and relay of a centre.
#[derive(Clone, Debug)]
pub struct Posts<'a> {
    /// Mail server with the mailboxes.
    pub dovecot: &'a Dovecot,
    /// Addresses of the mailboxes. All have the same password.
    pub mailboxes: &'a [String],
    /// Password of every mailbox.
    pub password: &'a str,
    /// Address of the relay to which answers are sent.
    pub relay: SocketAddr,
    /// E-mail address of the centre.
    pub address: &'a str,
    /// Further sections of the configuration file.
    pub further: &'a str,
}

impl Engine {
    /// Makes a folder and configures a centre in it. Where tests run as root, the engine's PostgreSQL runs as another user, so the folder
    /// lets all users pass.
    ///
    /// # Errors
    /// The disk is full; no port is free.
    pub fn configured(posts: &Posts<'_>) -> Result<Engine> {
        Engine::configured_for(xmserver()?, posts)
    }

    /// Does what [`Engine::configured`] does, for a given program.
    ///
    /// # Errors
    /// Those of [`Engine::configured`].
    pub fn configured_for(program: &Path, posts: &Posts<'_>) -> Result<Engine> {
        Engine::of(program, posts.password, |http| configuration(posts, http))
    }

    /// Makes a folder like [`Engine::configured`], for a given program. `configuration` receives the address at which the program answers
    /// HTTP requests, and returns the text of the configuration file.
    ///
    /// # Errors
    /// The disk is full; no port is free.
    pub fn of(program: &Path, password: &str, configuration: impl FnOnce(SocketAddr) -> String) -> Result<Engine> {
        let port = Port::hold().context("no free port on 127.0.0.1")?;
        let (http, text) = (port.address(), configuration(port.address()));
        Engine::made(program, password, (http, Some(port)), &text)
    }

    /// Makes a folder with this text as its configuration, for a program that answers HTTP requests at an address of another machine, or
    /// of what stands for one.
    ///
    /// # Errors
    /// The disk is full.
    pub fn at(program: &Path, password: &str, http: SocketAddr, configuration: &str) -> Result<Engine> {
        Engine::made(program, password, (http, None), configuration)
    }

    fn made(program: &Path, password: &str, http: (SocketAddr, Option<Port>), configuration: &str) -> Result<Engine> {
        let passable = fs::Permissions::from_mode(0o711);
        let folder = tempfile::Builder::new().prefix("xm-engine-").permissions(passable).tempdir()?;
        let engine = Engine {
            process: None,
            http: http.0,
            _port: http.1,
            password: password.to_owned(),
            program: program.to_owned(),
            variables: Vec::new(),
            orders: None,
            folder,
        };
        fs::DirBuilder::new().create(engine.data())?;
        fs::set_permissions(engine.data(), fs::Permissions::from_mode(0o711))?;
        fs::write(engine.data().join("xmserver.toml"), configuration)?;
        Ok(engine)
    }

    /// Makes another engine with the same configuration and keys, as on a second machine.
    ///
    /// # Errors
    /// This engine has no keys yet; the disk is full.
    pub fn twin(&self) -> Result<Engine> {
        self.twin_of(&self.program)
    }

    /// Does what [`Engine::twin`] does, with another program.
    ///
    /// # Errors
    /// Those of [`Engine::twin`].
    pub fn twin_of(&self, program: &Path) -> Result<Engine> {
        let text = fs::read_to_string(self.data().join("xmserver.toml"))?;
        let mut twin = Engine::of(program, &self.password, |http| {
            text.replace(&self.http_address().to_string(), &http.to_string())
        })?;
        twin.variables.clone_from(&self.variables);
        self.give_keys(&twin)?;
        Ok(twin)
    }

    /// Copies the keys of this engine's centre to another engine, which has none.
    ///
    /// # Errors
    /// This engine has no keys yet, or the other one has some; the disk is full.
    pub fn give_keys(&self, twin: &Engine) -> Result<()> {
        let (from, to) = (self.data().join("keys"), twin.data().join("keys"));
        fs::create_dir(&to)?;
        fs::set_permissions(&to, fs::metadata(&from)?.permissions())?;
        for file in fs::read_dir(&from)? {
            let file = file?;
            fs::copy(file.path(), to.join(file.file_name()))?;
        }
        Ok(())
    }

    /// Replaces a text in the configuration file. The change takes effect at the next start.
    ///
    /// # Errors
    /// The file does not have the text, or cannot be written.
    pub fn reconfigure(&self, from: &str, to: &str) -> Result<()> {
        let file = self.data().join("xmserver.toml");
        let text = fs::read_to_string(&file)?;
        ensure!(text.contains(from), "the configuration has no {from}");
        Ok(fs::write(file, text.replace(from, to))?)
    }

    /// Sets an environment variable for `xmserver run`. The variable takes effect at the next start.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.variables.push((variable.to_owned(), value.to_owned()));
    }

    /// Returns the data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns the temporary folder of this engine, which has the data folder in it. Tests may put files of their own there.
    pub fn place(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the address at which the engine answers HTTP requests.
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// Returns the process id of the engine.
    ///
    /// # Errors
    /// The engine does not run.
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
    /// The command fails; the error has what the command printed.
    pub fn operate(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(self.program.as_os_str()).args(self.place_of_data()).args(arguments).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "xmserver {arguments:?}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs a command that may fail, and returns its exit code and standard output.
    ///
    /// # Errors
    /// The command cannot be run, or prints what is not UTF-8.
    pub fn ask(&self, arguments: &[&str]) -> Result<(Option<i32>, String)> {
        let output = self.command(self.program.as_os_str()).args(self.place_of_data()).args(arguments).output()?;
        Ok((output.status.code(), String::from_utf8(output.stdout)?))
    }

    /// Starts `xmserver run`.
    ///
    /// # Errors
    /// The engine runs already, or cannot be started.
    pub fn start(&mut self) -> Result<()> {
        // Whoever runs the tests under `nohup` makes them ignore SIGHUP, and the engine would inherit that. This launcher has the engine
        // heed SIGHUP again, as [`Engine::hang_up`] needs.
        self.start_through(&["env", "--default-signal=HUP"])
    }

    /// Starts `xmserver run` through a launcher: a command that prepares something and then executes the command in its last arguments.
    ///
    /// # Errors
    /// The engine runs already, or cannot be started.
    pub fn start_through(&mut self, launcher: &[&str]) -> Result<()> {
        self.start_reading(launcher, Stdio::piped())
    }

    /// Starts `xmserver run` with a terminal as its standard input. Returns the terminal's other end, which keeps it open.
    ///
    /// # Errors
    /// The engine runs already, or cannot be started; there is no terminal to be had.
    pub fn start_at_terminal(&mut self) -> Result<OwnedFd> {
        let terminal = openpty(None, None)?;
        self.start_reading(&["env", "--default-signal=HUP"], Stdio::from(terminal.slave))?;
        Ok(terminal.master)
    }

    fn start_reading(&mut self, launcher: &[&str], input: Stdio) -> Result<()> {
        ensure!(self.process.is_none(), "the engine runs already");
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut words = launcher.iter().map(OsStr::new).chain([self.program.as_os_str()]);
        let mut command = self.command(words.next().context("a command has a first word")?);
        command.args(words).args(self.place_of_data());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let mut process = Process::start(command.arg("run").stdin(input).stdout(Stdio::null()).stderr(log))?;
        self.orders = process.take_input();
        self.process = Some(process);
        Ok(())
    }

    /// Sends an order to the engine's standard input. If the process has just died, the order is lost, and this is no error.
    pub fn tell(&mut self, order: &str) {
        if let Some(orders) = &mut self.orders {
            writeln!(orders, "{order}").ok();
        }
    }

    /// Sends a signal to the engine.
    ///
    /// # Errors
    /// The engine does not run.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(self.process.as_ref().context("the engine does not run")?.signal(signal)?)
    }

    /// Returns the exit status if the process has ended by itself, otherwise `None`. Where it has ended, the engine may be started again.
    ///
    /// # Errors
    /// The operating system fails.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.process.as_mut().map(Process::ended).transpose()?.flatten();
        if status.is_some() {
            self.process = None;
        }
        Ok(status)
    }

    /// Says whether the engine was started, and since then neither stopped nor found to have ended.
    pub fn is_started(&self) -> bool {
        self.process.is_some()
    }

    /// Returns the path of the engine's log.
    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Waits until the engine is ready for mail.
    ///
    /// # Errors
    /// The engine ends, or is not ready in time; the error has the end of its log.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        self.wait_until("the engine is ready", |engine| Ok(engine.get("/ready").starts_with("HTTP/1.1 200")))
    }

    /// Waits until a condition holds while the engine runs.
    ///
    /// # Errors
    /// The engine ends, or the condition does not hold in time; the error has the end of its log.
    pub fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&Engine) -> Result<bool>) -> Result<()> {
        let waited = wait_within(PATIENCE, what, || {
            self.check()?;
            condition(self)
        });
        waited.with_context(|| self.log_tail())
    }

    /// Fails where the engine has ended by itself.
    ///
    /// # Errors
    /// The engine has ended; the error has the end of its log.
    pub fn check(&mut self) -> Result<()> {
        match self.process.as_mut().map(Process::ended).transpose()?.flatten() {
            Some(status) => bail!("the engine ended with {status}\n{}", self.log_tail()),
            None => Ok(()),
        }
    }

    /// Returns the whole answer to an HTTP GET, with status and body; empty while the engine does not listen.
    pub fn get(&self, path: &str) -> String {
        process::get(self.http_address(), path, ANSWER_PATIENCE)
    }

    /// Returns the sum of a metric over its labels; 0 while the metric is not shown.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics");
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        text.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Kills the engine without warning, as a power cut would.
    ///
    /// # Errors
    /// The engine does not run.
    pub fn kill(&mut self) -> Result<()> {
        Ok(self.process.take().context("the engine does not run")?.kill()?)
    }

    /// Sends SIGTERM and waits for the engine's end: the engine takes no new mail, finishes the letters in hand and ends.
    ///
    /// # Errors
    /// The engine does not end in time, or with a failure.
    pub fn stop(&mut self) -> Result<()> {
        self.stop_by(Signal::SIGTERM)
    }

    /// Sends SIGHUP, which a closing terminal sends, and waits for the engine's end. Only an engine at a terminal ends.
    ///
    /// # Errors
    /// The engine does not end in time, or with a failure.
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

    /// Returns the last lines of the engine's log.
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
