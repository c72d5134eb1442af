//! Signers: registered certificates, each with all data of its agency that the program needs to judge a letter.
//!
//! Signers are parsed once and kept in a bounded cache. A cached signer may be outdated. Settling therefore compares its `revision` under
//! the agency's row lock and reads the signer again if the revision differs. So a revocation applies from the next letter on.

mod signer;

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use diesel::sql_types::{Integer, Untyped};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use lru::LruCache;
use sdc::cms::SignerId;
use sdc::keys::{KeyError, RegisteredCertificate};
use sdc::letter::Matricule;

pub use signer::Signer;
use signer::{SignerRow, Validities, select_signers};

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Age at which a cached signer is read again. If a key has several certificates and the cached one has ended, the new reading chooses one
/// that is valid now. No letter waits for this: a letter is admitted if any certificate of its key was valid.
const SIGNER_AGE_MAX: Duration = Duration::from_secs(60);

/// Signers by identifier, and certificates by their id in `xm.certificates`, each in a cache of at most `capacity` entries.
///
/// The cache evicts the signer that was used longest ago. On a night on which every agency sends one letter, most signers are evicted
/// before their next use, so a cheap insertion matters more than the rate of hits.
pub struct Signers {
    /// Each signer, with the time at which it was read.
    cache: Mutex<LruCache<SignerId, (Instant, Arc<Signer>)>>,
    certificates: Mutex<LruCache<i32, RegisteredCertificate>>,
    /// Identifiers whose certificates could not be read at their last look-up, each with the certificate's id in `xm.certificates`.
    unreadable: Mutex<LruCache<SignerId, i32>>,
    age_max: Duration,
}

/// Selects signers by key identifier. The subquery hides the array's length from the planner. If PostgreSQL saw an array of one element, it
/// would make a new plan for each call.
const BY_KEY_ID: &str = select_signers!("c.key_id = ANY(ARRAY(SELECT unnest(?)))");
/// Selects signers by serial number and issuer together. Many issuers have given a certificate the number 1, so a query by number alone
/// would read many certificates, and a stranger could choose such a number.
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

    /// Returns the certificate with the id `certificate_id` in `xm.certificates`, parsed, from the cache where possible. A cached
    /// certificate is never outdated, since the DER of a registered certificate never changes.
    ///
    /// # Errors
    /// The DER is not a certificate that can be registered.
    pub fn certificate(&self, certificate_id: i32, der: &[u8]) -> Result<RegisteredCertificate, KeyError> {
        if let Some(known) = locked(&self.certificates).get(&certificate_id) {
            return Ok(known.clone());
        }
        let parsed = RegisteredCertificate::registered(der)?;
        locked(&self.certificates).put(certificate_id, parsed.clone());
        Ok(parsed)
    }

    /// Returns the cached signer of an identifier, if it is not too old.
    pub fn cached(&self, id: &SignerId) -> Option<Arc<Signer>> {
        let mut cache = locked(&self.cache);
        let (read_at, signer) = cache.get(id)?;
        (read_at.elapsed() < self.age_max).then(|| Arc::clone(signer))
    }

    /// Says whether the identifier's certificate is registered but could not be read at its last look-up. The sender is then no stranger,
    /// and his letters wait until the row can be read.
    pub fn is_unreadable(&self, id: &SignerId) -> bool {
        locked(&self.unreadable).contains(id)
    }

    /// Looks up many identifiers with one query per kind, and caches the signers found. The result lacks the identifiers of strangers, and
    /// identifiers for which [`Signers::is_unreadable`] is true.
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
        // Two statements are used: for one statement with OR, PostgreSQL would scan the whole table.
        let (mut by_key_id, mut by_issuer): (Vec<SignerRow>, Vec<SignerRow>) = (Vec::new(), Vec::new());
        if !key_ids.is_empty() {
            by_key_id = Statement::<Untyped>::new(BY_KEY_ID, &[Bind::Byteas(key_ids)]).load(connection).await?;
        }
        if !serials.is_empty() {
            let binds = [Bind::Byteas(serials), Bind::Byteas(issuers)];
            by_issuer = Statement::<Untyped>::new(BY_ISSUER, &binds).load(connection).await?;
        }
        let validities = Validities::read(connection, by_key_id.iter().chain(&by_issuer)).await?;
        let by_key_id = by_key_id.into_iter().map(|row| (SignerId::KeyId(row.key_id.clone()), row));
        let name = |row: &SignerRow| SignerId::IssuerSerial { issuer: row.issuer.clone(), serial: row.serial.clone() };
        let by_issuer = by_issuer.into_iter().map(|row| (name(&row), row));
        let (mut found, mut unreadable) = (HashMap::new(), Vec::new());
        for (id, row) in by_key_id.chain(by_issuer) {
            let certificate_id = row.certificate_id;
            let signer = match row.read(&validities, |id, der| self.certificate(id, der)) {
                Ok(signer) => Arc::new(signer),
                Err(fault) => {
                    unreadable.push((id, certificate_id, fault));
                    continue;
                }
            };
            // Two certificates of one key may be registered under one identifier: one contains it, the other contains none and is
            // registered under the identifier computed from its key. A letter with this identifier can be verified only with the
            // certificate that contains it, so that one is preferred.
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

    /// Records certificates that cannot be read, so that their letters wait and those of other signers do not. Each is logged once until it
    /// can be read again.
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

/// Makes an empty cache with a bound. `LruCache::new` would reserve memory for the whole bound immediately.
fn bounded<K: std::hash::Hash + Eq, V>(capacity: u64) -> LruCache<K, V> {
    let mut cache = LruCache::unbounded();
    let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
    cache.resize(NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN));
    cache
}

