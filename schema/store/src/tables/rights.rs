//! What agencies of a plan may do with a table.

use serde::{Deserialize, Serialize};

/// Whose records may be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// Nobody's.
    #[default]
    None,
    /// Those that the agency sent itself; of a table with a scope column those within the codes granted to it.
    Own,
    /// Everybody's.
    All,
}

/// What certifying gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CertifyGives {
    /// In a word whether the paper is right.
    #[default]
    Verdict,
    /// The record itself too, with its marginal notes.
    Record,
}

/// What agencies of a plan may do with a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rights {
    /// Whether they may send records.
    pub may_export: bool,
    /// Whose records they may read.
    #[serde(default)]
    pub may_read: Whose,
    /// Whose records they may certify.
    #[serde(default)]
    pub may_certify: Whose,
    /// What certifying gives them.
    #[serde(default)]
    pub certify_gives: CertifyGives,
}

/// What an agency may be given in a day; absent where there is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Records and keys.
    pub acts: Option<i64>,
    /// Octets of containers.
    pub bytes: Option<i64>,
}

impl Whose {
    /// Returns the word that stands in `xm.rights`.
    pub fn as_str(self) -> &'static str {
        match self {
            Whose::None => "none",
            Whose::Own => "own",
            Whose::All => "all",
        }
    }

    /// Finds it by that word.
    pub fn parse(word: &str) -> Option<Whose> {
        [Whose::None, Whose::Own, Whose::All].into_iter().find(|whose| whose.as_str() == word)
    }
}

impl CertifyGives {
    /// Returns the word that stands in `xm.rights`.
    pub fn as_str(self) -> &'static str {
        match self {
            CertifyGives::Verdict => "verdict",
            CertifyGives::Record => "record",
        }
    }

    /// Finds it by that word.
    pub fn parse(word: &str) -> Option<CertifyGives> {
        [CertifyGives::Verdict, CertifyGives::Record].into_iter().find(|gives| gives.as_str() == word)
    }
}
