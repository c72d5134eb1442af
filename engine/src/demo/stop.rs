//! Waits for the signals with which a user or the system ends the demo early.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for Ctrl-C (SIGINT), for the loss of the terminal (SIGHUP), or for SIGTERM, with which service managers end programs.
pub async fn told_to_stop() -> std::io::Result<()> {
    let mut terminal_gone = signal(SignalKind::hangup())?;
    let mut told = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminal_gone.recv() => Ok(()),
        _ = told.recv() => Ok(()),
    }
}
