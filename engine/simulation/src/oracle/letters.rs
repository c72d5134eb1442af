//! Checks the results of letters: verdicts, quarantine, journal and receipts.

use std::collections::{HashMap, HashSet};

use super::held::{Held, Lines};
use super::{Inquiry, sent};
use crate::memory::{Effect, Expected, LetterMemory, Memory, ReceiptMemory};

impl Inquiry<'_> {
    /// Checks that each letter has exactly one verdict, the right one, and that there are no other verdicts.
    pub(super) fn verdicts(&mut self, memory: &Memory) {
        let mut verdicts: HashMap<(i32, Vec<u8>), Vec<String>> = HashMap::new();
        for verdict in std::mem::take(&mut self.held.verdicts) {
            *self.findings.refused_by_reason.entry(verdict.verdict.clone()).or_default() += 1;
            verdicts.entry((verdict.agency, verdict.digest)).or_default().push(verdict.verdict);
        }
        self.findings.accepted = self.findings.refused_by_reason.remove("accepted").unwrap_or_default();
        for (at, letter) in memory.letters.iter().enumerate() {
            let (Some(agency), Some(digest)) = (letter.signer, &letter.digest) else { continue };
            let found = verdicts.remove(&(agency, digest.as_bytes().to_vec())).unwrap_or_default();
            let expected = verdict(letter);
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

    /// Checks that each letter whose sender was told that it is settled has an effect: a line in the journal, or a place in quarantine.
    pub(super) fn acknowledged(&mut self, memory: &Memory) {
        let Held { journal, quarantine, .. } = &self.held;
        let digests: HashSet<&[u8]> = journal.iter().map(|line| line.digest.as_slice()).collect();
        let containers: HashSet<&[u8]> = quarantine.iter().map(|case| case.container.as_slice()).collect();
        let mails: HashSet<&str> = quarantine.iter().filter_map(|case| case.message_id.as_deref()).collect();
        let is_known = |letter: &LetterMemory| {
            letter.digest.is_some_and(|digest| digests.contains(digest.as_bytes().as_slice()))
                || letter.containers.iter().any(|container| containers.contains(container.as_bytes().as_slice()))
                || mails.contains(letter.message_id.as_str())
        };
        for letter in memory.letters.iter().filter(|letter| letter.acknowledged > 0 && !is_known(letter)) {
            self.findings.acknowledged_missing += letter.acknowledged;
            self.findings.tell(|| format!("letter {}: its sender was told that it is settled", letter.letter_id));
        }
    }

    /// Checks that each bad container is in quarantine once, with the right reason, and no other container is.
    pub(super) fn quarantine(&mut self, memory: &Memory) {
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
            let Some(code) = letter.expected.refusal() else { continue };
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

    /// Checks the journal: each letter has one line with its outcome, and one line for each further copy. The times of the figures come
    /// from the line with the outcome.
    pub(super) fn journal(&mut self, memory: &Memory) {
        let mut lines: HashMap<Vec<u8>, Lines> = HashMap::new();
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
            let surplus = lines.settled.saturating_sub(1) + lines.held.saturating_sub(1);
            if surplus > 0 {
                self.double(surplus, || format!("the journal's line of letter {}", letter.letter_id));
            }
            let is_ours = |kept: &Vec<u8>| letter.containers.iter().any(|sent| sent.as_bytes().as_slice() == kept);
            let is_accepted = letter.expected.effect().is_some();
            if (is_accepted && lines.originals.is_empty()) || !lines.originals.iter().all(is_ours) {
                self.wrong(format!("letter {}: its container is not kept as it came", letter.letter_id));
            }
            // After a kill, a mail may be fetched twice and get one line too many. So only too few lines are a fault. Of pushed copies one
            // line is enough: a copy over which the database failed is tried again, and the centre cannot tell whether its own first try
            // has settled the letter, or another copy. So it writes no line of a duplicate.
            let due = letter.copies.saturating_sub(letter.acknowledged.saturating_sub(1));
            if ((lines.settled + lines.duplicates) as u64) < due {
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

    /// Checks that each letter whose sender is verified got a verified receipt with the right content.
    pub(super) fn receipts(&mut self, memory: &Memory) {
        self.findings.receipts_wrong += memory.unbelieved_total;
        for reason in memory.unbelieved.iter().take(3) {
            self.findings.tell(|| format!("an answer is not believed: {reason}"));
        }
        for (at, letter) in memory.letters.iter().enumerate() {
            self.findings.receipts_repeated += letter.answers.repeated;
            if letter.is_answered() {
                self.findings.receipts_due += u64::from(letter.copies > 0);
            } else {
                self.findings.unvouched += letter.copies;
            }
            match letter.receipt() {
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
}

fn verdict(letter: &LetterMemory) -> &'static str {
    letter.expected.refusal().map_or("accepted", |code| code.as_str())
}

/// Says whether the last receipt of a letter is right. Where an operator decided, also checks the first receipt, which says that the letter
/// is held.
fn says(receipt: &ReceiptMemory, letter: &LetterMemory) -> bool {
    let is_held = |receipt: &ReceiptMemory| receipt.is_held && receipt.waiting == 1 && receipt.cost == 0;
    let (first, last) = match &letter.expected {
        Expected::Decided { .. } => (1, 2),
        _ => (0, 1),
    };
    let attempts: Vec<u16> = letter.answers.receipts.keys().copied().collect();
    // The centre withdraws the receipt of attempt 1 where it was not sent before an operator decided. Then only the last receipt comes.
    let is_in_order = attempts == [last] || attempts == [first, last];
    if !is_in_order || letter.answers.receipts.get(&first).is_some_and(|receipt| !is_held(receipt)) {
        return false;
    }
    match letter.expected.effect() {
        Some((effect, cost)) => {
            let (rows, corrected, superseded) = match effect {
                Effect::Rows(rows) => (rows.len() as u64, 0, 0),
                Effect::Correction(correction) => {
                    (0, u64::from(!correction.is_superseded), u64::from(correction.is_superseded))
                }
                _ => (0, 0, 0),
            };
            receipt.refusal.is_none()
                && (receipt.rows, receipt.corrected, receipt.superseded) == (rows, corrected, superseded)
                && receipt.cost == cost
                && receipt.highest_sequence >= letter.sequence
        }
        None => receipt.refusal == letter.expected.refusal() && receipt.rows == 0 && receipt.cost == 0,
    }
}

/// Returns the percentile of sorted values by the nearest-rank method.
pub(super) fn percentile(sorted: &[i64], hundredths: usize) -> i64 {
    let rank = (sorted.len() * hundredths).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}
