//! The file with the token of whoever signed in by a password at this terminal (`xmserver login`).
//!
//! Several people may work under one account of the machine, each at a terminal of his own. So the file belongs to the terminal's session,
//! which the kernel numbers, and to the centre: nobody acts as the person who signed in at the next terminal.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::unistd::{Pid, Uid, User, getsid};
use store::people::sessions::Token;

/// The file of this terminal and this centre.
pub struct SessionFile(PathBuf);

impl SessionFile {
    /// Finds the file's place: in the folder `xmserver` of the user's state (`XDG_STATE_HOME`, else `.local/state` in his home). Returns
    /// `None` where the user has neither.
    pub fn of_this_terminal(data_folder: &Path) -> Option<SessionFile> {
        let terminal = getsid(None).ok()?;
        let centre = std::path::absolute(data_folder).ok()?;
        // The centre's folder is repeated below that of the state, so that each centre has files of its own.
        let folder = state_folder()?.join("xmserver").join(centre.strip_prefix("/").ok()?);
        Some(SessionFile(folder.join(format!("session-{terminal}-{}", began(terminal)))))
    }

    /// Reads the token; `None` if nobody signed in here.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self) -> io::Result<Option<Token>> {
        match fs::read_to_string(&self.0) {
            Ok(text) => Ok(Some(Token::kept(&text))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the token, for its owner's eyes alone.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, token: &Token) -> io::Result<()> {
        if let Some(folder) = self.0.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        self.remove()?;
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.0)?;
        file.write_all(token.reveal().as_bytes())
    }

    /// Removes the file, if there is one.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Returns when the terminal's session began, in ticks since the machine started (proc(5), field 22 of `stat`): the kernel gives the number
/// of a session that has ended to another one.
fn began(terminal: Pid) -> String {
    let stat = fs::read_to_string(format!("/proc/{terminal}/stat")).unwrap_or_default();
    // The second field is the program's name in parentheses, which may have blanks.
    let behind_name = stat.rsplit_once(") ").map_or("", |(_, behind)| behind);
    behind_name.split(' ').nth(19).unwrap_or("0").to_owned()
}

#[expect(clippy::disallowed_methods, reason = "where a user keeps his state is no configuration of the centre")]
fn state_folder() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    named.or_else(|| Some(User::from_uid(Uid::current()).ok()??.dir.join(".local/state")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_for_its_owner_alone_until_it_is_removed() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        let file = SessionFile(place.path().join("state/xmserver/session"));
        assert_eq!(file.read().unwrap(), None);
        for token in ["0123", "4567"].map(Token::kept) {
            file.write(&token).unwrap();
            assert_eq!(file.read().unwrap(), Some(token));
        }
        assert_eq!(fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, 0o600);
        for _again in 0..2 {
            file.remove().unwrap();
        }
        assert_eq!(file.read().unwrap(), None);
    }

    #[test]
    fn each_centre_and_each_terminal_has_a_file_of_its_own() {
        let of = |folder: &str| SessionFile::of_this_terminal(Path::new(folder)).unwrap().0;
        assert_ne!(of("/srv/centre"), of("/srv/other"));
        assert_eq!(of("/srv/centre"), of("/srv/centre/"));
        let terminal = getsid(None).unwrap();
        assert!(of("/srv/centre").ends_with(format!("session-{terminal}-{}", began(terminal))));
    }
}
