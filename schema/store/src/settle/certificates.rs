//! Certificates in the settling transaction. The module judges the certificates that offices send for renewal, and registers those of
//! accepted letters.
//!
//! Every batch locks keys after the accounts and before the vouchers, in the order of their hashes. In another order, two batches could
//! each wait for the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{Bool, Bytea, Integer, Nullable, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::expected::Expected;
use sdc::letter::Matricule;
use sdc::refusal::{Refusal, RefusalCode};

use super::batch::Case;
use super::effect::{CertificateEffect, Effect};
use super::work::Work;
use crate::certificates::certificate::CertificateFields;
use crate::certificates::issuer::{self, CertificateIssuer};
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Number of days before a certificate's end from which it may be renewed (SPEC 4, Services).
const RENEWED_DAYS_BEFORE: i64 = 60;

/// The facts about each letter that requests a renewal, by the letter's place in the batch.
#[derive(Debug, Default)]
pub struct Renewals(HashMap<usize, Renewal>);

#[derive(Debug)]
struct Renewal {
    agency: Matricule,
    /// The fields of the certificate that would be registered.
    fields: CertificateFields,
    /// The reason why the certificate cannot be registered for any agency; absent if it can be registered.
    problem: Option<Expected>,
    /// The latest expiry among the certificates of the key that signed the letter.
    ends: Option<DateTime<Utc>>,
    /// DER of the certificate that is already registered for the new key, if it lasts for more than [`RENEWED_DAYS_BEFORE`] days. The
    /// answer then contains this certificate, and no other is registered.
    lasting: Option<Vec<u8>>,
}

/// One round of decisions on renewals. It knows the keys that earlier letters of the batch registered, each with its agency and its
/// certificate.
pub struct Renewing<'a> {
    held: &'a Renewals,
    brought: HashMap<&'a [u8], (Matricule, &'a [u8])>,
}

