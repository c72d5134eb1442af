//! Agencies, which are the registered remote offices: their data and status, their installations, and their scopes, which are the codes
//! that they may send records for.

mod addition;
pub(crate) mod agency;
mod change;
pub mod enrolments;
pub mod installations;
pub mod profiles;
pub mod scopes;
#[cfg(test)]
mod tests;
mod unheard;
mod values;

pub use addition::{NewAgency, add, set_status};
pub use agency::{Agency, AgencyFilter, list, plans, show};
pub use change::{AgencyChange, Changed, edit};
pub use unheard::{Unheard, unheard};
