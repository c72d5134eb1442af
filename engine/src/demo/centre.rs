//! Runs the centre as a child process: starts, kills, restarts, measures and stops it.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use nix::sys::signal::Signal;
use simulation::process::{self, Process};
use tokio::time::Instant;

use crate::configuration::{Configuration, Sources};

/// The longest wait until the centre is ready, or has stopped.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// The longest wait for an answer to `GET /ready`.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// A running centre, as a child process.
pub struct Centre {
    data: PathBuf,
    address: std::net::SocketAddr,
    process: Process,
    rss_mb_max: f64,
    /// The times at which the centre was killed.
    pub killed_at: Vec<DateTime<Utc>>,
}

impl Centre {
    /// Starts `xmserver run` on a data folder.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(data: &Path) -> anyhow::Result<Centre> {
        let sources = Sources { file: None, data_folder: Some(data.to_owned()) };
        let address = Configuration::load(&sources)?.server.http_address;
        Ok(Centre { data: data.to_owned(), address, process: spawn(data)?, rss_mb_max: 0.0, killed_at: Vec::new() })
    }

    /// Waits until the centre is ready to take mail.
    ///
    /// # Errors
    /// The centre ends, or is not ready within a minute. The centre has printed the reason on standard error.
    pub async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready().await {
            if let Some(status) = self.process.ended()? {
                bail!("the centre ended with {status} before it was ready; its last lines stand above");
            }
            if Instant::now() > deadline {
                bail!("the centre was not ready within {} s; its last lines stand above", PATIENCE.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn is_ready(&self) -> bool {
        let address = self.address;
        let asked = tokio::task::spawn_blocking(move || process::get(address, "/ready", ANSWER_PATIENCE)).await;
        asked.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    async fn wait_for_end(&mut self) -> anyhow::Result<ExitStatus> {
        loop {
            if let Some(status) = self.process.ended()? {
                return Ok(status);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Fails if the centre has ended without being told to.
    ///
    /// # Errors
    /// The centre has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.process.ended()? {
            Some(status) => bail!("the centre ended by itself with {status}; its last lines stand above"),
            None => Ok(()),
        }
    }

    /// Kills the centre with SIGKILL, as suddenly as a power cut would end it, and starts it again.
    ///
    /// # Errors
    /// The centre cannot be started again.
    pub async fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.measure();
        self.process.kill()?;
        self.killed_at.push(Utc::now());
        self.process = spawn(&self.data)?;
        Ok(())
    }

    fn measure(&mut self) {
        self.rss_mb_max = self.rss_mb_max.max(process::rss_mb_max(self.process.id()).unwrap_or(0.0));
    }

    /// Returns the largest resident memory that any process of this centre had, in megabytes.
    pub fn rss_mb_max(&mut self) -> f64 {
        self.measure();
        self.rss_mb_max
    }

    /// Leaves the centre running until the user presses Ctrl-C; meanwhile `visit` lets a visitor send letters.
    ///
    /// # Errors
    /// The centre ends without being told to, or the visit fails.
    pub async fn stay(&mut self, visit: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
        let visit = async {
            visit.await?;
            std::future::pending().await
        };
        tokio::select! {
            failed = visit => failed,
            told = super::stop::told_to_stop() => Ok(told?),
            status = self.wait_for_end() => bail!("the centre ended by itself with {}", status?),
        }
    }

    /// Returns the address at which the centre serves `/ready` and `/metrics` over HTTP.
    pub fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    /// Tells the centre to finish its work (SIGTERM), and waits until it has ended.
    ///
    /// # Errors
    /// The centre does not end in time, or ends with an error.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.process.signal(Signal::SIGTERM).context("the centre has ended before it was told to")?;
        let status = tokio::time::timeout(PATIENCE, self.wait_for_end())
            .await
            .with_context(|| format!("the centre did not stop within {} s", PATIENCE.as_secs()))??;
        if !status.success() {
            bail!("the centre stopped with {status}");
        }
        Ok(())
    }
}

fn spawn(data: &Path) -> anyhow::Result<Process> {
    let program = std::env::current_exe().context("the program's own file")?;
    // When this process ends, however it ends, the kernel sends SIGTERM to the centre, which then drains.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command.arg("--data-folder").arg(data).arg("run");
    // The centre gets its own process group, so the terminal's Ctrl-C reaches only this process. This process then stops the centre in
    // order.
    command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    Process::start(&mut command).context("setpriv, of the package util-linux, could not start the centre")
}
