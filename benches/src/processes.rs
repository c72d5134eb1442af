//! Measures the processor time of processes, read from /proc (proc_pid_stat(5)), and of threads, read from a clock of the system.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime};

/// Returns the processor time, in seconds, of a process and of all its descendants. A process that has ended is no longer in /proc, but the
/// kernel adds its time to that of its parent when the parent waits for it. So it counts as well.
///
/// # Errors
/// The process has ended.
pub fn cpu_seconds(root: u32) -> Result<f64> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut ticks: HashMap<u32, u64> = HashMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process may end between listing and reading.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((_, fields)) = stat.rsplit_once(')') else { continue };
        let fields: Vec<u64> = fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
        let parent = u32::try_from(fields.get(1).copied().unwrap_or(0))?;
        children.entry(parent).or_default().push(id);
        ticks.insert(id, fields.iter().skip(11).take(4).sum());
    }
    anyhow::ensure!(ticks.contains_key(&root), "process {root} is gone");
    let mut total = 0;
    let mut waiting = vec![root];
    while let Some(id) = waiting.pop() {
        total += ticks.get(&id).copied().unwrap_or(0);
        waiting.extend(children.remove(&id).unwrap_or_default());
    }
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.context("no clock tick")?;
    Ok(total as f64 / per_second as f64)
}

/// Returns the processor time of the calling thread.
///
/// # Errors
/// The system has no such clock.
pub fn thread_time() -> Result<Duration> {
    Ok(Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?))
}
