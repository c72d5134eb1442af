//! A tariff: what a service costs, from when to when.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use crate::database::schema;
use crate::database::schema::tariffs;
use crate::error::AdministrationError;

/// A tariff to be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTariff {
    /// For agencies of this plan; all when absent.
    pub plan: Option<String>,
    /// The name of a service that may have a price.
    pub service: String,
    /// For this table, as `ecr.ActeNaissance`; all when absent.
    pub table: Option<String>,
    /// Price of an act, in minor units.
    pub per_act: i64,
    /// Price of each started 1 024 bytes of the container, in minor units.
    pub per_started_kb: i64,
    /// Without enough credit: `owe` or `refuse`; the service's own rule when absent.
    pub credit: Option<String>,
    /// When it begins; now when absent.
    pub valid_from: Option<DateTime<Utc>>,
}

/// A tariff.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = tariffs)]
pub struct Tariff {
    /// Its number.
    pub id: i32,
    /// For agencies of this plan.
    pub plan: Option<String>,
    /// The service.
    pub service: String,
    /// For this table: application.
    #[diesel(select_expression = schema::tables::application.nullable())]
    pub application: Option<String>,
    /// For this table: name.
    #[diesel(select_expression = schema::tables::name.nullable())]
    pub table: Option<String>,
    /// Price of an act, in minor units.
    pub per_act: i64,
    /// Price of each started 1 024 bytes, in minor units.
    pub per_started_kb: i64,
    /// `owe` or `refuse`.
    pub credit: String,
    /// When it begins.
    pub valid_from: DateTime<Utc>,
    /// When it ends.
    pub valid_to: Option<DateTime<Utc>>,
}

/// Lists tariffs, the open ones or all that ever were.
///
/// # Errors
/// A fault.
pub async fn list(connection: &mut AsyncPgConnection, with_ended: bool) -> Result<Vec<Tariff>, AdministrationError> {
    let mut query = tariffs::table
        .left_join(schema::tables::table.on(tariffs::table_id.eq(schema::tables::id.nullable())))
        .order((tariffs::service, schema::tables::name, tariffs::plan, tariffs::valid_from))
        .select(Tariff::as_select())
        .into_boxed();
    if !with_ended {
        query = query.filter(tariffs::valid_to.is_null().or(tariffs::valid_to.gt(Utc::now())));
    }
    Ok(query.load(connection).await?)
}
