//! Agencies: their data, status and prepaid accounts.

use chrono::{DateTime, Utc};
use diesel::dsl::{max, sql};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::answer::statement::{self, NOTE_CHARS_MAX};
use sdc::letter::Matricule;
use serde::{Deserialize, Serialize};

use crate::centre::{self, server};
use crate::database::fault::Fault;
use crate::database::schema::{accounts, agencies, entries, plans};
use crate::error::{AdministrationError, InvalidValue};
use crate::people::approvals::Act;
use crate::people::{Approved, AuditAction, Operation, Operator, audit};

mod change;
pub mod installations;
pub mod scopes;
#[cfg(test)]
mod tests;
mod unheard;

pub use change::{AgencyChange, Changed, edit};
pub use unheard::{Unheard, unheard};

/// Most that is recharged at once, in minor units: far from where sums could overflow.
pub const RECHARGE_MAX: i64 = 1_000_000_000_000;

/// Around an expression of SQL: without accents and case, as people type on the telephone. Accents are marks of their own after
/// decomposition, and go first: the private database's locale knows the case of ASCII letters alone.
const FOLD_OPENS: &str = "lower(regexp_replace(normalize(";
const FOLD_CLOSES: &str = r", NFD), '[\u0300-\u036f]', '', 'g'))";

/// An agency to be added.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAgency {
    /// Its number; the next free one when absent.
    pub matricule: Option<Matricule>,
    /// Its name.
    pub name: String,
    /// Its town.
    #[serde(default)]
    pub town: String,
    /// Its telephone.
    #[serde(default)]
    pub telephone: String,
    /// Where its answers by mail go; empty where it has no e-mail.
    #[serde(default)]
    pub email: String,
    /// Its plan; `standard` when absent.
    pub plan: Option<String>,
    /// 0 to 3; 3 when absent.
    pub status: Option<i16>,
    /// How far its account may fall below zero where credit is refused, in minor units.
    #[serde(default)]
    pub credit_limit: i64,
}

/// An agency.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Serialize)]
#[diesel(table_name = agencies)]
pub struct Agency {
    /// Its number.
    pub matricule: i32,
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
    pub after: Option<i32>,
    /// At most so many; 100 when absent.
    pub limit: Option<i64>,
}

/// Adds an agency with its account.
///
/// # Errors
/// The matricule is taken, the plan unknown, a value not valid; a fault.
pub async fn add(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    new: &NewAgency,
) -> Result<Matricule, AdministrationError> {
    operator.require(connection, Operation::AgencyAdd).await?;
    check_name(&new.name)?;
    check_email(&new.email)?;
    check_status(new.status.unwrap_or(3))?;
    check_credit_limit(new.credit_limit)?;
    check_line(InvalidValue::Town, &new.town)?;
    check_line(InvalidValue::Telephone, &new.telephone)?;
    connection
        .transaction(async |connection| {
            centre::addresses::refuse_own(connection, &new.email).await?;
            let number = match new.matricule {
                Some(number) => number,
                None => next_free(connection).await?,
            };
            let plan = new.plan.as_deref().unwrap_or("standard");
            diesel::insert_into(agencies::table)
                .values((
                    agencies::matricule.eq(number.as_i32()),
                    agencies::name.eq(&new.name),
                    agencies::town.eq(&new.town),
                    agencies::telephone.eq(&new.telephone),
                    agencies::email.eq(&new.email),
                    agencies::plan.eq(plan),
                    agencies::status.eq(new.status.unwrap_or(3)),
                ))
                .execute(connection)
                .await
                .map_err(|error| explain(error, number, plan))?;
            diesel::insert_into(accounts::table)
                .values((
                    accounts::kind.eq("agency"),
                    accounts::agency.eq(number.as_i32()),
                    accounts::credit_limit.eq(new.credit_limit),
                ))
                .execute(connection)
                .await?;
            let action = AuditAction::AgencyAdd {
                agency: number,
                name: &new.name,
                town: &new.town,
                telephone: &new.telephone,
                email: &new.email,
                plan,
                status: new.status.unwrap_or(3),
                credit_limit: new.credit_limit,
            };
            audit::write(connection, operator, &action).await?;
            Ok(number)
        })
        .await
}

