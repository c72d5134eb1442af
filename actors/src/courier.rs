//! How answers leave: a courier takes a sealed answer, and says that it has taken it, or when it may be tried again.
//!
//! An answer that a courier did not clearly take is sent again, and the office counts it once. So a courier may always say that it did
//! not take an answer, and must never say that it did where the answer may be lost. The contract of couriers is executed in
//! `tests/contracts`.

mod folder;
pub mod smtp;

use futures_util::future::BoxFuture;
use store::letters::outbox::LeasedAnswer;

/// An answer, sealed for its office.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The answer, as the outbox has it.
    pub answer: LeasedAnswer,
    /// The document.
    pub document: Vec<u8>,
}

/// When an answer that was not taken may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Once the courier is back: the answer was not tried, since none gets through now.
    OnceBack,
    /// Later, after ever longer pauses; other answers get through meanwhile.
    Later,
    /// Never by itself: an operator has to look at the answer.
    Never,
}

/// Why answers were not taken.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{words}")]
pub struct NotTaken {
    /// When they may be tried again.
    pub again: Again,
    /// What happened; bounded, and fit to be shown.
    pub words: String,
}

/// Carries answers out of the centre.
pub trait Courier: Send + Sync + 'static {
    /// Returns the transport whose answers the courier takes, as `xm.outbox` names it.
    fn transport(&self) -> &'static str;

    /// Returns what the courier is called in the log.
    fn noun(&self) -> &'static str;

    /// Says whether the courier carries answers to the registered address of their agency; it then takes none without an address.
    fn needs_address(&self) -> bool;

    /// Returns how many answers to one office may travel together.
    fn together_max(&self) -> usize;

    /// Carries answers to one office, all or none of them. `Ok` means that they reach the office whatever becomes of this process and this
    /// machine.
    fn carry<'c>(&'c self, answers: &'c [Sealed]) -> BoxFuture<'c, Result<(), NotTaken>>;
}
