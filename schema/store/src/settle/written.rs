//! A batch whose rows are written in a transaction that is still open: what goes from writing to posting.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;

use super::arrival::Arrival;
use super::batch::Batch;
use super::bodies::Bodies;
use super::retry::{Retry, Tried};
use super::settings::SettlingSettings;
use super::standing::Standing;
use super::transaction::OpenTransaction;
use super::withheld::Withheld;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};
use crate::tables::catalogue::Catalogue;

/// A batch whose rows are written in a transaction that is still open. Dropping it rolls back and closes the connection.
pub struct Written {
    pub(super) transaction: OpenTransaction,
    pub(super) batch: Batch,
    pub(super) bodies: Bodies,
    pub(super) standing: Standing,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) settings: SettlingSettings,
    pub(super) withheld: Arc<Withheld>,
    /// Who had the letters tried again; absent where they have just come.
    pub(super) retry: Option<Retry>,
    /// Agencies whose enrolment code is locked by the batch.
    pub(super) enrolments_locked: Vec<Matricule>,
}

impl Written {
    /// Returns what becomes of the batch, in its order, once it is posted.
    pub fn tried(&self) -> Vec<Tried> {
        self.batch.iter().map(|case| Tried::from(&case.decision)).collect()
    }

    /// Returns the connection of the open transaction, for what is to be committed with the batch.
    pub fn connection(&mut self) -> &mut AsyncPgConnection {
        self.transaction.connection()
    }

    /// Returns when an arrival is decided on: as it comes, or when an operator has it tried again.
    pub(super) fn decided_at(&self, arrival: &Arrival) -> DateTime<Utc> {
        self.retry.as_ref().map_or(arrival.received_at, |retry| retry.decided_at)
    }

    /// Executes a statement without waiting for those sent before it; returns how many rows it changed.
    pub(super) async fn execute(&self, text: &str, binds: &[Bind<'_>]) -> Result<usize, Fault> {
        Ok(Statement::<()>::new(text, binds).execute(&mut self.transaction.shared()).await?)
    }
}
