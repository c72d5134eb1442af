//! Enrolments in the settling transaction: letters that are signed by an unknown key and contain a one-time code. Enrolments are judged
//! before all other letters. An admitted sender becomes a signer, and its letter is settled like any other. A sender that is not admitted
//! counts as a stranger and gets no answer.
//!
//! The arrival of an admitted letter keeps its enrolment, so that the enrolment is admitted again when the batch is tried again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use diesel::sql_types::{Bool, Bytea, Integer, Nullable};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::enrolment::Enrolment;
use sdc::letter::Matricule;
use sdc::refusal::{Refusal, RefusalCode};

use super::arrival::{Arrival, Content};
use super::certificates::{is_name_taken, read_owners, register};
use super::settings::SettlingSettings;
use crate::centre::server::Server;
use crate::certificates::certificate::CertificateFields;
use crate::certificates::issuer;
use crate::certificates::signers::{self, Signer};
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Number of wrong codes, sent in an agency's name, after which the agency's code is locked (SPEC 4, Services).
const FAILURES_MAX: i32 = 5;

/// A row of `xm.enrolment_codes` that this transaction has selected `FOR UPDATE`.
struct Code {
    id: i32,
    agency: Matricule,
    sha256: Option<Vec<u8>>,
    is_further: bool,
    /// Whether the code may still be used: it has not expired, and wrong codes have not locked it (`locked_at`).
    is_good: bool,
}

/// Judges the enrolments of a batch, in a transaction that has begun, and registers the admitted senders. The rows of accounts, keys and
/// codes are locked in the database. Returns the agencies whose enrolment code becomes unusable now, because too many wrong codes were sent
/// in their name.
///
/// # Errors
/// A fault.
pub async fn admit(
    connection: &mut AsyncPgConnection,
    arrivals: &mut [Arrival],
    server: &Server,
    settings: &SettlingSettings,
) -> Result<Vec<Matricule>, Fault> {
    let enrolments: Vec<(usize, Arc<Enrolment>)> = arrivals
        .iter()
        .enumerate()
        .filter_map(|(place, arrival)| Some((place, Arc::clone(arrival.enrolment.as_ref()?))))
        .collect();
    let keys: BTreeSet<Vec<u8>> =
        enrolments.iter().map(|(_, one)| one.certificate.spki_sha256().as_bytes().to_vec()).collect();
    lock_accounts(connection, arrivals, &enrolments, &keys).await?;
    let mut owners = read_owners(connection, keys.iter().map(Vec::as_slice)).await?;
    let mut codes = lock_codes(connection, &enrolments).await?;
    let mut certificates: BTreeMap<usize, i32> = BTreeMap::new();
    let mut failures: BTreeMap<i32, i32> = BTreeMap::new();
    for (place, enrolment) in &enrolments {
        let key = enrolment.certificate.spki_sha256().as_bytes().to_vec();
        if let Some((owner, is_revoked)) = owners.get(&key) {
            if let (Some(_), false) = (owner, is_revoked) {
                // The key was enrolled before. So the letter counts as signed by a registered key and, if it is the enrolment that comes
                // again, it gets its former verdict.
                certificates.extend(certificate_of(connection, &key).await?.map(|id| (*place, id)));
            }
            continue;
        }
        let sha256 = enrolment.enrol.code.digest().as_bytes().to_vec();
        let agency = enrolment.letter.from.agency;
        let is_code = |code: &Code| code.agency == agency && code.sha256.as_ref() == Some(&sha256) && code.is_good;
        let Some(found) = codes.iter().position(is_code) else {
            if let Some(code) = codes.iter().find(|code| code.agency == agency) {
                *failures.entry(code.id).or_default() += 1;
            }
            continue;
        };
        if !may_come(connection, enrolment, &arrivals[*place], server, codes[found].is_further).await? {
            continue;
        }
        let code = codes.swap_remove(found);
        let installation = enrolment.letter.from.installation.as_str();
        let received_at = arrivals[*place].received_at;
        let issuer = settings.issuer.as_deref();
        let fields = issuer::registered(issuer, agency, installation, &enrolment.certificate, received_at);
        if is_name_taken(connection, &fields).await? {
            continue;
        }
        certificates.insert(*place, enrol(connection, &code, installation, &fields).await?);
        owners.insert(key, (Some(agency), false));
    }
    let signers = signers::of_certificates(connection, certificates.values().copied().collect()).await?;
    for (place, enrolment) in enrolments {
        let signer = certificates.get(&place).and_then(|id| signers.get(id));
        arrivals[place].content = content(&enrolment, signer);
    }
    count_failures(connection, &failures).await
}

