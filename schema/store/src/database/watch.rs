//! Watches one connection: PostgreSQL may not be silent for too long while it owes an answer.
//!
//! A server can freeze, or the network can lose its packets, while the connection stays open. Without a deadline in this program, a
//! statement would then wait for ever. PostgreSQL's own `statement_timeout` does not help, because the frozen server would have to enforce
//! it.
//!
//! The watch counts the requests that the driver sends and the answers that PostgreSQL completes. While an answer is missing, a first
//! silence makes the program examine the host ([`Watched::doubt`]). A longer silence ends the connection.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::messages::{HEADER_BYTES, LENGTH_BYTES, length};

/// Silence after which the host is examined.
const DOUBT: Duration = Duration::from_secs(2);
/// Time that PostgreSQL has, after a statement's own limit, to report that it cancelled the statement.
const GRACE: Duration = Duration::from_secs(5);
/// Longest silence during a COMMIT. PostgreSQL itself has no limit for a COMMIT that waits for the standby.
const COMMIT: Duration = Duration::from_secs(120);
/// The text with which every part of this program commits.
const COMMIT_TEXT: &[u8] = b"COMMIT";
/// Type octet of the message Query, a request of one or several statements as text.
const QUERY: u8 = b'Q';
/// Type octet of the message Sync, which ends the group of messages that run a prepared statement.
const SYNC: u8 = b'S';

/// Receiver of a watch's reports about its connection.
pub trait Watched: Send + Sync {
    /// Called when the host at position `at` owes an answer and is silent.
    fn doubt(self: Arc<Self>, at: usize);
    /// Called when a connection ends while the answer to a COMMIT is missing.
    fn note_unknown_commit(&self);
}

/// Longest silences of PostgreSQL while it owes an answer.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Longest silence during any statement but COMMIT; `None` if a statement may take any time.
    statement: Option<Duration>,
    /// Longest silence during a COMMIT.
    commit: Duration,
}

impl Patience {
    /// Makes the patience for a session whose statements have the time limit `limit`.
    pub fn of_statements(limit: Duration) -> Patience {
        Patience { statement: Some(limit + GRACE), commit: COMMIT }
    }

    /// Makes the patience for a session whose statements have no time limit, such as migrations.
    pub fn without_limit() -> Patience {
        Patience { statement: None, commit: COMMIT }
    }
}

/// The watch over one connection.
pub struct Watch {
    hosts: Arc<dyn Watched>,
    /// Position of the host in the list of hosts.
    at: usize,
    patience: Patience,
    /// Completes when the program has left the host.
    left: Pin<Box<WaitForCancellationFutureOwned>>,
    requests: Requests,
    /// Time of the last octet in either direction.
    active: Instant,
    /// Time at which the host is examined next, if the silence lasts until then.
    doubt: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Watch {
    /// Begins the watch over a connection to the host at position `at`. `left` completes when the program leaves the host.
    pub fn over(hosts: Arc<dyn Watched>, at: usize, left: WaitForCancellationFutureOwned, patience: Patience) -> Watch {
        let now = Instant::now();
        Watch {
            hosts,
            at,
            patience,
            left: Box::pin(left),
            requests: Requests::default(),
            active: now,
            doubt: now + DOUBT,
            sleep: Box::pin(sleep_until(now + DOUBT)),
        }
    }

    /// Records octets that were sent.
    pub fn sent(&mut self, octets: &[u8]) {
        self.requests.pass(octets);
        self.become_active();
    }

    /// Records that octets have arrived, and how many answers they completed.
    pub fn heard(&mut self, answers: usize) {
        let ended = answers.min(self.requests.owed.len());
        self.requests.owed.drain(..ended);
        self.become_active();
    }

    fn become_active(&mut self) {
        self.active = Instant::now();
        self.doubt = self.active + DOUBT;
    }

    /// Returns an error when the silence is too long, or when the program has left the host. Until then, registers the task to be woken for
    /// either event.
    pub fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.left.as_mut().poll(context).is_ready() {
            let text = "the program has left the host of this connection";
            return Poll::Ready(io::Error::new(io::ErrorKind::ConnectionAborted, text));
        }
        let Some(request) = self.requests.owed.front() else { return Poll::Pending };
        let patience = if *request == Request::Commit { Some(self.patience.commit) } else { self.patience.statement };
        loop {
            let now = Instant::now();
            if let Some(patience) = patience.filter(|patience| now >= self.active + *patience) {
                tracing::warn!(
                    seconds = patience.as_secs(),
                    "PostgreSQL was silent for too long: the connection is closed"
                );
                let text = format!("no answer from PostgreSQL within {} s", patience.as_secs());
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            if now >= self.doubt {
                Arc::clone(&self.hosts).doubt(self.at);
                self.doubt = now + DOUBT;
            }
            let next = patience.map_or(self.doubt, |patience| self.doubt.min(self.active + patience));
            // The timer is moved only when it is late or has ended. One that rings too early costs a useless wake, which is cheaper than to
            // move the timer at every octet.
            if self.sleep.is_elapsed() || self.sleep.deadline() > next {
                self.sleep.as_mut().reset(next);
            }
            if self.sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.requests.owed.contains(&Request::Commit) {
            self.hosts.note_unknown_commit();
        }
    }
}

/// A request whose answer is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    /// The start of the session, or any statement but COMMIT.
    Other,
    Commit,
}

/// Finds the requests in the octets that the driver sends. PostgreSQL answers requests in the order in which they were sent.
#[derive(Default)]
struct Requests {
    owed: VecDeque<Request>,
    /// Whether the first message was seen. The first message of a connection has no type octet.
    is_started: bool,
    /// The header of the current message, as far as it was sent.
    header: Vec<u8>,
    /// Number of octets that the current message still needs.
    left: usize,
    /// The beginning of the text of the current Query; `None` in other messages.
    text: Option<Vec<u8>>,
}

impl Requests {
    fn pass(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while let Some(octet) = rest.first() {
            if self.left == 0 {
                self.header.push(*octet);
                rest = &rest[1..];
                self.begin();
                continue;
            }
            let (body, behind) = rest.split_at(self.left.min(rest.len()));
            self.left -= body.len();
            rest = behind;
            self.read_text(body);
        }
    }

