//! Records pushed mails in the table `xm.in_hand`, many in one statement. Each sender waits until its mail is recorded. While one statement
//! runs, the mails of other senders gather for the next statement. This module also keeps the list of suspects up to date, which all
//! replicas share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::letters::in_hand::Suspect;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::source::Admission;

/// Largest number of notes (a [`Note`] is what a lender tells the recorder) that are handled in one round, with a few statements.
const ROUND_MAX: usize = 256;
/// Time between two reads of the suspects from the database. Another replica may have added one.
const SUSPECTS_EVERY: Duration = Duration::from_secs(1);
/// Once in this many reads of the suspects, those are cleared from the database that nobody has sent again for long.
const LOOKS_TO_CLEARING: u32 = 3600;

/// The suspects of a source, as this process knows them.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspects(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Number of changes that this process made. If it has grown since a read of the database began, the result of the read is outdated.
    changes: u64,
    /// Number of changes that the database does not have yet.
    unwritten: usize,
    /// Tokens, with the number of times that each mail failed alone.
    attempts: HashMap<String, i16>,
}

impl Suspects {
    fn locked(&self) -> MutexGuard<'_, Known> {
        // Each operation leaves the value valid, so it can be used even if a thread has panicked while it held the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how often a suspect failed when it was tried alone; `None` for a mail that is no suspect.
    pub(super) fn attempts(&self, token: &str) -> Option<i16> {
        self.locked().attempts.get(token).copied()
    }

    /// Applies a change of one suspect that was already made in the database. `None` means that the mail is no suspect any more.
    pub(super) fn change(&self, token: &str, attempts: Option<i16>) {
        let mut known = self.locked();
        known.changes += 1;
        match attempts {
            Some(attempts) => known.attempts.insert(token.to_owned(), attempts),
            None => known.attempts.remove(token),
        };
    }

    /// Changes one suspect before the database is changed. The caller must also tell the recorder to write the change.
    fn change_ahead(&self, token: &str, attempts: Option<i16>) {
        self.change(token, attempts);
        self.locked().unwritten += 1;
    }

    /// Notes that so many changes were written to the database.
    fn written(&self, changes: usize) {
        let mut known = self.locked();
        known.unwritten = known.unwritten.saturating_sub(changes);
    }

    /// Replaces the known suspects by those that were read from the database. `changes` is the number of changes when the read began.
    /// Nothing is replaced if this process has made a change since then, or has a change that is not written yet.
    fn take_over(&self, suspects: Vec<Suspect>, changes: u64) {
        let mut known = self.locked();
        if known.changes == changes && known.unwritten == 0 {
            known.attempts = suspects.into_iter().map(|Suspect { token, attempts }| (token, attempts)).collect();
        }
    }

    /// Makes the list from the suspects that were read from the database.
    pub(super) fn begin(suspects: Vec<Suspect>) -> Suspects {
        let known = Suspects::default();
        known.take_over(suspects, 0);
        known
    }
}

/// What a lender tells the recorder.
enum Note {
    /// A mail is about to be lent. The channel gets the number of the batch in which the mail was recorded, or is closed after a fault.
    Lent(String, oneshot::Sender<i64>),
    /// The actors have finished with a mail of this batch.
    Back(i64),
    /// A mail is a suspect now. The channel is closed once the suspect is written to the database.
    Suspect(String, oneshot::Sender<()>),
    /// An attempt at a suspect does not count, since a fault or a stop ended it.
    TakeBack(String),
    /// A mail is no suspect any more.
    Absolved(String),
}

/// Gives notes to the recorder of one life of a lender. The recorder ends when the last clone of this value is dropped.
#[derive(Clone)]
pub(super) struct Recorder {
    notes: UnboundedSender<Note>,
    suspects: Suspects,
}

/// A mail that stays recorded until this value is dropped. The record is then deleted together with the records of other mails. A crash
/// before the deletion makes the mail a suspect, which is more careful than necessary and loses nothing.
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

    /// Records a mail that is about to be lent. Returns `None` after a fault of the database; the mail must not be lent then.
    pub(super) async fn lent(&self, token: String) -> Option<Recorded> {
        let (recorded, batch) = oneshot::channel();
        self.note(Note::Lent(token, recorded));
        let batch = batch.await.ok()?;
        Some(Recorded { batch, recorder: self.clone() })
    }

    /// Reports that a mail is a suspect, and waits until this is written to the database.
    pub(super) async fn suspect(&self, token: String) {
        let (sender, known) = oneshot::channel();
        self.note(Note::Suspect(token, sender));
        // The recorder drops its end of the channel once the suspect is written, so an error is the expected result.
        drop(known.await);
    }

    /// Reports that an attempt at a suspect does not count. `attempts` is the number of the attempts that count.
    pub(super) fn take_back(&self, token: String, attempts: i16) {
        self.suspects.change_ahead(&token, Some(attempts));
        self.note(Note::TakeBack(token));
    }

    /// Reports that a mail is no suspect any more.
    pub(super) fn absolve(&self, token: String) {
        self.suspects.change_ahead(&token, None);
        self.note(Note::Absolved(token));
    }

    fn note(&self, note: Note) {
        // The send fails only if the recorder has panicked. Then [`Recorder::is_gone`] tells the lender to end, and until it has ended,
        // each `lent` returns `None`, so that no mail is lent unrecorded.
        drop(self.notes.send(note));
    }

    /// Waits until the recorder has ended. While a clone of this value exists, only a panic ends it.
    pub(super) async fn is_gone(&self) {
        self.notes.closed().await;
    }
}

/// The state of a recorder's task. Changes that could not be written because of a fault of the database stay here, and are written in the
/// next round.
struct Recording {
    admission: Admission,
    life: Uuid,
    suspects: Suspects,
    next_batch: i64,
    /// Number of mails with which the actors have not finished, by batch.
    open: HashMap<i64, usize>,
    /// Batches of which all mails are finished, and whose records are still in the database.
    ended: Vec<i64>,
    /// Suspects that are not written to the database yet, each with the channel that is closed once it is written.
    found: Vec<(String, oneshot::Sender<()>)>,
    /// Tokens of suspects, one for each attempt that does not count but that the database still counts.
    returned: Vec<String>,
    /// Tokens of mails that are no suspects any more but are still suspects in the database.
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
                // The gate is checked here, at each tick, and not in a precondition of this branch. `select!` evaluates a precondition only
                // once, before it waits. If the gate were closed then, it would wait for a note alone, and changes that a fault kept from
                // being written would stay unwritten until another mail comes, although the gate has opened.
                _ = looks.tick() => if self.admission.gate.is_open() {
                    self.settle_up().await;
                    self.look(looked).await;
                    looked = (looked + 1) % LOOKS_TO_CLEARING;
                }
            }
        }
    }

    /// Records all mails of one round in one row, and writes the changes that the other notes report.
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
            // Dropping `waiting` tells the senders that their mails are not recorded. The row may be in the database even so, if only the
            // answer to the INSERT was lost; it is deleted with the ended batches.
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
        // A mail that has become a suspect again must not be cleared because of an earlier absolution that is not written yet.
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

    /// Writes the results of finished mails. New suspects are written before records are deleted, so that after a crash in between each
    /// suspect is still recorded or already listed.
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
