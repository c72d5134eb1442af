//! Admission of pushed mail, one mail at a time, by the same rules as for mail that a source lists. Each mail gets permits, a lane, and a
//! line in `xm.in_hand` with its token. Then the actors process the mail, and the sender gets an answer that depends on the mail's fate.
//!
//! The sender's copy is the only one that counts until the sender has the answer that its mail is settled. In all other cases (another
//! fate, a crash of this process, a cut connection) the sender keeps the mail and sends it again, and settling recognises the letter.

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

use super::alone::{ALONE_WAIT_MAX, AfterAlone, TURN_WAIT_MAX};
use super::source::{Admission, MailState};
use crate::claims::{BeingTried, Lane};
use crate::custody::Fate;
use crate::metrics::ActorMetrics;
use crate::room::{Claimant, Permits};

/// Longest time that a sender waits while the database cannot be reached. After this time the sender gets the answer to send the mail again
/// later.
const HOLD_MAX: Duration = Duration::from_secs(120);
/// Longest time that a mail waits for a permit of the slow lane, or, if its agency already uses as many permits as it may, until mail of
/// that agency is settled and gives permits back.
const ROOM_WAIT_MAX: Duration = Duration::from_millis(500);
/// Pause between two tries to book a mail's permits to the agency that it claims.
const ROOM_WAIT_STEP: Duration = Duration::from_millis(10);

/// A mail that somebody pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedMail {
    /// The mail, or the first part of a mail that is too large.
    pub mail: Vec<u8>,
    /// Whole size in bytes of a mail that is too large; `None` where `mail` is the whole mail.
    pub over_size_bytes: Option<u64>,
}

/// Lends pushed mail to the actors. Cheap to clone.
#[derive(Clone)]
pub struct Lender(Arc<LenderParts>);

struct LenderParts {
    admission: Admission,
    metrics: ActorMetrics,
    /// Identifier of this life of the actor. Each row of `xm.in_hand` contains the identifier of the life that wrote it. So mail which an
    /// earlier life did not finish can be distinguished from mail that this life is processing.
    life: Uuid,
    next_line: AtomicI64,
    /// Tokens of suspects, with the number of times that each failed alone.
    suspects: Mutex<HashMap<String, i16>>,
    /// Number of senders that wait for the fate of their mail.
    lent: watch::Sender<usize>,
}

/// Counts a waiting sender in `lent`, until this value is dropped.
struct Counted(Arc<LenderParts>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.lent.send_modify(|lent| *lent -= 1);
    }
}

/// Permits and lane that a mail was given on its admission.
struct Admitted {
    permits: Permits,
    lane: Lane,
}

impl Lender {
    /// Begins a life of a [`crate::push_intake::PushIntake`]. Mail that an earlier life did not finish becomes suspect.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn begin(mut admission: Admission, metrics: ActorMetrics) -> Result<Lender, Fault> {
        // Each process has its own lease and its own lines in `xm.in_hand`, because several processes take pushed mail for the same source
        // name.
        admission.key = format!("{}@{}", admission.name, admission.process).into();
        let life = Uuid::now_v7();
        admission.take_lease().await?;
        let suspects = admission.suspects(life).await?;
        let suspects = suspects.into_iter().map(|Suspect { token, attempts }| (token, attempts)).collect();
        let next_line = AtomicI64::new(0);
        let lent = watch::Sender::new(0);
        Ok(Lender(Arc::new(LenderParts { admission, metrics, life, next_line, suspects: Mutex::new(suspects), lent })))
    }

    /// Lends a mail to the actors and waits for its fate. The sender may discard its mail only after `Settled` and `Left`; after every
    /// other fate the sender keeps the mail. A caller that stops waiting changes nothing about the mail's fate.
    pub async fn lend(&self, pushed: PushedMail) -> Fate {
        point("push_intake::lend");
        let lending = Arc::clone(&self.0);
        lending.lent.send_modify(|lent| *lent += 1);
        let _counted = Counted(Arc::clone(&lending));
        let runtime = lending.admission.tasks.runtime.clone();
        let task = runtime.spawn(async move { lending.lend(pushed).await });
        // If the task panicked, the sender gets `Returned` and keeps the mail.
        task.await.unwrap_or(Fate::Returned)
    }

    /// Waits until no sender waits for a fate.
    pub(crate) async fn idle(&self) {
        // `wait_for` fails only if the channel's `watch::Sender` is gone. It cannot be gone, since `self` owns it.
        drop(self.0.lent.subscribe().wait_for(|lent| *lent == 0).await);
    }
}

impl LenderParts {
    async fn lend(&self, pushed: PushedMail) -> Fate {
        let admission = &self.admission;
        let open = async {
            admission.claims.known().await;
            admission.gate.open().await;
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
        // The fate is returned even if the mail's row cannot be deleted from `xm.in_hand`. The row is then left over, so that the next life
        // of the actor treats the mail as a suspect; that is careful, and loses nothing.
        if let Err(fault) = self.admission.strike_out(self.life, vec![line], suspects).await {
            tracing::debug!(mailbox = &*self.admission.name, %fault, "a mail that came back stays written down");
        }
        Ok(fate)
    }

    /// Tries a suspect while the whole process works on no other mail. The attempt is committed to the database first.
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
        // The mail gets the last lane: the decoder returns a mail whose lane has become worse since its admission, and no lane is worse.
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
        self.admission.decoders.hand_on(fetched, spread);
        // A report always arrives: every message with a part of the mail holds a `Share`, and the last share that is dropped sends the
        // report.
        let fate = fates.recv().await.map_or(Fate::Returned, |report| report.fate);
        point("push_intake::reported");
        fate
    }

    /// Takes permits for a mail in its lane and books them to the agency that the mail claims. Returns `None` if no permits become free
    /// within `ROOM_WAIT_MAX`.
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

    async fn slow_place(&self, claimant: Claimant) -> Option<(Permits, Option<BeingTried>)> {
        let claims = &self.admission.claims;
        // In the slow lane, only one mail that claims a given agency is processed at a time. If there is one already, this mail is not
        // admitted, and its sender is asked to send it again later.
        if claimant.is_some_and(|matricule| claims.is_tried(matricule)) {
            return None;
        }
        let place = timeout(ROOM_WAIT_MAX, self.admission.hands.take_slow(1)).await.ok()?;
        Some((place, claimant.map(|matricule| claims.trying(matricule))))
    }

    fn suspects(&self) -> std::sync::MutexGuard<'_, HashMap<String, i16>> {
        // The map is valid after every single operation, so a panic elsewhere does not spoil it.
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
