//! Changes of profiles that offices ask for. A change for an agency of status 3 waits until one operator of privilege 3 confirms or refuses
//! it, and a notice informs the office of the decision. If the e-mail address changes, the notice is also sent to the former address.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::answer::notice::{NoticeContent, ProfileOutcome};
use sdc::answer::profile::Profile;
use sdc::answer::statement;
use sdc::letter::Matricule;
use sdc::request::ProfileChange;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::agency::{locked_status, show as show_agency};
use super::values::{check_email, check_line, check_name};
use crate::centre::addresses::refuse_own;
use crate::database::fault::Fault;
use crate::database::schema::agencies;
use crate::error::{AdministrationError, InvalidValue};
use crate::letters::notices;
use crate::people::action::{AuditAction, Differences};
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;

/// Largest number of changes for which one run of `tell` queues notices.
const TOLD_MAX: i64 = 200;

/// A change of a profile that an office asked for.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName, Serialize)]
pub struct Change {
    /// Number of the change.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// Matricule of the agency whose profile changes.
    #[diesel(sql_type = Integer)]
    pub agency: Matricule,
    /// Name of the agency.
    #[diesel(sql_type = Text)]
    pub name: String,
    /// Present telephone of the agency.
    #[diesel(sql_type = Text)]
    pub telephone: String,
    /// Name of the installation that asked for the change.
    #[diesel(sql_type = Text)]
    pub installation: String,
    /// Id of the letter that asked for the change.
    #[diesel(sql_type = SqlUuid)]
    pub letter_id: Uuid,
    /// Members that the change sets, with their new values.
    #[diesel(sql_type = Jsonb)]
    pub change: Value,
    /// Values of these members at the time when the change was asked for.
    #[diesel(sql_type = Jsonb)]
    pub former: Value,
    /// Time when the change was asked for.
    #[diesel(sql_type = Timestamptz)]
    pub asked_at: DateTime<Utc>,
    /// State: `waiting`, `made` (without an operator), `confirmed`, `refused`, or `replaced` by a later change.
    #[diesel(sql_type = Text)]
    pub state: String,
    /// Name of the operator who decided; `None` before a decision, or if the change needed no operator.
    #[diesel(sql_type = Nullable<Text>)]
    pub decided_by: Option<String>,
    /// Time of the decision; `None` before a decision.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub decided_at: Option<DateTime<Utc>>,
    /// Reason of a refusal, as the notice to the office contains it; `None` without a refusal.
    #[diesel(sql_type = Nullable<Text>)]
    pub reason: Option<String>,
}

impl Change {
    /// Returns the members that the change sets, each as its name, former value and new value.
    pub fn members(&self) -> Vec<(String, String, String)> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let set = self.change.as_object().into_iter().flatten();
        set.map(|(name, value)| (name.clone(), text(self.former.get(name)), text(Some(value)))).collect()
    }
}

/// Expands to a SELECT of a change's columns; the caller adds the condition.
macro_rules! select_changes {
    ($condition:literal) => {
        concat!(
            "SELECT c.id, c.agency, a.name, a.telephone, c.installation, c.letter_id, c.change, c.former, c.asked_at, c.state,
                    c.decided_by, c.decided_at, c.reason
               FROM xm.profile_changes c JOIN xm.agencies a ON a.matricule = c.agency WHERE ",
            $condition
        )
    };
}

