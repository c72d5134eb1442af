//! Who works here: the account of the operating system that a command runs for.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::Uid;
use store::people::SystemAccount;

/// Returns the account as the kernel has it. Where several people work as root, or as whom the data folder belongs to, it is that of
/// the one who signed in to the machine.
pub fn account(data_folder: &Path) -> SystemAccount {
    // A folder that is not there is nobody's but root's.
    let owner = std::fs::metadata(data_folder).map_or(0, |metadata| metadata.uid());
    SystemAccount::of_this_process(Uid::from_raw(owner))
}
