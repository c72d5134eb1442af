//! Rights of a plan's agencies to a table, and quotas of a plan.

use serde::{Deserialize, Serialize};

/// The agencies whose records may be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// No agency's records.
    #[default]
    None,
    /// Records that the agency sent itself. If the table has a scope column, only records with codes that are granted to the agency.
    Own,
    /// All agencies' records.
    All,
}

/// Content of the answer to a certify: only the verdict, or also the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CertifyGives {
    /// Only the verdict: whether the paper agrees with the record.
    #[default]
    Verdict,
    /// The verdict, and the record itself with its marginal notes.
    Record,
}

/// The rights of a plan's agencies to a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rights {
    /// Whether the agencies may send records.
    pub may_export: bool,
    /// Owners whose records the agencies may import.
    #[serde(default)]
    pub may_read: Whose,
    /// Owners whose records the agencies may have certified.
    #[serde(default)]
    pub may_certify: Whose,
    /// Content of the answer to a certify: only the verdict, or also the record.
    #[serde(default)]
    pub certify_gives: CertifyGives,
}

/// Largest amounts that an agency may receive in a day; absent if there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Number of acts in the answers: each record is one act, and so is each legal key that a certify asked about.
    pub acts: Option<i64>,
    /// Number of octets in the containers of the answers.
    pub bytes: Option<i64>,
}

impl Whose {
    /// Returns the word for this value in `xm.rights`.
    pub fn as_str(self) -> &'static str {
        match self {
            Whose::None => "none",
            Whose::Own => "own",
            Whose::All => "all",
        }
    }

    /// Reads the word in `xm.rights`; `None` for an unknown word.
    pub fn parse(word: &str) -> Option<Whose> {
        [Whose::None, Whose::Own, Whose::All].into_iter().find(|whose| whose.as_str() == word)
    }
}

impl CertifyGives {
    /// Returns the word for this value in `xm.rights`.
    pub fn as_str(self) -> &'static str {
        match self {
            CertifyGives::Verdict => "verdict",
            CertifyGives::Record => "record",
        }
    }

    /// Reads the word in `xm.rights`; `None` for an unknown word.
    pub fn parse(word: &str) -> Option<CertifyGives> {
        [CertifyGives::Verdict, CertifyGives::Record].into_iter().find(|gives| gives.as_str() == word)
    }
}
