//! The settling transaction: a batch of letters becomes rows, entries, journal lines and receipts, or nothing at all.
//!
//! ```text
//! Arrival ──judge──▶ Judged ──decide──▶ Decision ──rows──▶ Written ──post──▶ Settled (committed)
//!          no database        under the agencies' locks      open transaction
//! ```
//!
//! Each letter of the batch is a `Case`, which gathers its arrival, judgement, decision and key of the journal on this way.
//!
//! Promises (SPEC 4): exactly once, because the verdict's row is unique and lies in the same transaction as its effects;
//! no partial letter; letters of one installation in the order of their sequence numbers; a fault commits nothing and
//! burns nothing. Duplicates and lack of credit are decisions, never errors, so they cost no rollback.

mod account;
mod apart;
mod arrival;
pub(crate) mod batch;
mod bodies;
mod broken_tables;
mod certificates;
mod corrections;
mod decide;
pub(crate) mod decision;
mod defaults;
mod effect;
pub(crate) mod enrolments;
mod failing_tables;
mod flags;
mod gathered;
mod groups;
mod held;
pub(crate) mod judge;
mod messages;
mod not_inserted;
mod offenders;
mod post;
mod profiles;
mod records;
mod retry;
mod rounds;
mod rows;
mod ruling;
mod services;
mod settings;
mod settled;
mod settler;
mod standing;
pub(crate) mod statement;
mod transaction;
mod unread;
mod verdict;
mod vouchers;
mod withheld;
mod work;
mod written;

#[cfg(test)]
pub(crate) mod tests;

pub use apart::Apart;
pub use arrival::{Arrival, Claimed, Content, Outcome, Source};
pub use retry::{Retry, Tried};
pub use ruling::Ruling;
pub use settings::SettlingSettings;
pub use settled::{RefusedLetter, Settled, Unsettled};
pub use settler::Settler;
pub use unread::{BeforeReading, Unread};
pub use written::Written;
