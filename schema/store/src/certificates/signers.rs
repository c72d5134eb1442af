//! Whose key signed: registered certificates with all that judging a letter needs of their agency.
//!
//! Parsed once and cached within a bound. A cached signer may be stale; settling compares `revision` under the
//! agency's row lock and reads the signer anew where it differs, so that a revocation holds from the next letter on.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use lru::LruCache;
use sdc::cms::SignerId;
use sdc::keys::{KeyError, RegisteredCertificate};
use sdc::letter::Matricule;
use sdc::names::folded;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Age at which a signer is read anew: of several certificates of one key, the one that is valid now takes the place of
/// another by then. Letters do not wait for that: their key is judged, by whichever of its certificates was valid.
const SIGNER_AGE_MAX: Duration = Duration::from_secs(60);

/// A registered certificate and its agency as they were when read.
pub struct Signer {
    /// Key in `xm.certificates`.
    pub certificate_id: i32,
    /// The one certificate that the agency's signature is verified with.
    pub certificate: RegisteredCertificate,
    /// When its key was revoked, with every certificate of it.
    pub revoked_at: Option<DateTime<Utc>>,
    /// From when to when its certificate is valid, or each certificate of its key.
    pub validity: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// Whether `validity` has every certificate of its key.
    pub has_every_validity: bool,
    /// The agency that the key belongs to, for ever.
    pub matricule: Matricule,
    /// The agency's revision when this was read.
    pub revision: i64,
    /// The agency's status, 0 to 3 (guide, table 3).
    pub status: i16,
    /// Its plan.
    pub plan: String,
    /// Largest container that it may send, in bytes.
    pub letter_bytes_max: usize,
    /// Whether AES-256-CBC is tolerated from it.
    pub cbc_allowed: bool,
    /// Its enrolled installations.
    pub installations: Vec<String>,
    /// Codes granted, by scope column as [`folded`].
    pub scopes: HashMap<String, HashSet<String>>,
}

impl Signer {
    /// Says whether any certificate of its key was valid at a time.
    pub fn is_valid_at(&self, time: DateTime<Utc>) -> bool {
        self.is_in_time(time, 0)
    }

    /// Says whether any certificate of its key was valid at a time, or had ended no more than `grace_days` before.
    pub fn is_in_time(&self, time: DateTime<Utc>, grace_days: u16) -> bool {
        let grace = TimeDelta::days(i64::from(grace_days));
        self.validity.iter().any(|(not_before, not_after)| *not_before <= time && time - *not_after <= grace)
    }

    /// Says whether a certificate of its key that was not read may have been valid at a time.
    pub fn may_be_valid_at(&self, time: DateTime<Utc>) -> bool {
        !self.has_every_validity && !self.is_valid_at(time)
    }
}

/// Signers by identifier and certificates by key, each cached within a bound of `capacity`.
///
/// What was used longest ago goes. On a night on which everybody sends one letter each, most go before they are used again:
/// what putting one in costs matters, more than how often one is found.
pub struct Signers {
    /// With the moment at which each was read.
    cache: Mutex<LruCache<SignerId, (Instant, Arc<Signer>)>>,
    certificates: Mutex<LruCache<i32, RegisteredCertificate>>,
    /// Identifiers whose certificates could not be read when they were last looked up.
    unreadable: Mutex<LruCache<SignerId, i32>>,
    age_max: Duration,
}

type Row = (
    Integer,
    Bytea,
    Bytea,
    Bytea,
    Bytea,
    Timestamptz,
    Timestamptz,
    Nullable<Timestamptz>,
    Integer,
    BigInt,
    SmallInt,
    Text,
    Integer,
    Bool,
    Array<Text>,
    Array<Text>,
);
type Loaded = (
    i32,
    Vec<u8>,
    Vec<u8>,
    Vec<u8>,
    Vec<u8>,
    DateTime<Utc>,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    i32,
    i64,
    i16,
    String,
    i32,
    bool,
    Vec<String>,
    Vec<String>,
);

