//! What a poller is built with.

use std::sync::Arc;

use tokio::sync::RwLock;

use crate::admission::source::{Admission, Turns};
use crate::transport::Transport;

/// What a poller is built with.
#[derive(Clone)]
pub struct MailboxPollerParts {
    /// The source, with what its mail passes.
    pub source: Admission,
    /// How the source is reached.
    pub transport: Arc<dyn Transport>,
    /// How much is taken at a time, and when.
    pub turns: Turns,
    /// Held for reading by every poller until it has ended its last session and given its lease back, so that draining
    /// can wait for that.
    pub polling: Arc<RwLock<()>>,
}
