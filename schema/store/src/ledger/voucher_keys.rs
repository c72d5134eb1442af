//! Keys for the hashes of vouchers' codes in the database. They are derived from the centre's own keys, which all of its programs share and
//! which no copy of the database contains. A code has only some fifty random bits, so a thief of the database could find the codes of plain
//! hashes within a day.

use std::sync::Arc;

use sdc::keys::{CentreKeys, DerivedKey, KeyError};
use sdc::request::VoucherCode;

use crate::database::fault::Fault;

/// Purpose from which the keys are derived. It must never change: with other keys, no existing voucher would be found.
const PURPOSE: &str = "xmserver vouchers 1";

/// Keys for the hashes of codes. The first key is derived from the centre's signing key. The other keys are derived from retired keys, so
/// that codes hashed with them are still found.
#[derive(Clone, Debug, Default)]
pub struct VoucherKeys(Arc<[DerivedKey]>);

impl VoucherKeys {
    /// Derives the keys from the centre's keys.
    ///
    /// # Errors
    /// An error of OpenSSL.
    pub fn of(keys: &CentreKeys) -> Result<VoucherKeys, KeyError> {
        Ok(VoucherKeys(keys.derive(PURPOSE)?.into()))
    }

    /// Returns the keyed hash by which a new code is stored.
    ///
    /// # Errors
    /// [`Fault::Bug`] without keys; an error of OpenSSL.
    pub fn mac(&self, code: &VoucherCode) -> Result<Vec<u8>, Fault> {
        self.macs(code).map(|mut macs| macs.swap_remove(0))
    }

    /// Returns every keyed hash by which a code may be stored; there is at least one.
    ///
    /// # Errors
    /// [`Fault::Bug`] without keys; an error of OpenSSL.
    pub fn macs(&self, code: &VoucherCode) -> Result<Vec<Vec<u8>>, Fault> {
        if self.0.is_empty() {
            return Err(Fault::Bug("codes of vouchers cannot be told without the centre's keys".to_owned()));
        }
        let mac = |key: &DerivedKey| key.mac(code.as_str().as_bytes());
        let macs: Result<Vec<Vec<u8>>, KeyError> = self.0.iter().map(mac).collect();
        macs.map_err(|error| Fault::Bug(error.to_string()))
    }
}
