//! What the scenarios stand on: real servers, started for one test.

pub mod servers;
