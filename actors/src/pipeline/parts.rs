//! Everything that a pipeline is built from: sources, couriers, keys, limits, and how wide it is.

use std::sync::Arc;
use std::time::Duration;

use mail::extract::MailLimits;
use sdc::document::DocumentLimits;
use sdc::keys::{CentreKeys, SigningKey};
use sdc::payload::PayloadLimits;
use store::database::Database;
use store::settle::SettlingSettings;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::courier::Courier;
use crate::messages::NoContainer;
use crate::metrics::Metrics;
use crate::supervision::Policy;
use crate::transport::{Pushed, Transport};

/// A source that lists what it has: a mailbox, the transfer folder.
#[derive(Clone)]
pub struct PolledSource {
    /// Its configured name.
    pub name: String,
    /// How it is reached.
    pub transport: Arc<dyn Transport>,
    /// Largest mail fetched whole.
    pub mail_bytes_max: u64,
    /// What to do with mail that holds no container.
    pub no_container: NoContainer,
    /// Pause between polls while it is empty.
    pub interval: Duration,
}

/// A source that is pushed to.
#[derive(Clone)]
pub struct PushedSource {
    /// Its configured name.
    pub name: String,
    /// How mail comes.
    pub transport: Arc<dyn Pushed>,
    /// What to do with mail that holds no container. It cannot be left: no place is its own.
    pub no_container: NoContainer,
}

/// How wide the pipeline is.
#[derive(Clone, Debug)]
pub struct Widths {
    /// Threads that decrypt and verify.
    pub crypto_threads: usize,
    /// Batches that may be settled side by side.
    pub writers: usize,
    /// Mails in hand.
    pub mails_in_hand_max: u32,
    /// Kilobytes in hand.
    pub kilobytes_in_hand_max: u32,
    /// Mails of the slow lane in hand.
    pub slow_mails_max: u32,
    /// Bytes of payloads that have been read and are not settled, and of the records held that they contradict.
    pub unpacked_bytes_max: u32,
    /// Mails asked for at a time, per mailbox.
    pub window_mails: usize,
    /// Mails per session.
    pub session_mails_max: usize,
    /// Time per session.
    pub session_time_max: Duration,
    /// Letters per batch.
    pub batch_letters_max: usize,
    /// Longest wait of a letter for others.
    pub batch_wait: Duration,
    /// Certificates cached.
    pub signers_cached_max: u64,
    /// Answers claimed at a time.
    pub answers_claimed_max: i64,
    /// Answers on their way at a time, by each courier.
    pub sending_max: usize,
}

impl Default for Widths {
    fn default() -> Widths {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Widths {
            crypto_threads: cores,
            writers: 2,
            mails_in_hand_max: 2048,
            kilobytes_in_hand_max: 16 * 1024,
            slow_mails_max: 1024,
            unpacked_bytes_max: 8 << 20,
            window_mails: 256,
            session_mails_max: 10_000,
            session_time_max: Duration::from_secs(10),
            batch_letters_max: 300,
            batch_wait: Duration::from_millis(100),
            signers_cached_max: 10_000,
            answers_claimed_max: 200,
            sending_max: 4,
        }
    }
}

/// Everything that a pipeline is built from.
pub struct PipelineParts {
    /// The database; its connections live on `database_runtime`.
    pub database: Database,
    /// A runtime that outlives every actor.
    pub database_runtime: Handle,
    /// Opens letters.
    pub keys: Arc<CentreKeys>,
    /// Signs answers.
    pub signing_key: Arc<SigningKey>,
    /// Where letters come from: what is polled.
    pub sources: Vec<PolledSource>,
    /// Where letters come from: what is pushed to.
    pub pushed: Vec<PushedSource>,
    /// How answers leave, one for each transport.
    pub couriers: Vec<Arc<dyn Courier>>,
    /// This process, by the name that it keeps across restarts.
    pub process: Uuid,
    /// Limits of a mail.
    pub mail_limits: MailLimits,
    /// Limits of a document.
    pub document_limits: DocumentLimits,
    /// Limits of a payload.
    pub payload_limits: PayloadLimits,
    /// Limits of quarantine.
    pub settling: SettlingSettings,
    /// How wide it is.
    pub widths: Widths,
    /// How its actors are supervised.
    pub policy: Policy,
    /// Where it shows itself.
    pub metrics: Metrics,
}
