//! The record of the centre's keys in the database. It decides which programs may serve this database.
//!
//! A program with the keys of another centre cannot open any letter, but would still remove all mails from the mailbox. A program that
//! lacks one of the keys would do this with the letters for that key. So only a program with all keys of the centre may serve. An agency
//! may not register a key of the centre: see [`crate::certificates::register`].

use diesel::prelude::*;
use diesel::sql_types::{Bool, Bytea};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

pub use super::key::{CentreKey, KeyState, Purpose};
use crate::certificates::certificate::Certificate;
use crate::certificates::inventory::lock_keys;
use crate::database::fault::Fault;
use crate::database::schema::{centre_keys, certificates as registered};
use crate::database::statement::Statement;
use crate::error::AdministrationError;
use crate::people::accounts::SystemAccount;
use crate::people::action::AuditAction;
use crate::people::audit::{self, Author};
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Number of the latest accepted letters with which the program's keys are tried, if a database has no record of keys yet.
const LETTERS_TRIED: usize = 20;

/// Result of comparing the program's keys with the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The database had recorded these keys before.
    Known,
    /// The database had no record of keys. The keys open a letter that it had accepted, so they were recorded.
    AdoptedByProof,
    /// The database had no record of keys and no accepted letter to try. The keys were recorded.
    AdoptedWithoutProof,
}

/// Lists the recorded keys. Keys in use come first, and the first of them is the key that signs.
///
/// # Errors
/// A fault of the database.
pub async fn list(connection: &mut AsyncPgConnection) -> Result<Vec<CentreKey>, AdministrationError> {
    let keys = centre_keys::table
        .order((
            centre_keys::purpose.eq("letters").desc(),
            centre_keys::state.eq("current").desc(),
            centre_keys::algorithm,
            centre_keys::added_at,
        ))
        .select(CentreKey::as_select())
        .load(connection)
        .await?;
    Ok(keys)
}

/// Says whether the database is too old to have the record of keys, and is not migrated yet.
///
/// # Errors
/// A fault of the database.
pub async fn is_before(connection: &mut AsyncPgConnection) -> Result<bool, Fault> {
    let absent = Statement::<Bool>::new("SELECT to_regclass('xm.centre_keys') IS NULL", &[]);
    Ok(absent.load::<bool>(connection).await?.contains(&true))
}

/// Records the keys of a new centre, in the transaction that adds its server.
///
/// # Errors
/// One of the keys belongs to an agency; a fault of the database.
pub async fn record(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    keys: &[CentreKey],
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::CentreKeys).await?;
    write_down(connection, operator.into(), keys).await
}

async fn write_down(
    connection: &mut AsyncPgConnection,
    author: Author,
    keys: &[CentreKey],
) -> Result<(), AdministrationError> {
    connection
        .transaction(async |connection| {
            lock_keys(connection).await?;
            diesel::insert_into(centre_keys::table).values(keys).execute(connection).await?;
            audit::write(connection, author, &AuditAction::CentreKeys(keys)).await?;
            Ok(())
        })
        .await
}

/// Confirms that the program's keys are exactly the recorded keys. If no keys are recorded, the program's keys are recorded. The call fails
/// if the database has accepted letters and the keys open none of the latest. `opens` says whether the program's keys open a container. No
/// privilege is needed, since the program calls this at its start, under its own account.
///
/// # Errors
/// [`AdministrationError::KeysForeign`], [`AdministrationError::KeyMissing`]; a fault of the database.
pub async fn confirm(
    connection: &mut AsyncPgConnection,
    account: &SystemAccount,
    at_hand: &[CentreKey],
    opens: impl Fn(&[u8]) -> bool + Send + Sync,
) -> Result<Confirmed, AdministrationError> {
    let recorded = list(connection).await?;
    if at_hand.is_empty() {
        return Err(foreign(recorded.as_slice().first(), at_hand));
    }
    if !recorded.is_empty() {
        return compare(&recorded, at_hand).map(|()| Confirmed::Known);
    }
    connection
        .transaction(async |connection| {
            lock_keys(connection).await?;
            // While this program waited for the lock, another program may have recorded its keys. Then these are the centre's keys, and
            // this program's keys must be the same.
            let recorded = list(connection).await?;
            if !recorded.is_empty() {
                return compare(&recorded, at_hand).map(|()| Confirmed::Known);
            }
            let confirmed = match latest_letters(connection).await?.as_slice() {
                [] => Confirmed::AdoptedWithoutProof,
                letters if letters.iter().any(|container| opens(container)) => Confirmed::AdoptedByProof,
                _ => return Err(foreign(None, at_hand)),
            };
            write_down(connection, account.into(), at_hand).await?;
            Ok(confirmed)
        })
        .await
}

/// Compares the program's keys with the recorded keys. Two certificates of one key may differ, so keys are compared by the digest of the
/// public key.
///
/// # Errors
/// [`AdministrationError::KeysForeign`], [`AdministrationError::KeyMissing`].
pub fn compare(recorded: &[CentreKey], at_hand: &[CentreKey]) -> Result<(), AdministrationError> {
    let is_among = |key: &CentreKey, keys: &[CentreKey]| keys.iter().any(|other| other.spki_sha256 == key.spki_sha256);
    if let Some(other) = at_hand.iter().find(|key| !is_among(key, recorded)) {
        return Err(foreign(recorded.first(), std::slice::from_ref(other)));
    }
    match recorded.iter().find(|key| !is_among(key, at_hand)) {
        Some(missing) => {
            Err(AdministrationError::KeyMissing { fingerprint: missing.spoken(), state: missing.state.clone() })
        }
        None => Ok(()),
    }
}

/// Finds certificates of agencies that have a key of the centre. A version of the program that did not yet refuse the centre's keys
/// registered such a certificate.
///
/// # Errors
/// A fault of the database.
pub async fn registered_for_agencies(
    connection: &mut AsyncPgConnection,
) -> Result<Vec<Certificate>, AdministrationError> {
    let own = centre_keys::table.select(centre_keys::spki_sha256);
    let found = registered::table
        .filter(registered::spki_sha256.eq_any(own))
        .filter(registered::revoked_at.is_null())
        .order(registered::id)
        .select(Certificate::as_select())
        .load(connection)
        .await?;
    Ok(found)
}

/// Fails if the key belongs to the centre, even if the centre has retired it.
pub(crate) async fn refuse_own(
    connection: &mut AsyncPgConnection,
    spki_sha256: &[u8],
) -> Result<(), AdministrationError> {
    let state: Option<String> =
        centre_keys::table.find(spki_sha256).select(centre_keys::state).first(connection).await.optional()?;
    state.map_or(Ok(()), |state| Err(AdministrationError::KeyOfCentre { state }))
}

fn foreign(centre: Option<&CentreKey>, at_hand: &[CentreKey]) -> AdministrationError {
    AdministrationError::KeysForeign {
        centre: centre.map(CentreKey::spoken),
        at_hand: at_hand.first().map(CentreKey::spoken),
    }
}

/// Reads the containers of the latest accepted letters. Letters without a known sender are left out: anybody can write a letter that the
/// centre's keys open.
async fn latest_letters(connection: &mut AsyncPgConnection) -> Result<Vec<Vec<u8>>, Fault> {
    let text = format!("SELECT container FROM xm.originals ORDER BY journal_id DESC LIMIT {LETTERS_TRIED}");
    Ok(Statement::<Bytea>::new(&text, &[]).load(connection).await?)
}
