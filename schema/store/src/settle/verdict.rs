//! What was decided of each arrival, as it is written down: the verdict with its receipt, and the line of the journal.

use chrono::{DateTime, Utc};
use sdc::answer::receipt::{AccountReceipt, Flag, Receipt, TableReceipt, Verdict};
use sdc::answer::{Addressee, Answer, AnswerContent};
use sdc::cms::ContentCipher;
use sdc::letter::FORMAT_VERSION;
use sdc::payload;
use sdc::refusal::Refusal;
use sdc::service::Credit;
use uuid::Uuid;

use super::arrival::{Arrival, Content, Outcome};
use super::decide::{Acceptance, Decision};
use super::flags::{count_new, new_flags};
use super::judge::Key;
use super::reads::Account;
use super::work;
use crate::tables::catalogue::Catalogue;

pub fn outcome(arrival: &Arrival, decision: &Decision) -> Outcome {
    match decision {
        Decision::Stranger(refusal) | Decision::Refused { refusal, .. } => Outcome::Refused(refusal.code),
        Decision::Duplicate(_) if arrival.source.is_fetched_again => Outcome::SettledBefore,
        Decision::Duplicate(_) => Outcome::Duplicate,
        Decision::Accepted { .. } => Outcome::Accepted,
        Decision::Deferred => Outcome::Deferred,
    }
}

/// A new verdict as it goes into `xm.letters`.
pub struct VerdictRow {
    pub agency: i32,
    pub key: Key,
    pub digest: Vec<u8>,
    pub outcome: Outcome,
    pub transport: &'static str,
    pub certificate_id: i32,
    pub cipher: ContentCipher,
    /// The answer with its receipt alone, as it is signed.
    pub receipt: Vec<u8>,
    /// What it gives beside the receipt: the payload of each part; none where the service gives nothing.
    pub parts: Vec<Vec<u8>>,
    pub received_at: DateTime<Utc>,
    /// When it was decided: at its arrival, or when an operator had it tried again.
    pub decided_at: DateTime<Utc>,
    pub account: Account,
    pub cost: i64,
    pub balance_floor: Option<i64>,
    /// What needs an explanation, each with the key of its table.
    pub flags: Vec<(i32, Flag)>,
}

impl VerdictRow {
    /// `body` is what the answer gives beside its receipt.
    pub async fn new(
        arrival: &Arrival,
        decision: &Decision,
        catalogue: &Catalogue,
        body: Option<AnswerContent>,
        decided_at: DateTime<Utc>,
    ) -> Option<VerdictRow> {
        let Content::Signed { signer, digest, cipher, form, .. } = &arrival.content else { return None };
        let (key, account, highest_sequence, acceptance, refusal) = match decision {
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
        let mut receipt = receipt(arrival, key, acceptance, refusal, balance, *highest_sequence);
        receipt.flags.extend(flags.iter().map(|(_, flag)| flag.clone()));
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
            Some(body) => work::parts(&answer, body, *form, signer.letter_bytes_max).await,
            None => Vec::new(),
        };
        Some(VerdictRow {
            agency: signer.matricule.as_i32(),
            key: key.clone(),
            digest: digest.as_bytes().to_vec(),
            outcome: outcome(arrival, decision),
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
            flags,
        })
    }
}

fn receipt(
    arrival: &Arrival,
    key: &Key,
    acceptance: Option<&Acceptance>,
    refusal: Option<&Refusal>,
    account: AccountReceipt,
    highest_sequence: i64,
) -> Receipt {
    let (digest, letter) = match &arrival.content {
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
        account,
        highest_sequence: u64::try_from(highest_sequence).unwrap_or(0),
        received: arrival.received_at,
        skew_seconds: letter.map(|letter| skew_seconds(letter.time, arrival.received_at)),
    }
}

fn table_receipts(acceptance: &Acceptance) -> Vec<TableReceipt> {
    let count = |marks: &[bool], wanted: bool| {
        u32::try_from(marks.iter().filter(|new| **new == wanted).count()).unwrap_or(u32::MAX)
    };
    let tables = acceptance.work.tables().iter().zip(&acceptance.is_new);
    tables
        .map(|(rows, marks)| TableReceipt {
            table: rows.definition.name.clone(),
            new: count(marks, true),
            duplicate: count(marks, false),
        })
        .collect()
}

fn skew_seconds(office: DateTime<Utc>, centre: DateTime<Utc>) -> i64 {
    office.signed_duration_since(centre).num_seconds()
}

/// What happened to an arrival, as it goes into `xm.journal`.
pub struct JournalLine<'a> {
    pub id: i64,
    pub arrival: &'a Arrival,
    /// When the container came, or an operator had it tried again.
    pub at: DateTime<Utc>,
    pub agency: Option<i32>,
    pub key: Option<&'a Key>,
    pub digest: Option<&'a [u8]>,
    pub service: Option<&'static str>,
    pub outcome: Outcome,
    /// Which attempt at a letter it is; absent where there is no letter.
    pub attempt: Option<i16>,
    pub rows: usize,
    pub flags: usize,
    pub cost: i64,
    pub skew_seconds: Option<i64>,
}

impl<'a> JournalLine<'a> {
    pub fn new(id: i64, arrival: &'a Arrival, decision: &'a Decision, at: DateTime<Utc>) -> JournalLine<'a> {
        let key = match decision {
            Decision::Stranger(_) | Decision::Deferred => None,
            Decision::Duplicate(key) | Decision::Accepted { key, .. } | Decision::Refused { key, .. } => Some(key),
        };
        let (digest, letter) = match &arrival.content {
            Content::Stranger(_) => (None, None),
            Content::Signed { digest, letter, .. } => (Some(digest.as_bytes().as_slice()), letter.as_ref().ok()),
        };
        let acceptance = decision.acceptance();
        JournalLine {
            id,
            arrival,
            at,
            agency: arrival.signer().map(|signer| signer.matricule.as_i32()),
            key,
            digest,
            service: letter.map(|letter| letter.request.service().name()),
            outcome: outcome(arrival, decision),
            attempt: key.map(|key| key.attempt),
            rows: acceptance.map_or(0, |acceptance| acceptance.is_new.iter().flatten().filter(|new| **new).count()),
            flags: acceptance.map_or(0, count_new),
            cost: acceptance.map_or(0, |acceptance| acceptance.price.amount),
            skew_seconds: letter.map(|letter| skew_seconds(letter.time, arrival.received_at)),
        }
    }
}
