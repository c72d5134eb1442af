//! A primary and two standbys, each on a machine of its own, and the arbiter that promotes a standby. Every COMMIT of the primary waits
//! until one of the standbys has it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tokio::runtime::Runtime;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::network::Machine;
use crate::forgetful::Forgetful;
use crate::servers::postgres::{OWNER, PORT, Postgres};
use crate::servers::{Certificate, pass_time, wait_within};

/// Number of PostgreSQLs.
pub const NODES: usize = 3;
/// Longest wait for the answer to a probe of the primary.
const PROBE_MAX: Duration = Duration::from_secs(1);
/// Longest wait for the answer to any other statement.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// A primary that does not answer so many times in a row is given up.
const PROBES: u32 = 3;
/// Pause between two of these probes.
const PROBE_PAUSE: Duration = Duration::from_secs(1);
/// Longest wait for a state of a PostgreSQL.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// Asks a standby how much of the log it has. What it has received counts from the last start of its receiver only.
const RECEIVED: &str = "SELECT (greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0'::pg_lsn)::bigint";

/// A primary and its standbys.
pub struct Databases {
    /// The machines, in the order of `nodes`.
    pub machines: Vec<Machine>,
    /// The PostgreSQLs.
    pub nodes: Vec<Postgres>,
    /// The disks of the PostgreSQLs, if they forget what was not synced, in the order of `nodes`.
    disks: Vec<Forgetful>,
    /// Index of the primary.
    pub primary: usize,
    runtime: Arc<Runtime>,
}

impl Databases {
    /// Starts a primary with an empty database of the centre, and its standbys. With `folder`, their data lies on disks that are mounted
    /// there, which forget what was not synced.
    ///
    /// # Errors
    /// A PostgreSQL does not start; a disk cannot be mounted.
    pub fn start(
        machines: Vec<Machine>,
        certificate: &Certificate,
        folder: Option<&Path>,
        runtime: Arc<Runtime>,
    ) -> Result<Databases> {
        let mut disks = Vec::new();
        let names: Vec<&str> = machines.iter().map(Machine::name).collect();
        let mut nodes = Vec::new();
        for machine in &machines {
            let others: Vec<&str> = names.iter().copied().filter(|name| *name != machine.name()).collect();
            let disk = folder.map(|folder| folder.join(machine.name()));
            if let Some(disk) = &disk {
                std::fs::create_dir(disk)?;
                disks.push(Forgetful::mount(disk)?);
            }
            let data = disk.map(|disk| disk.join("data"));
            let place = (machine.name(), machine.place(), PORT);
            nodes.push(Postgres::make(place, &others, certificate, data.as_deref())?);
        }
        let mut databases = Databases { machines, nodes, disks, primary: 0, runtime };
        databases.nodes[0].initialise()?;
        databases.nodes[0].start()?;
        // No standby exists yet that could confirm a commit.
        let alone = "options=-csynchronous_commit%3Dlocal";
        let first = format!("postgresql://{OWNER}@{}/postgres?{alone}", databases.nodes[0].address());
        databases.wait_for("the first primary answers", || databases.ask_at(&first, "SELECT 1", PROBE_MAX).is_ok())?;
        databases.ask_at(&first, &format!("CREATE DATABASE {OWNER}"), ANSWER_MAX)?;
        databases.rebuild_standbys()?;
        Ok(databases)
    }

