//! The transfer folder's `in`. Each `*.sdc` file is a document. A settled document is deleted: its file is unlinked and the folder synced.
//!
//! A file is listed once two listings, far enough apart, have found it unchanged (`transfer_folder::watch`). A writer that writes under
//! another name and then renames loses nothing. A writer that writes in place and pauses for longer than the quiet time loses data: the
//! half that it has written is taken for the letter, and what it writes after the file is unlinked is lost. Only regular files with a
//! single hard link are read. All other entries whose names are those of letters are logged and stay.
//!
//! A settled file is removed in three steps. It is renamed to a unique name, read again, and unlinked if it equals the settled file octet
//! for octet. So no data is lost if somebody wrote to the file until then, or if another file was given its name: such a file is listed
//! again under its new name. If the disk is too full for the new name, the file is unlinked under its own name.

use std::collections::{BinaryHeap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::unistd::{AccessFlags, UnlinkatFlags, faccessat, unlinkat};
use sdc::digest::Digest;
use uuid::Uuid;

use super::{
    Candidate, FetchOutcome, FetchOutcomes, Fetching, Form, HEAD_BYTES_MAX, Listing, SIZE_BYTES_MAX, Session,
    Transport, TransportFacts, TransportFault,
};
use crate::transfer_folder::watch::{self, Version};
use crate::transfer_folder::{IN, SUFFIX, TransferFolder, Trouble, is_of_disk, sync};

/// Largest number of files in one listing. Later sessions list the other files.
const FILES_MAX: usize = 100_000;
/// Largest number of entries in one listing that are no regular files. Each of them is requested, refused and logged.
const ODD_MAX: usize = 100;
/// Longest time that one listing spends to examine whether files are whole. The next listing examines the rest.
const LOOKS_TIME_MAX: Duration = Duration::from_secs(5);
/// A name of at most this length, the maximum of a UIDL (RFC 1939, section 7), is used as a token unchanged.
const TOKEN_BYTES_MAX: usize = 70;
/// Prefix of the name to which a settled file is renamed before it is read again.
const SETTLED_PREFIX: &str = ".xm-";

impl Transport for TransferFolder {
    fn facts(&self) -> TransportFacts {
        TransportFacts { answers_by: "folder", noun: "folder", form: Form::Document }
    }

    fn open(&self) -> BoxFuture<'_, Result<Box<dyn Session>, TransportFault>> {
        async move {
            let folder = self.on_disk(IN, |folder| folder.open(IN)).await?;
            let session = FolderSession {
                folder: self.clone(),
                letters: Arc::new(folder),
                files: HashMap::new(),
                fetched: HashMap::new(),
            };
            let session: Box<dyn Session> = Box::new(session);
            Ok(session)
        }
        .boxed()
    }
}

impl From<Trouble> for TransportFault {
    fn from(trouble: Trouble) -> TransportFault {
        TransportFault { step: "folder", words: trouble.to_string() }
    }
}

/// Digest of a file's contents, and the size up to which files were read whole.
#[derive(Clone, Copy)]
struct Seen {
    digest: Digest,
    bytes_max: u64,
}

struct FolderSession {
    folder: TransferFolder,
    letters: Arc<OwnedFd>,
    /// Names of the listed files, by number.
    files: HashMap<u32, OsString>,
    /// What was read of each fetched file, by number.
    fetched: HashMap<u32, Seen>,
}