/// Lists changes, newest first. If `before` is given, only changes with a lower number are listed. Decided changes are listed only if
/// `with_decided` is set.
///
/// # Errors
/// A fault of the database.
pub async fn list(
    connection: &mut AsyncPgConnection,
    with_decided: bool,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Change>, AdministrationError> {
    let changes =
        diesel::sql_query(select_changes!("c.id < $1 AND ($2 OR c.state = 'waiting') ORDER BY c.id DESC LIMIT $3"))
            .bind::<BigInt, _>(before.unwrap_or(i64::MAX))
            .bind::<Bool, _>(with_decided)
            .bind::<BigInt, _>(limit)
            .load(connection)
            .await?;
    Ok(changes)
}

/// Shows one change.
///
/// # Errors
/// The change does not exist; a fault of the database.
pub async fn show(connection: &mut AsyncPgConnection, id: i64) -> Result<Change, AdministrationError> {
    let change: Option<Change> = diesel::sql_query(select_changes!("c.id = $1"))
        .bind::<BigInt, _>(id)
        .get_result(connection)
        .await
        .optional()?;
    change.ok_or(AdministrationError::ProfileChangeUnknown(id))
}

/// Confirms and carries out a waiting change, and queues a notice to its office.
///
/// # Errors
/// The change does not exist or is decided already; the address belongs to the centre, or a value is no longer valid; a fault of the
/// database.
pub async fn confirm(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i64,
) -> Result<Change, AdministrationError> {
    operator.require(connection, Operation::ProfileConfirm).await?;
    connection
        .transaction(async |connection| {
            let waiting = waiting(connection, id).await?;
            let set: ProfileChange = serde_json::from_value(waiting.change.clone())
                .map_err(|error| Fault::Bug(format!("change {id} of a profile cannot be read: {error}")))?;
            check(connection, &set).await?;
            let before = show_agency(connection, waiting.agency).await?;
            make(connection, waiting.agency, &set).await?;
            let after = show_agency(connection, waiting.agency).await?;
            let former_email = Some(&before.email).filter(|email| !email.is_empty() && **email != after.email);
            decide(connection, operator, id, "confirmed", None, former_email.map(String::as_str)).await?;
            let differences = Differences::of(&before, &after);
            let action = AuditAction::ProfileConfirm { agency: waiting.agency, change: id, differences };
            audit::write(connection, operator, &action).await?;
            tell_one(connection, id).await?;
            show(connection, id).await
        })
        .await
}

/// Refuses a waiting change, and queues a notice with the reason to its office.
///
/// # Errors
/// The change does not exist or is decided already; the reason is missing; a fault of the database.
pub async fn refuse(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i64,
    reason: &str,
) -> Result<Change, AdministrationError> {
    operator.require(connection, Operation::ProfileRefuse).await?;
    let reason = audit::reason(reason)?;
    connection
        .transaction(async |connection| {
            let waiting = waiting(connection, id).await?;
            decide(connection, operator, id, "refused", Some(reason), None).await?;
            let action = AuditAction::ProfileRefuse { agency: waiting.agency, change: id, reason };
            audit::write(connection, operator, &action).await?;
            tell_one(connection, id).await?;
            show(connection, id).await
        })
        .await
}

/// Queues the notices about changes whose offices have no notice yet: decided changes, and changes of the address that needed no operator.
/// Returns how many notices were queued.
///
/// # Errors
/// A fault of the database; notices queued before the fault stay queued.
pub async fn tell(connection: &mut AsyncPgConnection) -> Result<usize, Fault> {
    #[derive(QueryableByName)]
    struct Untold {
        #[diesel(sql_type = BigInt)]
        id: i64,
    }
    let text = "SELECT id FROM xm.profile_changes WHERE told_at IS NULL AND state IN ('made', 'confirmed', 'refused')
                 ORDER BY id LIMIT $1";
    let untold: Vec<Untold> = diesel::sql_query(text).bind::<BigInt, _>(TOLD_MAX).load(connection).await?;
    let mut queued = 0;
    for Untold { id } in untold {
        queued += connection.transaction(async |connection| tell_one(connection, id).await).await?;
    }
    Ok(queued)
}

/// Locks the agency of a waiting change, and returns the change. Fails if the change is decided already.
async fn waiting(connection: &mut AsyncPgConnection, id: i64) -> Result<Change, AdministrationError> {
    // Settling locks the agency's row before the change. In another order, an operator and a batch could each wait for the other.
    let agency = show(connection, id).await?.agency;
    locked_status(connection, agency).await?;
    let change = show(connection, id).await?;
    if change.state == "waiting" {
        Ok(change)
    } else {
        Err(AdministrationError::ProfileChangeDecided { id, state: change.state })
    }
}

/// Checks the values again at the confirmation. Between the office's request and this moment, a newer version of the program may have
/// brought other rules.
async fn check(connection: &mut AsyncPgConnection, set: &ProfileChange) -> Result<(), AdministrationError> {
    set.name.as_deref().map_or(Ok(()), check_name)?;
    set.town.as_deref().map_or(Ok(()), |town| check_line(InvalidValue::Town, town))?;
    set.telephone.as_deref().map_or(Ok(()), |telephone| check_line(InvalidValue::Telephone, telephone))?;
    if let Some(email) = &set.email {
        check_email(email)?;
        refuse_own(connection, email).await?;
    }
    Ok(())
}

async fn make(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    set: &ProfileChange,
) -> Result<(), AdministrationError> {
    #[derive(AsChangeset)]
    #[diesel(table_name = agencies)]
    struct Set<'a> {
        name: Option<&'a str>,
        town: Option<&'a str>,
        telephone: Option<&'a str>,
        email: Option<&'a str>,
    }
    let ProfileChange { name, town, telephone, email } = set;
    let set =
        Set { name: name.as_deref(), town: town.as_deref(), telephone: telephone.as_deref(), email: email.as_deref() };
    diesel::update(agencies::table.find(agency)).set(&set).execute(connection).await?;
    Ok(())
}

