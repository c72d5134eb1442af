//! Tests of letters that contradict stored records: operators see the stored versions of these, and no letter can exceed the bound on their
//! size.

use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;
use sdc::refusal::{ROW_FAULTS_MAX, RefusalCode};
use serde_json::{Value, json};

use super::super::arrival::Outcome;
use super::REFUSED;
use super::world::World;
use crate::database::statement::Statement;

/// Inserts this number of records into the table, as an earlier letter would have. Each has a name of `name_chars` characters.
async fn hold(world: &World, records: u64, name_chars: usize) {
    world
        .sql(&format!(
            "INSERT INTO registry.births (\"Status\", \"CentreCode\", \"NumeroActe\", \"Nom\", xm_agency, xm_installation, xm_numero)
             SELECT 2, 'CE-042', n, repeat('N', {name_chars}), 42, 'pc1', n FROM generate_series(1, {records}) n"
        ))
        .await;
}

async fn held_versions(world: &World) -> Vec<Value> {
    let text = "SELECT held_version::text FROM xm.quarantine WHERE held";
    let rows: Vec<String> = Statement::<Text>::new(text, &[]).load(&mut *world.connection().await).await.unwrap();
    rows.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

#[tokio::test]
async fn a_letter_that_contradicts_thousands_of_large_records_is_told_a_hundred_of_them_cut() {
    let world = World::new().await;
    hold(&world, 5000, 100_000).await;
    let acts: Vec<(&str, u64)> = (1..=5000).map(|act| ("CE-042", act)).collect();
    let letter = world.births(42, 1, &acts);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [REFUSED(RefusalCode::Conflict)]);
    let refusal = world.receipt(&letter).await.refusal.unwrap();
    assert_eq!((refusal.faults.len(), refusal.faults_total), (ROW_FAULTS_MAX, 5000));
    let versions = held_versions(&world).await;
    let versions = versions[0].as_array().unwrap();
    assert_eq!(versions.len(), ROW_FAULTS_MAX);
    for version in versions {
        assert!(version["beginning"].as_str().unwrap().len() <= 4096, "{version}");
        assert!(version["bytes"].as_u64().unwrap() > 100_000);
    }
}

#[tokio::test]
async fn every_letter_of_a_batch_shows_what_it_contradicts_and_small_records_are_shown_whole() {
    let world = World::new().await;
    hold(&world, 50, 10).await;
    let letters: Vec<_> = (1..=50).map(|act| world.births(42, act, &[("CE-042", act)])).collect();
    let mut batch = Vec::new();
    for (letter, mark) in letters.iter().zip(0..) {
        let mut arrival = world.arrival(letter).await;
        // Each letter gets different container bytes, otherwise quarantine would take the letters for copies of each other.
        arrival.container[0] = mark;
        batch.push(arrival);
    }
    assert_eq!(world.settle(batch).await, [REFUSED(RefusalCode::Conflict); 50]);
    let versions = held_versions(&world).await;
    assert_eq!(versions.len(), 50);
    assert!(versions.iter().all(|version| version[0]["Nom"] == json!("N".repeat(10))), "{versions:?}");
}

#[tokio::test]
async fn a_record_that_differs_by_one_way_and_agrees_by_the_other_is_a_conflict() {
    let world = World::new().await;
    world.settle(vec![world.arrival(&world.births(42, 1, &[("CE-042", 1), ("CE-042", 2)])).await]).await;
    // The letter has the sender's number 1, but the act that the sender first sent as number 2.
    let mut crossed = world.births(42, 2, &[("CE-042", 2)]);
    world.set_numeros(&mut crossed, &[1]);
    assert_eq!(world.settle(vec![world.arrival(&crossed).await]).await, [REFUSED(RefusalCode::Conflict)]);
    let again = world.births(42, 3, &[("CE-042", 1), ("CE-042", 2)]);
    assert_eq!(world.settle(vec![world.arrival(&again).await]).await, [Outcome::Accepted]);
    let receipt = world.receipt(&again).await;
    assert_eq!((receipt.rows[0].new, receipt.rows[0].duplicate), (0, 2));
}

/// However large the stored records are, a batch fetches no more of their versions than the settings allow.
#[tokio::test]
async fn the_versions_of_a_batch_stay_within_its_bound() {
    let world = World::with_held_bytes_max(16 << 10).await;
    hold(&world, 300, 3000).await;
    let acts: Vec<(&str, u64)> = (1..=300).map(|act| ("CE-042", act)).collect();
    let letter = world.births(42, 1, &acts);
    assert_eq!(world.settle(vec![world.arrival(&letter).await]).await, [REFUSED(RefusalCode::Conflict)]);
    let text = "SELECT octet_length(held_version::text)::bigint FROM xm.quarantine";
    let bytes: Vec<i64> = Statement::<BigInt>::new(text, &[]).load(&mut *world.connection().await).await.unwrap();
    assert!((1000..20 << 10).contains(&bytes[0]), "{bytes:?}");
}
