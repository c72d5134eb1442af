//! A signer: a registered certificate with all data of its agency that the program needs to judge a letter.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::deserialize::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::keys::{KeyError, RegisteredCertificate};
use sdc::letter::Matricule;
use sdc::names::folded;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// A registered certificate and its agency, at the time when they were read.
pub struct Signer {
    /// Key of the certificate in `xm.certificates`.
    pub certificate_id: i32,
    /// The certificate with which the agency's signature is verified.
    pub certificate: RegisteredCertificate,
    /// Time when the certificate's key was revoked, together with all its certificates.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Periods of validity: of all certificates of the key if `has_every_validity` is set, otherwise of `certificate` alone.
    pub validity: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// Whether `validity` contains the periods of all certificates of the key. They are read only if `certificate` is not valid now, or if
    /// another certificate has the same identifier.
    pub has_every_validity: bool,
    /// Matricule of the agency, to which the key belongs for ever.
    pub matricule: Matricule,
    /// The agency's revision when the signer was read.
    pub revision: i64,
    /// The agency's status, from 0 (suspended) to 3 (all services). Each service demands a lowest status (`Facts::status_needed`).
    pub status: i16,
    /// Name of the agency's plan.
    pub plan: String,
    /// Size of the largest container that the agency may send, in bytes.
    pub letter_bytes_max: usize,
    /// Whether the agency may use AES-256-CBC.
    pub cbc_allowed: bool,
    /// Names of the agency's enrolled installations.
    pub installations: Vec<String>,
    /// Codes granted to the agency, by scope column as [`folded`].
    pub scopes: HashMap<String, HashSet<String>>,
}

impl Signer {
    /// Says whether any certificate of the key was valid at a time.
    pub fn is_valid_at(&self, time: DateTime<Utc>) -> bool {
        self.is_in_time(time, 0)
    }

    /// Says whether any certificate of the key was valid at a time, or had ended at most `grace_days` before.
    pub fn is_in_time(&self, time: DateTime<Utc>, grace_days: u16) -> bool {
        let grace = TimeDelta::days(i64::from(grace_days));
        self.validity.iter().any(|(not_before, not_after)| *not_before <= time && time - *not_after <= grace)
    }

    /// Says whether a certificate of the key that was not read may have been valid at a time: not all periods of validity were read, and
    /// none of those that were read contains the time.
    pub fn may_be_valid_at(&self, time: DateTime<Utc>) -> bool {
        !self.has_every_validity && !self.is_valid_at(time)
    }
}

/// The row of a certificate and its agency in the database.
#[derive(QueryableByName)]
pub(super) struct SignerRow {
    #[diesel(sql_type = Integer)]
    pub certificate_id: i32,
    #[diesel(sql_type = Bytea)]
    der: Vec<u8>,
    #[diesel(sql_type = Bytea)]
    pub key_id: Vec<u8>,
    #[diesel(sql_type = Bytea)]
    pub issuer: Vec<u8>,
    #[diesel(sql_type = Bytea)]
    pub serial: Vec<u8>,
    #[diesel(sql_type = Timestamptz)]
    not_before: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    not_after: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    revoked_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Integer)]
    matricule: Matricule,
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = SmallInt)]
    status: i16,
    #[diesel(sql_type = Text)]
    plan: String,
    #[diesel(sql_type = Integer)]
    letter_bytes_max: i32,
    #[diesel(sql_type = Bool)]
    cbc_allowed: bool,
    #[diesel(sql_type = Array<Text>)]
    installations: Vec<String>,
    /// Scope column and code of each granted code, alternating.
    #[diesel(sql_type = Array<Text>)]
    columns_and_codes: Vec<String>,
}

