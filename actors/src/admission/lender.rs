//! What a transport lends its pushed mail to. [`here`] lends it to the actors of this process. [`carrying`] hands it to the carrier, which
//! takes it to a process that settles it, and waits for the fate.
//!
//! A process without a database has the second alone. A process that has both prefers the carrier, and settles the mail itself while the
//! carrier does not answer. A mail may then be settled twice, by this process and by another: settling recognises its letters.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use store::database::fault::Fault;
use tokio::sync::watch;

use self::carrying::{Carrying, CarryingLender};
use self::here::HereLender;
use super::source::Admission;
use crate::custody::{AnswerSlot, Fate};
use crate::messages::Fetched;
use crate::metrics::{ActorMetrics, Metrics};
use crate::stop::Stop;
use crate::transport::{Form, NoContainer, TransportFacts};

pub mod carrying;
pub mod here;

/// A mail that somebody pushes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedMail {
    /// The mail, or the first part of a mail that is too large.
    pub mail: Vec<u8>,
    /// Whole size in bytes of a mail that is too large; `None` where `mail` is the whole mail.
    pub over_size_bytes: Option<u64>,
    /// Slot that receives the identity of the letter, if its sender waits for the answer here; `None` where the answer leaves by another
    /// way.
    pub answer: Option<AnswerSlot>,
    /// The source of a mail that was carried here; `None` where the source that lends it has received it.
    pub origin: Option<Origin>,
}

/// The source of a mail that another process received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Name of the source, as configured.
    pub name: Arc<str>,
    /// Transport by which answers to its letters are sent.
    pub answers_by: &'static str,
    /// Whether the source delivers mails or documents.
    pub form: Form,
    /// What to do with mail that holds no container.
    pub no_container: NoContainer,
    /// Time of arrival at the source.
    pub received_at: DateTime<Utc>,
}

impl Origin {
    /// Writes the origin of a mail into its message. The mail keeps the name under which this process would set it aside.
    fn mark(self, fetched: &mut Fetched) {
        fetched.form = self.form;
        fetched.no_container = self.no_container;
        fetched.provenance.received_at = self.received_at;
        fetched.provenance.source.transport = self.answers_by;
        fetched.provenance.source.mailbox = self.name;
    }
}

impl PushedMail {
    /// Says whether the mail was posted, so that its sender sees how it is answered and when.
    pub fn is_posted(&self) -> bool {
        self.answer.is_some()
    }
}

/// How long the sender of a mail waits.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Longest time for which a mail is kept while the database, or the carrier, cannot be reached.
    pub hold: Duration,
    /// Time after which the sender is asked to send the mail again, whatever happens to the mail.
    pub answer: Duration,
}

/// Where the pushed mail of one source goes.
#[derive(Clone)]
pub struct Reception {
    /// Configured name of the source.
    pub name: Arc<str>,
    /// Facts about the source's transport.
    pub facts: TransportFacts,
    /// What to do with mail that holds no container.
    pub no_container: NoContainer,
    /// How long the sender of a mail waits.
    pub patience: Patience,
    /// The signal that the process drains.
    pub drain: Stop,
    /// Metrics that count the mail.
    pub metrics: Arc<Metrics>,
    /// Admission to the actors of this process; `None` where the process has no database.
    pub here: Option<Admission>,
    /// The carrier, if there is one.
    pub carrying: Option<Carrying>,
}

impl Reception {
    /// Sends the mail of a source to the actors of this process.
    pub fn here(admission: Admission, patience: Patience) -> Reception {
        Reception {
            name: Arc::clone(&admission.name),
            facts: admission.facts,
            no_container: admission.no_container,
            patience,
            drain: admission.drain.clone(),
            metrics: Arc::clone(&admission.metrics),
            here: Some(admission),
            carrying: None,
        }
    }
}

/// Counts the mails that are being received, and the senders that wait for the fate of their mail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Senders(watch::Sender<usize>);

