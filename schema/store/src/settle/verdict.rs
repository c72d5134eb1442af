//! The verdict on a letter, with its receipt, as a row of `xm.letters`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sdc::answer::receipt::{self, AccountReceipt, Flag, ReadReceipt, Receipt, TableReceipt, Verdict};
use sdc::answer::{Addressee, Answer, AnswerContent};
use sdc::cms::ContentCipher;
use sdc::letter::{FORMAT_VERSION, Matricule};
use sdc::payload;
use sdc::service::Credit;
use uuid::Uuid;

use super::account::Account;
use super::arrival::{Content, Outcome};
use super::batch::Case;
use super::bodies;
use super::corrections::correction::{Correction, Fate};
use super::decision::{Acceptance, Decision};
use super::effect::Redeemed;
use super::flags::new_flags;
use super::judge::Key;
use crate::reading::Staged;
use crate::tables::catalogue::Catalogue;
use crate::tables::examine::TableRows;

/// A new verdict, as a row of `xm.letters`.
pub struct VerdictRow {
    pub agency: Matricule,
    pub key: Key,
    pub digest: Vec<u8>,
    pub outcome: Outcome,
    pub transport: &'static str,
    pub certificate_id: i32,
    /// Highest number of a notice that the installation has verified, as stated in the letter; absent if the letter does not state it.
    pub seen: Option<i64>,
    pub cipher: ContentCipher,
    /// The signed payload of the answer that contains only the receipt.
    pub receipt: Vec<u8>,
    /// The payload of each part of the answer's body; empty if the answer contains only the receipt.
    pub parts: Vec<Vec<u8>>,
    pub received_at: DateTime<Utc>,
    /// Time of the decision: the arrival of the letter, or an operator's retry.
    pub decided_at: DateTime<Utc>,
    pub account: Account,
    pub cost: i64,
    /// The voucher that is credited to the account; absent for letters without a voucher.
    pub credit: Option<Redeemed>,
    pub balance_floor: Option<i64>,
    /// The agency's former address, if the letter changed the address. The answer is then sent there: if somebody else changed the address,
    /// the office learns of it.
    pub email: Option<String>,
    /// The parts of the answer that were stored before settling, for an accepted letter that requests records; `None` for all other
    /// letters.
    pub staged: Option<Arc<Staged>>,
    /// The flags that operators must explain, each with the id of its table.
    pub flags: Vec<(i32, Flag)>,
}

impl VerdictRow {
    /// Makes the row of a case. `body` is the body of its answer. Returns `None` for a case without a new verdict.
    pub async fn new(
        case: &Case,
        (catalogue, epoch): (&Catalogue, u32),
        body: Option<AnswerContent>,
        decided_at: DateTime<Utc>,
    ) -> Option<VerdictRow> {
        let arrival = &case.arrival;
        let Content::Signed { signer, digest, cipher, form, .. } = &arrival.content else { return None };
        let (key, account, highest_sequence) = match &case.decision {
            Decision::Accepted { key, account, highest_sequence, .. }
            | Decision::Refused { key, account, highest_sequence, .. }
            | Decision::Held { key, account, highest_sequence, .. } => (key, account, highest_sequence),
            Decision::Stranger(_) | Decision::Duplicate(_) | Decision::Deferred => return None,
        };
        let acceptance = case.acceptance();
        let cost = acceptance.map_or(0, |acceptance| acceptance.price.amount);
        let refuses_credit = acceptance.is_some_and(|acceptance| acceptance.price.credit == Credit::Refuse);
        let balance = AccountReceipt { cost, balance: account.balance, currency: catalogue.server.currency.clone() };
        let flags = acceptance.map(new_flags).unwrap_or_default();
        let mut receipt = Receipt { epoch, ..receipt_of(case, key, balance, *highest_sequence) };
        let staged = acceptance.and_then(|acceptance| acceptance.work.staged().cloned());
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
            seen: case.letter().and_then(|letter| letter.seen).and_then(|seen| i64::try_from(seen).ok()),
            cipher: *cipher,
            receipt: payload::write_answer(&answer, *form),
            parts,
            received_at: arrival.received_at,
            decided_at,
            account: *account,
            cost,
            credit: acceptance.and_then(|acceptance| acceptance.effect.credit().cloned()),
            email: acceptance.and_then(|acceptance| acceptance.effect.former_email().map(str::to_owned)),
            balance_floor: refuses_credit.then_some(-account.credit_limit),
            staged,
            flags,
        })
    }
}

