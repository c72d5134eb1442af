//! Writes answers as files into the transfer folder's `out`. Each file has a unique name. It is written as `.part`, synced and renamed, and
//! then the folder is synced. So a reader finds an answer whole or not at all, and an answer that was taken survives a crash of the
//! machine.
//!
//! While the disk is full or missing, no answer is taken, and the answers wait. A fault of one agency's folder delays no answers of other
//! agencies. An answer that is sent again replaces its file.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use store::letters::outbox::LeasedAnswer;
use store::planted::{is_made_to_fail, point};
use uuid::Uuid;

use super::{Again, Courier, NotTaken, Sealed};
use crate::transfer_folder::{OUT, SUFFIX, TransferFolder, Trouble, is_of_disk, sync};

/// Mode of an agency's folder: full access for owner and group, minus the process's umask. The group contains the user of the gateway that
/// fetches the answers.
const FOLDER_MODE: u32 = 0o770;
/// Mode of an answer's file: the gateway that fetches the answers reads it as a member of the group.
const FILE_MODE: u32 = 0o660;

impl Courier for TransferFolder {
    fn transport(&self) -> &'static str {
        "folder"
    }

    fn noun(&self) -> &'static str {
        "transfer folder"
    }

    fn needs_address(&self) -> bool {
        false
    }

    fn together_max(&self) -> usize {
        1
    }

    fn carry<'c>(&'c self, answers: &'c [Sealed]) -> BoxFuture<'c, Result<(), NotTaken>> {
        async move {
            for Sealed { answer, document } in answers {
                let place = Place::of(answer);
                let document = document.clone();
                self.on_disk(OUT, move |folder| put(folder, &place, &document)).await?;
            }
            Ok(())
        }
        .boxed()
    }
}

impl From<Trouble> for NotTaken {
    fn from(trouble: Trouble) -> NotTaken {
        let again = if trouble.is_of_folder() { Again::OnceBack } else { Again::Later };
        NotTaken { again, words: trouble.to_string() }
    }
}

/// Folder and names of an answer's file.
struct Place {
    /// The agency's folder.
    agency: String,
    file: String,
    /// Name of the file while it is written. Each try uses another name, because an earlier try on a disk that hung may still be writing.
    part: String,
}

impl Place {
    fn of(answer: &LeasedAnswer) -> Place {
        let stem = match (&answer.of_letter, &answer.notice) {
            (Some((installation, sequence)), _) => {
                format!("{installation}-{sequence}-{}-{}", answer.attempt, answer.part)
            }
            (None, Some(notice)) => format!("{}-notice-{}", notice.installation, notice.number),
            (None, None) => answer.name(),
        };
        // An installation's name contains no path separators. If the database has such a name nevertheless, the separators are replaced,
        // since the file must not be put elsewhere.
        let stem = stem.replace(['/', '\\', '\0'], "_");
        let file = format!("{stem}{SUFFIX}");
        Place {
            agency: format!("{:06}", answer.agency),
            part: format!("{stem}.{}.part", Uuid::now_v7().simple()),
            file,
        }
    }
}

/// Puts an answer into the folder.
fn put(folder: &TransferFolder, place: &Place, document: &[u8]) -> Result<(), Trouble> {
    let out = folder.open(OUT)?;
    make_own_folder(folder, &out, &place.agency)?;
    put_below(&out, place, document).map_err(|errno| told_of(folder, &out, place, document, errno))
}

/// Says whether an error is a fault of the agency's own folder or of the disk. It is a fault of the disk if `out` itself does not take the
/// answer either.
fn told_of(folder: &TransferFolder, out: &OwnedFd, place: &Place, document: &[u8], errno: Errno) -> Trouble {
    let disk = if is_of_disk(errno) { try_disk(out, place, document) } else { Ok(()) };
    match disk {
        Err(errno) if is_of_disk(errno) => folder.trouble(OUT, errno),
        _ => {
            let shown = format!("{}/{OUT}/{}/{}", folder.path().display(), place.agency, place.file);
            Trouble::File(shown, errno.desc().to_owned())
        }
    }
}

/// Puts an answer into its agency's own folder.
fn put_below(out: &OwnedFd, place: &Place, document: &[u8]) -> Result<(), Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let own = openat(out.as_fd(), place.agency.as_str(), flags, Mode::empty())?;
    let part = OsString::from(&place.part);
    let written = write(&own, &place.part, document).and_then(|()| {
        point("exporter::written");
        renameat(own.as_fd(), part.as_os_str(), own.as_fd(), place.file.as_str())
    });
    if let Err(errno) = written {
        // A `.part` file that stays would take room on a full disk. The file may not exist, so an error is ignored.
        unlinkat(own.as_fd(), part.as_os_str(), UnlinkatFlags::NoRemoveDir).ok();
        return Err(errno);
    }
    sync(&own)
}

/// Tries whether `out` itself takes an answer that the agency's own folder refuses. The agency's folder may have a quota or a disk of its
/// own.
fn try_disk(out: &OwnedFd, place: &Place, document: &[u8]) -> Result<(), Errno> {
    let tried = write(out, &place.part, document);
    unlinkat(out.as_fd(), place.part.as_str(), UnlinkatFlags::NoRemoveDir).ok();
    tried
}

/// Makes an agency's own folder for the agency's first answer. A folder that exists may have been made by a process that died before its
/// sync, so this process syncs `out` once for each agency.
fn make_own_folder(folder: &TransferFolder, out: &OwnedFd, agency: &str) -> Result<(), Trouble> {
    let is_new = match mkdirat(out.as_fd(), agency, Mode::from_bits_truncate(FOLDER_MODE)) {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        Err(errno) => return Err(folder.trouble(&format!("{OUT}/{agency}"), errno)),
    };
    if is_new || !folder.is_lasting(agency) {
        sync(out).map_err(|errno| folder.trouble(OUT, errno))?;
        folder.lasts(agency);
    }
    Ok(())
}

/// Writes a file whole, and syncs it.
fn write(own: &OwnedFd, name: &str, document: &[u8]) -> Result<(), Errno> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(own.as_fd(), name, flags, Mode::from_bits_truncate(FILE_MODE))?);
    let errno = |error: io::Error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
    let (first, rest) = document.split_at(document.len() / 2);
    file.write_all(first).map_err(errno)?;
    // The test fault is raised in the middle of the file, because a disk that becomes full, or a process that dies, also leaves a part of
    // the file written.
    if is_made_to_fail("exporter::write") {
        return Err(Errno::ENOSPC);
    }
    file.write_all(rest).map_err(errno)?;
    file.sync_all().map_err(errno)
}

#[cfg(test)]
mod tests;
