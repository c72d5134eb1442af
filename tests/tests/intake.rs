//! Letters are pushed by LMTP, and posted over HTTP, through a real HAProxy to several replicas. Replicas are stopped, killed and frozen,
//! and the database goes away. Every letter whose sender was told that it is settled is settled exactly once, and senders see only the
//! faults that are promised. A real Postfix pushes mail by LMTP with TLS, and by SMTP while its own sender still waits for the reply.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mail::smtp::{Outgoing, Relay};
use mail::{RelaySettings, Security};
use nix::sys::signal::Signal;
use scenarios::database::OwnDatabase;
use scenarios::engine::{Engine, Posts};
use scenarios::poster::Poster;
use scenarios::sender::{Pushed, Sender};
use scenarios::servers::{
    Account, Backend, Certificate, Dovecot, Haproxy, Port, Postfix, Push, pass_time, wait_within,
};
use scenarios::site::Site;
use scenarios::town::{CENTRE_ADDRESS, PASSWORD, Resident, address, found};
use serde_json::Value;
use tokio::runtime::Runtime;

const PATIENCE: Duration = Duration::from_secs(120);
const OFFICE: u32 = 1;
/// Number of senders that push or post at the same time, each over a connection of its own.
const SENDERS: usize = 8;
/// Pause of a sender after each mail.
const SENDER_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause between settled letters after a replica is frozen. The frozen replica may have locked the account of the office, from
/// which all letters of the test are, and the other replicas wait for the lock. PostgreSQL ends such a transaction after 10 s. The rest is
/// for a loaded machine.
const FROZEN_MAX: Duration = Duration::from_secs(50);
/// Number of letters that are made before the test begins. Each sender takes the next letter of the list.
const LETTERS: usize = 6000;

/// An attempt to push a letter.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    letter: usize,
    ended: Instant,
    pushed: Pushed,
}

/// A letter that must still be sent, since no sender has been told that it is settled.
#[derive(Clone)]
struct Waiting {
    number: usize,
    document: Vec<u8>,
    mail: Vec<u8>,
}

/// Data that all senders share.
#[derive(Default)]
struct Traffic {
    letters: Mutex<VecDeque<Waiting>>,
    attempts: Mutex<Vec<Attempt>>,
    is_over: AtomicBool,
}

impl Traffic {
    /// Pushes letters until the traffic is over. A letter whose sender is not told that it is settled is pushed again.
    fn push(&self, to: SocketAddr) {
        let mut sender = Sender::new(to, CENTRE_ADDRESS);
        self.send(|waiting| sender.push(&waiting.mail));
    }

    /// Does what [`Traffic::push`] does, over HTTP. A reply is noted as the LMTP reply with the same meaning.
    fn post(&self, to: SocketAddr) {
        let runtime = Runtime::new().unwrap();
        let mut poster = None;
        self.send(|waiting| {
            let posted = runtime.block_on(async {
                let open = match poster.take() {
                    Some(open) => open,
                    None => Poster::connect(to, None).await?,
                };
                poster.insert(open).post(&waiting.document).await
            });
            match posted {
                Ok(reply) if reply.status == 200 => Pushed::Answered(250),
                Ok(reply) => {
                    poster = None;
                    let is_leaving = String::from_utf8_lossy(&reply.body).contains("leaving");
                    Pushed::Answered(if is_leaving { 421 } else { reply.status })
                }
                Err(_cut) => {
                    poster = None;
                    Pushed::CutAfter
                }
            }
        });
    }

    fn send(&self, mut send: impl FnMut(&Waiting) -> Pushed) {
        while !self.is_over.load(Ordering::SeqCst) {
            let Some(waiting) = self.letters.lock().unwrap().pop_front() else { return };
            let pushed = send(&waiting);
            let attempt = Attempt { letter: waiting.number, ended: Instant::now(), pushed };
            self.attempts.lock().unwrap().push(attempt);
            if pushed != Pushed::Answered(250) {
                self.letters.lock().unwrap().push_front(waiting);
            }
            pass_time(SENDER_PAUSE);
        }
    }

