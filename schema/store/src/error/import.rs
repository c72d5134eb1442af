//! Errors of an import of agencies: of the file, and of one of its rows.

use sdc::letter::Matricule;
use serde_json::{Value, json};

/// Reason for which a file cannot be imported, or a row of it is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// The file has columns that nobody knows, or has a column twice.
    Columns {
        /// Names of these columns.
        unknown: Vec<String>,
        /// Names of the columns that a file may have.
        known: Vec<&'static str>,
    },
    /// The file has no column `matricule`, or no row.
    Empty,
    /// The row has more or fewer cells than the file has columns.
    Cells {
        /// Number of columns.
        expected: usize,
        /// Number of cells.
        found: usize,
    },
    /// The cell is no matricule. An import gives no free numbers: imported again, it would give further ones.
    Matricule {
        /// What the cell says.
        found: String,
    },
    /// An earlier row is about the same agency.
    Twice {
        /// Line of the earlier row.
        line: u64,
    },
    /// The cell is no amount of the centre's currency.
    Amount {
        /// Name of the column.
        column: &'static str,
        /// What the cell says.
        found: String,
    },
    /// The cell is neither yes nor no.
    YesOrNo {
        /// Name of the column.
        column: &'static str,
        /// What the cell says.
        found: String,
    },
    /// The cell has something other than certificates, or a certificate that cannot be registered.
    Certificate {
        /// Why the certificate is refused, in English words of the cryptographic library or of this program; empty if the cell has none.
        reason: String,
    },
    /// The row has not one fingerprint for each of its certificates.
    Fingerprints {
        /// Number of certificates.
        certificates: usize,
        /// Number of fingerprints.
        fingerprints: usize,
    },
    /// The certificate is of another key than those that the agency has or had, which two people have to agree to.
    FurtherKey {
        /// Agency of the row.
        agency: Matricule,
    },
    /// The opening balance is more than one person may recharge alone.
    Balance {
        /// The largest amount, in minor units.
        limit: i64,
    },
}

impl ImportError {
    /// Returns the error's code, which never changes.
    pub(super) fn code(&self) -> &'static str {
        match self {
            ImportError::Columns { .. } => "import_columns",
            ImportError::Empty => "import_empty",
            ImportError::Cells { .. } => "import_cells",
            ImportError::Matricule { .. } => "import_matricule",
            ImportError::Twice { .. } => "import_twice",
            ImportError::Amount { .. } => "import_amount",
            ImportError::YesOrNo { .. } => "import_yes_or_no",
            ImportError::Certificate { .. } => "import_certificate",
            ImportError::Fingerprints { .. } => "import_fingerprints",
            ImportError::FurtherKey { .. } => "import_further_key",
            ImportError::Balance { .. } => "import_balance",
        }
    }

    /// Returns the error's parameters.
    pub(super) fn parameters(&self) -> Value {
        match self {
            ImportError::Columns { unknown, known } => json!({ "unknown": unknown, "known": known }),
            ImportError::Empty => Value::Null,
            ImportError::Cells { expected, found } => json!({ "expected": expected, "found": found }),
            ImportError::Matricule { found } => json!({ "found": found }),
            ImportError::Twice { line } => json!({ "line": line }),
            ImportError::Amount { column, found } | ImportError::YesOrNo { column, found } => {
                json!({ "column": column, "found": found })
            }
            ImportError::Certificate { reason } => json!({ "reason": reason }),
            ImportError::Fingerprints { certificates, fingerprints } => {
                json!({ "certificates": certificates, "fingerprints": fingerprints })
            }
            ImportError::FurtherKey { agency } => json!({ "agency": agency }),
            ImportError::Balance { limit } => json!({ "limit": limit }),
        }
    }
}
