//! Three private nats-servers that keep one stream, with the configuration that the project ships: its users, and what each may do.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use simulation::process;

use super::Port;
use super::daemon::Daemon;
use super::folder::Folder;
use super::wait_until;

/// Password of every user.
pub const NATS_PASSWORD: &str = "nats-secret";
/// Longest wait for one answer.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Number of servers.
const SERVERS: usize = 3;

/// Returns the program, or `None` where `make setup` could not install it; the test then says in a line that it is skipped.
pub fn nats_server() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/checkers/bin/nats-server");
    if !program.exists() {
        println!("skipped: `make setup` could not install deploy/checkers.txt into target/checkers");
        return None;
    }
    Some(program)
}

/// Three nats-servers, each running or stopped.
pub struct Nats {
    servers: Vec<Server>,
    program: PathBuf,
}

struct Server {
    /// The process. Rust drops fields in their order. This one stands first, so that the process ends before its ports are released.
    daemon: Option<Daemon>,
    client: Port,
    monitoring: Port,
    route: Port,
    folder: Folder,
}

impl Nats {
    /// Starts three servers. Only addresses, folders and TLS differ from the configuration that the project ships; and, if not
    /// `syncs_always`, the time at which they write to disk.
    ///
    /// # Errors
    /// The shipped configuration lacks what is replaced here, or a server does not start.
    pub fn start(program: PathBuf, syncs_always: bool) -> Result<Nats> {
        let mut servers = Vec::new();
        for _ in 0..SERVERS {
            let (client, monitoring, route) = (Port::hold()?, Port::hold()?, Port::hold()?);
            servers.push(Server { daemon: None, client, monitoring, route, folder: Folder::make("nats")? });
        }
        let routes: Vec<String> = servers.iter().map(|server| server.route.address().to_string()).collect();
        for (number, server) in (1..).zip(&servers) {
            let text = configuration(server, number, &routes, syncs_always)?;
            server.folder.write("nats.conf", &text)?;
        }
        let mut nats = Nats { servers, program };
        nats.start_again()?;
        Ok(nats)
    }

    /// Starts the servers that do not run, and waits until all of them serve.
    ///
    /// # Errors
    /// A server does not start; the error has the end of its log.
    pub fn start_again(&mut self) -> Result<()> {
        let program = self.program.to_str().context("the program's path is no text")?;
        for server in self.servers.iter_mut().filter(|server| server.daemon.is_none()) {
            let file = server.folder.path().join("nats.conf");
            let file = file.to_str().context("the temporary folder's name is no text")?;
            server.daemon = Some(Daemon::start(program, &["-c", file], &server.folder)?);
        }
        for server in &self.servers {
            wait_until("the nats-server is well", || {
                let address = server.monitoring.address();
                Ok(TcpStream::connect(address).is_ok()
                    && process::get(address, "/healthz", ANSWER_WAIT).contains("\"ok\""))
            })
            .with_context(|| server.folder.tail_of_log())?;
        }
        Ok(())
    }

    /// Kills all servers without warning, as a power cut would.
    pub fn kill_all(&mut self) {
        self.servers.iter_mut().for_each(|server| server.daemon = None);
    }

    /// Kills one server without warning.
    pub fn kill(&mut self, number: usize) {
        self.servers[number].daemon = None;
    }

