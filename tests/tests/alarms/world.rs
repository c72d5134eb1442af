//! Two programs of one centre with real servers, and a Prometheus with shortened times that watches them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::ensure;
use cluster::Cluster;
use scenarios::database::OwnDatabase;
use scenarios::engine::Engine;
use scenarios::instruments::{Moves, lies_of_an_idle_program};
use scenarios::program::xmserver_nemesis;
use scenarios::sender::{Pushed, Sender};
use scenarios::servers::{Account, Dovecot, Port, Postfix, Prometheus, wait_within};
use scenarios::town::{CENTRE_ADDRESS, PASSWORD, Resident, address, found, let_read};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use crate::letters::quarantine_bytes_max;
use crate::programs::start_on_a_healthy_disk;
use crate::{FACTOR, HOUR, PATIENCE};

/// Pause between two scrapes that the test itself makes of the programs.
const LOOK: Duration = Duration::from_millis(300);
pub const OFFICE: u32 = 7;
/// Amount, in the main unit of the currency, that the office pays beforehand, so that its account can pay for imports and certifications.
const CREDIT: &str = "500000";
/// Matricule of an office whose mail address does not exist, so that its answers cannot be delivered.
const HOMELESS: u32 = 8;
/// Address of a mailbox with a rule that mail without a container is not removed.
pub const LEFT_ADDRESS: &str = "newsletters@example.org";
/// Smallest number of evaluations of the rules in a quiet hour.
const EVALUATIONS_MIN: f64 = 10.0;

pub struct World {
    pub prometheus: Prometheus,
    /// Both programs. While the first does not run, the second takes over its leases, and with them its work.
    pub engines: [Engine; 2],
    /// Ports at which the programs take pushed mail.
    ports: [Port; 2],
    pub resident: Resident,
    pub homeless: Resident,
    pub moves: Moves,
    looked: Instant,
    /// An alarm that has fired since this moment must be expected or tolerated.
    since: Instant,
    /// Alarms whose fault was made, each with the moment when it was made.
    expected: BTreeMap<&'static str, Instant>,
    /// Alarms that may fire as consequences of other faults.
    tolerated: BTreeSet<&'static str>,
    sql: Client,
    pub postfix: Postfix,
    pub dovecot: Dovecot,
    pub database: OwnDatabase,
    runtime: Runtime,
}

fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus").canonicalize().unwrap()
}

