//! Tests of mails in hand: which records become suspects, and which suspects are deleted.

use super::*;
use crate::database::Connection;
use crate::replicas::{beat, bury, enter, leave};
use crate::testing::centre::{run, value};
use crate::testing::{TestCluster, replica};

async fn connection() -> Connection {
    TestCluster::shared().await.database().await.get().await.unwrap()
}

fn texts(tokens: &[&str]) -> Vec<String> {
    tokens.iter().map(|token| (*token).to_owned()).collect()
}

/// Returns the name under which a process records the mails of a pushed source.
fn key(source: &str, process: Uuid) -> String {
    format!("{source}@{process}")
}

/// Returns the suspects of a source, each as its token and the number of its attempts.
async fn listed(connection: &mut Connection, source: &str) -> Vec<(String, i16)> {
    let mut listed: Vec<_> = suspects(connection, source)
        .await
        .unwrap()
        .into_iter()
        .map(|suspect| (suspect.token, suspect.attempts))
        .collect();
    listed.sort();
    listed
}

fn of(expected: &[(&str, i16)]) -> Vec<(String, i16)> {
    expected.iter().map(|(token, attempts)| ((*token).to_owned(), *attempts)).collect()
}

/// Returns the names under which mails are recorded as in hand.
async fn in_hand(connection: &mut Connection) -> Vec<String> {
    let text = "SELECT mailbox FROM xm.in_hand ORDER BY mailbox";
    Statement::<Text>::new(text, &[]).load(connection).await.unwrap()
}

#[tokio::test]
async fn what_a_life_that_ended_had_in_hand_is_suspect_and_what_the_present_one_has_is_not() {
    let c = &mut connection().await;
    let (process, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let (ended, present) = (Uuid::from_u128(11), Uuid::from_u128(12));
    let (own, others) = (key("lmtp", process), key("lmtp", other));
    record(c, &own, ended, 0, &texts(&["a", "b"])).await.unwrap();
    record(c, &own, ended, 1, &texts(&["b", "c"])).await.unwrap();
    record(c, &own, present, 0, &texts(&["d"])).await.unwrap();
    record(c, &others, ended, 0, &texts(&["e"])).await.unwrap();
    suspect(c, "lmtp", &texts(&["b"])).await.unwrap();
    attempt(c, "lmtp", "b", &[]).await.unwrap();
    adopt_leftovers(c, (&own, "lmtp"), present).await.unwrap();
    assert_eq!(listed(c, "lmtp").await, of(&[("a", 0), ("b", 1), ("c", 0)]), "what failed alone is remembered");
    assert_eq!(listed(c, &own).await, [], "suspects have the source's name, since the mail may come to any replica");
    assert_eq!(in_hand(c).await, [own.clone(), others]);
    let records = format!("SELECT count(*) FROM xm.in_hand WHERE mailbox = '{own}' AND instance = '{present}'");
    assert_eq!(value(c, &records).await, 1, "the present life still has its mail in hand");
}

#[tokio::test]
async fn pushed_mail_of_a_replica_that_died_or_left_is_suspect_and_that_of_a_live_one_is_not() {
    let c = &mut connection().await;
    let [dead, live, leaves] = [1, 2, 3].map(|number| replica(Uuid::from_u128(number)));
    for replica in [&dead, &live, &leaves] {
        enter(c, replica).await.unwrap();
    }
    // The name of a record is the source's name, `@` and the identity of the process. This source has an `@` in its own name, and must
    // still be found.
    for (replica, token) in [(&dead, "a"), (&live, "b"), (&leaves, "c")] {
        record(c, &key("lm@tp", replica.process), replica.life, 0, &texts(&[token])).await.unwrap();
    }
    record(c, &key("smtp", dead.process), dead.life, 7, &texts(&["d"])).await.unwrap();
    // A mailbox has one name for all replicas. The replica that gets its lease next finds the record, so the death of this replica must not
    // change it.
    record(c, "mailbox", dead.life, 0, &texts(&["e"])).await.unwrap();
    assert!(bury(c).await.unwrap().is_empty());
    assert_eq!(in_hand(c).await.len(), 5, "all live");
    let silent =
        format!("UPDATE xm.replicas SET seen_at = now() - interval '16 seconds' WHERE process = '{}'", dead.process);
    run(c, &silent).await;
    assert_eq!(bury(c).await.unwrap(), [dead.process]);
    assert_eq!(listed(c, "lm@tp").await, of(&[("a", 0)]));
    assert_eq!(listed(c, "smtp").await, of(&[("d", 0)]));
    let still = [key("lm@tp", live.process), key("lm@tp", leaves.process), "mailbox".to_owned()];
    assert_eq!(in_hand(c).await, still);
    leave(c, &leaves).await.unwrap();
    assert_eq!(listed(c, "lm@tp").await, of(&[("a", 0), ("c", 0)]));
    beat(c, &live, true).await.unwrap();
    bury(c).await.unwrap();
    assert_eq!(in_hand(c).await, [still[0].clone(), still[2].clone()], "who drains lives");
}

#[tokio::test]
async fn an_earlier_life_that_ends_late_leaves_the_mail_of_the_present_one_in_hand() {
    let c = &mut connection().await;
    let (first, again) = (replica(Uuid::from_u128(1)), replica(Uuid::from_u128(1)));
    enter(c, &first).await.unwrap();
    enter(c, &again).await.unwrap();
    record(c, &key("lmtp", again.process), again.life, 0, &texts(&["a"])).await.unwrap();
    leave(c, &first).await.unwrap();
    assert_eq!(listed(c, "lmtp").await, []);
    assert_eq!(in_hand(c).await, [key("lmtp", again.process)]);
}

#[tokio::test]
async fn suspects_that_have_not_come_again_for_a_week_are_forgotten_and_no_others() {
    let c = &mut connection().await;
    suspect(c, "lmtp", &texts(&["new", "six days", "eight days", "comes again"])).await.unwrap();
    suspect(c, "mailbox", &texts(&["eight days"])).await.unwrap();
    let age = "UPDATE xm.suspects SET seen_at = now() - interval '8 days' WHERE uidl <> 'new';
               UPDATE xm.suspects SET seen_at = now() - interval '6 days' WHERE uidl = 'six days'";
    run(c, age).await;
    attempt(c, "lmtp", "comes again", &[]).await.unwrap();
    forget_pushed(c, "lmtp").await.unwrap();
    assert_eq!(listed(c, "lmtp").await, of(&[("comes again", 1), ("new", 0), ("six days", 0)]));
    assert_eq!(listed(c, "mailbox").await, of(&[("eight days", 0)]), "a mailbox lists what it still has");
}

#[tokio::test]
async fn each_attempt_that_does_not_count_is_uncounted_once() {
    let c = &mut connection().await;
    suspect(c, "lmtp", &texts(&["once", "twice", "never"])).await.unwrap();
    for token in ["once", "once", "twice", "twice", "never"] {
        attempt(c, "lmtp", token, &[]).await.unwrap();
    }
    take_attempts_back(c, "lmtp", &texts(&["twice", "once", "twice", "settled meanwhile"])).await.unwrap();
    assert_eq!(listed(c, "lmtp").await, of(&[("never", 1), ("once", 1), ("twice", 0)]));
    take_attempts_back(c, "lmtp", &texts(&["twice"])).await.unwrap();
    take_attempts_back(c, "mailbox", &texts(&["never"])).await.unwrap();
    assert_eq!(listed(c, "lmtp").await, of(&[("never", 1), ("once", 1), ("twice", 0)]));
}
