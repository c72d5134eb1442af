//! What settling is told by configuration.

use std::sync::Arc;

use sdc::refusal::RefusalCode;

use crate::certificates::issuer::CertificateIssuer;
use crate::ledger::voucher_keys::VoucherKeys;

/// What settling is told by configuration.
#[derive(Clone, Debug)]
pub struct SettlingSettings {
    /// Bytes kept of containers that are no letter of a known signer: shared by reason, with a room for mails that an agency vouches for.
    pub stranger_bytes_max: u64,
    /// Bytes kept of an over-size mail.
    pub over_size_bytes_kept: usize,
    /// Bytes, as JSON, of the versions held that one batch fetches where letters contradict them; each is cut to fit.
    pub held_bytes_max: usize,
    /// By which codes of vouchers are told; without them letters that bring one wait.
    pub voucher_keys: VoucherKeys,
    /// Who issues certificates to offices; without, those that they bring are kept.
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

/// Shares of the total that mails have which an agency vouches for; each reason has one.
const VOUCHED_SHARES: u64 = 2;
/// Agencies that fill the room of such mails.
const AGENCIES_VOUCHED: u64 = 8;

impl SettlingSettings {
    /// Returns how many bytes may be kept for one reason, of containers whose sender is not known.
    pub fn stranger_bytes_of_reason(&self) -> u64 {
        let reasons = RefusalCode::ALL.iter().filter(|code| !code.is_answered()).count();
        self.stranger_bytes_max / (reasons as u64 + VOUCHED_SHARES)
    }

    /// Returns how many bytes may be kept of mails that agencies vouch for.
    pub fn vouched_bytes_max(&self) -> u64 {
        self.stranger_bytes_of_reason() * VOUCHED_SHARES
    }

    /// Returns how many of these one agency may vouch for.
    pub fn vouched_bytes_of_agency(&self) -> u64 {
        self.vouched_bytes_max() / AGENCIES_VOUCHED
    }
}
