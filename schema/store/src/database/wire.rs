//! The stream between tokio-postgres and PostgreSQL. It finds the borders of the messages in both directions, and does three things that
//! the driver does not do:
//! - Each ErrorResponse gets its SQLSTATE as hint ([`super::sqlstate`]).
//! - The stream fails when PostgreSQL warns that a COMMIT stopped waiting for the standby. The driver ignores the warning and reports a
//!   successful commit, which a failover may undo.
//! - The stream fails when PostgreSQL owes an answer and is silent for too long, or when the program has left the host ([`super::watch`]).
//!
//! After such a failure, every statement that waits for an answer gets the fault that the database is away. The outcome of a COMMIT is then
//! unknown.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use super::messages::{
    ERROR_RESPONSE, HEADER_BYTES, LENGTH_BYTES, NOTICE_RESPONSE, READY_FOR_QUERY, is_end_of_wait, length,
    with_sqlstate_as_hint,
};
use super::watch::Watch;
use crate::planted::{self, Bug};

/// The stream of one connection.
pub struct Wire<S> {
    inner: S,
    watch: Watch,
    frames: Frames,
    /// The beginning of an ErrorResponse or NoticeResponse that has not arrived completely.
    held: Vec<u8>,
    /// Octets that the reader gets next, before octets of the inner stream.
    ready: Vec<u8>,
    /// Whether a COMMIT stopped waiting for the standby.
    is_unreplicated: bool,
}

impl<S> Wire<S> {
    /// Wraps a stream before its first octet is read or written.
    pub fn new(inner: S, watch: Watch) -> Wire<S> {
        Wire { inner, watch, frames: Frames::default(), held: Vec::new(), ready: Vec::new(), is_unreplicated: false }
    }

    /// Moves each complete message from `held` to `ready`, changed where it has to be, with the octets up to the next such message.
    fn release(&mut self) {
        while let Some(length) = self.held.get(1..HEADER_BYTES).map(length) {
            let whole = 1 + length;
            if self.held.len() < whole {
                return;
            }
            let message = &self.held[..whole];
            if message[0] == ERROR_RESPONSE {
                self.ready.extend(with_sqlstate_as_hint(message));
            } else if is_end_of_wait(message) && !planted::has(Bug::NoticeIgnored) {
                // What follows says that the COMMIT is done.
                self.is_unreplicated = true;
                return;
            } else {
                self.ready.extend_from_slice(message);
            }
            self.held.drain(..whole);
            let behind = self.frames.pass(&self.held).unwrap_or(self.held.len());
            self.ready.extend(self.held.drain(..behind));
        }
    }

    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let step = self.ready.len().min(buffer.remaining());
        buffer.put_slice(&self.ready[..step]);
        self.ready.drain(..step);
    }

    /// Passes on octets that have arrived at the end of the buffer. An ErrorResponse or NoticeResponse is kept, with all octets after it,
    /// until it is complete: only then can it be changed, or the stream be ended because of it. Returns whether the reader gets any octets
    /// now.
    fn arrive(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> bool {
        let new = &buffer.filled()[before..];
        let passed = if self.held.is_empty() { self.frames.pass(new) } else { Some(0) };
        if let Some(passed) = passed {
            self.held.extend_from_slice(&new[passed..]);
            buffer.set_filled(before + passed);
            self.release();
        }
        self.watch.heard(std::mem::take(&mut self.frames.answers));
        buffer.filled().len() > before
    }
}

/// Finds the borders of messages by their lengths.
#[derive(Default)]
struct Frames {
    /// Number of octets that the current message still needs.
    left: usize,
    /// The header of the current message, as far as it has arrived.
    header: Vec<u8>,
    /// Number of answers that PostgreSQL has completed since the watch was last told.
    answers: usize,
}

