//! The signals that stop the centre.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that stop the centre.
pub(super) struct Stops {
    terminate: Signal,
    interrupt: Signal,
    /// SIGHUP, which a closed terminal or a reloading service manager sends; none where the program was started with SIGHUP ignored
    /// (`nohup`).
    hangup: Option<Signal>,
}

impl Stops {
    pub(super) fn new() -> anyhow::Result<Stops> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        let hangup = if ignores_hangup() { None } else { Some(listen(SignalKind::hangup())?) };
        Ok(Stops { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())?, hangup })
    }

    /// Waits for the next signal that stops the centre.
    pub(super) async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            Some(_) = async { self.hangup.as_mut()?.recv().await } => {}
        }
    }
}

/// Says whether the program was started with SIGHUP ignored: bit 0 of the mask `SigIgn` in /proc/self/status, proc(5).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
