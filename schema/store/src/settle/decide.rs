//! Decides every letter of a batch, in order, by what is held. Pure: the same inputs give the same decisions.
//!
//! Decided anew after each thing learnt from the database, so that a letter found refused gives its price and its
//! records back to the letters behind it.

use std::collections::{HashMap, HashSet};

use sdc::refusal::{ROW_FAULTS_MAX, Refusal, RefusalCode, RowFault};
use sdc::service::Credit;
use uuid::Uuid;

use super::arrival::{Arrival, Content};
use super::held::{HeldRecords, Match};
use super::judge::{Judged, Key};
use super::reads::{Account, Standing};
use super::work::Work;
use crate::tables::catalogue::{Catalogue, Price};
use crate::tables::examine::{TableRows, row_number};

/// What has been learnt since the first round.
#[derive(Default)]
pub struct Knowledge {
    /// Records already held that a letter of the batch names too; read once the insert has met one.
    pub held: Option<HeldRecords>,
    /// Letters that a rule of the database itself refused, by their place in the batch.
    pub refused_by_database: HashMap<usize, Refusal>,
    /// Tables that take no rows of anybody now: they are no longer what was adopted, or locked.
    pub withheld: HashSet<i32>,
    /// Letters that met a fault which is not theirs, by their place in the batch.
    pub waiting: HashSet<usize>,
    /// Whether an operator has the letters tried again: a refusal is not the last word on them.
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

/// An accepted letter.
pub struct Acceptance {
    pub work: Work,
    /// For each table, for each row: whether it is new (to be inserted) or held already with the same content.
    pub is_new: Vec<Vec<bool>>,
    pub price: Price,
}

/// What becomes of an arrival.
///
/// A check of severity `hold` gets a variant of its own here, `Held`, with the service that releases: it uses key and number,
/// writes no rows, charges nothing, and its receipt has a verdict of its own (SPEC 7, Held).
pub enum Decision {
    Stranger(Refusal),
    /// Its verdict stands under this key.
    Duplicate(Key),
    Accepted {
        key: Key,
        acceptance: Acceptance,
        account: Account,
        highest_sequence: i64,
    },
    Refused {
        key: Key,
        refusal: Refusal,
        held_version: Option<serde_json::Value>,
        account: Account,
        highest_sequence: i64,
    },
    /// A table of its takes no rows now, or it met a fault that is not its own. Nothing of it is committed, no number used
    /// up: it comes again.
    Deferred,
}

impl Decision {
    pub fn acceptance(&self) -> Option<&Acceptance> {
        match self {
            Decision::Accepted { acceptance, .. } => Some(acceptance),
            _ => None,
        }
    }
}

/// Returns by what the letters of one agency take effect one behind the other.
pub fn place_in_order(key: &Key, at: usize) -> (String, Option<i64>, usize) {
    (key.installation.clone(), key.sequence, at)
}

/// Returns the places of a batch in the order of effect: by agency, installation and sequence number, else as they came.
pub fn order_of_effect(batch: &[Arrival], judged: &[Judged]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..batch.len()).collect();
    order.sort_by_key(|&at| {
        let agency = batch[at].signer().map(|signer| signer.matricule);
        (agency, judged[at].key().map(|key| place_in_order(key, at)), at)
    });
    order
}

/// Decides a batch. The result is in the batch's own order.
pub fn decide(
    batch: &[Arrival],
    judged: &[Judged],
    standing: &Standing,
    catalogue: &Catalogue,
    knowledge: &Knowledge,
) -> Vec<Decision> {
    let mut round = Round::new(standing, catalogue, knowledge);
    let mut decisions: Vec<Option<Decision>> = (0..batch.len()).map(|_| None).collect();
    for at in order_of_effect(batch, judged) {
        decisions[at] = Some(round.decide_one(at, &batch[at], &judged[at]));
    }
    decisions.into_iter().flatten().collect()
}

