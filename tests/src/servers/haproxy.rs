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
    /// Address at which it takes mail.
    pub intake: SocketAddr,
    /// Address at which it answers `/accept/smtp`.
    pub health: SocketAddr,
}

/// A running HAProxy.
#[derive(Debug)]
pub struct Haproxy {
    _daemon: Daemon,
    port: Port,
    folder: Folder,
}

impl Haproxy {
    /// Starts a HAProxy with the shipped configuration, but for addresses and ports.
    pub fn start(port: Port, backends: &[Backend]) -> Result<Haproxy> {
        let folder = Folder::make("haproxy")?;
        let file = folder.write("haproxy.cfg", &configuration(port.address(), backends)?)?;
        let file = file.to_str().context("the temporary folder's name is no text")?;
        let daemon = Daemon::start(PROGRAM, &["-db", "-f", file], &folder)?;
        wait_until("HAProxy listens", || Ok(TcpStream::connect(port.address()).is_ok()))
            .with_context(|| folder.tail_of_log())?;
        Ok(Haproxy { _daemon: daemon, port, folder })
    }

    /// Returns the address at which senders push.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Returns the last lines of HAProxy's log.
    pub fn tail_of_log(&self) -> String {
        self.folder.tail_of_log()
    }
}

/// Returns the shipped configuration with these addresses instead of those that it has for example.
fn configuration(address: SocketAddr, backends: &[Backend]) -> Result<String> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/haproxy/haproxy.cfg");
    let shipped = std::fs::read_to_string(shipped)?;
    ensure!(shipped.contains("    bind :2424\n"), "the shipped configuration listens at another port");
    let mut servers = String::new();
    for (at, Backend { intake, health }) in backends.iter().enumerate() {
        writeln!(servers, "    server replica-{} {intake} port {}", at + 1, health.port())?;
    }
    let (mut text, mut is_in_servers) = (String::new(), false);
    for line in shipped.lines() {
        let is_server = line.trim_start().starts_with("server ");
        if is_server && !is_in_servers {
            text.push_str(&servers);
        }
        is_in_servers = is_server;
        match line {
            "    bind :2424" => writeln!(text, "    bind {address}")?,
            line if !is_server => writeln!(text, "{line}")?,
            _ => {}
        }
    }
    Ok(text)
}
