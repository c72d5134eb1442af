//! Tests that large original containers are stored whole, and that no connection keeps the memory that they needed.

use sdc::refusal::RefusalCode;

use super::super::arrival::{Arrival, Outcome};
use super::world::World;
use crate::database::statement::STATEMENT_BYTES_MAX;

/// Gives an arrival a large container. Different marks give different containers.
fn enlarge(mut arrival: Arrival, mark: u8) -> Arrival {
    arrival.container = vec![mark; STATEMENT_BYTES_MAX + 1];
    arrival.container_bytes = arrival.container.len();
    arrival.rendered_bytes = arrival.container.len();
    arrival
}

#[tokio::test]
async fn large_originals_are_kept_whole_beside_small_ones() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("1", 1)]);
    let known = enlarge(world.arrival(&letter).await, b'a');
    let strangers = (0u32..8).map(|number| {
        let stranger = world.stranger(RefusalCode::UnknownSigner, number);
        if number % 3 == 0 { enlarge(stranger, b'0' + u8::try_from(number).unwrap()) } else { stranger }
    });
    let outcomes = world.settle(std::iter::once(known).chain(strangers).collect()).await;
    assert_eq!(outcomes[0], Outcome::Refused(RefusalCode::LetterTooLarge));
    assert_eq!(outcomes[1..], [Outcome::Refused(RefusalCode::UnknownSigner); 8]);
    let large = STATEMENT_BYTES_MAX + 1;
    let whole = format!("SELECT count(*) FROM xm.quarantine WHERE octet_length(original) = {large}");
    assert_eq!(world.count(&whole).await, 4);
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine WHERE octet_length(original) = 1000").await, 5);
}

#[tokio::test]
async fn a_connection_that_carried_a_large_original_closes() {
    let world = World::new().await;
    world.settle(vec![world.stranger(RefusalCode::UnknownSigner, 1)]).await;
    let (before, _) = world.database.connections();
    world.settle(vec![world.stranger(RefusalCode::UnknownSigner, 2)]).await;
    assert_eq!(world.database.connections().0, before, "a small one goes back to the pool");
    world.settle(vec![enlarge(world.stranger(RefusalCode::UnknownSigner, 3), b'3')]).await;
    assert_eq!(world.database.connections().0, before - 1);
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine").await, 3);
}
