//! Log lines: for people or for programs, on standard error. Fields carry letter ids and matricules, never a record's content.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::configuration::{LogFormat, ServerConfiguration};

/// Starts logging. The first call holds.
///
/// # Errors
/// Logging was started before.
pub fn start(server: &ServerConfiguration) -> anyhow::Result<()> {
    // Checked when the configuration was read.
    let filter = EnvFilter::try_new(&server.log_level)?;
    let lines = fmt().with_env_filter(filter).with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    let started = match server.log_format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))
}
