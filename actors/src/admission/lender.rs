//! What pushed mail passes: permits, a lane, the line that names it in the database, the actors, and the fate with which its sender
//! is answered. It is the same admission as for mail that is listed, one mail at a time.
//!
//! The sender holds the only copy that counts until it is told that its mail is settled. Whatever else becomes of the mail, of this
//! process or of the line to the sender, the sender keeps it and sends it again, and settling knows a letter that comes again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sdc::digest::Digest;
use sdc::document;
use sdc::letter::Matricule;
use store::database::fault::Fault;
use store::letters::in_hand::{ATTEMPTS_MAX, Suspect};
use store::planted::point;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use super::Admission;
use super::lanes::{Lane, Tried};
use super::poll::MailState;
use super::suspects::{ALONE_WAIT_MAX, AfterAlone, TURN_WAIT_MAX};
use crate::custody::Fate;
use crate::metrics::ActorMetrics;
use crate::room::{Claimant, Permits};

/// Longest wait of a sender for a database that is away, before it is told to come again.
const HOLD_MAX: Duration = Duration::from_secs(120);
/// Longest wait of a mail for room that its claim's own mail gives back, or for a place in the slow lane.
const ROOM_WAIT_MAX: Duration = Duration::from_millis(500);
/// Time between two looks at that room.
const ROOM_WAIT_STEP: Duration = Duration::from_millis(10);

/// A mail that somebody pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedMail {
    /// The mail, or the first part of one that is too large.
    pub mail: Vec<u8>,
    /// The size of one that is too large.
    pub over_size_bytes: Option<u64>,
}

/// Lends pushed mail to the actors. Cheap to clone.
#[derive(Clone)]
pub struct Lender(Arc<Lending>);

struct Lending {
    admission: Admission,
    metrics: ActorMetrics,
    /// One name per life of the intake: what an earlier life left in hand is told from what this one holds.
    life: Uuid,
    next_line: AtomicI64,
    /// Tokens of mails that were in hand when something died, with how often they failed alone.
    suspects: Mutex<HashMap<String, i16>>,
    /// How many senders wait for the fate of a mail.
    lent: watch::Sender<usize>,
}

/// Counts a sender that waits for as long as it does.
struct Counted(Arc<Lending>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.lent.send_modify(|lent| *lent -= 1);
    }
}

/// A mail that was let in.
struct Admitted {
    permits: Permits,
    lane: Lane,
}

impl Lender {
    /// Begins a life of an intake: what an earlier one left in hand is suspect.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn begin(mut admission: Admission, metrics: ActorMetrics) -> Result<Lender, Fault> {
        // Each process has mail of its own in hand under the name of the source, and nobody else's lease ends it.
        admission.key = format!("{}@{}", admission.name, admission.process).into();
        let life = Uuid::now_v7();
        admission.take_lease().await?;
        let suspects = admission.suspects(life).await?;
        let suspects = suspects.into_iter().map(|Suspect { token, attempts }| (token, attempts)).collect();
        let next_line = AtomicI64::new(0);
        let lent = watch::Sender::new(0);
        Ok(Lender(Arc::new(Lending { admission, metrics, life, next_line, suspects: Mutex::new(suspects), lent })))
    }

    /// Lends a mail and waits for its fate. Only `Settled` and `Left` may be told to its sender as done: in every other case the
    /// sender keeps it. Who stops waiting changes nothing of what becomes of the mail.
    pub async fn lend(&self, pushed: PushedMail) -> Fate {
        point("push_intake::lend");
        let lending = Arc::clone(&self.0);
        lending.lent.send_modify(|lent| *lent += 1);
        let _counted = Counted(Arc::clone(&lending));
        let runtime = lending.admission.database_runtime.clone();
        let task = runtime.spawn(async move { lending.lend(pushed).await });
        // Where the task panicked the mail is its sender's still.
        task.await.unwrap_or(Fate::Returned)
    }

    /// Waits until nobody waits for the fate of a mail.
    pub(crate) async fn idle(&self) {
        // The sender lives in `self`, so this wait cannot fail.
        drop(self.0.lent.subscribe().wait_for(|lent| *lent == 0).await);
    }
}

impl Lending {
    async fn lend(&self, pushed: PushedMail) -> Fate {
        let admission = &self.admission;
        let open = async {
            admission.claims.known().await;
            admission.intake.open().await;
        };
        if timeout(HOLD_MAX, open).await.is_err() || !admission.may_fetch() {
            return Fate::Returned;
        }
        let token = Digest::of(&pushed.mail).to_string();
        let attempts = self.suspects().get(&token).copied();
        let claim = document::claim(&pushed.mail);
        let lent = match attempts {
            Some(attempts) => self.lend_alone(&token, pushed, claim, attempts).await,
            None => self.lend_beside_others(&token, pushed, claim).await,
        };
        lent.unwrap_or_else(|fault| {
            self.metrics.fault();
            tracing::debug!(mailbox = &*admission.name, %fault, "a pushed mail is left with its sender");
            Fate::Returned
        })
    }

