//! Questions of processes without a database, and the replies of those that have one. Neither is kept by the servers: an office that gets
//! no reply asks again.

use std::time::Duration;

use async_nats::{Client, Message, Subject, Subscriber};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::connection::{Carrier, headers};
use crate::fault::CarrierFault;
use crate::messages::Question;

/// Subject of the questions.
const ASK: &str = "xm.ask";
/// Name of the group whose members share the questions.
const GROUP: &str = "work";
/// Header field of a part of a reply: what the reply is, and how many parts follow this one.
const REPLY: &str = "Xm-Reply";
/// Size of a part of a reply in bytes, so that each part fits into a message.
const PART_BYTES_MAX: usize = 512 * 1024;

/// The reply to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Sealed documents, one after another.
    Documents(Vec<u8>),
    /// There is no such answer.
    Nothing,
    /// The answer could not be read: the database does not answer.
    Later,
}

impl Reply {
    fn kind(&self) -> &'static str {
        match self {
            Reply::Documents(_) => "documents",
            Reply::Nothing => "nothing",
            Reply::Later => "later",
        }
    }
}

/// The questions that are asked. Cheap to end: it is dropped.
#[derive(Debug)]
pub struct Asked {
    client: Client,
    subscriber: Subscriber,
}

/// A question, and the way of its reply.
#[derive(Debug)]
pub struct AskedOne {
    /// The question.
    pub question: Question,
    client: Client,
    reply: Subject,
}

impl Carrier {
    /// Asks a process that has the database.
    ///
    /// # Errors
    /// A fault: no process replied within `wait`.
    pub async fn ask(&self, question: &Question, wait: Duration) -> Result<Reply, CarrierFault> {
        let until = Instant::now() + wait;
        let text = serde_json::to_vec(question).map_err(CarrierFault::away)?;
        let inbox = Subject::from(self.client.new_inbox());
        let mut subscriber = self.client.subscribe(inbox.clone()).await.map_err(CarrierFault::away)?;
        self.client.publish_with_reply(ASK, inbox, text.into()).await.map_err(CarrierFault::away)?;
        let mut documents = Vec::new();
        loop {
            let part = timeout_at(until, subscriber.next()).await.map_err(CarrierFault::away)?;
            let part = part.ok_or_else(|| CarrierFault::Away("the connection was closed".to_owned()))?;
            let (kind, following) = read(&part).ok_or_else(|| CarrierFault::Away("nobody replies".to_owned()))?;
            documents.extend_from_slice(&part.payload);
            match (kind, following) {
                ("documents", 0) => return Ok(Reply::Documents(documents)),
                ("documents", _) => {}
                ("nothing", _) => return Ok(Reply::Nothing),
                _ => return Ok(Reply::Later),
            }
        }
    }

    /// Begins to take questions. All processes that do so share them.
    ///
    /// # Errors
    /// The connection was closed for good.
    pub async fn asked(&self) -> Result<Asked, CarrierFault> {
        let subscribed = self.client.queue_subscribe(ASK, GROUP.to_owned()).await;
        Ok(Asked { client: self.client.clone(), subscriber: subscribed.map_err(CarrierFault::away)? })
    }
}

/// Reads the header of a part: what the reply is, and how many parts follow. Where nobody listens, the servers reply without it.
fn read(part: &Message) -> Option<(&str, usize)> {
    let (kind, following) = part.headers.as_ref()?.get(REPLY)?.as_str().split_once(' ')?;
    Some((kind, following.parse().ok()?))
}

impl Asked {
    /// Waits for the next question. Returns `None` once the connection is closed for good.
    pub async fn next(&mut self) -> Option<AskedOne> {
        loop {
            let message = self.subscriber.next().await?;
            match (serde_json::from_slice(&message.payload), message.reply) {
                (Ok(question), Some(reply)) => return Some(AskedOne { question, client: self.client.clone(), reply }),
                _ => tracing::debug!("a question of the carrier cannot be read"),
            }
        }
    }
}

impl AskedOne {
    /// Replies. If the reply gets lost, the office asks again.
    ///
    /// # Errors
    /// The connection was closed for good.
    pub async fn reply(self, reply: Reply) -> Result<(), CarrierFault> {
        let kind = reply.kind();
        let text = match reply {
            Reply::Documents(text) => text,
            Reply::Nothing | Reply::Later => Vec::new(),
        };
        let parts: Vec<&[u8]> = if text.is_empty() { vec![&[]] } else { text.chunks(PART_BYTES_MAX).collect() };
        for (part, following) in parts.iter().zip((0..parts.len()).rev()) {
            let headers = headers(REPLY, &format!("{kind} {following}"));
            let told = self.client.publish_with_headers(self.reply.clone(), headers, part.to_vec().into());
            told.await.map_err(CarrierFault::away)?;
        }
        Ok(())
    }
}
