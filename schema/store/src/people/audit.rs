//! The audit log: one line for each action of an operator. Each line contains the hash of the line before.
//!
//! If a line is changed, removed or inserted, the hashes no longer match from that line on. If the last lines are deleted, the remaining
//! hashes still match. Only somebody who has stored the last hash outside the database ([`Head`]) notices this. The database itself refuses
//! that a line is changed or deleted, and takes a new line only behind the last one.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SubsecRound, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::accounts::SystemAccount;
use super::action::AuditAction;
use crate::database::fault::Fault;
use crate::database::schema::audit;
use crate::error::{AdministrationError, InvalidValue};

/// The advisory lock under which a line is appended, so that lines are appended one after another.
const AUDIT_LOCK: i64 = i64::from_be_bytes(*b"xm.audit");
const PAGE: i64 = 1000;

/// Checks the reason that an operator gives for an action, and returns it without blanks around it. The reason is written into the audit
/// line of the action.
///
/// # Errors
/// The reason is empty, or contains control characters.
pub(crate) fn reason(given: &str) -> Result<&str, InvalidValue> {
    let reason = given.trim();
    if reason.is_empty() || reason.chars().any(char::is_control) {
        return Err(InvalidValue::Reason);
    }
    Ok(reason)
}

/// A line of the audit log.
#[derive(Clone, Debug, Queryable, Selectable, Insertable, Serialize)]
#[diesel(table_name = audit)]
pub struct Line {
    /// Number of the line, without gaps.
    pub id: i64,
    /// Time of the action.
    pub at: DateTime<Utc>,
    /// Name of the user, or of the account, that acted.
    pub operator: String,
    /// Name of the action, such as `agency.add`.
    pub action: String,
    /// Person or thing that the action changed, such as `agency 000042`.
    pub subject: String,
    /// Parameters of the action.
    pub detail: Value,
    /// Hash of the line before; 32 zero octets for the first line.
    #[serde(with = "hex")]
    pub previous_hash: Vec<u8>,
    /// Hash of this line.
    #[serde(with = "hex")]
    pub hash: Vec<u8>,
}

/// The last line of the log, by number and hash. People write it down as `7:1ac5…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Number of the last line; 0 if the log is empty.
    pub id: i64,
    /// Hash of the last line.
    #[serde(with = "hex")]
    pub hash: Vec<u8>,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id, hex::encode(&self.hash))
    }
}

impl FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Head, String> {
        let expected =
            || format!("expected a line and its hash as `xmserver audit verify` shows them, 7:1ac5…, found {text:?}");
        let (id, hash) = text.split_once(':').ok_or_else(expected)?;
        let id = id.parse().ok().filter(|id| *id > 0).ok_or_else(expected)?;
        let hash = hex::decode(hash).ok().filter(|hash| hash.len() == 32).ok_or_else(expected)?;
        Ok(Head { id, hash })
    }
}

