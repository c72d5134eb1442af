//! The account of the operating system for which a command runs.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Uid;
use store::people::SystemAccount;

/// Returns the account of this process as the kernel knows it. Several people may use root and the owner of the data folder. If the account
/// is one of these two, the account of the person who signed in to the machine is returned instead.
pub fn account(data_folder: &Path) -> SystemAccount {
    // Where the folder does not exist, root counts as its owner.
    let owner = std::fs::metadata(data_folder).map_or(0, |metadata| metadata.uid());
    SystemAccount::of_this_process(Uid::from_raw(owner))
}
