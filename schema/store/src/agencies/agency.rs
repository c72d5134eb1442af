//! An agency with its account: shown, listed, and locked by whoever changes it.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;
use serde::Serialize;

use crate::database::schema::{accounts, agencies, plans};
use crate::error::AdministrationError;

/// Opens an expression of SQL that takes accents and case off a text, as people type on the telephone. Decomposition (NFD) makes each
/// accent a mark of its own. The marks go before the case is folded: the private database's locale knows the case of ASCII letters alone.
const FOLD_OPENS: &str = "lower(regexp_replace(normalize(";
/// Closes the expression that [`FOLD_OPENS`] opens.
const FOLD_CLOSES: &str = r", NFD), '[\u0300-\u036f]', '', 'g'))";

/// An agency.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = agencies)]
pub struct Agency {
    /// Its number.
    pub matricule: Matricule,
    /// Its name.
    pub name: String,
    /// Its town.
    pub town: String,
    /// Its telephone.
    pub telephone: String,
    /// Where its answers by mail go; empty where it has no e-mail.
    pub email: String,
    /// Its plan.
    pub plan: String,
    /// 0 suspended, 1 some services, 2 all but export and import, 3 all.
    pub status: i16,
    /// Largest container that it may send, in bytes.
    pub letter_bytes_max: i32,
    /// Whether it may use AES-256-CBC.
    pub cbc_allowed: bool,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// Its account, in minor units.
    #[diesel(select_expression = accounts::balance)]
    pub balance: i64,
    /// How far the account may fall below zero where credit is refused, in minor units.
    #[diesel(select_expression = accounts::credit_limit)]
    pub credit_limit: i64,
}

/// Which agencies a list shows.
#[derive(Clone, Debug, Default)]
pub struct AgencyFilter {
    /// Found in name, town, e-mail or the six digits of the matricule, without regard to case and accents.
    pub text: Option<String>,
    /// Of this status.
    pub status: Option<i16>,
    /// Of this plan.
    pub plan: Option<String>,
    /// Whose account is below zero.
    pub in_debt: bool,
    /// Behind this matricule.
    pub after: Option<Matricule>,
    /// At most so many; 100 when absent.
    pub limit: Option<i64>,
}

/// Shows one agency.
///
/// # Errors
/// No such agency; a fault.
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

/// Lists agencies by matricule.
///
/// # Errors
/// A fault.
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
/// A fault.
pub async fn plans(connection: &mut AsyncPgConnection) -> Result<Vec<String>, AdministrationError> {
    Ok(plans::table.order(plans::name).select(plans::name).load(connection).await?)
}

/// Locks an agency's account. That waits for batches in which the agency has letters and holds up further ones, so a change holds from the
/// next batch on.
pub(crate) async fn lock_account(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
) -> Result<(), AdministrationError> {
    let account = accounts::table.filter(accounts::agency.eq(agency)).select(accounts::id).for_update();
    account.load::<i32>(connection).await?;
    Ok(())
}

/// Locks an agency's account and row, as settling does, and returns its status.
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
