//! An answer waits for the transport that its letter came by, and for no other.

use std::time::Duration;

use uuid::Uuid;

use super::world::World;
use crate::outbox;

const HOLD: Duration = Duration::from_secs(60);

#[tokio::test]
async fn each_transport_is_claimed_and_released_apart_and_no_address_is_needed_for_a_file() {
    let world = World::new().await;
    let mut by_folder = world.arrival(&world.births(42, 1, &[("CE-042", 1)])).await;
    by_folder.source.transport = "folder";
    let by_mail = world.arrival(&world.births(42, 2, &[("CE-042", 2)])).await;
    world.settle(vec![by_folder, by_mail]).await;
    world.sql("UPDATE xm.agencies SET email = '' WHERE matricule = 42").await;
    let (mut connection, process) = (world.connection().await, Uuid::now_v7());
    let mut claim = async |transport: &str| {
        let claimed = outbox::claim(&mut connection, process, transport, 10, HOLD).await.unwrap();
        claimed.into_iter().map(|answer| answer.of_letter).collect::<Vec<_>>()
    };
    let of_letter = |sequence| vec![Some(("pc1".to_owned(), sequence))];
    assert_eq!(claim("folder").await, of_letter(1));
    assert_eq!(claim("mail").await, of_letter(2));
    assert!(claim("folder").await.is_empty() && claim("mail").await.is_empty(), "both are claimed");
    outbox::release_of(&mut *world.connection().await, process, "folder").await.unwrap();
    assert!(claim("mail").await.is_empty(), "its mails are still on their way");
    assert_eq!(claim("folder").await, of_letter(1));
}
