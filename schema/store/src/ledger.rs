//! What letters cost, and what that made of accounts.

pub mod statement;
pub mod tariffs;
#[cfg(test)]
mod tests;
