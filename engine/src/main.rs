//! `xmserver`: configure, build, run, drain. The work is in the library; here it is only begun.

use std::process::ExitCode;

use clap::Parser;
use engine::command::CommandLine;
use engine::failure::Failure;

// OpenSSL allocates hundreds of small things for every letter, and gets this allocator too: it is linked under the names
// of malloc and free. It takes a fifth off the work for a letter, and a quarter off memory.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Begins.
pub fn main() -> ExitCode {
    // Before anything can make a TLS connection: two providers in one process would panic.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("xmserver: another TLS provider was installed first");
        return ExitCode::FAILURE;
    }
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => return Failure::of_command_line(error).tell(std::env::args().any(|word| word == "--json")),
    };
    let is_for_programs = line.is_for_programs();
    line.run().unwrap_or_else(|error| Failure::of(&error).tell(is_for_programs))
}
