//! Checks the money: ledger entries, balances, vouchers and statements.

use std::collections::HashMap;

use sdc::answer::statement::{EntryKind, Statement};

use super::held::{HeldEntry, HeldVoucher};
use super::{Inquiry, sent};
use crate::memory::{Effect, Given, LetterMemory, Memory};

impl Inquiry<'_> {
    /// Checks that the ledger has exactly one entry for each letter that costs something, and that its amount is the price of the letter.
    pub(super) fn entries(&mut self, memory: &Memory) {
        let mut entries: HashMap<(i32, uuid::Uuid), Vec<i64>> = HashMap::new();
        for entry in self.held.entries.iter().filter(|entry| entry.kind == "letter") {
            self.findings.charged -= entry.amount;
            let letter = entry.letter_id.unwrap_or_default();
            entries.entry((entry.agency, letter)).or_default().push(-entry.amount);
        }
        for (at, letter) in memory.letters.iter().enumerate() {
            let (Some(agency), Some((_, cost))) = (letter.signer, letter.expected.effect()) else { continue };
            if cost == 0 {
                continue;
            }
            let found = entries.remove(&(agency, letter.letter_id)).unwrap_or_default();
            match found.first() {
                None if letter.copies > 0 => self.lose(at, letter, "not charged"),
                Some(amount) if *amount != cost => {
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

    /// Checks that each voucher sent in an accepted letter is redeemed by that letter exactly once and credited exactly once, and that no
    /// other voucher is redeemed.
    pub(super) fn vouchers(&mut self, memory: &Memory) {
        let mut redeemed: HashMap<(i32, uuid::Uuid), Vec<HeldVoucher>> = HashMap::new();
        for voucher in std::mem::take(&mut self.held.vouchers) {
            redeemed.entry((voucher.agency, voucher.letter_id)).or_default().push(voucher);
        }
        let mut credited: HashMap<(i32, String), Vec<i64>> = HashMap::new();
        for entry in self.held.entries.iter().filter(|entry| entry.kind == "voucher") {
            credited.entry((entry.agency, entry.note.clone())).or_default().push(entry.amount);
        }
        for (at, letter) in memory.letters.iter().enumerate() {
            let (Some(agency), Some((Effect::Credit(amount), _))) = (letter.signer, letter.expected.effect()) else {
                continue;
            };
            let found = redeemed.remove(&(agency, letter.letter_id)).unwrap_or_default();
            let name = || format!("the voucher of letter {}", letter.letter_id);
            let Some(voucher) = found.first() else {
                if letter.copies > 0 {
                    self.lose(at, letter, "its voucher is not redeemed");
                }
                continue;
            };
            let credits = credited.remove(&(agency, voucher.name())).unwrap_or_default();
            match credits.first() {
                None => self.lose(at, letter, "its voucher is not credited"),
                Some(credit) if *credit != *amount || voucher.amount != *amount => {
                    self.wrong(format!("{}: credited {credit}, expected {amount}", name()));
                }
                Some(_) => {}
            }
            if found.len() + credits.len() > 2 {
                self.double(found.len() + credits.len() - 2, name);
            }
        }
        for (agency, letter) in redeemed.into_keys() {
            self.wrong(format!("agency {agency:06}: letter {letter} redeemed a voucher that it did not bring"));
        }
        for (agency, voucher) in credited.into_keys() {
            self.wrong(format!("agency {agency:06} is credited with voucher {voucher}, which it did not bring"));
        }
    }

    /// Checks that each agency's entries add up to its balance, and that the balance agrees with the agency's credits and letters.
    pub(super) fn balances(&mut self, memory: &Memory) {
        let mut expected = memory.recharged.clone();
        for (_, letter) in sent(memory) {
            if let (Some(agency), Some((effect, cost))) = (letter.signer, letter.expected.effect()) {
                let credit = if let Effect::Credit(amount) = effect { *amount } else { 0 };
                *expected.entry(agency).or_default() += credit - cost;
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

    /// Checks a statement. It must list the agency's entries in order, with their balances, up to some moment between the letter and its
    /// receipt.
    pub(super) fn statement(&mut self, at: usize, memory: &Memory, letter: &LetterMemory) {
        let agency = letter.signer.unwrap_or_default();
        let mut told: Option<Statement> = None;
        for part in letter.answers.parts.values() {
            let Given::Statement(statement) = &part.given else { continue };
            match &mut told {
                None => told = Some(statement.clone()),
                Some(whole) => whole.entries.extend(statement.entries.iter().cloned()),
            }
        }
        let Some(told) = told else { return self.lose(at, letter, "no statement") };
        let books = self.books.get(&agency).map_or(&[][..], Vec::as_slice);
        let balance = letter.receipt().map(|receipt| receipt.balance);
        let fault = differs(&told, books).or_else(|| {
            let is_told =
                |charged: &&LetterMemory| told.entries.iter().any(|entry| entry.letter == Some(charged.letter_id));
            let was_charged =
                |charged: &&LetterMemory| charged.answers.verified.is_some_and(|verified| verified < letter.sent);
            let is_whole = usize::try_from(told.entries_total).is_ok_and(|total| total == told.entries.len());
            let charged = self.charged.get(&agency).into_iter().flatten().map(|&at| &memory.letters[at]);
            let missing = charged.filter(was_charged).find(|charged| !is_told(charged));
            match missing.filter(|_| is_whole) {
                Some(missing) => Some(format!("letter {} was charged before, and is not told", missing.letter_id)),
                None if balance != Some(told.closing) => Some("its end is not the balance of its receipt".to_owned()),
                None => None,
            }
        });
        if let Some(fault) = fault {
            self.misread(|| format!("the statement of letter {}: {fault}", letter.letter_id));
        }
    }
}

/// Returns a description of the first difference between a statement and the agency's entries; none where they agree.
fn differs(told: &Statement, books: &[HeldEntry]) -> Option<String> {
    let sum: i64 = told.entries.iter().map(|entry| entry.amount).sum();
    if told.opening + sum != told.closing {
        return Some(format!("{} and entries of {sum} do not make {}", told.opening, told.closing));
    }
    let Some(first) = told.entries.first() else {
        // An account begins with the balance 0, so a statement made before the first entry has the balance 0 and no entries.
        let is_balance = told.opening == 0 || books.iter().any(|entry| entry.balance_after == told.opening);
        return (!is_balance).then(|| "it has no entries, and a balance that never was".to_owned());
    };
    // The amount, the balance and the letter identify an entry of an agency. Two equal entries would need vouchers that bring the balance
    // back to an earlier value, and the simulation never does that.
    let Some(from) = books.iter().position(|entry| is_same(first, entry)) else {
        return Some("its first entry is in no book".to_owned());
    };
    let mut balance = told.opening;
    for (place, entry) in told.entries.iter().enumerate() {
        balance += entry.amount;
        if !books.get(from + place).is_some_and(|held| is_same(entry, held)) || entry.balance != balance {
            return Some(format!("its entry {} over {} is not the book's", place + 1, entry.amount));
        }
    }
    None
}

fn is_same(told: &sdc::answer::statement::StatementEntry, held: &HeldEntry) -> bool {
    let kind = match told.kind {
        EntryKind::Letter => "letter",
        EntryKind::Recharge => "recharge",
        EntryKind::Voucher => "voucher",
        EntryKind::Manual => "manual",
        EntryKind::Reversal => "reversal",
    };
    (kind, told.amount, told.balance, told.letter)
        == (held.kind.as_str(), held.amount, held.balance_after, held.letter_id)
}
