//! For tests: a standby of a test cluster, and two faults of a primary: all its processes are frozen, or its standby is made a primary
//! while it still runs itself. Primary and standby listen on the network, as an operator's PostgreSQL does.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{data_folder, restart_on_network, temporary_folder};
use crate::{Cluster, OWNER, connect, lock, postmaster};

/// Copies a cluster that listens on the network at `primary_port`, and starts the copy at `port` as the cluster's standby. The standby
/// replays what the primary commits, and can be read.
pub async fn standby_of(primary: &Cluster, primary_port: u16, port: u16) -> Cluster {
    let folder = temporary_folder();
    let mut standby = Cluster {
        _lock: lock(&folder).expect("the folder is ours"),
        folder,
        binaries: primary.binaries.clone(),
        user: primary.user.clone(),
        settings: primary.settings.clone(),
        postmaster: None,
    };
    let data = data_folder(&standby);
    for folder in [&data, &standby.socket_folder()] {
        standby.private_folder(folder).expect("the folder can be made");
    }
    // Some distributions install the client programs in another folder than the server's programs.
    let beside = standby.binaries.program("pg_basebackup");
    let program = if beside.exists() { beside } else { "pg_basebackup".into() };
    let copied = postmaster::unprivileged(&program, standby.user.as_ref())
        .args(["--host=localhost", &format!("--port={primary_port}"), "--username", OWNER, "--checkpoint=fast"])
        .args(["--write-recovery-conf", "--no-sync", "--pgdata"])
        .arg(&data)
        .output()
        .expect("pg_basebackup runs");
    assert!(copied.status.success(), "pg_basebackup: {}", String::from_utf8_lossy(&copied.stderr));
    restart_on_network(&mut standby, port, None).await;
    standby
}

/// Makes every COMMIT on the primary wait until the standby has it.
pub async fn replicate_synchronously(primary_url: &str) {
    run(primary_url, "ALTER SYSTEM SET synchronous_standby_names = '*'").await;
    run(primary_url, "SELECT pg_reload_conf()").await;
}

/// Makes the standby the primary, and waits until it accepts writes.
pub async fn promote(standby_url: &str) {
    run(standby_url, "SELECT pg_promote(true, 60)").await;
}

/// A cluster whose processes are all stopped, as on a frozen machine. When this value is dropped, the processes continue.
pub struct Frozen(Vec<Pid>);

/// Freezes a cluster. The postmaster is stopped first: otherwise it could start another process after the processes were listed, and that
/// one would go on.
pub fn freeze(cluster: &Cluster) -> Frozen {
    let postmaster = Pid::from_raw(cluster.pid().expect("the cluster runs"));
    let stop = |pid: Pid| {
        // The session may have ended since its process id was read.
        kill(pid, Signal::SIGSTOP).is_ok().then_some(pid)
    };
    let mut stopped: Vec<Pid> = stop(postmaster).into_iter().collect();
    stopped.extend(children(postmaster).into_iter().filter_map(stop));
    Frozen(stopped)
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            if kill(*pid, Signal::SIGCONT).is_err() {
                tracing::debug!(pid = pid.as_raw(), "a process of the frozen cluster has ended");
            }
        }
    }
}

async fn run(url: &str, statement: &str) {
    let client = connect(url).await.expect("the test cluster answers");
    client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

fn children(pid: Pid) -> Vec<Pid> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|child| child.parse().ok()).map(Pid::from_raw).collect()
}
