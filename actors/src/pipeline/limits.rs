//! Limits of memory, disk and load. The configuration's section `[limits]` uses these names, so each name carries its unit.

use sdc::document::DocumentLimits;
use sdc::payload::PayloadLimits;
use serde::{Deserialize, Serialize};
use store::settle::SettlingSettings;

/// The configuration's section `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Threads that decrypt and verify; 0 means one per processor.
    pub crypto_threads: usize,
    /// Table writers, each of which settles one batch at a time.
    pub writers: usize,
    /// Letters whose requested records are read at the same time.
    pub readers: usize,
    /// Largest number of mails that are processed at a time.
    pub mails_in_hand_max: u32,
    /// Largest number of kilobytes (1 024 bytes) of mail that is processed at a time.
    pub kilobytes_in_hand_max: u32,
    /// Largest number of mails of the slow lane that are processed at a time.
    pub slow_mails_max: u32,
    /// Largest number of bytes of payloads that have been read and are not settled. In memory, such a payload takes about ten times as
    /// much.
    pub unpacked_bytes_max: u32,
    /// Largest number of mails requested at a time, per mailbox.
    pub window_mails: usize,
    /// Largest number of mails per session with a mailbox.
    pub session_mails_max: usize,
    /// Longest session with a mailbox, in seconds.
    pub session_seconds_max: u64,
    /// Largest number of letters per transaction.
    pub batch_letters_max: usize,
    /// Longest time that a letter waits for others to join its batch.
    pub batch_wait_milliseconds: u64,
    /// Largest number of certificates kept in memory.
    pub signers_cached_max: u64,
    /// Largest number of answers leased from the outbox at a time.
    #[serde(alias = "answers_claimed_max")]
    pub answers_leased_max: i64,
    /// Largest number of mails being sent at a time.
    pub sending_max: usize,
    /// Size in bytes of the largest container that is opened. An agency's own limit is usually lower.
    pub document_bytes_max: usize,
    /// Size in bytes of a letter's largest payload after decompression.
    pub payload_bytes_max: usize,
    /// Largest number of rows of a letter, in all its tables. One transaction writes all these rows, and letters of other agencies wait
    /// meanwhile.
    pub letter_rows_max: usize,
    /// Largest number of bytes that the quarantine keeps of containers without a verified signer.
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

    /// Returns the limits of a document.
    pub fn of_documents(&self) -> DocumentLimits {
        DocumentLimits { document_bytes_max: self.document_bytes_max, ..DocumentLimits::default() }
    }

    /// Returns the limits of a payload.
    pub fn of_payloads(&self) -> PayloadLimits {
        PayloadLimits {
            decompressed_bytes_max: self.payload_bytes_max,
            rows_max: self.letter_rows_max,
            ..PayloadLimits::default()
        }
    }

    /// Returns the settings of the settling transaction.
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

    /// Each crate has its own default limits, which must equal those of the configuration.
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
