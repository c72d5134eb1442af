//! Tests that letters with any set of columns do not make a connection keep more prepared statements than it may.

use sdc::letter::Letter;
use serde_json::json;

use super::super::arrival::Outcome;
use super::world::World;

/// Number of columns that a letter may leave out. There are two to this power sets of columns, more than the number of statements that a
/// connection keeps.
const COLUMNS: u64 = 9;
/// Largest number of prepared statements that a connection keeps: the ones for sets of columns, bounded by `statement::kept`, and the
/// program's own.
const KEPT_MAX: i64 = 256;
/// Counts the prepared statements that this connection keeps.
const KEPT: &str = "SELECT count(*) FROM pg_prepared_statements";

/// Makes a letter with one column for each bit that is set in `columns`.
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
        // The pool lends the connection that was used last, so this counts the statements of the settler's connection.
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
