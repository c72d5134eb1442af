//! A proxy between a client and a server that can delay data and break connections: in the middle of a line, in the middle of a mail, or
//! around the final dot of DATA. Where the connection breaks around the dot, the client does not know whether the server accepted the mail,
//! and sends it again: the recipient may get it twice (RFC 1047).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

const CHUNK_BYTES: usize = 4096;
/// The octets that end a mail in DATA.
const FINAL_DOT: &[u8] = b"\r\n.\r\n";
/// Longest time for which a connection that was planned to stay open after its break does so, silently. It ends earlier if client or server
/// disconnects.
const HOLD_MAX: Duration = Duration::from_secs(5);

/// A planned break. It breaks the first connection whose traffic gets to this point. All other connections pass undisturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Break after a number of bytes towards the client.
    Answer {
        /// Number of bytes that still pass.
        after_bytes: usize,
    },
    /// Break after a number of bytes towards the server.
    Request {
        /// Number of bytes that still pass.
        after_bytes: usize,
    },
    /// Break before a final dot, so that the server does not receive it.
    BeforeDot,
    /// Break after a final dot, so that the client does not receive the server's answer to it.
    AfterDot,
}

/// A proxy that listens for connections to one server. It ends with its runtime.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: SocketAddr,
    delay_ms: AtomicU64,
    /// Whether a broken connection stays open and silent for a while, so that a program can be killed meanwhile.
    holds: AtomicBool,
    next: Mutex<Option<Break>>,
    has_broken: AtomicBool,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port is free.
    pub fn start(server: SocketAddr, runtime: &Handle) -> Result<Proxy> {
        let _guard = runtime.enter();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no free port on 127.0.0.1")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server,
            delay_ms: AtomicU64::new(0),
            holds: AtomicBool::new(false),
            next: Mutex::new(None),
            has_broken: AtomicBool::new(false),
        });
        runtime.spawn(listen(TcpListener::from_std(listener)?, Arc::clone(&shared)));
        Ok(Proxy { address, shared })
    }

    /// Returns the address to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Delays every chunk by this time, from now on.
    pub fn delay(&self, delay: Duration) {
        self.shared.delay_ms.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Plans a break. With `holds`, the connection becomes silent at this point, and is closed a while later or when the client
    /// disconnects.
    pub fn plan(&self, planned: Break, holds: bool) {
        self.shared.has_broken.store(false, Ordering::Relaxed);
        self.shared.holds.store(holds, Ordering::Relaxed);
        *self.shared.next() = Some(planned);
    }

    /// Says whether the planned break has happened.
    pub fn has_broken(&self) -> bool {
        self.shared.has_broken.load(Ordering::Acquire)
    }

    /// Cancels the planned break and the delay.
    pub fn mend(&self) {
        *self.shared.next() = None;
        self.delay(Duration::ZERO);
    }
}

impl Shared {
    fn next(&self) -> MutexGuard<'_, Option<Break>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn delay(&self) {
        let delay_ms = self.delay_ms.load(Ordering::Relaxed);
        if delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
    }

    async fn broken(&self) {
        self.has_broken.store(true, Ordering::Release);
        if self.holds.load(Ordering::Relaxed) {
            tokio::time::sleep(HOLD_MAX).await;
        }
    }

    /// Returns how many of these bytes pass before the planned break; `None` if the break does not come within these bytes.
    fn passing(&self, bytes: usize, is_request: bool) -> Option<usize> {
        let mut next = self.next();
        let ((Some(Break::Answer { after_bytes }), false) | (Some(Break::Request { after_bytes }), true)) =
            (next.as_mut(), is_request)
        else {
            return None;
        };
        if *after_bytes >= bytes {
            *after_bytes -= bytes;
            return None;
        }
        let passing = *after_bytes;
        *next = None;
        Some(passing)
    }

    /// Says whether this break around the final dot is the planned one. If so, the break happens now, and nothing is planned any more.
    fn takes(&self, wanted: Break) -> bool {
        self.next().take_if(|next| *next == wanted).is_some()
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // Where the server is down, the proxy closes the client's connection, so that the client sees a server that is down.
            let Ok(server) = TcpStream::connect(shared.server).await else { return };
            let _no_nagle = (client.set_nodelay(true), server.set_nodelay(true));
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let is_after_dot = AtomicBool::new(false);
            // When one direction ends, the other is dropped, and both connections are closed.
            tokio::select! {
                () = requests(&shared, from_client, to_server, &is_after_dot) => {}
                () = answers(&shared, from_server, to_client, &is_after_dot) => {}
            }
        });
    }
}

