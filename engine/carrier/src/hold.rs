//! One process takes the parcels of a partition: pulls of our own over the servers' protocol.
//!
//! The library's own batches are not used: after a heartbeat they wait without being woken, until their deadline (async-nats 0.51,
//! `Batch::poll_next`), so a parcel that comes then would wait for seconds.

use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::{Client, Message, StatusCode, Subject, Subscriber};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::connection::{Carrier, LABEL};
use crate::fault::CarrierFault;
use crate::messages::{Label, Parcel};
use crate::{ACK_WAIT, STREAM, SUBJECT};

/// Time that the servers wait for parcels before they end a pull.
const PULL_EXPIRES: Duration = Duration::from_secs(5);
/// Pause between two heartbeats of the servers during a pull.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Silence after which a pull is given up: two heartbeats are missing.
const SILENCE_MAX: Duration = Duration::from_millis(2500);
/// Bytes that a pull may bring. The largest parcel with its headers fits.
const PULL_BYTES_MAX: usize = 2 << 20;
/// Largest number of parcels of a partition that are taken and not acknowledged.
const UNACKNOWLEDGED_MAX: i64 = 2048;
/// Longest wait until the servers confirm that a parcel is settled.
const SETTLE_WAIT_MAX: Duration = Duration::from_secs(5);
/// Pause before a parcel is delivered again whose label this version cannot read. During an upgrade, a newer process may take it then.
const UNREAD_PAUSE: Duration = Duration::from_secs(60);

/// The parcels of one partition. Only the holder of the partition's lease has one. If two processes have one by mistake, the parcels are
/// shared out between them, and some may be taken twice: settling recognises those.
#[derive(Debug)]
pub struct Hold {
    client: Client,
    subscriber: Subscriber,
    /// Subject to which the servers answer, before a point and the number of the pull.
    inbox: Subject,
    request: Subject,
    pulls: Pulls,
}

/// The pulls of a partition, of which one at most is under way.
#[derive(Debug, Default)]
struct Pulls {
    /// Number of the last pull that was begun.
    last: u64,
    /// Number of parcels that the last pull may still bring. It has ended at 0.
    left: usize,
}

/// What a message of the servers means to the pull that is under way.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Parcel,
    /// A sign of life, or the end of a pull that was known to have ended.
    Nothing,
    /// The pull has ended: its time is up, or its bytes are used up.
    End,
    /// The pull has ended before its time.
    Broken,
}

impl Pulls {
    fn begin(&mut self, most: usize) {
        *self = Pulls { last: self.last + 1, left: most };
    }

    /// Counts a message for the pull to which it belongs.
    ///
    /// A parcel comes under the subject to which it was put, so it does not tell its pull; but the servers send all parcels of a pull
    /// before its end, and the next pull is begun after that. A status comes under the subject of its pull. One of a former pull says
    /// again what the count of its parcels has told: after the last parcel of a pull that has bytes left, the servers still send
    /// `409 Batch Completed`.
    fn hear(&mut self, message: &Message) -> Heard {
        let status = message.status.unwrap_or(StatusCode::OK);
        if status == StatusCode::OK {
            self.left = self.left.saturating_sub(1);
            return Heard::Parcel;
        }
        let number = message.subject.rsplit_once('.').and_then(|(_, number)| number.parse().ok());
        if status == StatusCode::IDLE_HEARTBEAT || number != Some(self.last) {
            return Heard::Nothing;
        }
        self.left = 0;
        match status {
            StatusCode::TIMEOUT | StatusCode::NOT_FOUND => Heard::End,
            _ if is_used_up(message) => Heard::End,
            _ => Heard::Broken,
        }
    }
}

/// A parcel that was taken, and the right to say what became of it.
#[derive(Debug)]
pub struct Delivery {
    /// The parcel.
    pub parcel: Parcel,
    /// Says what became of the parcel.
    pub receipt: Receipt,
}

/// Says to the servers what became of a parcel. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Receipt {
    client: Client,
    reply: Subject,
}

