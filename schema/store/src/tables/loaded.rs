//! A load of reference data as it is requested, and its result.

use serde::{Deserialize, Serialize};

/// The load of a file into a table, as one person asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableLoad {
    /// Application and name of the table, such as `election.BureauVote`.
    pub table: String,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Result of the dry run made by the person who asks.
    pub loaded: Loaded,
}

/// The result of loading a file, or of a dry run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// Number of records that are added to the table.
    pub new: i64,
    /// Number of records that are changed.
    pub changed: i64,
    /// Number of records that are the same in table and file.
    pub same: i64,
    /// Number of records that are in the table and not in the file. They are kept.
    pub beside: i64,
}

/// A value of the file that does not fit its column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoadFault {
    /// Line of the file, counted from 1. The first line has the names of the columns.
    pub line: usize,
    /// Name of the column.
    pub column: String,
    /// What the column expects, in the same words as in the faults of a refusal.
    pub expected: String,
}
