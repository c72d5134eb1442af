//! Decides every letter of a batch, in the order in which the letters take effect, by the data stored at the centre. The module is pure:
//! equal inputs give equal decisions.
//!
//! A batch is decided again, from its first letter, whenever more facts are read from the database. If these facts lead to the refusal of a
//! letter that was accepted before, later letters of the batch can use its credit, and are not compared with its records.

mod corrections;

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use sdc::answer::receipt::HoldCode;
use sdc::answer::sealed::started_kb;
use sdc::letter::Matricule;
use sdc::refusal::{Refusal, RefusalCode, RowFaults};
use sdc::service::Credit;
use uuid::Uuid;

use super::account::Account;
use super::arrival::{Arrival, Content};
use super::batch::{Case, order_of_effect};
use super::corrections::correction::Fate;
use super::decision::{Acceptance, Decision, Hold};
use super::flags;
use super::held::HeldRecords;
use super::judge::{Judged, Key};
use super::records::BatchRecords;
use super::ruling::Ruling;
use super::services::Serving;
use super::standing::Standing;
use super::vouchers::Moments;
use super::work::Work;
use crate::reading::Usage;
use crate::tables::catalogue::Catalogue;
use crate::tables::examine::{Beside, Found, Holdings, TableRows, Totals, reckon_of_tables};

/// Facts read from the database since the first round of decisions.
#[derive(Default)]
pub struct Knowledge {
    /// Stored records with the identity or legal key of a row in the batch; `None` until an insert has failed on a stored record.
    pub held: Option<HeldRecords>,
    /// Refusals of letters because a rule in the database refused their rows, by the letter's place in the batch.
    pub refused_by_database: HashMap<usize, Refusal>,
    /// Ids of the tables that take no rows of any letter now, because they are locked or were altered since their adoption.
    pub withheld: HashSet<i32>,
    /// Places of letters that failed for a reason other than their own bytes.
    pub waiting: HashSet<usize>,
    /// Moment at which an operator had the letters tried again; absent otherwise. While it is set, a lock of recharging does not stop
    /// recharges.
    pub retried_at: Option<DateTime<Utc>>,
    /// Sums and counts over the stored rows of the groups that checks look at, without the rows of this batch.
    pub holdings: Holdings,
    /// Places of the letters whose stored rows have been looked up. Checks that look at the tables are judged only for these letters, and
    /// for those of `surely_new`.
    pub looked_up: HashSet<usize>,
    /// Places of the letters whose rows are known to be new without a look-up: nothing is stored of the groups to which the rows belong. A
    /// cancelled record counts in no group, so it may be stored all the same. Therefore a letter from this set that is not accepted is
    /// looked up after all.
    pub surely_new: HashSet<usize>,
    /// The ruling of the people who had held or refused letters tried again; absent otherwise. While it is set, a letter that has a verdict
    /// other than accepted may get a new one.
    pub ruling: Option<Ruling>,
}

impl Knowledge {
    /// Says whether it is known which rows of a letter are new.
    pub fn knows_new_rows(&self, at: usize) -> bool {
        self.looked_up.contains(&at) || self.surely_new.contains(&at)
    }

    /// Adds stored records. Says whether any of them was unknown before.
    pub fn learn(&mut self, held: HeldRecords) -> bool {
        match &mut self.held {
            Some(known) => known.extend(held),
            None => {
                self.held = Some(held);
                true
            }
        }
    }
}

/// Decides every letter of a batch. Returns each decision with the place of its letter, in the order of effect.
pub fn decide(
    batch: &[Case],
    standing: &Standing,
    catalogue: &Catalogue,
    knowledge: &Knowledge,
) -> Vec<(usize, Decision)> {
    let mut round = Round::new(standing, catalogue, knowledge);
    order_of_effect(batch).into_iter().map(|place| (place, round.decide_one(place, &batch[place]))).collect()
}

struct Round<'a> {
    standing: &'a Standing,
    catalogue: &'a Catalogue,
    knowledge: &'a Knowledge,
    /// Digests of the letters decided in this batch, by letter id.
    by_id: HashMap<(Matricule, Uuid), Vec<u8>>,
    by_sequence: HashSet<(Matricule, String, i64)>,
    balances: HashMap<Matricule, i64>,
    /// Records and octets that accepted letters of this batch read, by agency.
    used: HashMap<Matricule, Usage>,
    highest: HashMap<(Matricule, String), i64>,
    /// Records of accepted letters of this batch, by identity and by legal key.
    records: BatchRecords<'a>,
    /// What earlier letters of this batch do besides writing records, such as redeeming vouchers, registering certificates and changing
    /// profiles.
    serving: Serving<'a>,
    /// Sums and counts over the tables, including the rows of the accepted letters of this batch.
    holdings: Holdings,
    /// Ids of the tables into which accepted letters of this batch write new records, by agency.
    written: HashSet<(Matricule, i32)>,
    /// Records that accepted letters of this batch correct, by table, agency, installation and number. These corrections are not in the
    /// tables yet, so another correction of such a record has to wait for a later batch.
    corrected: HashSet<(i32, Matricule, String, i64)>,
}

