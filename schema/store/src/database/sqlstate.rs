//! Where a fault gets its SQLSTATE from.
//!
//! Only the SQLSTATE tells a trigger's own exception from a database that is away: messages are in the server's language, and
//! anybody's trigger can raise any words. diesel hands on everything that PostgreSQL says of an error but this (its
//! pull request 5232 is to change that), and its type for it is private. So the stream that tokio-postgres reads from is
//! wrapped, and in every ErrorResponse (PostgreSQL, Message Formats) the hint, which nothing here shows to anybody, is
//! replaced by the SQLSTATE. All other messages pass as they are, looked at only for their length.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

/// Prefix of a hint that holds a SQLSTATE.
pub const MARK: &str = "SQLSTATE ";

/// Returns the SQLSTATE that a hint holds.
pub fn of_hint(hint: Option<&str>) -> Option<&str> {
    hint?.strip_prefix(MARK)
}

/// Type octet of the message ErrorResponse.
const ERROR_RESPONSE: u8 = b'E';
/// Type octet of its field with the SQLSTATE.
const FIELD_SQLSTATE: u8 = b'C';
/// Type octet of its field with the hint.
const FIELD_HINT: u8 = b'H';
/// A message begins with its type, and its length, which counts itself but not the type.
const HEADER_BYTES: usize = 5;

/// A stream from PostgreSQL whose errors have their SQLSTATE as hint.
pub struct SqlStateStream<S> {
    inner: S,
    frames: Frames,
    /// The beginning of an error that has not arrived whole.
    held: Vec<u8>,
    /// Octets to be read next, before the inner stream.
    ready: Vec<u8>,
}

impl<S> SqlStateStream<S> {
    /// Wraps a stream before its first octet is read.
    pub fn new(inner: S) -> SqlStateStream<S> {
        SqlStateStream { inner, frames: Frames::default(), held: Vec::new(), ready: Vec::new() }
    }

    /// Moves errors that have arrived whole, and what came behind them, from `held` to `ready`.
    fn release(&mut self) {
        while let Some(length) = self.held.get(1..HEADER_BYTES).map(length) {
            let whole = 1 + length;
            if self.held.len() < whole {
                return;
            }
            self.ready.extend(with_sqlstate_as_hint(&self.held[..whole]));
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
}

/// Follows messages by their lengths.
#[derive(Default)]
struct Frames {
    /// Octets left of the message that is passing.
    left: usize,
    /// Its header, as far as it has passed.
    header: Vec<u8>,
}

impl Frames {
    /// Lets octets pass up to the first error, and returns where that begins.
    fn pass(&mut self, octets: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < octets.len() {
            if self.left > 0 {
                let step = self.left.min(octets.len() - at);
                self.left -= step;
                at += step;
                continue;
            }
            if self.header.is_empty() && octets[at] == ERROR_RESPONSE {
                return Some(at);
            }
            self.header.push(octets[at]);
            at += 1;
            if self.header.len() == HEADER_BYTES {
                self.left = length(&self.header[1..]).saturating_sub(HEADER_BYTES - 1);
                self.header.clear();
            }
        }
        None
    }
}

fn length(octets: &[u8]) -> usize {
    octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet))
}

/// Replaces the hint of a whole ErrorResponse. One that is not built as it should be stays as it is.
fn with_sqlstate_as_hint(error: &[u8]) -> Vec<u8> {
    let mut fields = &error[HEADER_BYTES..];
    let mut kept = Vec::with_capacity(error.len() + 2 * HEADER_BYTES + MARK.len());
    let mut sqlstate: &[u8] = &[];
    while let Some((&kind, rest)) = fields.split_first().filter(|(kind, _)| **kind != 0) {
        let Some(end) = rest.iter().position(|octet| *octet == 0) else { return error.to_vec() };
        let (value, behind) = rest.split_at(end);
        if kind == FIELD_SQLSTATE {
            sqlstate = value;
        }
        if kind != FIELD_HINT {
            kept.push(kind);
            kept.extend_from_slice(&rest[..=end]);
        }
        fields = &behind[1..];
    }
    kept.push(FIELD_HINT);
    kept.extend_from_slice(MARK.as_bytes());
    kept.extend_from_slice(sqlstate);
    kept.extend_from_slice(&[0, 0]);
    let Ok(length) = u32::try_from(kept.len() + HEADER_BYTES - 1) else { return error.to_vec() };
    [&[ERROR_RESPONSE], &length.to_be_bytes()[..], &kept].concat()
}

