//! What answers give beside their receipts, where the service gives something: read in the settling transaction, and divided into
//! parts that each fit into a container.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use diesel_async::AsyncPgConnection;
use sdc::answer::certificate::IssuedCertificate;
use sdc::answer::{Answer, AnswerBody, AnswerContent};
use sdc::document::rendered_bytes;
use sdc::payload::{self, PayloadForm};
use tokio::task::yield_now;
use uuid::Uuid;

use super::batch::Case;
use super::certificates;
use super::decision::Decision;
use super::statement;
use super::work::Work;
use crate::database::fault::Fault;
use crate::tables::catalogue::Catalogue;

/// What signing and encrypting add to a payload, in octets: at most, for an RSA key of 4096 bits and names of an issuer.
const SEALING_BYTES_MAX: usize = 1_200;

/// Most parts of one answer: each is a mail of its own.
const PARTS_MAX: u16 = 16;

/// What answers give beside their receipts, by the place of their letters in the batch.
pub type Bodies = HashMap<usize, AnswerContent>;

/// Reads under the agencies' locks what the answers of accepted letters give beside their receipts, by place in the batch. Nothing of
/// the batch is posted yet.
///
/// # Errors
/// A fault of the database, and the place of the letter over which it was met.
pub async fn read(
    connection: &AsyncPgConnection,
    batch: &[Case],
    catalogue: &Catalogue,
) -> Result<Bodies, (usize, Fault)> {
    let mut bodies = HashMap::new();
    for (place, case) in batch.iter().enumerate() {
        let (Decision::Accepted { acceptance, account, .. }, Some(agency)) = (&case.decision, case.agency()) else {
            continue;
        };
        match &acceptance.work {
            Work::Records(_) | Work::Corrections(_) | Work::Read(..) | Work::Voucher(_) | Work::Message(_) => {}
            Work::Renew(_) => {
                let issued = acceptance.effect.certificate().map(|der| AnswerContent::Renewed(issued(der)));
                bodies.extend(issued.map(|issued| (place, issued)));
            }
            Work::Enrolled => {
                let Some(signer) = case.signer() else { continue };
                let der = certificates::of_key(connection, signer.certificate_id).await;
                let der = der.map_err(|fault| (place, fault))?;
                bodies.insert(place, AnswerContent::Enrolled(issued(&der)));
            }
            Work::Profile(_) => {
                bodies.extend(acceptance.effect.profile().map(|told| (place, AnswerContent::Profile(told))));
            }
            Work::Statement(period) => {
                let asking = statement::Asking { batch, place, agency, account, period: *period };
                let statement = statement::read(connection, asking, &catalogue.server.currency).await;
                bodies.insert(place, AnswerContent::Statement(statement.map_err(|fault| (place, fault))?));
            }
        }
    }
    Ok(bodies)
}

fn issued(der: &[u8]) -> IssuedCertificate {
    IssuedCertificate { certificate: BASE64.encode(der) }
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
        whole @ (AnswerContent::Profile(_) | AnswerContent::Renewed(_) | AnswerContent::Enrolled(_)) => vec![whole],
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
