//! Letters are pushed to a process without keys and without a database, carried by three real nats-servers, and settled by another process.
//! Processes and servers are killed, and the stream is emptied: no letter is lost, and none is settled twice.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot get its world ends at once, saying why")]

use std::path::Path;
use std::time::Duration;

use agency::identity::{Algorithm, Identity};
use scenarios::database::OwnDatabase;
use scenarios::engine::Engine;
use scenarios::https_world::opened;
use scenarios::poster::{Poster, Reply};
use scenarios::program::{xmserver, xmserver_nemesis};
use scenarios::sender::{Pushed, Sender};
use scenarios::servers::{NATS_PASSWORD, Nats, Port, Prometheus, nats_server, wait_within};
use scenarios::site::Site;
use scenarios::town::{CENTRE_ADDRESS, PASSWORD, Resident, address};
use serde_json::Value;
use simulation::dice::Dice;
use simulation::forgery;
use simulation::records::Register;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(180);
const OFFICE: u32 = 7;
/// Seconds of Prometheus' time that pass in one real second.
const FACTOR: u64 = 60;

/// A centre whose letters are received by one process and settled by another.
struct World {
    runtime: Runtime,
    /// The process that is pushed to. It has neither keys nor a database.
    intake: Engine,
    /// The process that settles.
    worker: Engine,
    resident: Resident,
    https: Port,
    lmtp: Port,
    nats: Nats,
    database: OwnDatabase,
    _site: (scenarios::servers::Postfix, scenarios::servers::Dovecot),
    /// Folder with the password of the carrier's users, which is removed with the world.
    _secrets: TempDir,
}

/// How a world differs from the usual one.
#[derive(Clone, Copy)]
struct Setting {
    contract: &'static str,
    /// Whether the program of the worker obeys orders.
    is_breakable: bool,
    syncs_always: bool,
    /// Role of the process that is pushed to.
    role: &'static str,
    replicas: usize,
}

const USUAL: Setting =
    Setting { contract: "settled", is_breakable: false, syncs_always: true, role: "intake", replicas: 3 };

impl World {
    /// Sets everything up, and makes the stream. The worker and the intake are not started yet. Returns `None` where there is no NATS, and
    /// the variable XM_WITHOUT_NATS says that this is known.
    #[expect(clippy::disallowed_methods, reason = "who runs the tests says that they may be skipped")]
    fn set_up(setting: Setting) -> Option<World> {
        let program = nats_server();
        let may_skip = std::env::var_os("XM_WITHOUT_NATS").is_some();
        assert!(program.is_some() || may_skip, "there is no nats-server: `make setup`, or XM_WITHOUT_NATS=1 to skip");
        let nats = Nats::start(program?, setting.syncs_always).unwrap();
        let runtime = Runtime::new().unwrap();
        let database = OwnDatabase::start(&runtime).unwrap();
        let (https, lmtp) = (Port::hold().unwrap(), Port::hold().unwrap());
        let secrets = tempfile::Builder::new().prefix("xm-nats-secret-").tempdir().unwrap();
        let secret = secrets.path().join("password");
        std::fs::write(&secret, NATS_PASSWORD).unwrap();
        let work = carrier(&nats, "work", &secret, setting);
        let program = if setting.is_breakable { xmserver_nemesis() } else { xmserver() }.unwrap();
        let mailboxes = [CENTRE_ADDRESS.to_owned()];
        let further = format!("{}{work}", database.configured());
        let Site { engine: mut worker, postfix, dovecot } =
            Site::of(program, &mailboxes, &[address(OFFICE)], &further).unwrap();
        worker.set("XMSERVER_SERVER__ROLE", "work");
        let resident = Resident::settle(&worker, OFFICE).unwrap();
        worker.operate(&["carrier", "init"]).unwrap();
        let listens = format!(
            "[https]\nlisten = \"{}\"\nsecurity = \"none\"\ndocument_size_max_bytes = 900000\nhold_seconds_max = 2\n\
             [[intake]]\nname = \"lmtp\"\nhold_seconds_max = 2\n[intake.smtp]\nlisten = \"{}\"\nsecurity = \"none\"\n\
             addresses = [\"{CENTRE_ADDRESS}\"]\nmail_size_max_bytes = 900000\n",
            https.address(),
            lmtp.address()
        );
        let intake = if setting.role == "all" {
            let mut replica = worker.twin().unwrap();
            replica.set("XMSERVER_SERVER__ROLE", "all");
            replica.set("XMSERVER_SERVER__PROCESS_NAME", "receives");
            replica.reconfigure("[carrier]\n", &format!("{listens}[carrier]\n")).unwrap();
            replica
        } else {
            let carrier = carrier(&nats, "intake", &secret, setting);
            Engine::of(xmserver().unwrap(), PASSWORD, |http| {
                format!("[server]\nrole = \"intake\"\nhttp_address = \"{http}\"\n{listens}{carrier}")
            })
            .unwrap()
        };
        let site = (postfix, dovecot);
        Some(World { runtime, intake, worker, resident, https, lmtp, nats, database, _site: site, _secrets: secrets })
    }

