//! One source with the actor that serves it, as in a process, and the fates that its mails may have.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix::Actor;
use actors::admission::decoders::{Decoder, Decoders};
use actors::admission::lender::{Patience, Reception};
use actors::admission::source::{Admission, Turns};
use actors::answer_desk::{AnswerDesk, AnswerDeskParts};
use actors::at_work::AtWork;
use actors::claims::Claims;
use actors::database_tasks::DatabaseTasks;
use actors::gate::Gate;
use actors::mailbox_poller::{MailboxPoller, MailboxPollerParts};
use actors::messages::Fetched;
use actors::metrics::Metrics;
use actors::push_intake::{PushIntake, PushIntakeParts};
use actors::replicas::Replicas;
use actors::room::Hands;
use actors::sealing::Sealer;
use actors::stop::{Stop, StopTeller, stop};
use actors::supervision::{Escalation, Link, Policy, supervise};
use actors::transport::NoContainer;
use agency::identity::{Algorithm, Identity};
use prometheus::Registry;
use sdc::letter::Matricule;
use store::certificates::signers::Signers;
use store::database::Database;
use store::testing::TestCluster;
use tokio::sync::RwLock;
use uuid::Uuid;

use super::{Stand, Way, World};

/// Longest wait for any event, far more than a loaded machine needs.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two checks of what a source keeps.
pub const LOOK: Duration = Duration::from_millis(5);

/// Makes the mail of a letter that contains its number.
pub fn letter(number: usize) -> Vec<u8> {
    format!("Subject: SDC 1 agency=000042\r\n\r\nletter {number}\r\n").into_bytes()
}

/// Fails with the words of `otherwise` unless `is_so`.
pub fn ensure(is_so: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(otherwise()) }
}

/// One source with the actor that serves it. The test replaces the decoders, and decides the fate of each mail.
pub struct Case<'w> {
    pub world: &'w World,
    pub stand: Box<dyn Stand>,
    pub database: Database,
    process: Uuid,
    /// Key under which the next process takes the lease of its source.
    key: &'static str,
    pub received: Receiver<Fetched>,
    decoders: Decoders,
    registry: Registry,
    pub metrics: Arc<Metrics>,
    pub gate: Gate,
    /// Longest time that a pushed mail is kept while the database cannot be reached.
    pub hold_max: Duration,
    pub running: Vec<Running>,
}

/// An actor that serves a source, on a thread of its own.
pub struct Running {
    pub drain: StopTeller,
    end: StopTeller,
    pub polling: Arc<RwLock<()>>,
    thread: JoinHandle<Result<(), Escalation>>,
}

