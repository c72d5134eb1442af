//! A country in a box: what stands around a centre in the demo, in tests and in benches, and nowhere else.
//!
//! A production build has none of it (`--no-default-features`): the engine's feature `demo` alone brings it in.

pub mod desk;
pub mod dice;
pub mod forgery;
pub mod lock;
pub mod log;
pub mod memory;
pub mod mischief;
pub mod night;
pub mod office;
pub mod oracle;
pub mod post_office;
pub mod process;
pub mod record;
pub mod records;
pub mod scripted;
pub mod town;