    /// Does what [`World::set_up`] does, and starts both processes.
    fn open(setting: Setting) -> Option<World> {
        let mut world = World::set_up(setting)?;
        world.worker.start().unwrap();
        world.worker.wait_until_ready().unwrap();
        world.start_intake();
        Some(world)
    }

    fn start_intake(&mut self) {
        self.intake.start().unwrap();
        self.intake.wait_until_ready().unwrap();
        for protocol in ["http", "smtp"] {
            let listens = |engine: &Engine| Ok(engine.get(&format!("/accept/{protocol}")).starts_with("HTTP/1.1 200"));
            self.intake.wait_until("it accepts", listens).unwrap();
        }
    }

    fn post(&self, document: &[u8]) -> Reply {
        self.runtime.block_on(async {
            let mut poster = Poster::connect(self.https.address(), None).await.unwrap();
            poster.post(document).await.unwrap()
        })
    }

    /// Posts a document until it is taken, as an office does.
    fn post_until_taken(&self, document: &[u8]) -> Reply {
        let mut taken = None;
        wait_within(PATIENCE, "the document is taken", || {
            taken = Some(self.post(document)).filter(|reply| [200, 202].contains(&reply.status));
            Ok(taken.is_some())
        })
        .unwrap();
        taken.unwrap()
    }

    fn answer(&self, letter: uuid::Uuid, digest: &str) -> Reply {
        self.runtime.block_on(async {
            let mut poster = Poster::connect(self.https.address(), None).await.unwrap();
            poster.answer(&format!("/v1/answers/{OFFICE}/{letter}"), digest).await.unwrap()
        })
    }

    fn journal(&self) -> Vec<Value> {
        let journal = self.worker.operate(&["journal", "list", "--limit", "1000", "--json"]).unwrap();
        serde_json::from_str(&journal).unwrap()
    }

    fn accepted(&self) -> usize {
        self.journal().iter().filter(|line| line["outcome"] == "accepted").count()
    }

    fn wait(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let waited = wait_within(PATIENCE, what, || Ok(condition()));
        let logs = || {
            let (intake, worker) = (self.intake.log_tail(), self.worker.log_tail());
            format!("intake:\n{intake}\nworker:\n{worker}\nNATS:\n{}", self.nats.tail_of_logs())
        };
        waited.unwrap_or_else(|error| panic!("{error:#}\n{}", logs()));
    }

    fn end(mut self) {
        for engine in [&mut self.intake, &mut self.worker].into_iter().filter(|engine| engine.is_started()) {
            engine.stop().unwrap();
        }
        self.database.end(&self.runtime).unwrap();
    }
}

fn carrier(nats: &Nats, user: &str, secret: &std::path::Path, setting: Setting) -> String {
    let Setting { contract, replicas, .. } = setting;
    format!("{}contract = \"{contract}\"\nreplicas = {replicas}\n", nats.configured(user, secret))
}

