//! Two programs of one centre between real servers, and a Prometheus that watches them in a hurry.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::ensure;
use cluster::Cluster;
use scenarios::database::OwnDatabase;
use scenarios::engine::Engine;
use scenarios::instruments::{Moves, lies_of_an_idle_program};
use scenarios::program::xmserver_nemesis;
use scenarios::servers::{Account, Dovecot, Postfix, Prometheus, wait_within};
use scenarios::town::{CENTRE_ADDRESS, PASSWORD, Resident, address, found};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use crate::letters::quarantine_bytes_max;
use crate::{FACTOR, HOUR, PATIENCE};

/// Pause between two looks at what the programs show.
const LOOK: Duration = Duration::from_millis(300);
pub const OFFICE: u32 = 7;
/// An office whose mail nobody takes.
const HOMELESS: u32 = 8;
/// A mailbox with mail that is no letter, and stays.
pub const LEFT_ADDRESS: &str = "newsletters@example.org";
/// Fewest times that the rules must have been evaluated in a quiet hour.
const EVALUATIONS_MIN: f64 = 10.0;

pub struct World {
    pub prometheus: Prometheus,
    /// The second program takes over the leases of the first when that is away.
    pub engines: [Engine; 2],
    pub resident: Resident,
    pub homeless: Resident,
    pub moves: Moves,
    looked: Instant,
    /// Since when alarms are listened to.
    since: Instant,
    /// Alarms whose fault has been made, with the time of that.
    expected: BTreeMap<&'static str, Instant>,
    /// Alarms that may be a consequence of other faults.
    tolerated: BTreeSet<&'static str>,
    sql: Client,
    pub postfix: Postfix,
    pub dovecot: Dovecot,
    database: OwnDatabase,
    runtime: Runtime,
}

fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus").canonicalize().unwrap()
}

fn configuration(database: &str, dovecot: &Dovecot, postfix: &Postfix, http: SocketAddr) -> String {
    let mut text = format!(
        "[server]\nhttp_address = \"{http}\"\nmetrics_kept_seconds_max = 1\n[database]\nurl = \"{database}\"\n\
         [limits]\nquarantine_bytes_max = {}\n[relay]\naddress = \"{CENTRE_ADDRESS}\"\n\
         [relay.smtp]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
        quarantine_bytes_max(),
        postfix.smtp_address().port(),
    );
    for (name, rule, address) in [("main", "quarantine", CENTRE_ADDRESS), ("left", "leave", LEFT_ADDRESS)] {
        text.push_str(&format!(
            "[[mailbox]]\nname = \"{name}\"\npoll_interval_seconds = 1\nno_container = \"{rule}\"\n[mailbox.pop3]\n\
             host = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nusername = \"{address}\"\npassword_env = \"MAILBOX_PASSWORD\"\n",
            dovecot.pop3_address().port(),
        ));
    }
    text
}

impl World {
    pub fn new() -> World {
        let runtime = Runtime::new().unwrap();
        let database = OwnDatabase::start(&runtime).unwrap();
        let accounts = [CENTRE_ADDRESS, LEFT_ADDRESS, &address(OFFICE)];
        let dovecot = Dovecot::start(&accounts.map(|address| Account::new(address, PASSWORD))).unwrap();
        let postfix = Postfix::start(&dovecot).unwrap();
        let configured = |http| configuration(&database.cluster.url(), &dovecot, &postfix, http);
        let mut first = Engine::of(xmserver_nemesis().unwrap(), PASSWORD, configured).unwrap();
        found(&first).unwrap();
        let [resident, homeless] = [OFFICE, HOMELESS].map(|number| Resident::settle(&first, number).unwrap());
        start_first(&mut first);
        let mut second = first.twin().unwrap();
        second.start().unwrap();
        second.wait_until_ready().unwrap();
        let engines = [first, second];
        let targets = engines.each_ref().map(Engine::http_address);
        let prometheus = Prometheus::start_in_a_hurry(&rules(), &targets, FACTOR).unwrap();
        let sql = connect(&runtime, &database.cluster);
        let mut world = World {
            prometheus,
            engines,
            resident,
            homeless,
            moves: Moves::default(),
            looked: Instant::now(),
            since: Instant::now(),
            expected: BTreeMap::new(),
            tolerated: BTreeSet::new(),
            sql,
            postfix,
            dovecot,
            database,
            runtime,
        };
        world.wait("Prometheus has seen both programs", |world| Ok(world.prometheus.query("xm:up:count")? == [2.0]));
        world
    }

