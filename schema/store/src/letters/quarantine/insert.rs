//! Insertion into quarantine: containers that were not accepted, with their original bytes. A container of a known signer is always kept
//! completely; containers of strangers are kept up to a total.
//!
//! Anybody who can send mail could fill the disk. So the bytes of strangers have a total, and each reason has a share of it: a flood for
//! one reason cannot displace the evidence for another. Containers beyond the total are only counted, by day, reason and sender domain.
//! Such containers cause no stored bytes and no line of the journal, so nothing grows with the number of mails.
//!
//! A poison letter that claims to come from a registered agency is kept even beyond the share of its reason, since it may be the only copy
//! of the agency's records. A mail may also be the only copy if an agency signed one letter in it and not all of its other documents were
//! examined. The agency then vouches for the mail. All mails with a voucher share a limit of bytes within the total, and no agency may use
//! more than an eighth of that limit (`rooms`). Otherwise a stranger could intercept a letter, send it again and again with other bytes
//! after it, and use up the room of all agencies.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::Utc;
use diesel::sql_types::{BigInt, Bytea, Integer, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::digest::Digest;
use sdc::letter::Matricule;
use sdc::refusal::{Refusal, RefusalCode};
use uuid::Uuid;

use super::rooms::{Booked, Rooms};
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement, runs, unnested};
use crate::settle::batch::Case;
use crate::settle::decision::Decision;
use crate::settle::judge::Key;
use crate::settle::{Arrival, Claimed, SettlingSettings};

/// Largest number of sender domains that are counted separately for one reason and day, since a sender can invent any number of domains.
const DOMAINS_PER_DAY_MAX: i64 = 1000;
/// Name under which all further sender domains are counted.
const OTHER_DOMAINS: &str = "(other)";
/// Bytes that an entry needs in addition to its original. If they were not counted, a flood of tiny containers would exceed the total.
const ENTRY_BYTES: i64 = 512;

/// Returns the bytes that are counted for an entry: its original, the stored texts of its mail, and `ENTRY_BYTES`.
pub fn entry_bytes(original: usize, texts: [Option<&str>; 3]) -> i64 {
    let octets = texts.into_iter().flatten().map(str::len).sum::<usize>().saturating_add(original);
    i64::try_from(octets).unwrap_or(i64::MAX).saturating_add(ENTRY_BYTES)
}

struct Item<'a> {
    /// Index of the container's case in the batch.
    place: usize,
    arrival: &'a Arrival,
    refusal: &'a Refusal,
    key: Option<&'a Key>,
    held_version: Option<&'a serde_json::Value>,
    digest: Vec<u8>,
    /// Agency that signed another letter in the same mail, if the bytes of the item count against the limit for this agency; `None` if they
    /// count against the limit for the reason.
    vouched_by: Option<Matricule>,
}

impl Item<'_> {
    fn claimed(&self) -> &Claimed {
        &self.arrival.source.claimed
    }

    /// Returns the agency from which the item may come: the signer of another letter in the same mail or, without one, the agency that the
    /// mail mentions.
    fn claimed_agency(&self) -> Option<Matricule> {
        self.claimed().signer_beside.or(self.claimed().agency)
    }

    /// Returns the agency that a poison letter claims. Anybody can claim an agency, but each poison letter needs three failures of the
    /// program while no other letter is processed, so nobody can fill a disk this way.
    fn claimed_poison(&self) -> Option<Matricule> {
        self.claimed().agency.filter(|_| self.refusal.code == RefusalCode::Poison)
    }

    fn bytes(&self) -> i64 {
        let Claimed { signer, sender, subject, .. } = self.claimed();
        entry_bytes(self.arrival.container.len(), [signer.as_deref(), Some(sender.as_str()), Some(subject.as_str())])
    }
}

/// Puts the containers of a batch that were not accepted into quarantine, or only counts them. Returns the indices of the containers that
/// were only counted.
pub async fn insert(
    connection: &mut AsyncPgConnection,
    batch: &[Case],
    settings: &SettlingSettings,
) -> Result<HashSet<usize>, Fault> {
    let mut kept = Vec::new();
    let mut strangers: BTreeMap<&'static str, Vec<Item>> = BTreeMap::new();
    for (place, case) in batch.iter().enumerate() {
        let arrival = &case.arrival;
        let (refusal, key, held_version) = match &case.decision {
            Decision::Stranger(refusal) => (refusal, None, None),
            Decision::Refused { key, refusal, held_version, .. } => (refusal, Some(key), held_version.as_ref()),
            Decision::Accepted { .. } | Decision::Held { .. } | Decision::Duplicate(_) | Decision::Deferred => continue,
        };
        let digest = Digest::of(&arrival.container).as_bytes().to_vec();
        let item = Item { place, arrival, refusal, key, held_version, digest, vouched_by: None };
        match key {
            Some(_) => kept.push(item),
            None => strangers.entry(refusal.code.as_str()).or_default().push(item),
        }
    }
    if !kept.is_empty() {
        insert_items(connection, &kept).await?;
    }
    if strangers.is_empty() {
        return Ok(HashSet::new());
    }
    insert_strangers(connection, strangers, settings).await
}

