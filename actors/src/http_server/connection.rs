//! A connection with its place among the connections of its server.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mail::intake::places::Place;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::turns::Requests;

/// Longest time in which the other end accepts no octet of a reply. Then the connection is closed.
const DEAF_MAX: Duration = Duration::from_secs(60);

/// A connection, plain or within TLS.
pub(super) struct Connection {
    stream: Either<TcpStream, TlsStream<TcpStream>>,
    peer: Peer,
    /// Octets that were received but not yet passed on to the HTTP decoder.
    ahead: Vec<u8>,
    /// Whether the last read has passed octets on to the HTTP decoder.
    has_passed: bool,
    deaf: Deaf,
}

/// Timer that runs while the other end accepts nothing.
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

impl Peer {
    /// Notes that the body of the request was read to its end. Without this note, the connection ends with the reply.
    pub fn has_read(&self) {
        self.requests.has_read();
    }

    /// Pauses or resumes the reading of the request's body. During a pause, the rest of the body stays with the client.
    pub fn pause(&self, is_paused: bool) {
        self.requests.pause(is_paused);
    }
}

impl Deaf {
    /// Makes a write fail once it has been pending for [`DEAF_MAX`].
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
        Connection { stream, peer, ahead: Vec::new(), has_passed: false, deaf: Deaf::default() }
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
        let this = &mut *self;
        let room = ready!(this.peer.requests.poll_room(context));
        if std::mem::take(&mut this.has_passed) {
            // The octets of the last read are decoded before more are read, because they may be a whole request. The octets behind it may
            // be passed on only after it is answered.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.ahead.is_empty() {
            this.ahead.resize(room, 0);
            let mut read = ReadBuf::new(&mut this.ahead);
            let polled = Pin::new(&mut this.stream).poll_read(context, &mut read);
            let octets = read.filled().len();
            this.ahead.truncate(octets);
            ready!(polled)?;
        }
        let most = this.ahead.len().min(room).min(buffer.remaining());
        let passed = this.peer.requests.pass(&this.ahead[..most])?;
        buffer.put_slice(&this.ahead[..passed]);
        this.ahead.drain(..passed);
        this.has_passed = passed > 0;
        Poll::Ready(Ok(()))
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
