//! Passes requests on to actix-http one at a time. actix-http itself decodes all requests in its buffer at once: 128 KB of short requests
//! take 18 MB when they are decoded, and a thousand connections would use up the memory. It also buffers bodies that no handler reads yet.

use std::cell::{Cell, RefCell};
use std::io;
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

/// Largest size of a request's head, in octets.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Largest number of octets that are passed on at once if they may contain more than one request.
const STEP_BYTES: usize = 512;
/// Largest number of octets of a body that are passed on at once.
const BODY_STEP_BYTES: usize = 16 * 1024;

/// The state of the requests of one connection.
#[derive(Default)]
pub(super) struct Requests {
    flow: Cell<Flow>,
    /// Whether the body of the current request was read to its end.
    is_read: Cell<bool>,
    /// Whether the current request is the last one.
    is_last: Cell<bool>,
    last: Notify,
    /// Whether the reading of the body is paused.
    is_paused: Cell<bool>,
    reader: RefCell<Option<Waker>>,
}

/// What may be passed on next.
#[derive(Clone, Copy)]
enum Flow {
    /// A head, up to its end.
    Head(Head),
    /// This many octets of a body.
    Body(u64),
    /// A body in chunks. Only the decoder finds its end, so the beginning of the next request may be passed on with it.
    Chunks,
    /// Nothing. The decoder has the whole head or body, and the request has not begun or is not answered yet.
    Nothing,
}

/// How much of a head was passed on.
#[derive(Clone, Copy, Default)]
struct Head {
    octets: usize,
    /// Whether the head has a line that is not empty.
    has_begun: bool,
    /// Whether the current line is not empty.
    has_line: bool,
}

/// The body that the head of a request announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    /// This many octets; 0 if the head announces no length.
    Octets(u64),
    /// A body in chunks.
    Chunks,
}

impl Default for Flow {
    fn default() -> Flow {
        Flow::Head(Head::default())
    }
}

impl Requests {
    /// Begins a request. Returns `false` if the connection's last request has been answered: the new request must not be executed.
    pub(super) fn begin(&self, body: Announced) -> bool {
        self.is_read.set(false);
        if self.is_last.get() {
            self.cut();
        } else {
            self.turn(match body {
                Announced::Octets(0) => Flow::Nothing,
                Announced::Octets(octets) => Flow::Body(octets),
                Announced::Chunks => Flow::Chunks,
            });
        }
        !self.is_last.get()
    }

    /// Notes that the body of the request was read to its end.
    pub(super) fn has_read(&self) {
        self.is_read.set(true);
        self.flow.set(Flow::Nothing);
    }

    /// Says whether the body of the current request was read to its end.
    pub(super) fn is_read(&self) -> bool {
        self.is_read.get()
    }

    /// Notes that the request is answered, so that the next one may come.
    pub(super) fn answered(&self) {
        self.turn(Flow::default());
    }

    /// Notes that the request is answered and is the last one of its connection.
    pub(super) fn end(&self) {
        self.is_last.set(true);
    }

    /// Tells the connection to end soon, because no further request is answered.
    pub(super) fn cut(&self) {
        self.last.notify_one();
    }

    /// Waits until the connection is told to end.
    pub(super) async fn is_cut(&self) {
        self.last.notified().await;
    }

    /// Pauses or resumes the passing on of a body.
    pub(super) fn pause(&self, is_paused: bool) {
        self.is_paused.set(is_paused);
        self.wake();
    }

