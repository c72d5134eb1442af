//! The contract of transports. A source holds the only copy of a mail until the last share of it is settled, whatever happens to the
//! actor over it, to the way to it, to the database, or beside it.

pub mod listed;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix::Actor;
use actors::admission::lanes::Claims;
use actors::admission::{Admission, Desk, Turns};
use actors::at_work::AtWork;
use actors::intake::Intake;
use actors::mailbox_poller::{MailboxPoller, MailboxPollerParts};
use actors::messages::{Fetched, NoContainer};
use actors::metrics::Metrics;
use actors::push_intake::{PushIntake, PushIntakeParts};
use actors::room::Hands;
use actors::stop::{Stop, StopTeller, stop};
use actors::supervision::{Escalation, Link, Policy, supervise};
use actors::transport::{Pushed, Transport};
use fail::FailScenario;
use prometheus::Registry;
use sdc::letter::Matricule;
use store::database::Database;
use store::database::fault::Fault;
use store::letters::in_hand::ATTEMPTS_MAX;
use store::testing::TestCluster;
use tokio::runtime::Runtime;
use tokio::sync::RwLock;
use uuid::Uuid;

/// Longest wait for anything: far beyond what a loaded machine takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time between two looks at what a source holds.
const LOOK: Duration = Duration::from_millis(5);

/// A promise that was not kept.
#[derive(Debug)]
pub struct Breach {
    /// Which.
    pub clause: &'static str,
    /// How.
    pub how: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.clause, self.how)
    }
}

/// What all cases share: places to fail at belong to one test at a time.
pub struct World {
    pub runtime: Runtime,
    _scenario: FailScenario<'static>,
}

impl World {
    pub fn new() -> World {
        let scenario = FailScenario::setup();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        World { runtime, _scenario: scenario }
    }
}

/// How mail comes from a source.
pub enum Way {
    Listed(Arc<dyn Transport>),
    Pushed(Arc<dyn Pushed>),
}

/// A source, as whoever sends to it knows it.
pub trait Stand {
    /// Leaves a mail with it.
    fn put(&self, mail: &[u8]);
    /// Counts the mails that nobody may believe to be done with.
    fn held(&self) -> usize;
    /// Cuts the way to it.
    fn cut(&self);
    /// Mends the way to it.
    fn mend(&self);
    /// Says how mail comes from it.
    fn way(&self) -> Way;
}

/// What one promise of a transport is checked by.
type Clause = fn(&mut Case<'_>) -> Result<(), String>;

const CLAUSES: [(&str, Clause); 13] = [
    ("lends", lends),
    ("settles", settles),
    ("waits for every share", waits_for_every_share),
    ("returns", returns),
    ("defers", defers),
    ("leaves", leaves),
    ("sets poison aside", sets_poison_aside),
    ("survives a panic", survives_a_panic),
    ("survives a kill", survives_a_kill),
    ("survives a cut", survives_a_cut),
    ("survives a database without room", survives_a_database_without_room),
    ("two at once", two_at_once),
    ("drains", drains),
];

/// Holds a transport to its contract. Each clause has a source of its own.
pub fn hold(world: &World, stand: &dyn Fn() -> Box<dyn Stand>) -> Result<(), Breach> {
    CLAUSES.iter().try_for_each(|(clause, _)| hold_to(clause, world, stand))
}

/// Holds a transport to one clause.
pub fn hold_to(clause: &'static str, world: &World, stand: &dyn Fn() -> Box<dyn Stand>) -> Result<(), Breach> {
    let (_, check) = CLAUSES.into_iter().find(|(name, _)| *name == clause).unwrap();
    let mut case = Case::new(world, stand());
    let outcome = check(&mut case);
    case.kill();
    fail::list().iter().for_each(|(place, _)| fail::remove(place));
    outcome.map_err(|how| Breach { clause, how })
}

fn letter(number: usize) -> Vec<u8> {
    format!("Subject: SDC 1 agency=000042\r\n\r\nletter {number}\r\n").into_bytes()
}

fn ensure(is_so: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(otherwise()) }
}

/// One source with the actor over it, and the clerk who decides what becomes of its mail.
struct Case<'w> {
    world: &'w World,
    stand: Box<dyn Stand>,
    database: Database,
    process: Uuid,
    received: Receiver<Fetched>,
    desk: Desk,
    registry: Registry,
    metrics: Arc<Metrics>,
    intake: Intake,
    running: Vec<Running>,
}

/// An actor over a source, on a thread of its own.
struct Running {
    drain: StopTeller,
    end: StopTeller,
    polling: Arc<RwLock<()>>,
    thread: JoinHandle<Result<(), Escalation>>,
}

