//! Compares the database with what the agencies sent, and says what is lost, doubled or wrong.
//!
//! Nothing here looks at a counter of the engine. Everything sent must have exactly one effect: rows, entry, verdict and
//! receipt for what is accepted; verdict, quarantine and receipt for what is refused; quarantine alone for strangers.
//! What the database holds beyond that is told as well.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use store::database::Database;
use store::database::fault::Fault;

use crate::memory::{Expected, LetterMemory, Memory, ReceiptMemory};
use crate::town::INSTALLATION;

mod reads;
#[cfg(test)]
mod tests;

use reads::Held;

/// Faults described in words; those beyond are only counted.
const TOLD_MAX: usize = 20;

/// What the oracle found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Findings {
    /// Mails that the relay took.
    pub letters_sent: u64,
    /// Letters with the verdict "accepted".
    pub accepted: u64,
    /// Mails refused: by a verdict, or into quarantine without one.
    pub refused: u64,
    /// Letters that must be refused: attacks and mistakes, sent on purpose.
    pub bad_sent: u64,
    /// The refused ones by reason.
    pub refused_by_reason: BTreeMap<String, u64>,
    /// Mails that brought nothing new.
    pub duplicates: u64,
    /// Rows in the tables.
    pub rows: u64,
    /// Minor units charged.
    pub charged: i64,
    /// Receipts that their offices opened and verified, and that say what had to be said.
    pub receipts_verified: u64,
    /// Letters whose sender is verified, and who has no receipt.
    pub receipts_missing: u64,
    /// Receipts that say something else, and answers that no office believes.
    pub receipts_wrong: u64,
    /// Receipts that came once more, the same: after a kill nobody can know whether they have been sent.
    pub receipts_repeated: u64,
    /// Letters without the effect, the verdict, the quarantine or the receipt that they must have.
    pub lost: u64,
    /// Rows, entries and verdicts there more than once.
    pub doubled: u64,
    /// Rows, entries and verdicts that nobody asked for, or with other content than was sent.
    pub wrong: u64,
    /// Containers in quarantine that are not bad.
    pub quarantined_innocent: u64,
    /// Minor units by which the books differ, from themselves and from what was sent.
    pub ledger_difference: i64,
    /// Median time from sending a letter to the commit of its verdict.
    pub p50_ms: i64,
    /// 99th percentile of the same times.
    pub p99_ms: i64,
    /// The same time of the letter that was sent when all others were settled.
    pub alone_ms: Option<i64>,
    /// The first faults, in words.
    pub faults: Vec<String>,
}

impl Findings {
    /// Says whether every promise was kept.
    pub fn is_sound(&self) -> bool {
        let broken = self.lost + self.doubled + self.wrong + self.receipts_missing + self.receipts_wrong;
        broken + self.quarantined_innocent == 0 && self.ledger_difference == 0
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
/// The database is away.
pub async fn check(database: &Database, memory: &Memory) -> Result<Findings, Fault> {
    Ok(examine(Held::read(&mut *database.get().await?).await?, memory))
}

fn examine(held: Held, memory: &Memory) -> Findings {
    let is_bad = |(_, letter): &(usize, &LetterMemory)| matches!(letter.expected, Expected::Refused(_));
    let bad_sent = sent(memory).filter(is_bad).count() as u64;
    let mut findings = Findings { letters_sent: memory.mails(), bad_sent, ..Findings::default() };
    let mut inquiry = Inquiry { held, findings: &mut findings, lost: HashSet::new() };
    inquiry.verdicts(memory);
    inquiry.rows(memory);
    inquiry.entries(memory);
    inquiry.quarantine(memory);
    inquiry.journal(memory);
    inquiry.receipts(memory);
    inquiry.balances(memory);
    let lost = inquiry.lost.len() as u64;
    findings.lost = lost;
    findings.refused = findings.refused_by_reason.values().sum();
    findings
}

struct Inquiry<'a> {
    held: Held,
    findings: &'a mut Findings,
    /// Letters with something missing, by their place in memory. Each counts as lost once, whatever it lacks.
    lost: HashSet<usize>,
}

/// Letters that must have had an effect: those that a relay took.
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

    /// Expects one verdict for each letter, the right one, and none besides.
    fn verdicts(&mut self, memory: &Memory) {
        let mut verdicts: HashMap<(i32, Vec<u8>), Vec<String>> = HashMap::new();
        for verdict in std::mem::take(&mut self.held.verdicts) {
            *self.findings.refused_by_reason.entry(verdict.verdict.clone()).or_default() += 1;
            verdicts.entry((verdict.agency, verdict.digest)).or_default().push(verdict.verdict);
        }
        self.findings.accepted = self.findings.refused_by_reason.remove("accepted").unwrap_or_default();
        for (at, letter) in memory.letters.iter().enumerate() {
            let (Some(agency), Some(digest)) = (letter.signer, &letter.digest) else { continue };
            let found = verdicts.remove(&(agency, digest.as_bytes().to_vec())).unwrap_or_default();
            let expected = verdict(&letter.expected);
            match found.first() {
                None if letter.copies > 0 => self.lose(at, letter, "no verdict"),
                Some(found) if found != expected => {
                    self.wrong(format!("letter {}: verdict {found}, expected {expected}", letter.letter_id));
                }
                _ => {}
            }
            if found.len() > 1 {
                self.double(found.len() - 1, || format!("the verdict of letter {}", letter.letter_id));
            }
        }
        for (agency, _) in verdicts.into_keys() {
            self.wrong(format!("a verdict on a letter that agency {agency:06} did not send"));
        }
    }

