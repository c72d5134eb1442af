//! The verdict on a letter with its receipt, as it is kept in `xm.letters`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sdc::answer::receipt::{AccountReceipt, Flag, ReadReceipt, Receipt, TableReceipt, Verdict};
use sdc::answer::{Addressee, Answer, AnswerContent};
use sdc::cms::ContentCipher;
use sdc::letter::{FORMAT_VERSION, Matricule};
use sdc::payload;
use sdc::refusal::Refusal;
use sdc::service::Credit;
use uuid::Uuid;

use super::account::Account;
use super::arrival::{Content, Outcome};
use super::batch::Case;
use super::bodies;
use super::decision::{Acceptance, Decision};
use super::flags::new_flags;
use super::judge::Key;
use crate::reading::Staged;
use crate::tables::catalogue::Catalogue;
use crate::tables::examine::TableRows;

/// A new verdict as it goes into `xm.letters`.
pub struct VerdictRow {
    pub agency: Matricule,
    pub key: Key,
    pub digest: Vec<u8>,
    pub outcome: Outcome,
    pub transport: &'static str,
    pub certificate_id: i32,
    pub cipher: ContentCipher,
    /// The answer with its receipt alone, as it is signed.
    pub receipt: Vec<u8>,
    /// What the answer gives beside the receipt: the payload of each part; none where the service gives nothing.
    pub parts: Vec<Vec<u8>>,
    pub received_at: DateTime<Utc>,
    /// When the letter was decided on: at its arrival, or when an operator had it tried again.
    pub decided_at: DateTime<Utc>,
    pub account: Account,
    pub cost: i64,
    pub balance_floor: Option<i64>,
    /// What was read for an accepted letter.
    pub staged: Option<Arc<Staged>>,
    /// What needs an explanation, each with the key of its table.
    pub flags: Vec<(i32, Flag)>,
}

impl VerdictRow {
    /// `body` is what the answer gives beside its receipt.
    pub async fn new(
        case: &Case,
        catalogue: &Catalogue,
        body: Option<AnswerContent>,
        decided_at: DateTime<Utc>,
    ) -> Option<VerdictRow> {
        let arrival = &case.arrival;
        let Content::Signed { signer, digest, cipher, form, .. } = &arrival.content else { return None };
        let (key, account, highest_sequence, acceptance, refusal) = match &case.decision {
            Decision::Accepted { key, acceptance, account, highest_sequence } => {
                (key, account, highest_sequence, Some(acceptance), None)
            }
            Decision::Refused { key, refusal, account, highest_sequence, .. } => {
                (key, account, highest_sequence, None, Some(refusal))
            }
            Decision::Stranger(_) | Decision::Duplicate(_) | Decision::Deferred => return None,
        };
        let cost = acceptance.map_or(0, |acceptance| acceptance.price.amount);
        let refuses_credit = acceptance.is_some_and(|acceptance| acceptance.price.credit == Credit::Refuse);
        let balance = AccountReceipt { cost, balance: account.balance, currency: catalogue.server.currency.clone() };
        let flags = acceptance.map(new_flags).unwrap_or_default();
        let staged = acceptance.and_then(|acceptance| acceptance.work.staged().cloned());
        let mut receipt = receipt(case, key, acceptance, refusal, balance, *highest_sequence);
        receipt.flags.extend(flags.iter().map(|(_, flag)| flag.clone()));
        receipt.read = staged.as_ref().map(|staged| ReadReceipt {
            acts: u64::try_from(staged.acts).unwrap_or(u64::MAX),
            parts: staged.parts,
            bytes: staged.bytes,
        });
        let answer = Answer {
            sdc: FORMAT_VERSION,
            id: Uuid::now_v7(),
            from: catalogue.server.name.clone(),
            to: Addressee {
                agency: signer.matricule,
                installation: (!key.installation.is_empty()).then(|| key.installation.clone()),
            },
            time: decided_at,
            mode: catalogue.server.mode,
            receipt,
            body: None,
        };
        let parts = match body {
            Some(body) => bodies::parts(&answer, body, *form, signer.letter_bytes_max).await,
            None => Vec::new(),
        };
        Some(VerdictRow {
            agency: signer.matricule,
            key: key.clone(),
            digest: digest.as_bytes().to_vec(),
            outcome: case.outcome(),
            transport: arrival.source.transport,
            certificate_id: signer.certificate_id,
            cipher: *cipher,
            receipt: payload::write_answer(&answer, *form),
            parts,
            received_at: arrival.received_at,
            decided_at,
            account: *account,
            cost,
            balance_floor: refuses_credit.then_some(-account.credit_limit),
            staged,
            flags,
        })
    }
}

fn receipt(
    case: &Case,
    key: &Key,
    acceptance: Option<&Acceptance>,
    refusal: Option<&Refusal>,
    account: AccountReceipt,
    highest_sequence: i64,
) -> Receipt {
    let (digest, letter) = match &case.arrival.content {
        Content::Signed { digest, letter, .. } => (digest.to_string(), letter.as_ref().ok()),
        Content::Stranger(_) => (String::new(), None),
    };
    let own_id = key.sequence.is_some().then_some(key.letter_id).or(letter.map(|letter| letter.id));
    let sequence = key.sequence.and_then(|number| u64::try_from(number).ok()).or(letter.map(|letter| letter.sequence));
    Receipt {
        letter: own_id,
        digest,
        sequence,
        attempt: key.attempt.unsigned_abs(),
        verdict: if acceptance.is_some() { Verdict::Accepted } else { Verdict::Refused },
        refusal: refusal.cloned(),
        remedy: refusal.and_then(|refusal| refusal.code.remedy()),
        rows: acceptance.map(table_receipts).unwrap_or_default(),
        flags: Vec::new(),
        read: None,
        account,
        highest_sequence: u64::try_from(highest_sequence).unwrap_or(0),
        received: case.arrival.received_at,
        skew_seconds: case.skew_seconds(),
    }
}

fn table_receipts(acceptance: &Acceptance) -> Vec<TableReceipt> {
    let count = |marks: &[bool], wanted: bool| {
        u32::try_from(marks.iter().filter(|new| **new == wanted).count()).unwrap_or(u32::MAX)
    };
    let receipt = |(rows, marks): (&TableRows, &[bool])| TableReceipt {
        table: rows.definition.name.clone(),
        new: count(marks, true),
        duplicate: count(marks, false),
    };
    acceptance.tables().map(receipt).collect()
}
