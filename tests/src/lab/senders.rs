//! Senders that push letters through the balancers, each over a connection of its own. A letter is sent again, to one balancer after the
//! other, until its sender is told that it is settled. Every reply is counted.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustls::ClientConfig;
use tokio::runtime::Runtime;

use super::bounds;
use crate::poster::{Poster, trusting};
use crate::sender::{Pushed, Sender};
use crate::servers::pass_time;
use crate::town::CENTRE_ADDRESS;

/// Number of senders.
const SENDERS: usize = 6;
/// Longest wait of a sender for anything but the answer to a whole letter. Less than the time for which balancers are frozen.
const PATIENCE: Duration = Duration::from_secs(4);
/// Longest wait for the reply to a letter over HTTPS, which is longer than the centre holds one.
const REPLY_MAX: Duration = Duration::from_secs(90);
/// Pause of a sender after each failure. Each further pause is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Most letters that were sent and whose results nobody has read yet.
const RESULTS_MAX: usize = 10_000;

/// The way on which a letter is pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In a mail, by LMTP.
    Lmtp,
    /// As a document, over HTTPS.
    Https,
}

/// A letter to push.
pub struct Job {
    /// Index of the letter in the record.
    pub place: usize,
    /// The way.
    pub way: Way,
    /// The mail, or the document.
    pub octets: Vec<u8>,
}

/// A letter whose sender was told that it is settled.
pub struct Told {
    /// Index of the letter in the record.
    pub place: usize,
    /// The documents in the reply: the answers to the letter, and what waited for its office.
    pub documents: Vec<Vec<u8>>,
    /// Time from the first attempt to the reply.
    pub took: Duration,
    /// The same time, but from the last attempt that failed with the letter in a server's hands, where one did: a server that is struck
    /// takes the letters in its hands with it, and their senders send them again.
    pub paused: Duration,
}

/// What the senders share.
struct Shared {
    /// Letters to push; `None` once the senders are to end.
    jobs: Mutex<Option<VecDeque<Job>>>,
    changed: Condvar,
    /// Number of replies by code, and of connections that were cut.
    replies: Mutex<BTreeMap<String, u64>>,
    balancers: Vec<[SocketAddr; 2]>,
    tls: Arc<ClientConfig>,
    trusted: std::path::PathBuf,
}

/// The senders.
pub struct Senders {
    shared: Arc<Shared>,
    told: Receiver<Told>,
    /// Number of letters that were given to the senders and not told of yet.
    open: usize,
}

impl Senders {
    /// Starts the senders. Each balancer has an address for LMTP and one for HTTPS; the certificate in the file `trusted` is that of all
    /// replicas.
    ///
    /// # Errors
    /// The certificate cannot be read.
    pub fn start(balancers: Vec<[SocketAddr; 2]>, trusted: &Path) -> Result<Senders> {
        let (told_of, told) = sync_channel(RESULTS_MAX);
        let shared = Arc::new(Shared {
            jobs: Mutex::new(Some(VecDeque::new())),
            changed: Condvar::new(),
            replies: Mutex::default(),
            balancers,
            tls: trusting(trusted)?,
            trusted: trusted.to_owned(),
        });
        for number in 0..SENDERS {
            let (shared, told_of) = (Arc::clone(&shared), told_of.clone());
            std::thread::spawn(move || shared.work(number, &told_of));
        }
        Ok(Senders { shared, told, open: 0 })
    }

    /// Gives a letter to the senders.
    pub fn push(&mut self, job: Job) {
        if let Some(jobs) = &mut *locked(&self.shared.jobs) {
            jobs.push_back(job);
            self.open += 1;
        }
        self.shared.changed.notify_one();
    }

    /// Returns a letter that was settled, if there is a further one.
    pub fn told(&mut self) -> Option<Told> {
        let told = self.told.try_recv().ok()?;
        self.open -= 1;
        Some(told)
    }

    /// Counts the letters that were given to the senders and not told of yet.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Returns the number of replies by code, and of connections that were cut.
    pub fn replies(&self) -> BTreeMap<String, u64> {
        locked(&self.shared.replies).clone()
    }
}

