//! The error of a command that names what is not there.

/// Error: what the command names is not there. The sentence names what there is.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotFound(pub String);
