//! The account of the operating system for which a command runs.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Uid;
use store::people::SystemAccount;

/// Returns the account as the kernel has it. Several people may work as root, or as the owner of the data folder: then it is the account
/// of the person who signed in to the machine.
pub fn account(data_folder: &Path) -> SystemAccount {
    // A folder that is not there counts as root's.
    let owner = std::fs::metadata(data_folder).map_or(0, |metadata| metadata.uid());
    SystemAccount::of_this_process(Uid::from_raw(owner))
}
