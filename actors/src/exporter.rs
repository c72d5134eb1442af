//! Seals the answers and notices that wait in the outbox, and hands them to a courier: the relay, or the transfer folder. Each courier has
//! its own exporter, so that a courier that cannot be reached delays no other. To seal an answer takes a processor as long as to settle a
//! small letter. So while many letters are being settled, sending waits, for a bounded time.
//!
//! An answer is committed long before the exporter sends it. An answer that the courier did not clearly take is sent again, with the same
//! signed content, and the office counts it once. (If the connection breaks after the final dot of SMTP, the sender cannot know whether the
//! mail was taken, RFC 1047.) An answer that is sent again has a mail of its own, under a Message-ID made of its letter's id.
//!
//! The exporter leases answers: until the lease ends, no other process sends them.

mod sent;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Message};
use futures_util::stream::{FuturesUnordered, StreamExt};
use sent::{Asked, Failure, Mailed, Sent};
use store::database::fault::Fault;
use store::letters::outbox::{self, LeasedAnswer};
use store::planted::point;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::courier::{Again, Courier, NotTaken};
use crate::database_tasks::DatabaseTasks;
use crate::messages::Posted;
use crate::metrics::{ActorMetrics, Handled, Metrics, Stay};
use crate::outage::Outage;
use crate::room::Hands;
use crate::sealing::{NO_CERTIFICATE, Sealer};
use crate::supervision::{Guard, Guarded, Heartbeat};

/// Length of a lease of answers. If this process dies and is not restarted, another process sends the answers after this time.
const LEASE_HOLD: Duration = Duration::from_secs(120);

/// Longest pause after a round (the sending of the answers that were leased together) in which the courier could not be reached.
const AWAY_PAUSE_MAX: Duration = Duration::from_secs(10);

/// Largest number of attempts to mark answers as sent.
const MARKS_MAX: u32 = 3;

/// Reason that is recorded when an answer is given up without asking a courier.
const NO_ADDRESS: &str =
    "the agency has no e-mail address: `xmserver agency edit` gives it one, then `xmserver answer retry` sends this";

/// Parts that an exporter is built from.
#[derive(Clone)]
pub struct ExporterParts {
    /// The outbox, and the runtime of the courier's connections.
    pub tasks: DatabaseTasks,
    /// Name of this process, kept across restarts, so that a restarted process has its own leases again at once.
    pub process: Uuid,
    /// The courier that takes the answers.
    pub courier: Arc<dyn Courier>,
    /// Seals (signs and encrypts) the answers.
    pub sealer: Sealer,
    /// Largest number of answers leased at a time.
    pub leased_max: i64,
    /// Largest number of mails that are being sent at a time.
    pub sending_max: usize,
    /// Pause between two looks at the outbox while no ledger reports new answers.
    pub interval: Duration,
    /// Longest time for which answers are kept back while many incoming letters are being settled.
    pub yield_max: Duration,
    /// Counts the mails that are being processed, which shows whether settlement is busy.
    pub hands: Hands,
    /// Number of mails in process from which on settlement counts as busy.
    pub busy_mails: u32,
    /// Counts the answers by outcome.
    pub metrics: Arc<Metrics>,
}

/// The exporter actor of one courier. It seals and sends the answers of the outbox.
pub struct Exporter {
    parts: ExporterParts,
    guard: Guard,
    is_sending: bool,
    /// Whether the outbox may still hold leases of an earlier life, or of a round that failed.
    has_former_leases: bool,
    /// Whether answers were posted during the current round, so that another round follows without a pause.
    is_told: bool,
    yielding_since: Option<Instant>,
    /// Number of rounds in a row in which the courier could not be reached. The pause before the next round grows with this number.
    rounds_away: u32,
    rests_until: Option<Instant>,
    outage: Outage,
}

#[derive(Message)]
#[rtype(result = "()")]
struct Round;

impl Exporter {
    /// Makes an exporter.
    pub fn new(parts: ExporterParts, guard: Guard) -> Exporter {
        Exporter {
            parts,
            guard,
            is_sending: false,
            has_former_leases: true,
            is_told: false,
            yielding_since: None,
            rounds_away: 0,
            rests_until: None,
            outage: Outage::default(),
        }
    }

    fn round(&mut self, context: &mut Context<Exporter>) {
        point("exporter::round");
        if self.is_sending {
            self.is_told = true;
            return;
        }
        // While the exporter pauses, no round begins. The next tick looks at the outbox again.
        if self.rests_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        if self.yields_to_settlement() {
            context.notify_later(Round, Duration::from_millis(20));
            return;
        }
        self.is_sending = true;
        self.is_told = false;
        let parts = self.parts.clone();
        let (has_former_leases, metrics) = (self.has_former_leases, self.guard.metrics.clone());
        let round = async move { send_round(&parts, &metrics, has_former_leases).await };
        // The round is cancelled if this actor ends. Nothing is lost: the actor that replaces it releases the answers that this one has
        // leased, and sends them.
        self.parts.tasks.run_while_alive(self, context, round, Exporter::sent);
    }