async fn decide(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    id: i64,
    state: &str,
    reason: Option<&str>,
    former_email: Option<&str>,
) -> Result<(), AdministrationError> {
    let text =
        "UPDATE xm.profile_changes SET state = $1, reason = $2, former_email = $3, decided_by = $4, decided_at = now()
                 WHERE id = $5";
    diesel::sql_query(text)
        .bind::<Text, _>(state)
        .bind::<Nullable<Text>, _>(reason)
        .bind::<Nullable<Text>, _>(former_email)
        .bind::<Text, _>(operator.user())
        .bind::<BigInt, _>(id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Queues the notice of one change for every installation of its agency, and marks the change as notified. If several programs call this
/// for one change, only one of them queues notices. Returns how many notices were queued.
async fn tell_one(connection: &mut AsyncPgConnection, id: i64) -> Result<usize, Fault> {
    #[derive(QueryableByName)]
    struct Told {
        #[diesel(sql_type = Integer)]
        agency: Matricule,
        #[diesel(sql_type = SqlUuid)]
        letter_id: Uuid,
        #[diesel(sql_type = Text)]
        state: String,
        #[diesel(sql_type = Nullable<Text>)]
        reason: Option<String>,
        #[diesel(sql_type = Nullable<Text>)]
        former_email: Option<String>,
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Text)]
        town: String,
        #[diesel(sql_type = Text)]
        telephone: String,
        #[diesel(sql_type = Text)]
        email: String,
    }
    let text = "UPDATE xm.profile_changes c SET told_at = now() FROM xm.agencies a
                 WHERE c.id = $1 AND c.told_at IS NULL AND a.matricule = c.agency
                RETURNING c.agency, c.letter_id, c.state, c.reason, c.former_email, a.name, a.town, a.telephone, a.email";
    let told: Option<Told> = diesel::sql_query(text).bind::<BigInt, _>(id).get_result(connection).await.optional()?;
    let Some(told) = told else { return Ok(0) };
    let content = NoticeContent::Profile {
        letter: told.letter_id,
        outcome: if told.state == "refused" { ProfileOutcome::Refused } else { ProfileOutcome::Made },
        reason: told.reason.as_deref().map(statement::note),
        profile: Profile::new(&told.name, &told.town, &told.telephone, &told.email),
    };
    notices::queue_for_agency_at(connection, told.agency, &id.to_string(), &content, told.former_email.as_deref()).await
}
