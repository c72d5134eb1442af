//! What a source asks of the database: its lease, what it has in hand, and whom to suspect.
//!
//! Every call runs as a task of the database's runtime: a connection made on this actor's thread would die with it.

use std::future::Future;
use std::time::Duration;

use store::database::Connection;
use store::database::fault::Fault;
use store::letters::in_hand::{self, Suspect};
use store::letters::leases;
use uuid::Uuid;

use super::Admission;

/// How long a lease lasts unless renewed.
pub const LEASE_HOLD: Duration = Duration::from_secs(30);

impl Admission {
    async fn call<T, F>(&self, ask: impl FnOnce(Connection) -> F + Send + 'static) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send,
    {
        let database = self.database.clone();
        let task = self.database_runtime.spawn(async move { ask(database.get().await?).await });
        let outcome = match task.await {
            Ok(outcome) => outcome,
            Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
            Err(_cancelled) => Err(Fault::Away("the process is ending".to_owned())),
        };
        if let Err(fault) = &outcome {
            self.intake.fault(fault);
        }
        outcome
    }

    /// Takes or renews the source's lease; says whether it is ours. Mailboxes and folders share one space of names, under the
    /// prefix that programs of the version before know.
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

    /// Makes suspects of what earlier lives left in hand, and lists all suspects.
    pub async fn suspects(&self, life: Uuid) -> Result<Vec<Suspect>, Fault> {
        let key = self.key.clone();
        self.call(async move |mut c| {
            in_hand::adopt_leftovers(&mut c, &key, life).await?;
            in_hand::suspects(&mut c, &key).await
        })
        .await
    }

    /// Writes down what is about to be handed on.
    pub async fn record(&self, life: Uuid, batch: i64, tokens: Vec<String>) -> Result<(), Fault> {
        let key = self.key.clone();
        self.call(async move |mut c| in_hand::record(&mut c, &key, life, batch, &tokens).await).await
    }

    /// Strikes out what came back, after naming the suspects among it.
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

    /// Commits that a suspect is about to be tried alone, and that others were settled.
    pub async fn attempt(&self, token: String, settled: Vec<String>) -> Result<(), Fault> {
        let key = self.key.clone();
        self.call(async move |mut c| in_hand::attempt(&mut c, &key, &token, &settled).await).await
    }

    /// Takes attempts back that a fault or a stop ended.
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
