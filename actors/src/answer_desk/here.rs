//! Hands answers to offices that collect them over HTTPS: together with the reply to a letter, or one by one, by the id of a letter.
//!
//! An answer is marked as sent before its office has it, since nobody can prove that a reply arrived. So an office whose connection broke
//! sends its letter again, octet for octet, and gets everything once more that was handed out with that letter.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use lru::LruCache;
use sdc::cms::ContentCipher;
use sdc::digest::Digest;
use sdc::letter::Matricule;
use store::database::Connection;
use store::database::fault::Fault;
use store::letters::collected::{self, AnsweredLetter, ReadAnswer, Wanted, Which};
use store::letters::outbox::{self, LeasedAnswer};
use store::planted::point;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::database_tasks::DatabaseTasks;
use crate::metrics::Metrics;
use crate::sealing::{NO_CERTIFICATE, Sealed, Sealer};

/// Largest number of letters whose answers are leased with one statement.
const TOGETHER_MAX: usize = 128;
/// Largest number of letters that wait for the desk.
const WAITING_MAX: usize = 1024;
/// Largest number of further answers in a reply, in addition to the answer to its letter. The remaining answers wait for the next letter.
const BESIDE_MAX: i64 = 16;
/// Length of a lease. If this process dies, another process can hand the answers out after this time.
const LEASE_HOLD: Duration = Duration::from_secs(60);
/// Largest number of sealed answers that are kept, and size in bytes of the largest of them. Together they need at most 64 MB.
const KEPT_MAX: NonZeroUsize = NonZeroUsize::new(1000).unwrap();
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// Parts that an answer desk is built from.
pub struct AnswerDeskParts {
    /// The outbox, and the runtime of its statements.
    pub tasks: DatabaseTasks,
    /// Name of this process, kept across restarts.
    pub process: Uuid,
    /// Seals the answers.
    pub sealer: Sealer,
    /// Counts the answers by outcome.
    pub metrics: Arc<Metrics>,
}

/// The answer desk of a process with a database. Cheap to clone.
#[derive(Clone)]
pub struct HereDesk {
    shared: Arc<Shared>,
    asked: mpsc::Sender<Asked>,
}

struct Shared {
    parts: AnswerDeskParts,
    /// Answers that were sealed a short time ago, so that an office which asks again and again causes no further sealing.
    kept: Mutex<LruCache<SealedFor, Arc<[u8]>>>,
}

/// Everything that the octets of a sealed answer depend on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SealedFor {
    agency: Matricule,
    letter_id: Uuid,
    attempt: i16,
    part: i16,
    certificate_id: i32,
    cipher: ContentCipher,
}

/// A letter whose sender waits for the answers.
struct Asked {
    letter: AnsweredLetter,
    reply: oneshot::Sender<Vec<Sealed>>,
}

impl HereDesk {
    /// Starts the desk's task on the runtime of the database. The task ends when the last clone of the desk is dropped.
    pub fn open(parts: AnswerDeskParts) -> HereDesk {
        let (asked, received) = mpsc::channel(WAITING_MAX);
        let runtime = parts.tasks.runtime.clone();
        let shared = Arc::new(Shared { parts, kept: Mutex::new(LruCache::new(KEPT_MAX)) });
        runtime.spawn(Arc::clone(&shared).work(received));
        HereDesk { shared, asked }
    }