impl Line {
    fn computed_hash(&self) -> Vec<u8> {
        let mut hasher = Sha256::new();
        let mut field = |octets: &[u8]| {
            // Each field is hashed with its length before it. Otherwise octets could move from one field into the next, and two different
            // lines would have the same hash.
            hasher.update(u64::try_from(octets.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(octets);
        };
        field(&self.previous_hash);
        field(&self.id.to_be_bytes());
        field(&self.at.timestamp_micros().to_be_bytes());
        field(self.operator.as_bytes());
        field(self.action.as_bytes());
        field(self.subject.as_bytes());
        field(canonical(&self.detail).as_bytes());
        hasher.finalize().to_vec()
    }
}

/// Writes JSON with sorted names. The hash needs one fixed form, and `jsonb` keeps neither the order of names nor the spaces.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            let members: Vec<String> = sorted
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// The author of a line: a person who signed in, the program itself under an account of the operating system, or an account that belongs to
/// no user.
#[derive(Clone, Debug)]
pub struct Author {
    name: String,
    /// Number of the session, if the author signed in by a password.
    session: Option<i64>,
}

impl Author {
    /// Makes the author of a line for a user who has signed in.
    pub(super) fn of_user(name: &str) -> Author {
        Author { name: name.to_owned(), session: None }
    }

    /// Makes the author of a line for a user in a session.
    pub(super) fn of_session(name: &str, session: i64) -> Author {
        Author { name: name.to_owned(), session: Some(session) }
    }

    /// Makes the author of a line for somebody who has not proven who he is: the place where he is, such as `address 192.0.2.7`. A user's
    /// name has no blank, so a place never looks like a user.
    pub(super) fn of_place(place: &str) -> Author {
        Author { name: place.to_owned(), session: None }
    }
}

impl From<&SystemAccount> for Author {
    /// Returns the author `account NAME`. A user's name has no blank, so an account never looks like a user.
    fn from(account: &SystemAccount) -> Author {
        Author { name: format!("account {}", account.name()), session: None }
    }
}

/// Appends one line, in the transaction of the action.
///
/// # Errors
/// A fault of the database.
pub(crate) async fn write(
    connection: &mut AsyncPgConnection,
    author: impl Into<Author>,
    action: &AuditAction<'_>,
) -> Result<(), Fault> {
    let (Author { name: operator, session }, mut detail) = (author.into(), action.detail()?);
    if let (Some(session), Some(members)) = (session, detail.as_object_mut()) {
        members.insert("session".to_owned(), session.into());
    }
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(AUDIT_LOCK).execute(connection).await?;
    let Head { id, hash } = head(connection).await?;
    let mut line = Line {
        id: id + 1,
        // PostgreSQL stores microseconds, and the hash must be computed from the stored time.
        at: Utc::now().trunc_subsecs(6),
        operator,
        action: action.name().to_owned(),
        subject: action.subject(),
        detail,
        previous_hash: hash,
        hash: Vec::new(),
    };
    line.hash = line.computed_hash();
    diesel::insert_into(audit::table).values(&line).execute(connection).await?;
    Ok(())
}

/// Reads the number and the hash of the last line.
///
/// # Errors
/// A fault of the database.
pub async fn head(connection: &mut AsyncPgConnection) -> Result<Head, Fault> {
    let last: Option<(i64, Vec<u8>)> =
        audit::table.order(audit::id.desc()).select((audit::id, audit::hash)).first(connection).await.optional()?;
    let (id, hash) = last.unwrap_or_else(|| (0, vec![0; 32]));
    Ok(Head { id, hash })
}

/// Lists lines, newest first. If `before` is given, only lines with a lower number are listed.
#[cfg(test)]
pub(crate) async fn list(
    connection: &mut AsyncPgConnection,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Line>, AdministrationError> {
    let lines = audit::table
        .filter(audit::id.lt(before.unwrap_or(i64::MAX)))
        .order(audit::id.desc())
        .limit(limit)
        .select(Line::as_select())
        .load(connection)
        .await?;
    Ok(lines)
}

/// Lists the lines after a given line, oldest first.
///
/// # Errors
/// A fault of the database.
pub async fn since(
    connection: &mut AsyncPgConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<Line>, AdministrationError> {
    let lines = audit::table.filter(audit::id.gt(after)).order(audit::id).limit(limit).select(Line::as_select());
    Ok(lines.load(connection).await?)
}

/// A walk along the chain, oldest line first. Each line is verified before it is given.
#[derive(Debug)]
pub(crate) struct Walk {
    at: Head,
}

impl Walk {
    /// Begins behind a line; 0 is the beginning of the log.
    ///
    /// # Errors
    /// The line does not exist; a fault of the database.
    pub async fn behind(connection: &mut AsyncPgConnection, line: i64) -> Result<Walk, AdministrationError> {
        let hash = match line {
            0 => vec![0; 32],
            line => {
                let found = audit::table.find(line).select(audit::hash).first(connection).await.optional()?;
                found.ok_or(AdministrationError::AuditLineUnknown(line))?
            }
        };
        Ok(Walk { at: Head { id: line, hash } })
    }

    /// Returns the next lines up to `last`; none at the end.
    ///
    /// # Errors
    /// [`AdministrationError::AuditBroken`] with the number of the first wrong line; a fault of the database.
    pub async fn page(
        &mut self,
        connection: &mut AsyncPgConnection,
        last: i64,
    ) -> Result<Vec<Line>, AdministrationError> {
        let page: Vec<Line> = audit::table
            .filter(audit::id.gt(self.at.id))
            .filter(audit::id.le(last))
            .order(audit::id)
            .limit(PAGE)
            .select(Line::as_select())
            .load(connection)
            .await?;
        for line in &page {
            if line.id != self.at.id + 1 || line.previous_hash != self.at.hash || line.hash != line.computed_hash() {
                return Err(AdministrationError::AuditBroken(line.id));
            }
            self.at = Head { id: line.id, hash: line.hash.clone() };
        }
        Ok(page)
    }
}

/// Verifies the hashes of all lines, and that the log has the line that somebody wrote down, if `written_down` is given. Returns the last
/// line's number and hash.
///
/// # Errors
/// [`AdministrationError::AuditBroken`] with the number of the first wrong line; [`AdministrationError::AuditHeadOther`]; a fault of the
/// database.
pub(crate) async fn verify(
    connection: &mut AsyncPgConnection,
    written_down: Option<&Head>,
) -> Result<Head, AdministrationError> {
    let mut walk = Walk::behind(connection, 0).await?;
    let mut is_there = written_down.is_none();
    loop {
        let page = walk.page(connection, i64::MAX).await?;
        is_there |=
            page.iter().any(|line| written_down.is_some_and(|head| line.id == head.id && line.hash == head.hash));
        if page.is_empty() {
            break;
        }
    }
    match written_down {
        Some(head) if !is_there => Err(AdministrationError::AuditHeadOther { line: head.id, last: walk.at.id }),
        _ => Ok(walk.at),
    }
}
