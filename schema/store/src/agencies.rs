//! Agencies, which are the registered remote offices: their data and status, their installations, and their scopes, which are the codes
//! that they may send records for.

mod addition;
pub(crate) mod agency;
mod change;
pub mod enrolments;
pub mod installations;
pub mod profiles;
pub mod scopes;
pub mod status_of_many;
#[cfg(test)]
mod tests;
mod unheard;
mod values;

pub use addition::{NewAgency, add, set_status};
pub use agency::{Agency, AgencyFilter, list, plans, show};
pub use change::{AgencyChange, Changed, edit};
pub use status_of_many::set_status_of_many;
pub use unheard::{Unheard, unheard};
