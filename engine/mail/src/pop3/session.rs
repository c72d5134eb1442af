//! One session with a POP3 server, from dialling to QUIT.
//!
//! Guarantees: credentials are sent only over TLS or to this machine. A mail is deleted only if `quit` returned `Ok`. Commands are
//! pipelined if the server offers PIPELINING (RFC 2449, 6.6), with a bounded window. Every wait has a deadline. A mail that is too large,
//! or that the server refuses, does not end the session. After an error the session must not be used any more: dropping it closes the
//! connection, and the server forgets the deletions.

use tokio::io::AsyncWriteExt;

use crate::connect::{Cause, MailError, Step};
use crate::pop3::listing::{self, LISTING_LINE_BYTES_MAX, Listed, Listing};
use crate::pop3::reply::{Expect, Reply, Status};
use crate::pop3::retrieval::{HEAD_LINES, Retrieval, head_expected};
use crate::pop3::wire::Wire;
use crate::settings::MailboxSettings;

/// Largest number of DELE commands without a reply. Each command and its reply have fewer than 40 bytes, so the socket buffers of both
/// sides hold a whole window.
const DELETE_WINDOW: usize = 256;

/// An open session, signed in.
pub struct Session {
    pub(super) wire: Wire,
    pub(super) settings: MailboxSettings,
    pub(super) pipelining: bool,
    pub(super) top: bool,
}

/// Reply to STAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxSize {
    /// Mails in the mailbox.
    pub mails: u64,
    /// Size in bytes of all mails together, or 0 where the server does not state it.
    pub size_bytes: u64,
}

impl Session {
    /// Says whether the server accepts further commands before it has replied.
    pub fn is_pipelining(&self) -> bool {
        self.pipelining
    }

    /// Requests the number of mails and their size.
    pub async fn stat(&mut self) -> Result<MailboxSize, MailError> {
        self.settle(Step::Mailbox).await?;
        self.wire.send(Step::Mailbox, b"STAT\r\n", &[Expect::Line]).await?;
        let reply = self.wire.ok(Step::Mailbox).await?;
        let mut numbers = reply.text.split_whitespace().map(|word| listing::digits(word.as_bytes()));
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(mails), size_bytes) => Ok(MailboxSize { mails, size_bytes: size_bytes.unwrap_or(0) }),
            (None, _) => Err(self.wire.broken(Step::Mailbox, format!("STAT answered {:?}", reply.text))),
        }
    }

    /// Lists the mails, at most `listing_entries_max` of them, in the order of their numbers.
    ///
    /// # Errors
    /// The session is broken, or the server refuses both UIDL (which is optional, RFC 1939, 7) and LIST.
    pub async fn listing(&mut self) -> Result<Listing, MailError> {
        self.settle(Step::Mailbox).await?;
        let entries_max = self.settings.listing_entries_max;
        let keep_bytes_max = entries_max.saturating_mul(LISTING_LINE_BYTES_MAX);
        // A flooded mailbox is listed in part and emptied over several sessions. If its listing were refused, it could never be emptied.
        let expect =
            Expect::Body { likely_bytes: 0, keep_bytes_max, drain_bytes_max: keep_bytes_max.saturating_mul(100) };
        let (uidl, list) = if self.pipelining {
            self.wire.send(Step::Mailbox, b"UIDL\r\nLIST\r\n", &[expect, expect]).await?;
            (self.wire.reply(Step::Mailbox).await?, self.wire.reply(Step::Mailbox).await?)
        } else {
            self.wire.send(Step::Mailbox, b"UIDL\r\n", &[expect]).await?;
            let uidl = self.wire.reply(Step::Mailbox).await?;
            self.wire.send(Step::Mailbox, b"LIST\r\n", &[expect]).await?;
            (uidl, self.wire.reply(Step::Mailbox).await?)
        };
        if let (Reply { body: None, .. }, Reply { body: None, text, .. }) = (&uidl, &list) {
            return Err(self.wire.error(Step::Mailbox, Cause::Refused(text.clone())));
        }
        Ok(listing::join(uidl.body.as_ref(), list.body.as_ref(), entries_max))
    }

    /// Begins to fetch mails, in the given order. [`Retrieval::next`] returns each mail as soon as it is whole. If a mail is larger than
    /// `size_max_bytes`, as listed or as fetched, only its head is kept.
    pub async fn retrieve<'a>(
        &'a mut self,
        listed: &'a [Listed],
        size_max_bytes: u64,
    ) -> Result<Retrieval<'a>, MailError> {
        self.settle(Step::Retrieve).await?;
        let size_max_bytes = usize::try_from(size_max_bytes).unwrap_or(usize::MAX);
        let window = if self.pipelining { self.settings.window_mails } else { 1 };
        Ok(Retrieval::of(&mut self.wire, window, self.top, listed, size_max_bytes))
    }

    /// Fetches at most the first 16 KB of a mail.
    pub async fn top(&mut self, number: u32) -> Result<Vec<u8>, MailError> {
        self.settle(Step::Retrieve).await?;
        let command = format!("TOP {number} {HEAD_LINES}\r\n");
        self.wire.send(Step::Retrieve, command.as_bytes(), &[head_expected()]).await?;
        Ok(self.wire.ok(Step::Retrieve).await?.body.unwrap_or_default().bytes)
    }

    /// Marks mails as deleted; `quit` then deletes them. Returns the numbers of the mails that the server refused to mark.
    pub async fn delete(&mut self, numbers: &[u32]) -> Result<Vec<u32>, MailError> {
        self.settle(Step::Delete).await?;
        let window = if self.pipelining { DELETE_WINDOW } else { 1 };
        let mut refused = Vec::new();
        for window in numbers.chunks(window) {
            let commands: String = window.iter().map(|number| format!("DELE {number}\r\n")).collect();
            self.wire.send(Step::Delete, commands.as_bytes(), &vec![Expect::Line; window.len()]).await?;
            for number in window {
                if self.wire.reply(Step::Delete).await?.status != Status::Ok {
                    refused.push(*number);
                }
            }
        }
        Ok(refused)
    }

    /// Unmarks all mails that this session has marked as deleted.
    pub async fn reset(&mut self) -> Result<(), MailError> {
        self.settle(Step::Delete).await?;
        self.wire.send(Step::Delete, b"RSET\r\n", &[Expect::Line]).await?;
        self.wire.ok(Step::Delete).await.map(drop)
    }

    /// Sends NOOP, so that the server does not end the session.
    pub async fn noop(&mut self) -> Result<(), MailError> {
        self.settle(Step::Mailbox).await?;
        self.wire.send(Step::Mailbox, b"NOOP\r\n", &[Expect::Line]).await?;
        self.wire.ok(Step::Mailbox).await.map(drop)
    }

    /// Ends the session. Only `Ok` means that the marked mails are deleted. After an error they may or may not be deleted, so callers must
    /// tolerate both.
    pub async fn quit(mut self) -> Result<(), MailError> {
        self.settle(Step::Quit).await?;
        self.wire.send(Step::Quit, b"QUIT\r\n", &[Expect::Line]).await?;
        self.wire.ok(Step::Quit).await?;
        // The reply has already arrived. The shutdown is only polite, and fails if the server has closed the connection first.
        drop(self.wire.stream.shutdown().await);
        Ok(())
    }

    /// Begins a group of commands: reads and drops the replies that an abandoned retrieval has requested, and restarts the deadline.
    async fn settle(&mut self, step: Step) -> Result<(), MailError> {
        self.wire.begin();
        while self.wire.parser.outstanding() > 0 {
            self.wire.reply(step).await?;
        }
        Ok(())
    }
}
