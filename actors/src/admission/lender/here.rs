//! Lends pushed mail to the actors of this process, one mail at a time, by the same rules as for mail that a source lists. Each mail gets
//! permits, a lane, and a line in `xm.in_hand` with its token. Then the actors process the mail, and the sender gets an answer that depends
//! on the mail's fate.
//!
//! The sender's copy is the only one that counts until the sender has the answer that its mail is settled. In all other cases (another
//! fate, a crash of this process, a cut connection) the sender keeps the mail and sends it again, and settling recognises the letter.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;
use memchr::memmem;
use sdc::digest::Digest;
use sdc::document;
use sdc::letter::Matricule;
use store::database::fault::Fault;
use store::letters::in_hand::ATTEMPTS_MAX;
use store::planted::{self, Bug, point};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{sleep, timeout, timeout_at};
use uuid::Uuid;

use super::super::alone::{ALONE_WAIT_MAX, AfterAlone, TURN_WAIT_MAX};
use super::super::recorder::{Recorder, Suspects};
use super::super::source::{Admission, MailState};
use super::{Patience, PushedMail, Senders};
use crate::claims::{BeingTried, Lane};
use crate::custody::Fate;
use crate::messages::Fetched;
use crate::metrics::ActorMetrics;
use crate::room::{Claimant, Permits};

/// Largest mail, in bytes, that is kept while it is lent, so that it can be lent again when the database answers again. A larger mail is
/// returned to its sender after the first fault. The kept mails take little memory, because `mail::intake` receives only few mails over 64
/// KB at a time.
const KEPT_BYTES_MAX: usize = 8 << 20;
/// First pause before a mail that a fault returned is lent again. Each further pause is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause before a mail that a fault returned is lent again.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Longest time that a mail waits for a permit of the slow lane, or, if its agency already uses as many permits as it may, until mail of
/// that agency is settled and gives permits back.
const ROOM_WAIT_MAX: Duration = Duration::from_millis(500);
/// Longest time that a mail of the slow lane waits for another mail with the same claim.
const CLAIM_WAIT_MAX: Duration = Duration::from_secs(5);
/// Pause after a suspect waited in vain to be alone. No suspect is tried during the pause; otherwise suspects would keep all other mail
/// waiting.
const SUSPECTS_PAUSE: Duration = Duration::from_secs(60);
/// Largest number of mails that are remembered because one of their letters was withheld.
const WITHHELD_MAX: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// Pause between two tries to book a mail's permits to the agency that it claims.
const ROOM_WAIT_STEP: Duration = Duration::from_millis(10);

/// Lends pushed mail to the actors of this process. Cheap to clone.
#[derive(Clone)]
pub struct HereLender(Arc<LenderParts>);

struct LenderParts {
    admission: Admission,
    metrics: ActorMetrics,
    patience: Patience,
    recorder: Recorder,
    suspects: Suspects,
    /// No suspect is tried before this moment.
    suspects_wait_until: Mutex<Option<Instant>>,
    /// Tokens of mails of which one letter was withheld. The other letters of these mails are settled.
    withheld: Mutex<LruCache<String, ()>>,
    /// Number of the next mail. It spreads the mails over the decoders.
    next: AtomicU32,
    senders: Senders,
}

/// Permits and lane that a mail was given on its admission.
struct Admitted {
    permits: Permits,
    lane: Lane,
}

impl HereLender {
    /// Begins a life of a [`crate::push_intake::PushIntake`], or of a [`crate::carrier_poller::CarrierPoller`]. Mail that an earlier life
    /// did not finish becomes suspect.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn begin(
        mut admission: Admission,
        patience: Patience,
        metrics: ActorMetrics,
    ) -> Result<HereLender, Fault> {
        // Each process has its own lease and its own lines in `xm.in_hand`, because several processes take pushed mail for the same source
        // name.
        admission.key = format!("{}@{}", admission.name, admission.process).into();
        // Each row of `xm.in_hand` contains the identifier of the life that wrote it. So mail which an earlier life did not finish can be
        // distinguished from mail that this life is processing.
        let life = Uuid::now_v7();
        admission.take_lease().await?;
        let suspects = Suspects::begin(admission.suspects(life).await?);
        let recorder = Recorder::start(admission.clone(), life, suspects.clone());
        let (next, senders) = (AtomicU32::new(0), Senders::default());
        let withheld = Mutex::new(LruCache::new(WITHHELD_MAX));
        let suspects_wait_until = Mutex::default();
        let parts = LenderParts {
            admission,
            metrics,
            patience,
            recorder,
            suspects,
            suspects_wait_until,
            withheld,
            next,
            senders,
        };
        Ok(HereLender(Arc::new(parts)))
    }

    /// Returns the count of those who wait for the fate of their mail.
    pub(crate) fn senders(&self) -> &Senders {
        &self.0.senders
    }

    /// Waits until mail cannot be lent any more, because the task that records it has ended.
    pub(crate) async fn is_broken(&self) {
        self.0.recorder.is_gone().await;
    }

    /// Lends a mail to the actors and waits for its fate. The sender may discard its mail only after `Settled` and `Left`; after every
    /// other fate the sender keeps the mail. If the caller stops waiting, the mail is still processed.
    pub async fn lend(&self, pushed: PushedMail) -> Fate {
        point("push_intake::lend");
        let lending = Arc::clone(&self.0);
        let _counted = lending.senders.expect();
        let runtime = lending.admission.tasks.runtime.clone();
        let answer = lending.patience.answer;
        // The sender of a document waits for an answer that only a commit makes. The bug is that of other mail.
        let may_lie = pushed.answer.is_none();
        let task = runtime.spawn(async move { lending.lend(pushed).await });
        if may_lie && planted::has(Bug::AnswerBeforeCommit) {
            return Fate::Settled;
        }
        // If the task takes too long or has panicked, the sender gets `Returned` and keeps the mail.
        timeout(answer, task).await.map_or(Fate::Returned, |ended| ended.unwrap_or(Fate::Returned))
    }
}

