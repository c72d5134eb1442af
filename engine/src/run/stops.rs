//! The signals that the centre obeys: SIGTERM and SIGINT stop it; SIGHUP stops it at a terminal, and elsewhere has it read again what may
//! change while it runs.

use std::io::{IsTerminal, stdin};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The program is to end.
    Stop,
    /// Certificates and the log's filter are to be read again.
    Reread,
}

/// The signals that the centre obeys.
pub(super) struct Stops {
    terminate: Signal,
    interrupt: Signal,
    /// SIGHUP; none where the program was started with SIGHUP ignored (`nohup`).
    hangup: Option<Signal>,
    /// What SIGHUP asks for. A terminal that is closed sends it to the program that reads from it, which then has to end. Everybody else
    /// who sends it is a service manager that reloads its service, or a person.
    at_hangup: Asked,
}

impl Stops {
    pub(super) fn new() -> anyhow::Result<Stops> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        Ok(Stops {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: if ignores_hangup() { None } else { Some(listen(SignalKind::hangup())?) },
            at_hangup: if stdin().is_terminal() { Asked::Stop } else { Asked::Reread },
        })
    }

    /// Waits for the next signal.
    pub(super) async fn asked(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            Some(_) = async { self.hangup.as_mut()?.recv().await } => self.at_hangup,
        }
    }

    /// Waits for the next signal that stops the centre. While the centre starts or stops, there is nothing to be read again.
    pub(super) async fn told(&mut self) {
        while self.asked().await != Asked::Stop {}
    }
}

/// Says whether the program was started with SIGHUP ignored: bit 0 of the mask `SigIgn` in /proc/self/status, proc(5).
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