/// Columns of a signer; the caller adds the condition. The last array carries the scopes, each as its column and then its code.
/// A certificate that is not revoked has a key that is not: triggers see to that, so most look into `xm.agency_keys` for nothing.
macro_rules! select_signers {
    ($condition:literal) => {
        concat!(
            "SELECT c.id, c.der, c.key_id, c.issuer, c.serial, c.not_before, c.not_after,
                    CASE WHEN c.revoked_at IS NOT NULL
                         THEN (SELECT k.revoked_at FROM xm.agency_keys k WHERE k.spki_sha256 = c.spki_sha256) END,
                    a.matricule, a.revision, a.status, a.plan, a.letter_bytes_max, a.cbc_allowed,
                    ARRAY(SELECT i.name FROM xm.installations i WHERE i.agency = a.matricule),
                    ARRAY(SELECT unnest(ARRAY[s.column_name, s.code]) FROM xm.scopes s WHERE s.agency = a.matricule)
               FROM xm.certificates c JOIN xm.agencies a ON a.matricule = c.agency
              WHERE ",
            $condition,
            // Of several certificates of one key: one that was replaced (revoked, and its key not) after all others; of these the
            // one valid now goes first, then the one that ends last.
            " ORDER BY (c.revoked_at IS NULL) DESC, (now() BETWEEN c.not_before AND c.not_after) DESC, c.not_after DESC"
        )
    };
}

/// Signers by key identifier. What a subquery makes of an array has any length for the planner, so that the plan is kept: it would
/// plan anew for every letter that comes by itself, since it takes an array of one for cheaper.
const BY_KEY_ID: &str = select_signers!("c.key_id = ANY(ARRAY(SELECT unnest(?)))");
/// Signers by serial number and issuer together: many issuers have a certificate number 1, and a stranger names whom he likes.
const BY_ISSUER: &str =
    select_signers!("(c.serial, c.issuer) IN (SELECT * FROM unnest(ARRAY(SELECT unnest(?)), ARRAY(SELECT unnest(?))))");

impl Signers {
    /// Makes an empty cache.
    pub fn new(capacity: u64) -> Signers {
        Signers::with_age_max(capacity, SIGNER_AGE_MAX)
    }

    pub(crate) fn with_age_max(capacity: u64, age_max: Duration) -> Signers {
        Signers {
            cache: Mutex::new(bounded(capacity)),
            certificates: Mutex::new(bounded(capacity)),
            unreadable: Mutex::new(bounded(capacity)),
            age_max,
        }
    }

    /// Returns the certificate of a key in `xm.certificates`, whose DER never changes: whoever is verified is soon
    /// answered.
    ///
    /// # Errors
    /// Not a certificate that could have been registered.
    pub fn certificate(&self, certificate_id: i32, der: &[u8]) -> Result<RegisteredCertificate, KeyError> {
        if let Some(known) = locked(&self.certificates).get(&certificate_id) {
            return Ok(known.clone());
        }
        let parsed = RegisteredCertificate::registered(der)?;
        locked(&self.certificates).put(certificate_id, parsed.clone());
        Ok(parsed)
    }

    /// Returns the signer if it is cached.
    pub fn cached(&self, id: &SignerId) -> Option<Arc<Signer>> {
        let mut cache = locked(&self.cache);
        let (read_at, signer) = cache.get(id)?;
        (read_at.elapsed() < self.age_max).then(|| Arc::clone(signer))
    }

    /// Says whether the certificate of an identifier is registered and could not be read when it was last looked up: whoever
    /// it is of is no stranger, and waits until it is mended.
    pub fn is_unreadable(&self, id: &SignerId) -> bool {
        locked(&self.unreadable).contains(id)
    }

