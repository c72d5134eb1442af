//! Plans: bundles of rights and quotas that many agencies share.

pub(crate) mod edit;

use diesel::prelude::*;
use diesel::upsert::on_constraint;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
pub use edit::{PlanEdit, RightEdit};
use serde::Serialize;

use crate::database::schema::{plans, rights, tables};
use crate::error::AdministrationError;
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;
use crate::tables::adoption::adopted;
use crate::tables::rights::{CertifyGives, Rights, Whose};

/// A plan with its rights.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Name of the plan, unique.
    pub name: String,
    /// Purpose of the plan, in a person's words.
    pub description: String,
    /// Largest number of records and keys that each agency of the plan may read in a day; absent if there is no limit.
    pub read_acts_per_day: Option<i64>,
    /// Largest number of octets of answers' containers that each agency of the plan may read in a day; absent if there is no limit.
    pub read_bytes_per_day: Option<i64>,
    /// Rights of the plan's agencies, one entry for each table.
    pub rights: Vec<PlanRight>,
}

/// The rights of a plan's agencies to one table.
#[derive(Clone, Debug, Queryable, Serialize)]
pub struct PlanRight {
    /// Application of the table.
    pub application: String,
    /// Name of the table within its application.
    pub table: String,
    /// Whether the agencies may send records.
    pub may_export: bool,
    /// Owners whose records the agencies may import: `none`, `own` or `all`.
    pub may_read: String,
    /// Owners whose records the agencies may have certified: `none`, `own` or `all`.
    pub may_certify: String,
    /// Content of the answer to a certify: only the `verdict`, or the `record` too.
    pub certify_gives: String,
}

/// Lists all plans, ordered by name.
///
/// # Errors
/// A fault of the database.
pub async fn list(connection: &mut AsyncPgConnection) -> Result<Vec<Plan>, AdministrationError> {
    type Found = (String, String, Option<i64>, Option<i64>);
    let found: Vec<Found> = plans::table
        .order(plans::name)
        .select((plans::name, plans::description, plans::read_acts_per_day, plans::read_bytes_per_day))
        .load(connection)
        .await?;
    let mut all = Vec::with_capacity(found.len());
    for (name, description, read_acts_per_day, read_bytes_per_day) in found {
        let rights = rights::table
            .inner_join(tables::table.on(tables::id.eq(rights::table_id)))
            .filter(rights::plan.eq(&name).and(tables::abandoned_at.is_null()))
            .order((tables::application, tables::name))
            .select((
                tables::application,
                tables::name,
                rights::may_export,
                rights::may_read,
                rights::may_certify,
                rights::certify_gives,
            ))
            .load(connection)
            .await?;
        all.push(Plan { name, description, read_acts_per_day, read_bytes_per_day, rights });
    }
    Ok(all)
}

/// Returns the plan of this name.
///
/// # Errors
/// The name is unknown; a fault of the database.
pub async fn show(connection: &mut AsyncPgConnection, name: &str) -> Result<Plan, AdministrationError> {
    let plan = list(connection).await?.into_iter().find(|plan| plan.name == name);
    plan.ok_or_else(|| AdministrationError::PlanUnknown(name.to_owned()))
}

/// Changes a plan, or adds it. The change applies from the next letter of each agency of the plan on.
///
/// # Errors
/// The plan to change is unknown; the plan to add exists; a table is unknown; a fault of the database.
pub async fn edit(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    name: &str,
    edit: &PlanEdit,
) -> Result<Plan, AdministrationError> {
    operator.require(connection, Operation::PlanEdit).await?;
    connection
        .transaction(async |connection| {
            if let Some(description) = &edit.create {
                diesel::insert_into(plans::table)
                    .values((plans::name.eq(name), plans::description.eq(description)))
                    .on_conflict_do_nothing()
                    .execute(connection)
                    .await?;
            }
            let plan = plans::table.find(name).for_update().select(plans::name).load::<String>(connection).await?;
            if plan.is_empty() {
                return Err(AdministrationError::PlanUnknown(name.to_owned()));
            }
            if let Some(acts) = edit.read_acts_per_day {
                let changed = diesel::update(plans::table.find(name)).set(plans::read_acts_per_day.eq(acts));
                changed.execute(connection).await?;
            }
            if let Some(bytes) = edit.read_bytes_per_day {
                let changed = diesel::update(plans::table.find(name)).set(plans::read_bytes_per_day.eq(bytes));
                changed.execute(connection).await?;
            }
            if let Some(right) = &edit.right {
                grant(connection, name, right).await?;
            }
            audit::write(connection, operator, &AuditAction::PlanEdit { plan: name, edit }).await?;
            show(connection, name).await
        })
        .await
}

async fn grant(connection: &mut AsyncPgConnection, plan: &str, edit: &RightEdit) -> Result<(), AdministrationError> {
    let table_id = adopted::find(connection, &edit.table).await?.table_id;
    let held: Vec<(bool, String, String, String)> = rights::table
        .find((table_id, plan))
        .select((rights::may_export, rights::may_read, rights::may_certify, rights::certify_gives))
        .load(connection)
        .await?;
    let held = held.into_iter().next().map_or_else(Rights::default, |(may_export, read, certify, gives)| Rights {
        may_export,
        may_read: Whose::parse(&read).unwrap_or_default(),
        may_certify: Whose::parse(&certify).unwrap_or_default(),
        certify_gives: CertifyGives::parse(&gives).unwrap_or_default(),
    });
    let may_export = edit.may_export.unwrap_or(held.may_export);
    let (may_read, may_certify) =
        (edit.may_read.unwrap_or(held.may_read), edit.may_certify.unwrap_or(held.may_certify));
    let gives = edit.certify_gives.unwrap_or(held.certify_gives);
    let values = (
        rights::may_export.eq(may_export),
        rights::may_read.eq(may_read.as_str()),
        rights::may_certify.eq(may_certify.as_str()),
        rights::certify_gives.eq(gives.as_str()),
    );
    // The primary key is over table_id and the column `profile`, the former name of `plan`, so PostgreSQL has no unique index over
    // (table_id, plan) that could be named by its columns. The constraint is therefore given by its name.
    diesel::insert_into(rights::table)
        .values((rights::table_id.eq(table_id), rights::plan.eq(plan), values))
        .on_conflict(on_constraint("rights_pkey"))
        .do_update()
        .set(values)
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
