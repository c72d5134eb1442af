//! The connection to the servers: parcels are put, and their notices are received.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::{ContextBuilder, PublishErrorKind};
use async_nats::jetstream::{Context, message::PublishMessage};
use async_nats::{Auth, AuthError, Client, ConnectOptions, HeaderMap, Subscriber};
use futures_util::StreamExt;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::SUBJECT;
use crate::fault::CarrierFault;
use crate::messages::{Await, Label, Notice};
use crate::settings::CarrierSettings;

/// Header field with the label of a parcel, as JSON.
pub(crate) const LABEL: &str = "Xm-Label";
/// Longest wait for the acknowledgement of a parcel that was put.
const PUT_WAIT_MAX: Duration = Duration::from_secs(5);
/// Largest number of parcels that are put and not yet acknowledged.
const PUTTING_MAX: usize = 1000;
/// Longest wait for the answer to a request about the stream.
const REQUEST_WAIT_MAX: Duration = Duration::from_secs(5);
/// Time for which a look at the partitions of the stream counts.
const LOOK_COUNTS: Duration = Duration::from_secs(10);
/// Longest wait for a server to accept a connection.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(3);
/// Longest pause between two attempts to reach a server.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(2);

/// The carrier. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Carrier {
    pub(crate) client: Client,
    pub(crate) jetstream: Context,
    pub(crate) settings: Arc<CarrierSettings>,
    fit: Arc<Fit>,
}

/// Whether the stream has the partitions of this process.
#[derive(Debug, Default)]
struct Fit {
    /// Time of the last look that found that it has. While a put looks, the others wait for it.
    seen_at: tokio::sync::Mutex<Option<Instant>>,
    is_refused: AtomicBool,
}

impl Carrier {
    /// Begins to connect, on the tokio runtime of the caller. Returns at once, and connects again whenever a connection ends: while no
    /// server answers, each call returns [`CarrierFault::Away`]. Servers that the servers themselves name are not used, because only
    /// those in the settings are known to be the centre's.
    ///
    /// # Errors
    /// [`CarrierFault::Settings`]: a file cannot be read.
    pub async fn connect(settings: &CarrierSettings, name: &str) -> Result<Carrier, CarrierFault> {
        let mut options = match (settings.username.clone(), settings.password_file.clone()) {
            (Some(username), Some(file)) => ConnectOptions::with_auth_callback(move |_nonce| {
                let (username, file) = (username.clone(), file.clone());
                async move {
                    let text = tokio::fs::read_to_string(&file).await.map_err(AuthError::new)?;
                    let mut auth = Auth::new();
                    auth.username = Some(username);
                    auth.password = text.lines().next().map(str::to_owned);
                    Ok(auth)
                }
            }),
            _ => ConnectOptions::new(),
        };
        if let Some(file) = &settings.ca_file {
            let readable = tokio::fs::metadata(file).await;
            readable.map_err(|error| {
                CarrierFault::Settings(format!("ca_file: cannot read {} as PEM: {error}", file.display()))
            })?;
            options = options.add_root_certificates(file.clone());
        }
        options = options
            .name(name)
            .require_tls(settings.servers.iter().any(|server| server.starts_with("tls:")))
            .ignore_discovered_servers()
            .retry_on_initial_connect()
            .connection_timeout(CONNECT_WAIT_MAX)
            .request_timeout(Some(REQUEST_WAIT_MAX))
            .ping_interval(Duration::from_secs(5))
            .reconnect_delay_callback(|tries| {
                let doubled = Duration::from_millis(50).saturating_mul(1 << tries.min(10));
                doubled.min(RECONNECT_PAUSE_MAX)
            })
            .event_callback(async |event| tracing::debug!(%event, "the connection to the carrier"));
        let client = options
            .connect(settings.servers.clone())
            .await
            .map_err(|error| CarrierFault::Settings(error.to_string()))?;
        let jetstream = ContextBuilder::new()
            .timeout(REQUEST_WAIT_MAX)
            .ack_timeout(PUT_WAIT_MAX)
            .max_ack_inflight(PUTTING_MAX)
            .backpressure_on_inflight(true)
            .build(client.clone());
        Ok(Carrier { client, jetstream, settings: Arc::new(settings.clone()), fit: Arc::default() })
    }

    /// Returns the settings.
    pub fn settings(&self) -> &CarrierSettings {
        &self.settings
    }

    /// Says whether a server is connected now.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Says whether parcels can be put: a server is connected, and the stream was not found to have other partitions than this process.
    pub fn is_fit(&self) -> bool {
        self.is_connected() && !self.fit.is_refused.load(Ordering::Relaxed)
    }

    /// Requires that the stream has the partitions of this process. A stream can be made anew, with other ones, while the process runs.
    ///
    /// # Errors
    /// [`CarrierFault::Partitions`]; or a fault, and it is not known.
    pub async fn require_partitions(&self) -> Result<(), CarrierFault> {
        let mut seen_at = self.fit.seen_at.lock().await;
        if seen_at.is_some_and(|seen_at| seen_at.elapsed() < LOOK_COUNTS) {
            return Ok(());
        }
        let fits = self.stream().await?.require_partitions(self.settings.partitions);
        self.fit.is_refused.store(fits.is_err(), Ordering::Relaxed);
        *seen_at = fits.is_ok().then(Instant::now);
        fits
    }

