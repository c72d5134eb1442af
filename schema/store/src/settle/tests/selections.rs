//! Tests of selections: entries of the quarantine that are chosen by their group, frozen, and taken one after the other.

use sdc::refusal::RefusalCode;

use super::REFUSED;
use super::world::World;
use crate::error::AdministrationError;
use crate::letters::quarantine;
use crate::letters::quarantine::selections::{self, Group, Selection};
use crate::people::{Operator, Privilege};

fn operator() -> Operator {
    Operator::pretended("mbome", Privilege::Operateur)
}

/// Makes two entries of one group, and two of strangers.
async fn world() -> World {
    let world = World::new().await;
    let batch = vec![
        world.arrival(&world.births(42, 1, &[("CE-043", 1)])).await,
        world.arrival(&world.births(42, 2, &[("CE-043", 2)])).await,
        world.stranger(RefusalCode::UnknownSigner, 1),
        world.stranger(RefusalCode::UnknownSigner, 2),
    ];
    // Each letter's container differs, as it does in a mail.
    let batch = batch.into_iter().zip(1_u8..).map(|(mut arrival, number)| {
        arrival.container = vec![number; 8];
        arrival
    });
    let out_of_scope = REFUSED(RefusalCode::OutOfScope);
    let unknown = REFUSED(RefusalCode::UnknownSigner);
    assert_eq!(world.settle(batch.collect()).await, [out_of_scope, out_of_scope, unknown, unknown]);
    world
}

async fn select(world: &World, group: &Group) -> Result<Selection, AdministrationError> {
    selections::select(&mut *world.connection().await, &operator(), group).await
}

#[tokio::test]
async fn open_entries_are_grouped_by_reason_table_and_sender() {
    let world = world().await;
    let groups = selections::groups(&mut *world.connection().await).await.unwrap();
    let shown: Vec<_> =
        groups.iter().map(|group| (group.reason.as_str(), group.table.as_deref(), group.entries)).collect();
    assert_eq!(shown, [("out_of_scope", Some("Births"), 2), ("unknown_signer", None, 2)]);
    assert_eq!((groups[0].agencies, groups[1].agencies), (1, 0), "strangers are of no agency");
    assert!(groups.iter().all(|group| group.bytes > 0 && group.held == 0));
}

#[tokio::test]
async fn a_selection_is_frozen_and_says_how_many_came_since() {
    let world = world().await;
    let group = Group { reason: Some("out_of_scope".to_owned()), ..Group::default() };
    let selection = select(&world, &group).await.unwrap();
    assert_eq!((selection.entries, selection.undecided), (2, 2));
    assert_eq!(world.count("SELECT count(*) FROM xm.audit WHERE action = 'quarantine.select'").await, 1);

    let later = world.arrival(&world.births(42, 3, &[("CE-043", 3)])).await;
    assert_eq!(world.settle(vec![later]).await, [REFUSED(RefusalCode::OutOfScope)]);
    let mut connection = world.connection().await;
    assert_eq!(selections::find(&mut connection, selection.id).await.unwrap().entries, 2, "it stays as it was chosen");
    assert_eq!(selections::later(&mut connection, selection.id).await.unwrap(), 1);
}

#[tokio::test]
async fn each_condition_narrows_the_selection() {
    let world = world().await;
    let open =
        quarantine::list(&mut *world.connection().await, &quarantine::QuarantineFilter::default()).await.unwrap();
    let agency = open.iter().find_map(|entry| entry.agency);
    let cases = [
        (Group::default(), 4),
        (Group { reason: Some("unknown_signer".to_owned()), ..Group::default() }, 2),
        (Group { agency, ..Group::default() }, 2),
        (Group { table: Some("Births".to_owned()), ..Group::default() }, 2),
        (Group { entries: vec![open[0].id, open[3].id, i64::MAX], ..Group::default() }, 2),
        (Group { first: Some(3), ..Group::default() }, 3),
    ];
    for (group, entries) in cases {
        assert_eq!(select(&world, &group).await.unwrap().entries, entries, "{group:?}");
    }
    let nobody = Group { sender_domain: Some("elsewhere.example".to_owned()), ..Group::default() };
    assert!(matches!(select(&world, &nobody).await, Err(AdministrationError::NothingSelected)));
    assert_eq!(world.count("SELECT count(*) FROM xm.selections").await, 6, "an empty selection leaves nothing behind");
}

#[tokio::test]
async fn an_outcome_is_recorded_once_and_the_rest_is_left() {
    let world = world().await;
    let selection = select(&world, &Group::default()).await.unwrap();
    let mut connection = world.connection().await;
    let all = selections::items(&mut connection, selection.id, false, None, 100).await.unwrap();
    let (first, other) = (all[0].entry, Operator::pretended("abena", Privilege::Operateur));
    selections::record(&mut connection, &operator(), selection.id, first, "accepted").await.unwrap();
    selections::record(&mut connection, &other, selection.id, first, "decided").await.unwrap();
    let items = selections::items(&mut connection, selection.id, false, None, 100).await.unwrap();
    assert_eq!((items[0].outcome.as_deref(), items[0].decided_by.as_deref()), (Some("accepted"), Some("mbome")));
    let left = selections::items(&mut connection, selection.id, true, None, 100).await.unwrap();
    assert_eq!(
        left.iter().map(|item| item.entry).collect::<Vec<_>>(),
        all[1..].iter().map(|item| item.entry).collect::<Vec<_>>()
    );
    assert_eq!(selections::find(&mut connection, selection.id).await.unwrap().undecided, 3);
    let unknown = selections::find(&mut connection, 9).await.unwrap_err();
    assert!(matches!(unknown, AdministrationError::LineUnknown { id: 9, .. }), "{unknown}");
}
