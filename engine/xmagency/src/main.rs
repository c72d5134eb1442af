//! The program `xmagency`. Its work is in the library; this file only starts it.

use std::process::ExitCode;

use face::{speech, usage};
use xmagency::command::CommandLine;
use xmagency::failure::Failure;
use xmagency::place;

/// Starts the program.
pub fn main() -> ExitCode {
    // The TLS provider is installed before any TLS connection is made, because TLS panics where a process has two providers and has chosen
    // none.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("xmagency: another TLS provider was installed first");
        return ExitCode::FAILURE;
    }
    let arguments: Vec<_> = std::env::args_os().collect();
    let has_json = arguments.iter().any(|word| word == "--json");
    speech::begin(&arguments, &place::words_folder());
    let line: CommandLine = match usage::read(arguments) {
        Ok(line) => line,
        Err(error) => return Failure::of_command_line(error).tell(has_json),
    };
    match line.run() {
        Ok(code) => code,
        Err(error) => Failure::of(&error).tell(has_json),
    }
}