fn receipt_of(case: &Case, key: &Key, account: AccountReceipt, highest_sequence: i64) -> Receipt {
    let (digest, letter) = match &case.arrival.content {
        Content::Signed { digest, letter, .. } => (digest.to_string(), letter.as_ref().ok()),
        Content::Stranger(_) => (String::new(), None),
    };
    let (acceptance, refusal, hold) = match &case.decision {
        Decision::Refused { refusal, .. } => (None, Some(refusal), None),
        Decision::Held { hold, .. } => (None, None, Some(hold)),
        _ => (case.acceptance(), None, None),
    };
    let own_id = key.sequence.is_some().then_some(key.letter_id).or(letter.map(|letter| letter.id));
    let sequence = key.sequence.and_then(|number| u64::try_from(number).ok()).or(letter.map(|letter| letter.sequence));
    Receipt {
        letter: own_id,
        digest,
        sequence,
        attempt: key.attempt.unsigned_abs(),
        epoch: 1,
        verdict: match (acceptance, hold) {
            (Some(_), _) => Verdict::Accepted,
            (None, Some(_)) => Verdict::Held,
            (None, None) => Verdict::Refused,
        },
        refusal: refusal.cloned(),
        remedy: refusal.and_then(|refusal| refusal.code.remedy()),
        hold: hold.map(|hold| receipt::Hold {
            code: hold.code,
            checks: hold.found.iter().map(|found| found.flag.clone()).collect(),
        }),
        rows: match (acceptance, hold) {
            (Some(acceptance), _) => table_receipts(acceptance),
            (None, Some(hold)) => correction_receipts(hold.work.corrections(), &[]),
            (None, None) => Vec::new(),
        },
        flags: Vec::new(),
        read: None,
        account,
        highest_sequence: u64::try_from(highest_sequence).unwrap_or(0),
        received: case.arrival.received_at,
        skew_seconds: case.skew_seconds(),
    }
}

/// Counts the results of corrections by table, for the receipt. A correction that has no result yet, as in a held letter, counts as
/// waiting.
fn correction_receipts(corrections: &[Correction], fates: &[Fate]) -> Vec<TableReceipt> {
    let mut receipts: Vec<TableReceipt> = Vec::new();
    for (at, correction) in corrections.iter().enumerate() {
        let table = &correction.definition.name;
        let place = receipts.iter().position(|known| known.table == *table).unwrap_or_else(|| {
            receipts.push(TableReceipt { table: table.clone(), ..TableReceipt::default() });
            receipts.len() - 1
        });
        let receipt = &mut receipts[place];
        match fates.get(at) {
            Some(Fate::Replaced) => receipt.replaced += 1,
            Some(Fate::Cancelled) => receipt.cancelled += 1,
            Some(Fate::Superseded) => receipt.superseded += 1,
            None => receipt.waiting += 1,
        }
    }
    receipts
}

fn table_receipts(acceptance: &Acceptance) -> Vec<TableReceipt> {
    if !acceptance.fates.is_empty() {
        return correction_receipts(acceptance.work.corrections(), &acceptance.fates);
    }
    let count = |marks: &[bool], wanted: bool| {
        u32::try_from(marks.iter().filter(|new| **new == wanted).count()).unwrap_or(u32::MAX)
    };
    let receipt = |(rows, marks): (&TableRows, &[bool])| TableReceipt {
        table: rows.definition.name.clone(),
        new: count(marks, true),
        duplicate: count(marks, false),
        ..TableReceipt::default()
    };
    acceptance.tables().map(receipt).collect()
}
