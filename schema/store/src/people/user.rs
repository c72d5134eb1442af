//! A user, that is, a person who can sign in: the data to add him, and his row in lists.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::accounts::Account;
use super::privilege::Privilege;

/// A user to be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewUser {
    /// Name of the user: 2 to 32 characters of a-z, 0-9, point, underscore and hyphen.
    pub name: String,
    /// Privilege of the user.
    pub privilege: Privilege,
    /// Whether the user is a member of the election commission.
    pub is_commission: bool,
    /// The account of the operating system with which the user signs in to commands.
    pub account: Option<Account>,
}

/// A user in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct User {
    /// Name of the user.
    pub name: String,
    /// Privilege: 1 is Opérateur, 2 Chef d'Agence, 3 Superviseur.
    pub privilege: i16,
    /// Whether the user is a member of the election commission.
    pub is_commission: bool,
    /// Accounts of the operating system that belong to the user now.
    pub accounts: Vec<Account>,
    /// Time when the user was added.
    pub created_at: DateTime<Utc>,
    /// Time since which the user is locked by an operator; `None` if he is not.
    pub locked_at: Option<DateTime<Utc>>,
    /// Time until which the user's password opens nothing after wrong tries; `None` if it may be tried.
    pub waits_until: Option<DateTime<Utc>>,
    /// Time when the user last signed in by a password of his own; `None` if he never did.
    pub signed_in_at: Option<DateTime<Utc>>,
}

impl User {
    /// Says whether the user can sign in: he is not locked, and has an account or a password of his own.
    pub fn can_sign_in(&self) -> bool {
        self.locked_at.is_none() && (!self.accounts.is_empty() || self.signed_in_at.is_some())
    }
}
