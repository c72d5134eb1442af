//! Tests that programs of the former version still work. They continue to run after this version has migrated the database, so the tests
//! use copies of their statements.

use diesel_async::SimpleAsyncConnection;

use crate::database::Connection;
use crate::testing::TestCluster;
use crate::testing::centre::{run, value};

const PLANS_DOWN: &str = include_str!("../../../migrations/00000000000016_plans/down.sql");
const PLANS_UP: &str = include_str!("../../../migrations/00000000000016_plans/up.sql");

/// Statements by which the former version reads agencies, rights and prices.
const READS: [&str; 4] = [
    "SELECT a.matricule, a.revision, a.status, a.profile, a.letter_bytes_max, a.cbc_allowed FROM xm.agencies a WHERE a.profile = 'gold'",
    "SELECT table_id, profile, may_export FROM xm.rights WHERE profile = 'gold'",
    "SELECT profile, service, table_id, per_act, per_started_kb, credit, valid_from, valid_to FROM xm.tariffs WHERE profile = 'gold'",
    "SELECT name FROM xm.profiles WHERE name = 'gold' ORDER BY name",
];
/// Statements by which the former version writes agencies, rights and prices.
const WRITES: &str = "
    INSERT INTO xm.agencies (matricule, name, town, telephone, email, profile, status) VALUES (1, 'a', '', '', 'a@b.c', 'gold', 3);
    INSERT INTO xm.agencies (matricule, name, email) VALUES (2, 'b', 'b@b.c');
    INSERT INTO xm.rights (table_id, profile, may_export, may_read) SELECT id, 'gold', true, 'none' FROM xm.tables;
    INSERT INTO xm.tariffs (profile, service, per_act, per_started_kb, credit, valid_from) VALUES
        ('gold', 'export', 1, 0, 'owe', now()), (NULL, 'export', 2, 0, 'owe', now())";

async fn rows(connection: &mut Connection, from: &str) -> i64 {
    value(connection, &format!("SELECT count(*) FROM {from}")).await
}

async fn assert_is_gold(connection: &mut Connection) {
    for read in READS {
        assert_eq!(rows(connection, &format!("({read}) r")).await, 1, "{read}");
        let now = read.replace("xm.profiles", "xm.plans").replace("profile", "plan");
        assert_eq!(rows(connection, &format!("({now}) r")).await, 1, "{now}");
    }
    assert_eq!(rows(connection, "xm.agencies WHERE plan = 'standard' AND profile = 'standard'").await, 1);
    assert_eq!(rows(connection, "xm.tariffs WHERE plan IS NULL AND profile IS NULL").await, 1);
}

#[tokio::test]
async fn a_plan_goes_on_under_its_former_name() {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    let table = "INSERT INTO xm.tables (application, name, schema_name, relation_name, legal_key)
        VALUES ('ecr', 'Acte', 'ecr', 'acte', '{Numero}')";
    run(&mut connection, table).await;

    // After `PLANS_DOWN` the schema is that of the former version. The rows that the former version writes must still be there after
    // `PLANS_UP`, the migration. The migration replaces the table `xm.profiles` by a view; statements that the former version prepared on
    // the table must still work on the view.
    run(&mut connection, PLANS_DOWN).await;
    run(&mut connection, "INSERT INTO xm.profiles (name) VALUES ('gold')").await;
    run(&mut connection, WRITES).await;
    run(&mut connection, "PREPARE names AS SELECT name FROM xm.profiles ORDER BY name").await;
    run(&mut connection, "PREPARE signer AS SELECT a.matricule, a.profile FROM xm.agencies a").await;
    run(&mut connection, PLANS_UP).await;
    run(&mut connection, "EXECUTE names; EXECUTE signer").await;
    assert_is_gold(&mut connection).await;

    // The former version, which writes profiles, continues to run after the migration. Triggers turn the rows that it writes into plans.
    run(
        &mut connection,
        "DELETE FROM xm.tariffs; DELETE FROM xm.rights; DELETE FROM xm.agencies;
        DELETE FROM xm.profiles WHERE name = 'gold'",
    )
    .await;
    assert_eq!(rows(&mut connection, "xm.plans WHERE name = 'gold'").await, 0);
    run(&mut connection, "INSERT INTO xm.profiles (name) VALUES ('gold')").await;
    run(&mut connection, WRITES).await;
    assert_is_gold(&mut connection).await;
    run(&mut connection, "UPDATE xm.agencies SET profile = 'standard' WHERE matricule = 1").await;
    assert_eq!(rows(&mut connection, "xm.agencies WHERE plan = 'standard'").await, 2);

    // The former version can read rows that this program writes.
    run(&mut connection, "UPDATE xm.agencies SET plan = 'gold', name = 'c' WHERE matricule = 1").await;
    assert_is_gold(&mut connection).await;
    let ours = "INSERT INTO xm.agencies (matricule, name, email, plan) VALUES (3, 'd', 'd@b.c', 'gold');
                INSERT INTO xm.plans (name) VALUES ('silver'); UPDATE xm.tariffs SET plan = 'silver' WHERE plan = 'gold';
                UPDATE xm.rights SET plan = 'silver'";
    run(&mut connection, ours).await;
    for from in [
        "xm.agencies WHERE profile = 'gold' AND matricule = 3",
        "xm.profiles WHERE name = 'silver'",
        "xm.tariffs WHERE profile = 'silver'",
        "xm.rights WHERE profile = 'silver'",
    ] {
        assert_eq!(rows(&mut connection, from).await, 1, "{from}");
    }
    let unknown = "INSERT INTO xm.agencies (matricule, name, email, plan) VALUES (4, 'e', 'e@b.c', 'none')";
    assert!(connection.batch_execute(unknown).await.is_err());
}
