//! What admission reads and writes in the database: the source's lease, the lines of mail in hand, and the suspects.

use std::future::Future;
use std::time::Duration;

use store::database::Connection;
use store::database::fault::Fault;
use store::letters::in_hand::{self, Suspect};
use store::letters::leases;
use uuid::Uuid;

use super::source::Admission;

/// How long a lease lasts unless renewed.
pub const LEASE_HOLD: Duration = Duration::from_secs(30);

impl Admission {
    async fn call<T, F>(&self, ask: impl FnOnce(Connection) -> F + Send + 'static) -> Result<T, Fault>
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

    /// Takes or renews the source's lease; says whether this process has it. Mailboxes and folders share one space of names. The prefix
    /// `mailbox:` of a lease's name is the one that the previous version of this program uses.
    pub async fn take_lease(&self) -> Result<bool, Fault> {
        let (lease, process) = (format!("mailbox:{}", self.key), self.process);
        let token = self.call(async move |mut c| leases::take(&mut c, &lease, process, LEASE_HOLD).await).await?;
        Ok(token.is_some())
    }

    /// Gives the lease up.
    pub async fn release_lease(&self) -> Result<(), Fault> {
        let (lease, process) = (format!("mailbox:{}", self.key), self.process);
        self.call(async move |mut c| leases::release(&mut c, &lease, process).await).await
    }

    /// Makes suspects of the mail that earlier lives left in hand, and lists all suspects.
    pub async fn suspects(&self, life: Uuid) -> Result<Vec<Suspect>, Fault> {
        let key = self.key.clone();
        self.call(async move |mut c| {
            in_hand::adopt_leftovers(&mut c, &key, life).await?;
            in_hand::suspects(&mut c, &key).await
        })
        .await
    }

    /// Writes the mails that are about to be lent into `xm.in_hand`, as one line.
    pub async fn record(&self, life: Uuid, batch: i64, tokens: Vec<String>) -> Result<(), Fault> {
        let key = self.key.clone();
        self.call(async move |mut c| in_hand::record(&mut c, &key, life, batch, &tokens).await).await
    }

    /// Writes down the suspects, then strikes out the lines of the batches in `xm.in_hand`: all mails of these have come back.
    pub async fn strike_out(&self, life: Uuid, batches: Vec<i64>, suspects: Vec<String>) -> Result<(), Fault> {
        let key = self.key.clone();
        self.call(async move |mut c| {
            if !suspects.is_empty() {
                in_hand::suspect(&mut c, &key, &suspects).await?;
            }
            in_hand::strike_out(&mut c, &key, life, &batches).await
        })
        .await
    }

    /// Commits that a suspect is about to be tried alone, and clears those that were settled.
    pub async fn attempt(&self, token: String, settled: Vec<String>) -> Result<(), Fault> {
        let key = self.key.clone();
        self.call(async move |mut c| in_hand::attempt(&mut c, &key, &token, &settled).await).await
    }

    /// Takes back attempts that a fault or a stop ended.
    pub async fn take_attempts_back(&self, tokens: Vec<String>) -> Result<(), Fault> {
        let key = self.key.clone();
        self.call(async move |mut c| in_hand::take_attempts_back(&mut c, &key, &tokens).await).await
    }

    /// Clears suspects that were settled or are gone.
    pub async fn clear(&self, tokens: Vec<String>) -> Result<(), Fault> {
        let key = self.key.clone();
        self.call(async move |mut c| in_hand::clear(&mut c, &key, &tokens).await).await
    }
}