impl LenderParts {
    async fn lend(&self, pushed: PushedMail) -> Fate {
        let until = Instant::now() + self.patience.hold;
        if !self.opened(until).await {
            return Fate::Returned;
        }
        let token = token_of(&pushed.mail);
        let claim = document::claim(&pushed.mail);
        if self.suspects.attempts(&token).is_none() {
            return self.lend_beside_others(&token, pushed, claim, until).await;
        }
        self.lend_alone(&token, pushed, claim).await.unwrap_or_else(|fault| {
            self.metrics.fault();
            tracing::debug!(mailbox = &*self.admission.name, %fault, "a pushed mail is left with its sender");
            Fate::Returned
        })
    }

    /// Waits until mail may be lent, for example until the database can be reached again. Returns `false` if that takes too long, or the
    /// process drains.
    async fn opened(&self, until: Instant) -> bool {
        let admission = &self.admission;
        let open = async {
            admission.claims.known().await;
            admission.gate.open().await;
        };
        tokio::select! {
            opened = timeout_at(until.into(), open) => opened.is_ok() && admission.may_fetch(),
            () = admission.drain.told() => false,
        }
    }

    /// Lends a mail. If a fault returns the mail, for example because the database fails over, the mail is kept and lent again. The
    /// alternative would be slow: a mail server that is asked to send a mail again does so only after minutes.
    async fn lend_beside_others(
        &self,
        token: &str,
        pushed: PushedMail,
        claim: Option<Matricule>,
        until: Instant,
    ) -> Fate {
        let mut state = self.state_of(token);
        let mut next = Some(pushed);
        let mut pause = PAUSE_MIN;
        while let Some(pushed) = next.take() {
            let kept = (pushed.mail.len() <= KEPT_BYTES_MAX).then(|| pushed.clone());
            let fate = self.lend_once(token, pushed, claim, state).await;
            if fate == Fate::Withheld {
                locked(&self.withheld).put(token.to_owned(), ());
            }
            if fate != Fate::Returned || kept.is_none() || Instant::now() + pause >= until {
                return fate;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.admission.drain.told() => return Fate::Returned,
            }
            pause = (pause * 2).min(PAUSE_MAX);
            // If a COMMIT succeeded but its confirmation was lost, the letters of this mail are settled already, and are found to be so
            // when the mail is tried again. The state `Withheld` keeps them from being counted as duplicates that an office sent.
            state = MailState::Withheld;
            if self.opened(until).await {
                next = kept;
            }
        }
        Fate::Returned
    }

    /// Returns what is known of a mail that is no suspect.
    fn state_of(&self, token: &str) -> MailState {
        match locked(&self.withheld).contains(token) {
            true => MailState::Withheld,
            false => MailState::Listed,
        }
    }

    async fn lend_once(&self, token: &str, pushed: PushedMail, claim: Option<Matricule>, state: MailState) -> Fate {
        let Some(admitted) = self.admit(&pushed, claim).await else {
            // No permits are free. If the database is away, the reason is that lent mail keeps its permits until the database is back. Then
            // the mail is returned, so that it is lent again, instead of deferred.
            return if self.admission.may_fetch() { Fate::Deferred } else { Fate::Returned };
        };
        let Some(_recorded) = self.recorder.lent(token.to_owned()).await else {
            self.metrics.fault();
            return Fate::Returned;
        };
        let fate = self.hand_on(token, pushed, (claim, admitted), state).await;
        if fate == Fate::Suspect {
            self.recorder.suspect(token.to_owned()).await;
        }
        fate
    }

