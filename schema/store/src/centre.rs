//! The centre itself: the server's name and settings, which all replicas share, the centre's keys, and its addresses.

pub mod addresses;
pub(crate) mod identity;
pub(crate) mod key;
pub mod keys;
pub mod server;
#[cfg(test)]
pub(crate) mod tests;