/// Makes the content of an enrolment's arrival: a signed letter if the sender is admitted, a stranger's container if not.
fn content(enrolment: &Enrolment, signer: Option<&Arc<Signer>>) -> Content {
    match signer {
        Some(signer) => Content::Signed {
            signer: Arc::clone(signer),
            digest: enrolment.digest,
            cipher: enrolment.cipher,
            form: enrolment.form,
            letter: Ok(enrolment.letter.clone()),
        },
        None => Content::Stranger(Refusal::new(RefusalCode::EnrolmentRefused)),
    }
}

/// Locks the accounts of all agencies that sent a letter of the batch or may be admitted. Every settling transaction locks accounts in the
/// order of their matricules. In another order, two of them could each wait for the other.
async fn lock_accounts(
    connection: &mut AsyncPgConnection,
    arrivals: &[Arrival],
    enrolments: &[(usize, Arc<Enrolment>)],
    keys: &BTreeSet<Vec<u8>>,
) -> Result<(), Fault> {
    // The agency that a stranger's letter names is locked only if the stranger knows a code of an agency, or uses a registered key.
    // Otherwise anybody could delay the letters of any agency.
    let text =
        "SELECT agency FROM xm.enrolment_codes WHERE code_sha256 = ANY(?) AND used_at IS NULL AND ended_at IS NULL
                UNION SELECT agency FROM xm.agency_keys WHERE spki_sha256 = ANY(?)";
    let sha256: Vec<Vec<u8>> = enrolments.iter().map(|(_, one)| one.enrol.code.digest().as_bytes().to_vec()).collect();
    let binds = [
        Bind::Byteas(sha256.iter().map(|code| Some(code.as_slice())).collect()),
        Bind::Byteas(keys.iter().map(|key| Some(key.as_slice())).collect()),
    ];
    let coming: Vec<Matricule> = Statement::<Integer>::new(text, &binds).load(connection).await?;
    let signed = arrivals.iter().filter(|arrival| arrival.enrolment.is_none()).filter_map(Arrival::agency);
    let all: BTreeSet<Matricule> = signed.chain(coming).collect();
    let text = "SELECT agency FROM xm.accounts WHERE agency = ANY(?) ORDER BY agency FOR NO KEY UPDATE";
    let binds = [Bind::Matricules(all.into_iter().map(Some).collect())];
    Statement::<Nullable<Integer>>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Reads and locks the enrolment codes of the agencies that the enrolments name, in the order of their matricules, so that no code is used
/// twice and no wrong code is left uncounted. Codes that were used or have ended are left out.
async fn lock_codes(
    connection: &mut AsyncPgConnection,
    enrolments: &[(usize, Arc<Enrolment>)],
) -> Result<Vec<Code>, Fault> {
    type Row = (Integer, Integer, Nullable<Bytea>, Bool, Bool);
    type Loaded = (i32, Matricule, Option<Vec<u8>>, bool, bool);
    let text = "SELECT id, agency, code_sha256, is_further, locked_at IS NULL AND expires_at > now()
                  FROM xm.enrolment_codes WHERE agency = ANY(?) AND used_at IS NULL AND ended_at IS NULL
                 ORDER BY agency FOR UPDATE";
    let named: BTreeSet<Matricule> = enrolments.iter().map(|(_, one)| one.letter.from.agency).collect();
    let binds = [Bind::Matricules(named.into_iter().map(Some).collect())];
    let rows: Vec<Loaded> = Statement::<Row>::new(text, &binds).load(connection).await?;
    let code = |(id, agency, sha256, is_further, is_good): Loaded| Code { id, agency, sha256, is_further, is_good };
    Ok(rows.into_iter().map(code).collect())
}

/// Says whether a sender that knows the code may enrol. The letter must be addressed to this centre and mode. The installation must not
/// have sent letters yet. The agency must not be suspended. The certificate must be valid. The key must be the agency's first, unless two
/// people agreed to another key.
async fn may_come(
    connection: &mut AsyncPgConnection,
    enrolment: &Enrolment,
    arrival: &Arrival,
    server: &Server,
    is_further: bool,
) -> Result<bool, Fault> {
    let (letter, now) = (&enrolment.letter, arrival.received_at);
    let (not_before, not_after) = enrolment.certificate.validity();
    let is_fit = letter.to == server.name
        && letter.mode == server.mode
        && not_before <= now
        && now < not_after
        && !enrolment.certificate.is_authority();
    if !is_fit {
        return Ok(false);
    }
    let text = "SELECT a.status > 0 AND (? OR NOT EXISTS (SELECT FROM xm.certificates c WHERE c.agency = a.matricule))
                       AND NOT EXISTS (SELECT FROM xm.installations i
                                        WHERE i.agency = a.matricule AND i.name = ? AND i.sequence_highest > 0)
                  FROM xm.agencies a WHERE a.matricule = ?";
    let binds = [Bind::Boolean(is_further), Bind::Text(&letter.from.installation), Bind::Matricule(letter.from.agency)];
    let rows: Vec<bool> = Statement::<Bool>::new(text, &binds).load(connection).await?;
    Ok(rows.into_iter().next().unwrap_or_default())
}

/// Marks a code as used, adds the installation, and registers the key for the agency. Returns the certificate's id in `xm.certificates`.
async fn enrol(
    connection: &mut AsyncPgConnection,
    code: &Code,
    installation: &str,
    fields: &CertificateFields,
) -> Result<i32, Fault> {
    let text = "INSERT INTO xm.installations (agency, name) VALUES (?, ?) ON CONFLICT DO NOTHING";
    let binds = [Bind::Matricule(code.agency), Bind::Text(installation)];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    let text = "UPDATE xm.enrolment_codes SET used_at = now(), installation = ? WHERE id = ? AND used_at IS NULL";
    let binds = [Bind::Text(installation), Bind::Integer(code.id)];
    if Statement::<()>::new(text, &binds).execute(connection).await? != 1 {
        return Err(Fault::Bug("a code under lock was not there to be used".to_owned()));
    }
    register(connection, code.agency, fields).await
}

async fn certificate_of(connection: &mut AsyncPgConnection, key: &[u8]) -> Result<Option<i32>, Fault> {
    let text = "SELECT id FROM xm.certificates WHERE spki_sha256 = ANY(?) AND revoked_at IS NULL ORDER BY not_after DESC LIMIT 1";
    let ids: Vec<i32> = Statement::<Integer>::new(text, &[Bind::Byteas(vec![Some(key)])]).load(connection).await?;
    Ok(ids.into_iter().next())
}

/// Counts each wrong code against the unused code of the agency that the letter names, since somebody may be guessing codes. After
/// [`FAILURES_MAX`] wrong codes, the agency's code cannot be used any more. Returns the agencies for which this happens now.
async fn count_failures(
    connection: &mut AsyncPgConnection,
    failures: &BTreeMap<i32, i32>,
) -> Result<Vec<Matricule>, Fault> {
    if failures.is_empty() {
        return Ok(Vec::new());
    }
    let text = "UPDATE xm.enrolment_codes c
                   SET failures = least(c.failures + n.failures, 30000),
                       locked_at = CASE WHEN c.failures + n.failures >= n.most THEN coalesce(c.locked_at, now()) END
                  FROM (SELECT unnest(?) AS id, unnest(?) AS failures, ? AS most) n
                 WHERE c.id = n.id AND c.used_at IS NULL
                RETURNING c.agency, c.locked_at = now()";
    let binds = [
        Bind::Integers(failures.keys().copied().map(Some).collect()),
        Bind::Integers(failures.values().copied().map(Some).collect()),
        Bind::Integer(FAILURES_MAX),
    ];
    let rows: Vec<(Matricule, Option<bool>)> =
        Statement::<(Integer, Nullable<Bool>)>::new(text, &binds).load(connection).await?;
    let locked: HashMap<Matricule, Option<bool>> = rows.into_iter().collect();
    Ok(locked.into_iter().filter(|(_, is_now)| *is_now == Some(true)).map(|(agency, _)| agency).collect())
}