impl Drop for Senders {
    fn drop(&mut self) {
        // Senders that wait for a reply end after it, or with the program.
        *locked(&self.shared.jobs) = None;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn next(&self) -> Option<Job> {
        let mut jobs = locked(&self.jobs);
        loop {
            match jobs.as_mut()?.pop_front() {
                Some(job) => return Some(job),
                None => jobs = self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn is_over(&self) -> bool {
        locked(&self.jobs).is_none()
    }

    fn work(&self, number: usize, told_of: &SyncSender<Told>) {
        let Ok(mut line) = Line::new(self, number) else { return };
        while let Some(job) = self.next() {
            let (began, mut waits_since, mut pause) = (Instant::now(), Instant::now(), PAUSE_MIN);
            let documents = loop {
                let (reply, documents) = line.send(&job);
                if bounds::was_in_hands(&reply) {
                    waits_since = Instant::now();
                }
                *locked(&self.replies).entry(reply).or_default() += 1;
                if documents.is_some() || self.is_over() {
                    break documents;
                }
                pass_time(pause);
                pause = (pause * 2).min(PAUSE_MAX);
                line.change(self);
            };
            let Some(documents) = documents else { return };
            let (took, paused) = (began.elapsed(), waits_since.elapsed());
            if told_of.send(Told { place: job.place, documents, took, paused }).is_err() {
                return;
            }
        }
    }
}

/// The connections of one sender to the balancer that it uses now.
struct Line {
    /// Index of the balancer.
    balancer: usize,
    lmtp: Sender,
    https: SocketAddr,
    trusted: std::path::PathBuf,
    runtime: Runtime,
    poster: Option<Poster>,
}

impl Line {
    fn new(shared: &Shared, number: usize) -> Result<Line> {
        let balancer = number % shared.balancers.len();
        let [lmtp, https] = shared.balancers[balancer];
        Ok(Line {
            balancer,
            lmtp: Sender::over_tls(lmtp, CENTRE_ADDRESS, Arc::clone(&shared.tls), PATIENCE),
            https,
            trusted: shared.trusted.clone(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
            poster: None,
        })
    }

    /// Goes to the next balancer.
    fn change(&mut self, shared: &Shared) {
        self.balancer = (self.balancer + 1) % shared.balancers.len();
        let [lmtp, https] = shared.balancers[self.balancer];
        self.lmtp = Sender::over_tls(lmtp, CENTRE_ADDRESS, Arc::clone(&shared.tls), PATIENCE);
        (self.https, self.poster) = (https, None);
    }

    /// Sends a letter once. Returns the name of the reply, and its documents where the letter is settled.
    fn send(&mut self, job: &Job) -> (String, Option<Vec<Vec<u8>>>) {
        match job.way {
            Way::Lmtp => match self.lmtp.push(&job.octets) {
                Pushed::Answered(code @ 250) => (code.to_string(), Some(Vec::new())),
                Pushed::Answered(code) => (code.to_string(), None),
                Pushed::CutBefore => (bounds::CUT_BEFORE.to_owned(), None),
                Pushed::CutAfter => (bounds::CUT_OVER.to_owned(), None),
            },
            Way::Https => {
                let (https, trusted, open) = (self.https, &self.trusted, self.poster.take());
                let mut has_begun = false;
                let posted = self.runtime.block_on(async {
                    let mut poster = match open {
                        Some(open) => open,
                        None => tokio::time::timeout(PATIENCE, Poster::connect(https, Some(trusted))).await??,
                    };
                    has_begun = true;
                    let reply = tokio::time::timeout(REPLY_MAX, poster.post(&job.octets)).await??;
                    anyhow::Ok((poster, reply))
                });
                let cut = if has_begun { bounds::CUT_OVER } else { bounds::CUT_BEFORE };
                let Ok((poster, reply)) = posted else { return (cut.to_owned(), None) };
                let is_settled = matches!(reply.status, 200 | 202);
                self.poster = is_settled.then_some(poster);
                (reply.status.to_string(), is_settled.then(|| reply.documents()))
            }
        }
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
