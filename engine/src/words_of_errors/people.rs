//! Sentences for errors of users, their accounts, passwords and privileges, and of the audit log.

use store::error::AdministrationError;

pub(super) fn of_people(error: &AdministrationError) -> String {
    match error {
        AdministrationError::UserExists(user) => format!("user {user} exists already"),
        AdministrationError::UserUnknown(user) => {
            format!("user {user} does not exist: `xmserver user list` shows those that do")
        }
        AdministrationError::SuperviseurLast => {
            "nobody of privilege 3 would be left who can sign in: give it to another user with an account first"
                .to_owned()
        }
        AdministrationError::AccountMapped { account } => {
            format!("account {account} is a user's already: `xmserver user list` shows whose")
        }
        AdministrationError::AccountUnknown(account) => format!(
            "account {account} is nobody's, and none of this machine: `xmserver user list` shows the accounts of users"
        ),
        AdministrationError::AccountUnmapped { account, uid } => format!(
            "account {account} (uid {uid}) of this machine is no user's: a user of privilege 3 makes it one with \
             `xmserver user map USER {account}`, or sign in by a password with `xmserver login USER`"
        ),
        AdministrationError::NobodyMapped { account, superviseurs } => format!(
            "no account is a user's yet: `xmserver user map {}` makes account {account} the first, once",
            superviseurs.first().map_or("USER", String::as_str)
        ),
        AdministrationError::SignInFailed => {
            "the name or the password is not right, or the user is locked: after 5 wrong passwords he waits for 15 minutes, \
             then longer"
                .to_owned()
        }
        AdministrationError::UserLocked(user) => {
            format!("user {user} is locked: another user of privilege 3 unlocks him with `xmserver user unlock {user}`")
        }
        AdministrationError::SessionEnded => {
            "the session at this terminal has ended: sign in again with `xmserver login USER`".to_owned()
        }
        AdministrationError::PasswordFirst(user) => {
            format!("user {user} has a first password, and chooses one of his own first: `xmserver login {user}`")
        }
        AdministrationError::PrivilegeMissing { user, privilege, operation } => {
            let required = operation.privilege();
            format!(
                "user {user} has privilege {} ({}): {} needs {} ({})",
                privilege.number(),
                privilege.title(),
                operation.name(),
                required.number(),
                required.title()
            )
        }
        other => other.to_string(),
    }
}

pub(super) fn of_audit(error: &AdministrationError) -> String {
    match error {
        AdministrationError::AuditBroken(line) => {
            format!("the audit log is broken at line {line}: somebody changed it outside the program")
        }
        AdministrationError::AuditHeadOther { line, last } if line > last => format!(
            "the audit log ends with line {last}, before line {line}, which was written down: its last lines were removed"
        ),
        AdministrationError::AuditHeadOther { line, .. } => format!(
            "line {line} of the audit log has another hash than was written down: somebody wrote the log anew, \
             or the line is of another centre"
        ),
        AdministrationError::AuditLineUnknown(line) => {
            format!("line {line} of the audit log does not exist: `xmserver audit list` shows those that do")
        }
        other => other.to_string(),
    }
}
