//! The office's end of the star: an identity, letters out, answers in, and nothing of the centre's.
//!
//! One piece of code for the demo, the scenarios, the load generator and the office's own program. It promises what an
//! office must be able to rely on: a letter is sealed once and resent unchanged; an answer counts only when it is
//! signed by the pinned centre, answers a letter of this office, and has not been counted before.

pub mod collect;
pub mod identity;
pub mod office;
pub mod packed;
pub mod register;
