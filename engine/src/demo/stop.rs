//! What ends a demo before it ends by itself.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for Ctrl-C, for the end of the terminal, or for the signal that ends services.
pub async fn told_to_stop() -> std::io::Result<()> {
    let mut terminal_gone = signal(SignalKind::hangup())?;
    let mut told = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed,
        _ = terminal_gone.recv() => Ok(()),
        _ = told.recv() => Ok(()),
    }
}
