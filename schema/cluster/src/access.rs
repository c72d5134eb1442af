//! Who may connect to the private PostgreSQL: those whom the kernel says run this program (`peer`), and nobody else. They are
//! superuser, or the role that reads for others, as they ask.
//!
//! A folder closed to others is not enough where the cluster runs as a user whom other programs run as too: whoever is superuser of
//! another cluster of the machine can start programs as `postgres`, pass the folder, and would be believed under `trust`. So the
//! map names root and the user of this process. The owner of the data is named only where that user runs nothing else.
//!
//! Both files are written anew before every start: a cluster made by an older program, under `trust`, is closed by its next start.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use crate::service_user::ServiceUser;
use crate::{ClusterError, OWNER, READER, io};

/// Writes the rules and the map. Returns PostgreSQL's settings that name the files.
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

/// Names the users of the operating system who may connect.
fn admitted(user: Option<&ServiceUser>) -> BTreeSet<String> {
    let ours = [Uid::from_raw(0), Uid::effective()].into_iter().filter_map(|uid| User::from_uid(uid).ok().flatten());
    let owner = user.filter(|user| !user.is_shared()).map(|user| user.name.clone());
    ours.map(|user| user.name).chain(owner).collect()
}

/// Replaces a file in one step: a postmaster that reads it meanwhile sees the old or the new text whole.
fn replace(file: &Path, text: &str) -> Result<(), ClusterError> {
    let unfinished = file.with_extension("unfinished");
    // No secrets, and PostgreSQL's own user must be able to read them.
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
