//! Tests of messages of offices and of operators: threads, the limit on unread messages, and that each message is sent once.

use sdc::answer::CentreLetter;
use sdc::answer::notice::{Notice, NoticeContent};
use sdc::letter::{Letter, Matricule};
use sdc::payload::{self, PayloadLimits};
use sdc::refusal::{RefusalCode, Remedy};
use sdc::request::{Message, Request};
use uuid::Uuid;

use super::REFUSED;
use super::world::World;
use crate::error::AdministrationError;
use crate::letters::messages::{self, Audience, MessageFilter, broadcast, go_on, list, send, show};
use crate::letters::outbox;
use crate::people::{Operator, Privilege};
use crate::settle::Outcome;

fn writing(world: &World, agency: u32, sequence: u64, thread: Option<Uuid>, text: &str) -> Letter {
    let request = Request::Message(Message { thread, text: text.to_owned() });
    Letter { request, ..world.births(agency, sequence, &[]) }
}

fn agency(number: u32) -> Matricule {
    number.try_into().unwrap()
}

/// Returns the notices queued since the last call, and marks them as sent.
async fn told(world: &World) -> Vec<Notice> {
    let mut connection = world.connection().await;
    let hold = std::time::Duration::from_secs(60);
    let leased = outbox::lease(&mut connection, Uuid::now_v7(), "mail", 1000, hold).await.unwrap();
    outbox::sent(&mut connection, &leased).await.unwrap();
    let notices = leased.iter().filter(|leased| leased.notice.is_some());
    let read =
        |leased: &outbox::LeasedAnswer| match payload::read_centre_letter(&leased.payload, &PayloadLimits::default())
            .unwrap()
        {
            CentreLetter::Notice(notice) => notice,
            CentreLetter::Answer(_) | CentreLetter::Part(_) => panic!("an answer"),
        };
    notices.map(read).collect()
}

#[tokio::test]
async fn a_message_begins_a_thread_or_goes_on_with_one_of_its_agency() {
    let world = World::new().await;
    let first = writing(&world, 42, 1, None, "Bonjour,\nnotre imprimante est en panne.");
    let second = writing(&world, 42, 2, Some(first.id), "Réparée.");
    // Both letters are in one batch, and the second one arrives first.
    let batch = vec![world.arrival(&second).await, world.arrival(&first).await];
    assert_eq!(world.settle(batch).await, [Outcome::Accepted; 2]);
    let third = writing(&world, 42, 3, Some(first.id), "Merci.");
    assert_eq!(world.settle(vec![world.arrival(&third).await]).await, [Outcome::Accepted]);
    assert_eq!(world.settle(vec![world.arrival(&third).await]).await, [Outcome::Duplicate]);
    // An agency cannot write in another agency's thread.
    let stranger = writing(&world, 43, 1, Some(first.id), "?");
    assert_eq!(world.settle(vec![world.arrival(&stranger).await]).await, [REFUSED(RefusalCode::ThreadUnknown)]);

    let (mut connection, clerk) = (world.connection().await, Operator::pretended("nkolo", Privilege::Operateur));
    let unread = MessageFilter { is_unread: true, ..MessageFilter::default() };
    let listed = list(&mut connection, &unread).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.text.as_str()).collect::<Vec<_>>()[..2], ["Merci.", "Réparée."]);
    let thread = show(&mut connection, &clerk, listed[0].number).await.unwrap();
    assert_eq!(thread.iter().map(|one| one.id).collect::<Vec<_>>(), [first.id, second.id, third.id]);
    assert!(thread.iter().all(|one| one.read_by.as_deref() == Some("nkolo") && one.thread == first.id));
    assert!(list(&mut connection, &unread).await.unwrap().is_empty());
    let error = show(&mut connection, &clerk, 77).await.unwrap_err();
    assert!(matches!(error, AdministrationError::MessageUnknown(77)), "{error}");

    // The operators' reply is in the same thread.
    told(&world).await;
    let number = send(&mut connection, &clerk, agency(42), Some(listed[0].number), " Bien reçu. ").await.unwrap();
    let [notice] = &told(&world).await[..] else { panic!("one notice") };
    let NoticeContent::Message { message, thread, text } = &notice.content else { panic!("another notice") };
    assert_eq!((*thread, text.as_str(), notice.number), (first.id, "Bien reçu.", 1));
    let shown = show(&mut connection, &clerk, number).await.unwrap();
    assert_eq!((shown.len(), shown[3].id, shown[3].operator.as_deref()), (4, *message, Some("nkolo")));
    assert!(!shown[3].is_seen);
    let seen = Letter { seen: Some(1), ..writing(&world, 42, 4, Some(*thread), "Vu.") };
    assert_eq!(world.settle(vec![world.arrival(&seen).await]).await, [Outcome::Accepted]);
    assert!(show(&mut connection, &clerk, number).await.unwrap()[3].is_seen);
    let error = send(&mut connection, &clerk, agency(43), Some(number), "x").await.unwrap_err();
    assert!(matches!(error, AdministrationError::MessageUnknown(_)), "another agency's thread: {error}");
}

