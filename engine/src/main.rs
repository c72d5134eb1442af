//! `xmserver`: configure, build, run, drain. The work is in the library; here it is only begun.

use std::process::ExitCode;

use engine::failure::Failure;
use engine::{speech, usage};

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
    let arguments: Vec<_> = std::env::args_os().collect();
    let has_json = arguments.iter().any(|word| word == "--json");
    speech::begin(&arguments);
    let line = match usage::read(arguments) {
        Ok(line) => line,
        Err(error) => return Failure::of_command_line(error).tell(has_json),
    };
    let is_for_programs = line.is_for_programs();
    line.run().unwrap_or_else(|error| Failure::of(&error).tell(is_for_programs))
}
