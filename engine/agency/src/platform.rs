//! What differs between operating systems: private files, folders that survive a power cut, and where a person's files are. No other file
//! of the office's end may call Unix (a house rule), so that offices can run on anything.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

/// Makes a folder, and those above it, that only its owner may read. Where it exists, nothing changes.
///
/// # Errors
/// The operating system refuses.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(path)
}

/// Opens a file for reading and writing that only its owner may read, and makes it where it does not exist.
///
/// # Errors
/// The operating system refuses.
pub fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path)
}

/// Replaces a private file, or makes it. After a crash the file has either its former or its new content: the new one is written beside
/// it, synced, and renamed.
///
/// # Errors
/// The operating system refuses; the former file is unchanged.
pub fn replace_private(path: &Path, octets: &[u8]) -> io::Result<()> {
    let part = beside(path);
    let mut file = open_private(&part)?;
    file.set_len(0)?;
    file.write_all(octets)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&part, path)?;
    sync_folder(folder_of(path))
}

/// Writes a file that others may read, such as a letter on a memory stick: whole, or not at all.
///
/// # Errors
/// The operating system refuses.
pub fn replace_shared(path: &Path, octets: &[u8]) -> io::Result<()> {
    let part = beside(path);
    let mut file = File::create(&part)?;
    file.write_all(octets)?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&part, path)?;
    sync_folder(folder_of(path))
}

/// Returns the folder of a file. That of a name alone is the current one: such a path has a parent, which is empty.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns the name under which a file is written before it gets its own: `*.part`, which nobody takes for a letter.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    path.with_file_name(name)
}

/// Syncs a folder, so that the names of its files survive a power cut. Windows keeps names by itself, and opens no folder as a file.
///
/// # Errors
/// The operating system refuses.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(windows) { Ok(()) } else { File::open(path)?.sync_all() }
}

/// Says whether an entry of a folder is a regular file under its own name, not a link that leads elsewhere.
pub fn is_plain_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Returns the folder for a person's own data: `$XDG_DATA_HOME`, else `~/.local/share`; on Windows `%APPDATA%`. `variable` reads the
/// environment. None where the environment names no such folder.
pub fn data_folder(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let named = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if cfg!(windows) {
        return named("APPDATA");
    }
    // A path that is not absolute is to be ignored (XDG Base Directory Specification).
    let own = named("XDG_DATA_HOME").filter(|path| path.is_absolute());
    own.or_else(|| named("HOME").map(|home| home.join(".local/share")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_is_private() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/b");
        create_private_folder(&folder).unwrap();
        create_private_folder(&folder).unwrap();
        let file = folder.join("users.json");
        replace_private(&file, b"a longer first content").unwrap();
        replace_private(&file, b"second").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"second");
        let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["users.json"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&file), mode(&folder)), (0o600, 0o700));
            std::os::unix::fs::symlink(&file, folder.join("link")).unwrap();
            assert!(is_plain_file(&file) && !is_plain_file(&folder.join("link")));
        }
        assert!(!is_plain_file(&folder) && !is_plain_file(&folder.join("none")));
    }

    #[test]
    fn a_file_without_a_folder_is_written_in_the_current_one() {
        let here = std::env::current_dir().unwrap();
        let file = tempfile::Builder::new().prefix("platform-").suffix(".txt").tempfile_in(&here).unwrap();
        let name = PathBuf::from(file.path().file_name().unwrap());
        replace_private(&name, b"first").unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"first");
        replace_shared(&name, b"second").unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"second");
    }

    #[cfg(not(windows))]
    #[test]
    fn a_persons_data_is_where_the_environment_says() {
        let of = |pairs: &[(&str, &str)]| {
            let variable =
                |name: &str| pairs.iter().find(|(one, _)| *one == name).map(|(_, value)| (*value).to_owned());
            data_folder(variable).map(|path| path.display().to_string())
        };
        assert_eq!(of(&[("HOME", "/h")]).as_deref(), Some("/h/.local/share"));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d")]).as_deref(), Some("/d"));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_DATA_HOME", "d")]).as_deref(), Some("/h/.local/share"));
        assert_eq!(of(&[("HOME", "")]), None);
    }
}
