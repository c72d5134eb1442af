//! The expected state of all accounts. The test computes it by plain arithmetic from the outcome of each letter, and compares it with the
//! database.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;

use sdc::letter::Letter;
use sdc::refusal::RefusalCode;
use sdc::request::Request;
use store::reading::Read;
use store::settle::Outcome;
use uuid::Uuid;

use super::super::dice::Dice;
use super::centre::{RENDERED_KB, VOUCHER_AMOUNT, is_prepaid};

/// For each service, the price of an act and the price of each started kilobyte, in minor units.
pub const EXPORT: (i64, i64) = (7, 3);
pub const CORRECT: (i64, i64) = (11, 0);
pub const IMPORT: (i64, i64) = (3, 1);
pub const CERTIFY: (i64, i64) = (5, 2);

/// A ledger entry of an agency's account, as read from the database.
pub struct Entry {
    pub agency: u32,
    pub letter_id: Option<Uuid>,
    pub kind: String,
    /// Amount in minor units; negative where the account was charged.
    pub amount: i64,
    pub balance_after: i64,
}

/// The balance and the credit limit of an account, as read from the database at the end of the test.
pub struct Balance {
    pub agency: u32,
    pub balance: i64,
    pub credit_limit: i64,
}

/// The price of an accepted letter. `refuses` says whether the letter must be refused if the account cannot pay.
#[derive(Clone, Copy)]
struct Charge {
    agency: u32,
    amount: i64,
    refuses: bool,
}

#[derive(Default)]
struct Pages {
    charges: HashMap<Uuid, Charge>,
    recharged: BTreeMap<u32, i64>,
    recharges: usize,
    reversed: BTreeMap<u32, i64>,
    /// Ids of the letters whose charges were given back. Each charge is given back at most once.
    reversals: HashSet<Uuid>,
    vouched: BTreeMap<u32, i64>,
    redeemed: HashSet<String>,
    /// Errors found while outcomes are noted: a letter was accepted twice, or a voucher was redeemed twice.
    twice: Vec<String>,
    /// Letters that were refused because the credit was too low. An operator may try them again.
    refused: Vec<Letter>,
    /// Letters that were deferred and stay in their mailbox, for example a correction that came in the same batch as the record that it
    /// corrects.
    deferred: Vec<Letter>,
    outcomes: BTreeMap<String, usize>,
}

/// The expected accounts of one run of the test. All programs of the test add to them.
#[derive(Default)]
pub struct Books(Mutex<Pages>);

/// The result of the comparison with the database.
pub struct Audit {
    pub wrong: Vec<String>,
    pub summary: String,
    pub vouchers: i64,
    pub is_of_every_kind: bool,
}

impl Books {
    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.0.lock().unwrap()
    }

    pub fn recharged(&self, agency: u32, amount: i64) {
        let mut pages = self.pages();
        pages.recharges += 1;
        *pages.recharged.entry(agency).or_default() += amount;
    }

    /// Draws an accepted letter whose charge has not been given back yet, and notes that it is given back now. Returns agency, letter and
    /// amount.
    pub fn reverse_any(&self, dice: &mut Dice) -> Option<(u32, Uuid, i64)> {
        let pages = &mut *self.pages();
        let is_open = |(letter, charge): &(&Uuid, &Charge)| charge.amount > 0 && !pages.reversals.contains(*letter);
        // The charges are sorted, because a hash map has another order in each run and the same seed must draw the same charge.
        let mut open: Vec<(Uuid, Charge)> = pages.charges.iter().filter(is_open).map(|(id, one)| (*id, *one)).collect();
        open.sort_by_key(|(letter, _)| *letter);
        let (letter, charge) = *open.get(dice.number(open.len().max(1)))?;
        pages.reversals.insert(letter);
        *pages.reversed.entry(charge.agency).or_default() += charge.amount;
        Some((charge.agency, letter, charge.amount))
    }

    /// Draws a letter that was refused because the credit was too low, for an operator to try again, and removes it from the list.
    pub fn take_refused(&self, dice: &mut Dice) -> Option<Letter> {
        drawn(&mut self.pages().refused, dice)
    }

    /// Draws a deferred letter, which the test then delivers again, and removes it from the list.
    pub fn take_deferred(&self, dice: &mut Dice) -> Option<Letter> {
        drawn(&mut self.pages().deferred, dice)
    }

    /// Notes the outcome of a letter, and what follows from it for the account.
    pub fn note(&self, letter: &Letter, read: Option<&Read>, outcome: Outcome, is_tried_again: bool) {
        let mut pages = self.pages();
        let again = if is_tried_again { ", again" } else { "" };
        *pages.outcomes.entry(format!("{} {}{again}", letter.request.service(), outcome.as_str())).or_default() += 1;
        match outcome {
            Outcome::Accepted => pages.accepted(letter, read),
            Outcome::Refused(RefusalCode::InsufficientCredit) if matches!(letter.request, Request::Export(_)) => {
                pages.refused.push(letter.clone());
            }
            Outcome::Refused(_) | Outcome::Duplicate => {}
            Outcome::Deferred => pages.deferred.push(letter.clone()),
            Outcome::Held | Outcome::SettledBefore => panic!("{outcome:?}: {letter:?}"),
        }
    }

    /// Compares the entries and balances of the database with the expected accounts, and lists all differences.
    pub fn audit(&self, entries: &[Entry], balances: &[Balance]) -> Audit {
        let pages = self.pages();
        let mut wrong = pages.twice.clone();
        let mut running: BTreeMap<u32, i64> = BTreeMap::new();
        let mut vouched: BTreeMap<u32, i64> = BTreeMap::new();
        let mut charged: HashMap<Uuid, i64> = HashMap::new();
        let limits: BTreeMap<u32, i64> = balances.iter().map(|one| (one.agency, one.credit_limit)).collect();
        for entry in entries {
            let balance = running.entry(entry.agency).or_default();
            *balance += entry.amount;
            if *balance != entry.balance_after {
                wrong.push(format!(
                    "agency {}: {balance} behind an entry that says {}",
                    entry.agency, entry.balance_after
                ));
            }
            if entry.kind == "voucher" {
                *vouched.entry(entry.agency).or_default() += entry.amount;
            }
            let Some(letter) = entry.letter_id else { continue };
            if charged.insert(letter, -entry.amount).is_some() {
                wrong.push(format!("letter {letter} is charged twice"));
            }
            let refuses = pages.charges.get(&letter).is_some_and(|charge| charge.refuses);
            if refuses && entry.balance_after < -limits[&entry.agency] {
                wrong.push(format!("agency {}: {} is below its limit", entry.agency, entry.balance_after));
            }
        }
        for (letter, charge) in pages.charges.iter().filter(|(_, charge)| charge.amount > 0) {
            let entered = charged.remove(letter);
            if entered != Some(charge.amount) {
                wrong.push(format!("letter {letter} costs {}, and is charged {entered:?}", charge.amount));
            }
        }
        wrong.extend(charged.keys().map(|letter| format!("letter {letter} was not accepted, and is charged")));
        if vouched != pages.vouched {
            wrong.push(format!("vouchers gave {vouched:?} instead of {:?}", pages.vouched));
        }
        for one in balances {
            let expected = pages.balance(one.agency);
            let entered = running.get(&one.agency).copied().unwrap_or_default();
            if one.balance != expected || one.balance != entered {
                wrong.push(format!(
                    "agency {}: {} where {expected} is right and entries say {entered}",
                    one.agency, one.balance
                ));
            }
        }
        Audit {
            wrong,
            vouchers: i64::try_from(pages.redeemed.len()).unwrap(),
            is_of_every_kind: pages.is_of_every_kind(),
            summary: pages.summary(),
        }
    }
}

