//! The program `xmserver`. Its work is in the library; this file only starts it.

use std::process::ExitCode;

use engine::command::CommandLine;
use engine::failure::Failure;
use engine::{speech, usage};

// OpenSSL allocates hundreds of small blocks for every letter. It uses this allocator too, because the allocator is linked under the names
// of malloc and free. This saves a fifth of the work for a letter, and a quarter of the memory.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Starts the program.
pub fn main() -> ExitCode {
    // The TLS provider is installed before any TLS connection is made, because TLS panics where a process has two providers and has chosen
    // none.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("xmserver: another TLS provider was installed first");
        return ExitCode::FAILURE;
    }
    let arguments: Vec<_> = std::env::args_os().collect();
    let has_json = arguments.iter().any(|word| word == "--json");
    speech::begin(&arguments);
    let line: CommandLine = match usage::read(arguments) {
        Ok(line) => line,
        Err(error) => return Failure::of_command_line(error).tell(has_json),
    };
    let is_for_programs = line.is_for_programs();
    line.run().unwrap_or_else(|error| Failure::of(&error).tell(is_for_programs))
}