fn configuration(
    database: &str,
    (dovecot, postfix): (&Dovecot, &Postfix),
    intake: SocketAddr,
    http: SocketAddr,
) -> String {
    let mut text = format!(
        "[server]\nhttp_address = \"{http}\"\nmetrics_kept_seconds_max = 1\n{database}\
         [limits]\nquarantine_bytes_max = {}\n[relay]\naddress = \"{CENTRE_ADDRESS}\"\n\
         [relay.smtp]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
        quarantine_bytes_max(),
        postfix.smtp_address().port(),
    );
    // Senders of pushed mail wait until the database is back, however long that takes.
    text.push_str(&format!(
        "[[intake]]\nname = \"lmtp\"\nhold_seconds_max = 300\n[intake.smtp]\nlisten = \"{intake}\"\nsecurity = \"none\"\n"
    ));
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
        let ports = [Port::hold().unwrap(), Port::hold().unwrap()];
        let intake = ports[0].address();
        let configured = |http| configuration(&database.configured(), (&dovecot, &postfix), intake, http);
        let mut first = Engine::of(xmserver_nemesis().unwrap(), PASSWORD, configured).unwrap();
        found(&first).unwrap();
        first.operate(&["sample", "restore", "election"]).unwrap();
        let_read(&first).unwrap();
        database.run(&runtime, &station(1)).unwrap();
        let [resident, homeless] = [OFFICE, HOMELESS].map(|number| Resident::settle(&first, number).unwrap());
        first.operate(&["agency", "recharge", &OFFICE.to_string(), CREDIT]).unwrap();
        // A program without a configured name takes its identity from its data folder and the disk below it. Here each start has another
        // disk, and the centre would take the same program for one more replica each time.
        first.set("XMSERVER_SERVER__PROCESS_NAME", "first");
        start_first(&mut first);
        let mut second = first.twin().unwrap();
        second.set("XMSERVER_SERVER__PROCESS_NAME", "second");
        second.reconfigure(&intake.to_string(), &ports[1].address().to_string()).unwrap();
        start_on_a_healthy_disk(&mut second).unwrap();
        second.wait_until_ready().unwrap();
        let engines = [first, second];
        let targets = engines.each_ref().map(Engine::http_address);
        let prometheus = Prometheus::start_in_a_hurry(&rules(), &targets, FACTOR).unwrap();
        let sql = connect(&runtime, &database.cluster);
        let mut world = World {
            prometheus,
            engines,
            ports,
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

    /// Scrapes the metrics of every running program and notes their values.
    pub fn look(&mut self) {
        self.looked = Instant::now();
        for (number, engine) in self.engines.iter().enumerate() {
            self.moves.look(number, &engine.get("/metrics"));
        }
    }

    /// Waits until a condition holds, and scrapes the programs meanwhile.
    pub fn wait(&mut self, what: &str, mut condition: impl FnMut(&mut World) -> anyhow::Result<bool>) {
        let waited = wait_within(PATIENCE, what, || {
            if self.looked.elapsed() > LOOK {
                self.look();
            }
            condition(self)
        });
        let logs = || self.engines.each_ref().map(Engine::log_tail).join("\n\n");
        assert!(waited.is_ok(), "{waited:?}\n{}", logs());
    }

    /// Waits until an hour has passed for Prometheus. No alarm may fire meanwhile.
    pub fn pass_a_quiet_hour(&mut self) {
        self.since = Instant::now();
        self.wait("an hour has passed", |world| {
            ensure!(world.rung()?.is_empty());
            let passed = world.since.elapsed();
            let query = format!("count_over_time(xm:up:count[{}ms])", passed.as_millis().max(1));
            Ok(passed >= HOUR && world.prometheus.query(&query)?.iter().any(|seen| *seen >= EVALUATIONS_MIN))
        });
    }

    /// Returns the alarms that have fired. Fails if one of them was neither expected nor tolerated.
    fn rung(&self) -> anyhow::Result<BTreeSet<String>> {
        let rung = self.prometheus.rung_within(self.since.elapsed())?;
        let has_cause = |name: &str| self.expected.contains_key(name) || self.tolerated.contains(name);
        let without: Vec<&String> = rung.iter().filter(|name| !has_cause(name)).collect();
        ensure!(without.is_empty(), "{without:?} rang without a cause");
        Ok(rung)
    }

    /// Allows these alarms to fire as consequences of the next faults.
    pub fn tolerate(&mut self, alarms: &[&'static str]) {
        self.tolerated.extend(alarms);
    }

    /// Declares that the faults of these alarms are made next. None of these alarms may be firing already.
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

    /// Waits until each of these alarms has fired after its fault was made.
    pub fn hear(&mut self, alarms: &[&'static str]) {
        for alarm in alarms {
            self.wait(&format!("{alarm} rings"), |world| {
                world.rung()?;
                Ok(world.has_rung(alarm))
            });
            // The test framework shows this line if the test fails.
            println!("{:6.1} s: {alarm}", self.since.elapsed().as_secs_f64());
        }
    }

    /// Says whether this alarm has fired since its fault was made.
    pub fn has_rung(&self, alarm: &str) -> bool {
        self.prometheus.rung_within(self.expected[alarm].elapsed()).unwrap().contains(alarm)
    }

    /// Returns the alarms whose fault was made.
    pub fn expected(&self) -> BTreeSet<String> {
        self.expected.keys().map(|name| (*name).to_owned()).collect()
    }

    /// Returns the alarms of the shipped rules.
    pub fn alarms(&self) -> BTreeSet<String> {
        let rules = self.prometheus.rules().unwrap();
        let alarms = rules.iter().filter(|rule| rule["type"] == "alerting");
        alarms.map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
    }

    pub fn run(&self, sql: &str) {
        self.runtime.block_on(self.sql.batch_execute(sql)).unwrap();
    }

    /// Waits until each program has the lease of one mailbox, which is its fair share, and polls it.
    pub fn wait_until_each_has_a_mailbox(&mut self) {
        self.wait("each program polls a mailbox", |world| {
            let polls =
                |engine: &Engine| engine.metric("xm_leases_held") == 1.0 && engine.metric("xm_mailbox_mails") == 0.0;
            Ok(world.engines.iter().all(polls))
        });
    }

    /// Begins to push a letter to the first program. The thread ends when the sender is answered.
    pub fn push(&mut self) -> JoinHandle<Pushed> {
        let (_, mail) = self.resident.write().unwrap();
        let mail = mail.render().unwrap();
        let mut sender = Sender::new(self.ports[0].address(), CENTRE_ADDRESS);
        std::thread::spawn(move || sender.push(&mail))
    }

    /// Stops the database while the COMMIT of a pushed letter is under way. So that this moment lasts, commits must first wait for a
    /// standby that does not exist. Returns the thread of the sender, which still waits for its answer.
    pub fn lose_the_database(&mut self) -> JoinHandle<Pushed> {
        self.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
        self.run("SELECT pg_reload_conf()");
        let pushed = self.push();
        self.wait("a COMMIT waits", |world| {
            // A single statement outside of a transaction commits by itself, and would wait for the standby too. The test needs a COMMIT
            // that waits, so the query looks for that word.
            let waiting = "SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'";
            Ok(!world.runtime.block_on(world.sql.query(waiting, &[]))?.is_empty())
        });
        self.runtime.block_on(self.database.cluster.stop());
        fs::remove_file(self.database_link()).unwrap();
        pushed
    }

    pub fn find_the_database(&mut self) {
        self.runtime.block_on(self.database.cluster.restart()).unwrap();
        self.sql = connect(&self.runtime, &self.database.cluster);
        self.run("ALTER SYSTEM RESET synchronous_standby_names");
        self.run("SELECT pg_reload_conf()");
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

/// Starts a program and waits until it has the leases, so that the other program cannot take them first.
pub fn start_first(engine: &mut Engine) {
    start_on_a_healthy_disk(engine).unwrap();
    let polls = |engine: &Engine| Ok(engine.metric("xm_mailbox_up") >= 3.0);
    engine.wait_until("both mailboxes are polled, and the intake listens", polls).unwrap();
}

/// Returns a statement that inserts a polling station.
pub fn station(number: u32) -> String {
    format!(
        r#"INSERT INTO election."BureauVote" ("Status", "ElectionCode", "BureauCode", "Libelle", "Region", "Inscrits")
           VALUES (2, 'PR26', 'B{number}', 'École', 'Littoral', 300)"#
    )
}

fn connect(runtime: &Runtime, cluster: &Cluster) -> Client {
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await.unwrap();
        // The task ends when the client is dropped, or with the server.
        tokio::spawn(connection);
        client
    })
}
