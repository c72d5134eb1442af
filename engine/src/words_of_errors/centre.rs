//! Sentences for errors of the server, and of the centre's own keys.

use store::error::AdministrationError;

pub(super) fn of_centre(error: &AdministrationError) -> String {
    match error {
        AdministrationError::ServerExists { name, mode, currency, zone } => format!(
            "this database belongs to server {name}, mode {mode}, currency {currency}, zone {zone}, none of which can be changed: \
             choose another database, or give these"
        ),
        AdministrationError::ServerMissing => "this database has no server yet: run `xmserver init`".to_owned(),
        AdministrationError::KeysForeign { centre, at_hand } => {
            let whose = centre
                .as_ref()
                .map_or_else(|| "whose keys were made before".to_owned(), |key| format!("whose key is {key}"));
            let found = at_hand.as_ref().map_or_else(String::new, |key| {
                format!(" (the key {key} found here is another's and opens none of its letters)")
            });
            format!("this database belongs to a centre {whose}: copy its keys/ folder here{found}")
        }
        AdministrationError::KeyMissing { fingerprint, state } => format!(
            "the centre's key {fingerprint} ({state}) is missing here: copy the keys/ folder of a program that has it"
        ),
        other => other.to_string(),
    }
}
