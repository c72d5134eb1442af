//! What operators change and look at: agencies, certificates, tables, tariffs; journal, answers and quarantine.
//!
//! Every change begins with the privilege that it requires of the operator, and is one transaction that also writes its line of
//! the audit log. A change takes effect with the next letter on every replica: triggers raise the revisions that settling compares.

pub mod agencies;
pub mod answers;
pub mod centre_addresses;
pub mod centre_keys;
pub mod certificates;
mod error;
pub mod installations;
mod invalid;
pub mod journal;
pub mod letters;
pub mod quarantine;
pub mod scopes;
pub mod server;
pub mod tables;
pub mod tariffs;
#[cfg(test)]
mod tests;

use sdc::letter::Matricule;

pub use error::{AdministrationError, Book, ErrorKind, KeyName};
pub use invalid::InvalidValue;

use crate::fault::Fault;

/// Reads a matricule out of a column, where a CHECK keeps it in range.
fn matricule(number: i32) -> Result<Matricule, Fault> {
    u32::try_from(number)
        .ok()
        .and_then(|number| Matricule::try_from(number).ok())
        .ok_or_else(|| Fault::Bug(format!("{number} is no matricule, yet stands in the database")))
}
