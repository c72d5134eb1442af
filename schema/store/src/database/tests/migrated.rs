//! Tests of migrations run by several replicas at once, and by programs of two versions.

use diesel_async::SimpleAsyncConnection;
use diesel_migrations::FileBasedMigrations;

use super::super::*;
use super::count;
use crate::database::compatibility::{CONTRACTIONS, Contraction};
use crate::replicas::{self, Replica};
use crate::testing::{self, TestCluster};

#[tokio::test]
async fn two_replicas_may_migrate_at_once() {
    let database = TestCluster::shared().await.empty_database().await;
    let replicas = futures_util::future::join_all((0..3).map(|_| {
        let replica = database.clone();
        tokio::spawn(async move { replica.migrate().await })
    }))
    .await;
    let runs: Vec<usize> = replicas.into_iter().map(|replica| replica.unwrap().unwrap()).collect();
    assert_eq!(runs.iter().filter(|run| **run > 0).count(), 1, "one replica ran the migrations: {runs:?}");
    assert_eq!(count(&database, "xm.plans").await, 1);
    assert_eq!(count(&database, "pg_tables WHERE schemaname = 'public'").await, 0);
    // The journal and the originals each have partitions for this month and the two next months.
    assert_eq!(count(&database, "pg_class WHERE relname ~ '^(journal|originals)_20[0-9_]+$'").await, 6);
}

/// Each replica sets up the login that reads records for agencies. PostgreSQL refuses two sessions that change the same rights at the same
/// time, so the replicas must take turns.
#[tokio::test]
async fn replicas_may_begin_at_once_on_a_database_that_is_migrated() {
    let database = TestCluster::shared().await.database().await;
    for _round in 0..10 {
        let replicas = futures_util::future::join_all((0..4).map(|_| {
            let replica = database.clone();
            tokio::spawn(async move { replica.migrate().await })
        }))
        .await;
        replicas.into_iter().for_each(|run| assert_eq!(run.unwrap().unwrap(), 0));
    }
}

