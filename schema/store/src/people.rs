//! The people of the centre: who somebody is, what he may do, and what he did.
//!
//! An [`Operator`] is a person who signed in; every change takes one and begins with the privilege
//! that it requires ([`Operation`] is the one table of these). What was done, and what was refused, is a line of the audit log.

pub mod accounts;
pub mod action;
pub mod approvals;
pub mod audit;
pub mod mapping;
pub mod operator;
pub mod passwords;
pub mod privilege;
#[cfg(test)]
mod tests;
pub mod users;

pub use accounts::{Account, SystemAccount};
pub use action::AuditAction;
pub use approvals::Approved;
pub use operator::{Operator, sign_in_as_system_account};
pub use privilege::{Operation, Privilege};
