//! Tests of every service of the centre through the running program, by its transfer folder, and of certificates that its authority issues.
//! Letters are put into the folder `in`. The files in `out` are opened, verified and read; they must be packed as their letters were.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot get its world ends at once, saying why")]

mod certificates;
mod corrected;
mod folder;
mod mail;
mod world;
