//! Decides every letter of a batch, in the order of effect, by what the centre holds. Pure: the same inputs give the same decisions.
//!
//! A batch is decided anew whenever something more is learnt from the database. So a letter that turns out to be refused no longer
//! uses credit or records that later letters of the batch need.

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

/// What has been learnt from the database since the first round.
#[derive(Default)]
pub struct Knowledge {
    /// Records already held that a letter of the batch names too; read once the insert has met one.
    pub held: Option<HeldRecords>,
    /// Letters that a rule of the database itself refused, by their place in the batch.
    pub refused_by_database: HashMap<usize, Refusal>,
    /// Tables that take no rows of any letter now: they are locked, or no longer as they were adopted.
    pub withheld: HashSet<i32>,
    /// Letters that met a fault which their bytes do not cause, by their place in the batch.
    pub waiting: HashSet<usize>,
    /// When an operator had the letters tried again, so that a refused one may get another verdict.
    pub retried_at: Option<DateTime<Utc>>,
    /// What the tables hold of the groups that checks look at; nothing of what the batch itself brings.
    pub holdings: Holdings,
    /// Letters of which it is known which rows are held already, by their place in the batch. Only then checks are judged by that need it.
    pub looked_up: HashSet<usize>,
    /// What people decided of the letters, who have them tried again: one that is not accepted may get another verdict.
    pub ruling: Option<Ruling>,
}

impl Knowledge {
    /// Adds what is held and says whether any of it was not known before.
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
    /// Verdicts given in this batch, by id and by sequence number.
    by_id: HashMap<(Matricule, Uuid), Vec<u8>>,
    by_sequence: HashSet<(Matricule, String, i64)>,
    balances: HashMap<Matricule, i64>,
    /// What accepted letters of this batch read, by agency.
    used: HashMap<Matricule, Usage>,
    highest: HashMap<(Matricule, String), i64>,
    /// Records of accepted letters of this batch, by identity and by legal key.
    records: BatchRecords<'a>,
    /// What services that are not of records have given in this batch.
    serving: Serving<'a>,
    /// What the tables hold, with the rows of accepted letters of this batch.
    holdings: Holdings,
    /// Tables that accepted letters of this batch write new records into, by agency.
    written: HashSet<(Matricule, i32)>,
    /// Records that accepted letters of this batch correct, by table, agency, installation and number.
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
        // A committed verdict is final: the same letter again is a duplicate, whatever has become of its sender since.
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

    /// Returns the number of the next attempt at a letter that has a verdict; none where the verdict is final.
    fn next_attempt(&self, agency: Matricule, letter_id: Uuid) -> Option<i16> {
        let held = self.standing.known_by_id(agency, letter_id).filter(|_| self.knowledge.ruling.is_some())?;
        (!held.is_accepted).then(|| held.attempt.saturating_add(1))
    }

    fn verdict(&self, agency: Matricule, letter_id: Uuid) -> Option<&[u8]> {
        let held = self.standing.known_by_id(agency, letter_id).map(|known| known.digest.as_slice());
        held.or_else(|| self.by_id.get(&(agency, letter_id)).map(Vec::as_slice))
    }

    /// Returns the refusal of a letter whose id or number another letter has. An earlier attempt at the same letter is no other letter.
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
        if self.knowledge.looked_up.contains(&at) {
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

    /// Accepts work that the account bears: charges it, and uses the letter's key.
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

    /// Judges a letter's new rows by the checks that look at what the tables hold, these rows included. Nothing is found before it is
    /// known which rows are new.
    fn judge_checks(&mut self, at: usize, tables: &[TableRows], is_new: &[Vec<bool>]) -> Result<Vec<Found>, Refusal> {
        if !self.knowledge.looked_up.contains(&at) {
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

    /// Refuses what goes beyond the day's quota of the agency's plan.
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
        // Every agency has an account by construction. A missing one counts as empty, and the charge then fails loudly.
        let account = self.standing.account(agency).unwrap_or(Account { id: 0, balance: 0, credit_limit: 0 });
        Account { balance: self.balances.get(&agency).copied().unwrap_or(account.balance), ..account }
    }

    /// Marks id and number as used, and returns the installation's highest number.
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

/// Returns what a letter counts for its agency's quota.
pub fn usage_of(work: &Work) -> Usage {
    match work.staged().filter(|staged| !staged.is_free) {
        Some(staged) => Usage {
            acts: i64::try_from(staged.acts).unwrap_or(i64::MAX),
            bytes: i64::try_from(staged.bytes).unwrap_or(i64::MAX),
        },
        None => Usage::default(),
    }
}
