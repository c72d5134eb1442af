//! Log lines on standard error, as text for people or as JSON for programs. Fields contain letter ids and matricules, never a record's
//! content.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use anyhow::Context;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::configuration::{LogFormat, ServerConfiguration};

/// Crates of this program: only they may log below the level of a warning.
const OURS: [&str; 7] = ["xmserver", "engine", "actors", "agency", "mail", "sdc", "store"];

/// What writes the lines, under the filter.
type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// The filter of the running program, by which it can be exchanged.
static FILTER: OnceLock<Handle<EnvFilter, Layered<Lines, Registry>>> = OnceLock::new();

/// Starts the logging of events and panics.
///
/// # Errors
/// Logging was started before.
pub fn start(server: &ServerConfiguration) -> anyhow::Result<()> {
    // The filter was checked when the configuration was read.
    let (filter, handle) = reload::Layer::new(EnvFilter::try_new(&server.log_level)?);
    let lines = lines(server.log_format, std::io::stderr, std::io::stderr().is_terminal());
    let started = tracing_subscriber::registry().with(lines).with(filter).with(filter_fn(may_tell)).try_init();
    started.map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))?;
    // Logging was not started before, so there is no other handle.
    FILTER.set(handle).ok();
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Exchanges the filter of the running program.
///
/// # Errors
/// The text is no filter; logging was not started.
pub fn filter(log_level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(log_level)?;
    FILTER.get().context("logging was not started")?.reload(filter)?;
    Ok(())
}

fn lines<W>(format: LogFormat, writer: W, is_terminal: bool) -> Lines
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_ansi(is_terminal).with_writer(writer);
    match format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}

/// Says whether a line may be logged, whatever level is configured. From `debug` on, tokio-postgres logs the parameters of every
/// statement, which are people's records, and lettre logs the credentials at the relay.
fn may_tell(line: &Metadata<'_>) -> bool {
    let source = line.target().split("::").next().unwrap_or_default();
    OURS.contains(&source) || *line.level() <= Level::WARN
}

/// Logs where a panic happened. The message is logged only where it is a fixed text, because a message made at run time may quote a
/// record: a slice that cuts a character in two quotes the whole text.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message =
        panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(withheld: it may quote a record)");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => tracing::error!(place, message, %backtrace, "a panic"),
        _ => tracing::error!(place, message, "a panic"),
    }
}

#[cfg(test)]
mod tests {
    use simulation::log::LogLines;
    use tracing::subscriber::with_default;

    use super::*;

    #[test]
    fn a_panic_is_told_without_what_it_quotes() {
        let lines = LogLines::default();
        let subscriber = Registry::default().with(super::lines(LogFormat::Text, lines.writer(), false));
        let previous = std::panic::take_hook();
        with_default(subscriber, || {
            std::panic::set_hook(Box::new(log_panic));
            for name in ["Édéa", "Ôdza"] {
                std::panic::catch_unwind(|| name[..name.find('d').unwrap() - 1].len()).unwrap_err();
            }
            std::panic::catch_unwind(|| panic!("a fixed text")).unwrap_err();
        });
        std::panic::set_hook(previous);
        let lines = lines.text();
        assert!(!lines.contains("Édéa") && !lines.contains("Ôdza"), "{lines}");
        assert_eq!(lines.matches("withheld").count(), 2, "{lines}");
        assert!(lines.contains("a fixed text") && lines.contains("logging.rs"), "{lines}");
    }

    #[test]
    fn libraries_tell_warnings_at_most() {
        let lines = LogLines::default();
        let subscriber = Registry::default()
            .with(super::lines(LogFormat::Json, lines.writer(), false))
            .with(EnvFilter::new("trace"))
            .with(filter_fn(may_tell));
        with_default(subscriber, || {
            tracing::debug!(target: "tokio_postgres::query", "parameters");
            tracing::info!(target: "lettre", "sign-in");
            tracing::info!(target: "mailparse_like", "no crate of ours, though its name begins as one");
            tracing::warn!(target: "tokio_postgres::connection", "broken");
            tracing::trace!(target: "store::settle", "ours");
        });
        let lines = lines.text();
        assert_eq!(lines.lines().count(), 2, "{lines}");
        assert!(lines.contains("broken") && lines.contains("ours"), "{lines}");
    }
}
