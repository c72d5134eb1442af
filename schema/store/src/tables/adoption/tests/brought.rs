//! Tests of tables that have records already when they are adopted, as those that another system leaves.

use super::*;

#[tokio::test]
async fn a_table_with_a_hundred_thousand_records_is_adopted_and_keeps_them() {
    let (_database, mut connection) = centre().await;
    run(&mut connection, GOOD).await;
    let brought = r#"INSERT INTO shop."Thing" ("Status", "Shop", "Number", "Price")
        SELECT 2, 'S' || n % 500, n, n FROM generate_series(1, 100000) n"#;
    run(&mut connection, brought).await;
    let adopted = tables::adopt(&mut connection, &OPERATOR, &file("")).await.unwrap();
    assert_eq!(adopted[0].outcome, Outcome::Adopted);
    let kept = r#"SELECT count(*) FROM shop."Thing" WHERE "Status" = 2 AND "Price" = "Number" AND xm_agency IS NULL"#;
    assert_eq!(value(&mut connection, kept).await, 100_000);
    assert_eq!(tables::check(&mut connection).await.unwrap(), []);
    // What was brought counts as live: the same legal key cannot be written a second time.
    let again = r#"INSERT INTO shop."Thing" ("Status", "Shop", "Number") VALUES (2, 'S7', 7)"#;
    assert!(connection.batch_execute(again).await.is_err());
    let again = tables::adopt(&mut connection, &OPERATOR, &file("")).await.unwrap();
    assert_eq!(again[0].outcome, Outcome::Unchanged);
}
