//! The people of the centre: their identity, their rights, and the record of their actions.
//!
//! An [`Operator`] is a person who signed in. Every change needs an operator, and first checks the privilege that it requires;
//! [`Operation`] is the only table of these privileges. The audit log has a line for each change that was made and for each attempt that
//! was refused. Some changes need two people ([`Need`] is the only table of them): one person asks for the change as an [`Act`], and
//! [`crate::approvals`] performs it.

pub mod accounts;
pub(crate) mod act;
pub mod action;
pub(crate) mod approved;
pub mod audit;
pub(crate) mod mapped;
pub mod mapping;
pub(crate) mod need;
pub mod operator;
pub mod passwords;
pub mod privilege;
pub(crate) mod standing;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod user;
pub mod users;

pub use accounts::{Account, SystemAccount};
pub use act::{Act, HeldDecision};
pub use action::AuditAction;
pub use approved::Approved;
pub use need::Need;
pub use operator::{Operator, sign_in_as_system_account};
pub use privilege::{Operation, Privilege};
pub use user::{NewUser, User};
