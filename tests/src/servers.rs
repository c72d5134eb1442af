//! Real mail servers, a balancer, a PostgreSQL, nats-servers and a Prometheus, started for one test in a new folder: on free loopback
//! ports, or in a network namespace that stands for another machine.
//!
//! Each server is ready when its start returns, and keeps its ports when it is stopped and restarted. When it is dropped, it ends and its
//! folder is removed; its processes also end when the test's process dies. No code here waits for a fixed time: starts and stops wait for a
//! condition. At a deadline they fail with an error that contains the server's log. The module uses no crate of the program, whose mistakes
//! it would share.

mod certificate;
mod daemon;
mod dovecot;
mod folder;
mod haproxy;
mod nats;
mod place;
mod postfix;
pub mod postgres;
mod prometheus;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

pub use certificate::Certificate;
pub use cluster::Port;
pub use dovecot::{Account, Dovecot, DovecotSettings};
pub use haproxy::{Backend, Haproxy};
pub use nats::{NATS_PASSWORD, Nats, nats_server};
pub use place::Place;
pub use postfix::{Postfix, Push};
pub use prometheus::{Prometheus, promtool};

/// Longest wait for a server to start or stop. On an idle machine, a start takes a fraction of a second.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// Pause between two tests of a condition.
const POLL: Duration = Duration::from_millis(5);

/// Waits until a condition holds. Fails after [`DEADLINE`] with an error that contains `what`.
pub fn wait_until(what: &str, condition: impl FnMut() -> Result<bool>) -> Result<()> {
    wait_within(DEADLINE, what, condition)
}

/// Waits until a condition holds. Fails after `longest` with an error that contains `what`.
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

/// Lets time pass: between two tests of a condition, or where a length of time is what is tested.
#[allow(clippy::disallowed_methods, reason = "the one place that lets time pass")]
pub fn pass_time(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests;