    /// Waits while looking at what the programs show.
    pub fn wait(&mut self, what: &str, mut condition: impl FnMut(&mut World) -> anyhow::Result<bool>) {
        let waited = wait_within(PATIENCE, what, || {
            if self.looked.elapsed() > LOOK {
                self.looked = Instant::now();
                for (number, engine) in self.engines.iter().enumerate() {
                    self.moves.look(number, &engine.get("/metrics"));
                }
            }
            condition(self)
        });
        let logs = || self.engines.each_ref().map(Engine::log_tail).join("\n\n");
        assert!(waited.is_ok(), "{waited:?}\n{}", logs());
    }

    /// Lets an hour pass, as Prometheus sees it; no alarm may ring in it.
    pub fn pass_a_quiet_hour(&mut self) {
        self.since = Instant::now();
        self.wait("an hour has passed", |world| {
            ensure!(world.rung()?.is_empty());
            let passed = world.since.elapsed();
            let query = format!("count_over_time(xm:up:count[{}ms])", passed.as_millis().max(1));
            Ok(passed >= HOUR && world.prometheus.query(&query)?.iter().any(|seen| *seen >= EVALUATIONS_MIN))
        });
    }

    /// Returns the alarms that have rung, and fails where one of them had no cause.
    fn rung(&self) -> anyhow::Result<BTreeSet<String>> {
        let rung = self.prometheus.rung_within(self.since.elapsed())?;
        let has_cause = |name: &str| self.expected.contains_key(name) || self.tolerated.contains(name);
        let without: Vec<&String> = rung.iter().filter(|name| !has_cause(name)).collect();
        ensure!(without.is_empty(), "{without:?} rang without a cause");
        Ok(rung)
    }

    /// Lets these alarms ring as consequences of what is about to happen.
    pub fn tolerate(&mut self, alarms: &[&'static str]) {
        self.tolerated.extend(alarms);
    }

    /// Says that these alarms are about to get their fault; none of them rings yet.
    pub fn expect(&mut self, alarms: &[&'static str]) {
        for alarm in alarms {
            let query = format!("ALERTS{{alertname=\"{alarm}\",alertstate=\"firing\"}}");
            self.wait(&format!("{alarm} is silent"), |world| {
                world.rung()?;
                Ok(world.prometheus.query(&query)?.is_empty())
            });
            assert!(self.expected.insert(alarm, Instant::now()).is_none(), "{alarm} has had its fault");
        }
    }

    /// Waits until each of these alarms has rung since it got its fault.
    pub fn hear(&mut self, alarms: &[&'static str]) {
        for alarm in alarms {
            self.wait(&format!("{alarm} rings"), |world| {
                world.rung()?;
                Ok(world.has_rung(alarm))
            });
            // The line is shown when the test fails.
            println!("{:6.1} s: {alarm}", self.since.elapsed().as_secs_f64());
        }
    }

    /// Says whether this alarm has rung since it got its fault.
    pub fn has_rung(&self, alarm: &str) -> bool {
        self.prometheus.rung_within(self.expected[alarm].elapsed()).unwrap().contains(alarm)
    }

    /// Names the alarms that have had their fault.
    pub fn expected(&self) -> BTreeSet<String> {
        self.expected.keys().map(|name| (*name).to_owned()).collect()
    }

    /// Names the alarms of the rules.
    pub fn alarms(&self) -> BTreeSet<String> {
        let rules = self.prometheus.rules().unwrap();
        let alarms = rules.iter().filter(|rule| rule["type"] == "alerting");
        alarms.map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
    }

    pub fn run(&self, sql: &str) {
        self.runtime.block_on(self.sql.batch_execute(sql)).unwrap();
    }

    pub fn lose_the_database(&mut self) {
        self.runtime.block_on(self.database.cluster.stop());
    }

    pub fn find_the_database(&mut self) {
        self.runtime.block_on(self.database.cluster.restart()).unwrap();
        self.sql = connect(&self.runtime, &self.database.cluster);
    }

    pub fn wait_until_idle(&mut self) {
        let mut lies = Vec::new();
        let waited = wait_within(PATIENCE, "idle programs have nothing in hand", || {
            lies = self.engines.iter().flat_map(|engine| lies_of_an_idle_program(&engine.get("/metrics"))).collect();
            Ok(lies.is_empty())
        });
        assert!(waited.is_ok(), "{waited:?}: {lies:?}");
    }
}

/// Starts a program, and returns when it has the leases, before the other program asks for them.
pub fn start_first(engine: &mut Engine) {
    engine.start().unwrap();
    let polls = |engine: &Engine| Ok(engine.metric("xm_mailbox_up") >= 2.0);
    engine.wait_until("both mailboxes are polled", polls).unwrap();
}

fn connect(runtime: &Runtime, cluster: &Cluster) -> Client {
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await.unwrap();
        // The task ends when the client is dropped, or with the server.
        tokio::spawn(connection);
        client
    })
}
