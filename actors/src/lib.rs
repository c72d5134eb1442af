//! Six supervised actors, the messages between them, and what keeps them alive.
//!
//! The flow of a letter, one file per actor: [`mailbox_poller`] → [`sdc_decoder`] → [`signature_verifier`] →
//! [`table_writer`] → [`billing_ledger`] → [`exporter`]; [`messages`] lists the arrows. [`pipeline`] builds them, last actor
//! first, and drains them in order.

pub mod admission;
pub mod at_work;
pub mod billing_ledger;
pub mod courier;
pub mod custody;
pub mod exporter;
pub mod intake;
pub mod mailbox_poller;
pub mod messages;
pub mod metrics;
mod outage;
pub mod payload_room;
pub mod pipeline;
pub mod proof;
pub mod push_intake;
mod refusal_log;
pub mod remainder;
pub mod room;
pub mod sdc_decoder;
pub mod shares;
pub mod signature_verifier;
pub mod stop;
pub mod supervision;
pub mod table_writer;
mod tally;
pub mod transfer_folder;
pub mod transport;

/// Capacity of an actor's mailbox. Never the bound that counts: permits are, and fewer of them exist.
pub(crate) const MAILBOX_CAPACITY: usize = 1 << 16;
