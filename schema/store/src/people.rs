//! The people of the centre: who somebody is, what he may do, and what he did.
//!
//! An [`Operator`] is a person who signed in; every change takes one and begins with the privilege
//! that it requires ([`Operation`] is the one table of these). What was done, and what was refused, is a line of the audit log. What one
//! person alone may not do ([`Need`] is the one table of these) is asked as an [`Act`] and done by [`crate::approvals`].

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
