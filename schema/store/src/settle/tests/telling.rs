//! Tests of notices that the centre sends by itself: changed definitions of tables, the centre's next certificate, statements, and requests
//! to send lost letters again.

use std::time::Duration;

use sdc::answer::CentreLetter;
use sdc::answer::notice::NoticeContent;
use sdc::payload::{PayloadLimits, read_centre_letter};
use sdc::request::Period;
use uuid::Uuid;

use super::world::World;
use crate::error::AdministrationError;
use crate::ledger::statement;
use crate::letters::{outbox, resending, telling};
use crate::people::Operator;
use crate::settle::Outcome;

/// Returns the contents of the queued notices, and marks all queued answers and notices as sent.
async fn told(world: &World) -> Vec<NoticeContent> {
    let mut connection = world.connection().await;
    let leased = outbox::lease(&mut connection, Uuid::now_v7(), "mail", 100, Duration::from_secs(60)).await.unwrap();
    outbox::sent(&mut connection, &leased).await.unwrap();
    let notices = leased.iter().filter(|leased| leased.notice.is_some());
    let content = notices.map(|leased| match read_centre_letter(&leased.payload, &PayloadLimits::default()).unwrap() {
        CentreLetter::Notice(notice) => notice.content,
        CentreLetter::Answer(_) | CentreLetter::Part(_) => panic!("an answer"),
    });
    content.collect()
}

/// Makes a world in which agency 42 has sent a letter and agency 43 has not.
async fn world() -> World {
    let world = World::new().await;
    let births = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(world.settle(vec![world.arrival(&births).await]).await, [Outcome::Accepted]);
    told(&world).await;
    world
}

async fn definitions(world: &World) -> usize {
    telling::definitions(&mut *world.connection().await).await.unwrap()
}

#[tokio::test]
async fn a_table_is_told_to_who_has_a_right_to_it_once_and_when_it_changes() {
    let world = world().await;
    assert_eq!((definitions(&world).await, definitions(&world).await), (1, 0));
    let [NoticeContent::Definitions(births)] = &told(&world).await[..] else { panic!("one table") };
    assert_eq!((births.application.as_str(), births.table.as_str(), births.version), ("registry", "Births", 1));
    assert_eq!(births.legal_key, ["CentreCode", "NumeroActe"]);
    assert_eq!((births.scope.as_deref(), births.columns.len()), (Some("CentreCode"), 6));
    assert_eq!(births.columns[2]["length_chars_max"], 20);

    let next = "UPDATE xm.tables SET version = version + 1;
                INSERT INTO xm.definitions (table_id, version, columns)
                SELECT t.id, t.version, d.columns FROM xm.tables t JOIN xm.definitions d ON d.table_id = t.id AND d.version = 1";
    world.sql(next).await;
    assert_eq!(definitions(&world).await, 1);
    assert!(matches!(&told(&world).await[..], [NoticeContent::Definitions(births)] if births.version == 2));
    world.sql(next).await;
    world.sql("DELETE FROM xm.rights").await;
    assert_eq!(definitions(&world).await, 0);
}

#[tokio::test]
async fn who_watches_tells_definitions_at_the_next_look_and_only_where_something_has_changed() {
    let world = world().await;
    let mut watch = telling::Watch::default();
    let mut look = async || watch.look(&mut *world.connection().await).await.unwrap();
    assert_eq!(look().await, 0, "at the start letters that waited come first");
    definitions(&world).await;
    told(&world).await;
    let next = "INSERT INTO xm.definitions (table_id, version, columns) SELECT id, version + 1, '[]' FROM xm.tables;
                UPDATE xm.tables SET version = version + 1";
    world.sql(next).await;
    assert_eq!((look().await, look().await), (1, 0));
    assert!(matches!(&told(&world).await[..], [NoticeContent::Definitions(births)] if births.version == 2));
}

#[tokio::test]
async fn an_installation_that_has_enrolled_is_told_the_tables_at_the_next_look() {
    let world = world().await;
    let mut watch = telling::Watch::default();
    let mut look = async || watch.look(&mut *world.connection().await).await.unwrap();
    assert_eq!((look().await, look().await), (0, 0), "nobody has enrolled");
    let enrolled = "INSERT INTO xm.enrolment_codes (agency, is_further, made_by, expires_at, used_at, installation)
                    VALUES (42, false, 'mbome', now() + interval '1 day', now(), 'main')";
    world.sql(enrolled).await;
    assert_eq!((look().await, look().await), (1, 0));
}

#[tokio::test]
async fn the_next_certificate_of_the_centre_is_told_once_before_it_signs() {
    let world = world().await;
    world
        .sql(
            "INSERT INTO xm.centre_keys (spki_sha256, purpose, state, algorithm, certificate, fingerprint, not_before, not_after)
             SELECT sha256(k.name), 'letters', k.state, 'P-256', k.name, sha256(k.name), now(), now() + interval '10 years'
               FROM (VALUES ('one'::bytea, 'current'), ('two'::bytea, 'next')) k (name, state)",
        )
        .await;
    let tell = async || telling::centre_certificates(&mut *world.connection().await).await.unwrap();
    assert_eq!((tell().await, tell().await), (1, 0));
    assert_eq!(told(&world).await, [NoticeContent::announcing(b"two")]);
}

#[tokio::test]
async fn a_statement_and_a_loss_are_told_to_offices_that_have_written() {
    let world = world().await;
    world.recharge(42, 1000).await;
    let (operator, period) = (Operator::superviseur(), Period { from: None, to: None });
    let agency = |number: u32| number.try_into().unwrap();
    let mut connection = world.connection().await;
    let sent = statement::send(&mut connection, &operator, agency(42), period).await.unwrap();
    assert_eq!(told(&world).await, [NoticeContent::Statement { statement: sent.clone() }]);
    assert_eq!((sent.closing, sent.entries.len()), (1000, 1));
    let silent = statement::send(&mut connection, &operator, agency(43), period).await.unwrap_err();
    assert!(matches!(silent, AdministrationError::AgencySilent(_)), "{silent}");

    assert_eq!(resending::ask(&mut connection, &operator, agency(42), None, 17).await.unwrap(), 1);
    assert_eq!(told(&world).await, [NoticeContent::Resend { from: 17 }]);
    for (installation, from) in [(Some("pc7"), 1), (None, 0)] {
        resending::ask(&mut connection, &operator, agency(42), installation, from).await.unwrap_err();
    }
    resending::ask(&mut connection, &operator, agency(43), None, 1).await.unwrap_err();
    assert_eq!(told(&world).await, []);
}
