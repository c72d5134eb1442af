//! The keys by which codes of vouchers are kept: derived from the centre's own keys, which all of its programs share and no copy of the
//! database holds. A code has some fifty random bits: of a plain hash in a stolen copy they would be guessed in a day.

use std::sync::Arc;

use sdc::keys::{CentreKeys, DerivedKey, KeyError};
use sdc::request::VoucherCode;

use crate::database::fault::Fault;

/// What the keys are for: another name would make every voucher unknown.
const PURPOSE: &str = "xmserver vouchers 1";

/// Keys that codes are kept by. New ones by the key that signs; those of keys that are retired since are still found.
#[derive(Clone, Debug, Default)]
pub struct VoucherKeys(Arc<[DerivedKey]>);

impl VoucherKeys {
    /// Derives them from the centre's keys.
    ///
    /// # Errors
    /// OpenSSL's own.
    pub fn of(keys: &CentreKeys) -> Result<VoucherKeys, KeyError> {
        Ok(VoucherKeys(keys.derive(PURPOSE)?.into()))
    }

    /// Returns what a new code is kept as.
    ///
    /// # Errors
    /// [`Fault::Bug`] without keys; OpenSSL's own.
    pub fn mac(&self, code: &VoucherCode) -> Result<Vec<u8>, Fault> {
        self.macs(code).map(|mut macs| macs.swap_remove(0))
    }

    /// Returns all that a code may be kept as, at least one.
    ///
    /// # Errors
    /// [`Fault::Bug`] without keys; OpenSSL's own.
    pub fn macs(&self, code: &VoucherCode) -> Result<Vec<Vec<u8>>, Fault> {
        if self.0.is_empty() {
            return Err(Fault::Bug("codes of vouchers cannot be told without the centre's keys".to_owned()));
        }
        let mac = |key: &DerivedKey| key.mac(code.as_str().as_bytes());
        let macs: Result<Vec<Vec<u8>>, KeyError> = self.0.iter().map(mac).collect();
        macs.map_err(|error| Fault::Bug(error.to_string()))
    }
}
