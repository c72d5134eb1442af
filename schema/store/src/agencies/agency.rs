//! An agency with its account: functions that show, list and lock it.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;

use crate::database::schema::{accounts, agencies, plans};
use crate::error::AdministrationError;

/// Start of an SQL expression that removes accents and case from a text, so that a search finds a name whether or not the operator types
/// its accents. Normalization to NFD makes each accent a separate character, which is removed before `lower`: in the private database's
/// locale, `lower` changes only ASCII letters.
const FOLD_OPENS: &str = "lower(regexp_replace(normalize(";
/// End of the SQL expression that [`FOLD_OPENS`] starts.
const FOLD_CLOSES: &str = r", NFD), '[\u0300-\u036f]', '', 'g'))";

/// An agency.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = agencies)]
pub struct Agency {
    /// Number of the agency.
    pub matricule: Matricule,
    /// Name of the agency.
    pub name: String,
    /// Town of the agency.
    pub town: String,
    /// Telephone number of the agency.
    pub telephone: String,
    /// E-mail address for answers by mail; empty if the agency has no e-mail.
    pub email: String,
    /// Name of the agency's plan.
    pub plan: String,
    /// Status: 0 is suspended, 1 allows the free services, 2 also certify, and 3 all services.
    pub status: i16,
    /// Size of the largest container that the agency may send, in bytes.
    pub letter_bytes_max: i32,
    /// Whether the agency may use AES-256-CBC, for older programs that do not know AES-256-GCM.
    pub cbc_allowed: bool,
    /// Time when the agency was added.
    pub created_at: DateTime<Utc>,
    /// Balance of the agency's account, in minor units.
    #[diesel(select_expression = accounts::balance)]
    pub balance: i64,
    /// Amount in minor units by which the account may fall below zero. Beyond it, a service with the credit rule `refuse` is refused.
    #[diesel(select_expression = accounts::credit_limit)]
    pub credit_limit: i64,
}

/// Conditions that select agencies for a list.
#[derive(Clone, Debug, Default)]
pub struct AgencyFilter {
    /// Text that the name, the town, the e-mail or the six digits of the matricule contain; case and accents do not count.
    pub text: Option<String>,
    /// Status that the agencies have.
    pub status: Option<i16>,
    /// Name of the plan that the agencies have.
    pub plan: Option<String>,
    /// Whether only agencies are listed whose account is below zero.
    pub in_debt: bool,
    /// Matricule after which the list begins.
    pub after: Option<Matricule>,
    /// Largest number of agencies that the list shows; 100 if absent.
    pub limit: Option<i64>,
}

/// Shows one agency.
///
/// # Errors
/// The agency does not exist; a fault of the database.
pub async fn show(connection: &mut AsyncPgConnection, number: Matricule) -> Result<Agency, AdministrationError> {
    agencies::table
        .inner_join(accounts::table.on(accounts::agency.eq(agencies::matricule.nullable())))
        .filter(agencies::matricule.eq(number))
        .select(Agency::as_select())
        .first(connection)
        .await
        .optional()?
        .ok_or(AdministrationError::AgencyUnknown(number))
}

/// Lists agencies, ordered by matricule.
///
/// # Errors
/// A fault of the database.
pub async fn list(
    connection: &mut AsyncPgConnection,
    filter: &AgencyFilter,
) -> Result<Vec<Agency>, AdministrationError> {
    let mut query = agencies::table
        .inner_join(accounts::table.on(accounts::agency.eq(agencies::matricule.nullable())))
        .order(agencies::matricule)
        .limit(filter.limit.unwrap_or(100))
        .select(Agency::as_select())
        .into_boxed();
    if let Some(after) = filter.after {
        query = query.filter(agencies::matricule.gt(after));
    }
    if let Some(text) = &filter.text {
        let pattern = format!("%{}%", text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_"));
        let searched =
            "concat_ws(chr(10), agencies.name, agencies.town, agencies.email, lpad(agencies.matricule::text, 6, '0'))";
        let found = sql::<Bool>(&format!("{FOLD_OPENS}{searched}{FOLD_CLOSES} LIKE {FOLD_OPENS}"));
        query = query.filter(found.bind::<Text, _>(pattern).sql(FOLD_CLOSES));
    }
    if let Some(status) = filter.status {
        query = query.filter(agencies::status.eq(status));
    }
    if let Some(plan) = &filter.plan {
        query = query.filter(agencies::plan.eq(plan.clone()));
    }
    if filter.in_debt {
        query = query.filter(accounts::balance.lt(0));
    }
    Ok(query.load(connection).await?)
}

/// Lists the plans' names.
///
/// # Errors
/// A fault of the database.
pub async fn plans(connection: &mut AsyncPgConnection) -> Result<Vec<String>, AdministrationError> {
    Ok(plans::table.order(plans::name).select(plans::name).load(connection).await?)
}

/// Locks an agency's account, as settling does before it decides letters of the agency. So a change under this lock waits for the batch
/// that is being settled, later batches wait for the change, and the change applies from the next batch on.
pub(crate) async fn lock_account(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
) -> Result<(), AdministrationError> {
    let account = accounts::table.filter(accounts::agency.eq(agency)).select(accounts::id).for_update();
    account.load::<i32>(connection).await?;
    Ok(())
}

/// Locks an agency's account and then its row, and returns its status. Settling locks the two in the same order; in another order, each
/// could wait for the other.
pub(crate) async fn locked_status(
    connection: &mut AsyncPgConnection,
    number: Matricule,
) -> Result<i16, AdministrationError> {
    lock_account(connection, number).await?;
    agencies::table
        .find(number)
        .select(agencies::status)
        .for_update()
        .first(connection)
        .await
        .optional()?
        .ok_or(AdministrationError::AgencyUnknown(number))
}
