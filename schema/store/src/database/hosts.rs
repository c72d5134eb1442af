//! The hosts of the database, one of which is the primary. Like PostgreSQL's clients, this program finds the primary by asking each host in
//! turn. It also leaves a primary that no longer answers, which those clients do not do.
//!
//! The program first asks the host that admitted the last session. Every attempt has a deadline that covers the whole start of the session.
//! A frozen host still accepts connections, so a deadline for the connection alone would not help.
//!
//! If a host owes an answer and is silent ([`super::watch`]), the program examines it. The program keeps the host if it admits a new
//! session in time. If it does not but another host does, the program leaves the silent host: all connections to it end at once, and the
//! work that waited for its answers is tried again on the other host.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::ConnectionError;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::connect::start_session;
use super::settings::Target;
use super::sqlstate::MARK;
use super::watch::{Patience, Watch, Watched};

/// Longest time to start a session on the only host.
const ALONE: Duration = Duration::from_secs(5);
/// Longest time to start a session on one of several hosts.
const EACH: Duration = Duration::from_secs(3);
/// Start of the message of an error by which PostgreSQL refuses a login: its SQLSTATE, which `connect` puts first, is of class 28 (invalid
/// authorization specification).
const NOT_ADMITTED: &str = "SQLSTATE 28";

/// The hosts of one database, and what happened to their connections.
pub struct Hosts {
    pub target: Target,
    places: Vec<Place>,
    /// Position of the host that admitted the last session.
    good: AtomicUsize,
    /// Whether any host has admitted a session yet.
    is_reached: AtomicBool,
    /// Held while a doubtful host is examined.
    examination: Arc<tokio::sync::Mutex<()>>,
    primary_changes: AtomicU64,
    unknown_commits: AtomicU64,
}

/// One host, and the means to end its connections.
#[derive(Default)]
struct Place {
    /// Cancelled when the program leaves the host, which ends all connections made before. A new token then replaces it.
    here: Mutex<CancellationToken>,
}

impl Hosts {
    pub fn new(target: Target) -> Hosts {
        let places = target.config.get_hosts().iter().map(|_host| Place::default()).collect();
        Hosts {
            target,
            places,
            good: AtomicUsize::new(0),
            is_reached: AtomicBool::new(false),
            examination: Arc::default(),
            primary_changes: AtomicU64::new(0),
            unknown_commits: AtomicU64::new(0),
        }
    }

    /// Returns the number of hosts.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// Returns how often the primary moved to another host.
    pub fn primary_changes(&self) -> u64 {
        self.primary_changes.load(Ordering::Relaxed)
    }

    /// Returns the number of COMMITs whose answer never came.
    pub fn unknown_commits(&self) -> u64 {
        self.unknown_commits.load(Ordering::Relaxed)
    }

    /// Starts a session on the host that admitted the last one, or on the next host that admits it.
    ///
    /// # Errors
    /// No host admits the session. With several hosts, the error contains the messages of all hosts; if one of them refuses the login, it
    /// contains only that host's message.
    pub async fn connect(self: &Arc<Self>, patience: Patience) -> Result<Client, ConnectionError> {
        let (first, count) = (self.good.load(Ordering::Acquire), self.count());
        let mut failures = Vec::with_capacity(count);
        for at in (0..count).map(|step| (first + step) % count) {
            match self.attempt(at, patience).await {
                Ok(client) => {
                    self.prefer(at);
                    return Ok(client);
                }
                Err(error) => failures.push((at, error)),
            }
        }
        Err(self.joined(failures))
    }

    /// Starts a session on one host within its deadline.
    async fn attempt(self: &Arc<Self>, at: usize, patience: Patience) -> Result<Client, ConnectionError> {
        let limit = if self.count() > 1 { EACH } else { ALONE };
        let watch = Watch::over(Arc::<Hosts>::clone(self), at, self.until_left(at), patience);
        let starting = start_session(&self.target, at, watch);
        timeout(limit, starting).await.unwrap_or_else(|_elapsed| {
            Err(ConnectionError::BadConnection(format!("no session was started within {} s", limit.as_secs())))
        })
    }

    fn joined(&self, mut failures: Vec<(usize, ConnectionError)>) -> ConnectionError {
        if failures.len() == 1
            && let Some((_, only)) = failures.pop()
        {
            return only;
        }
        let told: Vec<(usize, String)> = failures.into_iter().map(|(at, error)| (at, error.to_string())).collect();
        if let Some((_, refusal)) = told.iter().find(|(_, error)| error.starts_with(NOT_ADMITTED)) {
            return ConnectionError::BadConnection(refusal.clone());
        }
        let each = told.iter().map(|(at, error)| {
            let words =
                error.strip_prefix(MARK).and_then(|error| error.split_once(' ')).map_or(&error[..], |(_, words)| words);
            format!("{}: {words}", self.target.name(*at))
        });
        ConnectionError::BadConnection(each.collect::<Vec<_>>().join("; "))
    }

    /// Records the host that admitted a session. If the last session was on another host, the program leaves that host.
    fn prefer(&self, at: usize) {
        let before = self.good.swap(at, Ordering::AcqRel);
        if self.is_reached.swap(true, Ordering::AcqRel) && before != at {
            self.primary_changes.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                before = self.target.name(before),
                now = self.target.name(at),
                "the primary of the database is another host now"
            );
            self.leave(before);
        }
    }

    /// Ends all connections to a host.
    fn leave(&self, at: usize) {
        let mut here = self.places[at].here.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *here).cancel();
    }

    /// Waits until the program has left a host.
    fn until_left(&self, at: usize) -> WaitForCancellationFutureOwned {
        let here = self.places[at].here.lock().unwrap_or_else(PoisonError::into_inner);
        here.clone().cancelled_owned()
    }

    async fn examine(self: &Arc<Self>, doubtful: usize) {
        if self.attempt(doubtful, Patience::of_statements(EACH)).await.is_ok() {
            return;
        }
        for at in (0..self.count()).filter(|at| *at != doubtful) {
            if self.attempt(at, Patience::of_statements(EACH)).await.is_ok() {
                self.prefer(at);
                self.leave(doubtful);
                return;
            }
        }
    }
}

impl Watched for Hosts {
    /// Examines a silent host, unless an examination is running. With only one host there is no choice to make.
    fn doubt(self: Arc<Self>, at: usize) {
        if self.count() < 2 {
            return;
        }
        if let Ok(examination) = Arc::clone(&self.examination).try_lock_owned() {
            tokio::spawn(async move {
                self.examine(at).await;
                drop(examination);
            });
        }
    }

    fn note_unknown_commit(&self) {
        self.unknown_commits.fetch_add(1, Ordering::Relaxed);
    }
}
