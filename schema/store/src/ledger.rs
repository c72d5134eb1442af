//! The ledger: prices of letters, recharges of agencies, and the entries whose sums are the balances of accounts.

pub mod prices;
pub mod recharges;
pub mod statement;
pub(crate) mod tariff;
pub mod tariffs;
#[cfg(test)]
mod tests;
pub mod voucher_keys;
pub mod vouchers;
