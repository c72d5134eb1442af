//! Hands pushed mail to the carrier, and waits for the notice of its fate.
//!
//! With the contract `settled`, the sender has the only copy that counts until the notice comes: whatever the carrier loses, the sender
//! sends again. With the contract `carried`, the sender of a posted document is answered once the carrier has the document.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::carrier::{AnsweredBy, Await, AwaitedNotice, Carrier, Contract, Label, MAIL_BYTES_MAX, Notice};
use chrono::Utc;
use sdc::digest::Digest;
use sdc::document;
use sdc::letter::Matricule;
use store::database::fault::Fault;
use store::letters::collected::AnsweredLetter;
use store::planted::point;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout, timeout_at};

use super::{Patience, PushedMail, Reception};
use crate::custody::Fate;
use crate::metrics::Metrics;
use crate::outage::Outage;
use crate::stop::Stop;
use crate::transport::{Form, NoContainer, TransportFacts};

/// First pause before a mail is put again that could not be put. Each further pause is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause before a mail is put again that could not be put.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The carrier, as the pushed sources of a process share it. Cheap to clone.
#[derive(Clone)]
pub struct Carrying {
    /// The carrier.
    pub carrier: Carrier,
    /// Runtime on which notices are received.
    pub runtime: Handle,
    /// Bounds the kilobytes of mail that are being put at once.
    pub room: Arc<Semaphore>,
}

impl Carrying {
    /// Shares a carrier. At most `kilobytes_max` of mail are put at once.
    pub fn new(carrier: Carrier, runtime: Handle, kilobytes_max: u32) -> Carrying {
        Carrying { carrier, runtime, room: Arc::new(Semaphore::new(kilobytes_max as usize)) }
    }
}

/// Hands the mail of one source to the carrier. Cheap to clone.
#[derive(Clone)]
pub(super) struct CarryingLender(Arc<Parts>);

struct Parts {
    carrying: Carrying,
    awaited: ::carrier::Awaited,
    name: Arc<str>,
    facts: TransportFacts,
    no_container: NoContainer,
    patience: Patience,
    drain: Stop,
    metrics: Arc<Metrics>,
    outage: std::sync::Mutex<Outage>,
}

impl CarryingLender {
    /// Begins to receive notices.
    pub(super) async fn begin(carrying: Carrying, reception: &Reception) -> Result<CarryingLender, Fault> {
        let carrier = carrying.carrier.clone();
        let receiving = carrying.runtime.spawn(async move { carrier.await_notices().await });
        let awaited = match receiving.await {
            Ok(Ok(awaited)) => awaited,
            Ok(Err(fault)) => return Err(Fault::Away(fault.to_string())),
            Err(_ended) => return Err(Fault::Away("the program is stopping".to_owned())),
        };
        Ok(CarryingLender(Arc::new(Parts {
            carrying,
            awaited,
            name: Arc::clone(&reception.name),
            facts: reception.facts,
            no_container: reception.no_container,
            patience: reception.patience,
            drain: reception.drain.clone(),
            metrics: Arc::clone(&reception.metrics),
            outage: std::sync::Mutex::default(),
        })))
    }

    /// Puts a mail, and waits for its fate. Returns `None` if the mail could not be put, or is too large for the carrier: `pushed` is whole
    /// then. If `holds`, a carrier that does not answer is tried until the sender's patience ends; otherwise it is tried once.
    pub(super) async fn lend(&self, pushed: &mut PushedMail, holds: bool) -> Option<Fate> {
        let parts = &*self.0;
        if pushed.mail.len() > MAIL_BYTES_MAX {
            return None;
        }
        let arrived = Instant::now();
        let is_carried = parts.carrying.carrier.settings().contract == Contract::Carried && pushed.is_posted();
        let awaited = (!is_carried).then(|| parts.awaited.one());
        let (awaits, notice) = awaited.unzip();
        let hold = if holds { parts.patience.hold } else { Duration::ZERO };
        if !parts.put(pushed, awaits, arrived + hold).await {
            return None;
        }
        point("push_intake::put");
        pushed.mail = Vec::new();
        Some(match notice {
            None => Fate::Settled,
            Some(notice) => parts.fate(notice, pushed, arrived).await,
        })
    }
}

