//! The letter at rest: PostgreSQL migrations, adopted tables, sample databases, the settling transaction.

pub mod administration;
pub mod cluster;
pub mod database;
pub mod definition;
pub mod fault;
pub mod samples;
mod schema;
pub mod testing;