impl Carrier {
    /// Opens a partition. The servers keep for each partition which of its parcels are taken.
    ///
    /// # Errors
    /// A fault; [`CarrierFault::NoStream`] where the stream was never made, or is gone; [`CarrierFault::Partitions`] where it has another
    /// number of partitions.
    pub async fn open(&self, partition: u16) -> Result<Hold, CarrierFault> {
        self.stream().await?.require_partitions(self.settings.partitions)?;
        let name = format!("partition-{partition}");
        let consumer = pull::Config {
            durable_name: Some(name.clone()),
            filter_subject: format!("{SUBJECT}.{partition}"),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: UNACKNOWLEDGED_MAX,
            // A parcel is delivered until it is settled. Its attempts are counted in the database, which knows why each one ended.
            max_deliver: -1,
            ..pull::Config::default()
        };
        self.jetstream.create_consumer_on_stream(consumer, STREAM).await.map_err(CarrierFault::away)?;
        let inbox = Subject::from(self.client.new_inbox());
        let subscriber = self.client.subscribe(format!("{inbox}.*")).await.map_err(CarrierFault::away)?;
        let request = Subject::from(format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{name}"));
        Ok(Hold { client: self.client.clone(), subscriber, inbox, request, pulls: Pulls::default() })
    }
}

impl Hold {
    /// Says whether a pull has not ended: the servers may then send further parcels, of 2 MB at most together with those that came.
    pub fn is_pulling(&self) -> bool {
        self.pulls.left > 0
    }

    /// Waits for parcels, and takes those that come together. Begins a pull of up to `most` where none is under way. The result is empty if
    /// the pull has ended without any.
    ///
    /// # Errors
    /// A fault. The partition must then be opened again.
    pub async fn take(&mut self, most: usize) -> Result<Vec<Delivery>, CarrierFault> {
        if !self.is_pulling() {
            self.pull(most).await?;
        }
        let mut taken = Vec::new();
        // The first parcel is waited for. What has arrived with it is taken too, without a wait: a sender waits for each of them.
        while self.is_pulling() {
            let wait = if taken.is_empty() { SILENCE_MAX } else { Duration::ZERO };
            let message = match timeout(wait, self.subscriber.next()).await {
                Ok(Some(message)) => message,
                Ok(None) | Err(_) if !taken.is_empty() => break,
                Ok(None) => return Err(CarrierFault::Away("the connection was closed".to_owned())),
                Err(_elapsed) => return Err(CarrierFault::Away("no heartbeat came from the partition".to_owned())),
            };
            match self.pulls.hear(&message) {
                Heard::Parcel => taken.extend(self.delivery(message).await),
                Heard::Nothing | Heard::End => {}
                Heard::Broken => {
                    let (status, description) = (message.status, message.description.unwrap_or_default());
                    if taken.is_empty() {
                        return Err(CarrierFault::Away(format!("the pull has ended: {status:?} {description}")));
                    }
                    // The next pull meets the fault, if it lasts. What was taken is in hand.
                    tracing::debug!(?status, description, "a pull has ended");
                }
            }
        }
        Ok(taken)
    }

    async fn pull(&mut self, most: usize) -> Result<(), CarrierFault> {
        let pull = serde_json::json!({
            "batch": most,
            "expires": nanoseconds(PULL_EXPIRES),
            "idle_heartbeat": nanoseconds(HEARTBEAT),
            "max_bytes": PULL_BYTES_MAX,
        });
        self.pulls.begin(most);
        let reply = format!("{}.{}", self.inbox, self.pulls.last);
        let asked = self.client.publish_with_reply(self.request.clone(), reply, pull.to_string().into());
        asked.await.map_err(CarrierFault::away)
    }

