//! What a poller is built with.

use std::sync::Arc;

use tokio::sync::RwLock;

use crate::admission::source::{Admission, Turns};
use crate::transport::Transport;

/// What a poller is built with.
#[derive(Clone)]
pub struct MailboxPollerParts {
    /// The source's settings, and the limits and rules that decide which of its mail is fetched.
    pub source: Admission,
    /// The transport that reaches the source.
    pub transport: Arc<dyn Transport>,
    /// How much is fetched at a time, and when the source is polled.
    pub turns: Turns,
    /// Lock that every poller holds for reading until it has ended its last session and given its lease back. Draining takes the lock for
    /// writing, and so waits for all pollers.
    pub polling: Arc<RwLock<()>>,
}