async fn requests(shared: &Shared, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_after_dot: &AtomicBool) {
    let mut chunk = [0; CHUNK_BYTES];
    // The last octets that passed are kept, because a final dot may arrive in two chunks.
    let mut seen: Vec<u8> = Vec::new();
    while let Ok(bytes @ 1..) = from.read(&mut chunk).await {
        shared.delay().await;
        let before = seen.len();
        seen.extend_from_slice(&chunk[..bytes]);
        let dot = seen.windows(FINAL_DOT.len()).position(|window| window == FINAL_DOT);
        let mut passing = shared.passing(bytes, true);
        if let Some(at) = dot {
            if shared.takes(Break::BeforeDot) {
                // The break is before the dot: all octets up to the dot pass, but not the dot. If the line with the dot comes in two
                // chunks, the first has passed already, and only the rest is stopped.
                passing = Some((at + 2).saturating_sub(before));
            } else if shared.takes(Break::AfterDot) {
                is_after_dot.store(true, Ordering::Release);
            }
        }
        if to.write_all(&chunk[..passing.unwrap_or(bytes)]).await.is_err() {
            return;
        }
        if passing.is_some() {
            return shared.broken().await;
        }
        seen.drain(..seen.len().saturating_sub(FINAL_DOT.len() - 1));
    }
}

async fn answers(shared: &Shared, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_after_dot: &AtomicBool) {
    let mut chunk = [0; CHUNK_BYTES];
    while let Ok(bytes @ 1..) = from.read(&mut chunk).await {
        shared.delay().await;
        if is_after_dot.load(Ordering::Acquire) {
            return shared.broken().await;
        }
        let passing = shared.passing(bytes, false);
        if to.write_all(&chunk[..passing.unwrap_or(bytes)]).await.is_err() {
            return;
        }
        if passing.is_some() {
            return shared.broken().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that greets, and returns how many bytes it received before its client disconnected.
    async fn served(listener: TcpListener) -> usize {
        let (mut client, _) = listener.accept().await.unwrap();
        client.write_all(b"+OK greetings\r\n").await.unwrap();
        let (mut got, mut chunk) = (Vec::new(), [0; 100]);
        while let Ok(bytes @ 1..) = client.read(&mut chunk).await {
            got.extend_from_slice(&chunk[..bytes]);
            if got.ends_with(FINAL_DOT) {
                client.write_all(b"250 taken\r\n").await.ok();
            }
        }
        got.len()
    }

    /// Sends a mail through a proxy with a planned break. Returns how many bytes server and client received.
    async fn bytes_that_pass(planned: Option<Break>) -> (usize, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap(), &Handle::current()).unwrap();
        if let Some(planned) = planned {
            proxy.plan(planned, false);
        }
        let server = tokio::spawn(served(listener));
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        let mut chunk = [0; 100];
        let mut got = client.read(&mut chunk).await.unwrap();
        // The final dot is sent in two chunks, as may happen on a network.
        for part in [&b"DATA\r\nSubject: x\r\n\r\nwords\r"[..], b"\n.\r\n"] {
            client.write_all(part).await.ok();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        while let Ok(Ok(bytes @ 1..)) = tokio::time::timeout(Duration::from_millis(200), client.read(&mut chunk)).await
        {
            got += bytes;
        }
        drop(client);
        assert_eq!(proxy.has_broken(), planned.is_some());
        (server.await.unwrap(), got)
    }

    #[test]
    fn lines_break_where_they_are_told_to() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let passes = |planned| runtime.block_on(bytes_that_pass(planned));
        let (request, greeting, answer) = (30, 15, 11);
        assert_eq!(passes(None), (request, greeting + answer));
        assert_eq!(passes(Some(Break::Request { after_bytes: 7 })), (7, greeting));
        assert_eq!(passes(Some(Break::Answer { after_bytes: 18 })), (request, 18));
        assert_eq!(passes(Some(Break::BeforeDot)), (request - 3, greeting));
        assert_eq!(passes(Some(Break::AfterDot)), (request, greeting));
    }
}
