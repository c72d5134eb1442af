//! What a service manager is told: systemd, by sd_notify(3). Without one, nothing is told, and nothing else differs.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Parts of the watchdog's time after which the service manager is told again that all is well.
const WATCHDOG_PARTS: u32 = 3;

/// The service manager that started this program, if one did.
pub(super) struct ServiceManager {
    /// Pause between two reports that all is well; `None` where none are expected.
    report_interval: Option<Duration>,
    reported: Option<Instant>,
}

impl ServiceManager {
    pub(super) fn new() -> ServiceManager {
        let report_interval = sd_notify::watchdog_enabled().map(|longest| longest / WATCHDOG_PARTS);
        ServiceManager { report_interval, reported: None }
    }

    /// Says what the program does before it is ready.
    pub(super) fn begins(&self, with: &str) {
        tell(&[NotifyState::Status(with)]);
    }

    /// Says that letters are taken.
    pub(super) fn is_ready(&self) {
        tell(&[NotifyState::Ready, NotifyState::Status("letters are taken")]);
    }

    /// Says that files are read again; [`ServiceManager::is_ready`] says that they were.
    pub(super) fn rereads(&self) {
        let begun = NotifyState::monotonic_usec_now();
        match begun {
            Ok(begun) => tell(&[NotifyState::Reloading, begun]),
            Err(_no_clock) => tell(&[NotifyState::Reloading]),
        }
    }

    /// Says that the program drains.
    pub(super) fn stops(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("what is in hand is settled")]);
    }

    /// Reports that all is well, where that is due and true. A service manager that misses the report kills the program and starts it
    /// again: the only help where the thread of the supervisors itself hangs.
    pub(super) fn report(&mut self, is_well: bool) {
        let Some(interval) = self.report_interval else { return };
        if is_well && self.reported.is_none_or(|at| at.elapsed() >= interval) {
            self.reported = Some(Instant::now());
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    // A service manager that cannot be told anything will find out by itself.
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
