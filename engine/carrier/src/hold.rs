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
use crate::messages::Parcel;
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

/// The parcels of one partition. Only the holder of the partition's lease has one. If two processes have one by mistake, the parcels are
/// shared out between them, and some may be taken twice: settling recognises those.
#[derive(Debug)]
pub struct Hold {
    client: Client,
    subscriber: Subscriber,
    inbox: Subject,
    request: Subject,
    pulling: Option<Pull>,
}

/// A request for parcels that has not ended.
#[derive(Debug)]
struct Pull {
    /// Number of parcels that it may still bring.
    left: usize,
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
    /// A fault; [`CarrierFault::NoStream`] where the stream was never made, or is gone.
    pub async fn open(&self, partition: u16) -> Result<Hold, CarrierFault> {
        self.stream().await?;
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
        let subscriber = self.client.subscribe(inbox.clone()).await.map_err(CarrierFault::away)?;
        let request = Subject::from(format!("$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{name}"));
        Ok(Hold { client: self.client.clone(), subscriber, inbox, request, pulling: None })
    }
}

impl Hold {
    /// Says whether a pull has not ended: the servers may then send further parcels, of 2 MB at most together with those that came.
    pub fn is_pulling(&self) -> bool {
        self.pulling.is_some()
    }

    /// Waits for parcels, and takes those that come together. Begins a pull of up to `most` where none is under way. The result is empty if
    /// the pull has ended without any.
    ///
    /// # Errors
    /// A fault. The partition must then be opened again.
    pub async fn take(&mut self, most: usize) -> Result<Vec<Delivery>, CarrierFault> {
        if self.pulling.is_none() {
            self.pull(most).await?;
        }
        let mut taken = Vec::new();
        // The first parcel is waited for. What has arrived with it is taken too, without a wait: a sender waits for each of them.
        while let Some(left) = self.pulling.as_ref().map(|pull| pull.left) {
            let wait = if taken.is_empty() { SILENCE_MAX } else { Duration::ZERO };
            let message = match timeout(wait, self.subscriber.next()).await {
                Ok(Some(message)) => message,
                Ok(None) | Err(_) if !taken.is_empty() => break,
                Ok(None) => return Err(CarrierFault::Away("the connection was closed".to_owned())),
                Err(_elapsed) => return Err(CarrierFault::Away("no heartbeat came from the partition".to_owned())),
            };
            match message.status.unwrap_or(StatusCode::OK) {
                StatusCode::OK => {
                    self.pulling = (left > 1).then(|| Pull { left: left - 1 });
                    taken.extend(self.delivery(message).await);
                }
                StatusCode::IDLE_HEARTBEAT => {}
                // The pull has ended: its time is up, or its bytes are used up.
                StatusCode::TIMEOUT | StatusCode::NOT_FOUND => self.pulling = None,
                status if !taken.is_empty() || is_used_up(&message) => {
                    tracing::debug!(%status, description = message.description, "a pull has ended");
                    self.pulling = None;
                }
                status => {
                    let description = message.description.unwrap_or_default();
                    return Err(CarrierFault::Away(format!("the pull has ended: {status} {description}")));
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
        let asked = self.client.publish_with_reply(self.request.clone(), self.inbox.clone(), pull.to_string().into());
        asked.await.map_err(CarrierFault::away)?;
        self.pulling = Some(Pull { left: most });
        Ok(())
    }

    /// Reads a parcel. A message that is none was put by no version of this program. It is acknowledged, since it can never be settled.
    async fn delivery(&self, message: Message) -> Option<Delivery> {
        let receipt = Receipt { client: self.client.clone(), reply: message.reply.clone()? };
        let label = message.headers.as_ref().and_then(|headers| headers.get(LABEL));
        match label.map(|label| serde_json::from_str(label.as_str())) {
            Some(Ok(label)) => Some(Delivery { parcel: Parcel { label, mail: message.payload.to_vec() }, receipt }),
            unread => {
                let subject = message.subject.as_str();
                tracing::error!(subject, label = ?unread, "a message of the carrier is no parcel of this program: it is dropped");
                drop(receipt.settled().await);
                None
            }
        }
    }
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
