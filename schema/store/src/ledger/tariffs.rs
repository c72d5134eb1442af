//! Tariffs: the prices of services by period. A price that was valid is never changed; a new tariff follows it.

use chrono::{DateTime, SubsecRound, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::service::{Credit, Service};

pub use super::tariff::{NewTariff, Tariff, list};
use crate::database::schema::tariffs;
use crate::error::{AdministrationError, InvalidValue};
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;
use crate::tables::adoption::adopted;

/// Sets a tariff. The former tariff for the same plan, service and table ends when the new one begins. Returns the new tariff's number.
///
/// # Errors
/// A service without prices, an unknown table or plan, a time in the past, or a later tariff for the same plan, service and table; a fault
/// of the database.
pub async fn set(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    new: &NewTariff,
) -> Result<i32, AdministrationError> {
    operator.require(connection, Operation::TariffSet).await?;
    let (service, credit) = checked(new)?;
    connection
        .transaction(async |connection| {
            // Two operators may set a tariff in place of the same former one. Without the lock, both tariffs would follow it, and two
            // prices would hold at once.
            diesel::sql_query("LOCK TABLE xm.tariffs IN SHARE ROW EXCLUSIVE MODE").execute(connection).await?;
            let now = Utc::now().trunc_subsecs(6);
            let from = new.valid_from.unwrap_or(now);
            if from < now {
                return Err(InvalidValue::TariffBeginning.into());
            }
            let table_id = match &new.table {
                Some(name) => Some(adopted::find(connection, name).await?.table_id),
                None => None,
            };
            close_former(connection, new, service, table_id, from).await?;
            let id: i32 = diesel::insert_into(tariffs::table)
                .values((
                    tariffs::plan.eq(new.plan.as_deref()),
                    tariffs::service.eq(service.name()),
                    tariffs::table_id.eq(table_id),
                    tariffs::per_act.eq(new.per_act),
                    tariffs::per_started_kb.eq(new.per_started_kb),
                    tariffs::credit.eq(credit.as_str()),
                    tariffs::valid_from.eq(from),
                ))
                .returning(tariffs::id)
                .get_result(connection)
                .await
                .map_err(|error| explain(error, new))?;
            audit::write(connection, operator, &AuditAction::TariffSet { of: service, tariff: new }).await?;
            Ok(id)
        })
        .await
}

/// Cancels a tariff that has not begun. It was never valid, so it is deleted, and only the audit log mentions it. The tariff that it would
/// have replaced then continues.
///
/// # Errors
/// The tariff does not exist, or the tariff has begun; a fault of the database.
pub async fn cancel(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i32,
) -> Result<Tariff, AdministrationError> {
    operator.require(connection, Operation::TariffCancel).await?;
    connection
        .transaction(async |connection| {
            diesel::sql_query("LOCK TABLE xm.tariffs IN SHARE ROW EXCLUSIVE MODE").execute(connection).await?;
            let tariff = list(connection, true)
                .await?
                .into_iter()
                .find(|tariff| tariff.id == id)
                .ok_or(AdministrationError::TariffUnknown(id))?;
            if tariff.valid_from <= Utc::now() {
                return Err(AdministrationError::TariffBegun { id, from: tariff.valid_from });
            }
            let table_id: Option<i32> = tariffs::table.find(id).select(tariffs::table_id).first(connection).await?;
            diesel::delete(tariffs::table.find(id)).execute(connection).await?;
            diesel::update(
                tariffs::table
                    .filter(tariffs::service.eq(&tariff.service))
                    .filter(tariffs::plan.is_not_distinct_from(tariff.plan.as_deref()))
                    .filter(tariffs::table_id.is_not_distinct_from(table_id))
                    .filter(tariffs::valid_to.eq(tariff.valid_from)),
            )
            // The cancelled tariff had ended the one before it. That one now continues until the next tariff begins, if there is one.
            .set(tariffs::valid_to.eq(tariff.valid_to))
            .execute(connection)
            .await?;
            audit::write(connection, operator, &AuditAction::TariffCancel(&tariff)).await?;
            Ok(tariff)
        })
        .await
}

/// Checks all rules that need no database. Returns the service, and the rule for an account without enough credit.
fn checked(new: &NewTariff) -> Result<(Service, Credit), AdministrationError> {
    let service: Option<Service> = new.service.parse().ok();
    let Some((service, rule)) = service.and_then(|service| Some((service, service.facts().priced?))) else {
        return Err(InvalidValue::Service { known: Service::priced().map(Service::name).collect() }.into());
    };
    match new.credit.as_deref().map(str::parse) {
        None => Ok((service, rule)),
        Some(Ok(credit)) => Ok((service, credit)),
        Some(Err(_unknown)) => Err(InvalidValue::CreditRule.into()),
    }
}

async fn close_former(
    connection: &mut AsyncPgConnection,
    new: &NewTariff,
    service: Service,
    table_id: Option<i32>,
    from: DateTime<Utc>,
) -> Result<(), AdministrationError> {
    let former: Option<(i32, DateTime<Utc>)> = tariffs::table
        .filter(tariffs::service.eq(service.name()))
        .filter(tariffs::plan.is_not_distinct_from(new.plan.as_deref()))
        .filter(tariffs::table_id.is_not_distinct_from(table_id))
        .filter(tariffs::valid_to.is_null())
        .select((tariffs::id, tariffs::valid_from))
        .first(connection)
        .await
        .optional()?;
    match former {
        Some((_, began)) if began >= from => Err(AdministrationError::TariffLater { from: began }),
        Some((id, _)) => {
            diesel::update(tariffs::table.find(id)).set(tariffs::valid_to.eq(from)).execute(connection).await?;
            Ok(())
        }
        None => Ok(()),
    }
}

fn explain(error: diesel::result::Error, new: &NewTariff) -> AdministrationError {
    let price = || InvalidValue::Price.into();
    let plan = || AdministrationError::PlanUnknown(new.plan.clone().unwrap_or_default());
    AdministrationError::explain(
        error,
        vec![
            ("tariffs_plan_fkey", plan()),
            ("tariffs_profile_fkey", plan()),
            ("tariffs_per_act_check", price()),
            ("tariffs_per_started_kb_check", price()),
        ],
    )
}