impl Senders {
    /// Counts one more until the returned value is dropped.
    pub(crate) fn expect(&self) -> Expected {
        self.0.send_modify(|count| *count += 1);
        Expected(self.clone())
    }

    /// Waits until no mail is being received and no sender waits for a fate.
    pub(crate) async fn gone(&self) {
        // `wait_for` fails only if the channel's `watch::Sender` is gone. It cannot be gone, since `self` owns it.
        drop(self.0.subscribe().wait_for(|count| *count == 0).await);
    }
}

/// A mail that is being received, or a sender that waits, counted until this value is dropped.
pub struct Expected(Senders);

impl Drop for Expected {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}

/// Takes the pushed mail of one source. Cheap to clone.
#[derive(Clone)]
pub struct Lender(Arc<LenderParts>);

struct LenderParts {
    name: Arc<str>,
    drain: Stop,
    metrics: Arc<Metrics>,
    here: Option<HereLender>,
    carrying: Option<CarryingLender>,
    senders: Senders,
}

impl Lender {
    /// Begins a life of a [`crate::push_intake::PushIntake`]. Mail that an earlier life did not finish becomes suspect.
    ///
    /// # Errors
    /// The database does not answer, or the carrier's connection is closed for good.
    pub async fn begin(reception: &Reception, metrics: ActorMetrics) -> Result<Lender, Fault> {
        let here = match &reception.here {
            Some(admission) => Some(HereLender::begin(admission.clone(), reception.patience, metrics).await?),
            None => None,
        };
        let carrying = match &reception.carrying {
            Some(carrying) => Some(CarryingLender::begin(carrying.clone(), reception).await?),
            None => None,
        };
        Ok(Lender(Arc::new(LenderParts {
            name: Arc::clone(&reception.name),
            drain: reception.drain.clone(),
            metrics: Arc::clone(&reception.metrics),
            senders: here.as_ref().map_or_else(Senders::default, |here| here.senders().clone()),
            here,
            carrying,
        })))
    }

    /// Counts a mail as being received until the returned value is dropped. A process that drains waits for this mail.
    pub fn expect(&self) -> Expected {
        self.0.senders.expect()
    }

    /// Notes that the source listens: from now on senders can reach it.
    pub fn listens(&self) {
        self.0.metrics.reached(&self.0.name, true);
    }

    /// Waits until mail cannot be lent any more, because the task that records it has ended.
    pub(crate) async fn is_broken(&self) {
        match &self.0.here {
            Some(here) => here.is_broken().await,
            None => std::future::pending().await,
        }
    }

    /// Says whether the process drains. Mail is then returned to its senders.
    pub fn is_draining(&self) -> bool {
        self.0.drain.is_told()
    }

    /// Waits until the process drains.
    pub async fn draining(&self) {
        self.0.drain.told().await;
    }

    /// Returns the metrics that count the mail.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Lends a mail and waits for its fate. The sender may discard its mail only after `Settled` and `Left`; after every other fate the
    /// sender keeps the mail. A posted document counts as `Settled`, without an answer, as soon as the carrier has it, where the contract
    /// is `carried`: its sender keeps its letter until the receipt comes.
    pub async fn lend(&self, mut pushed: PushedMail) -> Fate {
        let _counted = self.expect();
        let LenderParts { here, carrying, .. } = &*self.0;
        if let Some(carrying) = carrying {
            let carried = carrying.lend(&mut pushed, here.is_none()).await;
            match (carried, here) {
                (Some(fate), _) => return fate,
                (None, None) => return Fate::Returned,
                (None, Some(_)) => {}
            }
        }
        match here {
            Some(here) => here.lend(pushed).await,
            None => Fate::Returned,
        }
    }

    /// Waits until no mail is being received and no sender waits for a fate.
    pub(crate) async fn idle(&self) {
        self.0.senders.gone().await;
    }
}