impl Frames {
    /// Passes over octets up to the first ErrorResponse or NoticeResponse, and returns the position where this message begins.
    fn pass(&mut self, octets: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < octets.len() {
            if self.left > 0 {
                let step = self.left.min(octets.len() - at);
                self.left -= step;
                at += step;
                continue;
            }
            if self.header.is_empty() && matches!(octets[at], ERROR_RESPONSE | NOTICE_RESPONSE) {
                return Some(at);
            }
            self.header.push(octets[at]);
            at += 1;
            if self.header.len() == HEADER_BYTES {
                self.answers += usize::from(self.header[0] == READY_FOR_QUERY);
                self.left = length(&self.header[1..]).saturating_sub(LENGTH_BYTES);
                self.header.clear();
            }
        }
        None
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.is_unreplicated {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::ConnectionAborted,
                    "a COMMIT was told to stop waiting for the standby, so its outcome is unknown",
                )));
            }
            if !this.ready.is_empty() {
                this.give(buffer);
                return Poll::Ready(Ok(()));
            }
            let before = buffer.filled().len();
            match Pin::new(&mut this.inner).poll_read(context, buffer) {
                Poll::Ready(read) => read?,
                Poll::Pending => return this.watch.poll_silence(context).map(Err),
            }
            if buffer.filled().len() == before {
                // The stream has ended. The incomplete message is passed on unchanged.
                this.ready = std::mem::take(&mut this.held);
                this.give(buffer);
                return Poll::Ready(Ok(()));
            }
            if this.arrive(buffer, before) && !this.is_unreplicated {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = match Pin::new(&mut this.inner).poll_write(context, octets) {
            Poll::Ready(written) => written?,
            Poll::Pending => return this.watch.poll_silence(context).map(Err),
        };
        this.watch.sent(&octets[..written]);
        // The driver reads first and writes then. After this write it may not read until octets arrive, so no read would start the timer
        // for the answer. The time for the answer therefore begins here.
        match this.watch.poll_silence(context) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Ready(Ok(written)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Wire<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}

/// A TLS connector that wraps its stream in a [`Wire`], so that the wire reads decrypted messages.
pub struct Wired<T> {
    /// The connector that encrypts.
    pub connector: T,
    /// The watch of the connection.
    pub watch: Watch,
}

impl<S, T> TlsConnect<S> for Wired<T>
where
    T: TlsConnect<S>,
    T::Future: Send + 'static,
{
    type Stream = Wire<T::Stream>;
    type Error = T::Error;
    type Future = BoxFuture<'static, Result<Self::Stream, Self::Error>>;

    fn connect(self, stream: S) -> Self::Future {
        let connecting = self.connector.connect(stream);
        Box::pin(async move { connecting.await.map(|stream| Wire::new(stream, self.watch)) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::database::sqlstate::of_hint;
    use crate::database::watch::{Patience, Watched};

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[kind], &length.to_be_bytes()[..], body].concat()
    }

    fn error(fields: &[(u8, &str)]) -> Vec<u8> {
        let fields = fields.iter().flat_map(|(kind, value)| [&[*kind], value.as_bytes(), &[0]].concat());
        message(ERROR_RESPONSE, &fields.chain([0]).collect::<Vec<u8>>())
    }

    /// A stream that returns a limited number of octets at a time.
    struct Dripping(Vec<u8>, usize);

    impl AsyncRead for Dripping {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let step = self.1.min(self.0.len()).min(buffer.remaining());
            buffer.put_slice(&self.0.drain(..step).collect::<Vec<u8>>());
            Poll::Ready(Ok(()))
        }
    }

    struct Nobody;

    impl Watched for Nobody {
        fn doubt(self: Arc<Self>, _at: usize) {}
        fn note_unknown_commit(&self) {}
    }

    fn wire<S>(inner: S) -> Wire<S> {
        let left = tokio_util::sync::CancellationToken::new().cancelled_owned();
        Wire::new(inner, Watch::over(Arc::new(Nobody), 0, left, Patience::of_statements(Duration::from_secs(60))))
    }

    async fn read(octets: &[u8], step: usize) -> Vec<u8> {
        let mut read = Vec::new();
        wire(Dripping(octets.to_vec(), step)).read_to_end(&mut read).await.unwrap();
        read
    }

    #[tokio::test]
    async fn an_error_has_its_sqlstate_for_a_hint_however_it_arrives() {
        let came = [(b'S', "ERREUR"), (b'C', "P0001"), (b'M', "could not open"), (b'H', "SQLSTATE 57P01"), (b'R', "x")];
        let told = [(b'S', "ERREUR"), (b'C', "P0001"), (b'M', "could not open"), (b'R', "x"), (b'H', "SQLSTATE P0001")];
        let around = [message(b'Z', b"I"), message(b'D', b"EEEE"), message(b'C', b"")].concat();
        let octets = [&around[..], &error(&came), &error(&came), &around, &error(&came)].concat();
        let expected = [&around[..], &error(&told), &error(&told), &around, &error(&told)].concat();
        for step in 1..octets.len() {
            assert_eq!(read(&octets, step).await, expected, "{step} at a time");
        }
        assert_eq!(of_hint(Some("SQLSTATE P0001")), Some("P0001"));
        assert_eq!(of_hint(Some("Perhaps you meant the other column.")), None);
    }

    #[tokio::test]
    async fn an_error_that_is_cut_off_or_ill_built_is_handed_on_as_it_is() {
        let whole = error(&[(b'C', "40001")]);
        for end in 1..whole.len() {
            assert_eq!(read(&whole[..end], 3).await, &whole[..end]);
        }
        let without_end = message(ERROR_RESPONSE, b"C40001");
        assert_eq!(read(&without_end, 4).await, without_end);
    }

    fn notice(routine: &str) -> Vec<u8> {
        let fields = [(b'S', "AVERTISSEMENT"), (b'C', "01000"), (b'M', "annulation"), (b'R', routine)];
        let fields = fields.iter().flat_map(|(kind, value)| [&[*kind], value.as_bytes(), &[0]].concat());
        message(NOTICE_RESPONSE, &fields.chain([0]).collect::<Vec<u8>>())
    }

    #[tokio::test]
    async fn a_commit_that_no_longer_waits_for_the_standby_is_never_told_as_done() {
        let done = [message(b'C', b"COMMIT\0"), message(READY_FOR_QUERY, b"I")].concat();
        let other = [notice("SomeOtherRoutine"), done.clone()].concat();
        let cancelled = [message(b'D', b"row"), notice("SyncRepWaitForLSN"), done].concat();
        for step in 1..cancelled.len() {
            assert_eq!(read(&other, step).await, other, "{step} at a time");
            let mut wire = wire(Dripping(cancelled.clone(), step));
            let mut read = Vec::new();
            let error = wire.read_to_end(&mut read).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
            assert!(read.len() <= message(b'D', b"row").len(), "{step} at a time: nothing behind the notice is read");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_no_error_passes_unchanged(
            messages in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..20),
            step in 1_usize..50,
        ) {
            let octets: Vec<u8> = messages
                .iter()
                .filter(|(kind, _)| ![ERROR_RESPONSE, NOTICE_RESPONSE].contains(kind))
                .flat_map(|(kind, body)| message(*kind, body))
                .collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            prop_assert_eq!(runtime.block_on(read(&octets, step)), octets);
        }
    }
}