    /// Looks up many identifiers together and caches what was found. Identifiers of strangers are absent from the result, and
    /// those that [`Signers::is_unreadable`] speaks of.
    ///
    /// # Errors
    /// A fault of the database.
    pub async fn look_up(
        &self,
        connection: &mut AsyncPgConnection,
        ids: &[SignerId],
    ) -> Result<HashMap<SignerId, Arc<Signer>>, Fault> {
        let wanted: HashSet<&SignerId> = ids.iter().collect();
        let (mut key_ids, mut serials, mut issuers) = (Vec::new(), Vec::new(), Vec::new());
        for id in &wanted {
            match id {
                SignerId::KeyId(key_id) => key_ids.push(Some(key_id.as_slice())),
                SignerId::IssuerSerial { issuer, serial } => {
                    serials.push(Some(serial.as_slice()));
                    issuers.push(Some(issuer.as_slice()));
                }
            }
        }
        let read_at = Instant::now();
        // Each of its own: joined by OR, they would be looked for in the whole table.
        let (mut by_key_id, mut by_issuer): (Vec<Loaded>, Vec<Loaded>) = (Vec::new(), Vec::new());
        if !key_ids.is_empty() {
            by_key_id = Statement::<Row>::new(BY_KEY_ID, &[Bind::Byteas(key_ids)]).load(connection).await?;
        }
        if !serials.is_empty() {
            let binds = [Bind::Byteas(serials), Bind::Byteas(issuers)];
            by_issuer = Statement::<Row>::new(BY_ISSUER, &binds).load(connection).await?;
        }
        let validities = Validities::read(connection, by_key_id.iter().chain(&by_issuer)).await?;
        let by_key_id = by_key_id.into_iter().map(|row| (SignerId::KeyId(row.2.clone()), row));
        let name = |row: &Loaded| SignerId::IssuerSerial { issuer: row.3.clone(), serial: row.4.clone() };
        let by_issuer = by_issuer.into_iter().map(|row| (name(&row), row));
        let (mut found, mut unreadable) = (HashMap::new(), Vec::new());
        for (id, row) in by_key_id.chain(by_issuer) {
            let certificate_id = row.0;
            let signer = match signer(row, &validities, |id, der| self.certificate(id, der)) {
                Ok(signer) => Arc::new(signer),
                Err(fault) => {
                    unreadable.push((id, certificate_id, fault));
                    continue;
                }
            };
            // One that has no key identifier to be named by stands in the inventory under the one made from its key, and
            // verifies nothing that names another certificate of that key by it.
            let is_named = |signer: &Signer| signer.certificate.signer_ids().contains(&id);
            let is_better = |known: &Arc<Signer>| !is_named(known) && is_named(&signer);
            if found.get(&id).is_none_or(is_better) {
                locked(&self.cache).put(id.clone(), (read_at, Arc::clone(&signer)));
                found.insert(id, signer);
            }
        }
        self.remember_unreadable(&wanted, &found, unreadable);
        Ok(found)
    }

    /// One row that cannot be read holds up its own letters only. It is told once, until it can be read.
    fn remember_unreadable(
        &self,
        wanted: &HashSet<&SignerId>,
        found: &HashMap<SignerId, Arc<Signer>>,
        unreadable: Vec<(SignerId, i32, Fault)>,
    ) {
        let mut known = locked(&self.unreadable);
        if known.is_empty() && unreadable.is_empty() {
            return;
        }
        let is_unreadable = |id: &SignerId| unreadable.iter().any(|(other, ..)| other == id);
        for id in wanted.iter().filter(|id| found.contains_key(**id) || !is_unreadable(id)) {
            known.pop(*id);
        }
        for (id, certificate, fault) in unreadable {
            if !found.contains_key(&id) && known.put(id, certificate).is_none() {
                tracing::error!(certificate, %fault, "letters signed with this certificate wait, all others go on");
            }
        }
    }
}

/// From when to when each certificate of a key is valid, by the certificate that a row is of.
#[derive(Default)]
struct Validities(HashMap<i32, Vec<Period>>);

/// From when to when a certificate is valid.
type Period = (DateTime<Utc>, DateTime<Utc>);

impl Validities {
    /// Reads those of certificates that are not valid now, or stand beside another of their key, which has the same name. For most
    /// that costs nothing: a certificate that is valid now says enough.
    async fn read<'a>(
        connection: &mut AsyncPgConnection,
        rows: impl Iterator<Item = &'a Loaded>,
    ) -> Result<Validities, Fault> {
        let now = Utc::now();
        let mut of_names: HashMap<&[u8], i32> = HashMap::new();
        let mut wanted: HashSet<i32> = HashSet::new();
        for (certificate_id, _, key_id, _, _, not_before, not_after, ..) in rows {
            let first = *of_names.entry(key_id.as_slice()).or_insert(*certificate_id);
            if first != *certificate_id {
                wanted.extend([first, *certificate_id]);
            } else if !(*not_before..=*not_after).contains(&now) {
                wanted.insert(first);
            }
        }
        if wanted.is_empty() { Ok(Validities::default()) } else { Validities::of(connection, wanted).await }
    }

    async fn of(connection: &mut AsyncPgConnection, certificate_ids: HashSet<i32>) -> Result<Validities, Fault> {
        let text = "SELECT c.id, v.not_before, v.not_after
                      FROM xm.certificates c JOIN xm.certificates v ON v.spki_sha256 = c.spki_sha256 WHERE c.id = ANY(?)";
        let binds = [Bind::Integers(certificate_ids.into_iter().map(Some).collect())];
        let rows: Vec<(i32, DateTime<Utc>, DateTime<Utc>)> =
            Statement::<(Integer, Timestamptz, Timestamptz)>::new(text, &binds).load(connection).await?;
        let mut validities = Validities::default();
        for (certificate_id, not_before, not_after) in rows {
            validities.0.entry(certificate_id).or_default().push((not_before, not_after));
        }
        Ok(validities)
    }
}

