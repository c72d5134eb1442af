//! The conditions by which an operator searches the audit log.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// Conditions that select lines of the audit log; the newest line comes first. All of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditFilter {
    /// Only the line of this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// Only lines of this author: a user's name, or `account NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Only lines of this action, such as `agency.edit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Only lines about this subject, such as `agency 000042`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Only lines from this time on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Only lines before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// Only looks at the content of records.
    #[serde(skip_serializing_if = "is_false")]
    pub looks: bool,
    /// Only looks at this record, or at a letter that brought it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordAsked>,
}

/// A record as a person names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordAsked {
    /// Full name of the table, such as `ecr.ActeNaissance`.
    pub table: String,
    /// Values of the legal key, in its order.
    pub key: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
