//! A change of a plan, as an operator asks for it.

use serde::Serialize;

use crate::tables::rights::{CertifyGives, Whose};

/// A change of a plan. Values that are absent do not change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlanEdit {
    /// Purpose of the new plan, in a person's words; absent if an existing plan is changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create: Option<String>,
    /// New limit of the acts that each agency of the plan may read in a day. Each record in the answer to an import is one act, and so is
    /// each legal key that a certify asks about. `None` leaves the limit unchanged; `Some(None)` means no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_acts_per_day: Option<Option<i64>>,
    /// New limit of the octets that each agency of the plan may read in a day. `None` leaves the limit unchanged; `Some(None)` means no
    /// limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_bytes_per_day: Option<Option<i64>>,
    /// The change of the rights to one table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<RightEdit>,
}

/// A change of the rights to a table. Values that are absent do not change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RightEdit {
    /// Name of the table with its application, such as `ecr.ActeNaissance`.
    pub table: String,
    /// Whether the agencies may send records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_export: Option<bool>,
    /// Owners whose records the agencies may import.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_read: Option<Whose>,
    /// Owners whose records the agencies may have certified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_certify: Option<Whose>,
    /// Content of the answer to a certify: only the verdict, or the record too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certify_gives: Option<CertifyGives>,
}
