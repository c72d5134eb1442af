//! Keeps actors alive: rebuilds an actor from its factory after a panic, and ends the process if rebuilding does not help.
//!
//! actix offers typed messages and isolation. Measurements show its limits: a panic in a handler kills the actor, its queue and its
//! `Supervisor`, and unwinding re-enters the actor. So every handler's body runs under [`Guard::run`], which catches the panic and stops
//! the actor. After a panic the state of the actor may be wrong, so the actor is rebuilt and not resumed. The letters in its queue return
//! to their sources when the queue is dropped (`custody`).

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use arc_swap::ArcSwapOption;
use store::replicas::Twin;
use tokio::sync::Notify;

use crate::at_work::{AtWork, MailName, Work};
use crate::custody::Letters;
use crate::metrics::ActorMetrics;
use crate::stop::Stop;

/// Number of waits into which the deadline of a heartbeat is divided.
const HEARTBEAT_WAITS: u32 = 10;

/// Sent to every actor at intervals. If an actor does not answer within the deadline, its thread hangs.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Heartbeat;

/// How a supervisor treats its actor.
#[derive(Clone, Debug)]
pub struct Policy {
    /// First pause before a rebuild. The pause doubles with each further rebuild in a row.
    pub backoff_min: Duration,
    /// Longest pause before a rebuild.
    pub backoff_max: Duration,
    /// Rebuilds allowed within `intensity_window`; one more ends the process.
    pub restarts_max: usize,
    /// Time during which a rebuild counts towards `restarts_max`.
    pub intensity_window: Duration,
    /// Pause between heartbeats.
    pub heartbeat_interval: Duration,
    /// Longest wait for the answer to a heartbeat.
    pub heartbeat_deadline: Duration,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(5),
            // The pauses before ten rebuilds sum to 21 s, and each further pause is 5 s. So a much higher limit could not be exceeded
            // within a minute.
            restarts_max: 10,
            intensity_window: Duration::from_secs(60),
            heartbeat_interval: Duration::from_secs(1),
            heartbeat_deadline: Duration::from_secs(30),
        }
    }
}

/// A handle to an actor that remains valid after the actor is rebuilt: it then refers to the new actor.
pub struct Link<A: Actor> {
    addr: Arc<ArcSwapOption<Addr<A>>>,
    metrics: ActorMetrics,
}

impl<A: Actor> Clone for Link<A> {
    fn clone(&self) -> Link<A> {
        Link { addr: Arc::clone(&self.addr), metrics: self.metrics.clone() }
    }
}

impl<A: Actor> Link<A> {
    /// Makes a link to an actor with these metrics. The link refers to no actor until the actor is supervised.
    pub fn new(metrics: ActorMetrics) -> Link<A> {
        Link { addr: Arc::new(ArcSwapOption::empty()), metrics }
    }

    /// Returns the metrics of the actor.
    pub fn metrics(&self) -> &ActorMetrics {
        &self.metrics
    }

    /// Sends letters. From now on they are counted with the receiving actor, even while they wait in its mailbox. Returns whether the
    /// letters were accepted; see [`Link::send`].
    pub fn hand_on<M>(&self, mut letters: M) -> bool
    where
        M: Letters + Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        letters.enter(&self.metrics);
        self.send(letters)
    }

    /// Sends a message. If no actor accepts it, the message is dropped, and the mail of a letter in it returns to its source. Returns
    /// whether the message was accepted.
    pub fn send<M>(&self, message: M) -> bool
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        self.addr.load().as_ref().is_some_and(|addr| addr.try_send(message).is_ok())
    }

    /// Returns the address of the current actor, or `None` while it is being rebuilt.
    pub fn addr(&self) -> Option<Addr<A>> {
        self.addr.load().as_ref().map(|addr| Addr::clone(addr))
    }

    fn lead_to(&self, addr: Option<Addr<A>>) {
        self.addr.store(addr.map(Arc::new));
    }
}

/// What every actor holds: its metrics, and the notification by which its supervisor learns that it has ended.
#[derive(Clone)]
pub struct Guard {
    /// Counters and times under the actor's name.
    pub metrics: ActorMetrics,
    ended: Arc<Notify>,
}

impl Guard {
    /// Runs a handler's body. After a panic the actor is stopped and runs nothing else. Letters are not counted here but where their
    /// outcome is known: a message may bring no letter (a timer's tick), or a letter whose outcome is known only after the handler has
    /// returned.
    pub fn run<A: Actor<Context = Context<A>>>(&self, context: &mut Context<A>, body: impl FnOnce(&mut Context<A>)) {
        let started = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| body(&mut *context)));
        self.metrics.handled_in(started.elapsed());
        if let Err(panic) = outcome {
            self.end_after_panic(context, panic.as_ref());
        }
    }

    /// Stops the actor because a task that it had started outside its thread panicked.
    pub fn end_after_panic<A: Actor<Context = Context<A>>>(&self, context: &mut Context<A>, panic: &(dyn Any + Send)) {
        use actix::ActorContext;
        tracing::error!(
            actor = self.metrics.name(),
            panic = panic_message(panic),
            "a handler panicked; the actor is rebuilt"
        );
        context.terminate();
        self.ended.notify_one();
    }
}

/// An actor that has a guard.
pub trait Guarded: Actor<Context = Context<Self>> {
    /// Returns the actor's guard.
    fn guard(&self) -> &Guard;
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    // Panic messages of this program are static texts, and contain no data of records. A message that a library has formatted might contain
    // some, so it is not logged.
    panic.downcast_ref::<&'static str>().copied().unwrap_or("(message withheld)")
}

