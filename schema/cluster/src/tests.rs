//! Tests of the private cluster: it is durable, locked and cut off from the network, and ends with its process.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::testing::{self, eventually};

async fn number(cluster: &Cluster, query: &str) -> i64 {
    let client = connect(&cluster.url()).await.unwrap();
    client.query_one(query, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn durability_is_on_and_there_is_no_network() {
    let cluster = testing::shared().await;
    let client = connect(&cluster.url()).await.unwrap();
    for (name, value) in [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
    ] {
        let row = client.query_one("SELECT current_setting($1)", &[&name]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), value, "{name}");
    }
    let folder = std::fs::metadata(cluster.socket_folder()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn the_log_is_compressed_with_what_the_build_has_unless_told_otherwise() {
    let cluster = testing::shared().await;
    let Cluster { binaries, user, folder, .. } = cluster;
    let takes = |value| wal::takes(binaries, user.as_ref(), &folder.join("data"), "wal_compression", value);
    assert!(takes("on") && !takes("a method that no build has"));
    let has_lz4 =
        number(cluster, "SELECT count(*) FROM pg_settings WHERE name = 'wal_compression' AND 'lz4' = ANY(enumvals)");
    assert_eq!(takes("lz4"), has_lz4.await == 1);
    let is_set = format!(
        "SELECT count(*) FROM pg_settings WHERE setting = '{}' AND name = 'wal_compression'",
        if takes("lz4") { "lz4" } else { "on" }
    );
    assert_eq!(number(cluster, &is_set).await, 1);

    let other = testing::with_settings(&[("wal_compression", "off")]).await;
    let is_off = "SELECT count(*) FROM pg_settings WHERE setting = 'off' AND name = 'wal_compression'";
    assert_eq!(number(&other, is_off).await, 1);
}

#[tokio::test]
async fn no_setting_may_turn_durability_off() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["fsync", "synchronous_commit", "listen_addresses", "log_statement"] {
        let settings = ClusterSettings {
            data_folder: folder.path().to_path_buf(),
            settings: vec![(name.to_owned(), "off".to_owned())],
            ..ClusterSettings::default()
        };
        assert!(matches!(Cluster::start(settings).await, Err(ClusterError::SettingFixed(fixed)) if fixed == name));
    }
}

#[tokio::test]
async fn a_second_cluster_on_one_folder_is_refused() {
    let cluster = testing::shared().await;
    let settings = ClusterSettings { data_folder: cluster.folder.clone(), ..ClusterSettings::default() };
    assert!(matches!(Cluster::start(settings).await, Err(ClusterError::InUse(_))));
}

#[tokio::test]
async fn a_folder_that_the_service_user_may_not_pass_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let settings = ClusterSettings { data_folder: folder.path().join("inner"), ..ClusterSettings::default() };
    let result = Cluster::start(settings).await;
    if nix::unistd::Uid::effective().is_root() {
        let error = result.err().unwrap().to_string();
        assert!(error.contains(folder.path().to_str().unwrap()), "{error}");
    } else {
        result.unwrap().stop().await;
    }
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_explained() {
    let folder = std::env::temp_dir().join(format!("xm-long-{}", "x".repeat(90)));
    let settings = ClusterSettings { data_folder: folder.clone(), ..ClusterSettings::default() };
    let result = Cluster::start(settings).await;
    std::fs::remove_dir_all(folder).unwrap();
    assert!(matches!(result, Err(ClusterError::PathTooLong { excess, .. }) if excess > 0));
}

#[tokio::test]
async fn a_data_folder_of_another_version_is_left_alone() {
    let mut cluster = testing::own().await;
    cluster.stop().await;
    let folder = cluster.folder.clone();
    let version = folder.join("data/PG_VERSION");
    drop(cluster);
    std::fs::write(&version, "9\n").unwrap();
    let settings = ClusterSettings { data_folder: folder, ..ClusterSettings::default() };
    let refused = async || Cluster::start(settings.clone()).await.err().unwrap().to_string();
    // Other tests of this process start child processes meanwhile. A child inherits this folder's lock and holds it for a moment, until its
    // `exec`. So the first attempts may be refused because of the lock, not because of the version.
    eventually("it is left alone for its version", async || refused().await.contains("made by PostgreSQL 9")).await;
}

#[tokio::test]
async fn what_was_committed_survives_a_killed_postmaster() {
    let mut cluster = testing::own().await;
    let client = connect(&cluster.url()).await.unwrap();
    client
        .batch_execute("CREATE TABLE kept (n bigint); INSERT INTO kept SELECT generate_series(1, 1000)")
        .await
        .unwrap();
    for _round in 0..2 {
        cluster.kill().await;
        assert!(cluster.pid().is_none());
        cluster.restart().await.unwrap();
        assert_eq!(number(&cluster, "SELECT count(*) FROM kept").await, 1000);
    }
    cluster.stop().await;
    assert!(!cluster.folder.join("data/postmaster.pid").exists(), "it shut down in order");
}

#[tokio::test]
async fn a_postmaster_left_by_a_killed_parent_is_shut_down_and_its_folder_taken_over() {
    let mut cluster = testing::own().await;
    let folder = cluster.folder.clone();
    let pid = cluster.pid().unwrap();
    // The postmaster is taken out of the cluster before the cluster is dropped. So the lock becomes free but the postmaster runs on, as if
    // this process had been killed.
    let left_over = cluster.postmaster.take().unwrap();
    drop(cluster);
    eventually("the lock is free", async || File::open(folder.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok()))
        .await;
    assert!(left_over.exit_status().is_none());
    let settings = ClusterSettings { data_folder: folder, ..ClusterSettings::default() };
    let mut cluster = Cluster::start(settings).await.unwrap();
    assert!(left_over.exit_status().is_some());
    assert_ne!(cluster.pid(), Some(pid));
    assert_eq!(number(&cluster, "SELECT 1::bigint").await, 1);
    cluster.stop().await;
}

#[tokio::test]
async fn the_number_of_a_dead_postmaster_may_be_anybodys_now() {
    let mut cluster = testing::own().await;
    cluster.kill().await;
    let pid_file = cluster.folder.join("data/postmaster.pid");
    let text = std::fs::read_to_string(&pid_file).unwrap();
    let rest = text.split_once('\n').unwrap().1;
    std::fs::write(&pid_file, format!("{}\n{rest}", std::process::id())).unwrap();
    cluster.restart().await.unwrap();
    cluster.stop().await;
}

#[tokio::test]
async fn the_log_holds_no_value_of_any_statement() {
    let cluster = testing::own().await;
    let client = connect(&cluster.url()).await.unwrap();
    client.batch_execute("CREATE TABLE people (name varchar(20) UNIQUE NOT NULL, born date)").await.unwrap();
    for statement in [
        "INSERT INTO people VALUES ('canary-one', 'canary-two')",
        "INSERT INTO people VALUES ('canary-three', now()), ('canary-three', now())",
        "INSERT INTO people VALUES ('canary-four-longer-than-the-column', now())",
        "SELECT 'canary-five'::integer",
        "DO $$ BEGIN RAISE EXCEPTION 'canary-six'; END $$",
    ] {
        client.batch_execute(statement).await.unwrap_err();
    }
    client.query("SELECT $1::text::integer", &[&"canary-seven"]).await.unwrap_err();
    assert!(!testing::log(&cluster).contains("canary"), "{}", testing::log(&cluster));
    assert!(testing::log(&cluster).contains("ready to accept connections"));
}

/// The process that the next test starts and kills. It tests nothing by itself.
#[tokio::test]
#[ignore = "started and killed by the next test"]
async fn runs_until_killed() {
    let cluster = testing::own().await;
    println!("\npostmaster {} {}", cluster.pid().unwrap(), cluster.folder.display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_process_leaves_neither_postmaster_nor_test_folder() {
    use std::io::{BufRead, BufReader};
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::runs_until_killed", "--ignored", "--nocapture"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let line = stdout.lines().map_while(Result::ok).find(|line| line.starts_with("postmaster "));
    let line = line.unwrap();
    let mut words = line.split(' ').skip(1);
    let pid: i32 = words.next().unwrap().parse().unwrap();
    let folder = PathBuf::from(words.next().unwrap());
    assert!(folder.join("data/postmaster.pid").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the postmaster has shut down", async || {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_err()
    })
    .await;
    eventually("the folder is removed", async || !folder.exists()).await;
}

#[tokio::test]
async fn an_initdb_that_was_cut_short_is_done_again() {
    let mut cluster = testing::own().await;
    testing::run(&cluster, "postgres", "CREATE DATABASE migrated").await;
    cluster.stop().await;
    let folder = cluster.folder.clone();
    drop(cluster);
    std::fs::rename(folder.join("data"), folder.join("data.unfinished")).unwrap();
    let mut cluster =
        Cluster::start(ClusterSettings { data_folder: folder, ..ClusterSettings::default() }).await.unwrap();
    assert_eq!(number(&cluster, "SELECT count(*) FROM pg_database WHERE datname = 'migrated'").await, 0);
    cluster.stop().await;
}

#[tokio::test]
async fn whoever_does_not_run_this_program_is_not_let_in_whatever_name_it_gives() {
    let cluster = testing::shared().await;
    let hba = "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'peer' AND error IS NULL";
    let others = "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'peer' OR error IS NOT NULL";
    assert_eq!(number(cluster, hba).await, 1);
    assert_eq!(number(cluster, others).await, 0);
    // Only root can run commands as another user.
    let Some(user) = &cluster.user else { return };
    let socket = cluster.socket_folder();
    let as_user = |name: &str| {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid", name, "--clear-groups", "--", "psql", "-w", "-U", OWNER, "-c", "SELECT 1", "-h"]);
        command.arg(&socket).arg(OWNER).env("LC_ALL", "C").output().unwrap()
    };
    let tried = as_user(&user.name);
    assert_eq!(tried.status.success(), !user.is_shared(), "{}", String::from_utf8_lossy(&tried.stderr));
    if user.is_shared() {
        let said = String::from_utf8_lossy(&tried.stderr).into_owned();
        assert!(said.contains("Peer authentication failed"), "{said}");
    }
    assert!(as_user("root").status.success());
}

#[tokio::test]
async fn a_cluster_made_under_trust_is_closed_by_its_next_start() {
    let mut cluster = testing::own().await;
    let rules = cluster.folder.join("data/pg_hba.conf");
    std::fs::write(&rules, "local all all trust\n").unwrap();
    cluster.restart().await.unwrap();
    let trusting = "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'trust'";
    assert_eq!(number(&cluster, trusting).await, 0);
    cluster.stop().await;
}

#[tokio::test]
async fn the_end_of_the_postmaster_is_seen_whoever_ended_it() {
    let mut cluster = testing::own().await;
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGKILL] {
        let pid = nix::unistd::Pid::from_raw(cluster.pid().unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
        assert!(cluster.ended().await.is_some());
        cluster.restart().await.unwrap();
        assert_eq!(number(&cluster, "SELECT 1::bigint").await, 1);
    }
    cluster.stop().await;
}