impl<'a> Round<'a> {
    fn new(standing: &'a Standing, catalogue: &'a Catalogue, knowledge: &'a Knowledge) -> Round<'a> {
        Round {
            standing,
            catalogue,
            knowledge,
            by_id: HashMap::new(),
            by_sequence: HashSet::new(),
            balances: HashMap::new(),
            used: HashMap::new(),
            highest: HashMap::new(),
            records: BatchRecords::default(),
            serving: Serving::new(&standing.services),
            holdings: knowledge.holdings.clone(),
            written: HashSet::new(),
            corrected: HashSet::new(),
        }
    }

    fn decide_one(&mut self, at: usize, case: &'a Case) -> Decision {
        let Case { arrival, judged, .. } = case;
        let waits = self.knowledge.waiting.contains(&at);
        let (Content::Signed { signer, digest, .. }, Some(key)) = (&arrival.content, judged.key()) else {
            if waits {
                return Decision::Deferred;
            }
            return Decision::Stranger(match judged {
                Judged::Stranger(refusal) | Judged::Refused { refusal, .. } => refusal.clone(),
                Judged::Sound { .. } => Refusal::new(RefusalCode::UnknownSigner),
            });
        };
        let agency = signer.matricule;
        let digest_bytes = digest.as_bytes();
        // A committed verdict is final. The same letter sent again is a duplicate, even if its sender was suspended or revoked since. A
        // letter that could not use its own id has its verdict under the key made from its digest.
        let derived = Key::of_digest(digest, &key.installation);
        let mut attempt = key.attempt;
        for held in [key, &derived] {
            if self.verdict(agency, held.letter_id).is_some_and(|verdict| verdict == digest_bytes) {
                match self.next_attempt(agency, held.letter_id) {
                    Some(next) => attempt = attempt.max(next),
                    None => return Decision::Duplicate(held.clone()),
                }
            }
        }
        if waits {
            return Decision::Deferred;
        }
        if let Some(refusal) = self.contested(agency, key, digest_bytes) {
            return self.refuse(agency, derived.of_attempt(attempt), digest_bytes, refusal, None);
        }
        let key = key.of_attempt(attempt);
        match judged {
            Judged::Sound { work, .. } => self.decide_sound(at, arrival, key, digest_bytes, work),
            Judged::Refused { refusal, .. } => self.refuse(agency, key, digest_bytes, refusal.clone(), None),
            Judged::Stranger(refusal) => Decision::Stranger(refusal.clone()),
        }
    }

    /// Returns the number of the next attempt at a letter that has a verdict; `None` if the verdict is final.
    fn next_attempt(&self, agency: Matricule, letter_id: Uuid) -> Option<i16> {
        let held = self.standing.known_by_id(agency, letter_id).filter(|_| self.knowledge.ruling.is_some())?;
        (!held.is_accepted).then(|| held.attempt.saturating_add(1))
    }

    fn verdict(&self, agency: Matricule, letter_id: Uuid) -> Option<&[u8]> {
        let held = self.standing.known_by_id(agency, letter_id).map(|known| known.digest.as_slice());
        held.or_else(|| self.by_id.get(&(agency, letter_id)).map(Vec::as_slice))
    }

    /// Returns the refusal of a letter whose id or sequence number another letter has used. Earlier attempts at this letter do not count as
    /// another letter.
    fn contested(&self, agency: Matricule, key: &Key, digest: &[u8]) -> Option<Refusal> {
        if self.verdict(agency, key.letter_id).is_some_and(|held| held != digest) {
            return Some(Refusal::new(RefusalCode::LetterConflict).with("letter", key.letter_id));
        }
        let sequence = key.sequence?;
        let numbers = self.standing.numbers(agency, &key.installation);
        let held = self.standing.known_by_sequence(agency, &key.installation, sequence);
        if held.is_some_and(|held| held.digest == digest) {
            return None;
        }
        if held.is_some() || self.by_sequence.contains(&(agency, key.installation.clone(), sequence)) {
            return Some(Refusal::new(RefusalCode::SequenceConflict).with("sequence", sequence));
        }
        if sequence <= numbers.floor {
            let refusal = Refusal::new(RefusalCode::SequenceExpired).with("sequence", sequence);
            return Some(refusal.with("sequence_floor", numbers.floor));
        }
        None
    }

    fn decide_sound(&mut self, at: usize, arrival: &'a Arrival, key: Key, digest: &[u8], work: &'a Work) -> Decision {
        let Some(signer) = arrival.signer() else {
            return Decision::Stranger(Refusal::new(RefusalCode::UnknownSigner));
        };
        let agency = signer.matricule;
        let tables = work.tables();
        if let Some(Ruling::Refuse(reason)) = &self.knowledge.ruling {
            let refusal = Refusal::new(RefusalCode::HoldRefused).with("reason", reason);
            return self.refuse(agency, key, digest, refusal, None);
        }
        if let Some(refusal) = self.knowledge.refused_by_database.get(&at) {
            return self.refuse(agency, key, digest, refusal.clone(), None);
        }
        if let Work::Corrections(_) = work {
            return self.decide_corrections((at, arrival), agency, key, digest, work);
        }
        if tables.iter().any(|rows| self.knowledge.withheld.contains(&rows.definition.table_id)) {
            return Decision::Deferred;
        }
        if work.is_unread() {
            return Decision::Deferred;
        }
        if let Some(refusal) = self.beyond_quota(agency, &signer.plan, work) {
            return self.refuse(agency, key, digest, refusal, None);
        }
        let is_new = match &self.knowledge.held {
            None => tables.iter().map(|rows| vec![true; rows.row_count()]).collect(),
            Some(held) => match self.records.classify(at, agency, &key.installation, tables, held) {
                Ok(is_new) => is_new,
                Err((refusal, version)) => return self.refuse(agency, key, digest, refusal, Some(version)),
            },
        };
        let found = match self.judge_checks(at, tables, &is_new) {
            Ok(found) => found,
            Err(refusal) => return self.refuse(agency, key, digest, refusal, None),
        };
        if self.knowledge.knows_new_rows(at) {
            let holds = flags::holds(tables, &is_new, &found, self.waived());
            if !holds.is_empty() {
                return self.hold(
                    agency,
                    key,
                    digest,
                    Hold { work: work.clone(), code: HoldCode::Check, found: holds },
                );
            }
        }
        let installation = key.installation.clone();
        let decision = self.accept((at, arrival), key, digest, (work, found, Vec::new()));
        match decision {
            Decision::Accepted { key, acceptance, account, highest_sequence } => {
                self.holdings.change(tables, &is_new, Totals::add);
                self.written.extend(tables.iter().map(|rows| (agency, rows.definition.table_id)));
                if self.knowledge.held.is_some() {
                    self.records.add(agency, &installation, tables);
                }
                let acceptance = Acceptance { is_new, ..acceptance };
                Decision::Accepted { key, acceptance, account, highest_sequence }
            }
            other => other,
        }
    }

    /// Accepts the letter's work if the account can pay for it: charges the account, and marks the letter's id and number as used.
    fn accept(
        &mut self,
        (at, arrival): (usize, &'a Arrival),
        key: Key,
        digest: &[u8],
        (work, found, fates): (&'a Work, Vec<Found>, Vec<Fate>),
    ) -> Decision {
        let Some(signer) = arrival.signer() else {
            return Decision::Stranger(Refusal::new(RefusalCode::UnknownSigner));
        };
        let (agency, came_at) = (signer.matricule, arrival.received_at);
        let started_kb = started_kb(arrival.rendered_bytes) + work.started_kb();
        let price = self.catalogue.prices.price(&signer.plan, work.service(), &work.acts(), started_kb, came_at);
        let account = self.account(agency);
        if price.credit == Credit::Refuse
            && price.amount > 0
            && account.balance.saturating_sub(price.amount) < -account.credit_limit
        {
            let refusal = Refusal::new(RefusalCode::InsufficientCredit);
            let refusal = refusal.with("price", price.amount).with("balance", account.balance);
            return self.refuse(agency, key, digest, refusal, None);
        }
        let moments = Moments { received_at: came_at, retried_at: self.knowledge.retried_at };
        let effect = match self.serving.serve(at, agency, &key, work, moments) {
            Ok(effect) => effect,
            Err(refusal) => return self.refuse(agency, key, digest, refusal, None),
        };
        let balance = account.balance.saturating_sub(price.amount).saturating_add(effect.credited());
        self.balances.insert(agency, balance);
        let used = self.used.entry(agency).or_default();
        *used = used.plus(usage_of(work));
        let highest_sequence = self.use_key(agency, &key, digest);
        let acceptance = Acceptance { work: work.clone(), is_new: Vec::new(), found, fates, price, effect };
        let account = Account { balance, ..account };
        Decision::Accepted { key, acceptance, account, highest_sequence }
    }

    /// Judges the new rows of a letter by the checks that look at the tables, as if these rows were stored already. Returns no findings as
    /// long as it is unknown which rows are new.
    fn judge_checks(&mut self, at: usize, tables: &[TableRows], is_new: &[Vec<bool>]) -> Result<Vec<Found>, Refusal> {
        if !self.knowledge.knows_new_rows(at) {
            return Ok(Vec::new());
        }
        let mut faults = RowFaults::default();
        self.holdings.change(tables, is_new, Totals::add);
        let beside = Beside { catalogue: self.catalogue, holdings: &self.holdings, stands_for_letter: false };
        let found = reckon_of_tables(tables, is_new, beside, &mut faults);
        self.holdings.change(tables, is_new, Totals::take);
        if faults.is_empty() { Ok(found) } else { Err(Refusal::new(RefusalCode::CheckFailed).with_faults(faults)) }
    }

    fn waived(&self) -> &'a HashSet<String> {
        static NOTHING: LazyLock<HashSet<String>> = LazyLock::new(HashSet::new);
        match &self.knowledge.ruling {
            Some(Ruling::Release { waived, .. }) => waived,
            _ => &NOTHING,
        }
    }

    fn hold(&mut self, agency: Matricule, key: Key, digest: &[u8], hold: Hold) -> Decision {
        let account = self.account(agency);
        let highest_sequence = self.use_key(agency, &key, digest);
        Decision::Held { key, hold, account, highest_sequence }
    }

    /// Returns a refusal if the work would exceed the daily quota of the agency's plan.
    fn beyond_quota(&self, agency: Matricule, plan: &str, work: &Work) -> Option<Refusal> {
        let wanted = usage_of(work);
        if wanted == Usage::default() {
            return None;
        }
        let used = self.standing.usage(agency).plus(self.used.get(&agency).copied().unwrap_or_default());
        let after = used.plus(wanted);
        let quota = self.catalogue.quota(plan);
        let beyond = |limit: Option<i64>, after: i64| limit.filter(|limit| after > *limit);
        let refusal = Refusal::new(RefusalCode::QuotaExceeded).with("plan", plan);
        match (beyond(quota.acts, after.acts), beyond(quota.bytes, after.bytes)) {
            (Some(acts_max), _) => {
                Some(refusal.with("acts_max", acts_max).with("acts_used", used.acts).with("acts", wanted.acts))
            }
            (None, Some(bytes_max)) => {
                Some(refusal.with("bytes_max", bytes_max).with("bytes_used", used.bytes).with("bytes", wanted.bytes))
            }
            (None, None) => None,
        }
    }

    fn refuse(
        &mut self,
        agency: Matricule,
        key: Key,
        digest: &[u8],
        refusal: Refusal,
        held_version: Option<serde_json::Value>,
    ) -> Decision {
        let account = self.account(agency);
        let highest_sequence = self.use_key(agency, &key, digest);
        Decision::Refused { key, refusal, held_version, account, highest_sequence }
    }

    fn account(&self, agency: Matricule) -> Account {
        // Every agency is created with an account, so this default is never used. If it were, the letter would not be settled free of
        // charge: the charge would find no account and fail.
        let account = self.standing.account(agency).unwrap_or(Account { id: 0, balance: 0, credit_limit: 0 });
        Account { balance: self.balances.get(&agency).copied().unwrap_or(account.balance), ..account }
    }

    /// Marks a letter's id and sequence number as used, and returns the highest sequence number of its installation.
    fn use_key(&mut self, agency: Matricule, key: &Key, digest: &[u8]) -> i64 {
        self.by_id.insert((agency, key.letter_id), digest.to_vec());
        let place = (agency, key.installation.clone());
        let held = self.standing.numbers(agency, &key.installation).highest;
        let highest = self.highest.entry(place).or_insert(held);
        if let Some(sequence) = key.sequence {
            *highest = (*highest).max(sequence);
            self.by_sequence.insert((agency, key.installation.clone(), sequence));
        }
        *highest
    }
}

/// Returns by how many records and octets a letter increases the usage that counts against its agency's quota.
pub fn usage_of(work: &Work) -> Usage {
    match work.staged().filter(|staged| !staged.is_free) {
        Some(staged) => Usage {
            acts: i64::try_from(staged.acts).unwrap_or(i64::MAX),
            bytes: i64::try_from(staged.bytes).unwrap_or(i64::MAX),
        },
        None => Usage::default(),
    }
}