#[tokio::test]
async fn so_many_messages_of_an_agency_wait_unread_and_no_more() {
    let world = World::new().await;
    let mut batch = Vec::new();
    for sequence in 1..=101 {
        batch.push(world.arrival(&writing(&world, 42, sequence, None, "x")).await);
    }
    batch.push(world.arrival(&writing(&world, 43, 1, None, "y")).await);
    let outcomes = world.settle(batch).await;
    assert!(outcomes[..100].iter().all(|outcome| *outcome == Outcome::Accepted));
    assert_eq!(outcomes[100..], [REFUSED(RefusalCode::MessagesFull), Outcome::Accepted]);
    let late = writing(&world, 42, 102, None, "x");
    assert_eq!(world.settle(vec![world.arrival(&late).await]).await, [REFUSED(RefusalCode::MessagesFull)]);
    assert_eq!(world.receipt(&late).await.remedy, Some(Remedy::Wait));
    let first = world.count("SELECT min(number) FROM xm.messages WHERE agency = 42").await;
    show(&mut *world.connection().await, &Operator::superviseur(), first).await.unwrap();
    let after = writing(&world, 42, 103, None, "x");
    assert_eq!(world.settle(vec![world.arrival(&after).await]).await, [Outcome::Accepted]);
}

#[tokio::test]
async fn a_broadcast_reaches_each_agency_of_its_audience_once_also_after_an_interruption() {
    let world = World::new().await;
    world
        .sql(
            "INSERT INTO xm.agencies (matricule, name, town, email)
             SELECT n, 'Office', 'Édéa', 'x@example.org' FROM generate_series(100, 349) n;
             INSERT INTO xm.installations (agency, name, transport) SELECT n, 'pc1', 'mail' FROM generate_series(100, 349) n;
             INSERT INTO xm.scopes (agency, column_name, code) SELECT n, 'CentreCode', 'LT-' || n FROM generate_series(100, 199) n;
             UPDATE xm.agencies SET status = 0 WHERE matricule = 100;
             UPDATE xm.installations SET transport = NULL WHERE agency = 101",
        )
        .await;
    let (mut connection, chief) = (world.connection().await, Operator::pretended("nkolo", Privilege::ChefDAgence));
    let count = async |audience: Audience| messages::count(&mut *world.connection().await, &audience).await.unwrap();
    assert_eq!(count(Audience::default()).await, 248, "neither suspended ones, nor those that have not written");
    assert_eq!(count(Audience { area: Some("LT-15".to_owned()), ..Audience::default() }).await, 10);
    assert_eq!(count(Audience { town: Some("édéa".to_owned()), status: Some(3), ..Audience::default() }).await, 248);
    assert_eq!(count(Audience { plan: Some("gold".to_owned()), ..Audience::default() }).await, 0);
    let nobody = Audience { plan: Some("gold".to_owned()), ..Audience::default() };
    let error = broadcast(&mut connection, &chief, &nobody, "x").await.unwrap_err();
    assert!(matches!(error, AdministrationError::NobodyToTell), "{error}");

    let id = broadcast(&mut connection, &chief, &Audience::default(), "Fermé demain").await.unwrap();
    let first = go_on(&mut connection, Some(id)).await.unwrap().unwrap();
    assert_eq!((first.told, first.is_ended), (100, false));
    // Two programs continue the broadcast at the same time. Each step is done by only one of them.
    let mut ended = false;
    while !ended {
        let steps = futures_util::future::join_all((0..2).map(|_| {
            let world = &world;
            async move { go_on(&mut *world.connection().await, None).await.unwrap() }
        }))
        .await;
        ended = steps.into_iter().flatten().any(|step| step.is_ended);
    }
    assert_eq!(go_on(&mut connection, None).await.unwrap(), None);
    let notices = told(&world).await;
    assert_eq!(notices.len(), 248);
    assert!(
        notices
            .iter()
            .all(|notice| matches!(&notice.content, NoticeContent::Message { text, .. } if text == "Fermé demain"))
    );
    let kept = "SELECT count(DISTINCT agency) FROM xm.messages WHERE broadcast IS NOT NULL AND operator = 'nkolo'";
    assert_eq!(world.count(kept).await, 248);
    assert_eq!(world.count("SELECT told FROM xm.broadcasts WHERE ended_at IS NOT NULL").await, 248);
}