#[test]
fn what_is_pushed_to_a_process_without_database_is_settled_by_another_and_answered_after_its_commit() {
    let Some(mut world) = World::open(USUAL) else { return };
    assert!(!world.intake.data().join("keys").exists() && !world.intake.data().join("database").exists());
    let (first, _) = world.resident.write().unwrap();
    let reply = world.post(&first.document);
    assert_eq!(world.accepted(), 1, "the reply came after the commit: {}", world.worker.log_tail());
    assert_eq!(opened(&mut world.resident, &reply), [first.digest]);
    let again = world.answer(first.letter_id, &first.digest.to_string());
    assert_eq!(opened(&mut world.resident, &again), [first.digest]);
    assert_eq!(world.answer(first.letter_id, &sdc::digest::Digest::of(b"x").to_string()).status, 404);

    let (_, mail) = world.resident.write().unwrap();
    let mut sender = Sender::new(world.lmtp.address(), CENTRE_ADDRESS);
    assert_eq!(sender.push(&mail.render().unwrap()), Pushed::Answered(250));
    assert_eq!(world.accepted(), 2);
    let journal = world.journal();
    let told = |transport: &str, mailbox: &str| {
        journal.iter().any(|line| line["transport"] == transport && line["mailbox"] == mailbox)
    };
    assert!(told("http", "https") && told("mail", "lmtp"), "{journal:?}");

    let forger = Identity::generate("office 7", Algorithm::P256).unwrap();
    let letter = world.resident.office.compose(Register::new("C7").births(1, &mut Dice::of(9, 1))).unwrap();
    let forged = forgery::sealed(&world.resident.office, &letter, &forger).unwrap();
    for stranger in [&forged[..], b"hello"] {
        assert_eq!(world.post(stranger).status, 202);
    }
    world.wait("the carrier is empty", || world.worker.metric("xm_carrier_waiting") == 0.0);
    assert!(world.intake.metric("xm_carrier_put_seconds_count") >= 4.0);
    world.end();
}

#[test]
fn a_worker_that_dies_after_its_commit_and_before_its_acknowledgement_settles_once() {
    let Some(mut world) = World::open(Setting { is_breakable: true, ..USUAL }) else { return };
    world.worker.tell("kill carrier_poller::reported 1");
    let (letter, _) = world.resident.write().unwrap();
    assert_eq!(world.post(&letter.document).status, 503, "nobody says what became of it");
    wait_within(PATIENCE, "the worker has died", || Ok(world.worker.ended()?.is_some())).unwrap();
    assert_eq!(world.accepted(), 1, "it was committed");
    world.worker.start().unwrap();
    world.worker.wait_until_ready().unwrap();
    let reply = world.post_until_taken(&letter.document);
    assert_eq!(opened(&mut world.resident, &reply), [letter.digest]);
    world.wait("the carrier is empty", || {
        world.worker.is_started() && world.worker.get("/metrics").lines().any(|line| line == "xm_carrier_waiting 0")
    });
    assert_eq!(world.accepted(), 1, "{:?}", world.journal());
    world.end();
}

#[test]
fn a_letter_that_is_carried_is_settled_although_all_servers_are_killed_before_anybody_takes_it() {
    let Some(mut world) = World::set_up(Setting { contract: "carried", ..USUAL }) else { return };
    world.start_intake();
    let (letter, _) = world.resident.write().unwrap();
    let reply = world.post_until_taken(&letter.document);
    assert_eq!(reply.status, 202, "no process settles letters");
    world.nats.kill_all();
    world.nats.start_again().unwrap();
    world.worker.start().unwrap();
    world.worker.wait_until_ready().unwrap();
    let (id, digest) = (letter.letter_id, letter.digest.to_string());
    let mut answer = None;
    world.wait("the office has its receipt", || {
        answer = Some(world.answer(id, &digest)).filter(|reply| reply.status == 200);
        answer.is_some()
    });
    assert_eq!(opened(&mut world.resident, &answer.unwrap()), [letter.digest]);
    assert_eq!(world.accepted(), 1);
    world.end();
}

