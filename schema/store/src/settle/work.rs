//! What a sound letter asks to have done. Settling tells services apart here, in `services` for what is read and written besides, and in
//! `bodies` for their answers; nowhere else.
//!
//! Judging turns the request into its work; deciding looks at what the centre holds, and the settling transaction does the work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sdc::expected::Expected;
use sdc::keys::RegisteredCertificate;
use sdc::refusal::{Refusal, RefusalCode};
use sdc::request::{Message, Period, ProfileChange, Request, VoucherCode};
use sdc::service::Service;

use super::corrections::correction::Correction;
use super::corrections::judged;
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
    /// Records that are corrected.
    Corrections(Arc<[Correction]>),
    /// What was read for the letter; absent where it has to be read first, or by other rights than when it was.
    Read(Service, Option<Arc<Staged>>),
    /// The statement of the account over some days.
    Statement(Period),
    /// The agency's profile, and a change of it.
    Profile(Option<Arc<ProfileChange>>),
    /// The credit of a voucher.
    Voucher(VoucherCode),
    /// Text for the operators.
    Message(Arc<Message>),
    /// A certificate of the key that takes the place of the one that signed, signed by itself.
    Renew(Arc<RegisteredCertificate>),
    /// The certificate of the key that signed.
    Enrolled,
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
            Request::Correct(asked) => Ok(Work::Corrections(judged::judge(asked, signer, catalogue)?.into())),
            Request::Import(_) | Request::Certify(_) => match read {
                Some(Read::Refused(refusal)) => Err(refusal.clone()),
                Some(Read::Staged(staged)) => {
                    let holds = staged.permit.as_ref().is_none_or(|permit| permit.holds(signer, catalogue));
                    Ok(Work::Read(request.service(), holds.then(|| Arc::clone(staged))))
                }
                None => Ok(Work::Read(request.service(), None)),
            },
            Request::Account(period) => Ok(Work::Statement(*period)),
            Request::Profile(profile) => Ok(Work::Profile(profile.set.clone().map(Arc::new))),
            Request::Recharge(recharge) => Ok(Work::Voucher(recharge.code.clone())),
            Request::Message(message) => Ok(Work::Message(Arc::new(message.clone()))),
            Request::Renew(renew) => match RegisteredCertificate::self_signed(&renew.certificate) {
                Ok(brought) => Ok(Work::Renew(Arc::new(brought))),
                Err(_no_certificate) => {
                    Err(Refusal::new(RefusalCode::CertificateInvalid).with("expected", Expected::SelfSigned))
                }
            },
            Request::Enrol(_) => Ok(Work::Enrolled),
        }
    }

    /// Returns the service by which it is priced.
    pub fn service(&self) -> Service {
        match self {
            Work::Records(_) => Service::Export,
            Work::Corrections(_) => Service::Correct,
            Work::Read(service, _) => *service,
            Work::Statement(_) => Service::Account,
            Work::Profile(_) => Service::Profile,
            Work::Voucher(_) => Service::Recharge,
            Work::Message(_) => Service::Message,
            Work::Renew(_) => Service::Renew,
            Work::Enrolled => Service::Enrol,
        }
    }

    /// Returns the rows that it writes, by table; none where it writes no records.
    pub fn tables(&self) -> &[TableRows] {
        match self {
            Work::Records(tables) => tables,
            _ => &[],
        }
    }

    /// Returns what was read, where it was.
    pub fn staged(&self) -> Option<&Arc<Staged>> {
        match self {
            Work::Read(_, staged) => staged.as_ref(),
            _ => None,
        }
    }

    /// Returns what it corrects.
    pub fn corrections(&self) -> &[Correction] {
        match self {
            Work::Corrections(corrections) => corrections,
            _ => &[],
        }
    }

    /// Returns the same, to be completed; none once the work has been copied.
    pub fn corrections_mut(&mut self) -> Option<&mut [Correction]> {
        match self {
            Work::Corrections(corrections) => Arc::get_mut(corrections),
            _ => None,
        }
    }

    /// Goes through the rows that checks look at: those that it writes, and of what it corrects those before and after.
    pub fn rows_looked_at(&self) -> impl Iterator<Item = &TableRows> {
        self.tables().iter().chain(self.corrections().iter().flat_map(Correction::rows))
    }

    /// Returns the same, to be completed; none once the work has been copied.
    pub fn tables_mut(&mut self) -> Option<&mut [TableRows]> {
        match self {
            Work::Records(tables) => Arc::get_mut(tables),
            _ => None,
        }
    }

    /// Returns the keys of the tables that it writes to.
    pub fn table_ids(&self) -> impl Iterator<Item = i32> {
        let corrected: BTreeSet<i32> = self.corrections().iter().map(|one| one.definition.table_id).collect();
        self.tables().iter().map(|rows| rows.definition.table_id).chain(corrected)
    }

    /// Says whether one of its tables has results.
    pub fn is_of_results(&self) -> bool {
        self.tables().iter().any(|rows| rows.definition.results)
            || self.corrections().iter().any(|correction| correction.definition.results)
    }

    /// Returns the acts that it is priced by: for each table its key and the number of records, or of keys answered.
    pub fn acts(&self) -> Vec<(i32, usize)> {
        if let Some(staged) = self.staged().filter(|staged| !staged.is_free) {
            return staged.permit.iter().map(|permit| (permit.table_id, staged.acts)).collect();
        }
        let mut corrected = BTreeMap::new();
        for correction in self.corrections() {
            *corrected.entry(correction.definition.table_id).or_default() += 1;
        }
        let written = self.tables().iter().map(|rows| (rows.definition.table_id, rows.row_count()));
        written.chain(corrected).collect()
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
        Request::Export(_) | Request::Correct(_) => request.rows(),
        Request::Import(_) | Request::Certify(_) => 1,
        Request::Account(_) => STATEMENT_ENTRIES_MAX,
        Request::Profile(_) | Request::Recharge(_) | Request::Message(_) | Request::Renew(_) | Request::Enrol(_) => 1,
    }
}
