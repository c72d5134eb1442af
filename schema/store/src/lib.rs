//! The letter at rest: PostgreSQL migrations, adopted tables, sample databases, the settling transaction.

pub mod administration;
pub mod catalogue;
pub mod cluster;
pub mod database;
pub mod definition;
pub mod examine;
pub mod failure;
pub mod fault;
mod identifier;
pub mod in_hand;
pub mod leases;
pub mod outbox;
pub mod people;
pub mod samples;
mod schema;
pub mod settle;
pub mod signers;
mod statement;
pub mod testing;