    /// Returns the sealed answer to a letter, followed by the other answers and notices that wait for its installation, as one text of
    /// documents. The text is empty where the answer cannot be sealed, because the key of the letter is revoked.
    ///
    /// # Errors
    /// A fault of the database. The letter's verdict is committed even then.
    pub async fn answers_to(&self, letter: AnsweredLetter) -> Result<Vec<u8>, Fault> {
        let (reply, sealed) = oneshot::channel();
        let asked = Asked { letter: letter.clone(), reply };
        // After a fault, the desk's task drops `reply`, and `sealed` is empty here. The answer is then read below, which reports the fault
        // if it lasts.
        let sealed = match self.asked.send(asked).await {
            Ok(()) => sealed.await.unwrap_or_default(),
            Err(_closed) => Vec::new(),
        };
        let is_own = |sealed: &&Sealed| sealed.answer.letter_id == Some(letter.letter_id);
        let mut text = match sealed.iter().find(is_own) {
            Some(own) => own.document.clone(),
            None => self.handed_out_before(&letter).await?,
        };
        for beside in sealed.iter().filter(|sealed| !is_own(sealed)) {
            text.extend_from_slice(&beside.document);
        }
        Ok(text)
    }

    /// Returns the answer to a letter that was sent again, followed by the answers that were handed out together with it.
    async fn handed_out_before(&self, letter: &AnsweredLetter) -> Result<Vec<u8>, Fault> {
        let shared = Arc::clone(&self.shared);
        let letter = letter.clone();
        let reading = async move {
            let mut connection = shared.parts.tasks.database.get().await?;
            let together = collected::handed_out_with(&mut connection, &letter, BESIDE_MAX).await?;
            drop(connection);
            let mut text = Vec::new();
            for answer in together {
                text.extend_from_slice(&shared.sealed(&answer).await.unwrap_or_default());
            }
            Ok(text)
        };
        self.on_runtime(reading).await
    }

    /// Returns the sealed answer to a letter; `None` where it is not there, or where `digest` is not the digest of the letter's signed
    /// octets, which only the office and the centre know.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn answer(
        &self,
        agency: Matricule,
        letter_id: Uuid,
        digest: Digest,
        which: Which,
    ) -> Result<Option<Arc<[u8]>>, Fault> {
        let shared = Arc::clone(&self.shared);
        let reading = async move {
            let mut connection = shared.parts.tasks.database.get().await?;
            let read = collected::read(&mut connection, agency, letter_id, which).await?;
            // Hashes of the two digests are compared, against a timing attack: where two hashes begin to differ tells nothing about where
            // the digests differ.
            let Some(read) = read.filter(|read| Digest::of(&read.digest) == Digest::of(digest.as_bytes())) else {
                return Ok(None);
            };
            let sealed = shared.sealed(&read).await;
            if sealed.is_some() {
                shared.took(&mut connection, &read).await?;
            }
            Ok(sealed)
        };
        self.on_runtime(reading).await
    }

    /// Runs database work on the runtime of the connections.
    async fn on_runtime<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        match self.shared.parts.tasks.runtime.spawn(work).await {
            Ok(done) => done,
            Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
            Err(_cancelled) => Err(Fault::Away("the program is stopping".into())),
        }
    }
}

