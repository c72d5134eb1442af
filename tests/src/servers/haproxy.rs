//! A private HAProxy in front of replicas, with the configuration that the project ships.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::Port;
use super::daemon::Daemon;
use super::folder::Folder;
use super::place::Place;
use super::wait_until;

const PROGRAM: &str = "/usr/sbin/haproxy";

/// A replica behind the balancer.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// Address at which the replica takes mail.
    pub intake: SocketAddr,
    /// Address at which the replica takes letters over HTTPS.
    pub https: SocketAddr,
    /// Address at which the replica answers `/accept/smtp` and `/accept/http`.
    pub health: SocketAddr,
}

/// A HAProxy, running or stopped.
#[derive(Debug)]
pub struct Haproxy {
    /// The process. The field is declared first, so that the process ends before its ports and folder are released.
    daemon: Option<Daemon>,
    ports: [Port; 2],
    folder: Folder,
    place: Place,
}

impl Haproxy {
    /// Starts a HAProxy with the configuration that the project ships. Only its addresses and ports are replaced, so that a test shows what
    /// operators get.
    pub fn start(backends: &[Backend]) -> Result<Haproxy> {
        Haproxy::start_at(Place::default(), backends)
    }

    /// Does what [`Haproxy::start`] does, in a given place.
    pub fn start_at(place: Place, backends: &[Backend]) -> Result<Haproxy> {
        let (ports, folder) = ([Port::hold()?, Port::hold()?], Folder::make("haproxy")?);
        let mut haproxy = Haproxy { daemon: None, ports, folder, place };
        let text = configuration([haproxy.address(), haproxy.https_address()], backends)?;
        haproxy.folder.write("haproxy.cfg", &text)?;
        haproxy.start_again()?;
        Ok(haproxy)
    }

    /// Starts a stopped HAProxy again, with the same ports.
    pub fn start_again(&mut self) -> Result<()> {
        if self.daemon.is_none() {
            let file = self.folder.path().join("haproxy.cfg");
            let file = file.to_str().context("the temporary folder's name is no text")?;
            self.daemon = Some(Daemon::start_at(&self.place, PROGRAM, &["-db", "-f", file], &self.folder)?);
            let addresses = [self.address(), self.https_address()];
            wait_until("HAProxy listens", || Ok(addresses.iter().all(|address| TcpStream::connect(address).is_ok())))
                .with_context(|| self.folder.tail_of_log())?;
        }
        Ok(())
    }

    /// Kills HAProxy without warning, as a power cut would.
    pub fn kill(&mut self) {
        self.daemon = None;
    }

    /// Sends HAProxy a signal. One that is stopped gets none.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.daemon.as_ref().map_or(Ok(()), |daemon| daemon.signal(signal))
    }

    /// Returns the address at which senders push mail.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.place.address, self.ports[0].number())
    }

    /// Returns the address at which offices post letters.
    pub fn https_address(&self) -> SocketAddr {
        SocketAddr::new(self.place.address, self.ports[1].number())
    }

    /// Returns the path of HAProxy's log.
    pub fn log_path(&self) -> &Path {
        self.folder.log_path()
    }

    /// Returns the last lines of HAProxy's log.
    pub fn tail_of_log(&self) -> String {
        self.folder.tail_of_log()
    }
}

/// Returns the shipped configuration with these addresses in place of its examples.
fn configuration([letters, offices]: [SocketAddr; 2], backends: &[Backend]) -> Result<String> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/haproxy/haproxy.cfg");
    let shipped = std::fs::read_to_string(shipped)?;
    ensure!(
        shipped.contains("    bind :2424\n") && shipped.contains("    bind :443\n"),
        "the shipped configuration listens at other ports"
    );
    let (mut text, mut is_in_servers, mut is_of_offices) = (String::new(), false, false);
    for line in shipped.lines() {
        if let Some(name) = line.strip_prefix("backend ") {
            is_of_offices = name.starts_with("offices");
        }
        let is_server = line.trim_start().starts_with("server ");
        if is_server && !is_in_servers {
            for (at, Backend { intake, https, health }) in backends.iter().enumerate() {
                let takes = if is_of_offices { https } else { intake };
                writeln!(text, "    server replica-{} {takes} port {}", at + 1, health.port())?;
            }
        }
        is_in_servers = is_server;
        match line {
            "    bind :2424" => writeln!(text, "    bind {letters}")?,
            "    bind :443" => writeln!(text, "    bind {offices}")?,
            line if !is_server => writeln!(text, "{line}")?,
            _ => {}
        }
    }
    Ok(text)
}