    /// Says whether answers are kept back now, because many incoming letters are being settled. The time is bounded, since offices wait for
    /// their answers too.
    fn yields_to_settlement(&mut self) -> bool {
        if self.parts.hands.in_hand() < self.parts.busy_mails {
            self.yielding_since = None;
            return false;
        }
        let since = *self.yielding_since.get_or_insert_with(Instant::now);
        if since.elapsed() < self.parts.yield_max {
            return true;
        }
        self.yielding_since = None;
        false
    }

    fn sent(&mut self, outcome: Result<Sent, Fault>, context: &mut Context<Exporter>) {
        self.is_sending = false;
        // If a round ends with a fault of the database, its answers stay leased by this process. The next round releases these leases
        // first.
        self.has_former_leases = outcome.is_err();
        if let Ok(sent) = &outcome {
            sent.tell(self.parts.courier.noun(), &mut self.outage, Instant::now());
        }
        match outcome {
            Ok(sent) if sent.is_away() => {
                let pause = self.parts.interval.saturating_mul(1 << self.rounds_away.min(8));
                self.rounds_away += 1;
                self.rests_until = Some(Instant::now() + pause.min(AWAY_PAUSE_MAX));
            }
            Ok(sent) => {
                self.rests_until = None;
                if sent.is_reached() {
                    self.rounds_away = 0;
                }
                if sent.answers > 0 || self.is_told {
                    context.notify(Round);
                }
            }
            Err(fault) => {
                self.guard.metrics.fault();
                if !fault.is_away() {
                    tracing::warn!(%fault, "answers wait: the outbox cannot be read");
                }
            }
        }
    }
}

/// The state that the mails of one round share.
struct Sending {
    at_once: Semaphore,
    /// Whether a mail found that the courier or the database is away, so that no further mail is begun.
    is_away: AtomicBool,
}

/// Leases, seals and sends the answers of one round. The round ends when the courier cannot be reached, since no further mail would get
/// through.
async fn send_round(parts: &ExporterParts, actor: &ActorMetrics, has_former_leases: bool) -> Result<Sent, Fault> {
    let leased = {
        let mut connection = parts.tasks.database.get().await?;
        if has_former_leases {
            outbox::release_of(&mut connection, parts.process, parts.courier.transport()).await?;
        }
        outbox::lease(&mut connection, parts.process, parts.courier.transport(), parts.leased_max, LEASE_HOLD).await?
    };
    let mut sent = Sent::of(leased.len());
    let round = Sending { at_once: Semaphore::new(parts.sending_max.max(1)), is_away: AtomicBool::new(false) };
    let mut sending: FuturesUnordered<_> = group(leased, parts.courier.together_max())
        .into_iter()
        .map(|mail| send_mail(parts, actor, mail, &round))
        .collect();
    // After a fault of the database with one mail, the results of the other mails are still collected. Otherwise answers that the courier
    // took would not be marked as sent, and would be sent again.
    let mut fault = None;
    while let Some(mailed) = sending.next().await {
        match mailed {
            Ok(mailed) => sent.add(mailed),
            Err(met) => {
                round.is_away.store(true, Ordering::Relaxed);
                fault.get_or_insert(met);
            }
        }
    }
    if !sent.sent.is_empty() {
        point("exporter::sent");
        mark_sent(parts, &sent.sent).await?;
        parts.metrics.answers.with_label_values(&["sent"]).inc_by(sent.sent.len() as u64);
    }
    if !sent.untried.is_empty() {
        let mut connection = parts.tasks.database.get().await?;
        outbox::leave(&mut connection, &sent.untried).await?;
    }
    fault.map_or(Ok(sent), Err)
}

/// Marks answers as sent. After a temporary fault the statement is tried again at once, because the offices already have the answers.
async fn mark_sent(parts: &ExporterParts, answers: &[LeasedAnswer]) -> Result<(), Fault> {
    let mut tries = 1..MARKS_MAX;
    loop {
        let marked = async { outbox::sent(&mut *parts.tasks.database.get().await?, answers).await };
        match marked.await {
            Err(fault) if fault.is_passing() && tries.next().is_some() => {
                tracing::debug!(%fault, "answers that were sent are marked once more");
            }
            marked => return marked,
        }
    }
}

/// Groups answers into mails. Answers to one agency that are sent for the first time share mails. An answer that is sent again has a mail
/// of its own, so that its Message-ID never stands for two different mails.
fn group(leased: Vec<LeasedAnswer>, together_max: usize) -> Vec<Vec<LeasedAnswer>> {
    let mut mails: Vec<Vec<LeasedAnswer>> = Vec::new();
    for answer in leased {
        let joins = mails.last().is_some_and(|mail| {
            mail.len() < together_max
                && !answer.is_sent_again
                && mail
                    .iter()
                    .all(|other| other.agency == answer.agency && other.email == answer.email && !other.is_sent_again)
        });
        match mails.last_mut() {
            Some(mail) if joins => mail.push(answer),
            _ => mails.push(vec![answer]),
        }
    }
    mails
}

