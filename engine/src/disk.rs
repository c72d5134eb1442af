//! Free space and size of the disk on which a folder lies.

use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Free space and size of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that a process without privileges may still write.
    pub free_bytes: u64,
    /// Size of the disk in bytes.
    pub size_bytes: u64,
}

/// Returns the space on the disk of a folder; none where the operating system gives an error.
pub fn room(folder: &Path) -> Option<Room> {
    let disk = statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.fragment_size());
    Some(Room { free_bytes: bytes(disk.blocks_available()), size_bytes: bytes(disk.blocks()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_room_and_one_that_is_not_there_tells_nothing() {
        let place = tempfile::tempdir().unwrap();
        let found = room(place.path()).unwrap();
        assert!(found.size_bytes > 0 && found.free_bytes <= found.size_bytes, "{found:?}");
        assert_eq!(room(&place.path().join("missing")), None);
    }
}
