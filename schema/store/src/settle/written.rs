//! A batch whose rows are written in a transaction that is still open. It is the result of `Settler::write` and the input of posting.

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

/// A batch whose rows are written in a transaction that is still open. Dropping it rolls the transaction back and closes the connection.
pub struct Written {
    pub(super) transaction: OpenTransaction,
    pub(super) batch: Batch,
    pub(super) bodies: Bodies,
    pub(super) standing: Standing,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) settings: SettlingSettings,
    pub(super) withheld: Arc<Withheld>,
    /// The decision to try the letters again; `None` for letters that have just arrived.
    pub(super) retry: Option<Retry>,
    /// Agencies whose enrolment code is locked by the batch.
    pub(super) enrolments_locked: Vec<Matricule>,
    /// The life of the database (the number of its epoch), which receipts contain.
    pub(super) epoch: u32,
}

impl Written {
    /// Returns, for each letter of a retried batch, the result that posting will commit. The order is that of the batch.
    pub fn tried(&self) -> Vec<Tried> {
        self.batch.iter().map(|case| Tried::from(&case.decision)).collect()
    }

    /// Returns the connection of the open transaction, on which the caller may write other rows. They are committed together with the
    /// batch, or not at all.
    pub fn connection(&mut self) -> &mut AsyncPgConnection {
        self.transaction.connection()
    }

    /// Returns the time of the decision on an arrival: its arrival at the centre, or an operator's retry.
    pub(super) fn decided_at(&self, arrival: &Arrival) -> DateTime<Utc> {
        self.retry.as_ref().map_or(arrival.received_at, |retry| retry.decided_at)
    }

    /// Sends a statement without waiting for the statements sent before it. Returns the number of rows that it changed.
    pub(super) async fn execute(&self, text: &str, binds: &[Bind<'_>]) -> Result<usize, Fault> {
        Ok(Statement::<()>::new(text, binds).execute(&mut self.transaction.shared()).await?)
    }
}
