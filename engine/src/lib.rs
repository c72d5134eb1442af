//! The centre's program: configure, build, run, drain; and the commands of its operators.

pub mod acts;
pub mod ask;
pub mod authority;
pub mod certificate;
pub mod check;
pub mod clock;
pub mod command;
pub mod configuration;
pub mod database;
#[cfg(feature = "demo")]
pub mod demo;
pub mod disk;
pub mod failure;
pub mod folder;
pub mod gauges;
pub mod http;
pub mod init;
pub mod keys;
pub mod logging;
pub mod operator;
pub mod reach;
pub mod ready;
pub mod run;
pub mod show;
pub mod summary;
pub mod words_of_errors;
