//! Runs one session over a connection, with deadlines and within its place.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::Recipient;
use super::places::{Place, SMALL_BYTES};
use super::session::{Event, Session};

/// Octets that are read at once.
const READ_BYTES: usize = 16 * 1024;
/// Longest silence of a client. RFC 5321, 4.5.3.2.7 asks for five minutes.
const SILENCE_MAX: Duration = Duration::from_secs(300);
/// Longest wait until a client takes a reply.
const REPLY_MAX: Duration = Duration::from_secs(60);
/// Longest time from DATA to the end of the mail.
const MAIL_TIME_MAX: Duration = Duration::from_secs(600);
/// Most octets of one mail, kept or not. A client that sends more is cut off.
const MAIL_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Longest wait for a place of a large mail.
const LARGE_WAIT_MAX: Duration = Duration::from_secs(60);

/// How a session over one stream ended.
pub(super) enum Ended<S> {
    /// The connection is closed.
    Closed,
    /// The client and the server agreed on TLS; the stream is at the handshake.
    StartTls(S),
}

/// Runs a session until it ends or TLS begins.
///
/// # Errors
/// The connection failed. Mails that were not answered stay with their sender.
pub(super) async fn serve<S, R>(
    mut stream: S,
    session: &mut Session,
    place: &Place,
    recipient: &R,
) -> io::Result<Ended<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
    R: Recipient,
{
    let mut buffer = vec![0; READ_BYTES];
    let mut unread = 0..0;
    let mut under_way = UnderWay::default();
    loop {
        let mut input = buffer[unread.clone()].iter();
        let event = session.advance(&mut input);
        unread.start = unread.end - input.len();
        send(&mut stream, session).await?;
        match event {
            Event::Read => {
                if !under_way.goes_on(session, place).await {
                    session.evict();
                    continue;
                }
                tokio::select! {
                    read = timeout(under_way.patience(), stream.read(&mut buffer)) => match read {
                        Ok(Ok(0)) => return Ok(Ended::Closed),
                        Ok(Ok(count)) => unread = 0..count,
                        Ok(Err(error)) => return Err(error),
                        Err(_elapsed) => session.evict(),
                    },
                    () = place.told() => session.evict(),
                    () = recipient.leaving(), if session.is_idle() => session.leave(),
                }
            }
            Event::Mail(content) => {
                place.waits(true);
                let outcome = recipient.take(content).await;
                place.waits(false);
                session.tell(outcome);
                // A large mail keeps its place until here, because it is in memory until here.
                under_way = UnderWay::default();
            }
            Event::StartTls => return Ok(Ended::StartTls(stream)),
            Event::Close => {
                // Whether the client sees an orderly end changes nothing.
                drop(timeout(REPLY_MAX, stream.shutdown()).await);
                return Ok(Ended::Closed);
            }
        }
    }
}

/// Sends the session's replies.
async fn send<S: AsyncWrite + Unpin>(stream: &mut S, session: &mut Session) -> io::Result<()> {
    let replies = session.replies();
    if replies.is_empty() {
        return Ok(());
    }
    let sending = async {
        stream.write_all(&replies).await?;
        stream.flush().await
    };
    timeout(REPLY_MAX, sending).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The mail that is being received.
#[derive(Default)]
struct UnderWay {
    began: Option<Instant>,
    large: Option<OwnedSemaphorePermit>,
}

impl UnderWay {
    /// Says whether the mail may go on, and takes a place of a large mail where it needs one.
    async fn goes_on(&mut self, session: &Session, place: &Place) -> bool {
        if session.is_idle() {
            *self = UnderWay::default();
            return true;
        }
        let began = *self.began.get_or_insert_with(Instant::now);
        if began.elapsed() > MAIL_TIME_MAX || session.received_bytes() > MAIL_BYTES_MAX {
            return false;
        }
        if session.kept_bytes() > SMALL_BYTES && self.large.is_none() {
            self.large = within(LARGE_WAIT_MAX, place.large()).await;
            return self.large.is_some();
        }
        true
    }

    fn patience(&self) -> Duration {
        let left = self.began.map_or(SILENCE_MAX, |began| MAIL_TIME_MAX.saturating_sub(began.elapsed()));
        left.min(SILENCE_MAX)
    }
}

async fn within<T>(patience: Duration, waiting: impl Future<Output = Option<T>>) -> Option<T> {
    timeout(patience, waiting).await.unwrap_or(None)
}
