//! Files and folders in memory, each in two versions: as programs see it, and as the disk would have it after a power cut.
//!
//! The rules are those of a file system with a journal, such as ext4. The octets of a file reach the disk only by fsync of this file.
//! Names, owners and lengths to which a file was cut reach the disk by fsync of any file or folder, in the order in which they changed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::time::SystemTime;

/// Number of the folder above all others.
pub const ROOT: u64 = 1;
/// Octets of a page, the unit in which octets are kept.
pub const PAGE_BYTES: usize = 4096;

/// What a file is, without its octets.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Permissions, without the type.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change of its octets.
    pub changed_at: SystemTime,
    /// What it holds.
    pub kind: Kind,
}

/// What a file holds besides octets.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A folder: the numbers of its files by their names.
    Folder(BTreeMap<OsString, u64>),
    /// A symbolic link to this path.
    Link(OsString),
    /// A file with octets.
    File,
}

/// The octets of a file. Pages that are absent are full of zeros.
#[derive(Clone, Debug, Default)]
pub struct Octets {
    /// Length in bytes.
    pub length: u64,
    pages: BTreeMap<u64, Arc<Vec<u8>>>,
}

impl Octets {
    /// Reads from an offset: `bytes` octets, or fewer at the end.
    pub fn read(&self, offset: u64, bytes: usize) -> Vec<u8> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut read = vec![0; bytes.min(left)];
        each_page(offset, read.len(), |page, within, at| {
            if let Some(octets) = self.pages.get(&page) {
                read[at.clone()].copy_from_slice(&octets[within..within + at.len()]);
            }
        });
        read
    }

    fn write(&mut self, offset: u64, octets: &[u8]) -> Vec<u64> {
        let mut written = Vec::new();
        each_page(offset, octets.len(), |page, within, at| {
            let kept = Arc::make_mut(self.pages.entry(page).or_insert_with(|| Arc::new(vec![0; PAGE_BYTES])));
            kept[within..within + at.len()].copy_from_slice(&octets[at]);
            written.push(page);
        });
        self.length = self.length.max(offset + octets.len() as u64);
        written
    }

    fn cut(&mut self, length: u64) {
        if length < self.length {
            let first_gone = length.div_ceil(PAGE_BYTES as u64);
            self.pages.split_off(&first_gone);
            let within = usize::try_from(length % PAGE_BYTES as u64).unwrap_or_default();
            if within > 0
                && let Some(last) = self.pages.get_mut(&(first_gone - 1))
            {
                Arc::make_mut(last)[within..].fill(0);
            }
        }
        self.length = length;
    }
}

/// Calls `each` for every page that a span of octets touches: the page's number, the offset within the page, and the place in the span.
fn each_page(offset: u64, bytes: usize, mut each: impl FnMut(u64, usize, std::ops::Range<usize>)) {
    let mut done = 0;
    while done < bytes {
        let at = offset + done as u64;
        let within = usize::try_from(at % PAGE_BYTES as u64).unwrap_or_default();
        let step = (PAGE_BYTES - within).min(bytes - done);
        each(at / PAGE_BYTES as u64, within, done..done + step);
        done += step;
    }
}

/// All files.
#[derive(Debug)]
pub struct Tree {
    /// Files as programs see them, by their numbers.
    now: HashMap<u64, (Facts, Octets)>,
    /// Files as the disk has them.
    disk: HashMap<u64, (Facts, Octets)>,
    /// Files whose facts changed since the last fsync of anything.
    touched: HashSet<u64>,
    /// Least length to which each file was cut since then.
    cut: HashMap<u64, u64>,
    /// Pages of each file that were written since its last fsync.
    unsynced: HashMap<u64, BTreeSet<u64>>,
    last: u64,
}

/// A tree with one folder, which is empty.
impl Default for Tree {
    fn default() -> Tree {
        let root = (facts(0o755, (0, 0), Kind::Folder(BTreeMap::new())), Octets::default());
        let files = HashMap::from([(ROOT, root)]);
        Tree {
            now: files.clone(),
            disk: files,
            touched: HashSet::new(),
            cut: HashMap::new(),
            unsynced: HashMap::new(),
            last: ROOT,
        }
    }
}

impl Tree {
    /// Returns a file by its number.
    pub fn file(&self, number: u64) -> Option<&(Facts, Octets)> {
        self.now.get(&number)
    }

    /// Returns the names in a folder; none where it is no folder.
    pub fn names(&self, folder: u64) -> Option<&BTreeMap<OsString, u64>> {
        match &self.now.get(&folder)?.0.kind {
            Kind::Folder(names) => Some(names),
            _ => None,
        }
    }

    /// Returns the number of the file with this name in a folder.
    pub fn find(&self, folder: u64, name: &OsStr) -> Option<u64> {
        self.names(folder)?.get(name).copied()
    }

    /// Makes a file, and returns its number; none where there is no such folder.
    pub fn make(&mut self, folder: u64, name: &OsStr, mode: u16, owner: (u32, u32), kind: Kind) -> Option<u64> {
        self.names(folder)?;
        self.last += 1;
        let number = self.last;
        self.now.insert(number, (facts(mode, owner, kind), Octets::default()));
        self.touched.insert(number);
        self.name(folder, name, Some(number));
        Some(number)
    }

    /// Gives a name in a folder to a file, or takes the name away.
    pub fn name(&mut self, folder: u64, name: &OsStr, number: Option<u64>) {
        if let Some((Facts { kind: Kind::Folder(names), .. }, _)) = self.now.get_mut(&folder) {
            match number {
                Some(number) => names.insert(name.to_owned(), number),
                None => names.remove(name),
            };
            self.touched.insert(folder);
        }
    }

