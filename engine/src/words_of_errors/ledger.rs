//! Sentences for errors of tariffs and vouchers.

use chrono::{DateTime, Utc};
use store::error::AdministrationError;

pub(super) fn of_ledger(error: &AdministrationError, shown: impl Fn(DateTime<Utc>) -> String) -> String {
    match error {
        AdministrationError::TariffLater { from } => {
            format!("a tariff for the same is valid from {}: begin the new one later than that", shown(*from))
        }
        AdministrationError::TariffUnknown(id) => {
            format!("tariff {id} does not exist: `xmserver tariff list --with-ended` shows them")
        }
        AdministrationError::TariffBegun { id, from } => format!(
            "tariff {id} is valid since {}: a price that was valid stays on record; set one that follows it",
            shown(*from)
        ),
        AdministrationError::VouchersUnknown(batch) => {
            format!("batch {batch} of vouchers does not exist: `xmserver voucher list` shows those that do")
        }
        AdministrationError::VouchersWritten(batch) => format!(
            "the codes of batch {batch} were written already, and are kept nowhere: revoke the batch \
             and make another one where the file is lost"
        ),
        AdministrationError::VouchersEnded { batch } => {
            format!("there is nothing to revoke in batch {batch}: what was named is redeemed, revoked or not written")
        }
        AdministrationError::RechargeNotLocked(agency) => format!("the recharging of agency {agency} is not locked"),
        other => other.to_string(),
    }
}
