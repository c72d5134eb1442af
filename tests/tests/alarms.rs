//! The shipped rules watch a running centre, in a real Prometheus for which time passes faster: through a quiet hour no
//! alarm rings, and each fault makes its own ring. On the way every metric must have moved that the programs show, and what
//! is in hand must be nothing once they are idle.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agency::dice::Dice;
use agency::identity::Identity;
use agency::records::Register;
use anyhow::ensure;
use scenarios::engine::Engine;
use scenarios::instruments::{Moves, lies_of_an_idle_program};
use scenarios::program::xmserver_nemesis;
use scenarios::servers::{Account, Dovecot, Postfix, Prometheus, pass_time, wait_within};
use scenarios::town::{CENTRE_ADDRESS, PASSWORD, Resident, address, found};
use sdc::refusal::RefusalCode;
use store::cluster::{Cluster, ClusterSettings};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

/// Time passes so many times as fast.
const FACTOR: u64 = 90;
const DAY: Duration = Duration::from_secs(24 * 3600);
const HOUR: Duration = Duration::from_millis(3_600_000 / FACTOR);
/// Longest wait for an alarm, or for the centre; a slow machine needs some of it.
const PATIENCE: Duration = Duration::from_secs(240);
/// Pause between two looks at what the programs show.
const LOOK: Duration = Duration::from_millis(300);
const OFFICE: u32 = 7;
/// Nobody takes its mail.
const HOMELESS: u32 = 8;
/// Where mail lies that is no letter, and stays.
const LEFT_ADDRESS: &str = "newsletters@example.org";
const LEFT: usize = 600;
/// Mails of strangers, and what each of them takes in quarantine at most: all of them fill most of its room.
const RUBBISH: usize = 130;
const RUBBISH_BYTES_MAX: usize = 640;
/// Letters that are refused, and dated ahead.
const REFUSED: usize = 30;

/// Alarms that cannot be made to ring here, and why. They ring under `promtool test rules`.
const NOT_HERE: [(&str, &str); 5] = [
    ("DiskNearlyFull", "the disk is the machine's"),
    ("MemoryHigh", "a program that needs so much is a defect of another test"),
    ("FilesNearlyOut", "so many connections would be no test of the centre"),
    ("MailUnfetchable", "Dovecot gives what it lists; the poller's own tests have a server that does not"),
    ("CentreCertificateExpiring", "init makes certificates for ten years"),
];
/// Metrics that do not change while a program runs, or of what does not happen here.
const STEADY: [&str; 6] = [
    "process_max_fds",
    "process_start_time_seconds",
    "xm_build_info",
    "xm_data_folder_size_bytes",
    "xm_mails_unfetchable",
    "xm_quarantine_bytes_max",
];

struct World {
    prometheus: Prometheus,
    /// The second one has its leases from the first when that is away.
    engines: [Engine; 2],
    resident: Resident,
    homeless: Resident,
    moves: Moves,
    looked: Instant,
    /// Since when alarms are listened to.
    since: Instant,
    /// What has rung and had to.
    rung: BTreeSet<&'static str>,
    sql: Client,
    postfix: Postfix,
    dovecot: Dovecot,
    cluster: Cluster,
    runtime: Runtime,
    _database: tempfile::TempDir,
}

fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus").canonicalize().unwrap()
}

