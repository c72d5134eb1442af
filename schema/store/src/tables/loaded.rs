//! What is asked and told of loading reference data.

use serde::{Deserialize, Serialize};

/// The load of a file into a table, as one person asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableLoad {
    /// Application and name.
    pub table: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// What it does.
    pub loaded: Loaded,
}

/// What loading a file does, or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// Records that are added.
    pub new: i64,
    /// Records that change.
    pub changed: i64,
    /// Records that are there as the file has them.
    pub same: i64,
    /// Records of the table that the file does not name; they stay.
    pub beside: i64,
}

/// A value that its column does not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoadFault {
    /// The line of the file, from 1; the head is the first.
    pub line: usize,
    /// The column.
    pub column: String,
    /// What was expected.
    pub expected: String,
}
