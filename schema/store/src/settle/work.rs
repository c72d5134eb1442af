//! What a sound letter wants done. Settling tells services apart here, and nowhere else.
//!
//! The request is judged by itself into its work; the work is decided on by what is held, and done in the settling transaction.

use std::collections::HashMap;
use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use sdc::answer::{Answer, AnswerBody, AnswerContent};
use sdc::document::rendered_bytes;
use sdc::payload::{self, PayloadForm};
use sdc::refusal::Refusal;
use sdc::request::{Period, Request};
use sdc::service::Service;
use tokio::task::yield_now;
use uuid::Uuid;

use super::arrival::Arrival;
use super::decide::Decision;
use super::statement;
use crate::certificates::signers::Signer;
use crate::database::fault::Fault;
use crate::tables::catalogue::Catalogue;
use crate::tables::examine::{self, TableRows};

/// What signing and encrypting add to a payload, in octets: at most, for an RSA key of 4096 bits and names of an issuer.
const SEALING_BYTES_MAX: usize = 1_200;

/// Most parts of one answer: each is a mail of its own.
const PARTS_MAX: u16 = 16;

/// What answers give beside their receipts, by the place of their letters in the batch.
pub type Bodies = HashMap<usize, AnswerContent>;

/// The work of a letter. Cheap to copy: a batch decides several times.
#[derive(Clone)]
pub enum Work {
    /// Records to be written.
    Records(Arc<[TableRows]>),
    /// The statement of the account over some days.
    Statement(Period),
}

impl Work {
    /// Judges what a letter asks, without the letters already held.
    ///
    /// # Errors
    /// The refusal of a letter that asks what its agency may not have, or cannot be done whatever is held.
    pub fn of(request: &Request, signer: &Signer, catalogue: &Catalogue) -> Result<Work, Refusal> {
        match request {
            Request::Export(records) => {
                let tables = examine::examine(records, catalogue, &signer.plan, &signer.scopes)?;
                Ok(Work::Records(tables.into()))
            }
            Request::Account(period) => Ok(Work::Statement(*period)),
        }
    }

    /// Returns the service by which it is priced.
    pub fn service(&self) -> Service {
        match self {
            Work::Records(_) => Service::Export,
            Work::Statement(_) => Service::Account,
        }
    }

    /// Returns the rows that it writes, by table; none where it writes no records.
    pub fn tables(&self) -> &[TableRows] {
        match self {
            Work::Records(tables) => tables,
            Work::Statement(_) => &[],
        }
    }

    /// Returns the same to be completed, as long as the work was not copied.
    pub fn tables_mut(&mut self) -> Option<&mut [TableRows]> {
        match self {
            Work::Records(tables) => Arc::get_mut(tables),
            Work::Statement(_) => None,
        }
    }

    /// Returns the acts that it is priced by: for each table its key and the number of records.
    pub fn acts(&self) -> Vec<(i32, usize)> {
        self.tables().iter().map(|rows| (rows.definition.table_id, rows.row_count())).collect()
    }
}

/// Returns what a request asks of the database, in rows: those that it writes, or those that its answer may have.
pub fn rows(request: &Request) -> usize {
    match request {
        Request::Export(_) => request.rows(),
        Request::Account(_) => statement::ENTRIES_MAX,
    }
}

/// Reads under the agencies' locks what the answers of accepted letters give beside their receipts, by place in the batch. Nothing of
/// the batch is posted yet.
///
/// # Errors
/// A fault of the database, and the place of the letter over which it was met.
pub async fn bodies(
    connection: &AsyncPgConnection,
    batch: &[Arrival],
    decisions: &[Decision],
    catalogue: &Catalogue,
) -> Result<Bodies, (usize, Fault)> {
    let mut bodies = HashMap::new();
    for (place, decision) in decisions.iter().enumerate() {
        let Decision::Accepted { acceptance, account, .. } = decision else { continue };
        match acceptance.work {
            Work::Records(_) => {}
            Work::Statement(period) => {
                let asking = statement::Asking { batch, decisions, place, account, period };
                let statement = statement::read(connection, asking, &catalogue.server.currency).await;
                bodies.insert(place, AnswerContent::Statement(statement.map_err(|fault| (place, fault))?));
            }
        }
    }
    Ok(bodies)
}

/// Writes an answer's body as the payloads of its parts, each a container of its own within the agency's limit of `bytes_max` where
/// the body can be divided as far. Their JSON is measured: packed it is never larger.
pub async fn parts(answer: &Answer, body: AnswerContent, form: PayloadForm, bytes_max: usize) -> Vec<Vec<u8>> {
    let write = |part, parts, content, form| {
        let body = Some(AnswerBody { part, parts, content });
        payload::write_answer(&Answer { id: Uuid::now_v7(), body, ..answer.clone() }, form)
    };
    let octets = |frame| write(PARTS_MAX, PARTS_MAX, frame, PayloadForm::Json).len();
    let fits = |octets: usize| rendered_bytes(octets.saturating_add(SEALING_BYTES_MAX)) <= bytes_max;
    let contents: Vec<AnswerContent> = match body {
        AnswerContent::Statement(whole) => {
            let frame = octets(AnswerContent::Statement(statement::widest_frame(&whole)));
            let parts = statement::divide(whole, PARTS_MAX.into(), |entries| fits(frame.saturating_add(entries)));
            parts.into_iter().map(AnswerContent::Statement).collect()
        }
    };
    let parts = u16::try_from(contents.len()).unwrap_or(u16::MAX);
    let mut payloads = Vec::with_capacity(contents.len());
    for (part, content) in (1..).zip(contents) {
        payloads.push(write(part, parts, content, form));
        // Each is packed, which takes its time; others of this runtime have theirs between.
        yield_now().await;
    }
    payloads
}
