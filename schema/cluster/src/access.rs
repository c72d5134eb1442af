//! Rules for who may connect to the private PostgreSQL. PostgreSQL asks the kernel which user of the machine connects (`peer`), and admits
//! only users who run this program. These users may sign in as the superuser or as the role that reads for agencies.
//!
//! The folder's permissions are not enough where the owner of the data also runs other programs. For example, the superuser of another
//! cluster on the machine can start programs as `postgres`, who may enter the folder, and PostgreSQL's rule `trust` would admit everybody
//! who gets there. So the map lists root and the user of this process, and the owner of the data only where that user runs no other
//! program.
//!
//! Rules and map are written again before every start, so a cluster that an older version of the program made with the rule `trust` is
//! restricted at its next start.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use crate::service_user::ServiceUser;
use crate::{ClusterError, OWNER, READER, io};

/// Writes the file of rules and the map of users. Returns the PostgreSQL settings that refer to the files, each with its path.
pub fn write(folder: &Path, user: Option<&ServiceUser>) -> Result<[(&'static str, PathBuf); 2], ClusterError> {
    let rules = format!("local all {OWNER},{READER} peer map={OWNER}\n");
    let map: String = admitted(user)
        .iter()
        .flat_map(|name| [OWNER, READER].map(|role| format!("{OWNER} \"{name}\" {role}\n")))
        .collect();
    let files = [("hba_file", folder.join("access.rules"), rules), ("ident_file", folder.join("access.map"), map)];
    for (_, file, text) in &files {
        replace(file, text)?;
    }
    Ok(files.map(|(name, file, _)| (name, file)))
}

/// Lists the users of the operating system who may connect.
fn admitted(user: Option<&ServiceUser>) -> BTreeSet<String> {
    let ours = [Uid::from_raw(0), Uid::effective()].into_iter().filter_map(|uid| User::from_uid(uid).ok().flatten());
    let owner = user.filter(|user| !user.is_shared()).map(|user| user.name.clone());
    ours.map(|user| user.name).chain(owner).collect()
}

/// Replaces a file in one step, so that a postmaster that reads the file meanwhile gets the whole old text or the whole new text.
fn replace(file: &Path, text: &str) -> Result<(), ClusterError> {
    let unfinished = file.with_extension("unfinished");
    // The files hold no secrets, and PostgreSQL's own user must be able to read them.
    let mut written = File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o644)
        .open(&unfinished)
        .map_err(io("write", &unfinished))?;
    written.write_all(text.as_bytes()).map_err(io("write", &unfinished))?;
    std::fs::rename(&unfinished, file).map_err(io("rename", &unfinished))
}