impl Parts {
    /// Puts a mail, and tries again until `until`. Returns whether the carrier has it.
    async fn put(&self, pushed: &PushedMail, awaits: Option<Await>, until: Instant) -> bool {
        let carrier = &self.carrying.carrier;
        let claim = document::claim(&pushed.mail);
        let partition = partition_of(claim, &pushed.mail, carrier.settings().partitions);
        let label = Label {
            source: self.name.to_string(),
            answered_by: if self.facts.form == Form::Document { AnsweredBy::Http } else { AnsweredBy::Mail },
            received_at: Utc::now(),
            over_size_bytes: pushed.over_size_bytes,
            is_kept_without_container: self.no_container != NoContainer::Drop,
            awaited: awaits,
        };
        let kilobytes = u32::try_from(pushed.mail.len().div_ceil(1024)).unwrap_or(u32::MAX);
        let mut pause = PAUSE_MIN;
        loop {
            let began = Instant::now();
            let room = timeout_at(until.max(began + PAUSE_MIN).into(), self.carrying.room.acquire_many(kilobytes));
            let Ok(Ok(_room)) = room.await else { return false };
            match carrier.put(partition, &label, pushed.mail.clone()).await {
                Ok(()) => {
                    self.metrics.carrier.put_seconds.observe(began.elapsed().as_secs_f64());
                    *self.outage.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Outage::default();
                    return true;
                }
                Err(fault) => self.failed(&fault),
            }
            if Instant::now() + pause >= until {
                return false;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.drain.told() => return false,
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn failed(&self, fault: &::carrier::CarrierFault) {
        let mut outage = self.outage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(tries) = outage.failed(&fault.to_string(), Instant::now()) {
            tracing::warn!(mailbox = &*self.name, tries, %fault, "mail cannot be handed to the carrier: its senders keep it");
        }
    }

    /// Waits for the notice of a parcel.
    async fn fate(&self, mut notice: AwaitedNotice, pushed: &PushedMail, arrived: Instant) -> Fate {
        let until = arrived + self.patience.answer;
        let Ok(Some(notice)) = timeout(until.saturating_duration_since(Instant::now()), notice.received()).await else {
            return Fate::Returned;
        };
        let Notice { is_settled, letter, .. } = notice;
        if let (Some(slot), Some(letter)) = (&pushed.answer, letter)
            && let Ok(agency) = Matricule::try_from(letter.agency)
        {
            let ::carrier::Letter { installation, letter_id, .. } = letter;
            // `set` fails if the slot is full. That does not happen: there is one notice.
            slot.set(AnsweredLetter { agency, installation, letter_id }).ok();
        }
        if is_settled { Fate::Settled } else { Fate::Returned }
    }
}

/// Returns the partition of a mail: all mail that claims one agency is in one partition, so that one process has all of it. A claim is not
/// believed, but it only picks a place. Mail without a claim is spread by its content, so that a copy goes where the first one went.
fn partition_of(claim: Option<Matricule>, mail: &[u8], partitions: u16) -> u16 {
    let number = claim.map_or_else(
        || {
            let digest = Digest::of(mail);
            let [first, second, third, fourth, ..] = *digest.as_bytes();
            u32::from_be_bytes([first, second, third, fourth])
        },
        u32::from,
    );
    u16::try_from(number % u32::from(partitions.max(1))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mail_of_an_agency_is_in_one_partition_and_other_mail_is_spread() {
        let agency = Matricule::try_from(42).ok();
        assert_eq!((partition_of(agency, b"a", 16), partition_of(agency, b"b", 16)), (10, 10));
        assert_eq!(partition_of(None, b"a", 16), partition_of(None, b"a", 16));
        let spread: std::collections::HashSet<u16> =
            (0..200_u32).map(|number| partition_of(None, &number.to_be_bytes(), 16)).collect();
        assert_eq!(spread.len(), 16);
        assert_eq!(partition_of(None, b"a", 1), 0);
    }
}
