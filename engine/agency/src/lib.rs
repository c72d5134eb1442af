//! The office's side of the exchange with the centre: its identity, its letters to the centre and the centre's answers. It contains no code
//! of the centre.
//!
//! The demo, the scenarios, the load generator and the office's own program use this code. It guarantees what an office must rely on: a
//! letter is sealed once and sent again unchanged. An answer counts only if it is signed by the pinned centre, answers a letter of this
//! office, and has not been counted before.

pub mod collect;
pub mod identity;
pub mod kit;
pub mod office;
pub mod packed;
pub mod platform;
pub mod register;