impl Session for FolderSession {
    fn list(&mut self) -> BoxFuture<'_, Result<Listing, TransportFault>> {
        async move {
            let letters = Arc::clone(&self.letters);
            let (files, left_out) = self.folder.on_disk(IN, move |folder| list(folder, &letters)).await?;
            let mut listing = Listing { left_out, ..Listing::default() };
            for (number, file) in (1..).zip(files) {
                listing.candidates.push(Candidate {
                    number,
                    token: Some(token(&file.name)),
                    size_bytes: file.size_bytes.min(SIZE_BYTES_MAX),
                });
                self.files.insert(number, file.name);
            }
            Ok(listing)
        }
        .boxed()
    }

    fn fetch<'s>(
        &'s mut self,
        wanted: &'s [Candidate],
        bytes_max: u64,
    ) -> BoxFuture<'s, Result<Fetching<'s>, TransportFault>> {
        let outcomes = Reading { session: self, wanted: wanted.iter(), bytes_max };
        async move { Ok(Fetching::of(wanted, outcomes)) }.boxed()
    }

    fn delete<'s>(&'s mut self, numbers: &'s [u32]) -> BoxFuture<'s, Result<Vec<u32>, TransportFault>> {
        async move {
            let known = |number: &u32| Some((*number, self.files.get(number)?.clone(), *self.fetched.get(number)?));
            let files: Vec<(u32, OsString, Seen)> = numbers.iter().filter_map(known).collect();
            let letters = Arc::clone(&self.letters);
            Ok(self.folder.on_disk(IN, move |_| Ok(remove_all(&letters, files))).await?)
        }
        .boxed()
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), TransportFault>> {
        async move {
            let FolderSession { folder, letters, .. } = *self;
            let synced = move |folder: &TransferFolder| sync(&letters).map_err(|errno| folder.trouble(IN, errno));
            Ok(folder.on_disk(IN, synced).await?)
        }
        .boxed()
    }
}

struct Reading<'s> {
    session: &'s mut FolderSession,
    wanted: std::slice::Iter<'s, Candidate>,
    bytes_max: u64,
}

impl FetchOutcomes for Reading<'_> {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<FetchOutcome>, TransportFault>> {
        async move {
            let Some(listed) = self.wanted.next() else { return Ok(None) };
            let Some(name) = self.session.files.get(&listed.number).cloned() else {
                return Ok(Some(FetchOutcome::Refused("it was not listed in this session".to_owned())));
            };
            let (letters, bytes_max) = (Arc::clone(&self.session.letters), self.bytes_max);
            let read = self.session.folder.on_disk(IN, move |_| read(&letters, &name, bytes_max)).await;
            match read {
                Ok(outcome) => {
                    if let Some(digest) = digest(&outcome) {
                        self.session.fetched.insert(listed.number, Seen { digest, bytes_max });
                    }
                    Ok(Some(outcome))
                }
                Err(trouble) if !trouble.is_of_folder() => Ok(Some(FetchOutcome::Refused(trouble.to_string()))),
                Err(trouble) => Err(trouble.into()),
            }
        }
        .boxed()
    }
}

/// A file that was found. Files are ordered by their last status change, because a sender can set a file's modification time but not the
/// time of its status change.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    changed: (i64, i64),
    name: OsString,
    version: Version,
}

/// Kind of an entry in the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A file to be read.
    Letter,
    /// A link, a folder, a pipe, a file under several names, or a file that this program may not read.
    Odd,
}

impl Kind {
    /// Returns an entry's kind, given its status and whether this program may read it.
    fn of(stat: &FileStat, access: Result<(), Errno>) -> Kind {
        let is_letter = is_regular(stat) && stat.st_nlink <= 1 && access.is_ok();
        if is_letter { Kind::Letter } else { Kind::Odd }
    }
}

/// The first `most` of the files that are found, and how many more there are.
struct First {
    found: BinaryHeap<Found>,
    most: usize,
    beyond: usize,
}

impl First {
    fn new(most: usize) -> First {
        First { found: BinaryHeap::new(), most, beyond: 0 }
    }

    fn add(&mut self, found: Found) {
        self.found.push(found);
        if self.found.len() > self.most {
            self.found.pop();
            self.beyond += 1;
        }
    }
}

/// Returns a file's token: its name, if that could be a UIDL and does not begin with `~`; otherwise `~` and its digest.
fn token(name: &OsStr) -> Box<str> {
    let octets = name.as_bytes();
    let plain = std::str::from_utf8(octets).ok().filter(|name| {
        name.len() <= TOKEN_BYTES_MAX && name.bytes().all(|octet| octet.is_ascii_graphic()) && !name.starts_with('~')
    });
    plain.map_or_else(|| format!("~{}", Digest::of(octets)).into(), Into::into)
}

