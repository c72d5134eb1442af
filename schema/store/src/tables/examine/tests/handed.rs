//! Tests of tables that could delay the letters of other tables: they were altered since their adoption, or have a trigger whose error
//! looks like another fault.

use sdc::refusal::RefusalCode;

use super::lab::{Lab, case, fault};
use crate::settle::Outcome;

#[tokio::test]
async fn a_table_that_lost_a_column_holds_up_its_own_letter_and_none_of_eight_others() {
    let (sql, definitions, body) = case!("drifted-table-holds-up-others");
    let mut lab = Lab::adopting(sql, definitions).await;
    // PostgreSQL does not drop a column that a view uses, so the readers' views are dropped first.
    lab.world.sql("DROP SCHEMA xm_read CASCADE; ALTER TABLE lab.\"Weg\" DROP COLUMN \"W\"").await;
    let mut batch = vec![lab.arrival(body).await];
    for act in 1..=8 {
        batch.push(lab.world.arrival(&lab.world.births(43, act, &[("CE-043", act)])).await);
    }
    let mut expected = vec![Outcome::Accepted; 9];
    expected[0] = Outcome::Deferred;
    assert_eq!(lab.world.settle(batch).await, expected);
}

#[tokio::test]
async fn a_trigger_that_speaks_like_a_database_that_is_away_or_altered_refuses_its_row_only() {
    for (sql, definitions, body) in [case!("trigger-says-could-not-open"), case!("trigger-says-column-does-not-exist")]
    {
        let mut lab = Lab::adopting(sql, definitions).await;
        let beside = lab.world.arrival(&lab.world.births(43, 1, &[("CE-043", 1)])).await;
        let batch = vec![lab.arrival(body).await, beside];
        let expected = [Outcome::Refused(RefusalCode::RowsInvalid), Outcome::Accepted];
        assert_eq!(lab.world.settle(batch).await, expected, "{sql}");
        // The table still takes letters without the bad value.
        lab.send_twice(&body.replace("\"bad\"", "\"good\""), 1).await;
    }
}
