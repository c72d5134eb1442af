//! One session with a POP3 server, from dialling to QUIT.
//!
//! Promises: credentials go over TLS, or to this machine; a mail is deleted only if `quit` returned `Ok`; commands are
//! pipelined where the server says PIPELINING (RFC 2449, 6.6), with a bounded window; every wait has a deadline; a mail
//! that is too large, or that the server refuses, is that mail's result and not the session's end. After an error the
//! session is of no more use: dropping it closes the connection, and the server forgets the deletions.

use tokio::io::AsyncWriteExt;

use crate::connect::{Cause, MailError, Step};
use crate::pop3::listing::{self, LISTING_LINE_BYTES_MAX, Listed, Listing};
use crate::pop3::reply::{Expect, Reply, Status};
use crate::pop3::retrieval::{HEAD_LINES, Retrieval, head_expected};
use crate::pop3::wire::Wire;
use crate::settings::MailboxSettings;

/// DELE commands in flight: each and its answer are under 40 bytes, so both sides' socket buffers hold a window.
const DELETE_WINDOW: usize = 256;

/// An open session, signed in.
pub struct Session {
    pub(super) wire: Wire,
    pub(super) settings: MailboxSettings,
    pub(super) pipelining: bool,
    pub(super) top: bool,
}

/// What STAT tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxSize {
    /// Mails in the mailbox.
    pub mails: u64,
    /// Their size together, 0 where the server does not tell it.
    pub size_bytes: u64,
}

impl Session {
    /// Says whether the server takes commands without waiting for answers.
    pub fn is_pipelining(&self) -> bool {
        self.pipelining
    }

    /// Asks how many mails there are.
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
        // A flooded mailbox is listed in part and emptied bit by bit; refusing it would stop it for ever.
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

    /// Starts to fetch mails, in the order given; [`Retrieval::next`] gives each as soon as it is whole. Of mails
    /// listed or found larger than `size_max_bytes` only the head is kept.
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

    /// Marks mails deleted; `quit` deletes them. Returns the numbers that the server refused.
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

    /// Takes back every deletion of this session.
    pub async fn reset(&mut self) -> Result<(), MailError> {
        self.settle(Step::Delete).await?;
        self.wire.send(Step::Delete, b"RSET\r\n", &[Expect::Line]).await?;
        self.wire.ok(Step::Delete).await.map(drop)
    }

    /// Keeps the session alive.
    pub async fn noop(&mut self) -> Result<(), MailError> {
        self.settle(Step::Mailbox).await?;
        self.wire.send(Step::Mailbox, b"NOOP\r\n", &[Expect::Line]).await?;
        self.wire.ok(Step::Mailbox).await.map(drop)
    }

    /// Ends the session. Only `Ok` means that the mails marked are deleted; after an error nobody knows, so they will
    /// come again or not, and both must be harmless.
    pub async fn quit(mut self) -> Result<(), MailError> {
        self.settle(Step::Quit).await?;
        self.wire.send(Step::Quit, b"QUIT\r\n", &[Expect::Line]).await?;
        self.wire.ok(Step::Quit).await?;
        // Politeness only: the answer is in hand, and the server may have closed first.
        drop(self.wire.stream.shutdown().await);
        Ok(())
    }

    /// Begins a group of commands: reads away what an abandoned retrieval had asked for, and starts the clock anew.
    async fn settle(&mut self, step: Step) -> Result<(), MailError> {
        self.wire.begin();
        while self.wire.parser.outstanding() > 0 {
            self.wire.reply(step).await?;
        }
        Ok(())
    }
}