/// Makes the migrations of a later program: the migrations of this program, and one that makes an index CONCURRENTLY.
fn with_an_index() -> (tempfile::TempDir, FileBasedMigrations) {
    let place = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap() {
        let from = entry.unwrap().path();
        let to = place.path().join(from.file_name().unwrap());
        std::fs::create_dir(&to).unwrap();
        for file in std::fs::read_dir(&from).unwrap() {
            let file = file.unwrap().path();
            std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
    let index = place.path().join("00000000009999_index");
    std::fs::create_dir(&index).unwrap();
    let up = "-- expand\nCREATE UNIQUE INDEX CONCURRENTLY agencies_name ON xm.agencies (name);\n";
    for (name, text) in [
        ("up.sql", up),
        ("down.sql", "DROP INDEX CONCURRENTLY xm.agencies_name;\n"),
        ("metadata.toml", "run_in_transaction = false\n"),
    ] {
        std::fs::write(index.join(name), text).unwrap();
    }
    let migrations = FileBasedMigrations::from_path(place.path()).unwrap();
    (place, migrations)
}

#[tokio::test]
async fn replicas_that_wait_do_not_keep_an_index_from_being_made_concurrently() {
    let database = TestCluster::shared().await.database().await;
    let (_place, migrations) = with_an_index();
    let replicas = futures_util::future::join_all((0..3).map(|_| {
        let (replica, migrations) = (database.clone(), migrations.clone());
        tokio::spawn(async move { replica.run_migrations(migrations, &[]).await })
    }))
    .await;
    let runs: Vec<usize> = replicas.into_iter().map(|replica| replica.unwrap().unwrap()).collect();
    assert_eq!(runs.iter().sum::<usize>(), 1, "one replica made it: {runs:?}");
    assert_eq!(count(&database, "pg_index WHERE indexrelid = 'xm.agencies_name'::regclass AND indisvalid").await, 1);
}

#[tokio::test]
async fn an_index_that_a_failed_migration_left_is_made_anew() {
    let database = TestCluster::shared().await.database().await;
    let twins = "INSERT INTO xm.agencies (matricule, name, email)
        VALUES (1, 'Twin', 'one@example.org'), (2, 'Twin', 'two@example.org')";
    database.get().await.unwrap().batch_execute(twins).await.unwrap();
    let (_place, migrations) = with_an_index();
    let failed = database.run_migrations(migrations.clone(), &[]).await.unwrap_err();
    assert!(matches!(failed, MigrateError::Failed(_)), "{failed}");
    assert_eq!(count(&database, "pg_index WHERE NOT indisvalid").await, 1, "it is left behind");
    database.get().await.unwrap().batch_execute("UPDATE xm.agencies SET name = email").await.unwrap();
    assert_eq!(database.run_migrations(migrations, &[]).await.unwrap(), 1);
    assert_eq!(count(&database, "pg_index WHERE NOT indisvalid").await, 0);
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    connection
        .batch_execute("INSERT INTO xm.__diesel_schema_migrations VALUES ('99990101000000', now())")
        .await
        .unwrap();
    let error = database.migrate().await.unwrap_err();
    assert!(matches!(&error, MigrateError::DatabaseNewer { found } if found == "99990101000000"), "{error}");
    let error = database.require_current_schema().await.unwrap_err();
    assert!(matches!(&error, MigrateError::DatabaseNewer { found } if found == "99990101000000"), "{error}");
}

/// A newer program records the kind of each of its migrations. This program must accept the database if all unknown migrations are
/// expansions, and refuse it if not.
#[tokio::test]
async fn a_database_that_a_newer_program_has_only_expanded_is_accepted() {
    let database = TestCluster::shared().await.database().await;
    let (_place, migrations) = with_an_index();
    assert_eq!(database.run_migrations(migrations, &[]).await.unwrap(), 1);
    assert_eq!(database.migrate().await.unwrap(), 0);
    database.require_current_schema().await.unwrap();
    let contracted = "UPDATE xm.migrations SET kind = 'contract', since = '9.0.0' WHERE version LIKE '%9999'";
    database.get().await.unwrap().batch_execute(contracted).await.unwrap();
    assert!(matches!(database.migrate().await, Err(MigrateError::DatabaseNewer { .. })));
    assert!(matches!(database.require_current_schema().await, Err(MigrateError::DatabaseNewer { .. })));
}

const CONTRACTED: &[Contraction] = &[Contraction { version: "00000000009999", since: "0.2.0" }];

#[tokio::test]
async fn a_contraction_waits_for_the_end_of_older_programs() {
    let database = TestCluster::shared().await.database().await;
    let (_place, migrations) = with_an_index();
    let run = async || database.run_migrations(migrations.clone(), CONTRACTED).await.unwrap();
    let mut connection = database.get().await.unwrap();
    let old = Replica { version: "0.1.9".to_owned(), ..testing::replica(uuid::Uuid::from_u128(1)) };
    let new = Replica { version: "0.10.0".to_owned(), ..testing::replica(uuid::Uuid::from_u128(2)) };
    replicas::enter(&mut connection, &old).await.unwrap();
    replicas::enter(&mut connection, &new).await.unwrap();
    assert_eq!(run().await, 0);
    replicas::leave(&mut connection, &old).await.unwrap();
    let without_row = "INSERT INTO xm.leases VALUES ('mailbox:a', gen_random_uuid(), 1, now() + interval '9 seconds')";
    connection.batch_execute(without_row).await.unwrap();
    assert_eq!(run().await, 0, "a program that knows nothing of replicas holds a lease");
    connection.batch_execute("DELETE FROM xm.leases").await.unwrap();
    assert_eq!(run().await, 1);
    assert_eq!(count(&database, "xm.migrations WHERE kind = 'contract' AND since = '0.2.0'").await, 1);
}

#[test]
fn the_contractions_are_those_that_their_migrations_say() {
    let mut said: Vec<(String, String)> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let up = std::fs::read_to_string(entry.path().join("up.sql")).unwrap();
            let since = up.lines().next().unwrap().strip_prefix("-- contract since ")?.to_owned();
            Some((entry.file_name().to_str().unwrap().split('_').next().unwrap().to_owned(), since))
        })
        .collect();
    said.sort();
    let listed: Vec<(String, String)> =
        CONTRACTIONS.iter().map(|it| (it.version.to_owned(), it.since.to_owned())).collect();
    assert_eq!(said, listed);
}

#[tokio::test]
async fn a_database_that_lacks_a_migration_of_this_program_is_named() {
    let database = TestCluster::shared().await.database().await;
    database.require_current_schema().await.unwrap();
    let mut connection = database.get().await.unwrap();
    let last = "DELETE FROM xm.__diesel_schema_migrations WHERE version = (SELECT max(version) FROM xm.__diesel_schema_migrations)";
    connection.batch_execute(last).await.unwrap();
    let error = database.require_current_schema().await.unwrap_err();
    assert!(matches!(error, MigrateError::DatabaseOlder { missing: 1 }), "{error}");
}

/// Inserts rows into new partitions of the journal. In the BRIN index `xm.journal_number` of each partition, the first range must not have
/// a summary yet. If it had one, each of the first rows would change the summary, and inserts would wait for each other.
/// `brin_summarize_range` returns 1 if no summary existed.
#[tokio::test]
async fn no_line_of_a_new_part_of_the_journal_changes_the_index_of_its_numbers() {
    let database = TestCluster::shared().await.database().await;
    database.ensure_partitions(5).await.unwrap();
    let lines = "INSERT INTO xm.journal (received_at, outcome, transport, mailbox, container_bytes)
        SELECT now() + make_interval(months => n), 'accepted', 'mail', 'centre', 900 FROM generate_series(0, 9) n";
    database.get().await.unwrap().batch_execute(lines).await.unwrap();
    let parts = count(&database, "pg_inherits WHERE inhparent = 'xm.journal_number'::regclass").await;
    assert_eq!(parts, 7, "six months, and what is of no month");
    let without_summary = "pg_inherits i, brin_summarize_range(i.inhrelid::regclass, 0) AS made
        WHERE i.inhparent = 'xm.journal_number'::regclass AND made = 1";
    assert_eq!(count(&database, without_summary).await, parts);
}