/// Makes a cache that grows up to its bound, where `LruCache::new` would take room for all at once.
fn bounded<K: std::hash::Hash + Eq, V>(capacity: u64) -> LruCache<K, V> {
    let mut cache = LruCache::unbounded();
    let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
    cache.resize(NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN));
    cache
}

fn locked<T>(cache: &Mutex<T>) -> MutexGuard<'_, T> {
    // A cache is valid after every single operation, so a panic elsewhere does not spoil it.
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads signers anew by the key of their certificate, inside the caller's transaction: those whose agency's revision is
/// another than the cached one's, of a batch together. Only an operator's change raises a revision, so a letter refused for
/// its signer's validity costs no query, and a certificate registered meanwhile still counts for it. One that was valid when it
/// was looked up and was not when its letter came is read anew too, with every certificate of its key. The certificates
/// themselves never change: what a letter was verified with is not read again.
pub(crate) async fn reload(
    connection: &mut AsyncPgConnection,
    signers: &[&Signer],
) -> Result<HashMap<i32, Arc<Signer>>, Fault> {
    let known: HashMap<i32, &Signer> = signers.iter().map(|signer| (signer.certificate_id, *signer)).collect();
    let binds = [Bind::Integers(known.keys().copied().map(Some).collect())];
    let rows: Vec<Loaded> = Statement::<Row>::new(select_signers!("c.id = ANY(?)"), &binds).load(connection).await?;
    let validities = Validities::of(connection, rows.iter().map(|row| row.0).collect()).await?;
    let verified_with = |id: i32, der: &[u8]| match known.get(&id) {
        Some(signer) => Ok(signer.certificate.clone()),
        None => RegisteredCertificate::registered(der),
    };
    rows.into_iter().map(|row| Ok((row.0, Arc::new(signer(row, &validities, verified_with)?)))).collect()
}

fn signer(
    row: Loaded,
    validities: &Validities,
    parse: impl FnOnce(i32, &[u8]) -> Result<RegisteredCertificate, KeyError>,
) -> Result<Signer, Fault> {
    let (
        certificate_id,
        der,
        _,
        _,
        _,
        not_before,
        not_after,
        revoked_at,
        matricule,
        revision,
        status,
        plan,
        bytes_max,
        cbc_allowed,
        installations,
        columns_and_codes,
    ) = row;
    let unreadable = |what: &str| {
        Fault::Bug(format!(
            "{what} of certificate {certificate_id} in xm.certificates cannot be read: register it again"
        ))
    };
    let certificate = parse(certificate_id, &der).map_err(|_detail| unreadable("the DER"))?;
    let matricule = u32::try_from(matricule)
        .ok()
        .and_then(|number| Matricule::try_from(number).ok())
        .ok_or_else(|| unreadable("the agency"))?;
    let mut scopes: HashMap<String, HashSet<String>> = HashMap::new();
    let mut columns_and_codes = columns_and_codes.into_iter();
    while let (Some(column), Some(code)) = (columns_and_codes.next(), columns_and_codes.next()) {
        scopes.entry(folded(&column)).or_default().insert(code);
    }
    let of_key = validities.0.get(&certificate_id);
    Ok(Signer {
        certificate_id,
        certificate,
        revoked_at,
        validity: of_key.cloned().unwrap_or_else(|| vec![(not_before, not_after)]),
        has_every_validity: of_key.is_some(),
        matricule,
        revision,
        status,
        plan,
        letter_bytes_max: usize::try_from(bytes_max).unwrap_or(0),
        cbc_allowed,
        installations,
        scopes,
    })
}

/// Reads every matricule: which claims are known.
///
/// # Errors
/// A fault of the database.
pub async fn matricules(connection: &mut AsyncPgConnection) -> Result<Vec<Matricule>, Fault> {
    let rows: Vec<i32> = Statement::<Integer>::new("SELECT matricule FROM xm.agencies", &[]).load(connection).await?;
    let known = |row: i32| u32::try_from(row).ok().and_then(|number| Matricule::try_from(number).ok());
    Ok(rows.into_iter().filter_map(known).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_keeps_to_its_bound_and_what_was_used_longest_ago_goes() {
        let mut cache = bounded(2);
        cache.put(1, "first");
        cache.put(2, "second");
        assert_eq!(cache.get(&1), Some(&"first"));
        cache.put(3, "third");
        assert_eq!([1, 2, 3].map(|key| cache.contains(&key)), [true, false, true]);
        assert_eq!(bounded::<u8, u8>(0).cap(), NonZeroUsize::MIN);
    }
}
