//! Tariffs.

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
        other => other.to_string(),
    }
}