/// Inserts items. Returns reason and digest of the items that were not in quarantine yet.
async fn insert_items(
    connection: &mut AsyncPgConnection,
    items: &[Item<'_>],
) -> Result<HashSet<(String, Vec<u8>)>, Fault> {
    let mut new = HashSet::new();
    for run in runs(items, |item| item.arrival.container.len()) {
        new.extend(insert_run(connection, run).await?);
    }
    Ok(new)
}

async fn insert_run(connection: &mut AsyncPgConnection, items: &[Item<'_>]) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    let details: Vec<String> = items.iter().map(|item| item.refusal.to_string()).collect();
    let binds = [
        Bind::Timestamptzs(items.iter().map(|item| Some(item.arrival.received_at)).collect()),
        Bind::Texts(items.iter().map(|item| Some(item.refusal.code.as_str())).collect()),
        Bind::Booleans(items.iter().map(|item| Some(is_held(item.refusal.code))).collect()),
        Bind::Matricules(items.iter().map(|item| item.arrival.signer().map(|signer| signer.matricule)).collect()),
        Bind::Texts(items.iter().map(|item| item.key.map(|key| key.installation.as_str())).collect()),
        Bind::Uuids(items.iter().map(|item| item.key.map(|key| key.letter_id)).collect::<Vec<Option<Uuid>>>()),
        Bind::Byteas(items.iter().map(|item| Some(item.digest.as_slice())).collect()),
        Bind::Texts(items.iter().map(|item| Some(item.arrival.source.transport)).collect()),
        Bind::Texts(items.iter().map(|item| Some(&*item.arrival.source.mailbox)).collect()),
        Bind::Texts(items.iter().map(|item| Some(item.arrival.source.sender_domain.as_str())).collect()),
        Bind::Byteas(items.iter().map(|item| Some(item.arrival.container.as_slice())).collect()),
        Bind::Bigints(items.iter().map(|item| Some(saturating(item.arrival.container_bytes))).collect()),
        Bind::Texts(details.iter().map(|detail| Some(detail.as_str())).collect()),
        Bind::Jsonbs(items.iter().map(|item| item.held_version).collect()),
        Bind::Matricules(items.iter().map(Item::claimed_agency).collect()),
        Bind::Texts(items.iter().map(|item| item.claimed().signer.as_deref()).collect()),
        Bind::Texts(items.iter().map(|item| Some(item.claimed().sender.as_str())).collect()),
        Bind::Texts(items.iter().map(|item| Some(item.claimed().subject.as_str())).collect()),
        Bind::Matricules(items.iter().map(|item| item.vouched_by).collect()),
        Bind::Texts(items.iter().map(|item| faulty_table(item.refusal)).collect()),
    ];
    // If the same container is refused again for the same reason, for example in a mail that is fetched twice, it gets no second entry.
    let text = format!(
        "INSERT INTO xm.quarantine (received_at, reason, held, agency, installation, letter_id, digest, transport, mailbox,
                                    sender_domain, original, original_bytes, detail, held_version,
                                    claimed_agency, signer, sender, subject, signer_beside, faulty_table)
         SELECT {}
             ON CONFLICT (digest, reason) DO NOTHING
         RETURNING reason, digest",
        unnested(binds.len())
    );
    Ok(Statement::<(Text, Bytea)>::new(&text, &binds).load(connection).await?)
}

/// Returns the table that a refusal is about: that of the first faulty row, or the one that it names.
pub fn faulty_table(refusal: &Refusal) -> Option<&str> {
    let of_row = refusal.faults.as_slice().first().map(|fault| fault.table.as_str());
    of_row.or_else(|| refusal.parameters.get("table").map(String::as_str))
}

fn saturating(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Says whether an operator must decide between two versions of the letter or record, since the container contradicts what the centre has.
fn is_held(code: RefusalCode) -> bool {
    matches!(code, RefusalCode::Conflict | RefusalCode::LetterConflict | RefusalCode::SequenceConflict)
}

async fn insert_strangers(
    connection: &mut AsyncPgConnection,
    strangers: BTreeMap<&'static str, Vec<Item<'_>>>,
    settings: &SettlingSettings,
) -> Result<HashSet<usize>, Fault> {
    let vouchers = strangers.values().flatten().filter_map(|item| item.claimed().signer_beside).map(Some).collect();
    let mut rooms = Rooms::lock(connection, strangers.keys().copied(), vouchers).await?;
    let agencies = agencies_of_poison(connection, &strangers).await?;
    let mut fitting = Vec::new();
    let mut beyond = Vec::new();
    for (reason, items) in strangers {
        for mut item in items {
            let bytes = item.bytes();
            let is_poison_of_agency = item.claimed_poison().is_some_and(|agency| agencies.contains(&agency));
            let voucher = item.claimed().signer_beside;
            item.vouched_by = voucher.filter(|agency| rooms.take_vouched(*agency, bytes, settings));
            if item.vouched_by.is_some() || rooms.take(reason, bytes, settings, is_poison_of_agency) {
                fitting.push(item);
            } else {
                beyond.push(item);
            }
        }
    }
    if !fitting.is_empty() {
        let mut new = insert_items(connection, &fitting).await?;
        let mut booked = Booked::default();
        for item in fitting {
            let reason = item.refusal.code.as_str();
            if new.remove(&(reason.to_owned(), item.digest.clone())) {
                booked.add(reason, item.vouched_by, item.bytes());
            } else {
                // The container is in quarantine already. Even if it is sent a million times, it has only one entry, and its arrivals are
                // counted.
                beyond.push(item);
            }
        }
        booked.write(connection).await?;
    }
    let places = beyond.iter().map(|item| item.place).collect();
    beyond.retain(|item| !item.arrival.source.is_fetched_again);
    if !beyond.is_empty() {
        count(connection, &beyond).await?;
    }
    Ok(places)
}

/// Returns the agencies that poison letters claim to come from, if they are registered: such letters are kept even beyond the limit of
/// their reason.
async fn agencies_of_poison(
    connection: &mut AsyncPgConnection,
    strangers: &BTreeMap<&'static str, Vec<Item<'_>>>,
) -> Result<HashSet<Matricule>, Fault> {
    let claimed: Vec<Option<Matricule>> =
        strangers.values().flatten().filter_map(Item::claimed_poison).map(Some).collect();
    if claimed.is_empty() {
        return Ok(HashSet::new());
    }
    let text = "SELECT matricule FROM xm.agencies WHERE matricule = ANY(?)";
    let binds = [Bind::Matricules(claimed)];
    let rows: Vec<Matricule> = Statement::<Integer>::new(text, &binds).load(connection).await?;
    Ok(rows.into_iter().collect())
}

async fn count(connection: &mut AsyncPgConnection, items: &[Item<'_>]) -> Result<(), Fault> {
    let today = Utc::now().date_naive();
    let text = "SELECT reason, count(*) FROM xm.quarantine_counts WHERE day = ANY(?) GROUP BY reason";
    let binds = [Bind::Dates(vec![Some(today)])];
    let domains: Vec<(String, i64)> = Statement::<(Text, BigInt)>::new(text, &binds).load(connection).await?;
    let domains: HashMap<String, i64> = domains.into_iter().collect();

    let mut counts: BTreeMap<(&str, &str), (Vec<u8>, i64, i64)> = BTreeMap::new();
    for item in items {
        let reason = item.refusal.code.as_str();
        let full = domains.get(reason).is_some_and(|known| *known >= DOMAINS_PER_DAY_MAX);
        let domain = if full { OTHER_DOMAINS } else { item.arrival.source.sender_domain.as_str() };
        let entry = counts.entry((reason, domain)).or_insert_with(|| (item.digest.clone(), 0, 0));
        entry.1 += 1;
        entry.2 = entry.2.saturating_add(saturating(item.arrival.container_bytes));
    }
    let rows: Vec<_> = counts.into_iter().collect();
    let binds = [
        Bind::Dates(rows.iter().map(|_| Some(today)).collect()),
        Bind::Texts(rows.iter().map(|((reason, _), _)| Some(*reason)).collect()),
        Bind::Texts(rows.iter().map(|((_, domain), _)| Some(*domain)).collect()),
        Bind::Byteas(rows.iter().map(|(_, (digest, _, _))| Some(digest.as_slice())).collect()),
        Bind::Bigints(rows.iter().map(|(_, (_, containers, _))| Some(*containers)).collect()),
        Bind::Bigints(rows.iter().map(|(_, (_, _, bytes))| Some(*bytes)).collect()),
    ];
    let text = "INSERT INTO xm.quarantine_counts AS c (day, reason, sender_domain, last_digest, containers, bytes)
         SELECT * FROM unnest(?, ?, ?, ?, ?, ?)
             ON CONFLICT (day, reason, sender_domain) DO UPDATE
            SET last_digest = excluded.last_digest, containers = c.containers + excluded.containers,
                -- The sizes are what a mail server lists: their sum stops at the largest bigint.
                bytes = least(c.bytes::numeric + excluded.bytes, 9223372036854775807)::bigint";
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}
