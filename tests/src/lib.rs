//! What the scenarios stand on: real servers, and the engine as a process, started for one test.

pub mod engine;
pub mod program;
pub mod servers;
pub mod size;
pub mod town;
