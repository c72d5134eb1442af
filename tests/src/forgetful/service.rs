//! Answers the kernel's requests about files from a [`Tree`].

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyStatfs, ReplyWrite,
    Request, TimeOrNow, WriteFlags,
};

use super::tree::{Facts, Kind, Octets, PAGE_BYTES, Tree};

/// Time for which the kernel may remember what it was told. Nobody else changes the files.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Pages that the file system claims to have: 64 GB.
const PAGES: u64 = 16 << 20;
/// The bits of a mode that are permissions.
const PERMISSIONS: u32 = 0o7777;

/// The file system, as the kernel asks it.
pub struct Service(pub Arc<Mutex<Tree>>);

impl Service {
    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, kind: Kind) -> Result<FileAttr, Errno> {
        let mut tree = self.tree();
        if tree.find(parent.0, name).is_some() {
            return Err(Errno::EEXIST);
        }
        let mode = u16::try_from(mode & PERMISSIONS).unwrap_or_default();
        let owner = (request.uid(), request.gid());
        let number = tree.make(parent.0, name, mode, owner, kind).ok_or(Errno::ENOENT)?;
        attributes(&tree, number)
    }

    fn remove(&self, parent: INodeNo, name: &OsStr) -> Result<(), Errno> {
        let mut tree = self.tree();
        let number = tree.find(parent.0, name).ok_or(Errno::ENOENT)?;
        if tree.names(number).is_some_and(|names| !names.is_empty()) {
            return Err(Errno::ENOTEMPTY);
        }
        tree.name(parent.0, name, None);
        Ok(())
    }
}

fn attributes(tree: &Tree, number: u64) -> Result<FileAttr, Errno> {
    let (Facts { mode, uid, gid, changed_at, kind }, Octets { length, .. }) = tree.file(number).ok_or(Errno::ENOENT)?;
    let (kind, size) = match kind {
        Kind::Folder(_) => (FileType::Directory, 0),
        Kind::Link(path) => (FileType::Symlink, path.len() as u64),
        Kind::File => (FileType::RegularFile, *length),
    };
    Ok(FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: *changed_at,
        mtime: *changed_at,
        ctime: *changed_at,
        crtime: *changed_at,
        kind,
        perm: *mode,
        nlink: 1,
        uid: *uid,
        gid: *gid,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    })
}

fn entry(reply: ReplyEntry, made: Result<FileAttr, Errno>) {
    match made {
        Ok(attributes) => reply.entry(&REMEMBERED, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn empty(reply: ReplyEmpty, done: Result<(), Errno>) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Service {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let tree = self.tree();
        let found = tree.find(parent.0, name).ok_or(Errno::ENOENT);
        entry(reply, found.and_then(|number| attributes(&tree, number)));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match attributes(&self.tree(), ino.0) {
            Ok(attributes) => reply.attr(&REMEMBERED, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut tree = self.tree();
        tree.change(ino.0, |facts| {
            let permissions = |mode: u32| u16::try_from(mode & PERMISSIONS).unwrap_or_default();
            facts.mode = mode.map_or(facts.mode, permissions);
            facts.uid = uid.unwrap_or(facts.uid);
            facts.gid = gid.unwrap_or(facts.gid);
            facts.changed_at = match mtime {
                Some(TimeOrNow::SpecificTime(time)) => time,
                Some(TimeOrNow::Now) => SystemTime::now(),
                None => facts.changed_at,
            };
        });
        if let Some(size) = size {
            tree.cut(ino.0, size);
        }
        match attributes(&tree, ino.0) {
            Ok(attributes) => reply.attr(&REMEMBERED, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn readlink(&self, _: &Request, ino: INodeNo, reply: ReplyData) {
        match self.tree().file(ino.0) {
            Some((Facts { kind: Kind::Link(path), .. }, _)) => reply.data(path.as_bytes()),
            _ => reply.error(Errno::EINVAL),
        }
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        entry(reply, self.make(request, parent, name, mode & !umask, Kind::Folder(Default::default())));
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        entry(reply, self.make(request, parent, name, 0o777, Kind::Link(target.as_os_str().to_owned())));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.remove(parent, name));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.remove(parent, name));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let mut tree = self.tree();
        let Some(number) = tree.find(parent.0, name) else { return reply.error(Errno::ENOENT) };
        if !flags.is_empty() {
            return reply.error(Errno::EINVAL);
        }
        tree.name(parent.0, name, None);
        tree.name(newparent.0, newname, Some(number));
        reply.ok();
    }

    fn link(&self, _: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr, reply: ReplyEntry) {
        let mut tree = self.tree();
        if tree.find(newparent.0, newname).is_some() {
            return reply.error(Errno::EEXIST);
        }
        tree.name(newparent.0, newname, Some(ino.0));
        entry(reply, attributes(&tree, ino.0));
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.make(request, parent, name, mode & !umask, Kind::File) {
            Ok(it) => reply.created(&REMEMBERED, &it, Generation(0), FileHandle(0), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.tree().file(ino.0) {
            Some((_, octets)) => reply.data(&octets.read(offset, size as usize)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        self.tree().write(ino.0, offset, data);
        reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX));
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.tree().sync(ino.0);
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.tree().sync(ino.0);
        reply.ok();
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let tree = self.tree();
        let Some(names) = tree.names(ino.0) else { return reply.error(Errno::ENOTDIR) };
        let own = [(OsStr::new("."), ino.0), (OsStr::new(".."), ino.0)];
        let all = own.into_iter().chain(names.iter().map(|(name, number)| (name.as_os_str(), *number)));
        for ((name, number), next) in all.zip(1..).skip(usize::try_from(offset).unwrap_or(usize::MAX)) {
            let kind = attributes(&tree, number).map_or(FileType::RegularFile, |it| it.kind);
            if reply.add(INodeNo(number), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let page = u32::try_from(PAGE_BYTES).unwrap_or_default();
        reply.statfs(PAGES, PAGES, PAGES, 1 << 20, 1 << 20, page, 255, page);
    }
}
