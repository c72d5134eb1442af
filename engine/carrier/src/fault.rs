//! What can go wrong with the carrier.

use std::fmt::Display;

/// A fault of the carrier. The outcome of what was tried is unknown: whoever has a mail keeps it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CarrierFault {
    /// No server answers, or not in time.
    #[error("no server of the carrier answers: {0}")]
    Away(String),
    /// The servers have no such stream.
    #[error("the stream XM_MAIL is not on the servers: run `xmserver carrier init`")]
    NoStream,
    /// The stream has another number of partitions than this process: mail in those that only one of the two knows would lie there.
    #[error(
        "the stream was made for {found} partitions, and carrier.partitions is {configured}: give all replicas the number of the stream"
    )]
    Partitions {
        /// Number of partitions of the stream.
        found: u16,
        /// Number of partitions in the settings.
        configured: u16,
    },
    /// The stream is full, or a limit of the servers is reached.
    #[error("the servers of the carrier refuse: {0}")]
    Refused(String),
    /// A file or a setting cannot be used.
    #[error("{0}")]
    Settings(String),
}

impl CarrierFault {
    pub(crate) fn away(error: impl Display) -> CarrierFault {
        CarrierFault::Away(error.to_string())
    }
}