#[test]
fn the_contract_carried_is_refused_unless_three_servers_sync_before_they_acknowledge() {
    for (replicas, syncs_always, reason) in [
        (1, true, "1 server(s) keep each parcel, and 3 are expected"),
        (3, false, "acknowledges before it has written to disk: expected `sync_interval: always` there"),
    ] {
        let setting = Setting { contract: "settled", replicas, syncs_always, ..USUAL };
        let Some(mut world) = World::set_up(setting) else { return };
        let (code, said) = world.worker.ask(&["carrier", "check"]).unwrap();
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains(reason) && said.contains("the contract settled needs no more"), "{said}");
        for engine in [&world.worker, &world.intake] {
            engine.reconfigure("contract = \"settled\"", "contract = \"carried\"").unwrap();
        }
        let (code, said) = world.worker.ask(&["carrier", "check"]).unwrap();
        assert!(code == Some(1) && said.contains(reason), "{code:?} {said}");
        world.intake.start().unwrap();
        wait_within(PATIENCE, "the intake has ended", || Ok(world.intake.ended()?.is_some())).unwrap();
        let log = std::fs::read_to_string(world.intake.log_path()).unwrap();
        assert!(log.contains("the contract carried is refused: ") && log.contains(reason), "{log}");
        world.end();
    }
}

#[test]
fn while_no_server_answers_senders_keep_their_letters_and_a_process_with_a_database_settles_them_itself() {
    let Some(mut world) = World::open(USUAL) else { return };
    world.nats.kill_all();
    let (posted, _) = world.resident.write().unwrap();
    let (_, mail) = world.resident.write().unwrap();
    assert_eq!(world.post(&posted.document).status, 503);
    let mut sender = Sender::new(world.lmtp.address(), CENTRE_ADDRESS);
    assert_eq!(sender.push(&mail.render().unwrap()), Pushed::Answered(451));
    assert_eq!(world.accepted(), 0);
    world.nats.start_again().unwrap();
    let reply = world.post_until_taken(&posted.document);
    assert_eq!(opened(&mut world.resident, &reply), [posted.digest]);
    world.wait("the mail is taken", || sender.push(&mail.render().unwrap()) == Pushed::Answered(250));
    assert_eq!(world.accepted(), 2, "{:?}", world.journal());
    world.end();

    let Some(mut world) = World::open(Setting { role: "all", ..USUAL }) else { return };
    let (carried, _) = world.resident.write().unwrap();
    let reply = world.post_until_taken(&carried.document);
    assert_eq!(opened(&mut world.resident, &reply), [carried.digest]);
    assert!(world.intake.metric("xm_carrier_put_seconds_count") >= 1.0, "it went by the carrier");
    world.nats.kill_all();
    let (here, _) = world.resident.write().unwrap();
    let reply = world.post_until_taken(&here.document);
    assert_eq!(opened(&mut world.resident, &reply), [here.digest]);
    assert_eq!(world.accepted(), 2);
    world.end();
}

#[test]
fn a_stream_that_was_deleted_is_made_anew_and_told_of() {
    let Some(mut world) = World::open(USUAL) else { return };
    let emptied = |world: &World| world.worker.metric("xm_carrier_emptied_total");
    let log = |world: &World| std::fs::read_to_string(world.worker.log_path()).unwrap();
    world.wait("the worker has seen the stream", || log(&world).contains("the carrier's stream is reached"));
    assert_eq!(emptied(&world), 0.0);
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus").canonicalize().unwrap();
    let prometheus = Prometheus::start_in_a_hurry(&rules, &[world.worker.http_address()], FACTOR).unwrap();
    world.wait("Prometheus has seen the worker", || {
        prometheus.query("count_over_time(xm_carrier_emptied_total[1m])").unwrap().iter().any(|seen| *seen >= 2.0)
    });
    world.nats.delete_stream().unwrap();
    world.wait("the worker notices", || emptied(&world) > 0.0);
    assert_eq!(emptied(&world), 1.0);
    let rings = "ALERTS{alertname=\"CarrierEmptied\",alertstate=\"firing\"}";
    world.wait("the alarm rings", || prometheus.query(rings).unwrap() == [1.0]);
    let (letter, _) = world.resident.write().unwrap();
    let reply = world.post_until_taken(&letter.document);
    assert_eq!(opened(&mut world.resident, &reply), [letter.digest]);
    assert_eq!(world.accepted(), 1);
    assert!(log(&world).contains("the carrier's stream was emptied"), "{}", log(&world));
    world.end();
}
