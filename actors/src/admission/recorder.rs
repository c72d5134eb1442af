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

    /// Takes over what was read from the database after `changes` changes, unless there was a change meanwhile.
    fn take_over(&self, suspects: Vec<Suspect>, changes: u64) {
        let mut known = self.locked();
        if known.changes == changes {
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
    /// A mail came back from its batch; where it is a suspect now, its token, and a channel whose sender is dropped once that is known.
    Back(i64, Option<(String, oneshot::Sender<()>)>),
}

/// Hands notes to the recorder of one life of a lender. The recorder ends with the last handle.
#[derive(Clone)]
pub(super) struct Recorder(UnboundedSender<Note>);

/// A mail that is recorded. It must be given back to [`Recorder::back`]; otherwise the next life of the lender takes it for a suspect.
#[derive(Clone, Copy)]
pub(super) struct Recorded(i64);

impl Recorder {
    /// Starts the recorder of one life.
    pub(super) fn start(admission: Admission, life: Uuid, suspects: Suspects) -> Recorder {
        let (notes, received) = unbounded_channel();
        let runtime = admission.tasks.runtime.clone();
        let recording = Recording { admission, life, suspects, next_batch: 0, open: HashMap::new() };
        runtime.spawn(recording.work(received));
        Recorder(notes)
    }

    /// Records a mail that is about to be lent. `None` after a fault of the database; the mail may then not be lent.
    pub(super) async fn lent(&self, token: String) -> Option<Recorded> {
        let (recorded, batch) = oneshot::channel();
        self.0.send(Note::Lent(token, recorded)).ok()?;
        batch.await.ok().map(Recorded)
    }

    /// Notes that a mail came back. Its record is deleted together with those of other mails. Until then, a crash makes it a suspect, which
    /// is careful, and loses nothing.
    pub(super) fn back(&self, Recorded(batch): Recorded) {
        // The recorder ends before its handles only where the process ends.
        drop(self.0.send(Note::Back(batch, None)));
    }

    /// Notes that a mail came back as a suspect, and waits until it is known as one.
    pub(super) async fn suspect(&self, Recorded(batch): Recorded, token: String) {
        let (sender, known) = oneshot::channel();
        drop(self.0.send(Note::Back(batch, Some((token, sender)))));
        drop(known.await);
    }
}

struct Recording {
    admission: Admission,
    life: Uuid,
    suspects: Suspects,
    next_batch: i64,
    /// Number of mails that have not come back, by batch.
    open: HashMap<i64, usize>,
}

impl Recording {
    async fn work(mut self, mut received: UnboundedReceiver<Note>) {
        let mut looks = interval(SUSPECTS_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut notes, mut looked) = (Vec::with_capacity(ROUND_MAX), 0);
        loop {
            tokio::select! {
                count = received.recv_many(&mut notes, ROUND_MAX) => match count {
                    0 => return,
                    _ => self.note(&mut notes).await,
                },
                _ = looks.tick(), if self.admission.gate.is_open() => {
                    self.look(looked).await;
                    looked = (looked + 1) % LOOKS_TO_CLEARING;
                }
            }
        }
    }

    /// Records the mails of one round in one row, and deletes the rows of which all mails have come back.
    async fn note(&mut self, notes: &mut Vec<Note>) {
        let (mut tokens, mut waiting, mut ended, mut suspects) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for note in notes.drain(..) {
            match note {
                Note::Lent(token, recorded) => {
                    tokens.push(token);
                    waiting.push(recorded);
                }
                Note::Back(batch, suspect) => {
                    suspects.extend(suspect);
                    if self.came_back(batch) {
                        ended.push(batch);
                    }
                }
            }
        }
        let admission = &self.admission;
        if !tokens.is_empty() {
            let batch = self.next_batch;
            self.next_batch += 1;
            // After a fault the senders that wait are dropped with `waiting`.
            if let Err(fault) = admission.record(self.life, batch, tokens).await {
                tracing::debug!(mailbox = &*admission.name, %fault, "pushed mail could not be recorded");
            } else {
                let recorded = waiting.into_iter().filter_map(|recorded| recorded.send(batch).ok()).count();
                match recorded {
                    0 => ended.push(batch),
                    _ => drop(self.open.insert(batch, recorded)),
                }
            }
        }
        if !ended.is_empty() || !suspects.is_empty() {
            // Rows that cannot be deleted are left over: the next life takes their mails for suspects.
            let tokens = suspects.iter().map(|(token, _)| token.clone()).collect();
            if let Err(fault) = self.admission.strike_out(self.life, ended, tokens).await {
                tracing::debug!(mailbox = &*self.admission.name, %fault, "mail that came back stays recorded");
            }
            suspects.iter().for_each(|(token, _)| self.suspects.change(token, Some(0)));
        }
    }

    /// Notes that one mail of a batch came back. Says whether it was the last.
    fn came_back(&mut self, batch: i64) -> bool {
        let Some(left) = self.open.get_mut(&batch) else { return false };
        *left -= 1;
        let is_last = *left == 0;
        if is_last {
            self.open.remove(&batch);
        }
        is_last
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