    /// Reads a parcel. A message without a label was put by no version of this program, and is acknowledged, since it can never be
    /// settled. One with a label that cannot be read was put by a newer version, and is given back.
    async fn delivery(&self, message: Message) -> Option<Delivery> {
        let receipt = Receipt { client: self.client.clone(), reply: message.reply.clone()? };
        let subject = message.subject.as_str();
        match label_of(&message) {
            Some(Ok(label)) => Some(Delivery { parcel: Parcel { label, mail: message.payload.to_vec() }, receipt }),
            Some(Err(error)) => {
                tracing::error!(
                    subject,
                    %error,
                    "the label of a parcel cannot be read: it stays in the carrier until a process of the version that put it takes it"
                );
                // If this fails, the parcel is delivered again after `ACK_WAIT`.
                drop(receipt.given_back(UNREAD_PAUSE).await);
                None
            }
            None => {
                tracing::error!(subject, "a message of the carrier is no parcel of this program: it is dropped");
                drop(receipt.settled().await);
                None
            }
        }
    }
}

/// Reads the label of a message; `None` where it has none.
fn label_of(message: &Message) -> Option<Result<Label, serde_json::Error>> {
    let text = message.headers.as_ref()?.get(LABEL)?;
    Some(serde_json::from_str(text.as_str()))
}

fn is_used_up(message: &Message) -> bool {
    message.description.as_deref().is_some_and(|text| text.contains("MaxBytes") || text.contains("Batch Completed"))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Receipt {
    /// Says that the parcel is settled, and waits until the servers confirm that they have forgotten it.
    ///
    /// # Errors
    /// A fault: the parcel may be delivered again.
    pub async fn settled(&self) -> Result<(), CarrierFault> {
        let told = self.client.request(self.reply.clone(), AckKind::Ack.into());
        timeout(SETTLE_WAIT_MAX, told).await.map_err(CarrierFault::away)?.map_err(CarrierFault::away)?;
        Ok(())
    }

    /// Gives the parcel back. It is delivered again after a pause.
    ///
    /// # Errors
    /// The connection was closed for good.
    pub async fn given_back(&self, pause: Duration) -> Result<(), CarrierFault> {
        self.tell(AckKind::Nak(Some(pause))).await
    }

    /// Says that the parcel is still in hand. Without this, it is given to another process after [`ACK_WAIT`].
    ///
    /// # Errors
    /// The connection was closed for good.
    pub async fn still_in_hand(&self) -> Result<(), CarrierFault> {
        self.tell(AckKind::Progress).await
    }

    async fn tell(&self, kind: AckKind) -> Result<(), CarrierFault> {
        self.client.publish(self.reply.clone(), kind.into()).await.map_err(CarrierFault::away)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::headers;

    fn message(subject: &str, status: Option<(u16, &str)>) -> Message {
        Message {
            subject: subject.into(),
            reply: None,
            payload: "".into(),
            headers: None,
            status: status.map(|(code, _)| StatusCode::from_u16(code).unwrap_or(StatusCode::OK)),
            description: status.map(|(_, description)| description.to_owned()),
            length: 0,
        }
    }

    #[test]
    fn the_late_end_of_a_pull_does_not_end_the_next_one() {
        let mut pulls = Pulls::default();
        let parcel = message("xm.mail.3", None);
        pulls.begin(2);
        assert_eq!((pulls.hear(&parcel), pulls.left), (Heard::Parcel, 1));
        assert_eq!((pulls.hear(&parcel), pulls.left), (Heard::Parcel, 0));
        pulls.begin(2);
        let late = message("_INBOX.abc.1", Some((409, "Batch Completed")));
        assert_eq!((pulls.hear(&late), pulls.left), (Heard::Nothing, 2));
        assert_eq!((pulls.hear(&parcel), pulls.left), (Heard::Parcel, 1));
        let heartbeat = message("_INBOX.abc.2", Some((100, "Idle Heartbeat")));
        assert_eq!((pulls.hear(&heartbeat), pulls.left), (Heard::Nothing, 1));
        let end = message("_INBOX.abc.2", Some((409, "Message Size Exceeds MaxBytes")));
        assert_eq!((pulls.hear(&end), pulls.left), (Heard::End, 0));
        pulls.begin(2);
        let end = message("_INBOX.abc.3", Some((408, "Request Timeout")));
        assert_eq!((pulls.hear(&end), pulls.left), (Heard::End, 0));
        pulls.begin(2);
        let end = message("_INBOX.abc.4", Some((409, "Consumer Deleted")));
        assert_eq!((pulls.hear(&end), pulls.left), (Heard::Broken, 0));
    }

    #[test]
    fn a_label_of_a_newer_version_is_told_from_a_message_without_label() {
        let labelled = |text: &str| Message { headers: Some(headers(LABEL, text)), ..message("xm.mail.3", None) };
        let label = |answered_by: &str| {
            format!(
                "{{\"source\":\"https\",\"answered_by\":\"{answered_by}\",\"received_at\":\"2026-01-01T00:00:00Z\",\
                 \"is_kept_without_container\":false,\"member_of_later\":1}}"
            )
        };
        assert!(matches!(label_of(&labelled(&label("http"))), Some(Ok(_))));
        assert!(matches!(label_of(&labelled(&label("pigeon"))), Some(Err(_))));
        assert!(label_of(&message("xm.mail.3", None)).is_none());
    }
}