impl<'a> Renewing<'a> {
    pub fn new(held: &'a Renewals) -> Renewing<'a> {
        Renewing { held, brought: HashMap::new() }
    }

    /// Decides the renewal that the letter at `place` requests: the new certificate is registered or, if the key already has a registered
    /// certificate, the answer contains that one.
    ///
    /// # Errors
    /// `certificate_invalid`, `renewal_early`.
    pub fn renew(&mut self, place: usize, received_at: DateTime<Utc>) -> Result<CertificateEffect, Refusal> {
        let invalid = |expected: Expected| Refusal::new(RefusalCode::CertificateInvalid).with("expected", expected);
        let held: &'a Renewals = self.held;
        let renewal = held.0.get(&place).ok_or_else(|| invalid(Expected::SelfSigned))?;
        if let Some(problem) = renewal.problem {
            return Err(invalid(problem));
        }
        if let Some((agency, der)) = self.brought.get(renewal.fields.spki_sha256.as_slice()) {
            let is_own = *agency == renewal.agency;
            return is_own.then(|| CertificateEffect::told(der)).ok_or_else(|| invalid(Expected::OwnKey));
        }
        if let Some(lasting) = &renewal.lasting {
            return Ok(CertificateEffect::told(lasting));
        }
        let from = renewal.ends.map(|ends| ends - TimeDelta::days(RENEWED_DAYS_BEFORE));
        if let Some(from) = from.filter(|from| received_at < *from) {
            return Err(Refusal::new(RefusalCode::RenewalEarly).with("from", from.to_rfc3339()));
        }
        self.brought.insert(&renewal.fields.spki_sha256, (renewal.agency, &renewal.fields.der));
        Ok(CertificateEffect { der: renewal.fields.der.clone(), registers: Some(renewal.fields.clone()) })
    }
}

impl Renewals {
    /// For the letters of a batch that request a renewal: reads who owns the key of the new certificate, whether another key has its
    /// identifiers, and which certificates are registered. Locks the keys. The agencies must be locked already.
    ///
    /// # Errors
    /// A fault.
    pub async fn read(
        connection: &AsyncPgConnection,
        batch: &[Case],
        issuer: Option<&dyn CertificateIssuer>,
    ) -> Result<Renewals, Fault> {
        let mut renewals = HashMap::new();
        let mut signed_by: Vec<(usize, i32)> = Vec::new();
        for (place, case) in batch.iter().enumerate() {
            let (Some(Work::Renew(brought)), Some(signer), Some(letter)) =
                (case.judged.work(), case.signer(), case.letter())
            else {
                continue;
            };
            let (agency, now) = (signer.matricule, case.arrival.received_at);
            let (not_before, not_after) = brought.validity();
            let is_fit = not_before <= now && now < not_after && !brought.is_authority();
            let fields = if is_fit {
                issuer::registered(issuer, agency, &letter.from.installation, brought, now)
            } else {
                CertificateFields::from(&**brought)
            };
            let problem = (!is_fit).then_some(Expected::SelfSigned);
            renewals.insert(place, Renewal { agency, fields, problem, ends: None, lasting: None });
            signed_by.push((place, signer.certificate_id));
        }
        if renewals.is_empty() {
            return Ok(Renewals::default());
        }
        let ends = read_ends(connection, &signed_by).await?;
        let keys: BTreeMap<Vec<u8>, Vec<usize>> =
            renewals.iter().fold(BTreeMap::new(), |mut keys, (place, renewal)| {
                keys.entry(renewal.fields.spki_sha256.clone()).or_default().push(*place);
                keys
            });
        let owners = read_owners(connection, keys.keys().map(Vec::as_slice)).await?;
        let taken = read_taken_names(connection, &renewals).await?;
        let lasting = read_lasting(connection, keys.keys().map(Vec::as_slice)).await?;
        for (place, renewal) in &mut renewals {
            renewal.ends = ends.get(place).copied();
            let owner = owners.get(&renewal.fields.spki_sha256);
            if owner.is_some_and(|(owner, is_revoked)| *is_revoked || *owner != Some(renewal.agency)) {
                renewal.problem = renewal.problem.or(Some(Expected::OwnKey));
            } else if taken.contains(place) {
                renewal.problem = renewal.problem.or(Some(Expected::OwnKeyName));
            }
            let now = batch[*place].arrival.received_at + TimeDelta::days(RENEWED_DAYS_BEFORE);
            let lasts = lasting.get(&renewal.fields.spki_sha256).filter(|(ends, _)| *ends > now);
            renewal.lasting = lasts.map(|(_, der)| der.clone());
        }
        Ok(Renewals(renewals))
    }

    /// Registers the certificates of the accepted letters of a decided batch.
    ///
    /// # Errors
    /// A fault.
    pub async fn write(&self, connection: &AsyncPgConnection, batch: &[Case]) -> Result<(), Fault> {
        if self.0.is_empty() {
            return Ok(());
        }
        let registers = |case: &'_ Case| match &case.acceptance()?.effect {
            Effect::Certificate(CertificateEffect { registers: Some(fields), .. }) => {
                Some((case.agency()?, fields.clone()))
            }
            _ => None,
        };
        // Every batch registers keys in the order of their hashes, in which it has locked them. In another order, two batches could each
        // wait for the other.
        let brought: BTreeMap<Vec<u8>, (Matricule, CertificateFields)> = batch
            .iter()
            .filter_map(registers)
            .map(|(agency, fields)| (fields.spki_sha256.clone(), (agency, fields)))
            .collect();
        for (agency, fields) in brought.values() {
            register(connection, *agency, fields).await?;
        }
        Ok(())
    }
}