fn configuration(database: &str, dovecot: &Dovecot, postfix: &Postfix, http: SocketAddr) -> String {
    let reasons = RefusalCode::ALL.iter().filter(|code| !code.is_answered()).count();
    let mut text = format!(
        "[server]\nhttp_address = \"{http}\"\nmetrics_kept_seconds_max = 1\n[database]\nurl = \"{database}\"\n\
         [limits]\nquarantine_bytes_max = {}\n[relay]\naddress = \"{CENTRE_ADDRESS}\"\n\
         [relay.smtp]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
        reasons * RUBBISH * RUBBISH_BYTES_MAX,
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

fn rubbish(number: usize) -> Vec<u8> {
    format!("From: x@example.org\r\nSubject: offre\r\n\r\nBonjour {number}\r\n").into_bytes()
}

impl World {
    fn new() -> World {
        let runtime = Runtime::new().unwrap();
        let passable = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        let database = tempfile::Builder::new().prefix("xm-alarms-").permissions(passable).tempdir().unwrap();
        let settings = ClusterSettings { data_folder: database.path().join("database"), ..ClusterSettings::default() };
        let cluster = runtime.block_on(Cluster::start(settings)).unwrap();
        let accounts = [CENTRE_ADDRESS, LEFT_ADDRESS, &address(OFFICE)];
        let dovecot = Dovecot::start(&accounts.map(|address| Account::new(address, PASSWORD))).unwrap();
        let postfix = Postfix::start(&dovecot).unwrap();
        let configured = |http| configuration(&cluster.url(), &dovecot, &postfix, http);
        let mut first = Engine::of(xmserver_nemesis().unwrap(), PASSWORD, configured).unwrap();
        found(&first).unwrap();
        let [resident, homeless] = [OFFICE, HOMELESS].map(|number| Resident::settle(&first, number).unwrap());
        first.start().unwrap();
        // It has the leases before the other one asks for them.
        let polled = |engine: &Engine| Ok(engine.metric("xm_mailbox_up") >= 2.0);
        first.wait_until("both mailboxes are polled", polled).unwrap();
        let mut second = first.twin().unwrap();
        second.start().unwrap();
        second.wait_until_ready().unwrap();
        let engines = [first, second];
        let targets = engines.each_ref().map(Engine::http_address);
        let prometheus = Prometheus::start_in_a_hurry(&rules(), &targets, FACTOR).unwrap();
        let sql = connect(&runtime, &cluster);
        let mut world = World {
            prometheus,
            engines,
            resident,
            homeless,
            moves: Moves::default(),
            looked: Instant::now(),
            since: Instant::now(),
            rung: BTreeSet::new(),
            sql,
            postfix,
            dovecot,
            cluster,
            runtime,
            _database: database,
        };
        world.wait("Prometheus has seen both programs", |world| Ok(world.prometheus.query("xm:up:count")? == [2.0]));
        world
    }

    /// Waits while looking at what the programs show.
    fn wait(&mut self, what: &str, mut condition: impl FnMut(&mut World) -> anyhow::Result<bool>) {
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

    /// Fails when an alarm has rung that had no cause.
    fn only_those_with_a_cause(&self) -> anyhow::Result<BTreeSet<String>> {
        let rung = self.prometheus.rung_within(self.since.elapsed())?;
        let has_cause =
            |name: &&String| !self.rung.contains(name.as_str()) && !NOT_HERE.iter().any(|(it, _)| *it == name.as_str());
        let without: Vec<&String> = rung.iter().filter(has_cause).collect();
        ensure!(without.is_empty(), "{without:?} rang without a cause");
        Ok(rung)
    }

    /// Waits until each of these has rung.
    fn ring(&mut self, alarms: &[&'static str]) {
        self.rung.extend(alarms);
        let mut missing = Vec::new();
        let waited = wait_within(PATIENCE, "each alarm rings", || {
            if self.looked.elapsed() > LOOK {
                self.looked = Instant::now();
                for (number, engine) in self.engines.iter().enumerate() {
                    self.moves.look(number, &engine.get("/metrics"));
                }
                let rung = self.only_those_with_a_cause()?;
                missing = alarms.iter().filter(|alarm| !rung.contains(**alarm)).collect();
                return Ok(missing.is_empty());
            }
            Ok(false)
        });
        assert!(waited.is_ok(), "{waited:?}: {missing:?}\n{}", self.engines[0].log_tail());
    }

    fn run(&self, sql: &str) {
        self.runtime.block_on(self.sql.batch_execute(sql)).unwrap();
    }

    fn deliver(&self, mail: &[u8]) {
        self.dovecot.deliver(CENTRE_ADDRESS, mail).unwrap();
    }

    /// Sends a letter that is accepted.
    fn write(&mut self) {
        let (_, mail) = self.resident.write().unwrap();
        self.deliver(&mail.render().unwrap());
    }

    fn wait_until_answered(&mut self) {
        let mut flushed = Instant::now();
        self.wait("every letter is answered and every mail gone", |world| {
            // What the relay could not deliver at the wrong moment would stay with it for minutes.
            if flushed.elapsed() > Duration::from_secs(10) {
                flushed = Instant::now();
                world.postfix.flush()?;
            }
            world.resident.read(world.dovecot.mails(&address(OFFICE))?)?;
            Ok(world.resident.is_answered() && world.dovecot.count(CENTRE_ADDRESS) == 0)
        });
    }

    /// Letters that are refused, dated a day ahead; one forged, one to be answered to nowhere, and mail of strangers.
    fn receive_what_is_wrong(&mut self) {
        let office = &mut self.resident.office;
        let births = |scope: &str| Register::new(scope).births(1, &mut Dice::of(9, 9));
        let mut mails = Vec::new();
        for _ in 0..REFUSED {
            let mut letter = office.compose(births("C8"));
            letter.time += DAY;
            let packed = office.seal(&letter).unwrap();
            office.remember(&packed);
            self.resident.letters.insert(packed.digest, None);
            mails.push(office.mail(&packed));
        }
        let letter = office.compose(births("C7"));
        let forged =
            office.seal_as(&letter, &Identity::impersonating(office.identity().certificate()).unwrap()).unwrap();
        mails.push(office.mail(&forged));
        let (_, homeless) = self.homeless.write().unwrap();
        mails.push(homeless);
        for mail in mails {
            self.deliver(&mail.render().unwrap());
        }
        for number in 0..RUBBISH {
            self.deliver(&rubbish(number));
        }
    }

    fn wait_until_idle(&self) {
        for engine in &self.engines {
            let mut lies = Vec::new();
            let waited = wait_within(PATIENCE, "an idle program has nothing in hand", || {
                lies = lies_of_an_idle_program(&engine.get("/metrics"));
                Ok(lies.is_empty())
            });
            assert!(waited.is_ok(), "{waited:?}: {lies:?}");
        }
    }

    /// Starts the second program again so often that somebody should look.
    fn restart_second(&mut self) {
        let instance = self.engines[1].http_address();
        let query = format!("process_start_time_seconds{{instance=\"{instance}\"}}");
        for _ in 0..4 {
            let before = self.prometheus.query(&query).unwrap();
            self.wait("its start is a second old", |world| {
                Ok(world.prometheus.query(&format!("time() - {query} > 1"))?.len() == 1)
            });
            self.engines[1].kill().unwrap();
            self.engines[1].start().unwrap();
            self.wait("the new start is seen", |world| {
                let now = world.prometheus.query(&query)?;
                Ok(now.len() == 1 && now != before)
            });
        }
    }
}

fn connect(runtime: &Runtime, cluster: &Cluster) -> Client {
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await.unwrap();
        // Ends when the client is dropped, or with the server.
        tokio::spawn(connection);
        client
    })
}

/// One agency without a certificate, and one whose only one ends soon.
const AGENCIES: &str = "
    INSERT INTO xm.agencies (matricule, name, email) VALUES (901, 'a', 'a@example.org'), (902, 'b', 'b@example.org');
    INSERT INTO xm.agency_keys (spki_sha256, agency) VALUES (decode(repeat('90', 32), 'hex'), 902);
    INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint, algorithm, not_before, not_after)
    VALUES (902, decode(repeat('90', 32), 'hex'), 'k', 'i', 's', 'd', decode(repeat('90', 32), 'hex'), 'P-256',
            now() - interval '1 day', now() + interval '5 days')";

#[test]
#[ignore = "has not passed to its end yet, and was ended after eleven minutes: cargo test -p scenarios --test alarms -- --ignored"]
fn no_alarm_rings_in_a_quiet_hour_each_fault_makes_its_own_and_every_metric_moves() {
    let mut world = World::new();
    for _ in 0..5 {
        world.write();
    }
    world.wait_until_answered();

    world.since = Instant::now();
    pass_time(HOUR);
    world.only_those_with_a_cause().unwrap();

    // Nothing comes, and some things are wrong that no letter is needed for.
    world.run(&format!("UPDATE xm.accounts SET balance = balance + 1 WHERE agency = {OFFICE}; {AGENCIES}"));
    world.dovecot.deliver_copies(LEFT_ADDRESS, &rubbish(0), LEFT).unwrap();
    world.ring(&["LedgerDifference", "MailboxGrowing", "AgenciesWithoutCertificate", "AgencyCertificatesEnding"]);
    world.dovecot.stop().unwrap();
    world.ring(&["MailboxUnreachable", "NoLetters"]);
    world.dovecot.start_again().unwrap();
    world.run(&format!("UPDATE xm.accounts SET balance = balance - 1 WHERE agency = {OFFICE}"));

    // Letters come, and are wrong.
    for engine in &mut world.engines {
        engine.tell("panic sdc_decoder::decode 1");
    }
    world.write();
    world.receive_what_is_wrong();
    world.ring(&[
        "ActorRestarting",
        "AnswersGivenUp",
        "ClocksDiffer",
        "KeyMisused",
        "LettersRefused",
        "QuarantineGrowing",
        "QuarantineNearlyFull",
    ]);
    world.wait_until_answered();

    // Servers go away, one after another.
    world.postfix.stop().unwrap();
    world.write();
    world.ring(&["OutboxOld"]);
    world.postfix.start_again().unwrap();
    world.wait_until_answered();

    world.run("BEGIN; LOCK TABLE xm.originals IN ACCESS EXCLUSIVE MODE");
    world.write();
    world.ring(&["LettersStuck", "MailHeld"]);
    world.run("ROLLBACK");
    world.wait_until_answered();

    world.runtime.block_on(world.cluster.stop());
    world.ring(&["DatabaseAway"]);
    world.runtime.block_on(world.cluster.restart()).unwrap();
    world.write();
    world.wait_until_answered();

    world.wait_until_idle();
    let still: BTreeSet<&str> = world.moves.still();
    assert!(world.moves.metrics().len() > 40, "{:?}", world.moves.metrics());
    assert_eq!(still, BTreeSet::from(STEADY), "metrics that have not moved");

    world.restart_second();
    world.ring(&["ProgramRestarting"]);
    world.engines[1].stop().unwrap();
    world.ring(&["ProgramAway"]);
    world.engines[0].stop().unwrap();
    world.ring(&["CentreAway"]);

    let rules = world.prometheus.rules().unwrap();
    let of_type = rules.iter().filter(|rule| rule["type"] == "alerting");
    let mut alarms: BTreeSet<String> = of_type.map(|rule| rule["name"].as_str().unwrap().to_owned()).collect();
    for (name, _reason) in NOT_HERE {
        assert!(alarms.remove(name), "{name} is no alarm");
    }
    assert_eq!(alarms, world.rung.iter().map(|name| (*name).to_owned()).collect(), "every alarm has rung");
}
