//! What bounds memory, disk and load, as it is configured under `[limits]`; so the names have their units in them.

use sdc::document::DocumentLimits;
use sdc::payload::PayloadLimits;
use serde::{Deserialize, Serialize};
use store::settle::SettlingSettings;

/// `[limits]`: what bounds memory, disk and load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Threads that decrypt and verify; 0 means one per processor.
    pub crypto_threads: usize,
    /// Batches settled side by side.
    pub writers: usize,
    /// Letters read for side by side.
    pub readers: usize,
    /// Mails in hand.
    pub mails_in_hand_max: u32,
    /// Kilobytes in hand.
    pub kilobytes_in_hand_max: u32,
    /// Mails of the slow lane in hand.
    pub slow_mails_max: u32,
    /// Bytes of payloads that have been read and are not settled; in memory they are some ten times as large.
    pub unpacked_bytes_max: u32,
    /// Mails asked for at a time, per mailbox.
    pub window_mails: usize,
    /// Mails per session with a mailbox.
    pub session_mails_max: usize,
    /// Seconds per session with a mailbox.
    pub session_seconds_max: u64,
    /// Letters per transaction.
    pub batch_letters_max: usize,
    /// Longest wait of a letter for others.
    pub batch_wait_milliseconds: u64,
    /// Certificates kept in memory.
    pub signers_cached_max: u64,
    /// Answers leased from the outbox at a time.
    #[serde(alias = "answers_claimed_max")]
    pub answers_leased_max: i64,
    /// Answers being sent at a time.
    pub sending_max: usize,
    /// Largest container that is opened; an agency's own limit is mostly lower.
    pub document_bytes_max: usize,
    /// Largest letter once it is decompressed.
    pub payload_bytes_max: usize,
    /// Most rows of a letter, all tables together: it is written whole, and letters of others wait meanwhile.
    pub letter_rows_max: usize,
    /// Bytes kept of containers whose sender nobody vouches for.
    pub quarantine_bytes_max: u64,
}

impl Limits {
    /// Returns how many threads decrypt and verify.
    pub fn crypto_threads(&self) -> usize {
        match self.crypto_threads {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            threads => threads,
        }
    }

    /// Returns what bounds a document.
    pub fn of_documents(&self) -> DocumentLimits {
        DocumentLimits { document_bytes_max: self.document_bytes_max, ..DocumentLimits::default() }
    }

    /// Returns what bounds what a letter says.
    pub fn of_payloads(&self) -> PayloadLimits {
        PayloadLimits {
            decompressed_bytes_max: self.payload_bytes_max,
            rows_max: self.letter_rows_max,
            ..PayloadLimits::default()
        }
    }

    /// Returns what settling is told.
    pub fn of_settling(&self) -> SettlingSettings {
        SettlingSettings { stranger_bytes_max: self.quarantine_bytes_max, ..SettlingSettings::default() }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            crypto_threads: 0,
            writers: 2,
            readers: 2,
            mails_in_hand_max: 2048,
            kilobytes_in_hand_max: 16 * 1024,
            slow_mails_max: 1024,
            unpacked_bytes_max: 8 << 20,
            window_mails: 256,
            session_mails_max: 10_000,
            session_seconds_max: 10,
            batch_letters_max: 300,
            batch_wait_milliseconds: 100,
            signers_cached_max: 10_000,
            answers_leased_max: 200,
            sending_max: 4,
            document_bytes_max: 4 << 20,
            payload_bytes_max: 4 << 20,
            letter_rows_max: 20_000,
            quarantine_bytes_max: 1 << 30,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is configured nowhere is what each part has of its own.
    #[test]
    fn unconfigured_limits_are_those_of_the_parts() {
        assert_eq!(Limits::default().document_bytes_max, DocumentLimits::default().document_bytes_max);
        assert_eq!(Limits::default().payload_bytes_max, PayloadLimits::default().decompressed_bytes_max);
        assert_eq!(Limits::default().letter_rows_max, PayloadLimits::default().rows_max);
        assert_eq!(Limits::default().quarantine_bytes_max, SettlingSettings::default().stranger_bytes_max);
    }

    #[test]
    fn no_number_of_threads_is_one_for_each_processor() {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        assert_eq!(
            [0, 3].map(|crypto_threads| Limits { crypto_threads, ..Limits::default() }.crypto_threads()),
            [processors, 3]
        );
    }
}
