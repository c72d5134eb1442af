//! Sends prepared letters over many connections from one thread, and notes the reply to each.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use scenarios::poster::Poster;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::lmtp::Lmtp;
use crate::centre::Used;
use crate::processes::thread_time;

/// The code that stands for a connection that ended before the reply came.
pub(super) const CUT: u16 = 0;

/// The address to which letters are sent, by protocol.
#[derive(Clone, Debug)]
pub(super) enum To {
    /// To an address for LMTP.
    Lmtp(SocketAddr),
    /// To an address for HTTPS, whose server has the certificate in this file.
    Https(SocketAddr, PathBuf),
}

/// The results of sending the letters.
#[derive(Debug)]
pub(super) struct Sent {
    /// Moment at which the first letter was begun. All connections were open by then.
    pub(super) begun: Instant,
    /// Moment at which the last reply had arrived.
    pub(super) ended: Instant,
    /// Number of replies by their code; [`CUT`] counts letters whose connection ended before the reply.
    pub(super) replies: BTreeMap<u16, u64>,
    /// Time from the first octet of each letter to the reply to it, sorted.
    pub(super) waits: Vec<Duration>,
    /// The bodies of positive replies by HTTPS, each with the position of its letter.
    pub(super) answers: Vec<(usize, Vec<u8>)>,
    /// Processor seconds of the engine and of its PostgreSQL between `begun` and `ended`.
    pub(super) used: Used,
    /// Processor seconds of the sending thread between `begun` and `ended`.
    pub(super) used_by_sender: f64,
}

/// The reply to a letter.
struct Reply {
    code: u16,
    /// Body of a positive reply by HTTPS.
    body: Vec<u8>,
    /// Whether the connection is good for another letter.
    goes_on: bool,
}

/// The letters that are to be sent. Each connection takes the next one.
struct Letters {
    octets: Vec<Vec<u8>>,
    next: AtomicUsize,
}

impl Letters {
    fn take(&self) -> Option<(usize, &[u8])> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        Some((at, self.octets.get(at)?))
    }
}

/// A connection.
enum Line {
    Lmtp(Lmtp),
    Https(Poster),
}

/// The replies that one connection got.
#[derive(Default)]
struct Seen {
    replies: Vec<(u16, Duration)>,
    answers: Vec<(usize, Vec<u8>)>,
}

/// Opens all connections, and then sends the letters, one at a time over each. `used` returns the processor time of the engine.
///
/// A letter is sent once, whatever the reply to it, and a connection that ends is not replaced: the run measures a centre without faults,
/// and fails where it has one. If all connections end, the rest of the letters is not sent.
///
/// # Errors
/// A connection cannot be opened; the processor time cannot be read.
pub(super) fn send(
    letters: Vec<Vec<u8>>,
    to: &To,
    connections: usize,
    used: impl Fn() -> Result<Used>,
) -> Result<Sent> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut lines = Vec::with_capacity(connections);
        for _ in 0..connections {
            lines.push(Line::open(to).await?);
        }
        let letters = Arc::new(Letters { octets: letters, next: AtomicUsize::new(0) });
        let (used_before, own_before, begun) = (used()?, thread_time()?, Instant::now());
        let mut tasks = JoinSet::new();
        for line in lines {
            tasks.spawn(line.send_all(Arc::clone(&letters)));
        }
        let seen = tasks.join_all().await;
        let (ended, own_after, used_after) = (Instant::now(), thread_time()?, used()?);
        let mut sent = Sent {
            begun,
            ended,
            replies: BTreeMap::new(),
            waits: Vec::with_capacity(letters.octets.len()),
            answers: Vec::new(),
            used: Used {
                engine: used_after.engine - used_before.engine,
                postgres: used_after.postgres - used_before.postgres,
            },
            used_by_sender: (own_after - own_before).as_secs_f64(),
        };
        for Seen { replies, answers } in seen {
            for (code, wait) in replies {
                *sent.replies.entry(code).or_default() += 1;
                sent.waits.push(wait);
            }
            sent.answers.extend(answers);
        }
        sent.waits.sort_unstable();
        Ok(sent)
    })
}

impl Line {
    async fn open(to: &To) -> Result<Line> {
        Ok(match to {
            To::Lmtp(server) => Line::Lmtp(Lmtp::connect(*server).await?),
            To::Https(server, certificate) => Line::Https(Poster::connect(*server, Some(certificate)).await?),
        })
    }

    async fn send_all(mut self, letters: Arc<Letters>) -> Seen {
        let mut seen = Seen::default();
        while let Some((at, letter)) = letters.take() {
            let began = Instant::now();
            let reply = match self.send(letter).await {
                Ok(reply) => reply,
                Err(_cut) => Reply { code: CUT, body: Vec::new(), goes_on: false },
            };
            seen.replies.push((reply.code, began.elapsed()));
            if !reply.body.is_empty() {
                seen.answers.push((at, reply.body));
            }
            if !reply.goes_on {
                break;
            }
        }
        seen
    }

    async fn send(&mut self, letter: &[u8]) -> Result<Reply> {
        match self {
            Line::Lmtp(line) => {
                let (code, goes_on) = line.send(letter).await?;
                Ok(Reply { code, body: Vec::new(), goes_on })
            }
            Line::Https(poster) => {
                let reply = poster.post(letter).await?;
                let goes_on = reply.header("connection") != "close";
                let body = if reply.status == 200 { reply.body } else { Vec::new() };
                Ok(Reply { code: reply.status, body, goes_on })
            }
        }
    }
}
