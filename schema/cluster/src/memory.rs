//! Share of this machine's memory for PostgreSQL's buffers.

use std::fs;
use std::path::Path;

const MIB: u64 = 1 << 20;
/// Maximum memory for buffers, in MiB. The tables and indexes of an election night fit into it. With a quarter of it, PostgreSQL took a
/// quarter more time for a burst of letters.
const BUFFERS_MIB_MAX: u64 = 1024;
/// Least memory for buffers, in MiB: PostgreSQL's own default.
const BUFFERS_MIB_MIN: u64 = 128;
/// Divisor of the memory: PostgreSQL's buffers get a quarter, as its manual advises (20.4.1).
const PARTS: u64 = 4;

/// Returns the value of `shared_buffers` for this machine.
pub fn shared_buffers() -> String {
    let total = [physical_bytes(), allowed_bytes()].into_iter().flatten().min().unwrap_or_default();
    format!("{}MB", buffers_mib(total))
}

fn buffers_mib(memory_bytes: u64) -> u64 {
    (memory_bytes / PARTS / MIB).clamp(BUFFERS_MIB_MIN, BUFFERS_MIB_MAX)
}

fn physical_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Returns the memory that this process may use, in bytes; none where there is no limit. Linux limits the processes of a container or a
/// service by control groups (version 2).
fn allowed_bytes() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let bound = |group: &Path| fs::read_to_string(group.join("memory.max")).ok()?.trim().parse().ok();
    let root = Path::new("/sys/fs/cgroup");
    root.join(own).ancestors().take_while(|group| group.starts_with(root)).filter_map(bound).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_memory_within_bounds() {
        const GIB: u64 = 1 << 30;
        assert_eq!([0, GIB, 2 * GIB, 4 * GIB, 64 * GIB].map(buffers_mib), [128, 256, 512, 1024, 1024]);
    }

    #[test]
    fn this_machine_tells_its_memory() {
        assert!(physical_bytes().is_some_and(|bytes| bytes > 64 * MIB));
    }
}
