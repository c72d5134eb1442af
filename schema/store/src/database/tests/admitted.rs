//! Tests of logins that PostgreSQL refuses.

use diesel::sql_types::Text;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};

use super::super::{Database, DatabaseSettings};
use crate::database::fault::Fault;
use crate::database::statement::Statement;
use crate::testing::{TestCluster, eventually};

#[tokio::test]
async fn who_is_not_let_in_is_told_so_and_not_that_the_database_is_away() {
    let cluster = TestCluster::shared().await;
    let database = cluster.database().await;
    let mut connection = database.get().await.unwrap();
    connection.batch_execute("CREATE ROLE with_password LOGIN PASSWORD 'right'").await.unwrap();
    let files: Vec<String> =
        Statement::<Text>::new("SELECT current_setting('hba_file')", &[]).load(&mut connection).await.unwrap();
    let rules = std::fs::read_to_string(&files[0]).unwrap();
    std::fs::write(&files[0], format!("local all with_password scram-sha-256\n{rules}")).unwrap();
    connection.batch_execute("SELECT pg_reload_conf()").await.unwrap();

    let url = cluster.cluster.url_of("postgres");
    let tried = async |user: &str, database: &str| {
        let url = url.replace("//xmserver@", &format!("//{user}@")).replace("/postgres", &format!("/{database}"));
        Database::new(DatabaseSettings::new(url)).unwrap().get().await.map(drop)
    };
    eventually("the rule is read", async || tried("with_password:right", "postgres").await.is_ok()).await;
    for (user, database, expected) in [
        ("with_password:wrong", "postgres", "28P01"),
        ("with_password", "postgres", "28P01"),
        ("nobody_here", "postgres", "28000"),
        ("xmserver", "no_such_database", "3D000"),
    ] {
        let fault = tried(user, database).await.unwrap_err();
        let Fault::NotAdmitted { sqlstate, .. } = &fault else { panic!("{user}: {fault}") };
        assert_eq!(sqlstate, expected, "{user}: {fault}");
        // The fault counts as away, so that a program that runs waits until the login works.
        assert!(
            fault.is_away() && fault.is_not_admitted() && fault.to_string().contains("database.url_file"),
            "{fault}"
        );
    }
}
