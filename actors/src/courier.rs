//! A courier carries answers out of the centre. It gets a sealed answer and reports either that it has taken the answer, or when the answer
//! may be tried again.
//!
//! An answer that a courier did not clearly take is sent again, and the office counts it once. So a courier may always report that it did
//! not take an answer. It must never report an answer as taken if that answer may be lost. The contract of couriers is executed in
//! `tests/contracts`.

mod folder;
pub mod smtp;

use futures_util::future::BoxFuture;

use crate::sealing::Sealed;

/// When an answer that was not taken may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// When the courier can be reached again. The answer was not tried, since no answer gets through now.
    OnceBack,
    /// Later, after a pause that grows each time. Other answers get through meanwhile.
    Later,
    /// Never by itself: an operator has to look at the answer.
    Never,
}

/// Why a courier did not take answers.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{words}")]
pub struct NotTaken {
    /// When the answers may be tried again.
    pub again: Again,
    /// Description of the failure. Its length is bounded, and it is fit to be shown.
    pub words: String,
}

/// Carries answers out of the centre.
pub trait Courier: Send + Sync + 'static {
    /// Returns the transport whose answers the courier takes. It is the value of that transport in `xm.outbox`.
    fn transport(&self) -> &'static str;

    /// Returns what the courier is called in the log.
    fn noun(&self) -> &'static str;

    /// Says whether the courier carries answers to the registered address of their agency. If so, it takes no answer of an agency without
    /// an address.
    fn needs_address(&self) -> bool;

    /// Returns the largest number of answers to one office that may travel together.
    fn together_max(&self) -> usize;

    /// Carries answers to one office: all of them or none. `Ok` means that the answers reach the office even if this process or this
    /// machine fails now.
    fn carry<'c>(&'c self, answers: &'c [Sealed]) -> BoxFuture<'c, Result<(), NotTaken>>;
}
