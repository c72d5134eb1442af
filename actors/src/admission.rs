//! Admission decides which mail of a source is taken next, and which is not taken at all. It keeps the lanes, the windows, the suspects,
//! the letters that wait, and the mails over which sessions break. It knows no protocol: a transport's listing goes in, and the mail to
//! fetch next comes out.
//!
//! [`source::Admission`] is what all mail of one source passes, polled or pushed. A `poll::Poll` admits what a source lists, in the
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
