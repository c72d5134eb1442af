//! Corrections: letters that replace or cancel records sent before (SPEC 4, Tables).
//!
//! A correction is first judged by the content of its letter. Then its record is looked up under the agency's lock. Then the correction is
//! decided and written. An agency can only correct records that it sent itself.

pub mod apply;
pub mod correction;
pub mod judged;
pub mod look_up;