    fn attempts_since(&self, since: Instant) -> Vec<Attempt> {
        self.attempts.lock().unwrap().iter().filter(|attempt| attempt.ended >= since).copied().collect()
    }
}

struct World {
    replicas: Vec<Engine>,
    traffic: Arc<Traffic>,
    senders: Vec<JoinHandle<()>>,
    haproxy: Haproxy,
    database: OwnDatabase,
    _ports: Vec<Port>,
    _postfix: Postfix,
    _dovecot: Dovecot,
    runtime: Runtime,
}

impl World {
    /// Starts a centre of three replicas behind HAProxy, and the senders.
    fn new() -> World {
        let runtime = Runtime::new().unwrap();
        let database = OwnDatabase::start(&runtime).unwrap();
        let ports: Vec<Port> = (0..6).map(|_| Port::hold().unwrap()).collect();
        // For each replica, its address for LMTP and its address for HTTPS.
        let listens: Vec<[SocketAddr; 2]> =
            ports.chunks(2).map(|pair| [pair[0].address(), pair[1].address()]).collect();
        let further = format!(
            "{}[[intake]]\nname = \"lmtp\"\n[intake.smtp]\nlisten = \"{}\"\nsecurity = \"none\"\n\
             [https]\nlisten = \"{}\"\nsecurity = \"none\"\n",
            database.configured(),
            listens[0][0],
            listens[0][1]
        );
        let Site { engine: first, postfix, dovecot } = Site::found(&[address(OFFICE)], &further).unwrap();
        let mut resident = Resident::settle(&first, OFFICE).unwrap();
        let letter = |number| {
            let (packed, mail) = resident.write().unwrap();
            Waiting { number, document: packed.document, mail: mail.render().unwrap() }
        };
        let letters = (0..LETTERS).map(letter).collect();
        let mut replicas = vec![first];
        for (listen, number) in listens[1..].iter().zip(2..) {
            let mut replica = replicas[0].twin().unwrap();
            replica.set("XMSERVER_SERVER__PROCESS_NAME", &format!("replica-{number}"));
            for (first, its) in listens[0].iter().zip(listen) {
                replica.reconfigure(&first.to_string(), &its.to_string()).unwrap();
            }
            replicas.push(replica);
        }
        for replica in &mut replicas {
            replica.start().unwrap();
            replica.wait_until_ready().unwrap();
        }
        let backends: Vec<Backend> = replicas
            .iter()
            .zip(&listens)
            .map(|(replica, [intake, https])| Backend {
                intake: *intake,
                https: *https,
                health: replica.http_address(),
            })
            .collect();
        let haproxy = Haproxy::start(&backends).unwrap();
        let traffic = Arc::new(Traffic { letters: Mutex::new(letters), ..Traffic::default() });
        let senders = (0..SENDERS).map(|number| {
            let (traffic, letters, offices) = (Arc::clone(&traffic), haproxy.address(), haproxy.https_address());
            std::thread::spawn(move || if number % 2 == 0 { traffic.push(letters) } else { traffic.post(offices) })
        });
        let senders = senders.collect();
        World {
            replicas,
            traffic,
            senders,
            haproxy,
            database,
            _ports: ports,
            _postfix: postfix,
            _dovecot: dovecot,
            runtime,
        }
    }

    /// Waits until `count` letters were settled since a moment, and returns all attempts since then.
    fn settled_since(&self, since: Instant, count: usize, what: &str) -> Vec<Attempt> {
        let is_settled = |attempt: &Attempt| attempt.pushed == Pushed::Answered(250);
        let waited = wait_within(PATIENCE, what, || {
            Ok(self.traffic.attempts_since(since).iter().filter(|attempt| is_settled(attempt)).count() >= count)
        });
        assert!(waited.is_ok(), "{what}: {}\n{}", self.haproxy.tail_of_log(), self.replicas[0].log_tail());
        self.traffic.attempts_since(since)
    }

