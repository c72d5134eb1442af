//! Tests of containers without a verified signer: which of their bytes are stored, and how many.

use sdc::refusal::RefusalCode;

use super::REFUSED;
use super::world::World;
use crate::settle::Claimed;

#[tokio::test]
async fn what_a_stranger_says_of_itself_is_kept_as_claimed_and_counts() {
    let world = World::with_stranger_bytes_max(1 << 20).await;
    let mut stranger = world.stranger(RefusalCode::UnknownSigner, 1);
    stranger.source.claimed = Claimed {
        agency: Some(42.try_into().unwrap()),
        signer: Some("key id 1ac5".to_owned()),
        sender: "Mairie <mairie@edea.example>".to_owned(),
        subject: "Actes".to_owned(),
        signer_beside: None,
    };
    world.settle(vec![stranger]).await;
    let kept =
        "SELECT count(*) FROM xm.quarantine WHERE agency IS NULL AND claimed_agency = 42 AND signer = 'key id 1ac5'
                AND sender = 'Mairie <mairie@edea.example>' AND subject = 'Actes'";
    assert_eq!(world.count(kept).await, 1);
    assert_eq!(world.count("SELECT bytes_kept FROM xm.quarantine_usage").await, 1000 + 512 + 11 + 28 + 5);
}

#[tokio::test]
async fn strangers_are_bounded_on_disk_and_counted() {
    let world = World::with_stranger_bytes_max(17 * 5 * (1000 + 512)).await;
    let mut outcomes = Vec::new();
    for round in 0u32..4 {
        let batch = (0..5).map(|place| world.stranger(RefusalCode::UnknownSigner, round * 5 + place)).collect();
        outcomes.extend(world.settle(batch).await);
    }
    assert!(outcomes.iter().all(|outcome| *outcome == REFUSED(RefusalCode::UnknownSigner)));
    assert_eq!(
        world.count("SELECT count(*) FROM xm.quarantine").await,
        5,
        "a share holds five of 1 000 bytes and what their lines take"
    );
    assert_eq!(world.count("SELECT bytes_kept FROM xm.quarantine_usage").await, 5 * (1000 + 512));
    assert_eq!(world.count("SELECT sum(containers)::bigint FROM xm.quarantine_counts").await, 15);
    assert_eq!(world.count("SELECT count(*) FROM xm.journal").await, 5, "what is only counted takes no line");
    assert_eq!(world.count("SELECT count(*) FROM xm.outbox").await, 0, "no answer to anybody");
    world.settle(vec![world.stranger(RefusalCode::SignatureInvalid, 1)]).await;
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine").await, 6, "another reason has its own share");
    let again = (0..10).map(|_| world.stranger(RefusalCode::SignatureInvalid, 1)).collect();
    world.settle(again).await;
    assert_eq!(world.count("SELECT count(*) FROM xm.quarantine").await, 6, "the same container again is one entry");
    assert_eq!(world.count("SELECT count(*) FROM xm.journal").await, 6);
    assert_eq!(world.count("SELECT sum(containers)::bigint FROM xm.quarantine_counts").await, 25);
}
