//! What the lab tests: three replicas behind two balancers, a primary with two standbys, mail servers, and senders. Each server is on a
//! machine of its own.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use simulation::mischief::STRANGER;
use simulation::oracle::Findings;
use store::planted::BUG_VARIABLE;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::databases::{Databases, NODES};
use super::fault::{BALANCERS, REPLICAS};
use super::network::{self, Machine};
use super::offices::{MAILBOXES, Offices};
use super::room;
use super::senders::Senders;
use crate::engine::Engine;
use crate::nemesis::centre::{self, OFFICES};
use crate::servers::postgres::OWNER;
use crate::servers::{Account, Backend, Certificate, Dovecot, DovecotSettings, Haproxy, Postfix};
use crate::town::{CENTRE_ADDRESS, PASSWORD, SERVER};

/// Exit code of a program that ends itself because an actor panicked too often. The service manager then starts the program again.
const ESCALATED: i32 = 70;
/// Ports of a replica.
const HEALTH_PORT: u16 = 9464;
const INTAKE_PORT: u16 = 2424;
const HTTPS_PORT: u16 = 8443;

/// What the lab tests.
pub struct World {
    /// The replicas, each with its machine.
    pub replicas: Vec<(Engine, Machine)>,
    /// The balancers, each with its machine.
    pub balancers: Vec<(Haproxy, Machine)>,
    /// The primary and its standbys.
    pub databases: Databases,
    /// The mail relay.
    pub postfix: Postfix,
    /// The server of the mailboxes.
    pub dovecot: Dovecot,
    /// The offices, with the record of what they sent and received.
    pub offices: Offices,
    /// Number of times that a replica ended by itself, because its actors panicked too often, and was started again.
    pub escalations: u64,
    runtime: Arc<Runtime>,
    _mail_machine: Machine,
    _folder: TempDir,
}

/// What all replicas are configured with.
struct Shared<'a> {
    databases: &'a Databases,
    dovecot: &'a Dovecot,
    postfix: &'a Postfix,
    certificate: &'a Certificate,
}

impl Shared<'_> {
    /// Returns the configuration of a replica at this address.
    fn configuration(&self, number: usize, address: IpAddr) -> String {
        let Shared { databases, dovecot, postfix, certificate } = self;
        let Certificate { certificate_path, key_path } = certificate;
        let mail_ca = &dovecot.certificate().certificate_path;
        let (pop3, smtp) = (dovecot.pop3s_address(), postfix.smtp_address());
        let mut text = format!(
            "[server]\nhttp_address = \"{address}:{HEALTH_PORT}\"\nprocess_name = \"replica-{number}\"\ndrain_notice_seconds = 2\n\
             [database]\nurl = \"{}\"\nreader_url = \"{}\"\nca_file = {certificate_path:?}\n\
             [relay]\naddress = \"{CENTRE_ADDRESS}\"\n\
             [relay.smtp]\nhost = \"{}\"\nport = {}\nsecurity = \"starttls\"\nca_file = {mail_ca:?}\nread_timeout_seconds = 10\n\
             [https]\nlisten = \"{address}:{HTTPS_PORT}\"\nsecurity = \"tls\"\ncertificate_file = {certificate_path:?}\n\
             key_file = {key_path:?}\nrequests_per_minute_max = 100000\n\
             [[intake]]\nname = \"lmtp\"\n\
             [intake.smtp]\nlisten = \"{address}:{INTAKE_PORT}\"\nsecurity = \"starttls\"\ncertificate_file = {certificate_path:?}\n\
             key_file = {key_path:?}\n",
            databases.url(OWNER),
            databases.url(cluster::READER),
            smtp.ip(),
            smtp.port(),
        );
        for (number, mailbox) in MAILBOXES.iter().enumerate() {
            text.push_str(&format!(
                "[[mailbox]]\nname = \"centre-{number}\"\npoll_interval_seconds = 1\nno_container = \"quarantine\"\n\
                 [mailbox.pop3]\nhost = \"{}\"\nport = {}\nsecurity = \"tls\"\nca_file = {mail_ca:?}\nread_timeout_seconds = 10\n\
                 username = \"{mailbox}\"\npassword_env = \"MAILBOX_PASSWORD\"\n",
                pop3.ip(),
                pop3.port(),
            ));
        }
        text
    }
}