impl<'w> Case<'w> {
    fn new(world: &'w World, stand: Box<dyn Stand>) -> Case<'w> {
        let database = world.runtime.block_on(async { TestCluster::shared().await.database().await });
        let (sender, received) = channel::<Fetched>();
        let sender: Mutex<Sender<Fetched>> = Mutex::new(sender);
        // Nobody receives any more once the case is over: the mail goes back.
        let desk = Desk::Other(Arc::new(move |fetched| drop(sender.lock().unwrap().send(fetched))));
        let registry = Registry::new();
        let metrics = Arc::new(Metrics::new(&registry).unwrap());
        Case {
            world,
            stand,
            database,
            process: Uuid::now_v7(),
            received,
            desk,
            registry,
            metrics,
            intake: Intake::default(),
            running: Vec::new(),
        }
    }

    fn put(&self, number: usize) {
        self.stand.put(&letter(number));
    }

    /// Starts a process over the source, as the pipeline does.
    fn start(&mut self) {
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
                let parts = PushIntakeParts {
                    source: self.admission(transport.facts(), draining),
                    transport,
                    polling: Arc::clone(&polling),
                };
                let link = Link::new(self.metrics.actor("push_intake"));
                supervised(link, ending, move |guard| PushIntake::new(parts.clone(), guard).start())
            }
        };
        self.running.push(Running { drain, end, polling, thread });
    }

    fn admission(&self, facts: actors::transport::Facts, drain: Stop) -> Admission {
        let claims = Claims::default();
        claims.set_known([Matricule::try_from(42).unwrap()]);
        Admission {
            name: "source".into(),
            key: "source".into(),
            facts,
            mail_bytes_max: 1 << 20,
            no_container: NoContainer::Quarantine,
            database: self.database.clone(),
            database_runtime: self.world.runtime.handle().clone(),
            process: self.process,
            desk: self.desk.clone(),
            hands: Hands::new(64, 1024, 64, 1 << 20),
            claims: Arc::new(claims),
            intake: self.intake.clone(),
            drain,
            metrics: Arc::clone(&self.metrics),
        }
    }

    /// Ends every process where it stands.
    fn kill(&mut self) {
        for running in self.running.drain(..) {
            running.end.tell();
            running.thread.join().unwrap().unwrap();
        }
    }

    fn held(&self) -> usize {
        self.stand.held()
    }

    /// Waits for the next mail, and sees to it meanwhile that the source holds at least so many.
    fn next(&self, held_min: usize) -> Result<Fetched, String> {
        let began = Instant::now();
        loop {
            self.holds(held_min)?;
            if let Ok(fetched) = self.received.recv_timeout(LOOK) {
                return Ok(fetched);
            }
            ensure(began.elapsed() < PATIENCE, || format!("no mail is lent; {} are held", self.held()))?;
        }
    }

    fn holds(&self, held_min: usize) -> Result<(), String> {
        let held = self.held();
        ensure(held >= held_min, || format!("{held} mails are held where {held_min} are not settled"))
    }

    /// Waits until the source holds so many mails, and never fewer. Whatever it lends meanwhile is settled.
    fn until_held(&self, expected: usize, seen: &mut Vec<Vec<u8>>) -> Result<(), String> {
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

    /// Settles whatever comes until nothing is held, and sees to it that each of these letters came.
    fn settle_all(&self, letters: std::ops::RangeInclusive<usize>, mut seen: Vec<Vec<u8>>) -> Result<(), String> {
        self.until_held(0, &mut seen)?;
        for number in letters {
            ensure(seen.contains(&letter(number)), || format!("letter {number} is gone, and was never lent"))?;
        }
        Ok(())
    }

    fn is_rebuilt(&self) -> bool {
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

/// Each mail is lent, octet for octet.
fn lends(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    let first = case.next(0)?;
    ensure(first.mail == letter(1), || format!("another mail is lent: {:?}", String::from_utf8_lossy(&first.mail)))?;
    ensure(first.over_size_bytes.is_none() && !first.is_poison, || "it is lent as something else".to_owned())?;
    case.put(2);
    let second = case.next(0)?;
    ensure(second.mail == letter(2), || "the second mail is another".to_owned())
}

/// A mail is held until it is settled, however many that came later are; and no longer.
fn settles(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    let first = case.next(1)?;
    case.put(2);
    let second = case.next(2)?;
    second.share.settle();
    case.until_held(1, &mut Vec::new())?;
    case.put(3);
    let third = case.next(2)?;
    third.share.settle();
    case.until_held(1, &mut Vec::new())?;
    first.share.settle();
    case.until_held(0, &mut Vec::new())
}

/// A mail of several letters is held until the last of them is settled.
fn waits_for_every_share(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    let first = case.next(1)?;
    let other = first.share.another();
    first.share.settle();
    for number in 2..5 {
        case.put(number);
        case.next(2)?.share.settle();
        case.until_held(1, &mut Vec::new())?;
    }
    other.settle();
    case.until_held(0, &mut Vec::new())
}

/// What the world kept from being settled comes again, and so does a mail of which one letter was.
fn returns(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    for is_settled_in_part in [false, true, false] {
        let fetched = case.next(1)?;
        ensure(fetched.mail == letter(1), || "another mail comes again".to_owned())?;
        if is_settled_in_part {
            fetched.share.another().settle();
        }
        drop(fetched.share);
    }
    case.next(1)?.share.settle();
    case.until_held(0, &mut Vec::new())
}

/// What waits for others, or for its table, comes again.
fn defers(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    case.next(1)?.share.defer();
    case.next(1)?.share.withhold();
    let again = case.next(1)?;
    ensure(again.mail == letter(1), || "another mail comes again".to_owned())?;
    again.share.settle();
    case.until_held(0, &mut Vec::new())
}

/// What is not ours stays where it is, and keeps nothing else from being taken. A pushed source has no place of its own for it.
fn leaves(case: &mut Case<'_>) -> Result<(), String> {
    if let Way::Pushed(_) = case.stand.way() {
        return Ok(());
    }
    case.put(1);
    case.start();
    case.next(1)?.share.leave();
    for number in 2..5 {
        case.put(number);
        let next = case.next(2)?;
        ensure(next.mail == letter(number), || "what is left is lent again".to_owned())?;
        next.share.settle();
        case.until_held(1, &mut Vec::new())?;
    }
    Ok(())
}

/// A mail that makes the code fail which has it in its hands is lent alone, and after three failures alone as poison; others pass.
fn sets_poison_aside(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    for attempt in 0..=i32::from(ATTEMPTS_MAX) {
        let fetched = case.next(1)?;
        ensure(!fetched.is_poison, || format!("it is poison after {attempt} failures"))?;
        let share = fetched.share;
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _held = share;
            panic!("planted");
        }));
        ensure(unwound.is_err(), || "nothing failed".to_owned())?;
    }
    let poison = case.next(1)?;
    ensure(poison.is_poison && poison.mail == letter(1), || "it is lent as if nothing had happened".to_owned())?;
    poison.share.settle();
    case.until_held(0, &mut Vec::new())?;
    case.put(2);
    let next = case.next(1)?;
    ensure(!next.is_poison, || "another mail is taken for poison".to_owned())?;
    next.share.settle();
    case.until_held(0, &mut Vec::new())
}