    /// Begins the next message if its header is complete.
    fn begin(&mut self) {
        let header_bytes = if self.is_started { HEADER_BYTES } else { LENGTH_BYTES };
        if self.header.len() < header_bytes {
            return;
        }
        let (kind, counted) = self.header.split_at(header_bytes - LENGTH_BYTES);
        self.left = length(counted).saturating_sub(LENGTH_BYTES);
        match kind.first() {
            Some(&QUERY) => self.text = Some(Vec::new()),
            Some(&SYNC) | None => self.owed.push_back(Request::Other),
            Some(_) => {}
        }
        self.is_started = true;
        self.header.clear();
    }

    /// Reads the beginning of a Query's text, until it is known whether the Query is a COMMIT, for which PostgreSQL may be silent for
    /// longer.
    fn read_text(&mut self, body: &[u8]) {
        let Some(text) = &mut self.text else { return };
        text.extend(body.iter().take(COMMIT_TEXT.len() - text.len()));
        if text.len() == COMMIT_TEXT.len() || self.left == 0 {
            let request = if text == COMMIT_TEXT { Request::Commit } else { Request::Other };
            self.owed.push_back(request);
            self.text = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio_util::sync::CancellationToken;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);
    const NONE: Duration = Duration::ZERO;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind], &u32::try_from(body.len() + LENGTH_BYTES).unwrap().to_be_bytes()[..], body].concat()
    }

    fn startup() -> Vec<u8> {
        message(0, b"user\0xmserver\0\0").split_off(1)
    }

    /// A receiver that counts the commits whose outcome is unknown.
    #[derive(Default)]
    struct Counted(AtomicU64);

    impl Watched for Counted {
        fn doubt(self: Arc<Self>, _at: usize) {}
        fn note_unknown_commit(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn over(hosts: &Arc<Counted>, patience: Patience) -> Watch {
        Watch::over(Arc::<Counted>::clone(hosts), 0, CancellationToken::new().cancelled_owned(), patience)
    }

    fn alone(patience: Patience) -> Watch {
        over(&Arc::default(), patience)
    }

    fn silence(watch: &mut Watch) -> Option<io::ErrorKind> {
        match watch.poll_silence(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(error) => Some(error.kind()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn requests_are_counted_and_a_commit_is_known_however_the_octets_are_divided() {
        use Request::{Commit, Other};
        let messages = [
            startup(),
            message(b'p', b"a password"),
            message(QUERY, b"BEGIN\0"),
            message(b'P', b"\0SELECT 'COMMIT'\0\0\0"),
            message(b'D', b"S\0"),
            message(SYNC, b""),
            message(QUERY, b"COMMIT\0"),
            message(QUERY, b"COM\0"),
            message(b'X', b""),
        ];
        let octets = messages.concat();
        for step in 1..octets.len() {
            let mut requests = Requests::default();
            octets.chunks(step).for_each(|chunk| requests.pass(chunk));
            assert_eq!(requests.owed, [Other, Other, Other, Commit, Other], "{step} at a time");
        }
    }

    #[tokio::test]
    async fn only_a_server_that_owes_an_answer_has_a_deadline() {
        let mut watch = alone(Patience { statement: Some(NONE), commit: LONG });
        assert_eq!(silence(&mut watch), None, "nothing was asked");
        watch.sent(&startup());
        assert_eq!(silence(&mut watch), Some(io::ErrorKind::TimedOut));
        watch.heard(1);
        assert_eq!(silence(&mut watch), None, "all is answered");
        let mut unlimited = alone(Patience { statement: None, commit: LONG });
        unlimited.sent(&startup());
        assert_eq!(silence(&mut unlimited), None, "a migration may take as long as it likes");
    }

    #[tokio::test]
    async fn a_commit_has_a_deadline_of_its_own_and_is_unknown_where_no_answer_comes() {
        let hosts = Arc::<Counted>::default();
        for (statement, commit, expected) in [(NONE, LONG, None), (LONG, NONE, Some(io::ErrorKind::TimedOut))] {
            let before = hosts.0.load(Ordering::Relaxed);
            let mut watch = over(&hosts, Patience { statement: Some(statement), commit });
            watch.sent(&startup());
            watch.heard(1);
            watch.sent(&message(QUERY, b"COMMIT\0"));
            assert_eq!(silence(&mut watch), expected);
            drop(watch);
            assert_eq!(hosts.0.load(Ordering::Relaxed), before + 1);
        }
        let mut answered = over(&hosts, Patience::without_limit());
        answered.sent(&[startup(), message(QUERY, b"COMMIT\0")].concat());
        answered.heard(2);
        drop(answered);
        assert_eq!(hosts.0.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn every_octet_of_an_answer_moves_the_deadline() {
        let mut watch = alone(Patience::without_limit());
        watch.sent(&startup());
        let before = watch.active - Duration::from_secs(1);
        (watch.active, watch.doubt) = (before, before + DOUBT);
        watch.heard(0);
        assert!(watch.active > before && watch.doubt > before + DOUBT);
    }
}