struct Round<'a> {
    standing: &'a Standing,
    catalogue: &'a Catalogue,
    knowledge: &'a Knowledge,
    /// Verdicts given in this batch, by id and by sequence number.
    by_id: HashMap<(i32, Uuid), Vec<u8>>,
    by_sequence: HashSet<(i32, String, i64)>,
    balances: HashMap<i32, i64>,
    highest: HashMap<(i32, String), i64>,
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
            highest: HashMap::new(),
            records: BatchRecords::default(),
        }
    }

    fn decide_one(&mut self, at: usize, arrival: &'a Arrival, judged: &'a Judged) -> Decision {
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
        let agency = signer.matricule.as_i32();
        let digest_bytes = digest.as_bytes();
        // A committed verdict is final: the same letter again is a duplicate, whatever is known of its sender by now.
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

    /// Returns the number of a retry of a letter that has a verdict; none where the verdict stands.
    fn next_attempt(&self, agency: i32, letter_id: Uuid) -> Option<i16> {
        let held = self.standing.known_by_id(agency, letter_id).filter(|_| self.knowledge.is_retry)?;
        (!held.is_accepted).then(|| held.attempt.saturating_add(1))
    }

    fn verdict(&self, agency: i32, letter_id: Uuid) -> Option<&[u8]> {
        let held = self.standing.known_by_id(agency, letter_id).map(|known| known.digest.as_slice());
        held.or_else(|| self.by_id.get(&(agency, letter_id)).map(Vec::as_slice))
    }

    /// Says why a letter cannot have the id and number that it claims; those that it has itself, by an earlier attempt, are its own.
    fn contested(&self, agency: i32, key: &Key, digest: &[u8]) -> Option<Refusal> {
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
        let agency = signer.matricule.as_i32();
        let tables = work.tables();
        if let Some(refusal) = self.knowledge.refused_by_database.get(&at) {
            return self.refuse(agency, key, digest, refusal.clone(), None);
        }
        if tables.iter().any(|rows| self.knowledge.withheld.contains(&rows.definition.table_id)) {
            return Decision::Deferred;
        }
        let is_new = match &self.knowledge.held {
            None => tables.iter().map(|rows| vec![true; rows.row_count()]).collect(),
            Some(held) => match self.records.classify(at, agency, &key.installation, tables, held) {
                Ok(is_new) => is_new,
                Err((refusal, version)) => return self.refuse(agency, key, digest, refusal, Some(version)),
            },
        };
        let (bytes, at) = (arrival.rendered_bytes, arrival.received_at);
        let price = self.catalogue.price(&signer.plan, work.service(), &work.acts(), bytes, at);
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
        if self.knowledge.held.is_some() {
            self.records.add(agency, &key.installation, tables);
        }
        let highest_sequence = self.use_key(agency, &key, digest);
        let acceptance = Acceptance { work: work.clone(), is_new, price };
        let account = Account { balance, ..account };
        Decision::Accepted { key, acceptance, account, highest_sequence }
    }

    fn refuse(
        &mut self,
        agency: i32,
        key: Key,
        digest: &[u8],
        refusal: Refusal,
        held_version: Option<serde_json::Value>,
    ) -> Decision {
        let account = self.account(agency);
        let highest_sequence = self.use_key(agency, &key, digest);
        Decision::Refused { key, refusal, held_version, account, highest_sequence }
    }

    fn account(&self, agency: i32) -> Account {
        // Every agency has an account by construction; one without is treated as empty, and its charge then fails loudly.
        let account = self.standing.account(agency).unwrap_or(Account { id: 0, balance: 0, credit_limit: 0 });
        Account { balance: self.balances.get(&agency).copied().unwrap_or(account.balance), ..account }
    }

    /// Marks id and number as used, and returns the installation's highest number.
    fn use_key(&mut self, agency: i32, key: &Key, digest: &[u8]) -> i64 {
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

type Place<'a> = (&'a TableRows, usize);

/// Records of accepted letters of the batch itself.
#[derive(Default)]
struct BatchRecords<'a> {
    by_identity: HashMap<(i32, i32, String, i64), Place<'a>>,
    by_legal_key: HashMap<(i32, Vec<String>), Place<'a>>,
}

impl<'a> BatchRecords<'a> {
    /// Says for every row whether it is new, or refuses the letter for the rows held with other content.
    fn classify(
        &self,
        at: usize,
        agency: i32,
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
        agency: i32,
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

    fn add(&mut self, agency: i32, installation: &str, tables: &'a [TableRows]) {
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
    let same =
        rows.columns == other.columns && rows.values.iter().zip(&other.values).all(|(a, b)| a.same(row, b, other_row));
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