impl Shared {
    /// Leases, seals and hands out answers. While one statement runs, further letters gather for the next statement.
    async fn work(self: Arc<Self>, mut received: mpsc::Receiver<Asked>) {
        let mut asked = Vec::with_capacity(TOGETHER_MAX);
        while received.recv_many(&mut asked, TOGETHER_MAX).await > 0 {
            // A panic ends the work on these letters, but not the desk.
            match AssertUnwindSafe(self.hand_out(&mut asked)).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => tracing::debug!(%fault, "answers could not be handed out: their offices ask again"),
                Err(_panic) => tracing::warn!("answers could not be handed out after a panic: their offices ask again"),
            }
            // After a fault, some letters are left. Dropping their channels lets `answers_to` continue, which then reports the fault.
            asked.clear();
        }
    }

    async fn hand_out(&self, asked: &mut Vec<Asked>) -> Result<(), Fault> {
        let AnswerDeskParts { tasks, process, sealer, metrics } = &self.parts;
        let wanted: Vec<Wanted> = asked.iter().map(|asked| Wanted::any_of(asked.letter.clone())).collect();
        let mut connection = tasks.database.get().await?;
        let leased = collected::lease(&mut connection, *process, &wanted, BESIDE_MAX, LEASE_HOLD).await?;
        point("answer_desk::leased");
        let (sealed, unsealable) = sealer.seal_all(leased).await;
        if !unsealable.is_empty() {
            outbox::give_up(&mut connection, &unsealable, NO_CERTIFICATE).await?;
            metrics.answers.with_label_values(&["given_up"]).inc_by(unsealable.len() as u64);
        }
        let answers: Vec<LeasedAnswer> = sealed.iter().map(|sealed| sealed.answer.clone()).collect();
        if !answers.is_empty() {
            outbox::sent(&mut connection, &answers).await?;
            metrics.answers.with_label_values(&["sent"]).inc_by(answers.len() as u64);
        }
        drop(connection);
        point("answer_desk::sent");
        let (mut own, mut beside) = (HashMap::new(), HashMap::<_, Vec<Sealed>>::new());
        let letters: HashSet<(u32, Uuid)> =
            asked.iter().map(|asked| (asked.letter.agency.into(), asked.letter.letter_id)).collect();
        for sealed in sealed {
            let letter = sealed.answer.letter_id.map(|letter_id| (sealed.answer.agency.unsigned_abs(), letter_id));
            match letter.filter(|letter| letters.contains(letter)) {
                Some(letter) => drop(own.insert(letter, sealed)),
                None => beside.entry(office_of(&sealed.answer)).or_default().push(sealed),
            }
        }
        for Asked { letter, reply } in asked.drain(..) {
            let mine = own.remove(&(letter.agency.into(), letter.letter_id));
            // `others` are the notices, and the answers to earlier letters, that waited for the installation. If the installation has
            // several letters in this round, all of `others` goes into the first reply.
            let others = beside.remove(&(letter.agency.into(), letter.installation)).unwrap_or_default();
            // The send fails if the office's connection has ended. The office then sends its letter again.
            drop(reply.send(mine.into_iter().chain(others).collect()));
        }
        Ok(())
    }

    /// Marks an answer as sent, if the outbox still holds exactly this answer. Then the next part of the answer becomes due.
    async fn took(&self, connection: &mut Connection, read: &ReadAnswer) -> Result<(), Fault> {
        let wanted = [Wanted::exactly(read.letter.clone(), read.attempt, read.part)];
        let leased = collected::lease(connection, self.parts.process, &wanted, 0, LEASE_HOLD).await?;
        if leased.is_empty() { Ok(()) } else { outbox::sent(connection, &leased).await }
    }

    /// Seals an answer, unless it was sealed a short time ago. Returns `None` where there is no valid certificate.
    async fn sealed(&self, read: &ReadAnswer) -> Option<Arc<[u8]>> {
        let recipient = read.certificate.clone()?;
        let key = SealedFor {
            agency: read.letter.agency,
            letter_id: read.letter.letter_id,
            attempt: read.attempt,
            part: read.part,
            certificate_id: recipient.certificate_id,
            cipher: read.cipher,
        };
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(document) = kept().get(&key) {
            return Some(Arc::clone(document));
        }
        let (sealer, payload, cipher) = (self.parts.sealer.clone(), read.payload.clone(), read.cipher);
        let sealing = tokio::task::spawn_blocking(move || sealer.seal(&payload, &recipient, cipher));
        let document: Arc<[u8]> = sealing.await.ok()??.into();
        if document.len() <= KEPT_BYTES_MAX {
            kept().put(key, Arc::clone(&document));
        }
        Some(document)
    }
}

/// Returns the agency and the installation that get an answer.
fn office_of(answer: &LeasedAnswer) -> (u32, String) {
    let installation = match (&answer.notice, &answer.of_letter) {
        (Some(notice), _) => notice.installation.clone(),
        (None, Some((installation, _))) => installation.clone(),
        (None, None) => String::new(),
    };
    (answer.agency.unsigned_abs(), installation)
}
