//! Tests of replicas and of the leases that they share.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;

use super::*;
use crate::database::Connection;
use crate::letters::leases::{self, Lease};
use crate::testing::{self, TestCluster};

const HOLD: Duration = Duration::from_secs(30);

async fn connection() -> Connection {
    TestCluster::shared().await.database().await.get().await.unwrap()
}

fn replica(number: u128, host: &str) -> Replica {
    Replica {
        host: host.to_owned(),
        leases: vec!["mailbox:a".to_owned(), "mailbox:b".to_owned()],
        ..testing::replica(Uuid::from_u128(number))
    }
}

/// Moves the last sign of life of a process into the past.
async fn silence(connection: &mut Connection, process: Uuid, seconds: u32) {
    let text =
        format!("UPDATE xm.replicas SET seen_at = seen_at - interval '{seconds} seconds' WHERE process = '{process}'");
    connection.batch_execute(&text).await.unwrap();
}

async fn pass(connection: &mut Connection, seconds: u32) {
    let text = format!("UPDATE xm.leases SET held_until = held_until - interval '{seconds} seconds'");
    connection.batch_execute(&text).await.unwrap();
}

async fn names(connection: &mut Connection) -> Vec<u128> {
    live(connection).await.unwrap().iter().map(|live| live.process.as_u128()).collect()
}

#[tokio::test]
async fn of_two_lives_of_one_process_only_the_other_one_is_admitted_once_the_first_is_dead() {
    let c = &mut connection().await;
    let first = replica(1, "one");
    assert_eq!(enter(c, &first).await.unwrap(), Entry::Entered);
    assert_eq!(beat(c, &first, false).await.unwrap(), Entry::Entered);
    let copied = Replica { data_folder: "/srv".to_owned(), ..replica(1, "two") };
    let twin = Entry::Twin(Twin { host: "one".to_owned(), data_folder: String::new() });
    assert_eq!(enter(c, &copied).await.unwrap(), twin);
    let same_host = Replica { data_folder: "/srv".to_owned(), ..replica(1, "one") };
    assert_eq!(enter(c, &same_host).await.unwrap(), twin, "a copied folder on the same host is another program");
    let rebooted = Replica { boot: "later".to_owned(), ..replica(1, "one") };
    assert_eq!(enter(c, &rebooted).await.unwrap(), twin, "the host's name alone proves nothing");
    silence(c, first.process, 16).await;
    assert_eq!(enter(c, &copied).await.unwrap(), Entry::Entered);
    let replaced = Twin { host: "two".to_owned(), data_folder: "/srv".to_owned() };
    assert_eq!(beat(c, &first, false).await.unwrap(), Entry::Twin(replaced), "the first was frozen, and goes on");
}

#[tokio::test]
async fn a_process_that_starts_again_on_its_folder_or_after_its_end_need_not_wait() {
    let c = &mut connection().await;
    let first = replica(1, "one");
    assert_eq!(enter(c, &first).await.unwrap(), Entry::Entered);
    let again = replica(1, "one");
    assert_eq!(enter(c, &again).await.unwrap(), Entry::Entered);
    leave(c, &first).await.unwrap();
    assert_eq!(names(c).await, [1], "the former life ends nothing of the present one");
    leases::take(c, "housekeeping", again.process, HOLD, true).await.unwrap();
    leave(c, &first).await.unwrap();
    let other = Uuid::from_u128(2);
    assert_eq!(leases::take(c, "housekeeping", other, HOLD, true).await.unwrap(), Lease::Elsewhere);
    leave(c, &again).await.unwrap();
    assert!(names(c).await.is_empty());
    let taken = leases::take(c, "housekeeping", other, HOLD, true).await.unwrap();
    assert_eq!(taken, Lease::Held { token: 2, is_wanted: false }, "whoever ends keeps nothing");
    assert_eq!(enter(c, &replica(1, "two")).await.unwrap(), Entry::Entered);
}

#[tokio::test]
async fn the_dead_and_those_that_drain_share_nothing_and_old_programs_keep_what_they_hold() {
    let c = &mut connection().await;
    for number in 1..=3 {
        enter(c, &replica(number, "host")).await.unwrap();
    }
    let old = Uuid::from_u128(4);
    leases::take(c, "mailbox:b", old, HOLD, true).await.unwrap();
    beat(c, &replica(5, "host"), true).await.unwrap();
    silence(c, Uuid::from_u128(2), 16).await;
    let mut found = live(c).await.unwrap();
    found.sort_by_key(|live| live.process);
    let found: Vec<(u128, usize)> = found.iter().map(|live| (live.process.as_u128(), live.leases.len())).collect();
    assert_eq!(found, [(1, 2), (3, 2), (4, 1)]);
    pass(c, 31).await;
    assert_eq!(names(c).await.len(), 2, "the old program has ended");
}