/// An actor that panics is rebuilt over the same source, and what it had lent is settled or comes again.
fn survives_a_panic(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    let first = case.next(1)?;
    for place in ["mailbox_poller::retrieved", "push_intake::lend"] {
        fail::cfg(place, "1*panic(planted)->off").unwrap();
    }
    (2..5).for_each(|number| case.put(number));
    let began = Instant::now();
    while !case.is_rebuilt() {
        case.holds(4)?;
        ensure(began.elapsed() < PATIENCE, || "the actor is not rebuilt".to_owned())?;
        std::thread::yield_now();
    }
    first.share.settle();
    case.settle_all(2..=4, Vec::new())
}

/// What was in hand when the process was killed comes again, whatever became of it: nobody was there to be told.
fn survives_a_kill(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.put(2);
    case.start();
    let (first, second) = (case.next(2)?, case.next(2)?);
    case.kill();
    case.holds(2)?;
    first.share.settle();
    drop(second.share);
    case.holds(2)?;
    case.start();
    case.settle_all(1..=2, Vec::new())
}

/// What is settled while the source cannot be reached goes once it can be; what came meanwhile is lent.
fn survives_a_cut(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.put(2);
    case.start();
    let (first, second) = (case.next(2)?, case.next(2)?);
    case.stand.cut();
    first.share.settle();
    case.put(3);
    case.holds(2)?;
    case.stand.mend();
    second.share.settle();
    case.settle_all(3..=3, Vec::new())
}

/// With a database that is away, or has no room, nothing is lent and nothing is lost; then all goes on.
fn survives_a_database_without_room(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    let first = case.next(1)?;
    case.intake.fault(&Fault::Away("no space left on device".to_owned()));
    drop(first.share);
    case.put(2);
    case.holds(2)?;
    ensure(case.received.try_recv().is_err(), || "mail is lent while nothing can be settled".to_owned())?;
    let (intake, database, metrics) = (case.intake.clone(), case.database.clone(), Arc::clone(&case.metrics));
    let (end, ending) = stop();
    case.world.runtime.spawn(async move { intake.keep(&database, &metrics, &ending).await });
    let outcome = case.settle_all(1..=2, Vec::new());
    end.tell();
    outcome
}

/// Two processes over one source lose nothing, whoever of them has it.
fn two_at_once(case: &mut Case<'_>) -> Result<(), String> {
    (1..=6).for_each(|number| case.put(number));
    case.start();
    case.process = Uuid::now_v7();
    case.start();
    let mut seen = Vec::new();
    case.until_held(0, &mut seen)?;
    (7..=12).for_each(|number| case.put(number));
    case.settle_all(1..=12, seen)
}

/// A process that drains takes nothing more, and what it has in hand is settled for its source as well.
fn drains(case: &mut Case<'_>) -> Result<(), String> {
    case.put(1);
    case.start();
    let first = case.next(1)?;
    let running = &case.running[0];
    running.drain.tell();
    case.put(2);
    first.share.settle();
    let polling = Arc::clone(&running.polling);
    let ended = case.world.runtime.block_on(async { tokio::time::timeout(PATIENCE, polling.write()).await.is_ok() });
    ensure(ended, || "it does not end".to_owned())?;
    ensure(case.received.try_recv().is_err(), || "mail is taken while the process drains".to_owned())?;
    ensure(case.held() == 1, || format!("{} mails are held where one is not settled", case.held()))
}
