//! Accounts of the operating system: what the kernel says of who runs a command.

use nix::unistd::{Uid, User};
use serde::{Deserialize, Serialize};

use crate::database::fault::Fault;

/// All ones: nobody signed in, as in a service or a container.
const NOBODY_SIGNED_IN: u32 = u32::MAX;

/// An account of the operating system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its number.
    pub uid: u32,
    /// Its name.
    pub name: String,
}

impl Account {
    /// Finds an account of this machine by its name, or as `uid-1000` where the machine has no name for that number, as in containers;
    /// `None` where there is none.
    pub fn named(name: &str) -> Option<Account> {
        if let Some(user) = User::from_name(name).ok().flatten() {
            return Some(Account { uid: user.uid.as_raw(), name: user.name });
        }
        let uid = name.strip_prefix("uid-")?.parse().ok().filter(|uid| *uid != NOBODY_SIGNED_IN)?;
        Some(Account::of(Uid::from_raw(uid))).filter(|account| account.name == name)
    }

    /// Reads an account out of its columns in the database.
    pub(super) fn kept(uid: i64, name: &str) -> Result<Account, Fault> {
        let uid = u32::try_from(uid)
            .map_err(|_out_of_range| Fault::Bug(format!("{uid} is no uid, yet stands in the database")))?;
        Ok(Account { uid, name: name.to_owned() })
    }

    fn of(uid: Uid) -> Account {
        let name = match User::from_uid(uid) {
            Ok(Some(user)) => user.name,
            _ => format!("uid-{uid}"),
        };
        Account { uid: uid.as_raw(), name }
    }
}

/// The account that this process runs for, as the kernel has it. No variable of the environment is asked: whoever runs a command
/// writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemAccount(Account);

impl SystemAccount {
    /// Asks the kernel for the account; `owner` is the user whom the centre's files belong to.
    ///
    /// The account is that of the process's real user. Where that is root or the owner, several people work under one account; then the
    /// login user counts: the kernel knows who signed in to the machine before `sudo`. For any other real user the login user does not
    /// count: a process for which nobody signed in (a service, a job of `cron` or `at`) may write its own login user, once, whoever it is.
    /// Root and the owner can do all that any user of the centre could, so they gain nothing by it.
    pub fn of_this_process(owner: Uid) -> SystemAccount {
        let signed_in = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse().ok());
        SystemAccount(Account::of(counted(Uid::current(), owner, signed_in)))
    }

    /// Returns the account.
    pub fn account(&self) -> &Account {
        &self.0
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

#[cfg(test)]
impl SystemAccount {
    /// Makes an account for a test, whoever runs it.
    pub(crate) fn pretended(uid: u32, name: &str) -> SystemAccount {
        SystemAccount(Account { uid, name: name.to_owned() })
    }
}

fn counted(real: Uid, owner: Uid, signed_in: Option<u32>) -> Uid {
    match signed_in {
        Some(uid) if uid != NOBODY_SIGNED_IN && (real.is_root() || real == owner) => Uid::from_raw(uid),
        _ => real,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_user_counts_only_where_he_gains_nothing_by_it() {
        let (root, service, alice, bob) = (0, 998, 1000, 1001);
        // Real user, login user, and the user who counts.
        for (real, signed_in, counts) in [
            (alice, Some(alice), alice),
            (alice, None, alice),
            (alice, Some(NOBODY_SIGNED_IN), alice),
            // A job of cron that wrote itself another login user.
            (alice, Some(bob), alice),
            // sudo, and sudo -u of the service's user.
            (root, Some(alice), alice),
            (service, Some(alice), alice),
            (root, Some(NOBODY_SIGNED_IN), root),
            (root, None, root),
            (service, Some(NOBODY_SIGNED_IN), service),
        ] {
            let found = counted(Uid::from_raw(real), Uid::from_raw(service), signed_in);
            assert_eq!(found.as_raw(), counts, "{real} {signed_in:?}");
        }
    }

    #[test]
    fn an_account_without_a_name_has_its_number() {
        assert_eq!(Account::of(Uid::from_raw(4_200_042)).name, "uid-4200042");
        assert_eq!(Account::named("root"), Some(Account { uid: 0, name: "root".to_owned() }));
        assert_eq!(Account::named("uid-4200042"), Some(Account::of(Uid::from_raw(4_200_042))));
        for none in ["no such account", "uid-0", "uid-4294967295", "uid-", "uid-+7", "uid-007"] {
            assert_eq!(Account::named(none), None, "{none}");
        }
    }
}