    /// Puts a parcel into its partition. Once this returns `Ok`, the parcel is as durable as the stream is ([`crate::Promise`]).
    ///
    /// No `Nats-Msg-Id` is sent. The servers would drop a parcel with the same id for a while, even one that was sent again because the
    /// first had not been kept (nats-server issues 6415 and 5142); and settling recognises a letter that is delivered twice.
    ///
    /// # Errors
    /// A fault: it is unknown whether the parcel was put. The sender keeps the mail.
    pub async fn put(&self, partition: u16, label: &Label, mail: Vec<u8>) -> Result<(), CarrierFault> {
        if !self.is_connected() {
            // A message would wait in the client's memory, and be sent after its sender was told that it was not.
            return Err(CarrierFault::Away("the connection is interrupted".to_owned()));
        }
        let until = Instant::now() + PUT_WAIT_MAX;
        timeout_at(until, self.require_partitions()).await.map_err(CarrierFault::away)??;
        let label = serde_json::to_string(label).map_err(CarrierFault::away)?;
        let message = PublishMessage::build().payload(mail.into()).header(LABEL, label.as_str());
        let put = async {
            let ack = self.jetstream.send_publish(format!("{SUBJECT}.{partition}"), message).await?;
            ack.await
        };
        // The library's own deadline covers the wait for the acknowledgement, and not the wait for a place among those that wait.
        match timeout_at(until, put).await {
            Ok(Ok(_acknowledged)) => Ok(()),
            Ok(Err(error)) => Err(match error.kind() {
                PublishErrorKind::StreamNotFound => CarrierFault::NoStream,
                PublishErrorKind::Other | PublishErrorKind::MaxPayloadExceeded => {
                    CarrierFault::Refused(error.to_string())
                }
                _ => CarrierFault::away(error),
            }),
            Err(elapsed) => Err(CarrierFault::away(elapsed)),
        }
    }

    /// Tells the fate of a parcel to the process that waits for it. The notice may get lost: the sender then sends its mail again.
    ///
    /// # Errors
    /// The connection was closed for good.
    pub async fn tell(&self, life: Uuid, notice: &Notice) -> Result<(), CarrierFault> {
        let text = serde_json::to_vec(notice).map_err(CarrierFault::away)?;
        self.client.publish(subject_of(life), text.into()).await.map_err(CarrierFault::away)
    }

    /// Begins to receive notices under a name of its own. The task that receives them ends with the last clone of the returned value.
    ///
    /// # Errors
    /// The connection was closed for good.
    pub async fn await_notices(&self) -> Result<Awaited, CarrierFault> {
        let life = Uuid::now_v7();
        let subscriber = self.client.subscribe(subject_of(life)).await.map_err(CarrierFault::away)?;
        let waiting = Arc::<Waiting>::default();
        let receiving = tokio::spawn(receive(subscriber, Arc::clone(&waiting)));
        let ends = Arc::new(EndsTask(receiving.abort_handle()));
        Ok(Awaited { life, waiting, next: Arc::default(), _ends: ends })
    }
}

fn subject_of(life: Uuid) -> String {
    format!("xm.done.{}", life.simple())
}

pub(crate) fn headers(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(name, value);
    headers
}

type Waiting = Mutex<HashMap<u64, oneshot::Sender<Notice>>>;

async fn receive(mut subscriber: Subscriber, waiting: Arc<Waiting>) {
    while let Some(message) = subscriber.next().await {
        let Ok(notice) = serde_json::from_slice::<Notice>(&message.payload) else {
            tracing::warn!("a notice of the carrier cannot be read: do all replicas run versions that go together?");
            continue;
        };
        if let Some(sender) = locked(&waiting).remove(&notice.number) {
            // The send fails if nobody waits any more.
            drop(sender.send(notice));
        }
    }
}

fn locked(waiting: &Waiting) -> std::sync::MutexGuard<'_, HashMap<u64, oneshot::Sender<Notice>>> {
    // Each operation leaves the map valid, so it can be used even if a thread has panicked while it held the lock.
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct EndsTask(tokio::task::AbortHandle);

impl Drop for EndsTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The parcels whose notices this process awaits. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Awaited {
    life: Uuid,
    waiting: Arc<Waiting>,
    next: Arc<AtomicU64>,
    _ends: Arc<EndsTask>,
}

/// The notice of one parcel, which is awaited until this value is dropped.
#[derive(Debug)]
pub struct AwaitedNotice {
    number: u64,
    received: oneshot::Receiver<Notice>,
    waiting: Arc<Waiting>,
}

impl Drop for AwaitedNotice {
    fn drop(&mut self) {
        locked(&self.waiting).remove(&self.number);
    }
}

impl Awaited {
    /// Begins to await the notice of one parcel. The first value goes into the parcel's label.
    pub fn one(&self) -> (Await, AwaitedNotice) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, received) = oneshot::channel();
        locked(&self.waiting).insert(number, sender);
        (Await { life: self.life, number }, AwaitedNotice { number, received, waiting: Arc::clone(&self.waiting) })
    }
}

impl AwaitedNotice {
    /// Waits for the notice. Returns `None` if it cannot come any more.
    pub async fn received(&mut self) -> Option<Notice> {
        (&mut self.received).await.ok()
    }
}