    /// Expects every row of every accepted letter, as it was sent, once.
    fn rows(&mut self, memory: &Memory) {
        let mut held: HashMap<(String, i32, i64), Vec<reads::HeldRow>> = HashMap::new();
        for row in std::mem::take(&mut self.held.rows) {
            self.findings.rows += 1;
            held.entry((row.table.clone(), row.agency, row.numero)).or_default().push(row);
        }
        for (at, letter) in memory.letters.iter().enumerate() {
            let (Some(agency), Expected::Accepted { rows, .. }) = (letter.signer, &letter.expected) else { continue };
            let sequence = i64::try_from(letter.sequence).unwrap_or(i64::MAX);
            for row in rows {
                let found = held.remove(&(row.table.to_owned(), agency, row.numero)).unwrap_or_default();
                let name = || format!("row {} of {} by agency {agency:06}", row.numero, row.table);
                match found.first() {
                    None if letter.copies > 0 => self.lose(at, letter, "a row is missing"),
                    Some(found) if found.letter != letter.letter_id || found.content != row.content.as_bytes() => {
                        self.wrong(format!("{}: other content than was sent", name()));
                    }
                    Some(found) if (found.installation.as_str(), found.sequence) != (INSTALLATION, sequence) => {
                        self.wrong(format!("{}: another origin than its letter's", name()));
                    }
                    _ => {}
                }
                if found.len() > 1 {
                    self.double(found.len() - 1, name);
                }
            }
        }
        for (table, agency, numero) in held.into_keys() {
            self.wrong(format!("row {numero} of {table} by agency {agency:06}: nobody sent it to be accepted"));
        }
    }

    /// Expects one entry for each charged letter, over the right amount.
    fn entries(&mut self, memory: &Memory) {
        let mut entries: HashMap<(i32, uuid::Uuid), Vec<i64>> = HashMap::new();
        for entry in std::mem::take(&mut self.held.entries) {
            self.findings.charged += entry.amount;
            entries.entry((entry.agency, entry.letter_id)).or_default().push(entry.amount);
        }
        for (at, letter) in memory.letters.iter().enumerate() {
            let (Some(agency), Expected::Accepted { cost, .. }) = (letter.signer, &letter.expected) else { continue };
            if *cost == 0 {
                continue;
            }
            let found = entries.remove(&(agency, letter.letter_id)).unwrap_or_default();
            match found.first() {
                None if letter.copies > 0 => self.lose(at, letter, "not charged"),
                Some(amount) if amount != cost => {
                    self.wrong(format!("letter {}: charged {amount}, expected {cost}", letter.letter_id));
                }
                _ => {}
            }
            if found.len() > 1 {
                self.double(found.len() - 1, || format!("the entry of letter {}", letter.letter_id));
            }
        }
        for (agency, letter) in entries.into_keys() {
            self.wrong(format!("agency {agency:06} is charged for letter {letter}, which is not to be charged"));
        }
    }

    /// Expects every bad container once, under its reason, and no other container.
    fn quarantine(&mut self, memory: &Memory) {
        let mut by_container: HashMap<(String, Vec<u8>), usize> = HashMap::new();
        let mut by_message: HashMap<String, usize> = HashMap::new();
        for case in std::mem::take(&mut self.held.quarantine) {
            if !case.is_whole {
                self.wrong(format!("a container in quarantine as {} is not kept as it came", case.reason));
            }
            match case.message_id {
                Some(message_id) => *by_message.entry(message_id).or_default() += 1,
                None => *by_container.entry((case.reason, case.container)).or_default() += 1,
            }
        }
        for (at, letter) in memory.letters.iter().enumerate() {
            let Expected::Refused(code) = letter.expected else { continue };
            let found = match letter.containers.first() {
                Some(container) => by_container.remove(&(code.to_string(), container.as_bytes().to_vec())),
                None => by_message.remove(&letter.message_id),
            };
            match found {
                None if letter.copies > 0 => self.lose(at, letter, &format!("not in quarantine as {code}")),
                None => {}
                Some(cases) => {
                    if !code.is_answered() {
                        *self.findings.refused_by_reason.entry(code.to_string()).or_default() += letter.copies;
                    }
                    if cases > 1 {
                        self.double(cases - 1, || format!("the container of letter {}", letter.letter_id));
                    }
                }
            }
        }
        let innocent = by_container.into_iter().map(|((reason, _), cases)| (reason, cases));
        for (reason, cases) in innocent.chain(by_message) {
            self.findings.quarantined_innocent += cases as u64;
            self.findings.tell(|| format!("in quarantine without being bad: {reason}"));
        }
    }