    /// Tries a suspect while the whole process works on no other mail. The attempt is committed to the database first.
    async fn lend_alone(&self, token: &str, pushed: PushedMail, claim: Option<Matricule>) -> Result<Fate, Fault> {
        let admission = &self.admission;
        let Ok(_turn) = timeout(TURN_WAIT_MAX, admission.hands.take_suspect()).await else { return Ok(Fate::Deferred) };
        // These conditions are checked only now that it is this suspect's turn. While it waited for its turn, another suspect may have
        // waited in vain to be alone, or a copy of this mail may have been tried.
        let waits = *locked(&self.suspects_wait_until);
        if waits.is_some_and(|until| Instant::now() < until) {
            return Ok(Fate::Deferred);
        }
        let Some(attempts) = self.suspects.attempts(token) else { return Ok(Fate::Deferred) };
        let is_poison = attempts >= ATTEMPTS_MAX;
        let Ok(permits) = timeout(ALONE_WAIT_MAX, admission.hands.take_all()).await else {
            *locked(&self.suspects_wait_until) = Some(Instant::now() + SUSPECTS_PAUSE);
            return Ok(Fate::Deferred);
        };
        if !is_poison {
            admission.attempt(token.to_owned(), Vec::new()).await?;
            self.suspects.change(token, Some(attempts + 1));
        }
        // The mail gets the last lane: the decoder returns a mail whose lane has become worse since its admission, and no lane is worse.
        let state = if is_poison { MailState::Poison } else { MailState::Listed };
        let fate = self.hand_on(token, pushed, (claim, Admitted { permits, lane: Lane::Last }), state).await;
        match AfterAlone::of(Some(fate), is_poison) {
            // The sender is told the fate even if the database cannot be updated: a settled mail must not be sent again.
            AfterAlone::Absolved => self.recorder.absolve(token.to_owned()),
            AfterAlone::TakenBack => self.recorder.take_back(token.to_owned(), attempts),
            AfterAlone::Failed | AfterAlone::Unknown => {}
        }
        Ok(fate)
    }

    /// Hands a mail on to a decoder and waits for the mail's fate.
    async fn hand_on(
        &self,
        token: &str,
        pushed: PushedMail,
        (claim, admitted): (Option<Matricule>, Admitted),
        state: MailState,
    ) -> Fate {
        point("push_intake::recorded");
        let (reports, mut fates) = unbounded_channel();
        let (is_posted, origin) = (pushed.is_posted(), pushed.origin.clone());
        let share = self.admission.hands.lend_answered(0, admitted.permits, (reports, pushed.answer), &self.metrics);
        let content = (pushed.mail, pushed.over_size_bytes);
        let fetched = self.admission.fetched(token, content, (claim, admitted.lane), state, share);
        let mut fetched = Fetched { is_posted, ..fetched };
        if let Some(origin) = origin {
            origin.mark(&mut fetched);
        }
        self.admission.decoders.hand_on(fetched, self.next.fetch_add(1, Ordering::Relaxed));
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
        let (lane, claimant) = match pushed.is_posted() {
            true => (admission.claims.lane_of_posted(claim), claim),
            false => (admission.claims.lane(claim), admission.claimant(claim)),
        };
        let lane = if pushed.over_size_bytes.is_some() { Lane::Last } else { lane };
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
            sleep(ROOM_WAIT_STEP).await;
        }
    }

    async fn slow_place(&self, claimant: Claimant) -> Option<(Permits, Option<BeingTried>)> {
        let claims = &self.admission.claims;
        // In the slow lane, only one mail that claims a given agency is processed at a time. If one is being processed, this mail waits for
        // a short time, and then its sender is asked to send it again later: the other mail may be a forgery, and this one the agency's
        // own.
        let began = Instant::now();
        while claimant.is_some_and(|matricule| claims.is_tried(matricule)) {
            if began.elapsed() >= CLAIM_WAIT_MAX || !self.admission.may_fetch() {
                return None;
            }
            sleep(ROOM_WAIT_STEP).await;
        }
        let place = timeout(ROOM_WAIT_MAX, self.admission.hands.take_slow(1)).await.ok()?;
        Some((place, claimant.map(|matricule| claims.trying(matricule))))
    }
}

/// Returns the token of a mail: the digest of its body, since a mail server may add other header fields each time it sends a mail. For a
/// mail without a body, the token is the digest of the whole mail.
fn token_of(mail: &[u8]) -> String {
    let crlf = memmem::find(mail, b"\r\n\r\n").map(|at| at + 4);
    let lf = memmem::find(mail, b"\n\n").map(|at| at + 2);
    let body = match (crlf, lf) {
        (Some(crlf), Some(lf)) => &mail[crlf.min(lf)..],
        (Some(at), None) | (None, Some(at)) => &mail[at..],
        (None, None) => &[],
    };
    Digest::of(if body.is_empty() { mail } else { body }).to_string()
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each operation leaves the value valid, so it can be used even if a thread has panicked while it held the lock.
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