/// Assigns a key to an agency for ever, and registers its certificate. Returns the certificate's id in `xm.certificates`.
///
/// # Errors
/// [`Fault::Bug`] if another agency has registered the key meanwhile. The batch is then tried again, and the letter is refused.
pub async fn register(
    mut connection: &AsyncPgConnection,
    agency: Matricule,
    fields: &CertificateFields,
) -> Result<i32, Fault> {
    let text = "INSERT INTO xm.agency_keys (spki_sha256, agency) SELECT unnest(?), ? ON CONFLICT DO NOTHING";
    let binds = [Bind::Byteas(vec![Some(&fields.spki_sha256)]), Bind::Matricule(agency)];
    Statement::<()>::new(text, &binds).execute(&mut connection).await?;
    let text = "INSERT INTO xm.certificates (agency, spki_sha256, key_id, issuer, serial, der, fingerprint,
                                          algorithm, not_before, not_after)
                SELECT k.agency, n.spki_sha256, n.key_id, n.issuer, n.serial, n.der, n.fingerprint, ?, ?, ?
                  FROM unnest(?, ?, ?, ?, ?, ?) AS n (spki_sha256, key_id, issuer, serial, der, fingerprint)
                  JOIN xm.agency_keys k ON k.spki_sha256 = n.spki_sha256 AND k.agency = ? AND k.revoked_at IS NULL
                ON CONFLICT (fingerprint) DO UPDATE SET algorithm = excluded.algorithm WHERE certificates.agency = excluded.agency
                RETURNING id";
    let one = |octets: &'_ Vec<u8>| -> Vec<Option<Vec<u8>>> { vec![Some(octets.clone())] };
    let columns =
        [&fields.spki_sha256, &fields.key_id, &fields.issuer, &fields.serial, &fields.der, &fields.fingerprint];
    let columns = columns.map(one);
    let mut binds =
        vec![Bind::Text(&fields.algorithm), Bind::Timestamptz(fields.not_before), Bind::Timestamptz(fields.not_after)];
    binds.extend(columns.iter().map(|column| Bind::Byteas(column.iter().map(Option::as_deref).collect())));
    binds.push(Bind::Matricule(agency));
    let ids: Vec<i32> = Statement::<Integer>::new(text, &binds).load(&mut connection).await?;
    ids.into_iter().next().ok_or_else(|| Fault::Bug("a key became another agency's at this moment".to_owned()))
}

/// Reads, for each letter, the latest expiry of the certificates of its signing key. `signed_by` lists the letters' places with their
/// certificate ids; the result is by place.
async fn read_ends(
    mut connection: &AsyncPgConnection,
    signed_by: &[(usize, i32)],
) -> Result<HashMap<usize, DateTime<Utc>>, Fault> {
    let text = "SELECT u.id, max(v.not_after) FROM xm.certificates u
                  JOIN xm.certificates v ON v.spki_sha256 = u.spki_sha256 AND v.revoked_at IS NULL
                 WHERE u.id = ANY(?) GROUP BY u.id";
    let binds = [Bind::Integers(signed_by.iter().map(|(_, id)| Some(*id)).collect())];
    let rows: Vec<(i32, DateTime<Utc>)> =
        Statement::<(Integer, Timestamptz)>::new(text, &binds).load(&mut connection).await?;
    let ends: HashMap<i32, DateTime<Utc>> = rows.into_iter().collect();
    Ok(signed_by.iter().filter_map(|(place, id)| Some((*place, *ends.get(id)?))).collect())
}

/// Reads and locks the owners of keys, by the keys' hashes: the agency and whether the key is revoked. The agency is `None` if the key is
/// the centre's own.
pub async fn read_owners<'k>(
    mut connection: &AsyncPgConnection,
    keys: impl Iterator<Item = &'k [u8]>,
) -> Result<HashMap<Vec<u8>, (Option<Matricule>, bool)>, Fault> {
    type Row = (Bytea, Nullable<Integer>, Bool);
    let binds = [Bind::Byteas(keys.map(Some).collect())];
    let text = "SELECT spki_sha256, agency, revoked_at IS NOT NULL FROM xm.agency_keys WHERE spki_sha256 = ANY(?)
                 ORDER BY spki_sha256 FOR UPDATE";
    let of_agencies: Vec<(Vec<u8>, Option<Matricule>, bool)> =
        Statement::<Row>::new(text, &binds).load(&mut connection).await?;
    let text = "SELECT spki_sha256, NULL::integer, false FROM xm.centre_keys WHERE spki_sha256 = ANY(?)";
    let of_centre: Vec<(Vec<u8>, Option<Matricule>, bool)> =
        Statement::<Row>::new(text, &binds).load(&mut connection).await?;
    Ok(of_agencies.into_iter().chain(of_centre).map(|(key, owner, is_revoked)| (key, (owner, is_revoked))).collect())
}

