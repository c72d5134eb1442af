//! Sends commands and receives replies. Each wait has a deadline.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::connect::{Cause, MailError, Step, Stream};
use crate::pop3::reply::{Expect, Reply, ReplyError, ReplyParser, Status};
use crate::settings::MailboxSettings;

/// Largest number of bytes in one read. This is the size of a TLS record.
pub(super) const CHUNK_BYTES: usize = 16 * 1024;

/// Stream, parser and deadlines of a connection.
pub(super) struct Wire {
    pub(super) stream: Stream,
    pub(super) parser: ReplyParser,
    pub(super) peer: String,
    chunk: Box<[u8]>,
    read_timeout: Duration,
    group_timeout: Duration,
    /// Time left for the current group of commands. Only waiting for the server uses it up, not the caller's own work.
    group_left: Duration,
    /// Whether the session must not be used any more: a command may be half written, or the server has violated the protocol.
    unusable: bool,
}

impl Wire {
    pub(super) fn new(stream: Stream, peer: String, settings: &MailboxSettings) -> Wire {
        Wire {
            stream,
            parser: ReplyParser::new(),
            peer,
            chunk: vec![0; CHUNK_BYTES].into_boxed_slice(),
            read_timeout: Duration::from_secs(settings.read_timeout_seconds),
            group_timeout: Duration::from_secs(settings.group_timeout_seconds),
            group_left: Duration::ZERO,
            unusable: false,
        }
    }

    pub(super) fn begin(&mut self) {
        self.group_left = self.group_timeout;
    }

    /// Sends commands. Their replies are expected in the order of `expected`.
    pub(super) async fn send(&mut self, step: Step, commands: &[u8], expected: &[Expect]) -> Result<(), MailError> {
        if self.unusable {
            return Err(self.error(step, Cause::Closed));
        }
        for expect in expected {
            self.parser.expect(*expect);
        }
        // During the write the session counts as unusable, because the caller may drop this future in the middle.
        self.unusable = true;
        let written = tokio::time::timeout(self.read_timeout, async {
            self.stream.write_all(commands).await?;
            self.stream.flush().await
        });
        match written.await {
            Ok(Ok(())) => {
                self.unusable = false;
                Ok(())
            }
            Ok(Err(error)) => Err(self.error(step, error.into())),
            Err(_elapsed) => Err(self.error(step, Cause::TimedOut(self.read_timeout.as_secs()))),
        }
    }

    /// Waits for the next reply, positive or negative.
    pub(super) async fn reply(&mut self, step: Step) -> Result<Reply, MailError> {
        loop {
            match self.parser.next_reply() {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) if self.unusable => return Err(self.error(step, Cause::Closed)),
                Ok(None) => self.read(step).await?,
                Err(error) => return Err(self.broken(step, error.to_string())),
            }
        }
    }

    /// Waits for the next reply, which must be `+OK`.
    pub(super) async fn ok(&mut self, step: Step) -> Result<Reply, MailError> {
        let reply = self.reply(step).await?;
        match reply.status {
            Status::Ok => Ok(reply),
            Status::Err => Err(self.error(step, Cause::Refused(reply.text))),
            Status::Continue => Err(self.broken(step, "a SASL challenge that nothing asked for".into())),
        }
    }

    async fn read(&mut self, step: Step) -> Result<(), MailError> {
        let since = Instant::now();
        let patience = self.read_timeout.min(self.group_left);
        let read = tokio::time::timeout(patience, self.stream.read(&mut self.chunk)).await;
        self.group_left = self.group_left.saturating_sub(since.elapsed());
        let is_over = !matches!(read, Ok(Ok(1..)));
        let cause = match read {
            // The server ends lines with LF alone, so from its point of view the body has ended.
            _ if is_over && self.parser.ends_with_bare_line_feed() => {
                Cause::Protocol(ReplyError::BareLineFeed.to_string())
            }
            Ok(Ok(0)) => match self.parser.end() {
                // An end in the middle of a reply is reported differently from a connection closed between two replies.
                Err(error) if self.parser.is_inside_reply() => Cause::Protocol(error.to_string()),
                _ => Cause::Closed,
            },
            Ok(Ok(count)) => {
                self.parser.feed(self.chunk.get(..count).unwrap_or_default());
                return Ok(());
            }
            Ok(Err(error)) => error.into(),
            Err(_elapsed) if self.group_left.is_zero() => Cause::TimedOut(self.group_timeout.as_secs()),
            Err(_elapsed) => Cause::TimedOut(self.read_timeout.as_secs()),
        };
        self.unusable = true;
        Err(self.error(step, cause))
    }

    pub(super) fn broken(&mut self, step: Step, problem: String) -> MailError {
        self.unusable = true;
        self.error(step, Cause::Protocol(problem))
    }

    pub(super) fn error(&self, step: Step, cause: Cause) -> MailError {
        MailError { step, peer: self.peer.clone(), cause }
    }
}
