//! Letters that bring any set of columns: none of them makes a connection keep more than it should.

use sdc::letter::Letter;
use serde_json::json;

use super::super::arrival::Outcome;
use super::world::World;

/// Columns that a letter may leave out. The sets of them (two to this power) are more than the statements that connections keep.
const COLUMNS: u64 = 9;
/// Most statements that a connection keeps: for columns as many as `statement::kept` says, and the program's own.
const KEPT_MAX: i64 = 256;
/// Counts the statements that this connection keeps.
const KEPT: &str = "SELECT count(*) FROM pg_prepared_statements";

/// A letter with the columns that the number's bits name.
fn with_columns(world: &World, sequence: u64, columns: u64) -> Letter {
    let mut letter = world.births(42, sequence, &[("CE-042", sequence)]);
    for at in (0..COLUMNS).filter(|at| columns & (1 << at) != 0) {
        world.set_column(&mut letter, &format!("c{at}"), &json!(1));
    }
    letter
}

#[tokio::test]
async fn connections_keep_no_statement_for_each_set_of_columns_that_is_ever_sent() {
    let world = World::new().await;
    for at in 0..COLUMNS {
        world.add_column(&format!("c{at}"), "integer", json!({"type": "integer"})).await;
    }
    let mut sequence = 0;
    let mut settle_sets = async |sets: std::ops::Range<u64>| {
        let mut batch = Vec::new();
        for columns in sets {
            sequence += 1;
            batch.push(world.arrival(&with_columns(&world, sequence, columns)).await);
        }
        let outcomes = world.settle(batch).await;
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Accepted), "{outcomes:?}");
        // The connection used last is the next that is lent.
        world.count(KEPT).await
    };
    let rare = settle_sets(0..300).await;
    assert!(rare <= KEPT_MAX, "{rare} statements are kept, of {} sets of columns sent once", 300);
    for _ in 0..8 {
        settle_sets(0..1).await;
    }
    let of_births = world.count(&format!("{KEPT} WHERE statement LIKE 'INSERT INTO%births%'")).await;
    assert!(of_births >= 1, "what is used often is kept");
}