    /// Checks the replies that the senders got since a moment. Prints the longest pause between two settled letters, and returns it.
    fn judge(&self, since: Instant, what: &str, may_see: &dyn Fn(Pushed) -> bool, cut_max: usize) -> Duration {
        let attempts = self.settled_since(since, 50, what);
        let odd: Vec<_> = attempts.iter().filter(|attempt| !may_see(attempt.pushed)).collect();
        let cut = odd.iter().filter(|attempt| matches!(attempt.pushed, Pushed::CutBefore | Pushed::CutAfter)).count();
        assert!(odd.len() == cut && cut <= cut_max, "{what}: {odd:?}");
        let mut settled: Vec<_> =
            attempts.iter().filter(|attempt| attempt.pushed == Pushed::Answered(250)).map(|one| one.ended).collect();
        settled.insert(0, since);
        let pause = settled.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
        println!("{what}: {} settled, {cut} cut, longest pause {:.1} s", settled.len() - 1, pause.as_secs_f64());
        pause
    }

    /// Ends the traffic, and compares the replies of all letters with the centre's journal.
    fn reckon(mut self) {
        self.traffic.is_over.store(true, Ordering::SeqCst);
        self.senders.drain(..).for_each(|sender| sender.join().unwrap());
        let attempts = self.traffic.attempts_since(Instant::now() - PATIENCE * 10);
        let mut told: Vec<usize> =
            attempts.iter().filter(|one| one.pushed == Pushed::Answered(250)).map(|one| one.letter).collect();
        let answers = told.len();
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), answers, "no sender pushes a letter that it was told is settled");
        let mut unknown: Vec<usize> =
            attempts.iter().filter(|one| one.pushed != Pushed::Answered(250)).map(|one| one.letter).collect();
        unknown.retain(|letter| told.binary_search(letter).is_err());
        unknown.sort_unstable();
        unknown.dedup();
        let journal = self.replicas[0].operate(&["journal", "list", "--limit", "100000", "--json"]).unwrap();
        let journal: Vec<Value> = serde_json::from_str(&journal).unwrap();
        let accepted = journal.iter().filter(|line| line["outcome"] == "accepted").count();
        println!("{answers} letters settled, {} of unknown fate, {accepted} accepted", unknown.len());
        assert!((told.len()..=told.len() + unknown.len()).contains(&accepted), "{accepted} accepted");
        let quarantine = self.replicas[0].operate(&["quarantine", "list", "--json"]).unwrap();
        assert_eq!(quarantine.trim(), "[]");
    }
}

#[test]
fn pushed_letters_are_settled_once_whatever_becomes_of_replicas_and_database() {
    let mut world = World::new();
    let only_settled = |pushed| pushed == Pushed::Answered(250);
    let or_leaving = |pushed| matches!(pushed, Pushed::Answered(250 | 421));
    let began = Instant::now();
    world.judge(began, "all is well", &only_settled, 0);

    let began = Instant::now();
    for number in 0..world.replicas.len() {
        world.replicas[number].stop().unwrap();
        world.replicas[number].start().unwrap();
        world.replicas[number].wait_until_ready().unwrap();
        let again = Instant::now();
        world.settled_since(again, 20, "a replica was started again");
    }
    world.judge(began, "a rolling restart", &or_leaving, 0);

    let began = Instant::now();
    world.replicas[1].kill().unwrap();
    world.judge(began, "the death of a replica", &only_settled, 2 * SENDERS);
    world.replicas[1].start().unwrap();
    world.replicas[1].wait_until_ready().unwrap();

    let began = Instant::now();
    world.replicas[2].signal(Signal::SIGSTOP).unwrap();
    world.settled_since(began, 200, "a replica is frozen");
    let pause = world.judge(began, "a frozen replica", &only_settled, 2 * SENDERS);
    assert!(pause < FROZEN_MAX, "the office's account was kept locked for {pause:?}");
    world.replicas[2].signal(Signal::SIGCONT).unwrap();

    // HAProxy asks each replica by a deep health check whether it reaches the database, and a replica that has not for 10 s says no. The
    // database is away for longer, so all say no, and HAProxy must send mail to them all the same.
    let began = Instant::now();
    world.runtime.block_on(world.database.cluster.stop());
    pass_time(Duration::from_secs(13));
    world.runtime.block_on(world.database.cluster.restart()).unwrap();
    let again = Instant::now();
    world.settled_since(again, 50, "the database is back");
    world.judge(began, "the database was away for 13 s", &only_settled, 0);
    world.reckon();
}