/// Shows one agency.
///
/// # Errors
/// No such agency; a fault.
pub async fn show(connection: &mut AsyncPgConnection, number: Matricule) -> Result<Agency, AdministrationError> {
    agencies::table
        .inner_join(accounts::table.on(accounts::agency.eq(agencies::matricule.nullable())))
        .filter(agencies::matricule.eq(number.as_i32()))
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
        .filter(agencies::matricule.gt(filter.after.unwrap_or(0)))
        .order(agencies::matricule)
        .limit(filter.limit.unwrap_or(100))
        .select(Agency::as_select())
        .into_boxed();
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

/// Sets an agency's status: 0 suspended, 1 some services, 2 all but export and import, 3 all.
///
/// # Errors
/// No such agency or status; a fault.
pub async fn set_status(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    number: Matricule,
    status: i16,
) -> Result<(), AdministrationError> {
    operator.require(connection, Operation::AgencyStatus).await?;
    check_status(status)?;
    connection
        .transaction(async |connection| {
            let former = locked_status(connection, number).await?;
            diesel::update(agencies::table.find(number.as_i32()))
                .set(agencies::status.eq(status))
                .execute(connection)
                .await?;
            let action = AuditAction::AgencyStatus { agency: number, from: former, to: status };
            audit::write(connection, operator, &action).await?;
            Ok(())
        })
        .await
}

/// Credits an agency's account. Returns the balance after it, in minor units. More than [`server::recharge_limit`] needs a second person.
///
/// # Errors
/// [`AdministrationError::ApprovalNeeded`]; no such agency, an amount not above zero or beyond [`RECHARGE_MAX`], a note of more than [`NOTE_CHARS_MAX`] characters; a fault.
pub async fn recharge(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    number: Matricule,
    amount: i64,
    note: &str,
) -> Result<i64, AdministrationError> {
    recharge_by(connection, operator, None, number, amount, note).await
}

/// Credits it as one person, or as the second of two.
pub(crate) async fn recharge_by(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    approved: Option<&Approved>,
    number: Matricule,
    amount: i64,
    note: &str,
) -> Result<i64, AdministrationError> {
    operator.require(connection, Operation::AgencyRecharge).await?;
    if !(1..=RECHARGE_MAX).contains(&amount) {
        return Err(InvalidValue::Amount { max: RECHARGE_MAX }.into());
    }
    if statement::note_chars(note) > NOTE_CHARS_MAX {
        return Err(InvalidValue::Note { chars_max: NOTE_CHARS_MAX }.into());
    }
    let note = statement::note(note);
    connection
        .transaction(async |connection| {
            // The account first, as settling does: whoever holds it is alone with the agency.
            locked_status(connection, number).await?;
            if amount > server::recharge_limit(connection).await? {
                let note = note.clone();
                Approved::demand(approved, || Act::AgencyRecharge { agency: number, amount, note })?;
            }
            let (account, balance): (i32, i64) = diesel::update(accounts::table)
                .filter(accounts::agency.eq(number.as_i32()))
                .set(accounts::balance.eq(accounts::balance + amount))
                .returning((accounts::id, accounts::balance))
                .get_result(connection)
                .await?;
            let source: i32 =
                accounts::table.filter(accounts::kind.eq("recharge")).select(accounts::id).first(connection).await?;
            diesel::insert_into(entries::table)
                .values((
                    entries::debit.eq(source),
                    entries::credit.eq(account),
                    entries::amount.eq(amount),
                    entries::kind.eq("recharge"),
                    entries::agency.eq(number.as_i32()),
                    entries::balance_after.eq(balance),
                    entries::note.eq(&note),
                ))
                .execute(connection)
                .await?;
            let action = AuditAction::AgencyRecharge { agency: number, amount, balance, note: &note };
            audit::write(connection, operator, &action).await?;
            Ok(balance)
        })
        .await
}

/// Waits for batches in which the agency has letters, and holds up further ones: what is changed now holds from the next on.
pub(super) async fn lock_account(connection: &mut AsyncPgConnection, agency: i32) -> Result<(), AdministrationError> {
    let account = accounts::table.filter(accounts::agency.eq(agency)).select(accounts::id).for_update();
    account.load::<i32>(connection).await?;
    Ok(())
}

/// Locks an agency's account and row, as settling does, and returns its status.
pub(crate) async fn locked_status(
    connection: &mut AsyncPgConnection,
    number: Matricule,
) -> Result<i16, AdministrationError> {
    lock_account(connection, number.as_i32()).await?;
    agencies::table
        .find(number.as_i32())
        .select(agencies::status)
        .for_update()
        .first(connection)
        .await
        .optional()?
        .ok_or(AdministrationError::AgencyUnknown(number))
}

async fn next_free(connection: &mut AsyncPgConnection) -> Result<Matricule, AdministrationError> {
    // Two operators adding at once must not choose the same number; readers and settling are not hindered.
    diesel::sql_query("LOCK TABLE xm.agencies IN SHARE ROW EXCLUSIVE MODE").execute(connection).await?;
    let highest: Option<i32> = agencies::table.select(max(agencies::matricule)).first(connection).await?;
    let next = highest.unwrap_or(0) + 1;
    if next > 999_999 {
        return Err(AdministrationError::MatriculesExhausted);
    }
    Ok(matricule(next)?)
}

fn explain(error: diesel::result::Error, number: Matricule, plan: &str) -> AdministrationError {
    AdministrationError::explain(
        error,
        vec![
            ("agencies_pkey", AdministrationError::AgencyExists(number)),
            ("agencies_plan_fkey", AdministrationError::PlanUnknown(plan.to_owned())),
            ("agencies_profile_fkey", AdministrationError::PlanUnknown(plan.to_owned())),
            ("agencies_letter_bytes_max_check", InvalidValue::LetterLimit.into()),
        ],
    )
}

fn check_status(status: i16) -> Result<(), AdministrationError> {
    if (0..=3).contains(&status) { Ok(()) } else { Err(InvalidValue::Status.into()) }
}

fn check_credit_limit(minor_units: i64) -> Result<(), AdministrationError> {
    if minor_units < 0 {
        return Err(InvalidValue::CreditLimit.into());
    }
    Ok(())
}

fn check_line(what: InvalidValue, text: &str) -> Result<(), AdministrationError> {
    if text.chars().any(char::is_control) {
        return Err(what.into());
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), AdministrationError> {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return Err(InvalidValue::Name.into());
    }
    Ok(())
}

/// Admits none, of an agency that carries files alone; or what can stand in a header and an SMTP command without quoting: an address is never a way to inject lines. ASCII
/// alone, as mails are written (`mail::smtp`): any other would be accepted here, and every answer to it given up.
fn check_email(email: &str) -> Result<(), AdministrationError> {
    if email.is_empty() {
        return Ok(());
    }
    if !email.is_ascii() {
        return Err(InvalidValue::EmailAscii.into());
    }
    let plain = |text: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && !text.ends_with('.')
            && !text.contains("..")
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
    };
    match email.split_once('@') {
        Some((local, domain))
            if plain(local) && plain(domain) && !local.starts_with('-') && local.len() <= 64 && email.len() <= 254 =>
        {
            Ok(())
        }
        _ => Err(InvalidValue::EmailParts.into()),
    }
}

/// Reads a matricule out of a column, where a CHECK keeps it in range.
pub(crate) fn matricule(number: i32) -> Result<Matricule, Fault> {
    u32::try_from(number)
        .ok()
        .and_then(|number| Matricule::try_from(number).ok())
        .ok_or_else(|| Fault::Bug(format!("{number} is no matricule, yet stands in the database")))
}