    /// Expects one line that says what became of a letter, and one more for each further copy. Times are read from the first line.
    fn journal(&mut self, memory: &Memory) {
        let mut lines: HashMap<Vec<u8>, reads::Lines> = HashMap::new();
        for line in std::mem::take(&mut self.held.journal) {
            if line.outcome == "duplicate" {
                self.findings.duplicates += 1;
            }
            lines.entry(line.digest.clone()).or_default().add(line);
        }
        let mut times = Vec::with_capacity(memory.letters.len());
        for (at, letter) in sent(memory) {
            let Some(digest) = &letter.digest else { continue };
            let Some(lines) = lines.get(digest.as_bytes().as_slice()) else {
                self.lose(at, letter, "not in the journal");
                continue;
            };
            if lines.settled > 1 {
                self.double(lines.settled - 1, || format!("the journal's line of letter {}", letter.letter_id));
            }
            let is_ours = |kept: &Vec<u8>| letter.containers.iter().any(|sent| sent.as_bytes().as_slice() == kept);
            let is_accepted = matches!(letter.expected, Expected::Accepted { .. });
            if (is_accepted && lines.originals.is_empty()) || !lines.originals.iter().all(is_ours) {
                self.wrong(format!("letter {}: its container is not kept as it came", letter.letter_id));
            }
            // A mail that was fetched twice has one line more than it has copies, so only too few lines are a fault.
            if ((lines.settled + lines.duplicates) as u64) < letter.copies {
                self.lose(at, letter, "a copy is not in the journal");
            }
            if let (Some(sent_at), Some(posted_at)) = (letter.sent_at, lines.posted_at) {
                let milliseconds = (posted_at - sent_at).num_milliseconds().max(0);
                if memory.alone == Some(at) {
                    self.findings.alone_ms = Some(milliseconds);
                } else {
                    times.push(milliseconds);
                }
            }
        }
        times.sort_unstable();
        self.findings.p50_ms = percentile(&times, 50);
        self.findings.p99_ms = percentile(&times, 99);
    }

    /// Expects for every verified sender a verified receipt that says what the letter deserved.
    fn receipts(&mut self, memory: &Memory) {
        self.findings.receipts_wrong += memory.unbelieved_total;
        for reason in memory.unbelieved.iter().take(3) {
            self.findings.tell(|| format!("an answer is not believed: {reason}"));
        }
        for (at, letter) in memory.letters.iter().enumerate() {
            self.findings.receipts_repeated += letter.receipts.saturating_sub(1);
            match &letter.receipt {
                None if letter.is_answered() && letter.copies > 0 => {
                    self.findings.receipts_missing += 1;
                    self.lose(at, letter, "no receipt");
                }
                Some(receipt) if !says(receipt, letter) => {
                    self.findings.receipts_wrong += 1;
                    self.findings.tell(|| format!("letter {}: its receipt says {receipt:?}", letter.letter_id));
                }
                Some(_) => self.findings.receipts_verified += 1,
                None => {}
            }
        }
    }

    /// Expects that the books agree with themselves, and each balance with its agency's credits and letters.
    fn balances(&mut self, memory: &Memory) {
        let mut expected = memory.recharged.clone();
        for (_, letter) in sent(memory) {
            if let (Some(agency), Expected::Accepted { cost, .. }) = (letter.signer, &letter.expected) {
                *expected.entry(agency).or_default() -= cost;
            }
        }
        let mut difference = self.held.ledger_difference;
        for account in std::mem::take(&mut self.held.balances) {
            difference += (account.balance - expected.remove(&account.agency).unwrap_or_default()).abs();
        }
        difference += expected.into_values().map(i64::abs).sum::<i64>();
        self.findings.ledger_difference = difference;
        if difference != 0 {
            self.findings.tell(|| format!("the books differ by {difference}"));
        }
    }
}

fn verdict(expected: &Expected) -> &'static str {
    match expected {
        Expected::Accepted { .. } => "accepted",
        Expected::Refused(code) => code.as_str(),
    }
}

fn says(receipt: &ReceiptMemory, letter: &LetterMemory) -> bool {
    match &letter.expected {
        Expected::Accepted { rows, cost } => {
            receipt.refusal.is_none()
                && receipt.rows == rows.len() as u64
                && receipt.cost == *cost
                && receipt.highest_sequence >= letter.sequence
        }
        Expected::Refused(code) => receipt.refusal == Some(*code) && receipt.rows == 0 && receipt.cost == 0,
    }
}

/// Nearest rank.
fn percentile(sorted: &[i64], hundredths: usize) -> i64 {
    let rank = (sorted.len() * hundredths).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}