/// Makes `count` machines whose addresses follow each other.
fn machines(name: &str, first: u8, count: usize) -> Result<Vec<Machine>> {
    (0..u8::try_from(count)?).map(|at| Machine::make(&format!("{name}{}", at + 1), first + at)).collect()
}

impl World {
    /// Makes all machines and starts all servers. With `forgets`, the disks of the databases forget what was not synced. The offices will
    /// send about `letters` letters, drawn from `seed`. If `bug` is given, every replica runs with that planted bug.
    ///
    /// # Errors
    /// A server does not start.
    pub fn start(program: &Path, (seed, letters): (u64, u64), forgets: bool, bug: Option<&str>) -> Result<World> {
        let runtime = Arc::new(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?);
        network::make()?;
        let seats = machines("replica", 11, REPLICAS)?;
        let fronts = machines("front", 21, BALANCERS)?;
        let stores = machines("pg", 31, NODES)?;
        let mail_machine = Machine::make("mail", 41)?;
        let passable = fs::Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix("shared-").permissions(passable).tempdir()?;
        let all: Vec<IpAddr> = seats.iter().chain(&stores).map(Machine::address).collect();
        let certificate = Certificate::make_for(folder.path(), &all)?;

        let databases = Databases::start(stores, &certificate, forgets.then_some(folder.path()), Arc::clone(&runtime))?;
        let (dovecot, postfix) = mail_servers(&mail_machine)?;
        let shared = Shared { databases: &databases, dovecot: &dovecot, postfix: &postfix, certificate: &certificate };
        let engines = engines(program, &seats, &shared, bug)?;
        let town = runtime.block_on(centre::build(&engines[0], letters))?;
        let mut replicas: Vec<(Engine, Machine)> = engines.into_iter().zip(seats).collect();
        for replica in &mut replicas {
            start(replica)?;
        }
        for (engine, _) in &mut replicas {
            engine.wait_until_ready()?;
        }
        let backends: Vec<Backend> = replicas.iter().map(|(_, machine)| backend(machine)).collect();
        let balancers = fronts.into_iter().map(|machine| Ok((Haproxy::start_at(machine.place(), &backends)?, machine)));
        let balancers = balancers.collect::<Result<Vec<_>>>()?;
        let entries = balancers.iter().map(|(balancer, _)| [balancer.address(), balancer.https_address()]).collect();
        let senders = Senders::start(entries, &certificate.certificate_path)?;
        let offices = Offices::new(town, senders, seed);
        Ok(World {
            replicas,
            balancers,
            databases,
            postfix,
            dovecot,
            offices,
            escalations: 0,
            runtime,
            _mail_machine: mail_machine,
            _folder: folder,
        })
    }

    /// Starts every replica that does not run.
    ///
    /// # Errors
    /// A replica ended for another reason than a kill, a drain, or too many panics.
    pub fn revive(&mut self) -> Result<()> {
        self.bury()?;
        self.replicas.iter_mut().filter(|(engine, _)| !engine.is_started()).try_for_each(start)
    }

    /// Returns the number of replicas that do not run.
    ///
    /// # Errors
    /// See [`World::revive`].
    pub fn dead(&mut self) -> Result<usize> {
        self.bury()?;
        Ok(self.replicas.iter().filter(|(engine, _)| !engine.is_started()).count())
    }

    fn bury(&mut self) -> Result<()> {
        for (engine, _) in &mut self.replicas {
            match engine.ended()?.map(|status| (status.code(), status)) {
                None | Some((None | Some(0), _)) => {}
                Some((Some(ESCALATED), _)) => self.escalations += 1,
                Some((Some(_), status)) => bail!("a replica ended by itself with {status}\n{}", engine.log_tail()),
            }
        }
        Ok(())
    }

    /// Sends every replica the same command of the test, such as `kill settle::charge 1`.
    pub fn tell(&mut self, order: &str) {
        self.replicas.iter_mut().for_each(|(engine, _)| engine.tell(order));
    }

