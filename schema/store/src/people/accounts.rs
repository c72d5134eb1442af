//! Accounts of the operating system: the kernel identifies the person who runs a command.

use nix::unistd::{Uid, User};
use serde::{Deserialize, Serialize};

use crate::database::fault::Fault;

/// Login user id of a process if nobody signed in, as in a service or a container: all bits are one.
const NOBODY_SIGNED_IN: u32 = u32::MAX;

/// An account of the operating system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Number of the account (uid).
    pub uid: u32,
    /// Name of the account.
    pub name: String,
}

impl Account {
    /// Finds an account of this machine by its name, or by `uid-1000` if the machine has no name for that number, as in containers. Returns
    /// `None` if there is no such account.
    pub fn named(name: &str) -> Option<Account> {
        if let Some(user) = User::from_name(name).ok().flatten() {
            return Some(Account { uid: user.uid.as_raw(), name: user.name });
        }
        let uid = name.strip_prefix("uid-")?.parse().ok().filter(|uid| *uid != NOBODY_SIGNED_IN)?;
        Some(Account::of(Uid::from_raw(uid))).filter(|account| account.name == name)
    }

    /// Makes an account from its columns in the database.
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

/// The account for which this process runs, according to the kernel. Environment variables are not used, since anybody who runs a command
/// can set them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemAccount(Account);

impl SystemAccount {
    /// Reads the account from the kernel; `owner` is the user who owns the centre's files.
    ///
    /// The account is that of the process's real user. But several people may act as root or as the owner. If one of these is the real
    /// user, the login user is the account: the kernel sets it when a person signs in to the machine, and `sudo` does not change it. For
    /// any other real user the login user is ignored: a process without a login (a service, a job of `cron` or `at`) can set its own login
    /// user once, to any user. Root and the owner can do everything that a user of the centre can do, so they gain nothing by this.
    pub fn of_this_process(owner: Uid) -> SystemAccount {
        let signed_in = std::fs::read_to_string("/proc/self/loginuid").ok().and_then(|text| text.trim().parse().ok());
        SystemAccount(Account::of(counted(Uid::current(), owner, signed_in)))
    }

    /// Returns the account.
    pub fn account(&self) -> &Account {
        &self.0
    }

    /// Returns the name of the account.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

#[cfg(test)]
impl SystemAccount {
    /// Makes an account for a test, independent of the user who runs the test.
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
        // Each case has the real user, the login user, and the user that must be found.
        for (real, signed_in, counts) in [
            (alice, Some(alice), alice),
            (alice, None, alice),
            (alice, Some(NOBODY_SIGNED_IN), alice),
            // Alice's job of cron has set another user as its login user.
            (alice, Some(bob), alice),
            // A person used sudo, or sudo -u with the service's user.
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
