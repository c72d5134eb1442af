//! Agencies, which are the registered remote offices: their data and status, their installations, and their scopes, which are the codes
//! that they may send records for.

mod addition;
pub(crate) mod agency;
mod areas;
mod change;
pub mod enrolments;
mod export;
pub mod import;
pub mod installations;
mod listing;
pub mod profiles;
pub mod scopes;
pub mod status_of_many;
#[cfg(test)]
mod tests;
mod unheard;
mod values;

pub use addition::{NewAgency, add, set_status};
pub use agency::{Agency, plans, show};
pub use areas::{Area, AreaCounts, areas};
pub use change::{AgencyChange, Changed, edit};
pub use export::export;
pub use listing::{AgencyFilter, AgencyOrder, AgencyPage, Listed, count, list, matricules};
pub use status_of_many::{AGENCIES_ALONE_MAX, set_status_of_many};
pub use unheard::{Unheard, unheard};
