//! What of a source is taken next, and what is not taken at all: lanes, windows, suspects, what waits and what breaks. It knows no
//! protocol: what a transport lists goes in, and which mail to fetch next comes out.

pub(crate) mod breakers;
pub mod lanes;
pub(crate) mod lending;
pub(crate) mod memory;
pub(crate) mod poll;
pub(crate) mod records;
mod reports;
mod suspects;
mod windows;
mod withheld;