/// Why the process must end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Escalation {
    /// The actor was rebuilt too often.
    #[error(
        "{actor} failed more than {restarts_max} times within {window_seconds} s: the process ends, so that the service \
         manager starts a fresh one"
    )]
    TooManyRestarts {
        /// Name of the actor.
        actor: &'static str,
        /// Largest number of rebuilds that is allowed within the window.
        restarts_max: usize,
        /// Window in seconds in which the rebuilds are counted.
        window_seconds: u64,
    },
    /// The actor does not answer: its thread hangs and cannot be replaced.
    #[error(
        "{actor} has not answered for {deadline_seconds} s{over}: the process ends, so that the service manager starts a fresh one",
        over = over(mail.as_ref())
    )]
    Hung {
        /// Name of the actor that was at work on the thread.
        actor: &'static str,
        /// Time in seconds within which the actor had to answer.
        deadline_seconds: u64,
        /// Mail that the actor was working on during the whole time.
        mail: Option<MailName>,
    },
    /// Another program lives under this process's identity.
    #[error(
        "another xmserver on host {}, with data folder {}, took this process for dead and runs under its identity: this one ends",
        .0.host, .0.data_folder
    )]
    Twin(Twin),
}

fn over(mail: Option<&MailName>) -> String {
    mail.map(|mail| format!(" over {mail}, which is set aside")).unwrap_or_default()
}

/// Builds an actor, and rebuilds it whenever it ends, until `stop` is set or the policy's limit of rebuilds is exceeded.
///
/// `build` starts a new actor with the guard it must carry and returns its address. `at_work` shows what the actor's thread is working on.
///
/// # Errors
/// The [`Escalation`] with which the process must end.
pub async fn supervise<A>(
    policy: Policy,
    link: Link<A>,
    stop: Stop,
    at_work: &AtWork,
    mut build: impl FnMut(Guard) -> Addr<A>,
) -> Result<(), Escalation>
where
    A: Actor<Context = Context<A>> + Handler<Heartbeat>,
    A::Context: AsyncContext<A>,
{
    let metrics = link.metrics().clone();
    let mut restarts: VecDeque<Instant> = VecDeque::new();
    loop {
        let ended = Arc::new(Notify::new());
        let addr = build(Guard { metrics: metrics.clone(), ended: Arc::clone(&ended) });
        link.lead_to(Some(addr.clone()));
        watch(&addr, &metrics, &policy, &ended, &stop, at_work).await?;
        link.lead_to(None);
        if stop.is_told() {
            return Ok(());
        }
        metrics.restarted();
        restarts.push_back(Instant::now());
        while restarts.front().is_some_and(|at| at.elapsed() > policy.intensity_window) {
            restarts.pop_front();
        }
        if restarts.len() > policy.restarts_max {
            return Err(Escalation::TooManyRestarts {
                actor: metrics.name(),
                restarts_max: policy.restarts_max,
                window_seconds: policy.intensity_window.as_secs(),
            });
        }
        let doublings = u32::try_from(restarts.len().saturating_sub(1)).unwrap_or(u32::MAX).min(16);
        let pause = policy.backoff_min.saturating_mul(1 << doublings).min(policy.backoff_max);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.told() => return Ok(()),
        }
    }
}

/// Waits until the actor has ended or `stop` is set.
async fn watch<A>(
    addr: &Addr<A>,
    metrics: &ActorMetrics,
    policy: &Policy,
    ended: &Notify,
    stop: &Stop,
    at_work: &AtWork,
) -> Result<(), Escalation>
where
    A: Actor<Context = Context<A>> + Handler<Heartbeat>,
{
    loop {
        tokio::select! {
            () = ended.notified() => return Ok(()),
            () = stop.told() => return Ok(()),
            () = tokio::time::sleep(policy.heartbeat_interval) => {}
        }
        match answer(addr, policy, at_work).await {
            Pulse::Alive => {}
            Pulse::Ended => return Ok(()),
            Pulse::Hung(work) => {
                let deadline_seconds = policy.heartbeat_deadline.as_secs();
                // Several actors share a thread. The actor that is at work is to blame, even if the heartbeat was sent to another actor.
                let (actor, mail) = work.map_or((metrics.name(), None), |work| (work.actor, Some(work.mail)));
                return Err(Escalation::Hung { actor, deadline_seconds, mail });
            }
        }
    }
}

enum Pulse {
    Alive,
    Ended,
    Hung(Option<Work>),
}

/// Sends an actor a heartbeat and waits for the answer. The deadline is divided into short waits, each of which must pass without an
/// answer. If the process was suspended, only one of the waits is over when it continues, so no actor is blamed for the time in which none
/// could run. For the same reason, a piece of work is blamed only if it was under way after the first wait and still is at the end.
async fn answer<A>(addr: &Addr<A>, policy: &Policy, at_work: &AtWork) -> Pulse
where
    A: Actor<Context = Context<A>> + Handler<Heartbeat>,
{
    let mut answered = std::pin::pin!(addr.send(Heartbeat));
    let mut begun = None;
    for wait in 0..HEARTBEAT_WAITS {
        match tokio::time::timeout(policy.heartbeat_deadline / HEARTBEAT_WAITS, &mut answered).await {
            Ok(Ok(())) => return Pulse::Alive,
            Ok(Err(_closed)) => return Pulse::Ended,
            Err(_elapsed) if wait == 0 => begun = at_work.now(),
            Err(_elapsed) => {}
        }
    }
    Pulse::Hung(begun.filter(|begun| at_work.now().as_ref() == Some(begun)))
}
