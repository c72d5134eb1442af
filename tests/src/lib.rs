//! What the scenarios are built on: real servers, and the engine as a process, started for one test.

pub mod database;
pub mod engine;
pub mod forgetful;
pub mod https_world;
pub mod instruments;
pub mod lab;
pub mod nemesis;
pub mod poster;
pub mod program;
pub mod proxy;
pub mod raw_http;
pub mod sender;
pub mod servers;
pub mod site;
pub mod size;
pub mod town;
pub mod transfer;