#[tokio::test]
async fn what_a_dead_replica_had_leased_is_free_at_once_and_only_once() {
    let c = &mut connection().await;
    let (dead, other) = (replica(1, "one"), replica(2, "two"));
    enter(c, &dead).await.unwrap();
    enter(c, &other).await.unwrap();
    leases::take(c, "mailbox:a", dead.process, HOLD, true).await.unwrap();
    let claim = "INSERT INTO xm.outbox (agency, payload, transport, claimed_by, claimed_until)
                 VALUES (1, 'x', 'mail', '00000000-0000-0000-0000-000000000001', now() + interval '2 minutes')";
    c.batch_execute(claim).await.unwrap();
    assert!(bury(c).await.unwrap().is_empty());
    assert_eq!(leases::take(c, "mailbox:a", other.process, HOLD, true).await.unwrap(), Lease::Elsewhere);
    silence(c, dead.process, 16).await;
    assert_eq!(bury(c).await.unwrap(), [dead.process]);
    assert!(bury(c).await.unwrap().is_empty());
    let taken = leases::take(c, "mailbox:a", other.process, HOLD, true).await.unwrap();
    assert_eq!(taken, Lease::Held { token: 2, is_wanted: false });
    let claimed = "SELECT id FROM xm.outbox WHERE claimed_until IS NOT NULL";
    let claimed: Vec<i64> = Statement::<diesel::sql_types::BigInt>::new(claimed, &[]).load(c).await.unwrap();
    assert!(claimed.is_empty(), "{claimed:?}");
    // The replica was only frozen, and continues.
    assert_eq!(beat(c, &dead, false).await.unwrap(), Entry::Entered);
    assert_eq!(names(c).await.len(), 2);
}

#[tokio::test]
async fn a_lease_goes_to_the_replica_that_it_falls_to_when_that_one_asks() {
    let c = &mut connection().await;
    let (holder, newcomer) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let held = |token, is_wanted| Lease::Held { token, is_wanted };
    assert_eq!(leases::take(c, "a", holder, HOLD, true).await.unwrap(), held(1, false));
    assert_eq!(leases::take(c, "a", holder, HOLD, false).await.unwrap(), held(1, false), "nobody asks for it");
    assert_eq!(leases::take(c, "a", newcomer, HOLD, true).await.unwrap(), Lease::Elsewhere);
    assert_eq!(leases::take(c, "a", holder, HOLD, false).await.unwrap(), held(1, true));
    leases::release(c, "a", holder).await.unwrap();
    assert_eq!(leases::take(c, "a", holder, HOLD, false).await.unwrap(), Lease::Elsewhere, "it was given up");
    assert_eq!(leases::take(c, "a", newcomer, HOLD, true).await.unwrap(), held(2, false));
    assert_eq!(leases::take(c, "a", newcomer, HOLD, true).await.unwrap(), held(2, false), "it asked itself");
}

#[tokio::test]
async fn a_lease_that_nobody_takes_is_anybodys_after_a_while() {
    let c = &mut connection().await;
    let other = Uuid::from_u128(9);
    assert_eq!(leases::take(c, "a", other, HOLD, false).await.unwrap(), Lease::Elsewhere);
    assert_eq!(leases::take(c, "a", other, HOLD, false).await.unwrap(), Lease::Elsewhere);
    pass(c, 31).await;
    assert_eq!(leases::take(c, "a", other, HOLD, false).await.unwrap(), Lease::Held { token: 1, is_wanted: false });
    assert_eq!(leases::take(c, "a", Uuid::from_u128(8), HOLD, true).await.unwrap(), Lease::Elsewhere);
    pass(c, 31).await;
    assert_eq!(leases::take(c, "a", other, HOLD, false).await.unwrap(), Lease::Elsewhere, "it has just ended");
}

#[tokio::test]
async fn operators_see_who_holds_what_and_who_is_gone() {
    let c = &mut connection().await;
    let (one, two) = (replica(1, "one"), replica(2, "two"));
    enter(c, &one).await.unwrap();
    enter(c, &two).await.unwrap();
    leases::take(c, "mailbox:a", two.process, HOLD, true).await.unwrap();
    leave(c, &one).await.unwrap();
    let listed = list(c).await.unwrap();
    let shown: Vec<_> =
        listed.iter().map(|it| (it.host.as_str(), it.gone_at.is_some(), it.leases.as_slice())).collect();
    assert_eq!(shown, [("two", false, ["mailbox:a".to_owned()].as_slice()), ("one", true, [].as_slice())]);
}
