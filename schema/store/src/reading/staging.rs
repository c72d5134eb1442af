//! Stores the answers of letters that request records. Each part of an answer is stored as soon as its records are read from the tables,
//! before the letter is settled, so that only one part at a time is in memory. The settling transaction then only marks the stored parts as
//! settled.

use diesel::sql_types::{BigInt, SmallInt};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use uuid::Uuid;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Begins a reading: the stored parts of the answer to one letter. Nothing of a reading is sent before the letter is settled.
///
/// # Errors
/// A fault of the database.
pub async fn begin(
    connection: &mut AsyncPgConnection,
    id: Uuid,
    agency: Matricule,
    letter_id: Uuid,
) -> Result<(), Fault> {
    let text = "INSERT INTO xm.readings (id, agency, letter_id) VALUES (?, ?, ?)";
    let binds = [Bind::Uuid(id), Bind::Matricule(agency), Bind::Uuid(letter_id)];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Adds a part to a reading and commits it, so that only one part at a time is in memory.
///
/// # Errors
/// A fault of the database.
pub async fn add(connection: &mut AsyncPgConnection, id: Uuid, part: u16, payload: &[u8]) -> Result<(), Fault> {
    let text = "INSERT INTO xm.reading_parts (reading, part, payload) SELECT ?, unnest(?), unnest(?)";
    let binds = [Bind::Uuid(id), Bind::Smallints(vec![i16::try_from(part).ok()]), Bind::Byteas(vec![Some(payload)])];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Copies stored parts of an earlier answer, for an office that has lost them and asks for them again. Returns the length in octets of each
/// part that was still stored.
///
/// # Errors
/// A fault of the database.
pub async fn copy(
    connection: &mut AsyncPgConnection,
    id: Uuid,
    agency: Matricule,
    letter_id: Uuid,
    parts: &[u16],
) -> Result<Vec<usize>, Fault> {
    let text = "INSERT INTO xm.reading_parts (reading, part, payload)
                SELECT ?, p.part, p.payload FROM xm.readings r JOIN xm.reading_parts p ON p.reading = r.id
                 WHERE r.agency = ? AND r.letter_id = ? AND r.settled_at IS NOT NULL AND p.part = ANY(?)
                RETURNING octet_length(payload)::bigint";
    let parts = parts.iter().map(|part| i16::try_from(*part).ok()).collect();
    let binds = [Bind::Uuid(id), Bind::Matricule(agency), Bind::Uuid(letter_id), Bind::Smallints(parts)];
    let octets: Vec<i64> = Statement::<BigInt>::new(text, &binds).load(connection).await?;
    Ok(octets.into_iter().map(|octets| usize::try_from(octets).unwrap_or(0)).collect())
}

/// Says whether a letter has a verdict already. If so, nothing is read for it: it gets the answer that it got before.
pub async fn is_settled(connection: &mut AsyncPgConnection, agency: Matricule, letter_id: Uuid) -> Result<bool, Fault> {
    let text = "SELECT attempt FROM xm.letters WHERE agency = ? AND letter_id = ?";
    let binds = [Bind::Matricule(agency), Bind::Uuid(letter_id)];
    let rows: Vec<i16> = Statement::<SmallInt>::new(text, &binds).load(connection).await?;
    Ok(!rows.is_empty())
}

/// Reads the balance and the credit limit of an agency's account, in minor units. The balance may be as low as minus the credit limit.
///
/// # Errors
/// A fault of the database.
pub async fn account(connection: &mut AsyncPgConnection, agency: Matricule) -> Result<(i64, i64), Fault> {
    let text = "SELECT balance, credit_limit FROM xm.accounts WHERE agency = ?";
    let rows: Vec<(i64, i64)> =
        Statement::<(BigInt, BigInt)>::new(text, &[Bind::Matricule(agency)]).load(connection).await?;
    Ok(rows.into_iter().next().unwrap_or((0, 0)))
}

/// Deletes readings that were not settled within a day, and settled ones after 14 days. Returns how many were deleted.
///
/// # Errors
/// A fault of the database.
pub async fn forget(connection: &mut AsyncPgConnection) -> Result<usize, Fault> {
    let text = "DELETE FROM xm.readings
                 WHERE made_at < now() - interval '1 day'
                   AND (settled_at IS NULL OR settled_at < now() - interval '14 days')";
    Ok(Statement::<()>::new(text, &[]).execute(connection).await?)
}