impl<'w> Case<'w> {
    pub fn new(world: &'w World, stand: Box<dyn Stand>) -> Case<'w> {
        let database = world.runtime.block_on(async { TestCluster::shared().await.database().await });
        let (sender, received) = channel::<Fetched>();
        let sender: Mutex<Sender<Fetched>> = Mutex::new(sender);
        // Once the case is over, the channel has no receiver. A mail that is sent is then dropped, and returns to its source.
        let decoder = Box::new(move |fetched| drop(sender.lock().unwrap().send(fetched)));
        let decoders = Decoders::new([decoder as Decoder]);
        let registry = Registry::new();
        let metrics = Arc::new(Metrics::new(&registry).unwrap());
        Case {
            world,
            stand,
            database,
            process: Uuid::now_v7(),
            key: "source",
            received,
            decoders,
            registry,
            metrics,
            gate: Gate::default(),
            hold_max: Duration::ZERO,
            running: Vec::new(),
        }
    }

    pub fn put(&self, number: usize) {
        self.stand.put(&letter(number));
    }

    /// Starts another process beside those that run. It takes the lease of the source under `key`: of processes with the same key, only one
    /// has the lease.
    pub fn start_another(&mut self, key: &'static str) {
        self.process = Uuid::now_v7();
        self.key = key;
        self.start();
    }

    /// Starts a process that serves the source, as the pipeline does.
    pub fn start(&mut self) {
        let (drain, draining) = stop();
        let (end, ending) = stop();
        let polling: Arc<RwLock<()>> = Arc::default();
        let thread = match self.stand.way() {
            Way::Listed(transport) => {
                let parts = MailboxPollerParts {
                    source: self.admission(transport.facts(), draining),
                    transport,
                    turns: Turns {
                        interval: Duration::from_millis(20),
                        phase: Duration::ZERO,
                        window_mails: 8,
                        window_bytes_max: 1 << 20,
                        session_mails_max: 100,
                        session_time_max: Duration::from_secs(2),
                    },
                    polling: Arc::clone(&polling),
                };
                let link = Link::new(self.metrics.actor("mailbox_poller"));
                supervised(link, ending, move |guard| MailboxPoller::new(parts.clone(), guard).start())
            }
            Way::Pushed(transport) => {
                let patience = Patience { hold: self.hold_max, answer: PATIENCE };
                let parts = PushIntakeParts {
                    source: Reception::here(self.admission(transport.facts(), draining), patience),
                    transport,
                    desk: self.desk(),
                    polling: Arc::clone(&polling),
                };
                let link = Link::new(self.metrics.actor("push_intake"));
                supervised(link, ending, move |guard| PushIntake::new(parts.clone(), guard).start())
            }
        };
        self.running.push(Running { drain, end, polling, thread });
    }

    fn desk(&self) -> AnswerDesk {
        let key = Identity::generate("centre", Algorithm::P256).unwrap().key().clone();
        let signers = Arc::new(Signers::new(1));
        AnswerDesk::open(AnswerDeskParts {
            tasks: self.tasks(),
            process: self.process,
            sealer: Sealer { key: Arc::new(key), signers },
            metrics: Arc::clone(&self.metrics),
        })
    }

    fn tasks(&self) -> DatabaseTasks {
        DatabaseTasks { database: self.database.clone(), runtime: self.world.runtime.handle().clone() }
    }

    fn admission(&self, facts: actors::transport::TransportFacts, drain: Stop) -> Admission {
        let claims = Claims::default();
        claims.set_known([Matricule::try_from(42).unwrap()]);
        Admission {
            name: self.key.into(),
            key: self.key.into(),
            facts,
            mail_bytes_max: 1 << 20,
            no_container: NoContainer::Quarantine,
            tasks: self.tasks(),
            process: self.process,
            replicas: Replicas::alone(self.process),
            gives_up: Arc::default(),
            decoders: self.decoders.clone(),
            hands: Hands::new(64, 1024, 64, 1 << 20),
            claims: Arc::new(claims),
            gate: self.gate.clone(),
            drain,
            metrics: Arc::clone(&self.metrics),
        }
    }

    /// Ends every process without draining it, as a kill does.
    pub fn kill(&mut self) {
        for running in self.running.drain(..) {
            running.end.tell();
            running.thread.join().unwrap().unwrap();
        }
    }

    pub fn held(&self) -> usize {
        self.stand.held()
    }

    /// Waits for the next mail, and checks meanwhile that the source keeps at least `held_min` mails.
    pub fn next(&self, held_min: usize) -> Result<Fetched, String> {
        let began = Instant::now();
        loop {
            self.holds(held_min)?;
            if let Ok(fetched) = self.received.recv_timeout(LOOK) {
                return Ok(fetched);
            }
            ensure(began.elapsed() < PATIENCE, || format!("no mail is lent; {} are held", self.held()))?;
        }
    }

    pub fn holds(&self, held_min: usize) -> Result<(), String> {
        let held = self.held();
        ensure(held >= held_min, || format!("{held} mails are held where {held_min} are not settled"))
    }

    /// Waits until the source keeps exactly `expected` mails, and fails if it keeps fewer. All mail that it lends meanwhile is settled.
    pub fn until_held(&self, expected: usize, seen: &mut Vec<Vec<u8>>) -> Result<(), String> {
        let began = Instant::now();
        while self.held() != expected {
            self.holds(expected)?;
            if let Ok(fetched) = self.received.recv_timeout(LOOK) {
                seen.push(fetched.mail.clone());
                fetched.share.settle();
            }
            ensure(began.elapsed() < PATIENCE, || {
                format!("{} mails are held where all but {expected} are settled", self.held())
            })?;
        }
        Ok(())
    }

    /// Settles all mail until the source keeps none, and checks that each of `letters` was lent.
    pub fn settle_all(&self, letters: std::ops::RangeInclusive<usize>, mut seen: Vec<Vec<u8>>) -> Result<(), String> {
        self.until_held(0, &mut seen)?;
        for number in letters {
            ensure(seen.contains(&letter(number)), || format!("letter {number} is gone, and was never lent"))?;
        }
        Ok(())
    }

    pub fn is_rebuilt(&self) -> bool {
        let families = self.registry.gather();
        let mut restarts = families.iter().filter(|family| family.name() == "xm_actor_restarts_total");
        restarts.any(|family| family.get_metric().iter().any(|metric| metric.get_counter().get_value() > 0.0))
    }
}

fn supervised<A>(
    link: Link<A>,
    ending: Stop,
    build: impl Fn(actors::supervision::Guard) -> actix::Addr<A> + Send + 'static,
) -> JoinHandle<Result<(), Escalation>>
where
    A: Actor<Context = actix::Context<A>> + actix::Handler<actors::supervision::Heartbeat>,
{
    let policy = Policy {
        backoff_min: Duration::from_millis(5),
        backoff_max: Duration::from_millis(20),
        heartbeat_interval: Duration::from_millis(50),
        ..Policy::default()
    };
    std::thread::spawn(move || {
        actix_rt::System::new()
            .block_on(async move { supervise(policy, link, ending, &AtWork::default(), build).await })
    })
}
