//! The centre itself: the server that every replica is, the keys that are its own, and its addresses.

pub mod addresses;
pub mod keys;
pub mod server;
#[cfg(test)]
pub(crate) mod tests;
