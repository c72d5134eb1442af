//! A private HAProxy in front of replicas, with the configuration that the project ships.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::Port;
use super::daemon::Daemon;
use super::folder::Folder;
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

/// A running HAProxy.
#[derive(Debug)]
pub struct Haproxy {
    _daemon: Daemon,
    ports: [Port; 2],
    folder: Folder,
}

impl Haproxy {
    /// Starts a HAProxy with the configuration that the project ships. Only its addresses and ports are replaced, so that a test shows what
    /// operators get.
    pub fn start(backends: &[Backend]) -> Result<Haproxy> {
        let ports = [Port::hold()?, Port::hold()?];
        let addresses = [ports[0].address(), ports[1].address()];
        let folder = Folder::make("haproxy")?;
        let file = folder.write("haproxy.cfg", &configuration(addresses, backends)?)?;
        let file = file.to_str().context("the temporary folder's name is no text")?;
        let daemon = Daemon::start(PROGRAM, &["-db", "-f", file], &folder)?;
        wait_until("HAProxy listens", || Ok(addresses.iter().all(|address| TcpStream::connect(address).is_ok())))
            .with_context(|| folder.tail_of_log())?;
        Ok(Haproxy { _daemon: daemon, ports, folder })
    }

    /// Returns the address at which senders push mail.
    pub fn address(&self) -> SocketAddr {
        self.ports[0].address()
    }

    /// Returns the address at which offices post letters.
    pub fn https_address(&self) -> SocketAddr {
        self.ports[1].address()
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
