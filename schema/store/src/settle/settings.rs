//! The settings of settling, from the configuration.

use std::sync::Arc;

use sdc::refusal::RefusalCode;

use crate::certificates::issuer::CertificateIssuer;
use crate::ledger::voucher_keys::VoucherKeys;

/// The settings of settling, from the configuration.
#[derive(Clone, Debug)]
pub struct SettlingSettings {
    /// Largest number of bytes that quarantine stores of containers without a verified signer. The bytes are divided into equal shares: one
    /// for each reason of refusal, and two for mails in which a registered key signed another letter.
    pub stranger_bytes_max: u64,
    /// Number of bytes stored of a mail that is too large.
    pub over_size_bytes_kept: usize,
    /// Largest number of bytes, as JSON, of the stored versions that one batch fetches for letters that contradict them. Each version is
    /// shortened so that all of them fit.
    pub held_bytes_max: usize,
    /// The keys of the hashes by which voucher codes are recognised. Without these keys, letters with a voucher code wait.
    pub voucher_keys: VoucherKeys,
    /// The issuer of the offices' certificates. Without an issuer, the certificate that an office made itself is registered.
    pub issuer: Option<Arc<dyn CertificateIssuer>>,
}

impl Default for SettlingSettings {
    fn default() -> SettlingSettings {
        SettlingSettings {
            stranger_bytes_max: 1 << 30,
            over_size_bytes_kept: 16 * 1024,
            held_bytes_max: 512 << 10,
            voucher_keys: VoucherKeys::default(),
            issuer: None,
        }
    }
}

/// Number of shares of [`SettlingSettings::stranger_bytes_max`] for mails that an agency vouches for, because its registered key signed
/// another letter of the mail. Each reason of refusal has one share.
const VOUCHED_SHARES: u64 = 2;
/// Divisor of the bytes for mails that agencies vouch for: the mails of one agency may use at most an eighth of them.
const AGENCIES_VOUCHED: u64 = 8;

impl SettlingSettings {
    /// Returns how many bytes may be stored, for one reason of refusal, of containers from unknown senders.
    pub fn stranger_bytes_of_reason(&self) -> u64 {
        let reasons = RefusalCode::ALL.iter().filter(|code| !code.is_answered()).count();
        self.stranger_bytes_max / (reasons as u64 + VOUCHED_SHARES)
    }

    /// Returns how many bytes quarantine may store of all mails that an agency vouches for, because its registered key signed another
    /// letter of the mail.
    pub fn vouched_bytes_max(&self) -> u64 {
        self.stranger_bytes_of_reason() * VOUCHED_SHARES
    }

    /// Returns how many bytes quarantine may store of mails that the same agency vouches for: an eighth of
    /// [`SettlingSettings::vouched_bytes_max`].
    pub fn vouched_bytes_of_agency(&self) -> u64 {
        self.vouched_bytes_max() / AGENCIES_VOUCHED
    }
}
