//! The oracle compares the database with what the agencies sent, and reports what is lost, doubled or wrong.
//!
//! It does not use the engine's counters. Everything sent must have exactly one effect: an accepted letter has rows, a ledger entry, a
//! verdict and a receipt; a refused letter has a verdict, a quarantined container and a receipt; a mail of an unknown sender has only a
//! quarantined container. The oracle also reports what the database holds beyond that.

use std::collections::{BTreeMap, HashMap, HashSet};

use sdc::answer::notice::NOTICE;
use sdc::service::Service;
use serde::Serialize;
use store::database::Database;
use store::database::fault::Fault;

use crate::memory::{LetterMemory, Memory};

mod books;
mod centre;
mod chronicle;
mod given;
mod held;
mod letters;
mod papers;
mod tables;
#[cfg(test)]
mod tests;

use chronicle::Chronicle;
use held::{Held, HeldEntry};

/// Largest number of faults that are described in words. Further faults are only counted.
const TOLD_MAX: usize = 20;

/// The findings of the oracle.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Findings {
    /// Number of mails that the relay accepted.
    pub letters_sent: u64,
    /// Letters with the verdict "accepted".
    pub accepted: u64,
    /// Number of mails refused: letters with a refusing verdict, and quarantined mails without a verdict.
    pub refused: u64,
    /// Number of letters that the centre must refuse: attacks and mistakes that agencies send on purpose.
    pub bad_sent: u64,
    /// Number of refused mails by the code of the refusal.
    pub refused_by_reason: BTreeMap<String, u64>,
    /// Number of mails that carried a letter which the centre had already settled.
    pub duplicates: u64,
    /// Number of rows in the tables.
    pub rows: u64,
    /// The amount that was charged, in minor units of money.
    pub charged: i64,
    /// Number of receipts that their offices verified and whose content is right.
    pub receipts_verified: u64,
    /// Number of letters whose sender is verified. Each must get a receipt, only one however often the letter was sent.
    pub receipts_due: u64,
    /// Number of mails whose sender cannot be verified. They must get no receipt.
    pub unvouched: u64,
    /// Number of letters whose sender is verified but who got no receipt.
    pub receipts_missing: u64,
    /// Number of receipts with wrong content, and of answers that an office rejected.
    pub receipts_wrong: u64,
    /// Number of receipts that came again with the same content. After a kill the centre cannot know whether a receipt was already sent, so
    /// it sends the receipt again.
    pub receipts_repeated: u64,
    /// Number of letters that lack their effect, verdict, quarantined container or receipt.
    pub lost: u64,
    /// Number of rows, ledger entries and verdicts that exist more than once.
    pub doubled: u64,
    /// Number of rows, ledger entries and verdicts that no letter explains, or whose content differs from what was sent.
    pub wrong: u64,
    /// Number of containers in quarantine that belong to good letters.
    pub quarantined_innocent: u64,
    /// Amount by which the ledger differs from its own sums or from what the letters cost, in minor units of money.
    pub ledger_difference: i64,
    /// Median time from sending a letter to the commit of its verdict, in milliseconds.
    pub p50_ms: i64,
    /// 99th percentile of the times from sending a letter to the commit of its verdict, in milliseconds.
    pub p99_ms: i64,
    /// Time from sending to the commit of the verdict, in milliseconds, for the one letter that was sent when all others were settled.
    pub alone_ms: Option<i64>,
    /// Number of mails that the relay accepted, by the service that their letters use. Under `notice`, the number of notices that offices
    /// verified.
    pub letters_by_service: BTreeMap<&'static str, u64>,
    /// Number of answers to reading letters that are wrong: they give something else than was sent and accepted, give what the agency may
    /// not read, or have parts that contradict each other.
    pub reads_wrong: u64,
    /// Number of copies of letters whose sender was told that they are settled, and which have no effect at all: the journal has no line of
    /// them, and they are not in quarantine.
    pub acknowledged_missing: u64,
    /// Descriptions of the first faults.
    pub faults: Vec<String>,
}

impl Findings {
    /// Says whether the centre kept every promise: no count of faults is above 0.
    pub fn is_sound(&self) -> bool {
        let broken =
            self.lost + self.doubled + self.wrong + self.receipts_missing + self.receipts_wrong + self.reads_wrong;
        broken + self.quarantined_innocent + self.acknowledged_missing == 0 && self.ledger_difference == 0
    }

    fn tell(&mut self, fault: impl FnOnce() -> String) {
        if self.faults.len() < TOLD_MAX {
            self.faults.push(fault());
        }
    }
}