/// Selects the columns of a signer; the caller adds the condition. When a key is revoked, triggers revoke all its certificates. So the
/// query reads `xm.agency_keys` only if the certificate is revoked.
macro_rules! select_signers {
    ($condition:literal) => {
        concat!(
            "SELECT c.id AS certificate_id, c.der, c.key_id, c.issuer, c.serial, c.not_before, c.not_after,
                    CASE WHEN c.revoked_at IS NOT NULL
                         THEN (SELECT k.revoked_at FROM xm.agency_keys k WHERE k.spki_sha256 = c.spki_sha256) END AS revoked_at,
                    a.matricule, a.revision, a.status, a.plan, a.letter_bytes_max, a.cbc_allowed,
                    ARRAY(SELECT i.name FROM xm.installations i WHERE i.agency = a.matricule) AS installations,
                    ARRAY(SELECT unnest(ARRAY[s.column_name, s.code]) FROM xm.scopes s WHERE s.agency = a.matricule)
                        AS columns_and_codes
               FROM xm.certificates c JOIN xm.agencies a ON a.matricule = c.agency
              WHERE ",
            $condition,
            // Order of several certificates of one key. If a certificate is revoked and its key is not, the certificate was replaced and
            // comes last. Among the others, a certificate that is valid now comes first, and then the certificate that ends last.
            " ORDER BY (c.revoked_at IS NULL) DESC, (now() BETWEEN c.not_before AND c.not_after) DESC, c.not_after DESC"
        )
    };
}

pub(super) use select_signers;

/// Periods of validity by the id of a certificate: those of all certificates with the same key.
#[derive(Default)]
pub(super) struct Validities(HashMap<i32, Vec<Period>>);

/// Beginning and end of a certificate's validity.
type Period = (DateTime<Utc>, DateTime<Utc>);

impl Validities {
    /// Reads the periods of validity of the other certificates of the rows' keys. These periods are needed only if a row's certificate is
    /// not valid now, or if two rows have the same key identifier. Without these cases nothing is read, since one certificate that is valid
    /// now is enough.
    pub async fn read<'a>(
        connection: &mut AsyncPgConnection,
        rows: impl Iterator<Item = &'a SignerRow>,
    ) -> Result<Validities, Fault> {
        let now = Utc::now();
        let mut of_names: HashMap<&[u8], i32> = HashMap::new();
        let mut wanted: HashSet<i32> = HashSet::new();
        for SignerRow { certificate_id, key_id, not_before, not_after, .. } in rows {
            let first = *of_names.entry(key_id.as_slice()).or_insert(*certificate_id);
            if first != *certificate_id {
                wanted.extend([first, *certificate_id]);
            } else if !(*not_before..=*not_after).contains(&now) {
                wanted.insert(first);
            }
        }
        if wanted.is_empty() { Ok(Validities::default()) } else { Validities::of(connection, wanted).await }
    }

    pub async fn of(connection: &mut AsyncPgConnection, certificate_ids: HashSet<i32>) -> Result<Validities, Fault> {
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

impl SignerRow {
    /// Makes a signer from the row. `parse` parses the certificate.
    pub fn read(
        self,
        validities: &Validities,
        parse: impl FnOnce(i32, &[u8]) -> Result<RegisteredCertificate, KeyError>,
    ) -> Result<Signer, Fault> {
        let certificate_id = self.certificate_id;
        let certificate = parse(certificate_id, &self.der).map_err(|_detail| {
            Fault::Bug(format!(
                "the DER of certificate {certificate_id} in xm.certificates cannot be read: register it again"
            ))
        })?;
        let mut scopes: HashMap<String, HashSet<String>> = HashMap::new();
        let mut columns_and_codes = self.columns_and_codes.into_iter();
        while let (Some(column), Some(code)) = (columns_and_codes.next(), columns_and_codes.next()) {
            scopes.entry(folded(&column)).or_default().insert(code);
        }
        let of_key = validities.0.get(&certificate_id);
        Ok(Signer {
            certificate_id,
            certificate,
            revoked_at: self.revoked_at,
            validity: of_key.cloned().unwrap_or_else(|| vec![(self.not_before, self.not_after)]),
            has_every_validity: of_key.is_some(),
            matricule: self.matricule,
            revision: self.revision,
            status: self.status,
            plan: self.plan,
            letter_bytes_max: usize::try_from(self.letter_bytes_max).unwrap_or(0),
            cbc_allowed: self.cbc_allowed,
            installations: self.installations,
            scopes,
        })
    }
}
