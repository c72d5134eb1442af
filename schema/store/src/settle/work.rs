//! What a sound letter wants done. Settling tells services apart here, and nowhere else.
//!
//! The request is judged by itself into its work; the work is decided on by what is held, and done in the settling transaction.

use std::sync::Arc;

use sdc::refusal::Refusal;
use sdc::request::Request;
use sdc::service::Service;

use crate::catalogue::Catalogue;
use crate::examine::{self, TableRows};
use crate::signers::Signer;

/// The work of a letter. Cheap to copy: a batch decides several times.
#[derive(Clone)]
pub enum Work {
    /// Records to be written.
    Records(Arc<[TableRows]>),
}

impl Work {
    /// Judges what a letter asks, without the letters already held.
    ///
    /// # Errors
    /// The refusal of a letter that asks what its agency may not have, or cannot be done whatever is held.
    pub fn of(request: &Request, signer: &Signer, catalogue: &Catalogue) -> Result<Work, Refusal> {
        match request {
            Request::Export(records) => {
                let tables = examine::examine(records, catalogue, &signer.profile, &signer.scopes)?;
                Ok(Work::Records(tables.into()))
            }
        }
    }

    /// Returns the service by which it is priced.
    pub fn service(&self) -> Service {
        match self {
            Work::Records(_) => Service::Export,
        }
    }

    /// Returns the rows that it writes, by table; none where it writes no records.
    pub fn tables(&self) -> &[TableRows] {
        match self {
            Work::Records(tables) => tables,
        }
    }

    /// Returns the same to be completed, as long as the work was not copied.
    pub fn tables_mut(&mut self) -> Option<&mut [TableRows]> {
        match self {
            Work::Records(tables) => Arc::get_mut(tables),
        }
    }

    /// Returns the acts that it is priced by: for each table its key and the number of records.
    pub fn acts(&self) -> Vec<(i32, usize)> {
        self.tables().iter().map(|rows| (rows.definition.table_id, rows.row_count())).collect()
    }
}
