//! What is to be changed of a plan.

use serde::Serialize;

use crate::tables::rights::{CertifyGives, Whose};

/// A change of a plan; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlanEdit {
    /// Makes the plan, with what it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create: Option<String>,
    /// The quota of records and keys; absent within where there is to be none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_acts_per_day: Option<Option<i64>>,
    /// The quota of octets; absent within where there is to be none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_bytes_per_day: Option<Option<i64>>,
    /// Rights to one table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<RightEdit>,
}

/// A change of the rights to a table; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RightEdit {
    /// The table, such as `ecr.ActeNaissance`.
    pub table: String,
    /// Whether records may be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_export: Option<bool>,
    /// Whose records may be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_read: Option<Whose>,
    /// Whose records may be certified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_certify: Option<Whose>,
    /// What certifying gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certify_gives: Option<CertifyGives>,
}
