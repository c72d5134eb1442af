//! Tests of the findings of checks with severity `flag` on an accepted letter: they are in the receipt and are stored for the operators.

use sdc::answer::receipt::{Flag, FlaggedRow};
use sdc::letter::Letter;
use serde_json::json;

use super::super::arrival::Outcome;
use super::world::World;

/// Two rows break a check with severity `flag`, and a third row lacks a figure for it. The letter is accepted. The receipt has both flags,
/// and both are stored until operators explain them. This was wrong in `tests/faults/flagging-check-is-never-told`.
#[tokio::test]
async fn a_letter_that_breaks_a_flagging_check_is_accepted_told_of_and_kept_until_it_is_explained() {
    let world = World::new().await;
    world.sql("UPDATE xm.tables SET checks = jsonb_set(checks, '{0,severity}', '\"flag\"')").await;
    let mut letter = world.births(42, 1, &[("CE-042", 1), ("CE-042", 2), ("CE-042", 3), ("CE-042", 4)]);
    world.records(&mut letter).tables[0].values[5] = vec![json!(0), json!(9), json!(null), json!(3)];
    let quiet = world.births(43, 1, &[("CE-043", 1)]);
    let batch = vec![world.arrival(&letter).await, world.arrival(&quiet).await];
    assert_eq!(world.settle(batch).await, [Outcome::Accepted; 2]);

    let row = |row, arithmetic: &str| FlaggedRow { row, arithmetic: arithmetic.to_owned() };
    let flag = |unjudged, rows: Vec<FlaggedRow>| Flag {
        table: "Births".to_owned(),
        check: "few_twins".to_owned(),
        unjudged,
        rows_total: u32::try_from(rows.len()).unwrap(),
        rows,
    };
    let broken = flag(false, vec![row(2, "Jumeaux 9 (9) <= Status 2 (2)"), row(4, "Jumeaux 3 (3) <= Status 2 (2)")]);
    let unjudged = flag(true, vec![row(3, "Jumeaux ? (?) <= Status 2 (2)")]);
    let mut told = world.receipt(&letter).await.flags;
    told.sort_by_key(|flag| flag.unjudged);
    assert_eq!(told, [broken, unjudged]);
    assert_eq!(world.receipt(&quiet).await.flags, []);
    assert_eq!(world.count("SELECT flag_count FROM xm.journal WHERE agency = 42").await, 2);
    assert_eq!(world.count("SELECT flag_count FROM xm.journal WHERE agency = 43").await, 0);
    let kept = "SELECT count(*) FROM xm.flags WHERE agency = 42 AND explained_at IS NULL";
    assert_eq!(world.count(kept).await, 2);
    assert_eq!(world.count("SELECT rows_total FROM xm.flags WHERE NOT unjudged").await, 2);

    // The same records arrive in a new letter. They get no second flag, because the operators saw the flag when the records first arrived.
    let mut again = world.births(42, 2, &[("CE-042", 1), ("CE-042", 2), ("CE-042", 3), ("CE-042", 4)]);
    world.records(&mut again).tables[0].values[5] = vec![json!(0), json!(9), json!(null), json!(3)];
    assert_eq!(world.settle(vec![world.arrival(&again).await]).await, [Outcome::Accepted]);
    assert_eq!(world.receipt(&again).await.flags, []);
    assert_eq!(world.count(kept).await, 2);
}

/// If many rows are flagged, the flag lists the first rows and counts all. Rows that are stored already are not listed.
#[tokio::test]
async fn flags_of_ten_thousand_rows_are_counted_and_those_of_rows_held_take_no_room() {
    const ROWS: u64 = 10_050;
    let world = World::new().await;
    world.sql("UPDATE xm.tables SET checks = jsonb_set(checks, '{0,severity}', '\"flag\"')").await;
    let twins = |letter: &mut Letter, rows: u64| {
        let count = usize::try_from(rows).unwrap();
        world.records(letter).tables[0].values[5] = vec![json!(9); count];
    };
    let acts: Vec<(&str, u64)> = (1..=ROWS + 1).map(|act| ("CE-042", act)).collect();
    let mut first = world.births(42, 1, &acts[..acts.len() - 1]);
    twins(&mut first, ROWS);
    assert_eq!(world.settle(vec![world.arrival(&first).await]).await, [Outcome::Accepted]);
    let told = world.receipt(&first).await.flags;
    assert_eq!((told.len(), told[0].rows.len(), u64::from(told[0].rows_total)), (1, 100, ROWS));
    let mut again = world.births(42, 2, &acts);
    twins(&mut again, ROWS + 1);
    assert_eq!(world.settle(vec![world.arrival(&again).await]).await, [Outcome::Accepted]);
    let told = world.receipt(&again).await.flags;
    assert_eq!((told.len(), told[0].rows_total, u64::from(told[0].rows[0].row)), (1, 1, ROWS + 1));
    assert_eq!(told[0].rows[0].arithmetic, "Jumeaux 9 (9) <= Status 2 (2)");
    assert_eq!(world.count("SELECT sum(flag_count) FROM xm.journal").await, 2);
    assert_eq!(world.count("SELECT sum(rows_total) FROM xm.flags").await, i64::try_from(ROWS).unwrap() + 1);
}