    /// Changes the facts of a file.
    pub fn change(&mut self, number: u64, change: impl FnOnce(&mut Facts)) {
        if let Some((facts, _)) = self.now.get_mut(&number) {
            change(facts);
            self.touched.insert(number);
        }
    }

    /// Writes octets.
    pub fn write(&mut self, number: u64, offset: u64, octets: &[u8]) {
        if let Some((facts, kept)) = self.now.get_mut(&number) {
            facts.changed_at = SystemTime::now();
            let written = kept.write(offset, octets);
            self.unsynced.entry(number).or_default().extend(written);
        }
    }

    /// Makes a file shorter or longer.
    pub fn cut(&mut self, number: u64, length: u64) {
        if let Some((_, octets)) = self.now.get_mut(&number) {
            if length < octets.length {
                let least = self.cut.entry(number).or_insert(length);
                *least = length.min(*least);
            }
            octets.cut(length);
            self.touched.insert(number);
        }
    }

    /// Does what fsync of a file or folder promises.
    pub fn sync(&mut self, number: u64) {
        for (number, length) in std::mem::take(&mut self.cut) {
            if let Some((_, octets)) = self.disk.get_mut(&number)
                && length < octets.length
            {
                octets.cut(length);
            }
        }
        for number in std::mem::take(&mut self.touched) {
            if let Some((facts, _)) = self.now.get(&number) {
                let (known, _) = self.disk.entry(number).or_insert_with(|| (facts.clone(), Octets::default()));
                known.clone_from(facts);
            }
        }
        let pages = self.unsynced.remove(&number).unwrap_or_default();
        if let (Some((_, now)), Some((_, disk))) = (self.now.get(&number), self.disk.get_mut(&number)) {
            for page in pages {
                match now.pages.get(&page) {
                    Some(octets) => drop(disk.pages.insert(page, Arc::clone(octets))),
                    None => drop(disk.pages.remove(&page)),
                }
            }
            disk.length = now.length;
        }
    }

    /// Forgets everything that is not on the disk, as a power cut does. Files without a name are gone, too.
    pub fn forget(&mut self) {
        let mut named = HashSet::new();
        let mut next = vec![ROOT];
        while let Some(number) = next.pop() {
            if named.insert(number)
                && let Some((Facts { kind: Kind::Folder(names), .. }, _)) = self.disk.get(&number)
            {
                next.extend(names.values());
            }
        }
        self.disk.retain(|number, _| named.contains(number));
        self.now.clone_from(&self.disk);
        self.touched.clear();
        self.cut.clear();
        self.unsynced.clear();
    }
}

fn facts(mode: u16, (uid, gid): (u32, u32), kind: Kind) -> Facts {
    Facts { mode, uid, gid, changed_at: SystemTime::now(), kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file() -> (Tree, u64) {
        let mut tree = Tree::default();
        let number = tree.make(ROOT, OsStr::new("a"), 0o600, (0, 0), Kind::File).unwrap();
        (tree, number)
    }

    fn octets(tree: &Tree, number: u64) -> Option<Vec<u8>> {
        tree.file(number).map(|(_, octets)| octets.read(0, 100_000))
    }

    #[test]
    fn octets_are_on_the_disk_after_fsync_of_their_file_and_names_after_any() {
        let (mut tree, number) = with_file();
        let other = tree.make(ROOT, OsStr::new("b"), 0o600, (0, 0), Kind::File).unwrap();
        tree.write(number, 4000, b"kept");
        tree.write(other, 0, b"lost");
        tree.sync(number);
        tree.write(number, 4000, b"lost");
        tree.write(number, 9000, b"lost");
        tree.forget();
        let mut expected = vec![0; 4000];
        expected.extend(b"kept");
        assert_eq!(octets(&tree, number), Some(expected));
        assert_eq!(octets(&tree, other), Some(Vec::new()), "its name is there, its octets are not");
    }

    #[test]
    fn names_that_nothing_synced_are_forgotten() {
        let (mut tree, number) = with_file();
        tree.write(number, 0, b"first");
        tree.sync(number);
        tree.name(ROOT, OsStr::new("b"), Some(number));
        tree.name(ROOT, OsStr::new("a"), None);
        tree.make(ROOT, OsStr::new("c"), 0o600, (0, 0), Kind::File);
        tree.forget();
        let names: Vec<_> = tree.names(ROOT).unwrap().keys().cloned().collect();
        assert_eq!(names, ["a"]);
        tree.name(ROOT, OsStr::new("a"), None);
        tree.sync(ROOT);
        tree.forget();
        assert_eq!((tree.names(ROOT).unwrap().len(), octets(&tree, number)), (0, None));
    }

    #[test]
    fn a_cut_is_kept_by_any_fsync_and_what_was_written_behind_it_is_not() {
        let (mut tree, number) = with_file();
        tree.write(number, 0, &[1; 5000]);
        tree.sync(number);
        tree.cut(number, 10);
        tree.write(number, 10, &[2; 10]);
        assert_eq!(octets(&tree, number).unwrap().len(), 20);
        tree.sync(ROOT);
        tree.forget();
        assert_eq!(octets(&tree, number), Some(vec![1; 10]));
        tree.cut(number, 6000);
        assert_eq!(octets(&tree, number).unwrap()[10..], [0; 5990]);
    }
}
