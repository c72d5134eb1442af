//! Admission decides which mail of a source (a mailbox, a folder, or an address that mail is pushed to) is fetched next, and which mail is
//! not fetched at all. It keeps the lanes (the agency that a mail claims as its sender decides how soon the mail is handled), the windows
//! (groups of mails that are fetched together), the suspects (mails over which code panicked), the withheld letters (sound letters that
//! have to wait), and the breakers (mails over which sessions break). Admission knows no protocol: its input is a transport's listing, and
//! its output is the mail to fetch next.
//!
//! Mail of every source, polled or pushed, passes [`source::Admission`]. A `poll::Poll` admits the mail that a source lists; a
//! [`lender::Lender`] admits the mail that is pushed.

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
mod recorder;
pub(crate) mod reports;
mod suspects;
#[cfg(test)]
pub(crate) mod testing;
mod windows;
mod withheld;
mod withheld_tries;