    /// Counts the letters that senders still push, and the mails in the centre's mailboxes.
    pub fn waiting(&self) -> usize {
        self.offices.senders.open() + MAILBOXES.iter().map(|mailbox| self.dovecot.count(mailbox)).sum::<usize>()
    }

    /// Lets the simulated operators handle everything that waits for them. While the database cannot be reached, it waits.
    pub fn operate(&self) {
        if let Err(error) = self.runtime.block_on(centre::operate(&self.replicas[0].0)) {
            println!("the operators wait: {error:#}");
        }
    }

    /// Lets the oracle compare the database with the offices' record.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub fn judge(&self) -> Result<Findings> {
        self.databases.wait_for_primary()?;
        self.runtime.block_on(centre::judge(&self.replicas[0].0, &self.offices.record.memory))
    }

    /// Copies the logs of all programs into a new folder outside the room.
    ///
    /// # Errors
    /// The disk is full.
    pub fn keep_logs(&self) -> Result<PathBuf> {
        let kept = room::keep()?;
        let mut logs = vec![("dovecot".to_owned(), self.dovecot.log_path().to_owned())];
        logs.push(("postfix".to_owned(), self.postfix.log_path().to_owned()));
        logs.extend(self.replicas.iter().map(|(engine, machine)| (machine.name().to_owned(), engine.log_path())));
        logs.extend(self.balancers.iter().map(|(it, machine)| (machine.name().to_owned(), it.log_path().to_owned())));
        logs.extend(self.databases.nodes.iter().map(|node| (node.name().to_owned(), node.log_path().to_owned())));
        for (name, log) in logs {
            // A server that was never started has no log.
            if log.exists() {
                fs::copy(&log, kept.join(format!("{name}.log"))).with_context(|| name)?;
            }
        }
        Ok(kept)
    }

    /// Stops the replicas, so that they finish their work.
    ///
    /// # Errors
    /// A replica does not finish its work.
    pub fn stop(mut self) -> Result<()> {
        for (engine, _) in &mut self.replicas {
            engine.wait_until_ready()?;
            engine.stop()?;
        }
        Ok(())
    }
}

/// Starts a replica on its machine.
pub fn start((engine, machine): &mut (Engine, Machine)) -> Result<()> {
    let launcher = machine.launcher();
    let launcher: Vec<&str> = launcher.iter().map(String::as_str).chain(["env", "--default-signal=HUP"]).collect();
    engine.start_through(&launcher)
}

fn backend(machine: &Machine) -> Backend {
    let at = |port| SocketAddr::new(machine.address(), port);
    Backend { intake: at(INTAKE_PORT), https: at(HTTPS_PORT), health: at(HEALTH_PORT) }
}

fn mail_servers(machine: &Machine) -> Result<(Dovecot, Postfix)> {
    let offices = (1..=OFFICES).map(|number| format!("agency-{number:06}@offices.example"));
    let centre = MAILBOXES.iter().copied().chain([STRANGER]).map(str::to_owned);
    let accounts = offices.chain(centre).map(|address| Account::new(address, PASSWORD)).collect();
    let settings = DovecotSettings { accounts, place: machine.place(), ..DovecotSettings::default() };
    let dovecot = Dovecot::start_with(settings)?;
    let postfix = Postfix::start(&dovecot)?;
    Ok((dovecot, postfix))
}

/// Configures the replicas and makes their centre.
fn engines(program: &Path, seats: &[Machine], shared: &Shared<'_>, bug: Option<&str>) -> Result<Vec<Engine>> {
    let mut engines: Vec<Engine> = Vec::new();
    for (machine, number) in seats.iter().zip(1..) {
        let text = shared.configuration(number, machine.address());
        let mut engine = Engine::at(program, PASSWORD, backend(machine).health, &text)?;
        if let Some(bug) = bug {
            engine.set(BUG_VARIABLE, bug);
        }
        match engines.first() {
            None => drop(engine.operate(&["init", "--name", SERVER, "--mode", "test"])?),
            Some(first) => first.give_keys(&engine)?,
        }
        engines.push(engine);
    }
    Ok(engines)
}
