//! What letters cost.

pub mod tariffs;
#[cfg(test)]
mod tests;
