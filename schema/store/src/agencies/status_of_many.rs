//! The status of many agencies at once. More than ten at once need a second person (SPEC 4, People; SPEC 7, Operators).

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::values::check_status;
use crate::database::schema::{accounts, agencies};
use crate::database::statement::{Bind, Statement};
use crate::error::AdministrationError;
use crate::people::act::Act;
use crate::people::action::AuditAction;
use crate::people::approved::Approved;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Largest number of agencies whose status one person changes at once.
pub const AGENCIES_ALONE_MAX: usize = 10;

/// Counts the agencies that are there and have another status than the one that is named beside them.
pub(super) async fn differing(
    connection: &mut AsyncPgConnection,
    wanted: &[(Matricule, i16)],
) -> Result<usize, AdministrationError> {
    let binds = [
        Bind::Matricules(wanted.iter().map(|(agency, _)| Some(*agency)).collect()),
        Bind::Smallints(wanted.iter().map(|(_, status)| Some(*status)).collect()),
    ];
    let text = "SELECT count(*) FROM xm.agencies a JOIN (SELECT unnest(?) AS agency, unnest(?) AS status) w
                    ON w.agency = a.matricule AND w.status <> a.status";
    let counted: Vec<i64> = Statement::<BigInt>::new(text, &binds).load(connection).await?;
    Ok(counted.into_iter().next().and_then(|count| usize::try_from(count).ok()).unwrap_or_default())
}

/// Sets the status of several agencies, all or none. Returns the number of agencies that had another status before. More than
/// [`AGENCIES_ALONE_MAX`] agencies need a second person.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; one of the agencies does not exist, or the status is not valid; a fault of the database.
pub async fn set_status_of_many(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    numbers: &[Matricule],
    status: i16,
) -> Result<usize, AdministrationError> {
    set_status_of_many_by(connection, operator, None, numbers, status).await
}

/// Sets the status of several agencies. `approved` is the approval if a second person confirms, and `None` if one person acts alone.
pub(crate) async fn set_status_of_many_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    numbers: &[Matricule],
    status: i16,
) -> Result<usize, AdministrationError> {
    operator.require(connection, Operation::AgencyStatus).await?;
    check_status(status)?;
    let numbers = once_each(numbers);
    connection
        .transaction(async |connection| {
            // An agency that does not exist is found before anybody is asked to confirm.
            locked_statuses(connection, &numbers).await?;
            if numbers.len() > AGENCIES_ALONE_MAX {
                Approved::demand(approved, || Act::AgencyStatusOfMany { agencies: numbers.clone(), status })?;
            }
            let others =
                agencies::table.filter(agencies::matricule.eq_any(&numbers)).filter(agencies::status.ne(status));
            let changed = diesel::update(others).set(agencies::status.eq(status)).execute(connection).await?;
            let action = AuditAction::AgencyStatusOfMany { agencies: &numbers, status, changed };
            audit::write(connection, operator, &action).await?;
            Ok(changed)
        })
        .await
}

/// Locks the agencies until the transaction ends and returns their state, for an approval: how many have which status, and a digest of
/// each one's, since a list of 100 000 is read by nobody.
pub(crate) async fn seen(
    connection: &mut AsyncPgConnection,
    numbers: &[Matricule],
) -> Result<Value, AdministrationError> {
    let statuses = locked_statuses(connection, &once_each(numbers)).await?;
    let mut by_status: BTreeMap<i16, usize> = BTreeMap::new();
    let mut hasher = Sha256::new();
    for (number, status) in &statuses {
        *by_status.entry(*status).or_default() += 1;
        hasher.update(format!("{number} {status}\n"));
    }
    Ok(json!({ "agencies": statuses.len(), "by_status": by_status, "sha256": hex::encode(hasher.finalize()) }))
}

fn once_each(numbers: &[Matricule]) -> Vec<Matricule> {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Locks the agencies' accounts and then their rows, by matricule, and returns their statuses. Settling locks them in the same order.
async fn locked_statuses(
    connection: &mut AsyncPgConnection,
    numbers: &[Matricule],
) -> Result<Vec<(Matricule, i16)>, AdministrationError> {
    let of_agencies = accounts::table.filter(accounts::agency.eq_any(numbers)).order(accounts::agency);
    of_agencies.select(accounts::id).for_update().load::<i32>(connection).await?;
    let statuses: Vec<(Matricule, i16)> = agencies::table
        .filter(agencies::matricule.eq_any(numbers))
        .order(agencies::matricule)
        .select((agencies::matricule, agencies::status))
        .for_update()
        .load(connection)
        .await?;
    let missing = numbers.iter().find(|number| statuses.binary_search_by_key(*number, |(found, _)| *found).is_err());
    match missing {
        Some(missing) => Err(AdministrationError::AgencyUnknown(*missing)),
        None => Ok(statuses),
    }
}