impl<S: AsyncRead + Unpin> AsyncRead for SqlStateStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.ready.is_empty() {
                this.give(buffer);
                return Poll::Ready(Ok(()));
            }
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.inner).poll_read(context, buffer))?;
            let new = &buffer.filled()[before..];
            if new.is_empty() {
                // The end. What has come of an error is handed on as it is.
                this.ready = std::mem::take(&mut this.held);
                this.give(buffer);
                return Poll::Ready(Ok(()));
            }
            let passed = if this.held.is_empty() { this.frames.pass(new) } else { Some(0) };
            let Some(passed) = passed else { return Poll::Ready(Ok(())) };
            this.held.extend_from_slice(&new[passed..]);
            buffer.set_filled(before + passed);
            this.release();
            if passed > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SqlStateStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: TlsStream + Unpin> TlsStream for SqlStateStream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.inner.channel_binding()
    }
}

/// A TLS connector whose streams are [`SqlStateStream`]s: inside TLS, where messages can be read.
#[derive(Clone)]
pub struct Telling<T>(pub T);

impl<S, T> MakeTlsConnect<S> for Telling<T>
where
    T: MakeTlsConnect<S>,
    T::TlsConnect: Send + 'static,
    <T::TlsConnect as TlsConnect<S>>::Future: Send + 'static,
    S: Send + 'static,
{
    type Stream = SqlStateStream<T::Stream>;
    type TlsConnect = Telling<T::TlsConnect>;
    type Error = T::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Self::TlsConnect, Self::Error> {
        self.0.make_tls_connect(domain).map(Telling)
    }
}

impl<S, T> TlsConnect<S> for Telling<T>
where
    T: TlsConnect<S>,
    T::Future: Send + 'static,
{
    type Stream = SqlStateStream<T::Stream>;
    type Error = T::Error;
    type Future = BoxFuture<'static, Result<Self::Stream, Self::Error>>;

    fn connect(self, stream: S) -> Self::Future {
        let connecting = self.0.connect(stream);
        Box::pin(async move { connecting.await.map(SqlStateStream::new) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[kind], &length.to_be_bytes()[..], body].concat()
    }

    fn error(fields: &[(u8, &str)]) -> Vec<u8> {
        let fields = fields.iter().flat_map(|(kind, value)| [&[*kind], value.as_bytes(), &[0]].concat());
        message(ERROR_RESPONSE, &fields.chain([0]).collect::<Vec<u8>>())
    }

    /// Gives at most so many octets at a time.
    struct Dripping(Vec<u8>, usize);

    impl AsyncRead for Dripping {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let step = self.1.min(self.0.len()).min(buffer.remaining());
            buffer.put_slice(&self.0.drain(..step).collect::<Vec<u8>>());
            Poll::Ready(Ok(()))
        }
    }

    async fn read(octets: &[u8], step: usize) -> Vec<u8> {
        let mut read = Vec::new();
        SqlStateStream::new(Dripping(octets.to_vec(), step)).read_to_end(&mut read).await.unwrap();
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

    proptest! {
        #[test]
        fn whatever_is_no_error_passes_unchanged(
            messages in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..20),
            step in 1_usize..50,
        ) {
            let octets: Vec<u8> = messages
                .iter()
                .filter(|(kind, _)| *kind != ERROR_RESPONSE)
                .flat_map(|(kind, body)| message(*kind, body))
                .collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            prop_assert_eq!(runtime.block_on(read(&octets, step)), octets);
        }
    }
}
