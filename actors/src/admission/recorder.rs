//! Records the mails that are pushed in `xm.in_hand`, many at a time. Each sender waits until its mail is recorded; while one statement
//! runs, the mails of other senders gather for the next. Also keeps the list of suspects up to date, which all replicas share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::letters::in_hand::Suspect;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::source::Admission;

/// Most notes that one round works on.
const ROUND_MAX: usize = 256;
/// Time between two looks at the suspects. Another replica may have found one.
const SUSPECTS_EVERY: Duration = Duration::from_secs(1);
/// Looks at the suspects from one clearing of old ones to the next.
const LOOKS_TO_CLEARING: u32 = 3600;

/// The suspects of a source, as this process knows them.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspects(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Number of changes that this process made.
    changes: u64,
    /// Number of changes that the database does not have yet.
    unwritten: usize,
    /// Tokens, with the number of times that each mail failed alone.
    attempts: HashMap<String, i16>,
}

impl Suspects {
    fn locked(&self) -> MutexGuard<'_, Known> {
        // The value is valid after every single operation, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how often a suspect failed alone; `None` for a mail that is no suspect.
    pub(super) fn attempts(&self, token: &str) -> Option<i16> {
        self.locked().attempts.get(token).copied()
    }

    /// Changes one suspect as the database has been changed; `None` where the mail is no suspect any more.
    pub(super) fn change(&self, token: &str, attempts: Option<i16>) {
        let mut known = self.locked();
        known.changes += 1;
        match attempts {
            Some(attempts) => known.attempts.insert(token.to_owned(), attempts),
            None => known.attempts.remove(token),
        };
    }

    /// Changes one suspect before the database is changed. The recorder is told what it has to write.
    fn change_ahead(&self, token: &str, attempts: Option<i16>) {
        self.change(token, attempts);
        self.locked().unwritten += 1;
    }

    /// Notes that the database has these changes.
    fn written(&self, changes: usize) {
        let mut known = self.locked();
        known.unwritten = known.unwritten.saturating_sub(changes);
    }

    /// Takes over what was read from the database after `changes` changes, unless there was a change meanwhile, or the database lacks one.
    fn take_over(&self, suspects: Vec<Suspect>, changes: u64) {
        let mut known = self.locked();
        if known.changes == changes && known.unwritten == 0 {
            known.attempts = suspects.into_iter().map(|Suspect { token, attempts }| (token, attempts)).collect();
        }
    }

    /// Begins with what the database has.
    pub(super) fn begin(suspects: Vec<Suspect>) -> Suspects {
        let known = Suspects::default();
        known.take_over(suspects, 0);
        known
    }
}

/// What a lender tells the recorder.
enum Note {
    /// A mail is about to be lent. The sender of the channel gets the batch in which it was recorded, or is dropped after a fault.
    Lent(String, oneshot::Sender<i64>),
    /// A mail came back from its batch.
    Back(i64),
    /// A mail is a suspect now. The channel's sender is dropped once the database knows that.
    Suspect(String, oneshot::Sender<()>),
    /// An attempt at a suspect does not count, since a fault or a stop ended it.
    TakeBack(String),
    /// A mail is no suspect any more.
    Absolved(String),
}

/// Hands notes to the recorder of one life of a lender. The recorder ends with the last handle.
#[derive(Clone)]
pub(super) struct Recorder {
    notes: UnboundedSender<Note>,
    suspects: Suspects,
}

/// A mail that is recorded, until this value is dropped. The record is then deleted together with those of other mails. Until it is, a
/// crash makes the mail a suspect, which is careful, and loses nothing.
pub(super) struct Recorded {
    batch: i64,
    recorder: Recorder,
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.recorder.note(Note::Back(self.batch));
    }
}

impl Recorder {
    /// Starts the recorder of one life.
    pub(super) fn start(admission: Admission, life: Uuid, suspects: Suspects) -> Recorder {
        let (notes, received) = unbounded_channel();
        let runtime = admission.tasks.runtime.clone();
        runtime.spawn(Recording::new(admission, life, suspects.clone()).work(received));
        Recorder { notes, suspects }
    }

    /// Records a mail that is about to be lent. `None` after a fault of the database; the mail may then not be lent.
    pub(super) async fn lent(&self, token: String) -> Option<Recorded> {
        let (recorded, batch) = oneshot::channel();
        self.note(Note::Lent(token, recorded));
        let batch = batch.await.ok()?;
        Some(Recorded { batch, recorder: self.clone() })
    }

    /// Notes that a mail is a suspect, and waits until it is known as one.
    pub(super) async fn suspect(&self, token: String) {
        let (sender, known) = oneshot::channel();
        self.note(Note::Suspect(token, sender));
        // An error means that the sender was dropped, which is the sign.
        drop(known.await);
    }

    /// Notes that an attempt at a suspect does not count, so that `attempts` are left.
    pub(super) fn take_back(&self, token: String, attempts: i16) {
        self.suspects.change_ahead(&token, Some(attempts));
        self.note(Note::TakeBack(token));
    }

    /// Notes that a mail is no suspect any more.
    pub(super) fn absolve(&self, token: String) {
        self.suspects.change_ahead(&token, None);
        self.note(Note::Absolved(token));
    }

    fn note(&self, note: Note) {
        // The recorder ends before its handles only after a panic. Each `lent` then returns `None`, and [`Recorder::is_gone`] tells it.
        drop(self.notes.send(note));
    }

    /// Waits until the recorder has ended, which only a panic does while there are handles.
    pub(super) async fn is_gone(&self) {
        self.notes.closed().await;
    }
}