    /// Sends all servers a signal.
    ///
    /// # Errors
    /// A server has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.servers.iter().filter_map(|server| server.daemon.as_ref()).try_for_each(|daemon| daemon.signal(signal))
    }

    /// Returns the section of a configuration with which a process uses these servers as `user`. `password_file` has [`NATS_PASSWORD`].
    pub fn configured(&self, user: &str, password_file: &Path) -> String {
        let list = |scheme: &str, addresses: Vec<SocketAddr>| {
            let quoted: Vec<String> = addresses.iter().map(|address| format!("\"{scheme}://{address}\"")).collect();
            quoted.join(", ")
        };
        let servers = list("nats", self.servers.iter().map(|server| server.client.address()).collect());
        let monitoring = list("http", self.servers.iter().map(|server| server.monitoring.address()).collect());
        format!(
            "[carrier]\nservers = [{servers}]\nmonitoring = [{monitoring}]\nusername = \"{user}\"\n\
             password_file = {password_file:?}\nstream_bytes_max = 100000000\n"
        )
    }

    /// Deletes the stream, as no program of the project does.
    ///
    /// # Errors
    /// No server answers, or it refuses.
    pub fn delete_stream(&self) -> Result<()> {
        let stream = TcpStream::connect(self.servers[0].client.address())?;
        stream.set_read_timeout(Some(ANSWER_WAIT))?;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let mut to = stream;
        let connect = format!("CONNECT {{\"verbose\":false,\"user\":\"work\",\"pass\":\"{NATS_PASSWORD}\"}}\r\n");
        let ask = "SUB _INBOX.deleter 1\r\nPUB $JS.API.STREAM.DELETE.XM_MAIL _INBOX.deleter 0\r\n\r\n";
        to.write_all(format!("{connect}{ask}").as_bytes())?;
        let answer = lines.find_map(|line| match line {
            Ok(line) if line.contains("stream_delete_response") => Some(Ok(line)),
            Ok(line) if line.starts_with("-ERR") => Some(Ok(line)),
            Ok(_other) => None,
            Err(error) => Some(Err(error)),
        });
        let answer = answer.context("the connection ended")??;
        ensure!(answer.contains("\"success\":true"), "the stream was not deleted: {answer}");
        Ok(())
    }

    /// Returns the last lines of the servers' logs.
    pub fn tail_of_logs(&self) -> String {
        self.servers.iter().map(|server| server.folder.tail_of_log()).collect::<Vec<_>>().join("\n")
    }
}

/// Returns the shipped configuration with the addresses, the folder and the passwords of a test, and without TLS.
fn configuration(server: &Server, number: usize, routes: &[String], syncs_always: bool) -> Result<String> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nats/nats.conf");
    let mut text = without_tls(&std::fs::read_to_string(shipped)?);
    let store = server.folder.path().join("store").display().to_string();
    let route = |at: usize| format!("nats://routes:{NATS_PASSWORD}@{}", routes[at]);
    for (shipped, here) in [
        ("$XM_NATS_NAME", format!("nats-{number}")),
        ("listen: 0.0.0.0:4222", format!("listen: {}", server.client.address())),
        ("http: 0.0.0.0:8222", format!("http: {}", server.monitoring.address())),
        ("listen: 0.0.0.0:6222", format!("listen: {}", server.route.address())),
        ("\"/var/lib/nats\"", format!("{store:?}")),
        (
            "$XM_NATS_ROUTE_1, $XM_NATS_ROUTE_2, $XM_NATS_ROUTE_3",
            format!("{:?}, {:?}, {:?}", route(0), route(1), route(2)),
        ),
        ("$XM_NATS_ROUTES_PASSWORD", format!("{NATS_PASSWORD:?}")),
        ("$XM_NATS_INTAKE_PASSWORD", format!("{NATS_PASSWORD:?}")),
        ("$XM_NATS_WORK_PASSWORD", format!("{NATS_PASSWORD:?}")),
    ] {
        ensure!(text.contains(shipped), "the shipped configuration of NATS has no {shipped}");
        text = text.replace(shipped, &here);
    }
    if !syncs_always {
        ensure!(text.contains("    sync_interval: always\n"), "the shipped configuration syncs at other times");
        text = text.replace("    sync_interval: always\n", "");
    }
    Ok(text)
}

/// Leaves out the sections `tls { … }`: the connections of a test stay on this machine.
fn without_tls(text: &str) -> String {
    let (mut kept, mut is_in_tls) = (String::new(), false);
    for line in text.lines() {
        is_in_tls |= line.trim_start().starts_with("tls {");
        if !is_in_tls {
            kept.push_str(&format!("{line}\n"));
        }
        is_in_tls &= !line.trim_start().starts_with('}');
    }
    kept
}