    /// Returns the URL of the centre's database with all hosts.
    pub fn url(&self, user: &str) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        format!("postgresql://{user}@{}/{OWNER}?target_session_attrs=read-write", hosts.join(","))
    }

    /// Returns the index of a standby: the first or the second one.
    pub fn standby(&self, number: usize) -> usize {
        let mut standbys = (0..NODES).filter(|node| *node != self.primary);
        standbys.nth(number % (NODES - 1)).unwrap_or_default()
    }

    /// Returns the indices of the standbys.
    pub fn standbys(&self) -> [usize; NODES - 1] {
        [self.standby(0), self.standby(1)]
    }

    /// Runs statements on the primary, and returns the first column of the first row; an empty text where there is none.
    ///
    /// # Errors
    /// The primary does not answer in time.
    pub fn ask(&self, statements: &str) -> Result<String> {
        self.ask_node(self.primary, statements)
    }

    fn ask_node(&self, node: usize, statements: &str) -> Result<String> {
        self.ask_at(&self.nodes[node].url(), statements, ANSWER_MAX)
    }

    fn ask_at(&self, url: &str, statements: &str, longest: Duration) -> Result<String> {
        let asked = async {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
            let answered = tokio::spawn(connection);
            let answer = client.simple_query(statements).await;
            drop(client);
            answered.abort();
            anyhow::Ok(answer?)
        };
        let answer = self.runtime.block_on(async { tokio::time::timeout(longest, asked).await })??;
        let value = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok(value.unwrap_or_default())
    }

    fn wait_for(&self, what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
        let waited = wait_within(PATIENCE, what, || {
            let is_true = condition();
            if !is_true {
                pass_time(LOOK);
            }
            Ok(is_true)
        });
        let logs = || self.nodes.iter().map(Postgres::tail_of_log).collect::<Vec<_>>().join("\n---\n");
        waited.with_context(logs)
    }

    /// Gives the primary up, if it does not answer, and promotes the standby that has everything which was ever confirmed. The former
    /// primary may go on later: none of its commits can be confirmed any more.
    ///
    /// # Errors
    /// The primary answers, or a standby does not.
    pub fn fail_over(&mut self) -> Result<()> {
        for probe in 0..PROBES {
            let answered = self.ask_at(&self.nodes[self.primary].url(), "SELECT 1", PROBE_MAX);
            ensure!(answered.is_err(), "the primary answers, so it stays");
            if probe + 1 < PROBES {
                pass_time(PROBE_PAUSE);
            }
        }
        // First, the standbys leave the former primary. From then on it can confirm nothing, dead or alive. Which standby is ahead can be
        // told only afterwards, and only of all standbys: one alone may have confirmed a commit.
        let standbys = self.standbys();
        for standby in standbys {
            let leave = "ALTER SYSTEM SET primary_conninfo = ''";
            self.wait_for("a standby leaves the former primary", || self.ask_node(standby, leave).is_ok())?;
            self.ask_node(standby, "SELECT pg_reload_conf()")?;
            let left = "SELECT count(*) FROM pg_stat_wal_receiver";
            self.wait_for("a standby has left", || self.ask_node(standby, left).is_ok_and(|count| count == "0"))?;
        }
        let mut received = Vec::new();
        for standby in standbys {
            received.push((self.ask_node(standby, RECEIVED)?.parse::<i64>()?, standby));
        }
        let (_, chosen) = received.into_iter().max().context("there are standbys")?;
        for standby in standbys.into_iter().filter(|standby| *standby != chosen) {
            let way = self.nodes[standby].way_to(&self.nodes[chosen]);
            self.ask_node(standby, &format!("ALTER SYSTEM SET primary_conninfo = '{way}'"))?;
            self.ask_node(standby, "SELECT pg_reload_conf()")?;
        }
        self.ask_node(chosen, "SELECT pg_promote(false)")?;
        self.primary = chosen;
        let is_writable = "SELECT pg_is_in_recovery()";
        self.wait_for("the promoted standby can be written", || self.ask(is_writable).is_ok_and(|it| it == "f"))
    }

    /// Makes every node but the primary a standby of it, from a copy where it does not follow the primary already, and waits until both
    /// confirm commits.
    ///
    /// # Errors
    /// A copy cannot be made, or a standby does not start.
    pub fn rebuild_standbys(&mut self) -> Result<()> {
        for standby in self.standbys() {
            if !self.follows(standby)? {
                let (primary, copy) = self.two(standby);
                copy.copy_from(primary)?;
                copy.start()?;
            }
        }
        self.wait_for("both standbys follow the primary", || self.standbys().iter().all(|it| self.is_followed_by(*it)))
    }

    /// Says whether a node is a standby that follows the primary, or does so within a few seconds.
    fn follows(&mut self, standby: usize) -> Result<bool> {
        if !self.nodes[standby].is_running()? {
            return Ok(false);
        }
        let began = Instant::now();
        while began.elapsed() < PROBE_PAUSE * PROBES {
            if self.is_followed_by(standby) {
                return Ok(true);
            }
            pass_time(LOOK);
        }
        Ok(false)
    }

    fn is_followed_by(&self, standby: usize) -> bool {
        let name = self.nodes[standby].name();
        let text = format!(
            "SELECT count(*) FROM pg_stat_replication WHERE application_name = '{name}' AND state = 'streaming'"
        );
        self.ask(&text).is_ok_and(|count| count == "1")
    }

    /// Starts nodes that were killed, without a change of their role: the primary, and standbys of it.
    ///
    /// # Errors
    /// A PostgreSQL does not start.
    pub fn revive(&mut self, node: usize) -> Result<()> {
        if !self.nodes[node].is_running()? {
            if node != self.primary {
                let (primary, standby) = self.two(node);
                standby.follow_from_start(primary)?;
            }
            self.nodes[node].kill();
            self.nodes[node].start()?;
        }
        Ok(())
    }

    /// Waits until the primary answers.
    ///
    /// # Errors
    /// It does not answer in time.
    pub fn wait_for_primary(&self) -> Result<()> {
        self.wait_for("the primary answers", || self.ask("SELECT 1").is_ok())
    }

    /// Kills a node, as a power cut would: its disk forgets what was not synced, if it is one that forgets.
    ///
    /// # Errors
    /// The disk cannot be mounted again.
    pub fn kill(&mut self, node: usize) -> Result<()> {
        self.nodes[node].kill();
        self.disks.get_mut(node).map_or(Ok(()), Forgetful::forget)
    }

    /// Freezes a node, or lets it go on.
    pub fn freeze(&self, node: usize, is_frozen: bool) {
        self.nodes[node].signal(if is_frozen { Signal::SIGSTOP } else { Signal::SIGCONT });
    }

    /// Parts the primary from its standbys, or rejoins them.
    ///
    /// # Errors
    /// The system's own.
    pub fn part_standbys(&self, is_parted: bool) -> Result<()> {
        let primary = &self.machines[self.primary];
        for standby in self.standbys() {
            let standby = &self.machines[standby];
            if is_parted { primary.part_from(standby)? } else { primary.rejoin(standby)? }
        }
        Ok(())
    }

    fn two(&mut self, standby: usize) -> (&Postgres, &mut Postgres) {
        let primary = self.primary;
        let (low, high) = self.nodes.split_at_mut(primary.max(standby));
        if primary < standby { (&low[primary], &mut high[0]) } else { (&high[0], &mut low[standby]) }
    }
}
