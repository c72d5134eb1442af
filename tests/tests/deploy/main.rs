//! Tests that the files of `deploy` are what the programs that read them expect: each kind is read by the checker of its kind, and each
//! checker is shown a planted mistake that it must find. What the files say of the program must match the program.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot get its world ends at once, saying why"
)]

mod balancer;
mod checkers;
mod compose;
mod database;
mod kubernetes;
mod mail_servers;
mod monitors;
mod package;
mod reload;
mod scripts;
mod systemd;
