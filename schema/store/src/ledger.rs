//! The ledger: what letters cost, what agencies pay beforehand, and what that made of accounts.

pub mod prices;
pub mod recharges;
pub mod statement;
pub(crate) mod tariff;
pub mod tariffs;
#[cfg(test)]
mod tests;
pub mod voucher_keys;
pub mod vouchers;
