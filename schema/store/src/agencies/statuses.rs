//! The status of many agencies at once. It needs a second person if it changes for more than [`STATUSES_MAX`] agencies.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;

use super::agency::locked_status;
use super::values::check_status;
use crate::database::schema::agencies;
use crate::database::statement::{Bind, Statement};
use crate::error::AdministrationError;
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Largest number of agencies whose status one person changes at once.
pub const STATUSES_MAX: usize = 10;

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

/// Sets the status of several agencies: of all of them, or of none. Returns those that had another status.
///
/// # Errors
/// [`AdministrationError::StatusOfMany`] if more than [`STATUSES_MAX`] agencies would get another status; an agency does not exist; the
/// status is not valid; a fault of the database.
pub async fn set_status_of_many(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    numbers: &[Matricule],
    status: i16,
) -> Result<Vec<Matricule>, AdministrationError> {
    operator.require(connection, Operation::AgencyStatus).await?;
    check_status(status)?;
    connection
        .transaction(async |connection| {
            let wanted: Vec<(Matricule, i16)> = numbers.iter().map(|number| (*number, status)).collect();
            let agencies = differing(connection, &wanted).await?;
            if agencies > STATUSES_MAX {
                // One person may not decide this. An approval of `agency.status_of_many` is to take the place of this error.
                return Err(AdministrationError::StatusOfMany { agencies, most: STATUSES_MAX });
            }
            // The agencies are locked in one order, as settling does, so that two changes cannot wait for each other.
            let mut ordered = numbers.to_vec();
            ordered.sort_unstable();
            ordered.dedup();
            let mut changed = Vec::new();
            for number in ordered {
                let from = locked_status(connection, number).await?;
                if from == status {
                    continue;
                }
                // Somebody else may have changed a status since the agencies were counted.
                if changed.len() == STATUSES_MAX {
                    return Err(AdministrationError::StatusOfMany {
                        agencies: agencies.max(STATUSES_MAX + 1),
                        most: STATUSES_MAX,
                    });
                }
                set(connection, number, status).await?;
                let action = AuditAction::AgencyStatus { agency: number, from, to: status };
                audit::write(connection, operator, &action).await?;
                changed.push(number);
            }
            Ok(changed)
        })
        .await
}

async fn set(connection: &mut AsyncPgConnection, number: Matricule, status: i16) -> Result<(), AdministrationError> {
    diesel::update(agencies::table.find(number)).set(agencies::status.eq(status)).execute(connection).await?;
    Ok(())
}
