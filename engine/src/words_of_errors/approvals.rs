//! Sentences for errors of approvals: acts that one person asks for and another one confirms.

use chrono::{DateTime, Utc};
use store::error::AdministrationError;

pub(super) fn of_approvals(error: &AdministrationError, shown: impl Fn(DateTime<Utc>) -> String) -> String {
    match error {
        AdministrationError::ApprovalNeeded(act) => {
            format!("{} needs a second person here: it has to be asked first", act.need().name())
        }
        AdministrationError::ApprovalUnknown(id) => {
            format!("approval {id} does not exist: `xmserver approval list --with-decided` shows those that do")
        }
        AdministrationError::ApprovalDecided { id, state } => format!("approval {id} is {state} already"),
        AdministrationError::ApprovalExpired { id, at } => {
            format!("approval {id} ended on {}: it has to be asked anew", shown(*at))
        }
        AdministrationError::ApprovalOwn(id) => {
            format!(
                "approval {id} was asked by you: another user of privilege 3 confirms it; `xmserver approval refuse {id}` takes it back"
            )
        }
        AdministrationError::ApprovalChanged(id) => format!(
            "approval {id} was not done: what it concerns has changed since it was asked, so it has to be asked anew"
        ),
        AdministrationError::ApprovalAskerMayNot { id, user } => {
            format!(
                "approval {id} was not done: user {user}, who asked, may not do it any more; somebody else asks anew"
            )
        }
        AdministrationError::ApprovalWithoutCommission(id) => format!(
            "approval {id} was not done: one of the two must be a member of the election commission; another user confirms it"
        ),
        other => other.to_string(),
    }
}
