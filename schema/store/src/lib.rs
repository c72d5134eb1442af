//! The letter at rest: PostgreSQL migrations, adopted tables, sample databases, the settling transaction.

pub mod definition;