/// Says whether a file with this name is a letter: `*.sdc`, or the same in capitals as memory sticks write it. Hidden files belong to other
/// programs.
fn is_letter(name: &[u8]) -> bool {
    let ends = name.len() > SUFFIX.len()
        && name.get(name.len() - SUFFIX.len()..).is_some_and(|end| end.eq_ignore_ascii_case(SUFFIX.as_bytes()));
    ends && (name.first() != Some(&b'.') || name.starts_with(SETTLED_PREFIX.as_bytes()))
}

/// Lists the files that may be fetched now, in the order of their arrival, and after them the entries that are no regular files. Also
/// returns the number of entries that exist and are not listed.
///
/// # Errors
/// Trouble of the folder, or an earlier listing that still hangs.
fn list(folder: &TransferFolder, letters: &OwnedFd) -> Result<(Vec<Listed>, usize), Trouble> {
    let Some(mut watch) = folder.watch() else {
        return Err(Trouble::Busy(folder.path().to_owned()));
    };
    let (files, odd) = find(folder, letters)?;
    watch.tell_beyond(folder.path(), files.beyond, odd.beyond);
    let mut left_out = files.beyond + odd.beyond;
    let began = Instant::now();
    let mut looked = watch.begin();
    let mut listed = Vec::new();
    for found in files.found.into_sorted_vec() {
        let look = || (began.elapsed() < LOOKS_TIME_MAX).then(|| watch::is_whole(letters, &found.name));
        let is_ready = looked.is_ready(&found.name, found.version, Instant::now(), look);
        if is_ready { listed.push(found) } else { left_out += 1 }
    }
    for found in odd.found.into_sorted_vec() {
        let is_ready = looked.is_ready(&found.name, found.version, Instant::now(), || Some(true));
        if is_ready { listed.push(found) } else { left_out += 1 }
    }
    looked.end();
    Ok((listed.into_iter().map(Listed::from).collect(), left_out))
}

/// A file that is listed.
struct Listed {
    name: OsString,
    size_bytes: u64,
}

impl From<Found> for Listed {
    fn from(found: Found) -> Listed {
        Listed { name: found.name, size_bytes: found.version.size_bytes }
    }
}

/// Finds the letters, and the entries that are no regular files.
fn find(folder: &TransferFolder, letters: &OwnedFd) -> Result<(First, First), Trouble> {
    let trouble = |errno| folder.trouble(IN, errno);
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    // The folder is opened anew, because a descriptor returns the entries of a folder only once.
    let mut entries = Dir::openat(letters.as_fd(), ".", flags, Mode::empty()).map_err(trouble)?;
    let (mut files, mut odd) = (First::new(FILES_MAX), First::new(ODD_MAX));
    for entry in entries.iter() {
        let entry = entry.map_err(trouble)?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if !is_letter(name.as_bytes()) {
            continue;
        }
        let stat = match fstatat(letters.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            // The file has been removed since the folder was read.
            Err(Errno::ENOENT) => continue,
            Err(errno) if is_of_disk(errno) => return Err(trouble(errno)),
            Err(_) => continue,
        };
        let at = AtFlags::AT_EACCESS | AtFlags::AT_SYMLINK_NOFOLLOW;
        let access = match is_regular(&stat) {
            true => faccessat(letters.as_fd(), name, AccessFlags::R_OK, at),
            false => Ok(()),
        };
        let version = Version::of(&stat);
        let found = Found { changed: version.changed, name: name.to_owned(), version };
        match Kind::of(&stat, access) {
            Kind::Letter => files.add(found),
            Kind::Odd => odd.add(found),
        }
    }
    Ok((files, odd))
}

fn is_regular(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG
}

