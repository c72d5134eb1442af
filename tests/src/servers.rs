//! Real mail servers and a Prometheus, started for one test on free loopback ports in a folder of their own.
//!
//! Each is ready when its start returns, keeps its ports over stops and restarts, and is gone, with its folder, when
//! dropped or when the test's process dies. Nothing waits a fixed time: starts and stops wait for a condition and give up
//! at a deadline with the server's own log in the error. This module knows nothing of the product's crates.

mod certificate;
mod daemon;
mod dovecot;
mod folder;
mod port;
mod postfix;
mod prometheus;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

pub use certificate::Certificate;
pub use dovecot::{Account, Dovecot, DovecotSettings};
pub use postfix::Postfix;
pub use prometheus::{Prometheus, promtool};

/// Longest wait for a server to start or stop; a start takes a fraction of a second on an idle machine.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// Pause between two looks at a condition.
const POLL: Duration = Duration::from_millis(5);

/// Waits until a condition holds. Errs after [`DEADLINE`], naming what was waited for.
pub fn wait_until(what: &str, condition: impl FnMut() -> Result<bool>) -> Result<()> {
    wait_within(DEADLINE, what, condition)
}

/// Waits until a condition holds. Errs after `longest`, naming what was waited for.
pub fn wait_within(longest: Duration, what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !condition()? {
        if started.elapsed() > longest {
            bail!("waited {} s in vain until {what}", longest.as_secs());
        }
        pass_time(POLL);
    }
    Ok(())
}

/// Lets time pass: between two looks at a condition, or where a length of time is itself what is tested.
#[allow(clippy::disallowed_methods, reason = "the one place that lets time pass")]
pub fn pass_time(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests;
