//! How answers leave: a courier takes a sealed answer, and says that it is taken, or when it may be tried again.
//!
//! An answer is committed long before it leaves, and one that a courier did not clearly take leaves again: the office counts it once.
//! So a courier may always say that it did not take an answer, and must never say that it did where the answer may be gone. What a
//! courier owes is executed in `tests/contracts`.

mod folder;
mod smtp;

use futures_util::future::BoxFuture;
use store::letters::outbox::Claimed;

pub use smtp::SmtpCourier;

/// An answer, sealed for its office.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Which it is.
    pub answer: Claimed,
    /// The document.
    pub document: Vec<u8>,
}

/// When an answer that was not taken may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Once the courier is back: it was not even tried, since no answer gets through now.
    OnceBack,
    /// Later, ever more slowly. Others get through meanwhile.
    Later,
    /// Never by itself: an operator has to look at it.
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
    /// Returns the transport whose answers it takes, as on `xm.outbox`.
    fn transport(&self) -> &'static str;

    /// Returns what it is called in the log.
    fn noun(&self) -> &'static str;

    /// Says whether it carries answers to the registered address of their agency, without which it takes none.
    fn needs_address(&self) -> bool;

    /// Returns how many answers to one office may travel together.
    fn together_max(&self) -> usize;

    /// Carries answers to one office, all or none of them. `Ok` means that they will reach it whatever becomes of this process and
    /// this machine.
    fn carry<'c>(&'c self, answers: &'c [Sealed]) -> BoxFuture<'c, Result<(), NotTaken>>;
}
