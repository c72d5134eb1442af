//! The work that a sound letter requests. In the module `settle`, services are distinguished only here, in `services` (their effects
//! besides records) and in `bodies` (their answers).
//!
//! Judging turns the letter's request into its work. Deciding compares the work with what is stored at the centre. The settling transaction
//! then does the work.

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

/// Largest number of entries that a statement of account lists; if there are more, the newest are listed. The limit bounds what the centre
/// must store and send for one letter, and how long the agency is locked. It is below the thousand objects that an office accepts in one
/// member of a JSON answer.
pub const STATEMENT_ENTRIES_MAX: usize = 500;

/// The work of a letter. It can be copied cheaply, because a batch is decided several times.
#[derive(Clone)]
pub enum Work {
    /// Writes records.
    Records(Arc<[TableRows]>),
    /// Corrects records.
    Corrections(Arc<[Correction]>),
    /// Answers with the records that were read for a letter of this service. The reading is `None` if it is still to be done, or was done
    /// under rights that the agency no longer has.
    Read(Service, Option<Arc<Staged>>),
    /// Answers with the statement of the account for a period.
    Statement(Period),
    /// Answers with the agency's profile, after the change if the letter requests one.
    Profile(Option<Arc<ProfileChange>>),
    /// Credits a voucher.
    Voucher(VoucherCode),
    /// Stores a message for the operators.
    Message(Arc<Message>),
    /// Registers a certificate of the agency's next key, self-signed by that key.
    Renew(Arc<RegisteredCertificate>),
    /// Answers with the certificate of the enrolled key that signed the letter.
    Enrolled,
}

impl Work {
    /// Judges the request of a letter, without comparing it with stored letters and records.
    ///
    /// # Errors
    /// The refusal of a letter that requests something its agency may not have, or something that is impossible whatever is stored.
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

    /// Returns the service by which the work is priced.
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

    /// Returns the rows that the work writes, by table; empty if it writes no records.
    pub fn tables(&self) -> &[TableRows] {
        match self {
            Work::Records(tables) => tables,
            _ => &[],
        }
    }

    /// Returns the stored reading; `None` if nothing was read.
    pub fn staged(&self) -> Option<&Arc<Staged>> {
        match self {
            Work::Read(_, staged) => staged.as_ref(),
            _ => None,
        }
    }

    /// Returns the corrections; empty for other work.
    pub fn corrections(&self) -> &[Correction] {
        match self {
            Work::Corrections(corrections) => corrections,
            _ => &[],
        }
    }

    /// Returns the corrections, for the look-up to complete them. Returns `None` for work that corrects nothing. Also returns `None` once
    /// the `Arc` of the corrections has been cloned: nobody may change what another owner reads.
    pub fn corrections_mut(&mut self) -> Option<&mut [Correction]> {
        match self {
            Work::Corrections(corrections) => Arc::get_mut(corrections),
            _ => None,
        }
    }

    /// Returns the rows that checks look at: the rows that are written, and for each correction the record before and after.
    pub fn rows_looked_at(&self) -> impl Iterator<Item = &TableRows> {
        self.tables().iter().chain(self.corrections().iter().flat_map(Correction::rows))
    }

    /// Returns the rows that the work writes, so that the caller can change them. Returns `None` for work that writes no records. Also
    /// returns `None` once the `Arc` of the rows has been cloned: nobody may change what another owner reads.
    pub fn tables_mut(&mut self) -> Option<&mut [TableRows]> {
        match self {
            Work::Records(tables) => Arc::get_mut(tables),
            _ => None,
        }
    }

    /// Returns the ids of the tables that the work writes to.
    pub fn table_ids(&self) -> impl Iterator<Item = i32> {
        let corrected: BTreeSet<i32> = self.corrections().iter().map(|one| one.definition.table_id).collect();
        self.tables().iter().map(|rows| rows.definition.table_id).chain(corrected)
    }

    /// Says whether one of the work's tables is marked `results`.
    pub fn is_of_results(&self) -> bool {
        self.tables().iter().any(|rows| rows.definition.results)
            || self.corrections().iter().any(|correction| correction.definition.results)
    }

    /// Returns the acts that determine the price: for each table, its id and the number of records that the letter sends or corrects, or
    /// that its answer contains. For a certify, each legal key in the answer is an act.
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

    /// Returns the number of started units of 1 024 octets in the answer's containers besides the receipt.
    pub fn started_kb(&self) -> usize {
        self.staged().map_or(0, |staged| staged.started_kb)
    }

    /// Says whether records must be read before the work can be settled.
    pub fn is_unread(&self) -> bool {
        matches!(self, Work::Read(_, None))
    }
}

/// Returns how much work a request is for the database, in rows: the rows that it writes, or the rows that its answer may have. Batches are
/// bounded by this number.
pub fn rows(request: &Request) -> usize {
    match request {
        Request::Export(_) | Request::Correct(_) => request.rows(),
        Request::Import(_) | Request::Certify(_) => 1,
        Request::Account(_) => STATEMENT_ENTRIES_MAX,
        Request::Profile(_) | Request::Recharge(_) | Request::Message(_) | Request::Renew(_) | Request::Enrol(_) => 1,
    }
}
