//! Tests of statements that are sent without waiting for each other. Stored records must still be found, and the reported fault must still
//! be the first one.

use sdc::refusal::RefusalCode;
use serde_json::json;

use super::super::arrival::Outcome;
use super::REFUSED;
use super::world::World;
use crate::database::fault::Fault;
use crate::database::statement::STATEMENT_BYTES_MAX;

/// Each batch has sixteen letters with different sets of columns. It needs sixteen statements, more than may be sent without waiting for
/// each other. One of the letters contradicts a stored record. Only this letter is refused, whichever it is.
#[tokio::test]
async fn a_record_that_is_held_is_found_whichever_set_of_columns_it_comes_with() {
    const OPTIONAL: [&str; 4] = ["Tuteur", "Temoin", "Greffier", "Juge"];
    let world = World::new().await;
    for name in OPTIONAL {
        let column = json!([{"name": name, "type": "integer", "nullable": true, "has_default": false}]);
        world.sql(&format!("ALTER TABLE registry.births ADD \"{name}\" integer")).await;
        world.sql(&format!("UPDATE xm.definitions SET columns = columns || '{column}'")).await;
    }
    world.settle(vec![world.arrival(&world.births(42, 1, &[("CE-042", 1)])).await]).await;
    let mut sequence = 1;
    for round in 0..16_usize {
        let mut batch = vec![];
        for set in 0..16_usize {
            sequence += 1;
            // One letter has the legal key of a stored record with other content.
            let act = if set == round { 1 } else { sequence };
            let mut letter = world.births(42, sequence, &[("CE-042", act)]);
            world.set_numeros(&mut letter, &[sequence]);
            world.rename(&mut letter, if set == round { "OTHER" } else { "MBARGA" });
            let table = &mut world.records(&mut letter).tables[0];
            for (bit, name) in OPTIONAL.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1) {
                table.columns.push((*name).to_owned());
                table.values.push(vec![json!(bit)]);
            }
            batch.push(world.arrival(&letter).await);
        }
        let mut expected = vec![Outcome::Accepted; 16];
        expected[round] = REFUSED(RefusalCode::Conflict);
        assert_eq!(world.settle(batch).await, expected, "{round}");
    }
    assert_eq!(world.count("SELECT count(*) FROM registry.births").await, 1 + 16 * 15);
}

fn missing(table: &str) -> Fault {
    Fault::Altered { sqlstate: "42P01".to_owned(), message: format!("relation \"xm.{table}\" does not exist") }
}

#[tokio::test]
async fn the_fault_told_is_that_of_the_statement_that_failed_first() {
    let world = World::new().await;
    world.tariff(100, 10, "owe").await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    for table in ["entries", "journal", "originals", "outbox"] {
        world.sql(&format!("ALTER TABLE xm.{table} RENAME TO {table}_away")).await;
        let written = world.settler.write(vec![world.arrival(&letter).await]).await.unwrap();
        let fault = written.post().await.unwrap_err().fault;
        assert_eq!(fault, missing(table));
        world.sql(&format!("ALTER TABLE xm.{table}_away RENAME TO {table}")).await;
    }
    // The originals of this batch need two statements. The second is sent after the statement for the outbox has failed, and the reported
    // fault must still be that of the outbox.
    world.sql("ALTER TABLE xm.outbox RENAME TO outbox_away").await;
    let mut large = vec![world.arrival(&letter).await, world.arrival(&world.births(42, 2, &[("CE-042", 2)])).await];
    large.iter_mut().for_each(|arrival| arrival.container = vec![b'x'; STATEMENT_BYTES_MAX]);
    let fault = world.settler.write(large).await.unwrap().post().await.unwrap_err().fault;
    assert_eq!(fault, missing("outbox"));
    world.sql("ALTER TABLE xm.outbox_away RENAME TO outbox").await;
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [Outcome::Accepted], "nothing was kept");
}
