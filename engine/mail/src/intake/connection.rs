//! Runs one session over a connection, with deadlines. The connection has a place among those of its listener (`places`).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::Recipient;
use super::places::{Holding, Place, SMALL_BYTES};
use super::session::{Event, Session};

/// Number of octets that are read at once.
const READ_BYTES: usize = 16 * 1024;
/// Longest time in which a client sends nothing. RFC 5321, 4.5.3.2.7 asks for five minutes.
const SILENCE_MAX: Duration = Duration::from_secs(300);
/// Longest wait until a client accepts a reply.
const REPLY_MAX: Duration = Duration::from_secs(60);
/// Longest time from DATA to the end of the mail.
const MAIL_TIME_MAX: Duration = Duration::from_secs(600);
/// Largest number of octets of one mail, kept or not. A client that sends more is cut off.
const MAIL_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Longest wait for one of the few places for large mails.
const LARGE_WAIT_MAX: Duration = Duration::from_secs(60);
/// Longest time for receiving a large mail. Meanwhile it holds one of the few places for large mails. A minute is enough, because the
/// senders are mail servers with fast lines.
const LARGE_TIME_MAX: Duration = Duration::from_secs(60);

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
    let mut under_way: Option<UnderWay<R>> = None;
    loop {
        let mut input = buffer[unread.clone()].iter();
        let event = session.advance(&mut input);
        unread.start = unread.end - input.len();
        send(&mut stream, session).await?;
        match event {
            Event::Read => {
                if session.is_idle() {
                    under_way = None;
                    place.holds(Holding::Idle);
                } else {
                    place.holds(Holding::Receives);
                    if !under_way.get_or_insert_with(|| UnderWay::begin(recipient)).goes_on(session, place).await {
                        session.evict();
                        continue;
                    }
                }
                let patience = under_way.as_ref().map_or(SILENCE_MAX, UnderWay::patience);
                tokio::select! {
                    read = timeout(patience, stream.read(&mut buffer)) => match read {
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
                place.holds(Holding::Waits);
                let outcome = recipient.take(content).await;
                session.tell(outcome);
                send(&mut stream, session).await?;
                // The mail is in memory until here. So a large mail keeps its place until here.
                under_way = None;
            }
            Event::StartTls => return Ok(Ended::StartTls(stream)),
            Event::Close => {
                // An error is ignored: the connection ends whether or not the client sees an orderly end.
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
struct UnderWay<R: Recipient> {
    began: Instant,
    /// For a large mail: the moment at which it got one of the places for large mails, and that place.
    large: Option<(Instant, OwnedSemaphorePermit)>,
    /// Keeps the program from ending before the mail is answered.
    _expected: R::Expected,
}

impl<R: Recipient> UnderWay<R> {
    fn begin(recipient: &R) -> UnderWay<R> {
        UnderWay { began: Instant::now(), large: None, _expected: recipient.expect() }
    }

    /// Says whether the mail may still be received. A mail that has become large first takes one of the places for large mails.
    async fn goes_on(&mut self, session: &Session, place: &Place) -> bool {
        if self.patience().is_zero() || session.received_bytes() > MAIL_BYTES_MAX {
            return false;
        }
        if session.kept_bytes() > SMALL_BYTES && self.large.is_none() {
            self.large = tokio::select! {
                taken = timeout(LARGE_WAIT_MAX, place.large()) => taken.ok().flatten().map(|large| (Instant::now(), large)),
                () = place.told() => None,
            };
            return self.large.is_some();
        }
        true
    }

    /// Returns the longest wait for further octets.
    fn patience(&self) -> Duration {
        let whole = MAIL_TIME_MAX.saturating_sub(self.began.elapsed());
        let large = self.large.as_ref().map_or(whole, |(since, _)| LARGE_TIME_MAX.saturating_sub(since.elapsed()));
        whole.min(large).min(SILENCE_MAX)
    }
}
