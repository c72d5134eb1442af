//! The people of the centre: their identity, their rights, and the record of their actions.
//!
//! An [`Operator`] is a person who signed in. Every change needs an operator, and first checks the privilege that it requires;
//! [`Operation`] is the only table of these privileges. The audit log has a line for each change that was made and for each attempt that
//! was refused; an [`Inspection`] reads the log. Some changes need two people ([`Need`] is the only table of them): one person asks for the
//! change as an [`Act`], and [`crate::approvals`] performs it.

pub mod accounts;
pub(crate) mod act;
pub mod action;
pub(crate) mod approved;
pub mod audit;
pub mod audit_filter;
pub mod inspection;
pub mod locks;
pub(crate) mod mapped;
pub mod mapping;
pub(crate) mod need;
pub mod operator;
pub mod passwords;
pub mod privilege;
pub mod resets;
pub mod sample;
pub mod sessions;
pub(crate) mod standing;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod tries;
pub(crate) mod user;
pub mod users;

pub use accounts::{Account, SystemAccount};
pub use act::{Act, HeldDecision};
pub use action::AuditAction;
pub use approved::Approved;
pub use audit_filter::{AuditFilter, RecordAsked};
pub use inspection::Inspection;
pub use need::{Need, Second};
pub use operator::{Operator, sign_in_as_system_account};
pub use privilege::{Operation, Privilege};
pub use user::{NewUser, User};