/// Sends one mail. Skips it if another mail of the round has found that the courier cannot be reached.
async fn send_mail(
    parts: &ExporterParts,
    actor: &ActorMetrics,
    mail: Vec<LeasedAnswer>,
    round: &Sending,
) -> Result<Mailed, Fault> {
    // `stay` counts the answers as work of this exporter. Where it is dropped without an outcome, as for answers that are put back for
    // later, they are counted as faults.
    let mut stay = Stay::begin(actor, mail.len());
    // The semaphore is never closed, so a permit always comes.
    let _permit = round.at_once.acquire().await.ok();
    if round.is_away.load(Ordering::Relaxed) {
        stay.end(Handled::Deferred, mail.len());
        return Ok(Mailed { untried: mail, ..Mailed::default() });
    }
    // All answers of a mail go to one agency, so all of them have its address, or none has one.
    if parts.courier.needs_address() && mail.iter().any(|answer| answer.email.is_empty()) {
        give_up(parts, &mut stay, &mail, NO_ADDRESS).await?;
        return Ok(Mailed::default());
    }
    let (sealed, unsealable) = parts.sealer.seal_all(mail).await;
    if !unsealable.is_empty() {
        give_up(parts, &mut stay, &unsealable, NO_CERTIFICATE).await?;
    }
    if sealed.is_empty() {
        return Ok(Mailed::default());
    }
    point("exporter::send");
    let result = parts.courier.carry(&sealed).await;
    let answers: Vec<LeasedAnswer> = sealed.into_iter().map(|sealed| sealed.answer).collect();
    match result {
        Ok(()) => {
            stay.end(Handled::Ok, answers.len());
            Ok(Mailed { sent: answers, courier: Asked::Reached, ..Mailed::default() })
        }
        Err(failure) => not_sent(parts, &mut stay, answers, failure, round).await,
    }
}

/// Gives up answers that cannot be sent by any courier.
async fn give_up(parts: &ExporterParts, stay: &mut Stay, answers: &[LeasedAnswer], words: &str) -> Result<(), Fault> {
    let mut connection = parts.tasks.database.get().await?;
    outbox::give_up(&mut connection, answers, words).await?;
    parts.metrics.answers.with_label_values(&["given_up"]).inc_by(answers.len() as u64);
    stay.end(Handled::Refused, answers.len());
    Ok(())
}

/// Decides about the answers of a mail that was not sent: they are given up, put back for later, or left as untried.
async fn not_sent(
    parts: &ExporterParts,
    stay: &mut Stay,
    answers: Vec<LeasedAnswer>,
    words: NotTaken,
    round: &Sending,
) -> Result<Mailed, Fault> {
    let count = answers.len();
    let failure = Failure { answers: count, agency: answers.first().map(|answer| answer.agency), words };
    let counted = |outcome: &str| parts.metrics.answers.with_label_values(&[outcome]).inc_by(count as u64);
    if failure.words.again == Again::OnceBack {
        round.is_away.store(true, Ordering::Relaxed);
        counted("put_back");
        return Ok(Mailed { untried: answers, courier: Asked::Away(failure), ..Mailed::default() });
    }
    let words = failure.words.to_string();
    let mut connection = parts.tasks.database.get().await?;
    // A refused address stays refused, so its answer is given up. Where a mail holds several answers, each is first tried in a mail of its
    // own.
    if failure.words.again == Again::Never && count == 1 {
        outbox::give_up(&mut connection, &answers, &words).await?;
        stay.end(Handled::Refused, count);
        counted("given_up");
    } else {
        outbox::put_back(&mut connection, &answers, &words).await?;
        counted("put_back");
    }
    Ok(Mailed { courier: Asked::Reached, refused: Some(failure), ..Mailed::default() })
}

impl Guarded for Exporter {
    fn guard(&self) -> &Guard {
        &self.guard
    }
}

impl Actor for Exporter {
    type Context = Context<Exporter>;

    fn started(&mut self, context: &mut Context<Exporter>) {
        let interval = self.parts.interval;
        context.run_interval(interval, |_, context| context.notify(Round));
        context.notify(Round);
    }
}

impl Handler<Posted> for Exporter {
    type Result = ();

    fn handle(&mut self, _: Posted, context: &mut Context<Exporter>) {
        let guard = self.guard.clone();
        guard.run(context, |context| self.round(context));
    }
}

impl Handler<Round> for Exporter {
    type Result = ();

    fn handle(&mut self, _: Round, context: &mut Context<Exporter>) {
        let guard = self.guard.clone();
        guard.run(context, |context| self.round(context));
    }
}

impl Handler<Heartbeat> for Exporter {
    type Result = ();

    fn handle(&mut self, _: Heartbeat, _: &mut Context<Exporter>) {}
}
