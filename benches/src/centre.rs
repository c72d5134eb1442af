//! The running centre of one run: Dovecot with the letters in it, a sink for receipts, the engine as a process.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scenarios::servers::{Account, Dovecot};
use tempfile::TempDir;

use crate::stock::{CENTRE_ADDRESS, Stock, xmserver};

/// Mailboxes that letters are spread over.
pub const MAILBOXES: usize = 8;
/// The password of each.
const PASSWORD: &str = "mailbox";
/// Pause between two looks at the engine.
pub const LOOK: Duration = Duration::from_millis(250);

/// Everything that runs, ended when dropped.
pub struct Centre {
    engine: Child,
    sink: Child,
    /// The mailboxes.
    pub dovecot: Dovecot,
    http: SocketAddr,
    folder: TempDir,
}

/// Names a mailbox.
pub fn address(mailbox: usize) -> String {
    format!("box{mailbox}@example.org")
}

/// Starts a Dovecot with every letter of the stock in it.
///
/// # Errors
/// It does not start; the disk is full.
pub fn filled_dovecot(stock: &Stock) -> Result<Dovecot> {
    let accounts: Vec<Account> = (0..MAILBOXES).map(|mailbox| Account::new(address(mailbox), PASSWORD)).collect();
    let dovecot = Dovecot::start(&accounts)?;
    stock.for_each_mail(|at, mail| dovecot.deliver(&address(at % MAILBOXES), mail))?;
    Ok(dovecot)
}

impl Centre {
    /// Starts the engine on a copy of the stock's centre. It begins to collect at once.
    ///
    /// # Errors
    /// A program does not start.
    pub fn start(stock: &Stock, dovecot: Dovecot) -> Result<Centre> {
        // PostgreSQL's own user must be able to pass.
        let folder =
            tempfile::Builder::new().prefix("xm-load-").permissions(fs::Permissions::from_mode(0o711)).tempdir()?;
        let data = folder.path().join("data");
        stock.copy_centre(&data)?;
        let free = || -> Result<SocketAddr> { Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?) };
        let (http, smtp) = (free()?, free()?);
        fs::write(data.join("xmserver.toml"), configuration(&dovecot, http, smtp))?;
        let sink = Command::new("/usr/sbin/smtp-sink")
            .args(["-u", "nobody", &smtp.to_string(), "256"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("smtp-sink, of the package postfix")?;
        let log = fs::File::create(folder.path().join("log"))?;
        let engine = Command::new(xmserver()?)
            .arg("--data-folder")
            .arg(&data)
            .arg("run")
            .env("MAILBOX_PASSWORD", PASSWORD)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Centre { engine, sink, dovecot, http, folder })
    }

    /// Returns the engine's process id.
    pub fn engine_id(&self) -> u32 {
        self.engine.id()
    }

    /// Returns the process id of the engine's PostgreSQL.
    ///
    /// # Errors
    /// It does not run.
    pub fn postgres_id(&self) -> Result<u32> {
        let file = self.database().join("data/postmaster.pid");
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        Ok(text.lines().next().unwrap_or_default().trim().parse()?)
    }

    fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("data/database")
    }

    /// Returns the folder with the engine's data.
    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Returns the sum of a metric over its labels; 0 while there is none.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").unwrap_or_default();
        let values = text
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{') || rest.starts_with(' ')));
        values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.http, LOOK)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Waits until a condition holds, and fails when the engine ends or the deadline passes.
    ///
    /// # Errors
    /// As said, with the end of the engine's log.
    pub fn wait(&mut self, what: &str, longest: Duration, mut condition: impl FnMut(&Centre) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !condition(self) {
            if let Some(status) = self.engine.try_wait()? {
                bail!("the engine ended with {status} before {what}\n{}", self.log_tail());
            }
            if begun.elapsed() > longest {
                bail!("in {} s it did not happen that {what}\n{}", longest.as_secs(), self.log_tail());
            }
            pause();
        }
        Ok(())
    }

    fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Tells the engine to drain and waits for its end.
    ///
    /// # Errors
    /// It does not end in time.
    pub fn stop(&mut self) -> Result<()> {
        kill(Pid::from_raw(self.engine.id().cast_signed()), Signal::SIGTERM)?;
        let begun = Instant::now();
        while self.engine.try_wait()?.is_none() {
            if begun.elapsed() > Duration::from_secs(60) {
                bail!("the engine did not drain in 60 s\n{}", self.log_tail());
            }
            pause();
        }
        Ok(())
    }
}

#[allow(clippy::disallowed_methods, reason = "a tool that looks at another process now and then")]
fn pause() {
    std::thread::sleep(LOOK);
}

impl Drop for Centre {
    fn drop(&mut self) {
        for child in [&mut self.engine, &mut self.sink] {
            // Ended already, mostly.
            child.kill().unwrap_or_default();
            drop(child.wait());
        }
    }
}

fn configuration(dovecot: &Dovecot, http: SocketAddr, smtp: SocketAddr) -> String {
    let mut text = format!(
        "[server]\nhttp_address = \"{http}\"\n[relay]\naddress = \"{CENTRE_ADDRESS}\"\n\
         [relay.smtp]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
        smtp.port()
    );
    for mailbox in 0..MAILBOXES {
        text.push_str(&format!(
            "[[mailbox]]\nname = \"box{mailbox}\"\npoll_interval_seconds = 1\n[mailbox.pop3]\nhost = \"127.0.0.1\"\nport = {}\n\
             security = \"none\"\nusername = \"{}\"\npassword_env = \"MAILBOX_PASSWORD\"\n",
            dovecot.pop3_address().port(),
            address(mailbox),
        ));
    }
    text
}

/// Opens the database of an engine that has stopped.
///
/// # Errors
/// It does not start.
pub async fn open_database(data: &Path) -> Result<store::cluster::Cluster> {
    let settings =
        store::cluster::ClusterSettings { data_folder: data.join("database"), binaries: None, settings: vec![] };
    Ok(store::cluster::Cluster::start(settings).await?)
}
