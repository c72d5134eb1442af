//! Decides which files are no longer being written. Only this process's listings and the monotonic clock are used. The times of a file
//! prove nothing: its writer may copy them from the original, and on a mounted folder they come from another machine's clock.
//!
//! A file that looks whole must have been unchanged for the quiet time. A file that is empty, or has no `-----END` line near its end, must
//! have been unchanged for far longer, because a copy that stalls leaves such a file.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{FileStat, Mode};

/// First bytes of the line that ends a whole document. Lines of other programs may follow.
const END: &[u8] = b"-----END";
/// Number of bytes at the end of a file in which the `-----END` line is searched. A file with this line further ahead counts as unfinished.
const TAIL_BYTES: i64 = 64 << 10;

/// How long a file that does not look whole must have been unchanged before it is taken.
const UNFINISHED_QUIET: Duration = Duration::from_secs(15 * 60);

/// How long a file must have been unchanged between two listings before it is taken.
#[derive(Clone, Copy, Debug)]
pub struct Quiet {
    /// Time for a file that looks whole. Zero if every writer renames its files: then no file has to wait.
    pub whole: Duration,
    /// Time for a file that is empty or has no `-----END` line.
    pub unfinished: Duration,
}

impl From<Duration> for Quiet {
    fn from(whole: Duration) -> Quiet {
        Quiet { whole, unfinished: if whole.is_zero() { whole } else { UNFINISHED_QUIET } }
    }
}

/// Values that change when a file is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub size_bytes: u64,
    /// Modification time, which the writer can set, in seconds and nanoseconds.
    pub written: (i64, i64),
    /// Time of the last status change, which the file system sets, in seconds and nanoseconds.
    pub changed: (i64, i64),
}

impl Version {
    pub fn of(stat: &FileStat) -> Version {
        Version {
            size_bytes: u64::try_from(stat.st_size).unwrap_or_default(),
            written: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

struct Watched {
    version: Version,
    since: Instant,
    is_whole: Option<bool>,
}

/// What earlier listings found about the files. It covers as many files as one listing examines.
pub(crate) struct Watch {
    quiet: Quiet,
    files: HashMap<OsString, Watched>,
    beyond: (usize, usize),
}

/// A listing under way.
pub(crate) struct Looked<'w> {
    watch: &'w mut Watch,
    files: HashMap<OsString, Watched>,
}

impl Watch {
    /// Makes a watch that knows no file yet.
    pub(crate) fn new(quiet: Quiet) -> Watch {
        Watch { quiet, files: HashMap::new(), beyond: (0, 0) }
    }

    /// Begins a listing. Files that the listing does not examine are forgotten when it ends.
    pub(crate) fn begin(&mut self) -> Looked<'_> {
        Looked { watch: self, files: HashMap::new() }
    }

    /// Logs how many entries a listing does not examine, when this begins and when it ends.
    pub(crate) fn tell_beyond(&mut self, path: &Path, files: usize, odd: usize) {
        let (path, before) = (path.display(), std::mem::replace(&mut self.beyond, (files, odd)));
        let is_beyond = |(files, odd)| files > 0 || odd > 0;
        match (is_beyond(before), is_beyond(self.beyond)) {
            (false, true) => tracing::warn!(
                %path,
                files,
                odd,
                "the folder holds more than is listed at a time: these files wait for those before them, and these entries that are \
                 no letters are not told of one by one"
            ),
            (true, false) => tracing::info!(%path, "the folder is listed whole again"),
            _ => {}
        }
    }
}

impl Looked<'_> {
    /// Says whether a file has been unchanged for long enough. `look` says whether the file is whole, or returns `None` if there is no time
    /// to examine the file.
    pub fn is_ready(
        &mut self,
        name: &OsStr,
        version: Version,
        now: Instant,
        look: impl FnOnce() -> Option<bool>,
    ) -> bool {
        let quiet = self.watch.quiet;
        if quiet.whole.is_zero() {
            return true;
        }
        let known = self.watch.files.remove(name).filter(|watched| watched.version == version);
        let mut watched = known.unwrap_or(Watched { version, since: now, is_whole: None });
        let left_alone = now.saturating_duration_since(watched.since);
        let is_ready = left_alone >= quiet.whole && {
            watched.is_whole = watched.is_whole.or_else(look);
            watched.is_whole.is_some_and(|is_whole| is_whole || left_alone >= quiet.unfinished)
        };
        self.files.insert(name.to_owned(), watched);
        is_ready
    }

    /// Ends the listing.
    pub fn end(self) {
        self.watch.files = self.files;
    }
}

/// Says whether a file has an `-----END` line near its end. A file that cannot be read counts as whole: fetching it then shows the error.
pub(crate) fn is_whole(letters: &OwnedFd, name: &OsStr) -> bool {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let Ok(file) = openat(letters.as_fd(), name, flags, Mode::empty()) else { return true };
    let mut file = File::from(file);
    let mut tail = Vec::new();
    // Seeking fails in a file shorter than `TAIL_BYTES`, which is then read from its beginning.
    let _from = file.seek(SeekFrom::End(-TAIL_BYTES)).ok();
    match file.take(TAIL_BYTES.unsigned_abs()).read_to_end(&mut tail) {
        Ok(_) => tail.windows(END.len()).any(|octets| octets == END),
        Err(_) => true,
    }
}
