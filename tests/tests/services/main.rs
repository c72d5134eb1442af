//! Every service of the centre by its transfer folder, and certificates that its authority issues, through the program as it runs: letters
//! are put into `in`, and what lies in `out` is opened, verified and read, in the form of its letter.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot get its world ends at once, saying why")]

mod certificates;
mod corrected;
mod folder;
mod mail;
mod world;
