//! Seals the answers that wait in the outbox, and what the centre writes first, and hands them to a courier: the relay, or the
//! transfer folder. There is one exporter for each courier, so that a courier that is away keeps no other waiting. Sending yields to
//! settlement, for a bounded time.
//!
//! An answer is committed long before it leaves; the exporter only carries it. An answer that the courier did not clearly take is sent
//! again, with the same signed content (RFC 1047: after the final dot nobody knows), and the office counts it once. An answer that is
//! sent again goes alone, under a Message-ID made of its letter's id.
//!
//! The exporter leases answers: for a while they are this process's, and no other process sends them.

mod sent;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix::{Actor, AsyncContext, Context, Handler, Message};
use futures_util::stream::{FuturesUnordered, StreamExt};
use sdc::cms;
use sdc::document::Document;
use sdc::keys::SigningKey;
use sdc::payload;
use sent::{Asked, Failure, Mailed, Sent};
use store::certificates::signers::Signers;
use store::database::fault::Fault;
use store::letters::outbox::{self, LeasedAnswer};
use store::planted::point;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::courier::{Again, Courier, NotTaken, Sealed};
use crate::database_tasks::DatabaseTasks;
use crate::messages::Posted;
use crate::metrics::{ActorMetrics, Handled, Metrics, Stay};
use crate::outage::Outage;
use crate::room::Hands;
use crate::supervision::{Guard, Guarded, Heartbeat};

/// How long answers are leased: other processes wait so long, should this one die and not come back.
const LEASE_HOLD: Duration = Duration::from_secs(120);

/// Longest pause between two rounds while the courier cannot be reached.
const AWAY_PAUSE_MAX: Duration = Duration::from_secs(10);

/// Why answers are given up before a courier is asked.
const NO_ADDRESS: &str =
    "the agency has no e-mail address: `xmserver agency edit` gives it one, then `xmserver answer retry` sends this";
const NO_CERTIFICATE: &str = "no valid certificate to seal the answer for";

/// What an exporter is built with.
#[derive(Clone)]
pub struct ExporterParts {
    /// The outbox, and the runtime of the courier's connections.
    pub tasks: DatabaseTasks,
    /// This process, by the name that it keeps across restarts, so that after a restart it has its leases again at once.
    pub process: Uuid,
    /// Where answers go.
    pub courier: Arc<dyn Courier>,
    /// Whose signature they bear.
    pub key: Arc<SigningKey>,
    /// Certificates to seal for, parsed when their letters were verified.
    pub signers: Arc<Signers>,
    /// Answers leased at a time.
    pub leased_max: i64,
    /// Answers on their way at a time.
    pub sending_max: usize,
    /// Pause between two looks at the outbox while no ledger tells of answers.
    pub interval: Duration,
    /// Longest time that sending waits for settlement.
    pub yield_max: Duration,
    /// Tells whether settlement is busy.
    pub hands: Hands,
    /// Mails in hand from which on settlement counts as busy.
    pub busy_mails: u32,
    /// Where answers are counted.
    pub metrics: Arc<Metrics>,
}

/// See the module.
pub struct Exporter {
    parts: ExporterParts,
    guard: Guard,
    is_sending: bool,
    /// Whether answers may still be leased that a former life or a failed round has leased.
    has_former_leases: bool,
    /// Whether answers were posted while a round was under way.
    is_told: bool,
    yielding_since: Option<Instant>,
    /// Rounds since the courier was last reached, and until when the next round waits.
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
        // The next tick looks again.
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
        // If this actor ends meanwhile, the one built in its place takes up the answers that this one has leased.
        self.parts.tasks.run_while_alive(self, context, round, Exporter::sent);
    }

    /// Says whether sending waits for settlement now. The wait is bounded, since answers are part of the promise too.
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
        // A round that a fault of the database ended leaves its answers leased by this process.
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
    is_away: AtomicBool,
}

/// Leases, seals and sends the answers of one round. The round ends where the courier cannot be reached: each further mail would find
/// the same.
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
    while let Some(mailed) = sending.next().await {
        sent.add(mailed?);
    }
    if !sent.sent.is_empty() {
        point("exporter::sent");
        let mut connection = parts.tasks.database.get().await?;
        outbox::sent(&mut connection, &sent.sent).await?;
    }
    if !sent.untried.is_empty() {
        let mut connection = parts.tasks.database.get().await?;
        outbox::leave(&mut connection, &sent.untried).await?;
    }
    parts.metrics.answers.with_label_values(&["sent"]).inc_by(sent.sent.len() as u64);
    Ok(sent)
}

/// Groups answers into mails: answers to one agency that are sent for the first time go together. An answer that is sent again goes
/// alone, so that its Message-ID never names two different mails, and stays the same from then on.
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

/// Sends one mail, unless the courier was found away meanwhile.
async fn send_mail(
    parts: &ExporterParts,
    actor: &ActorMetrics,
    mail: Vec<LeasedAnswer>,
    round: &Sending,
) -> Result<Mailed, Fault> {
    // Answers that are put back for later are counted as faults when the stay is dropped.
    let mut stay = Stay::begin(actor, mail.len());
    // The semaphore is never closed, so a permit always comes.
    let _permit = round.at_once.acquire().await.ok();
    if round.is_away.load(Ordering::Relaxed) {
        stay.end(Handled::Deferred, mail.len());
        return Ok(Mailed { untried: mail, ..Mailed::default() });
    }
    // All are to one address.
    if parts.courier.needs_address() && mail.iter().any(|answer| answer.email.is_empty()) {
        give_up(parts, &mut stay, &mail, NO_ADDRESS).await?;
        return Ok(Mailed::default());
    }
    let (sealed, unsealable) = seal(parts, mail).await;
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

/// Gives answers up that no courier can be asked to take.
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
    // A refused address does not mend itself, so its answer is given up. Of several answers in one mail each is tried alone first.
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

/// Seals answers on a thread for blocking work: a P-256 sealing takes as long as a whole small transaction. Returns the sealed answers
/// and those that have no valid certificate.
async fn seal(parts: &ExporterParts, mail: Vec<LeasedAnswer>) -> (Vec<Sealed>, Vec<LeasedAnswer>) {
    let (key, signers) = (Arc::clone(&parts.key), Arc::clone(&parts.signers));
    let sealing = tokio::task::spawn_blocking(move || {
        let mut sealed = Vec::with_capacity(mail.len());
        let mut unsealable = Vec::new();
        for answer in mail {
            let recipient = answer.certificate.as_ref();
            let certificate = recipient.and_then(|to| signers.certificate(to.certificate_id, &to.der).ok());
            let document = certificate
                .and_then(|certificate| cms::seal(&packed(&answer), &key, &certificate, answer.cipher).ok())
                .map(|der| Document::render(&der, None));
            match document {
                Some(document) => sealed.push(Sealed { answer, document }),
                None => unsealable.push(answer),
            }
        }
        (sealed, unsealable)
    });
    match sealing.await {
        Ok(done) => done,
        Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        Err(_cancelled) => (Vec::new(), Vec::new()),
    }
}

/// Returns what is signed: a receipt was packed when it was written, a notice is packed as its office reads by now.
fn packed(answer: &LeasedAnswer) -> Cow<'_, [u8]> {
    match &answer.notice {
        Some(notice) => Cow::Owned(payload::pack_as(answer.payload.clone(), notice.form)),
        None => Cow::Borrowed(&answer.payload),
    }
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
