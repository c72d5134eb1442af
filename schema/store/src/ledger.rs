//! What letters cost.

pub mod prices;
pub mod tariffs;
#[cfg(test)]
mod tests;
