//! What of a source is taken next, and what is not taken at all: lanes, windows, suspects, what waits and what breaks. It knows no
//! protocol: what a transport lists goes in, and which mail to fetch next comes out.
//!
//! [`source::Admission`] is what all mail of one source passes, polled or pushed. A [`poll::Poll`] admits what a source lists, in the
//! order of the files named here; a [`lender::Lender`] admits what is pushed.

pub mod source;

pub mod decoders;
pub(crate) mod records;

pub mod lender;

pub(crate) mod poll;

mod alone;
pub(crate) mod breakers;
pub(crate) mod lending;
pub(crate) mod memory;
pub(crate) mod polled;
pub(crate) mod reports;
mod suspects;
mod windows;
mod withheld;
mod withheld_tries;