    /// Returns how many octets may be passed on now. If there are none, the task is woken when this changes.
    pub(super) fn poll_room(&self, context: &mut Context<'_>) -> Poll<usize> {
        let room = match self.flow.get() {
            _ if self.is_paused.get() => 0,
            Flow::Head(_) | Flow::Chunks => STEP_BYTES,
            Flow::Body(octets) => usize::try_from(octets).unwrap_or(usize::MAX).min(BODY_STEP_BYTES),
            Flow::Nothing => 0,
        };
        if room == 0 {
            *self.reader.borrow_mut() = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(room)
    }

    /// Passes octets on, at most as many as `poll_room` allowed. Returns their number.
    pub(super) fn pass(&self, octets: &[u8]) -> io::Result<usize> {
        match self.flow.get() {
            Flow::Head(mut head) => {
                let end = head.end(octets);
                if head.octets > HEAD_BYTES_MAX {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the head of a request is too long"));
                }
                self.flow.set(if end.is_some() { Flow::Nothing } else { Flow::Head(head) });
                Ok(end.unwrap_or(octets.len()))
            }
            Flow::Body(left) => {
                let left = left.saturating_sub(octets.len() as u64);
                self.flow.set(if left == 0 { Flow::Nothing } else { Flow::Body(left) });
                Ok(octets.len())
            }
            Flow::Chunks => Ok(octets.len()),
            Flow::Nothing => Ok(0),
        }
    }

    fn turn(&self, flow: Flow) {
        self.flow.set(flow);
        self.wake();
    }

    fn wake(&self) {
        if let Some(reader) = self.reader.borrow_mut().take() {
            reader.wake();
        }
    }
}

impl Head {
    /// Reads further octets of a head. A head ends with an empty line after a line that is not empty. If it ends among these octets,
    /// returns the number of octets up to its end.
    fn end(&mut self, octets: &[u8]) -> Option<usize> {
        for (at, octet) in octets.iter().enumerate() {
            self.octets += 1;
            match octet {
                b'\n' if self.has_begun && !self.has_line => return Some(at + 1),
                b'\n' => self.has_line = false,
                b'\r' => {}
                _ => (self.has_begun, self.has_line) = (true, true),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes on as many of these octets as are allowed, at most `piece` octets at a time, and returns them.
    fn passed(requests: &Requests, octets: &[u8], piece: usize) -> Vec<u8> {
        let mut passed = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(room) = requests.poll_room(&mut context) {
            let rest = &octets[passed.len()..];
            if rest.is_empty() {
                break;
            }
            let given = &rest[..rest.len().min(room).min(piece)];
            let taken = requests.pass(given).unwrap();
            passed.extend_from_slice(&given[..taken]);
        }
        passed
    }

    #[test]
    fn one_request_is_let_through_at_a_time() {
        let head = b"\r\n\nPOST / HTTP/1.1\r\nHost: x\r\n\r\n";
        let body = [b'A'; 40_000];
        let next = b"GET / HTTP/1.1\nHost: x\n\nGET / HTTP/1.1\r\n";
        let octets = [&head[..], &body, next].concat();
        for piece in [1, 7, 100_000] {
            let requests = Requests::default();
            assert_eq!(passed(&requests, &octets, piece), head);
            assert!(requests.begin(Announced::Octets(40_000)));
            assert_eq!(passed(&requests, &octets[head.len()..], piece), body);
            requests.has_read();
            assert!(passed(&requests, next, piece).is_empty());
            requests.answered();
            assert_eq!(passed(&requests, next, piece), next[..24]);
            assert!(requests.begin(Announced::Octets(0)));
            assert!(passed(&requests, next, piece).is_empty());
        }
    }

    #[test]
    fn a_body_in_chunks_passes_until_it_is_read() {
        let requests = Requests::default();
        assert!(requests.begin(Announced::Chunks));
        assert_eq!(passed(&requests, &[b'A'; 5000], 100_000).len(), 5000);
        requests.pause(true);
        assert!(passed(&requests, b"A", 1).is_empty());
        requests.pause(false);
        requests.has_read();
        assert!(passed(&requests, b"A", 1).is_empty());
        requests.answered();
        assert_eq!(passed(&requests, b"A", 1), b"A");
    }

    #[test]
    fn a_head_is_bounded_and_nothing_follows_the_last_request() {
        let requests = Requests::default();
        assert_eq!(passed(&requests, &[b'A'; HEAD_BYTES_MAX], 100).len(), HEAD_BYTES_MAX);
        requests.pass(b"A").unwrap_err();
        requests.end();
        assert!(!requests.begin(Announced::Octets(0)));
    }
}