/// Compares the database with everything that was sent.
///
/// # Errors
/// The database cannot be reached.
pub async fn check(database: &Database, memory: &Memory) -> Result<Findings, Fault> {
    Ok(examine(Held::read(&mut *database.get().await?).await?, memory))
}

fn examine(held: Held, memory: &Memory) -> Findings {
    let bad_sent = sent(memory).filter(|(_, letter)| letter.expected.refusal().is_some()).count() as u64;
    let letters_by_service = by_service(memory);
    let mut findings = Findings { letters_sent: memory.mails(), bad_sent, letters_by_service, ..Findings::default() };
    let by_id =
        memory.letters.iter().enumerate().filter_map(|(at, letter)| Some(((letter.signer?, letter.letter_id), at)));
    // Two letters of an agency may have the same id; the later one is refused. The map must keep the earlier one, so it is filled in
    // reverse order.
    let by_id: HashMap<(i32, uuid::Uuid), usize> = by_id.rev().collect();
    let chronicle = Chronicle::of(memory);
    let mut charged: HashMap<i32, Vec<usize>> = HashMap::new();
    for (at, letter) in memory.letters.iter().enumerate() {
        if let (Some(agency), Some((_, 1..))) = (letter.signer, letter.expected.effect()) {
            charged.entry(agency).or_default().push(at);
        }
    }
    let mut books: HashMap<i32, Vec<HeldEntry>> = HashMap::new();
    for entry in &held.entries {
        books.entry(entry.agency).or_default().push(entry.clone());
    }
    let lost = HashSet::new();
    let mut inquiry = Inquiry { held, findings: &mut findings, lost, chronicle, by_id, charged, books };
    inquiry.verdicts(memory);
    inquiry.acknowledged(memory);
    inquiry.rows(memory);
    inquiry.history(memory);
    inquiry.entries(memory);
    inquiry.vouchers(memory);
    inquiry.quarantine(memory);
    inquiry.journal(memory);
    inquiry.receipts(memory);
    inquiry.balances(memory);
    inquiry.profiles(memory);
    inquiry.messages(memory);
    inquiry.notices(memory);
    inquiry.certificates(memory);
    inquiry.given(memory);
    let lost = inquiry.lost.len() as u64;
    findings.lost = lost;
    findings.refused = findings.refused_by_reason.values().sum();
    findings
}

/// Counts the mails that the relay accepted by service, and the verified notices.
fn by_service(memory: &Memory) -> BTreeMap<&'static str, u64> {
    let mut counts: BTreeMap<&'static str, u64> = Service::ALL.iter().map(|service| (service.name(), 0)).collect();
    for letter in &memory.letters {
        if let Some(service) = letter.service {
            *counts.entry(service.name()).or_default() += letter.copies;
        }
    }
    counts.insert(NOTICE, memory.notices.len() as u64);
    counts
}

struct Inquiry<'a> {
    held: Held,
    findings: &'a mut Findings,
    /// Indices in memory of letters that lack something. The set makes each letter count as lost once, whatever it lacks.
    lost: HashSet<usize>,
    /// The versions of each record, with their times.
    chronicle: Chronicle<'a>,
    /// Index in memory of each letter, by its signer and its id.
    by_id: HashMap<(i32, uuid::Uuid), usize>,
    /// Indices in memory of the letters that are charged, by their signer.
    charged: HashMap<i32, Vec<usize>>,
    /// The ledger entries of each agency, in the order in which they took effect.
    books: HashMap<i32, Vec<HeldEntry>>,
}

/// Returns the letters that the relay accepted; the others need have no effect.
fn sent(memory: &Memory) -> impl Iterator<Item = (usize, &LetterMemory)> {
    memory.letters.iter().enumerate().filter(|(_, letter)| letter.copies > 0)
}

impl Inquiry<'_> {
    fn lose(&mut self, at: usize, letter: &LetterMemory, what: &str) {
        if self.lost.insert(at) {
            self.findings.tell(|| match letter.signer {
                Some(agency) => format!("letter {} of agency {agency:06}: {what}", letter.letter_id),
                None => format!("letter {} of nobody known: {what}", letter.letter_id),
            });
        }
    }

    fn wrong(&mut self, fault: String) {
        self.findings.wrong += 1;
        self.findings.tell(|| fault);
    }

    fn double(&mut self, times: usize, what: impl FnOnce() -> String) {
        self.findings.doubled += times as u64;
        self.findings.tell(|| format!("there more than once: {}", what()));
    }

    /// Counts an answer that gives something wrong, and describes the fault.
    fn misread(&mut self, fault: impl FnOnce() -> String) {
        self.findings.reads_wrong += 1;
        self.findings.tell(fault);
    }
}