/// Finds the letters whose certificate has an identifier that belongs to another key: the key identifier, or issuer with serial number.
/// Returns the letters' places.
async fn read_taken_names(
    connection: &AsyncPgConnection,
    renewals: &HashMap<usize, Renewal>,
) -> Result<BTreeSet<usize>, Fault> {
    let mut taken = BTreeSet::new();
    for (place, renewal) in renewals {
        if is_name_taken(connection, &renewal.fields).await? {
            taken.insert(*place);
        }
    }
    Ok(taken)
}

/// Says whether another key has the key identifier, or the issuer and serial number, of this certificate. If both were registered, letters
/// signed by one key would be verified with the other key's certificate.
pub async fn is_name_taken(mut connection: &AsyncPgConnection, fields: &CertificateFields) -> Result<bool, Fault> {
    let text =
        "SELECT EXISTS (SELECT FROM xm.certificates c, unnest(?, ?, ?, ?) AS n (spki_sha256, key_id, issuer, serial)
                                WHERE c.spki_sha256 <> n.spki_sha256
                                  AND (c.key_id = n.key_id OR c.serial = n.serial AND c.issuer = n.issuer))";
    let column = |octets: &'_ [u8]| vec![Some(octets.to_vec())];
    let columns = [column(&fields.spki_sha256), column(&fields.key_id), column(&fields.issuer), column(&fields.serial)];
    let binds: Vec<Bind<'_>> =
        columns.iter().map(|column| Bind::Byteas(column.iter().map(Option::as_deref).collect())).collect();
    let rows: Vec<bool> = Statement::<Bool>::new(text, &binds).load(&mut connection).await?;
    Ok(rows.into_iter().next().unwrap_or_default())
}

/// Reads, for each key, the certificate that expires last, with its expiry.
async fn read_lasting<'k>(
    mut connection: &AsyncPgConnection,
    keys: impl Iterator<Item = &'k [u8]>,
) -> Result<HashMap<Vec<u8>, (DateTime<Utc>, Vec<u8>)>, Fault> {
    let text = "SELECT DISTINCT ON (spki_sha256) spki_sha256, not_after, der FROM xm.certificates
                 WHERE spki_sha256 = ANY(?) AND revoked_at IS NULL ORDER BY spki_sha256, not_after DESC";
    let binds = [Bind::Byteas(keys.map(Some).collect())];
    let rows: Vec<(Vec<u8>, DateTime<Utc>, Vec<u8>)> =
        Statement::<(Bytea, Timestamptz, Bytea)>::new(text, &binds).load(&mut connection).await?;
    Ok(rows.into_iter().map(|(key, ends, der)| (key, (ends, der))).collect())
}

/// Reads, for the key of the given certificate, the registered certificate that expires last, as DER.
///
/// # Errors
/// A fault.
pub async fn of_key(mut connection: &AsyncPgConnection, certificate_id: i32) -> Result<Vec<u8>, Fault> {
    let text = "SELECT v.der FROM xm.certificates u JOIN xm.certificates v ON v.spki_sha256 = u.spki_sha256 AND v.revoked_at IS NULL
                 WHERE u.id = ? ORDER BY v.not_after DESC LIMIT 1";
    let rows: Vec<Vec<u8>> =
        Statement::<Bytea>::new(text, &[Bind::Integer(certificate_id)]).load(&mut connection).await?;
    rows.into_iter().next().ok_or_else(|| Fault::Bug("the certificate of a signer is gone".to_owned()))
}
