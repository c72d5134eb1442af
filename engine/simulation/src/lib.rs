//! A simulated country around a centre: agencies, a post office and operators. The demo, tests and benchmarks use it.
//!
//! The engine depends on this crate through its feature `demo` only. A production build (`--no-default-features`) has nothing of it.

pub mod desk;
pub mod dice;
pub mod errands;
pub mod forgery;
pub mod lock;
pub mod log;
pub mod memory;
pub mod mischief;
pub mod night;
pub mod office;
pub mod operators;
pub mod oracle;
pub mod post_office;
pub mod process;
pub mod record;
pub mod records;
pub mod rules;
pub mod scripted;
pub mod town;