impl Pages {
    fn accepted(&mut self, letter: &Letter, read: Option<&Read>) {
        let agency = letter.from.agency.into();
        let (amount, refuses) = price(agency, &letter.request, read);
        if self.charges.insert(letter.id, Charge { agency, amount, refuses }).is_some() {
            self.twice.push(format!("letter {} is accepted twice", letter.id));
        }
        if let Request::Recharge(recharge) = &letter.request {
            *self.vouched.entry(agency).or_default() += VOUCHER_AMOUNT;
            if !self.redeemed.insert(recharge.code.as_str().to_owned()) {
                self.twice.push(format!("the voucher of letter {} is redeemed twice", letter.id));
            }
        }
    }

    fn balance(&self, agency: u32) -> i64 {
        let charged: i64 =
            self.charges.values().filter(|charge| charge.agency == agency).map(|charge| charge.amount).sum();
        let given = |of: &BTreeMap<u32, i64>| of.get(&agency).copied().unwrap_or_default();
        given(&self.recharged) + given(&self.vouched) + given(&self.reversed) - charged
    }

    fn count(&self, said: &str) -> usize {
        self.outcomes.get(said).copied().unwrap_or_default()
    }

    /// Says whether the run had every outcome that the test is meant to cover, and at least one recharge and one reversal.
    fn is_of_every_kind(&self) -> bool {
        let said = [
            "export accepted",
            "export insufficient_credit",
            "export out_of_scope",
            "export conflict",
            "export duplicate",
            "export accepted, again",
            "correct accepted",
            "import accepted",
            "import insufficient_credit",
            "import duplicate",
            "certify accepted",
            "certify insufficient_credit",
            "recharge accepted",
            "recharge voucher_invalid",
        ];
        self.recharges > 0 && !self.reversals.is_empty() && said.iter().all(|said| self.count(said) > 0)
    }

    fn summary(&self) -> String {
        let said: Vec<String> = self.outcomes.iter().map(|(said, count)| format!("{count} {said}")).collect();
        format!("{} recharges; {} reversals; {}", self.recharges, self.reversals.len(), said.join("; "))
    }
}

fn drawn(letters: &mut Vec<Letter>, dice: &mut Dice) -> Option<Letter> {
    if letters.is_empty() {
        return None;
    }
    let at = dice.number(letters.len());
    Some(letters.swap_remove(at))
}

/// Returns the price of a letter in minor units, and whether the letter must be refused if the account cannot pay.
fn price(agency: u32, request: &Request, read: Option<&Read>) -> (i64, bool) {
    let cost = |(act, kb): (i64, i64), acts: usize, started_kb: usize| {
        act * i64::try_from(acts).unwrap() + kb * i64::try_from(started_kb).unwrap()
    };
    let of_read = |price| match read {
        Some(Read::Staged(staged)) => cost(price, staged.acts, RENDERED_KB + staged.started_kb),
        other => panic!("accepted, though nothing was read: {other:?}"),
    };
    match request {
        Request::Export(records) => {
            let acts = records.tables.iter().map(|table| table.row_count()).sum();
            (cost(EXPORT, acts, RENDERED_KB), is_prepaid(agency))
        }
        Request::Correct(corrections) => {
            (cost(CORRECT, corrections.corrections.len(), RENDERED_KB), is_prepaid(agency))
        }
        Request::Import(_) => (of_read(IMPORT), true),
        Request::Certify(_) => (of_read(CERTIFY), true),
        Request::Recharge(_) => (0, false),
        other => panic!("{other:?}"),
    }
}
