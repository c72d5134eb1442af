//! The mail of one partition: its lease, its pulls, and the mails that were taken.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::carrier::{CarrierFault, Delivery, Hold};
use store::letters::leases::{self, Lease};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{ANSWER, Life, PAUSE, lease_of, parcel};
use crate::admission::records::LEASE_HOLD;

/// Kilobytes that one pull may bring.
pub(super) const PULL_KILOBYTES: u32 = 2 << 10;
/// Largest number of mails that one pull brings.
const PULL_MAILS: usize = 256;
/// Time between two renewals of a held lease.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Pause between two looks at a lease that falls to this process, and that another process still has.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Pause between two looks at a lease that falls to another process.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longest wait for the mails of a partition whose lease is given up. Those that are not settled by then are settled all the same.
const LEAVE_WAIT_MAX: Duration = Duration::from_secs(10);

/// The lease of a partition, as this process has it.
enum Held {
    Here,
    /// Another process asks for it, and it falls to that process.
    Wanted,
    Elsewhere,
}

/// Takes the mail of one partition until the process drains.
pub(super) async fn serve(life: Arc<Life>, partition: u16) {
    let source = &life.parts.source;
    tokio::select! {
        () = source.replicas.known() => {}
        () = source.drain.told() => return,
    }
    while !source.drain.is_told() {
        let pause = match life.lease(partition).await {
            Some(Held::Here) => {
                if let Err(fault) = life.hold(partition).await {
                    source.metrics.reached(super::NAME, false);
                    tracing::debug!(partition, %fault, "the partition is opened again");
                }
                life.release(partition).await;
                PAUSE
            }
            Some(Held::Wanted) => {
                life.release(partition).await;
                LOOK_EVERY
            }
            Some(Held::Elsewhere) if source.replicas.falls_here(&lease_of(partition)) => ASK_EVERY,
            Some(Held::Elsewhere) => LOOK_EVERY,
            None => PAUSE,
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = source.drain.told() => {}
        }
    }
}

impl Life {
    /// Takes or renews the lease of a partition. Returns `None` after a fault of the database.
    async fn lease(&self, partition: u16) -> Option<Held> {
        let source = &self.parts.source;
        let (name, process) = (lease_of(partition), source.process);
        let falls_here = source.replicas.falls_here(&name);
        let lease = source
            .call(async move |mut c| leases::take(&mut c, &name, process, LEASE_HOLD, falls_here).await)
            .await
            .ok()?;
        Some(match lease {
            Lease::Held { is_wanted: true, .. } if !falls_here => Held::Wanted,
            Lease::Held { .. } => Held::Here,
            Lease::Elsewhere => Held::Elsewhere,
        })
    }

    async fn release(&self, partition: u16) {
        let (name, process) = (lease_of(partition), self.parts.source.process);
        let released = self.parts.source.call(async move |mut c| leases::release(&mut c, &name, process).await).await;
        if let Err(fault) = released {
            tracing::debug!(partition, %fault, "the lease of the partition ends by itself");
        }
    }

    /// Takes mail while this process has the lease, the database answers and the process does not drain. Waits for the mails that were
    /// taken before it returns.
    async fn hold(self: &Arc<Self>, partition: u16) -> Result<(), CarrierFault> {
        let mut parcels = JoinSet::new();
        let held = self.pull(partition, &mut parcels).await;
        let draining = self.parts.source.drain.is_told();
        let wait_max = if draining { ANSWER } else { LEAVE_WAIT_MAX };
        let ended = timeout(wait_max, async { while parcels.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            // The mails are in hand, and are settled and acknowledged all the same.
            parcels.detach_all();
        }
        held
    }

    async fn pull(self: &Arc<Self>, partition: u16, parcels: &mut JoinSet<()>) -> Result<(), CarrierFault> {
        let source = &self.parts.source;
        let mut hold = self.parts.carrier.open(partition).await?;
        source.metrics.reached(super::NAME, true);
        let mut renewed = Instant::now();
        let mut room: Option<OwnedSemaphorePermit> = None;
        while source.may_fetch() {
            if renewed.elapsed() >= RENEW_EVERY {
                match self.lease(partition).await {
                    Some(Held::Here) => renewed = Instant::now(),
                    _ => break,
                }
            }
            while parcels.try_join_next().is_some() {}
            if !hold.is_pulling() {
                // The room of the former pull is free again, but for the mails that it brought.
                room = None;
                room = Some(match self.room_within(RENEW_EVERY).await {
                    Some(room) => room,
                    None => continue,
                });
            }
            self.take(&mut hold, &mut room, parcels).await?;
        }
        give_back(hold).await
    }

    async fn room_within(&self, wait: Duration) -> Option<OwnedSemaphorePermit> {
        timeout(wait, Arc::clone(&self.room).acquire_many_owned(PULL_KILOBYTES)).await.ok()?.ok()
    }

    async fn take(
        self: &Arc<Self>,
        hold: &mut Hold,
        room: &mut Option<OwnedSemaphorePermit>,
        parcels: &mut JoinSet<()>,
    ) -> Result<(), CarrierFault> {
        for delivery in hold.take(PULL_MAILS).await? {
            let kilobytes = kilobytes_of(&delivery);
            // A pull brings no more than its room, so there is always enough of it.
            let own = room.as_mut().and_then(|room| room.split(kilobytes.min(room.num_permits())));
            let life = Arc::clone(self);
            parcels.spawn(async move {
                parcel::settle(&life, delivery).await;
                drop(own);
            });
        }
        Ok(())
    }
}

/// Waits for the end of a pull that is under way, and gives back what it still brings, so that another process has it at once.
async fn give_back(mut hold: Hold) -> Result<(), CarrierFault> {
    while hold.is_pulling() {
        for delivery in hold.take(1).await? {
            delivery.receipt.given_back(Duration::ZERO).await?;
        }
    }
    Ok(())
}

fn kilobytes_of(delivery: &Delivery) -> usize {
    delivery.parcel.mail.len().div_ceil(1024) + 1
}
