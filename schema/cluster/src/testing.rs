//! For tests of this crate and of others: a private PostgreSQL in a folder that is removed after the end of the process that made it.
//!
//! The cluster is in the system's temporary folder. A helper process removes it after the test process has ended, however it ended. If the
//! helper was killed too, the next run of tests removes the folder: it recognises an abandoned folder by the lock that no process holds.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot get its world ends at once, saying why")]

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::postmaster::Postmaster;
use crate::{Cluster, ClusterSettings, OWNER, connect};

pub mod standby;

const PREFIX: &str = "xm-test-";

static SHARED: OnceCell<Cluster> = OnceCell::const_new();

/// Returns the cluster that all tests of this process share.
pub async fn shared() -> &'static Cluster {
    SHARED.get_or_init(own).await
}

/// Starts a cluster for one test alone, so that the test may stop, kill or damage it.
pub async fn own() -> Cluster {
    with_settings(&[]).await
}

/// Starts a cluster for one test alone, with settings of PostgreSQL.
pub async fn with_settings(settings: &[(&str, &str)]) -> Cluster {
    remove_leftovers().await;
    let mut all =
        vec![("max_connections".to_owned(), "300".to_owned()), ("shared_buffers".to_owned(), "64MB".to_owned())];
    all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let settings = ClusterSettings { data_folder: temporary_folder(), binaries: None, settings: all };
    Cluster::start(settings).await.unwrap_or_else(|error| panic!("no test cluster: {error}"))
}

/// Runs a statement in a database of the cluster, as superuser and on a connection of its own.
pub async fn run(cluster: &Cluster, database: &str, statement: &str) {
    let client = connect(&cluster.url_of(database)).await.expect("the test cluster answers");
    client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// Reads the server's log.
pub fn log(cluster: &Cluster) -> String {
    std::fs::read_to_string(cluster.log_path()).expect("the test cluster has a log")
}

/// Starts a stopped cluster again as a PostgreSQL that listens on the network, as an operator's own PostgreSQL does. With a certificate
/// this PostgreSQL uses TLS, without one only plain text. Certificate and key are in [`data_folder`].
pub async fn restart_on_network(cluster: &mut Cluster, port: u16, certificate: Option<(&Path, &Path)>) {
    let data = data_folder(cluster);
    let rules = data.join("hosts");
    std::fs::write(&rules, "host all all all trust\nhost replication all all trust\n")
        .expect("the data folder can be written");
    let mut command = cluster.command(&data, &[]).expect("the cluster has a command");
    // PostgreSQL uses the last value of a setting that is given several times. So these settings replace those of the private cluster,
    // which listens on no network.
    command.args(["-c", "listen_addresses=localhost", "-c", &format!("port={port}")]);
    command.arg("-c").arg(format!("hba_file={}", rules.display()));
    command.args(["-c", if certificate.is_some() { "ssl=on" } else { "ssl=off" }]);
    if let Some((certificate, key)) = certificate {
        for (setting, file) in [("ssl_cert_file", certificate), ("ssl_key_file", key)] {
            cluster.user.as_ref().map_or(Ok(()), |user| user.own(file)).expect("the file can be given away");
            command.arg("-c").arg(format!("{setting}={}", file.display()));
        }
    }
    cluster.postmaster = Some(Postmaster::spawn(command).expect("PostgreSQL starts"));
    let plain = format!("postgresql://{OWNER}@localhost:{port}/migrated_not");
    eventually("it answers on the port", async || {
        // The URL names no database that exists. That error comes from the server, so it shows that the server answers.
        connect(&plain)
            .await
            .err()
            .is_some_and(|error| error.as_db_error().is_some_and(|said| said.message().contains("does not exist")))
    })
    .await;
}

/// Returns the URL of a cluster that [`restart_on_network`] has started.
pub fn url_on_network(port: u16) -> String {
    format!("postgresql://{OWNER}@localhost:{port}/{OWNER}")
}

/// Returns the folder with PostgreSQL's own files.
pub fn data_folder(cluster: &Cluster) -> PathBuf {
    cluster.folder.join("data")
}

/// Waits for a condition, and checks it every few milliseconds.
///
/// # Panics
/// The condition does not come true within 20 s.
pub async fn eventually<F: AsyncFnMut() -> bool>(what: &str, mut condition: F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "in 20 s it did not happen that {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Makes a folder that is removed once this process has ended and no postmaster runs in it any more.
fn temporary_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("{PREFIX}{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&folder).expect("the temporary folder can be written");
    // PostgreSQL's own user must be able to pass through this folder. Other users can do no more than that, and the folders inside are
    // private.
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o711)).expect("the folder is ours");
    // The helper reads from a pipe whose other end this process has. However this process ends, even by SIGKILL, the kernel closes that
    // end, the reading ends, and the helper goes on to remove the folder.
    const REMOVE: &str = r#"read -r _; n=0
        while [ -e "$0/data/postmaster.pid" ] && [ $n -lt 100 ]; do n=$((n+1)); sleep 0.1; done
        rm -rf -- "$0""#;
    let helper = Command::new("sh")
        .args(["-c", REMOVE])
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        // Ctrl-C at the terminal ends the tests but must not end the helper, so the helper is in a process group of its own.
        .process_group(0)
        .spawn()
        .expect("there is a shell");
    // The helper's standard input stays open as long as this process lives.
    std::mem::forget(helper);
    folder
}

/// Removes the folders of earlier runs whose helper was killed together with the test process.
async fn remove_leftovers() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let folder = entry.path();
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_abandoned(&folder) {
            if let Err(error) = crate::end_leftover(&folder.join("data")).await {
                tracing::warn!(%error, "a left-over test cluster stays");
                continue;
            }
            if let Err(error) = std::fs::remove_dir_all(&folder) {
                tracing::debug!(%error, "somebody else removed a left-over test cluster");
            }
        }
    }
}

/// Says whether nobody uses the folder: no process has its lock, and the folder is so old that its maker, who locks it a moment later, must
/// have done so.
fn is_abandoned(folder: &Path) -> bool {
    let old = |path: &Path| {
        std::fs::metadata(path)
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > Duration::from_secs(60)))
    };
    match File::open(folder.join("lock")) {
        Ok(lock) => old(folder) && lock.try_lock().is_ok(),
        Err(_missing) => old(folder),
    }
}
