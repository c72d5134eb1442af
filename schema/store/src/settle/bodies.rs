//! The bodies of answers, for services that return more than the receipt. The bodies are read in the settling transaction and split into
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

/// Upper bound on the octets that signing and encrypting add to a payload, so that a part still fits into its container when it is sealed:
/// for an RSA key of 4096 bits and the names of an issuer.
const SEALING_BYTES_MAX: usize = 1_200;

/// Largest number of parts of one answer. Each part is sent as a separate mail.
const PARTS_MAX: u16 = 16;

/// Bodies of answers, by the place of their letters in the batch.
pub type Bodies = HashMap<usize, AnswerContent>;

/// Reads the bodies of the answers to accepted letters. The agencies are locked and the rows of the letters are written, but no charge and
/// no verdict is written yet. Returns each body by the place of its letter in the batch.
///
/// # Errors
/// A fault of the database, with the place of the letter whose body was being read.
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

/// Writes the body of an answer as one payload per part. Each part fits into a container of `bytes_max`, the agency's limit, unless the
/// body cannot be split any further. The size is measured on the JSON form, because the packed form is never larger.
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
        // Packing a part takes processor time. The runtime gets a turn after each part, so that its other tasks do not wait for all parts.
        yield_now().await;
    }
    payloads
}
