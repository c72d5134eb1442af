//! A user: a person who signs in, as he is added and as he is listed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::accounts::Account;
use super::privilege::Privilege;

/// A user to be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewUser {
    /// 2 to 32 of a-z, 0-9, point, underscore and hyphen.
    pub name: String,
    /// What he may do.
    pub privilege: Privilege,
    /// Whether he is a member of the election commission.
    pub is_commission: bool,
    /// The account of the operating system by which he signs in to commands.
    pub account: Option<Account>,
}

/// A user in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// Name.
    pub name: String,
    /// 1 Opérateur, 2 Chef d'Agence, 3 Superviseur.
    pub privilege: i16,
    /// Whether he is a member of the election commission.
    pub is_commission: bool,
    /// Accounts of the operating system that are his now.
    pub accounts: Vec<Account>,
    /// When he was added.
    pub created_at: DateTime<Utc>,
}