fn locked<T>(cache: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of a thread that holds the lock marks the lock as poisoned. This is ignored: every single operation leaves the cache valid.
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads signers again, inside the caller's transaction, each with the periods of validity of all certificates of its key. The caller gives
/// two kinds of signers: those whose agency has a newer revision than the cached signer, and those of which not all periods were read while
/// none that was read contains the moment at which the centre received the letter. A certificate itself never changes, so those of the
/// given signers are not parsed again.
pub(crate) async fn reload(
    connection: &mut AsyncPgConnection,
    signers: &[&Signer],
) -> Result<HashMap<i32, Arc<Signer>>, Fault> {
    let known: HashMap<i32, &Signer> = signers.iter().map(|signer| (signer.certificate_id, *signer)).collect();
    let (rows, validities) = rows_of(connection, known.keys().copied().collect()).await?;
    let verified_with = |id: i32, der: &[u8]| match known.get(&id) {
        Some(signer) => Ok(signer.certificate.clone()),
        None => RegisteredCertificate::registered(der),
    };
    rows.into_iter().map(|row| Ok((row.certificate_id, Arc::new(row.read(&validities, verified_with)?)))).collect()
}

/// Reads signers by the ids of their certificates in `xm.certificates`.
pub(crate) async fn of_certificates(
    connection: &mut AsyncPgConnection,
    certificate_ids: Vec<i32>,
) -> Result<HashMap<i32, Arc<Signer>>, Fault> {
    if certificate_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let (rows, validities) = rows_of(connection, certificate_ids).await?;
    let read = |_: i32, der: &[u8]| RegisteredCertificate::registered(der);
    rows.into_iter().map(|row| Ok((row.certificate_id, Arc::new(row.read(&validities, read)?)))).collect()
}

async fn rows_of(
    connection: &mut AsyncPgConnection,
    certificate_ids: Vec<i32>,
) -> Result<(Vec<SignerRow>, Validities), Fault> {
    let binds = [Bind::Integers(certificate_ids.into_iter().map(Some).collect())];
    let rows: Vec<SignerRow> =
        Statement::<Untyped>::new(select_signers!("c.id = ANY(?)"), &binds).load(connection).await?;
    let validities = Validities::of(connection, rows.iter().map(|row| row.certificate_id).collect()).await?;
    Ok((rows, validities))
}

/// Reads the matricules of all agencies, so that a claimed matricule can be recognised as known or unknown.
///
/// # Errors
/// A fault of the database.
pub async fn matricules(connection: &mut AsyncPgConnection) -> Result<Vec<Matricule>, Fault> {
    Ok(Statement::<Integer>::new("SELECT matricule FROM xm.agencies", &[]).load(connection).await?)
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