    async fn lend_beside_others(
        &self,
        token: &str,
        pushed: PushedMail,
        claim: Option<Matricule>,
    ) -> Result<Fate, Fault> {
        let Some(admitted) = self.admit(&pushed, claim).await else { return Ok(Fate::Deferred) };
        let line = self.next_line.fetch_add(1, Ordering::Relaxed);
        self.admission.record(self.life, line, vec![token.to_owned()]).await?;
        let fate = self.hand_on(token, pushed, (claim, admitted), MailState::Listed).await;
        let suspects = if fate == Fate::Suspect { vec![token.to_owned()] } else { Vec::new() };
        if fate == Fate::Suspect {
            self.suspects().insert(token.to_owned(), 0);
        }
        // What became of the mail is as true where the line cannot be struck out: the next life then tries it alone.
        if let Err(fault) = self.admission.strike_out(self.life, vec![line], suspects).await {
            tracing::debug!(mailbox = &*self.admission.name, %fault, "a mail that came back stays written down");
        }
        Ok(fate)
    }

    /// Tries a suspect with nothing else in hand in the whole process, the attempt committed first.
    async fn lend_alone(
        &self,
        token: &str,
        pushed: PushedMail,
        claim: Option<Matricule>,
        attempts: i16,
    ) -> Result<Fate, Fault> {
        let (admission, is_poison) = (&self.admission, attempts >= ATTEMPTS_MAX);
        let Ok(_turn) = timeout(TURN_WAIT_MAX, admission.hands.take_suspect()).await else { return Ok(Fate::Deferred) };
        let Ok(permits) = timeout(ALONE_WAIT_MAX, admission.hands.take_all()).await else { return Ok(Fate::Deferred) };
        if !is_poison {
            admission.attempt(token.to_owned(), Vec::new()).await?;
            self.suspects().insert(token.to_owned(), attempts + 1);
        }
        // Nothing stands worse, so it is not given back whatever it claims.
        let state = if is_poison { MailState::Poison } else { MailState::Listed };
        let fate = self.hand_on(token, pushed, (claim, Admitted { permits, lane: Lane::Last }), state).await;
        match AfterAlone::of(Some(fate), is_poison) {
            AfterAlone::Absolved => {
                self.suspects().remove(token);
                admission.clear(vec![token.to_owned()]).await?;
            }
            AfterAlone::TakenBack => {
                self.suspects().insert(token.to_owned(), attempts);
                admission.take_attempts_back(vec![token.to_owned()]).await?;
            }
            AfterAlone::Failed | AfterAlone::Unknown => {}
        }
        Ok(fate)
    }

    /// Hands a mail on and waits for its fate.
    async fn hand_on(
        &self,
        token: &str,
        pushed: PushedMail,
        (claim, admitted): (Option<Matricule>, Admitted),
        state: MailState,
    ) -> Fate {
        point("push_intake::recorded");
        let (reports, mut fates) = unbounded_channel();
        let share = self.admission.hands.lend(0, admitted.permits, reports, &self.metrics);
        let content = (pushed.mail, pushed.over_size_bytes);
        let fetched = self.admission.fetched(token, content, (claim, admitted.lane), state, share);
        let spread = u32::try_from(self.next_line.load(Ordering::Relaxed) & 0xFFFF).unwrap_or_default();
        self.admission.desk.hand_on(fetched, spread);
        // A share reports whatever becomes of it.
        let fate = fates.recv().await.map_or(Fate::Returned, |report| report.fate);
        point("push_intake::reported");
        fate
    }

    /// Takes room for a mail, in its lane and with its claim; none where there is none for it soon.
    async fn admit(&self, pushed: &PushedMail, claim: Option<Matricule>) -> Option<Admitted> {
        let admission = &self.admission;
        let (mut own, mails) = admission.hands.take(&[pushed.mail.len() as u64]).await;
        if mails == 0 {
            return None;
        }
        let lane = if pushed.over_size_bytes.is_some() { Lane::Last } else { admission.claims.lane(claim) };
        let claimant = admission.claimant(claim);
        if lane != Lane::Fast {
            let (place, tried) = self.slow_place(claimant).await?;
            own = own.into_slow(place, tried);
        }
        let began = Instant::now();
        loop {
            own = match admission.hands.claim(own, claimant) {
                Ok(permits) => return Some(Admitted { permits, lane }),
                Err(own) => own,
            };
            if began.elapsed() >= ROOM_WAIT_MAX || !admission.may_fetch() {
                return None;
            }
            tokio::time::sleep(ROOM_WAIT_STEP).await;
        }
    }

    async fn slow_place(&self, claimant: Claimant) -> Option<(Permits, Option<Tried>)> {
        let claims = &self.admission.claims;
        // There will be time for it when the agency's other mail has been tried.
        if claimant.is_some_and(|matricule| claims.is_tried(matricule)) {
            return None;
        }
        let place = timeout(ROOM_WAIT_MAX, self.admission.hands.take_slow(1)).await.ok()?;
        Some((place, claimant.map(|matricule| claims.trying(matricule))))
    }

    fn suspects(&self) -> std::sync::MutexGuard<'_, HashMap<String, i16>> {
        // Valid after every single operation, so a panic elsewhere does not spoil it.
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