/// The work of one recorder. What a fault of the database keeps from being written is kept here, and written with the next round.
struct Recording {
    admission: Admission,
    life: Uuid,
    suspects: Suspects,
    next_batch: i64,
    /// Number of mails that have not come back, by batch.
    open: HashMap<i64, usize>,
    /// Batches whose mails have all come back, and whose records are still in the database.
    ended: Vec<i64>,
    /// Suspects that the database does not know yet, with those who wait until it does.
    found: Vec<(String, oneshot::Sender<()>)>,
    /// Suspects whose last attempt the database still counts, and should not; a token for each such attempt.
    returned: Vec<String>,
    /// Mails that are suspects in the database, and should not be.
    absolved: Vec<String>,
}

impl Recording {
    fn new(admission: Admission, life: Uuid, suspects: Suspects) -> Recording {
        Recording {
            admission,
            life,
            suspects,
            next_batch: 0,
            open: HashMap::new(),
            ended: Vec::new(),
            found: Vec::new(),
            returned: Vec::new(),
            absolved: Vec::new(),
        }
    }

    async fn work(mut self, mut received: UnboundedReceiver<Note>) {
        let mut looks = interval(SUSPECTS_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut notes, mut looked) = (Vec::with_capacity(ROUND_MAX), 0);
        loop {
            tokio::select! {
                count = received.recv_many(&mut notes, ROUND_MAX) => match count {
                    0 => return,
                    _ => self.round(&mut notes).await,
                },
                // The gate is asked at each tick. As a condition of this branch it would be asked only with the next note, and what a fault
                // kept from being written would wait for further mail.
                _ = looks.tick() => if self.admission.gate.is_open() {
                    self.settle_up().await;
                    self.look(looked).await;
                    looked = (looked + 1) % LOOKS_TO_CLEARING;
                }
            }
        }
    }

    /// Records the mails of one round in one row, and writes what else the notes say.
    async fn round(&mut self, notes: &mut Vec<Note>) {
        let (mut tokens, mut waiting) = (Vec::new(), Vec::new());
        for note in notes.drain(..) {
            match note {
                Note::Lent(token, recorded) => {
                    tokens.push(token);
                    waiting.push(recorded);
                }
                Note::Back(batch) => self.came_back(batch),
                Note::Suspect(token, known) => self.found(token, known),
                Note::TakeBack(token) => self.returned.push(token),
                Note::Absolved(token) => self.absolved.push(token),
            }
        }
        if !tokens.is_empty() {
            self.record(tokens, waiting).await;
        }
        self.settle_up().await;
    }

    async fn record(&mut self, tokens: Vec<String>, waiting: Vec<oneshot::Sender<i64>>) {
        let batch = self.next_batch;
        self.next_batch += 1;
        let recorded = match self.admission.record(self.life, batch, tokens).await {
            Ok(()) => waiting.into_iter().filter_map(|recorded| recorded.send(batch).ok()).count(),
            // The senders that wait are dropped with `waiting`. The row may be in the database all the same.
            Err(fault) => {
                tracing::debug!(mailbox = &*self.admission.name, %fault, "pushed mail could not be recorded");
                0
            }
        };
        match recorded {
            0 => self.ended.push(batch),
            _ => drop(self.open.insert(batch, recorded)),
        }
    }

    fn found(&mut self, token: String, known: oneshot::Sender<()>) {
        // A mail that is suspect again is not to be cleared for what it was absolved of before.
        let absolved = self.absolved.len();
        self.absolved.retain(|other| *other != token);
        self.suspects.written(absolved - self.absolved.len());
        self.found.push((token, known));
    }

    fn came_back(&mut self, batch: i64) {
        let Some(left) = self.open.get_mut(&batch) else { return };
        *left -= 1;
        if *left == 0 {
            self.open.remove(&batch);
            self.ended.push(batch);
        }
    }

    /// Writes what has come back: suspects first, so that a crash in between finds their records or knows them.
    async fn settle_up(&mut self) {
        if !self.ended.is_empty() || !self.found.is_empty() {
            let tokens = self.found.iter().map(|(token, _)| token.clone()).collect();
            match self.admission.strike_out(self.life, self.ended.clone(), tokens).await {
                Ok(()) => {
                    self.ended.clear();
                    self.found.drain(..).for_each(|(token, _known)| self.suspects.change(&token, Some(0)));
                }
                Err(fault) => {
                    tracing::debug!(mailbox = &*self.admission.name, %fault, "mail that came back stays recorded for now");
                }
            }
        }
        if !self.returned.is_empty() {
            match self.admission.take_attempts_back(self.returned.clone()).await {
                Ok(()) => self.suspects.written(self.returned.drain(..).count()),
                Err(fault) => {
                    tracing::debug!(mailbox = &*self.admission.name, %fault, "attempts that do not count stay counted for now");
                }
            }
        }
        if !self.absolved.is_empty() {
            match self.admission.clear(self.absolved.clone()).await {
                Ok(()) => self.suspects.written(self.absolved.drain(..).count()),
                Err(fault) => {
                    tracing::debug!(mailbox = &*self.admission.name, %fault, "mail that did no harm stays suspect for now");
                }
            }
        }
    }

    async fn look(&self, looked: u32) {
        let changes = self.suspects.locked().changes;
        match self.admission.shared_suspects().await {
            Ok(suspects) => self.suspects.take_over(suspects, changes),
            Err(fault) => tracing::debug!(mailbox = &*self.admission.name, %fault, "the suspects are not known anew"),
        }
        if looked == 0
            && let Err(fault) = self.admission.forget_suspects().await
        {
            tracing::debug!(mailbox = &*self.admission.name, %fault, "old suspects stay listed");
        }
    }
}

#[cfg(test)]
mod tests;
