//! A tariff: the price of a service in a period.

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
    /// Name of the plan whose agencies pay the price; all plans if absent.
    pub plan: Option<String>,
    /// Name of a service that may have a price.
    pub service: String,
    /// Table to which the price applies, such as `ecr.ActeNaissance`; all tables if absent.
    pub table: Option<String>,
    /// Price of an act, in minor units.
    pub per_act: i64,
    /// Price of each started 1 024 bytes of the container, in minor units.
    pub per_started_kb: i64,
    /// Rule for an account without enough credit: `owe` or `refuse`; the service's own rule if absent.
    pub credit: Option<String>,
    /// Time from which the tariff is valid; now if absent.
    pub valid_from: Option<DateTime<Utc>>,
}

/// A tariff that was set.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = tariffs)]
pub struct Tariff {
    /// Number of the tariff.
    pub id: i32,
    /// Name of the plan whose agencies pay the price; all plans if absent.
    pub plan: Option<String>,
    /// Name of the service.
    pub service: String,
    /// Application of the table to which the price applies; all tables if absent.
    #[diesel(select_expression = schema::tables::application.nullable())]
    pub application: Option<String>,
    /// Name of the table to which the price applies; all tables if absent.
    #[diesel(select_expression = schema::tables::name.nullable())]
    pub table: Option<String>,
    /// Price of an act, in minor units.
    pub per_act: i64,
    /// Price of each started 1 024 bytes, in minor units.
    pub per_started_kb: i64,
    /// Rule for an account without enough credit: `owe` or `refuse`.
    pub credit: String,
    /// Time from which the tariff is valid.
    pub valid_from: DateTime<Utc>,
    /// Time from which the tariff is no longer valid; absent if no end is set.
    pub valid_to: Option<DateTime<Utc>>,
}

/// Lists the tariffs that have not ended; with `with_ended`, lists all tariffs.
///
/// # Errors
/// A fault of the database.
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
