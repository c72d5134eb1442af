//! A test that PostgreSQL looks legal keys up in their index. Under a view with a security barrier, PostgreSQL may instead read the whole
//! table, which takes seconds where the table has millions of rows.

use diesel::sql_types::Text;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use store::database::statement::Statement;
use store::reading::login;
use store::tables::examine::ColumnValues;
use store::testing::TestCluster;

use super::world::{TABLE, TABLE_ID, columns, definition, permit};
use crate::render::{Bounds, Statuses, render_keys};

#[tokio::test]
async fn legal_keys_are_looked_up_in_their_index() {
    let database = TestCluster::shared().await.database().await;
    let mut connection = database.get().await.unwrap();
    connection.batch_execute(TABLE).await.unwrap();
    login::adopt(&mut connection, TABLE_ID, "lab", "acte", &columns()).await.unwrap();
    // The role that reads the views plans the statement, as in production: for the superuser, who may read everything, PostgreSQL may
    // choose another plan. A table as small as the test's would be read whole even where the index could be used; the settings forbid that.
    let text = r#"CREATE UNIQUE INDEX legal_key ON lab.acte ("Centre", "Rang") WHERE "Status" <> 0;
                  CREATE INDEX cancelled ON lab.acte ("Centre", "Rang") WHERE "Status" = 0;
                  SET ROLE xm_reader; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"#;
    connection.batch_execute(text).await.unwrap();
    let column = |name: &str| columns().into_iter().find(|column| column.name == name).unwrap();
    let keys = [
        (column("Centre"), ColumnValues::Text(vec![Some("CE-042".to_owned()); 2])),
        (column("Rang"), ColumnValues::Smallint(vec![Some(1), Some(2)])),
    ];
    let own = permit(Some((42, &["CE-042"])));
    for permit in [&permit(None), &own] {
        for (statuses, index) in [(Statuses::Live, "legal_key"), (Statuses::Cancelled, "cancelled")] {
            let bounds = Bounds { permit, statuses, age_max: None };
            let rendered = render_keys(&definition(), &keys, &columns(), &bounds);
            let text = format!("EXPLAIN {}", rendered.text);
            let binds = rendered.binds();
            let plan: Vec<String> = Statement::<Text>::of_columns(&text, &binds).load(&mut *connection).await.unwrap();
            let plan = plan.join("\n");
            let is_by_key = plan.contains(index) && plan.contains("= k.k0)") && plan.contains("= k.k1)");
            assert!(is_by_key && !plan.contains("Join Filter"), "{plan}");
        }
    }
}
