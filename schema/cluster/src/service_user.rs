//! The machine's user whom PostgreSQL runs as. PostgreSQL refuses to run as root, and `initdb` refuses a user who is not in passwd.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, User};

use crate::{ClusterError, io};

/// Users whom a private cluster may run as when this process is root, the best first. User `xmserver` runs no other program.
const CANDIDATES: [&str; 2] = ["xmserver", "postgres"];
/// Users whom other programs of a machine usually run as too. Each of these programs can read what belongs to the user, so also our data.
const SHARED: [&str; 2] = ["postgres", "nobody"];

/// An unprivileged user of the machine.
#[derive(Clone, Debug)]
pub struct ServiceUser {
    pub name: String,
    pub uid: Uid,
    pub gid: Gid,
}

impl ServiceUser {
    /// Chooses the user whom PostgreSQL runs as; `None` where this process is already unprivileged.
    ///
    /// PostgreSQL runs as the owner of an existing data folder, because no other user could open the folder.
    pub fn choose(data: &Path) -> Result<Option<ServiceUser>, ClusterError> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        if let Ok(metadata) = std::fs::metadata(data) {
            let uid = Uid::from_raw(metadata.uid());
            return match User::from_uid(uid) {
                Ok(Some(user)) if !uid.is_root() => Ok(Some(user.into())),
                _ => Err(ClusterError::OwnerUnfit { folder: data.to_path_buf(), uid: uid.as_raw() }),
            };
        }
        CANDIDATES
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Some(user.into()))
            .ok_or(ClusterError::UserMissing)
    }

    /// Finds the owner of a data folder; `None` where there is no folder, or passwd does not know the owner.
    pub fn owner(data: &Path) -> Option<ServiceUser> {
        let metadata = std::fs::metadata(data).ok()?;
        User::from_uid(Uid::from_raw(metadata.uid())).ok().flatten().map(ServiceUser::from)
    }

    /// Says whether other programs run as this user too.
    pub fn is_shared(&self) -> bool {
        SHARED.contains(&self.name.as_str())
    }

    /// Returns the topmost folder that this user may not enter, among `path` and the folders above it.
    pub fn barred_by(&self, path: &Path) -> Option<PathBuf> {
        let mut ancestors: Vec<&Path> = path.ancestors().collect();
        ancestors.reverse();
        ancestors
            .into_iter()
            .find(|folder| std::fs::metadata(folder).is_ok_and(|metadata| !self.may_enter(&metadata)))
            .map(Path::to_path_buf)
    }

    fn may_enter(&self, metadata: &Metadata) -> bool {
        let needed = if metadata.uid() == self.uid.as_raw() {
            0o100
        } else if metadata.gid() == self.gid.as_raw() {
            0o010
        } else {
            0o001
        };
        metadata.mode() & needed != 0
    }

    /// Makes the user owner of a folder.
    pub fn own(&self, folder: &Path) -> Result<(), ClusterError> {
        std::os::unix::fs::chown(folder, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
            .map_err(io("give to the service user", folder))
    }
}

impl From<User> for ServiceUser {
    fn from(user: User) -> ServiceUser {
        ServiceUser { name: user.name, uid: user.uid, gid: user.gid }
    }
}
