//! A connection with its place among the connections of its server.

use std::cell::Cell;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use mail::intake::places::Place;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// Longest time for which the other end takes nothing of a reply.
const DEAF_MAX: Duration = Duration::from_secs(60);

/// A connection, plain or within TLS.
pub(super) struct Connection {
    stream: Either<TcpStream, TlsStream<TcpStream>>,
    peer: Peer,
    deaf: Deaf,
}

/// Runs while the other end takes nothing.
#[derive(Default)]
struct Deaf(Option<Pin<Box<Sleep>>>);

/// The other end of a connection, as the handlers of its requests see it.
#[derive(Clone)]
pub struct Peer {
    /// The connection's place.
    pub place: Rc<Place>,
    /// Address of the other end: a client, or a proxy.
    pub address: IpAddr,
    pub(super) requests: Rc<Requests>,
}

/// How far the requests of a connection have come.
#[derive(Default)]
pub(super) struct Requests {
    /// Whether the body of the present request was read to its end.
    is_read: Cell<bool>,
    /// Whether the present request is the last one.
    is_last: Cell<bool>,
    last: Notify,
}

impl Peer {
    /// Notes that the body of the request was read to its end. Otherwise the connection ends with the reply.
    pub fn has_read(&self) {
        self.requests.is_read.set(true);
    }
}

impl Requests {
    /// Begins a request. Returns `false` where the last one has been answered: nothing more that comes is executed.
    pub(super) fn begin(&self) -> bool {
        self.is_read.set(false);
        !self.is_last.get()
    }

    /// Says whether the body of the present request was read to its end.
    pub(super) fn is_read(&self) -> bool {
        self.is_read.get()
    }

    /// Notes that the present request is the last one.
    pub(super) fn end(&self) {
        self.is_last.set(true);
        self.last.notify_one();
    }

    /// Waits until the last request is answered.
    pub(super) async fn ended(&self) {
        self.last.notified().await;
    }
}

impl Deaf {
    /// Ends the wait for the other end after [`DEAF_MAX`].
    fn bounded<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.0 = None;
            return written;
        }
        let waiting = self.0.get_or_insert_with(|| Box::pin(sleep(DEAF_MAX)));
        waiting.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Connection {
    pub(super) fn new(
        stream: Either<TcpStream, TlsStream<TcpStream>>,
        place: Rc<Place>,
        address: IpAddr,
    ) -> Connection {
        let peer = Peer { place, address, requests: Rc::default() };
        Connection { stream, peer, deaf: Deaf::default() }
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, octets);
        self.deaf.bounded(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = Pin::new(&mut self.stream).poll_flush(context);
        self.deaf.bounded(context, written)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = Pin::new(&mut self.stream).poll_shutdown(context);
        self.deaf.bounded(context, written)
    }
}
