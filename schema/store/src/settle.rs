//! The settling transaction. For each letter of a batch it writes the rows into the tables, the charge into the ledger, the line of the
//! journal, and the receipt. It commits all of this for the whole batch, or nothing.
//!
//! ```text
//! Arrival ──judge──▶ Judged ──decide──▶ Decision ──rows──▶ Written ──post──▶ Settled (committed)
//!          no database        under the agencies' locks      open transaction
//! ```
//!
//! Each letter of the batch is a `Case`, which gathers on its way the letter's arrival, judgement, decision and key of the journal. A
//! letter's place is its index in the batch.
//!
//! Promises (SPEC 4). Each letter takes effect exactly once, because its verdict is a unique row of the same transaction. A letter takes
//! effect whole or not at all. Letters of one installation take effect in the order of their sequence numbers. After a fault nothing is
//! committed, and no sequence number counts as used. Duplicates and lack of credit are decisions, never errors, so they cost no rollback.

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
mod life;
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
mod tally;
pub(crate) mod transaction;
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
pub use tally::{Sum, Tally};
pub use unread::{BeforeReading, Unread};
pub use written::Written;
