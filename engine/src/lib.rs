//! The centre's program: configure, build, run, drain; and the commands of its operators.

pub mod authority;
pub mod configuration;
pub mod database;
pub mod folder;
pub mod init;
pub mod operator;