/// A real Postfix pushes one letter from its queue, by LMTP over STARTTLS. It pushes another before it queues it, while the sender still
/// waits: then Postfix's own reply 250 tells the sender that the centre has committed the letter.
#[test]
fn a_postfix_pushes_from_its_queue_and_before_it() {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::make(folder.path()).unwrap();
    let (lmtp, smtp) = (Port::hold().unwrap(), Port::hold().unwrap());
    let accounts = [address(OFFICE), "other@example.org".to_owned()].map(|name| Account::new(&name, PASSWORD));
    let dovecot = Dovecot::start(&accounts).unwrap();
    let push = Push { address: CENTRE_ADDRESS.to_owned(), lmtp: lmtp.address(), smtp: smtp.address() };
    let postfix = Postfix::start_pushing(&dovecot, Some(push)).unwrap();
    let further = format!(
        "[[intake]]\nname = \"lmtp\"\n[intake.smtp]\nlisten = \"{}\"\nsecurity = \"starttls\"\ncertificate_file = {:?}\n\
         key_file = {:?}\n[[intake]]\nname = \"smtp\"\n[intake.smtp]\nprotocol = \"smtp\"\nlisten = \"{}\"\nsecurity = \"none\"\n",
        lmtp.address(),
        certificate.certificate_path,
        certificate.key_path,
        smtp.address()
    );
    let posts = Posts {
        dovecot: &dovecot,
        mailboxes: &[],
        password: PASSWORD,
        relay: postfix.smtp_address(),
        address: CENTRE_ADDRESS,
        further: &further,
    };
    let mut engine = Engine::configured(&posts).unwrap();
    found(&engine).unwrap();
    let mut resident = Resident::settle(&engine, OFFICE).unwrap();
    engine.start().unwrap();
    engine.wait_until_ready().unwrap();
    engine.wait_until("it accepts", |engine| Ok(engine.get("/accept/smtp").starts_with("HTTP/1.1 200"))).unwrap();
    let relay = |at: SocketAddr| {
        let mut settings = RelaySettings::new("127.0.0.1");
        settings.port = Some(at.port());
        settings.security = Security::None;
        runtime.block_on(async { Relay::new(&settings) }).unwrap()
    };

    let (_, mail) = resident.write().unwrap();
    runtime.block_on(relay(postfix.smtp_address()).send(&mail)).unwrap();
    let accepted = |engine: &Engine, source: &str| -> usize {
        let journal = engine.operate(&["journal", "list", "--limit", "100", "--json"]).unwrap();
        let journal: Vec<Value> = serde_json::from_str(&journal).unwrap();
        journal.iter().filter(|line| line["outcome"] == "accepted" && line["mailbox"] == source).count()
    };
    let waited = engine.wait_until("the queued letter is settled", |engine| Ok(accepted(engine, "lmtp") == 1));
    assert!(waited.is_ok(), "{waited:?}\n{}", postfix.tail_of_logs());

    let (_, mail) = resident.write().unwrap();
    runtime.block_on(relay(postfix.proxied_address()).send(&mail)).unwrap();
    assert_eq!(accepted(&engine, "smtp"), 1, "it was settled before Postfix took it");
    assert_eq!(postfix.queued(), 0);
    let refused = runtime
        .block_on(relay(postfix.proxied_address()).send(&Outgoing { to: "other@example.org".to_owned(), ..mail }));
    assert!(format!("{refused:?}").contains("5.1.1 nobody has this address here"), "{refused:?}");

    let answered = engine.wait_until("both letters are answered", |_| {
        resident.read(dovecot.mails(&address(OFFICE))?)?;
        Ok(resident.is_answered())
    });
    answered.unwrap();
    assert_eq!(resident.accepted(), 2);
    engine.stop().unwrap();
}
