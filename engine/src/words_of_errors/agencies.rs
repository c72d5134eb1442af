//! Sentences for errors of agencies, installations and scopes.

use store::error::AdministrationError;

pub(super) fn of_agencies(error: &AdministrationError) -> String {
    match error {
        AdministrationError::AgencyUnknown(agency) => {
            format!("agency {agency} does not exist: `xmserver agency list` shows those that do")
        }
        AdministrationError::AgencyExists(agency) => format!("agency {agency} exists already"),
        AdministrationError::MatriculesExhausted => "all matricules up to 999999 are taken".to_owned(),
        AdministrationError::StatusOfMany { agencies, most } => format!(
            "the status of {agencies} agencies would change, and a second person has to confirm it for more than {most} at once: \
             set it by `xmserver agency status`, which asks for one"
        ),
        AdministrationError::PlanUnknown(plan) => format!("plan {plan} does not exist"),
        AdministrationError::InstallationExists { agency, name } => {
            format!("installation {name} of agency {agency} exists already")
        }
        AdministrationError::ScopeColumnUnknown { column, known } => scope_column_unknown(column, known),
        AdministrationError::AddressOfCentre(address) => {
            format!("{address} is an address of the centre itself: answers sent there would come back as letters")
        }
        AdministrationError::MessageUnknown(number) => format!(
            "message {number} does not exist, or is another agency's: `xmserver message list` shows those that do"
        ),
        AdministrationError::AgencySilent(agency) => {
            format!("no installation of agency {agency} has written yet: no way to it is known")
        }
        AdministrationError::NobodyToTell => {
            "none of the agencies that were named has written yet: there is nobody to be told".to_owned()
        }
        AdministrationError::ProfileChangeUnknown(id) => {
            format!(
                "change {id} of a profile does not exist: `xmserver profile list --with-decided` shows those that do"
            )
        }
        AdministrationError::ProfileChangeDecided { id, state } => {
            format!("change {id} of a profile is {state} already")
        }
        other => other.to_string(),
    }
}

fn scope_column_unknown(column: &str, known: &[String]) -> String {
    let known = if known.is_empty() {
        "no table with a scope is adopted yet".to_owned()
    } else {
        format!("expected one of {}", known.join(", "))
    };
    format!("no adopted table has the scope column {column}: {known}")
}
