//! What a sound letter asks to have done. Settling tells services apart here, and in `bodies` for their answers; nowhere else.
//!
//! Judging turns the request into its work; deciding looks at what the centre holds, and the settling transaction does the work.

use std::sync::Arc;

use sdc::refusal::Refusal;
use sdc::request::{Period, Request};
use sdc::service::Service;

use crate::certificates::signers::Signer;
use crate::reading::{Read, Staged};
use crate::tables::catalogue::Catalogue;
use crate::tables::examine::{self, TableRows};

/// Entries that a statement of account tells, the newest ones. The bound limits what one letter makes the centre hold and send, and
/// how long its agency is locked. An office takes no more than a thousand objects in a member.
pub const STATEMENT_ENTRIES_MAX: usize = 500;

/// The work of a letter. Cheap to copy: a batch decides several times.
#[derive(Clone)]
pub enum Work {
    /// Records to be written.
    Records(Arc<[TableRows]>),
    /// What was read for the letter; absent where it has to be read first, or by other rights than when it was.
    Read(Service, Option<Arc<Staged>>),
    /// The statement of the account over some days.
    Statement(Period),
}

impl Work {
    /// Judges what a letter asks, without the letters already held.
    ///
    /// # Errors
    /// The refusal of a letter that asks for what its agency may not have, or for what cannot be done whatever the centre holds.
    pub fn of(request: &Request, read: Option<&Read>, signer: &Signer, catalogue: &Catalogue) -> Result<Work, Refusal> {
        match request {
            Request::Export(records) => {
                let tables = examine::examine(records, catalogue, &signer.plan, &signer.scopes)?;
                Ok(Work::Records(tables.into()))
            }
            Request::Import(_) | Request::Certify(_) => match read {
                Some(Read::Refused(refusal)) => Err(refusal.clone()),
                Some(Read::Staged(staged)) => {
                    let holds = staged.permit.as_ref().is_none_or(|permit| permit.holds(signer, catalogue));
                    Ok(Work::Read(request.service(), holds.then(|| Arc::clone(staged))))
                }
                None => Ok(Work::Read(request.service(), None)),
            },
            Request::Account(period) => Ok(Work::Statement(*period)),
        }
    }

    /// Returns the service by which it is priced.
    pub fn service(&self) -> Service {
        match self {
            Work::Records(_) => Service::Export,
            Work::Read(service, _) => *service,
            Work::Statement(_) => Service::Account,
        }
    }

    /// Returns the rows that it writes, by table; none where it writes no records.
    pub fn tables(&self) -> &[TableRows] {
        match self {
            Work::Records(tables) => tables,
            Work::Read(..) | Work::Statement(_) => &[],
        }
    }

    /// Returns what was read, where it was.
    pub fn staged(&self) -> Option<&Arc<Staged>> {
        match self {
            Work::Read(_, staged) => staged.as_ref(),
            Work::Records(_) | Work::Statement(_) => None,
        }
    }

    /// Returns the same, to be completed; none once the work has been copied.
    pub fn tables_mut(&mut self) -> Option<&mut [TableRows]> {
        match self {
            Work::Records(tables) => Arc::get_mut(tables),
            Work::Read(..) | Work::Statement(_) => None,
        }
    }

    /// Returns the acts that it is priced by: for each table its key and the number of records, or of keys answered.
    pub fn acts(&self) -> Vec<(i32, usize)> {
        if let Some(staged) = self.staged().filter(|staged| !staged.is_free) {
            return staged.permit.iter().map(|permit| (permit.table_id, staged.acts)).collect();
        }
        self.tables().iter().map(|rows| (rows.definition.table_id, rows.row_count())).collect()
    }

    /// Returns how many units of 1 024 bytes the containers begin that it is answered with beside its receipt.
    pub fn started_kb(&self) -> usize {
        self.staged().map_or(0, |staged| staged.started_kb)
    }

    /// Says whether it has to be read before it can be settled.
    pub fn is_unread(&self) -> bool {
        matches!(self, Work::Read(_, None))
    }
}

/// Returns how much work a request is for the database, in rows: those that it writes, or those that its answer may have.
pub fn rows(request: &Request) -> usize {
    match request {
        Request::Export(_) => request.rows(),
        Request::Import(_) | Request::Certify(_) => 1,
        Request::Account(_) => STATEMENT_ENTRIES_MAX,
    }
}