/// Reads a file, or only the head of a file that is too large.
fn read(letters: &OwnedFd, name: &OsStr, bytes_max: u64) -> Result<FetchOutcome, Trouble> {
    let shown = || name.to_string_lossy().escape_debug().to_string();
    let refused = |why: String| Trouble::File(shown(), why);
    // The file is opened in non-blocking mode. If the name now belongs to a pipe, a blocking open would wait for a writer.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = match openat(letters.as_fd(), name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::ELOOP) => return Err(refused("a link, and only regular files are taken: remove it".to_owned())),
        Err(errno) => return Err(refused(errno.desc().to_owned())),
    };
    let stat = fstat(&file).map_err(|errno| refused(errno.desc().to_owned()))?;
    if !is_regular(&stat) || stat.st_nlink > 1 {
        return Err(refused("not a regular file under one name, as only are taken: remove it".to_owned()));
    }
    let size_bytes = u64::try_from(stat.st_size).unwrap_or_default();
    let most = if size_bytes > bytes_max { HEAD_BYTES_MAX } else { bytes_max + 1 };
    let mut octets = Vec::with_capacity(usize::try_from(size_bytes.min(most)).unwrap_or_default());
    File::from(file).take(most).read_to_end(&mut octets).map_err(|error| refused(error.to_string()))?;
    let found = octets.len() as u64;
    if size_bytes <= bytes_max && found <= bytes_max {
        return Ok(FetchOutcome::Mail(octets));
    }
    octets.truncate(usize::try_from(HEAD_BYTES_MAX).unwrap_or_default());
    Ok(FetchOutcome::OverSize { head: octets, size_bytes: size_bytes.max(found).min(SIZE_BYTES_MAX) })
}

/// Returns the digest of a file's octets. For an over-size file the digest is of its head and its size.
fn digest(outcome: &FetchOutcome) -> Option<Digest> {
    match outcome {
        FetchOutcome::Mail(octets) => Some(Digest::of(octets)),
        FetchOutcome::OverSize { head, size_bytes } => {
            Some(Digest::of(&[head, size_bytes.to_be_bytes().as_slice()].concat()))
        }
        FetchOutcome::Refused(_) => None,
    }
}

/// Removes settled files; returns the numbers of those that cannot be removed.
fn remove_all(letters: &OwnedFd, files: Vec<(u32, OsString, Seen)>) -> Vec<u32> {
    let refused =
        |(number, name, settled): (u32, OsString, Seen)| remove(letters, &name, settled).is_err().then_some(number);
    files.into_iter().filter_map(refused).collect()
}

/// Removes a file if it equals the settled file. If its contents have changed, it stays under another name.
///
/// # Errors
/// The file stays, although it may equal the settled file.
fn remove(letters: &OwnedFd, name: &OsStr, settled: Seen) -> Result<(), Errno> {
    let aside = OsString::from(format!("{SETTLED_PREFIX}{}{SUFFIX}", Uuid::now_v7().simple()));
    match renameat(letters.as_fd(), name, letters.as_fd(), aside.as_os_str()) {
        Ok(()) => unlink_settled(letters, &aside, settled),
        // The file has been removed already.
        Err(Errno::ENOENT) => Ok(()),
        Err(errno) => unlink_in_place(letters, name, settled, errno),
    }
}

/// Removes a file under its own name where the disk has no room for another name: otherwise the disk would stay full.
fn unlink_in_place(letters: &OwnedFd, name: &OsStr, settled: Seen, errno: Errno) -> Result<(), Errno> {
    if matches!(errno, Errno::ENOSPC | Errno::EDQUOT) { unlink_settled(letters, name, settled) } else { Err(errno) }
}

fn unlink_settled(letters: &OwnedFd, name: &OsStr, settled: Seen) -> Result<(), Errno> {
    // A file that cannot be read cannot be compared, so it stays.
    let found = read(letters, name, settled.bytes_max).map_err(|_told_when_listed| Errno::EACCES)?;
    if digest(&found) == Some(settled.digest) {
        unlinkat(letters.as_fd(), name, UnlinkatFlags::NoRemoveDir)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
