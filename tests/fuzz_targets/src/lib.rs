//! What must hold for whatever a stranger sends: one function of bytes per surface, which panics where a promise breaks.
//!
//! `tests/fuzz` calls them with bytes that a fuzzer makes up (`make fuzz`); `tests/replay.rs` calls them with every seed
//! and every input that once broke a promise, on any compiler. Each asks for more than the absence of a panic.

#![expect(clippy::expect_used, clippy::panic, reason = "a broken promise is told by panicking")]

mod armour;
mod der;
mod intake;
mod mime;
mod payload;
mod pop3;

pub use armour::armour;
pub use der::der;
pub use intake::intake;
pub use mime::mime;
pub use payload::payload;
pub use pop3::pop3;

/// A surface: bytes that somebody else wrote, and what is promised of them.
pub type Surface = fn(&[u8]);

/// Every surface by its name, which is also the name of its fuzz target and of its folder of seeds.
pub const SURFACES: [(&str, Surface); 6] =
    [("mime", mime), ("armour", armour), ("der", der), ("payload", payload), ("pop3", pop3), ("intake", intake)];
