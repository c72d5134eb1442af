//! Who works here: the name that stands in the audit log.

use nix::unistd::{Uid, User};

/// Returns the operator's name: the user who signed in to this machine, even where `sudo` made him somebody else since;
/// else the user that this process runs as.
pub fn name() -> String {
    let signed_in = std::fs::read_to_string("/proc/self/loginuid")
        .ok()
        .and_then(|text| text.trim().parse::<u32>().ok())
        // All ones: nobody signed in, as in a service or a container.
        .filter(|uid| *uid != u32::MAX)
        .map(Uid::from_raw);
    let uid = signed_in.unwrap_or_else(Uid::current);
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => format!("uid-{uid}"),
    }
}
