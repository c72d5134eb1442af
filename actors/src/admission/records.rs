//! Database records of admission: the source's lease, the rows of `xm.in_hand` (mail that the actors are processing), and the suspects.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use store::database::Connection;
use store::database::fault::Fault;
use store::letters::in_hand::{self, Suspect};
use store::letters::leases::{self, Lease};
use uuid::Uuid;

use super::source::Admission;

/// Duration of a lease that is not renewed.
pub const LEASE_HOLD: Duration = Duration::from_secs(30);

/// Returns the name of a source's lease. The prefix `mailbox:` is used for folders too, which never have the name of a mailbox: the
/// previous version of this program names its leases so, and a lease of another name would not keep it from the source.
pub fn lease_of(key: &str) -> String {
    format!("mailbox:{key}")
}

impl Admission {
    pub(crate) async fn call<T, F>(&self, ask: impl FnOnce(Connection) -> F + Send + 'static) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send,
    {
        let database = self.tasks.database.clone();
        let outcome = self.tasks.call(async move { ask(database.get().await?).await }).await;
        if let Err(fault) = &outcome {
            self.gate.fault(fault);
        }
        outcome
    }

    /// Takes or renews the source's lease. If the lease falls to another replica, and that replica asks for it, this process begins to give
    /// it up.
    pub async fn take_lease(&self) -> Result<Lease, Fault> {
        let (name, process, falls_here) = (lease_of(&self.key), self.process, self.falls_here());
        let lease =
            self.call(async move |mut c| leases::take(&mut c, &name, process, LEASE_HOLD, falls_here).await).await?;
        // Leases of pushed sources are not counted: each process has a lease of its own for such a source, and shares it with nobody.
        if self.key == self.name {
            self.metrics.leases_held.with_label_values(&[&*self.name]).set(i64::from(lease != Lease::Elsewhere));
        }
        let is_wanted = matches!(lease, Lease::Held { is_wanted: true, .. });
        self.gives_up.store(is_wanted && !falls_here, Ordering::Relaxed);
        Ok(lease)
    }

    /// Says whether the source's lease falls to this process.
    pub fn falls_here(&self) -> bool {
        self.replicas.falls_here(&lease_of(&self.key))
    }

    /// Gives up the source's lease.
    pub async fn release_lease(&self) -> Result<(), Fault> {
        let (lease, process) = (lease_of(&self.key), self.process);
        self.call(async move |mut c| leases::release(&mut c, &lease, process).await).await?;
        self.metrics.leases_held.with_label_values(&[&*self.name]).set(0);
        Ok(())
    }

    /// Makes suspects of the mail that earlier lives of the actor had in hand when they ended, since one of these mails may have ended
    /// them. Lists all suspects.
    pub async fn suspects(&self, life: Uuid) -> Result<Vec<Suspect>, Fault> {
        let (key, name) = (self.key.clone(), self.name.clone());
        self.call(async move |mut c| {
            in_hand::adopt_leftovers(&mut c, (&key, &name), life).await?;
            in_hand::suspects(&mut c, &name).await
        })
        .await
    }

    /// Lists the suspects of a pushed source that all replicas know.
    pub async fn shared_suspects(&self) -> Result<Vec<Suspect>, Fault> {
        let name = self.name.clone();
        self.call(async move |mut c| in_hand::suspects(&mut c, &name).await).await
    }

    /// Forgets the suspects of a pushed source that were not sent again for a long time.
    pub async fn forget_suspects(&self) -> Result<(), Fault> {
        let name = self.name.clone();
        self.call(async move |mut c| in_hand::forget_pushed(&mut c, &name).await).await
    }

    /// Writes the tokens of mails that are about to be lent into one row of `xm.in_hand`.
    pub async fn record(&self, life: Uuid, batch: i64, tokens: Vec<String>) -> Result<(), Fault> {
        let key = self.key.clone();
        self.call(async move |mut c| in_hand::record(&mut c, &key, life, batch, &tokens).await).await
    }

    /// Records the suspects, then deletes the rows of these batches from `xm.in_hand`, since all mails of these rows have been reported.
    pub async fn strike_out(&self, life: Uuid, batches: Vec<i64>, suspects: Vec<String>) -> Result<(), Fault> {
        let (key, name) = (self.key.clone(), self.name.clone());
        self.call(async move |mut c| {
            if !suspects.is_empty() {
                in_hand::suspect(&mut c, &name, &suspects).await?;
            }
            in_hand::strike_out(&mut c, &key, life, &batches).await
        })
        .await
    }

    /// Commits that a suspect is about to be tried alone, so that the attempt counts even if the process dies over the mail. Also clears
    /// the suspects that were settled.
    pub async fn attempt(&self, token: String, settled: Vec<String>) -> Result<(), Fault> {
        let name = self.name.clone();
        self.call(async move |mut c| in_hand::attempt(&mut c, &name, &token, &settled).await).await
    }

    /// Takes back the attempts of suspects that a fault or a stop of the process ended, so that these attempts do not count.
    pub async fn take_attempts_back(&self, tokens: Vec<String>) -> Result<(), Fault> {
        let name = self.name.clone();
        self.call(async move |mut c| in_hand::take_attempts_back(&mut c, &name, &tokens).await).await
    }

    /// Clears suspects that were settled or are no longer in their mailbox.
    pub async fn clear(&self, tokens: Vec<String>) -> Result<(), Fault> {
        let name = self.name.clone();
        self.call(async move |mut c| in_hand::clear(&mut c, &name, &tokens).await).await
    }
}
