//! Everything that a pipeline is built from: sources, couriers, keys and limits.

use std::sync::Arc;
use std::time::Duration;

use mail::extract::MailLimits;
use sdc::keys::{CentreKeys, SigningKey};
use store::certificates::issuer::CertificateIssuer;
use store::database::Database;
use uuid::Uuid;

use super::limits::Limits;
use crate::courier::Courier;
use crate::database_tasks::DatabaseTasks;
use crate::metrics::Metrics;
use crate::supervision::Policy;
use crate::transport::pushed::Pushed;
use crate::transport::{NoContainer, Transport};

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

/// Everything that a pipeline is built from.
pub struct PipelineParts {
    /// The database, and the runtime on which work with it runs.
    pub tasks: DatabaseTasks,
    /// The login that reads for agencies; absent where the centre has none, and then offers nothing to read.
    pub reading: Option<Database>,
    /// Opens letters.
    pub keys: Arc<CentreKeys>,
    /// Signs answers.
    pub signing_key: Arc<SigningKey>,
    /// Issues certificates to offices; without, those that they bring are kept.
    pub issuer: Option<Arc<dyn CertificateIssuer>>,
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
    /// What bounds memory, disk and load.
    pub limits: Limits,
    /// How its actors are supervised.
    pub policy: Policy,
    /// Where it shows itself.
    pub metrics: Metrics,
}
