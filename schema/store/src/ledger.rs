//! The ledger: what letters cost, and what agencies pay beforehand.

pub mod prices;
pub mod recharges;
pub(crate) mod tariff;
pub mod tariffs;
#[cfg(test)]
mod tests;
