//! Promises that must hold whatever a stranger sends. Each surface (a parser of strangers' bytes) has a function of the bytes, which panics
//! where a promise is broken.
//!
//! `tests/fuzz` calls these functions with bytes that a fuzzer makes up (`make fuzz`). `tests/replay.rs` calls them with every seed and
//! every input that once broke a promise; it needs no fuzzer and runs on any compiler. None of them only checks that the parser does not
//! panic.

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

/// The function of a surface: it checks the promises about bytes that a stranger wrote.
pub type Surface = fn(&[u8]);

/// Every surface by its name, which is also the name of its fuzz target and of its folder of seeds.
pub const SURFACES: [(&str, Surface); 6] =
    [("mime", mime), ("armour", armour), ("der", der), ("payload", payload), ("pop3", pop3), ("intake", intake)];
