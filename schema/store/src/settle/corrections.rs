//! Corrections: records already sent that say something else now, or are no longer valid (SPEC 4, Tables).
//!
//! Judged by what the letter says, then looked up under the agency's lock, decided, and written. An agency corrects what it has sent
//! itself, and nobody else's.

pub mod apply;
pub mod correction;
pub mod judged;
pub mod look_up;
