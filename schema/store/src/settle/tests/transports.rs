//! Tests that an answer waits for the transport by which its letter last arrived, and for no other.

use std::time::Duration;

use uuid::Uuid;

use super::world::World;
use crate::letters::outbox::{self, LeasedAnswer};
use crate::settle::Outcome;

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
        let claimed = outbox::lease(&mut connection, process, transport, 10, HOLD).await.unwrap();
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

async fn claim(world: &World, process: Uuid, transport: &str) -> Vec<LeasedAnswer> {
    outbox::lease(&mut *world.connection().await, process, transport, 10, HOLD).await.unwrap()
}

async fn assert_is_answered_by_the_last_of(first: &'static str, last: &'static str, parts: bool) {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    let comes_by = async |transport: &'static str| {
        let mut arrival = world.arrival(&letter).await;
        arrival.source.transport = transport;
        world.settle(vec![arrival]).await
    };
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(comes_by(first).await, [Outcome::Accepted]);
    if parts {
        world
            .sql(
                "INSERT INTO xm.answer_parts (agency, letter_id, attempt, part, payload, made_at)
                 SELECT agency, letter_id, 1, 1, 'part', now() FROM xm.letters",
            )
            .await;
    }
    assert_eq!(claim(&world, one, first).await.len(), 1, "it is on its way");
    assert_eq!(comes_by(last).await, [Outcome::Duplicate]);
    let due = "SELECT count(*) FROM xm.outbox WHERE attempts = 0 AND claimed_by IS NULL AND claimed_until IS NULL";
    assert_eq!((world.count(due).await, world.count("SELECT count(*) FROM xm.outbox").await), (1, 1));
    let in_parts = format!("SELECT count(*) FROM xm.outbox WHERE transport = '{last}-parts'");
    assert_eq!(world.count(&in_parts).await, i64::from(parts), "a program of the version before knows of no parts");
    assert!(claim(&world, one, first).await.is_empty());
    let claimed = claim(&world, other, last).await;
    assert_eq!(claimed.len(), 1, "{first}, {last}");

    // The same letter arrives again by the same transport. The answer remains leased to its process.
    assert_eq!(comes_by(last).await, [Outcome::Duplicate]);
    assert_eq!(world.count(due).await, 0);

    outbox::sent(&mut *world.connection().await, &claimed).await.unwrap();
    assert_eq!(comes_by(first).await, [Outcome::Duplicate]);
    assert!(claim(&world, one, first).await.is_empty(), "once an hour, by whatever way");
    world.sql("UPDATE xm.letters SET answered_at = now() - interval '2 hours'").await;
    assert_eq!(comes_by(last).await, [Outcome::Duplicate]);
    assert!(claim(&world, one, first).await.is_empty());
    assert_eq!(claim(&world, other, last).await.len(), 1);
}

#[tokio::test]
async fn a_letter_that_came_by_mail_and_comes_again_by_the_folder_is_answered_there() {
    assert_is_answered_by_the_last_of("mail", "folder", false).await;
    assert_is_answered_by_the_last_of("mail", "folder", true).await;
}

#[tokio::test]
async fn a_letter_that_came_by_the_folder_and_comes_again_by_mail_is_answered_there() {
    assert_is_answered_by_the_last_of("folder", "mail", false).await;
    assert_is_answered_by_the_last_of("folder", "mail", true).await;
}

#[tokio::test]
async fn of_a_letter_that_comes_twice_at_once_by_two_ways_the_later_one_counts() {
    let world = World::new().await;
    let letter = world.births(42, 1, &[("CE-042", 1)]);
    world.settle(vec![world.arrival(&letter).await]).await;
    let (mut by_folder, by_mail) = (world.arrival(&letter).await, world.arrival(&letter).await);
    by_folder.source.transport = "folder";
    assert_eq!(world.settle(vec![by_mail, by_folder]).await, [Outcome::Duplicate; 2]);
    assert_eq!(claim(&world, Uuid::now_v7(), "folder").await.len(), 1);
}
