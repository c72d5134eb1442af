//! Decides every letter of a batch, in the order of effect, by what the centre holds. Pure: the same inputs give the same decisions.
//!
//! A batch is decided anew whenever something more is learnt from the database. So a letter that turns out to be refused no longer
//! uses credit or records that later letters of the batch need.

use std::collections::{HashMap, HashSet};

use sdc::answer::sealed::started_kb;
use sdc::letter::Matricule;
use sdc::refusal::{ROW_FAULTS_MAX, Refusal, RefusalCode, RowFault};
use sdc::service::Credit;
use uuid::Uuid;

use super::account::Account;
use super::arrival::{Arrival, Content};
use super::batch::Case;
use super::decision::{Acceptance, Decision};
use super::held::{HeldRecords, Match};
use super::judge::{Judged, Key};
use super::standing::Standing;
use super::work::Work;
use crate::reading::Usage;
use crate::tables::catalogue::Catalogue;
use crate::tables::examine::{TableRows, row_number};

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
    /// Whether an operator has the letters tried again, so that a refused one may get another verdict.
    pub is_retry: bool,
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

/// Returns the places of a batch in the order in which its letters take effect: by agency, installation and sequence number, and
/// where these are alike as they came.
pub fn order_of_effect(batch: &[Case]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..batch.len()).collect();
    order.sort_by_key(|&place| {
        let case = &batch[place];
        (case.agency(), case.judged.key().map(|key| key.order_of_effect(place)), place)
    });
    order
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
        let held = self.standing.known_by_id(agency, letter_id).filter(|_| self.knowledge.is_retry)?;
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
        if let Some(refusal) = self.knowledge.refused_by_database.get(&at) {
            return self.refuse(agency, key, digest, refusal.clone(), None);
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
        let (started_kb, at) = (started_kb(arrival.rendered_bytes) + work.started_kb(), arrival.received_at);
        let price = self.catalogue.prices.price(&signer.plan, work.service(), &work.acts(), started_kb, at);
        let account = self.account(agency);
        if price.credit == Credit::Refuse
            && price.amount > 0
            && account.balance.saturating_sub(price.amount) < -account.credit_limit
        {
            let refusal = Refusal::new(RefusalCode::InsufficientCredit);
            let refusal = refusal.with("price", price.amount).with("balance", account.balance);
            return self.refuse(agency, key, digest, refusal, None);
        }
        let balance = account.balance.saturating_sub(price.amount);
        self.balances.insert(agency, balance);
        let used = self.used.entry(agency).or_default();
        *used = used.plus(usage_of(work));
        if self.knowledge.held.is_some() {
            self.records.add(agency, &key.installation, tables);
        }
        let highest_sequence = self.use_key(agency, &key, digest);
        let acceptance = Acceptance { work: work.clone(), is_new, price };
        let account = Account { balance, ..account };
        Decision::Accepted { key, acceptance, account, highest_sequence }
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

type Place<'a> = (&'a TableRows, usize);

/// Records of accepted letters of the batch itself.
#[derive(Default)]
struct BatchRecords<'a> {
    by_identity: HashMap<(i32, Matricule, String, i64), Place<'a>>,
    by_legal_key: HashMap<(i32, Vec<String>), Place<'a>>,
}

impl<'a> BatchRecords<'a> {
    /// Says for every row whether it is new, or refuses the letter for the rows held with other content.
    fn classify(
        &self,
        at: usize,
        agency: Matricule,
        installation: &str,
        tables: &'a [TableRows],
        held: &HeldRecords,
    ) -> Result<Vec<Vec<bool>>, (Refusal, serde_json::Value)> {
        let (mut faults, mut versions, mut total) = (Vec::new(), Vec::new(), 0_u32);
        let mut is_new = Vec::with_capacity(tables.len());
        for (table, rows) in tables.iter().enumerate() {
            let mut own: HashMap<Vec<String>, usize> = HashMap::new();
            let mut marks = Vec::with_capacity(rows.row_count());
            for row in 0..rows.row_count() {
                let found = held.get((at, table, row));
                let beside = if found.is_none() { self.find(agency, installation, rows, row, &mut own) } else { None };
                if let Some(Match::Differs) = found.or(beside) {
                    total += 1;
                    if faults.len() < ROW_FAULTS_MAX {
                        faults.push(conflict_fault(rows, row));
                        versions.extend(match found {
                            Some(_held) => held.version((at, table, row)).cloned(),
                            None => Some(serde_json::Value::String("in the same batch".to_owned())),
                        });
                    }
                }
                marks.push(found.or(beside).is_none());
            }
            is_new.push(marks);
        }
        if faults.is_empty() {
            return Ok(is_new);
        }
        let mut refusal = Refusal::new(RefusalCode::Conflict).with_faults(faults);
        refusal.faults_total = total;
        Err((refusal, serde_json::Value::Array(versions)))
    }

    fn find(
        &self,
        agency: Matricule,
        installation: &str,
        rows: &TableRows,
        row: usize,
        own: &mut HashMap<Vec<String>, usize>,
    ) -> Option<Match> {
        let table_id = rows.definition.table_id;
        let legal_key = rows.legal_key(row);
        let identity = (table_id, agency, installation.to_owned(), rows.numeros[row]);
        let Some(legal_key) = legal_key else {
            return self.by_identity.get(&identity).map(|other| compare(rows, row, *other));
        };
        if let Some(&first) = own.get(&legal_key) {
            return Some(compare(rows, row, (rows, first)));
        }
        let other =
            self.by_identity.get(&identity).or_else(|| self.by_legal_key.get(&(table_id, legal_key.clone()))).copied();
        own.insert(legal_key, row);
        other.map(|other| compare(rows, row, other))
    }

    fn add(&mut self, agency: Matricule, installation: &str, tables: &'a [TableRows]) {
        for rows in tables {
            let table_id = rows.definition.table_id;
            for row in 0..rows.row_count() {
                let identity = (table_id, agency, installation.to_owned(), rows.numeros[row]);
                self.by_identity.entry(identity).or_insert((rows, row));
                if let Some(legal_key) = rows.legal_key(row) {
                    self.by_legal_key.entry((table_id, legal_key)).or_insert((rows, row));
                }
            }
        }
    }
}

/// Compares two records of one batch by the columns that either brings.
fn compare(rows: &TableRows, row: usize, (other, other_row): Place<'_>) -> Match {
    let is_same = |column: usize| rows.values[column].same(row, &other.values[column], other_row);
    let same = rows.columns == other.columns && (0..rows.values.len()).all(is_same);
    if same { Match::Same } else { Match::Differs }
}

fn conflict_fault(rows: &TableRows, row: usize) -> RowFault {
    RowFault {
        table: rows.definition.name.clone(),
        row: row_number(row),
        column: None,
        rule: "conflict".to_owned(),
        expected: "the content that the centre holds".to_owned(),
    }
}
