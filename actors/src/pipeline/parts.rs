//! Everything that a pipeline is built from: sources, couriers, keys and limits.

use std::sync::Arc;
use std::time::Duration;

use ::carrier::Carrier;
use mail::extract::MailLimits;
use sdc::keys::{CentreKeys, SigningKey};
use store::certificates::issuer::CertificateIssuer;
use store::database::Database;
use store::replicas::Replica;
use tokio::runtime::Handle;

use super::limits::Limits;
use crate::admission::lender::Patience;
use crate::courier::Courier;
use crate::database_tasks::DatabaseTasks;
use crate::metrics::Metrics;
use crate::supervision::Policy;
use crate::transport::pushed::Pushed;
use crate::transport::{NoContainer, Transport};

/// A source that lists its mail: a mailbox, or the transfer folder.
#[derive(Clone)]
pub struct PolledSource {
    /// Name of the source, as configured.
    pub name: String,
    /// Protocol that reaches the source.
    pub transport: Arc<dyn Transport>,
    /// Size in bytes of the largest mail that is fetched whole.
    pub mail_bytes_max: u64,
    /// What to do with mail that holds no container.
    pub no_container: NoContainer,
    /// Time from one poll to the next while the source is empty.
    pub interval: Duration,
}

/// A source to which mail is pushed.
#[derive(Clone)]
pub struct PushedSource {
    /// Name of the source, as configured.
    pub name: String,
    /// Protocol by which the mail is pushed.
    pub transport: Arc<dyn Pushed>,
    /// Size in bytes of the largest mail that is taken whole.
    pub mail_bytes_max: u64,
    /// How long the sender of a mail waits.
    pub patience: Patience,
    /// What to do with mail that holds no container. `leave` is impossible: a pushed mail has no mailbox in which it could stay.
    pub no_container: NoContainer,
}

/// Everything that a process without a database is built from: it hands pushed mail to the carrier.
pub struct ReceptionParts {
    /// The carrier.
    pub carrier: Carrier,
    /// Runtime on which notices are received.
    pub runtime: Handle,
    /// Sources to which mail is pushed.
    pub pushed: Vec<PushedSource>,
    /// Largest number of kilobytes of mail that are handed to the carrier at once.
    pub kilobytes_max: u32,
    /// How the actors are supervised.
    pub policy: Policy,
    /// Metrics of the actors and of the flow.
    pub metrics: Metrics,
}

/// Everything that a pipeline is built from.
pub struct PipelineParts {
    /// The database, and the runtime on which work with it runs.
    pub tasks: DatabaseTasks,
    /// Database login for reading an agency's records; `None` where the centre has no such login, and therefore offers neither import nor
    /// certify.
    pub reading: Option<Database>,
    /// Runtime on which records are read and packed: one of its own, so that reading does not slow writing.
    pub reading_runtime: Handle,
    /// Keys that open letters.
    pub keys: Arc<CentreKeys>,
    /// Key that signs answers.
    pub signing_key: Arc<SigningKey>,
    /// Issuer of certificates for offices; `None` where offices keep the self-signed certificates that they send.
    pub issuer: Option<Arc<dyn CertificateIssuer>>,
    /// Sources that are polled.
    pub sources: Vec<PolledSource>,
    /// Sources to which mail is pushed.
    pub pushed: Vec<PushedSource>,
    /// The carrier, from which mail is taken; `None` where there is none.
    pub carrier: Option<Carrier>,
    /// Couriers that carry answers, one for each transport.
    pub couriers: Vec<Arc<dyn Courier>>,
    /// This process among the replicas of the centre. Its identity is kept across restarts.
    pub replica: Replica,
    /// Limits of a mail.
    pub mail_limits: MailLimits,
    /// Limits of memory, disk and load.
    pub limits: Limits,
    /// How the actors are supervised.
    pub policy: Policy,
    /// Metrics of the actors and of the flow.
    pub metrics: Metrics,
}
