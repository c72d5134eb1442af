//! Whose keys serve this database: the set of the centre's own keys, recorded when it was made.
//!
//! A program with the keys of another centre opens no letter and would take them all out of their mailbox; so would one that
//! lacks a key for which letters are still sealed. Neither serves. The centre's keys are nobody else's either: see
//! [`crate::certificates::register`].

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

/// Accepted letters that are tried when a database from before this record takes the keys at hand.
const LETTERS_TRIED: usize = 20;

/// How the keys at hand came to be those of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The keys were recorded before.
    Known,
    /// The database is from before the record. The keys open a letter that it accepted, and were recorded.
    AdoptedByProof,
    /// The database is from before the record and holds no letter that could prove anything. They were recorded.
    AdoptedWithoutProof,
}

/// Lists the recorded keys: those in use first, of these the one that signs.
///
/// # Errors
/// A fault.
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

/// Says whether the database is from before the record, and has not been brought up to date yet.
///
/// # Errors
/// A fault.
pub async fn is_before(connection: &mut AsyncPgConnection) -> Result<bool, Fault> {
    let absent = Statement::<Bool>::new("SELECT to_regclass('xm.centre_keys') IS NULL", &[]);
    Ok(absent.load::<bool>(connection).await?.contains(&true))
}

/// Records the keys of a new centre, within the transaction that makes its server.
///
/// # Errors
/// One of them is an agency's; a fault.
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

/// Confirms that the keys at hand, if any, are all of the recorded ones and no others. A database from before the record takes
/// them, unless it accepted letters and `opens` none of the latest. `opens` says whether the keys at hand open a container.
/// Nobody's privilege is asked: the program itself does it, at its start, under its account.
///
/// # Errors
/// [`AdministrationError::KeysForeign`], [`AdministrationError::KeyMissing`]; a fault.
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
            // Another program may have recorded its keys before this one had the lock.
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

/// Compares the keys at hand with the recorded ones: by the key, whatever certificate it stands in.
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

/// Finds certificates of agencies that are of a key of the centre's own: registered before that was refused.
///
/// # Errors
/// A fault.
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

/// Refuses a key of the centre's own, retired ones too.
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

/// Reads the containers of letters accepted last. What a stranger sent is not among them: it proves nothing.
async fn latest_letters(connection: &mut AsyncPgConnection) -> Result<Vec<Vec<u8>>, Fault> {
    let text = format!("SELECT container FROM xm.originals ORDER BY journal_id DESC LIMIT {LETTERS_TRIED}");
    Ok(Statement::<Bytea>::new(&text, &[]).load(connection).await?)
}
