//! Tests of the permits for mail that is being processed.

use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn a_mail_larger_than_listed_takes_more_room_or_none() {
    let hands = Hands::new(4, 100, 1, 1);
    let (mail, _) = hands.take(&[1]).await;
    let mail = mail.with(hands.try_take_bytes(60 << 10).unwrap());
    assert!(hands.try_take_bytes(40 << 10).is_none());
    let rest = hands.try_take_bytes(39 << 10).unwrap();
    drop((mail, rest));
    assert!(hands.try_take_bytes(u64::MAX).is_some(), "one larger than the room takes all of it");
}

#[tokio::test]
async fn who_is_alone_waits_for_both_lanes_and_need_not_wait_for_company() {
    let hands = Hands::new(4, 100, 2, 1);
    let slow = hands.try_take_slow().unwrap();
    let waiting = hands.clone();
    let alone = tokio::spawn(async move { waiting.take_all().await });
    tokio::task::yield_now().await;
    assert!(!alone.is_finished(), "a mail of the slow lane is in hand");
    drop(slow);
    let alone = alone.await.unwrap();
    assert!(!hands.expects_at_look_up() && !hands.expects_at_writer(), "alone, nothing else is on its way");
    assert!(hands.try_take_slow().is_none());
    drop(alone);
    assert_eq!(hands.in_hand(), 0);
}

#[tokio::test]
async fn letters_gather_only_for_letters_that_are_behind_them() {
    let hands = Hands::new(4, 100, 2, 1);
    assert!(!hands.expects_at_look_up() && !hands.expects_at_writer(), "nothing is in hand");
    let _window = hands.take(&[1, 0]).await;
    let first = hands.gather_at_writer();
    assert!(hands.expects_at_look_up() && hands.expects_at_writer());
    let second = hands.gather_at_look_up();
    assert!(!hands.expects_at_look_up(), "both have come there or to a writer");
    assert!(hands.expects_at_writer(), "the second will come");
    drop(second);
    assert!(hands.expects_at_look_up());
    let _second = hands.gather_at_writer();
    assert!(!hands.expects_at_look_up() && !hands.expects_at_writer());
    drop(first);
    assert!(hands.expects_at_writer(), "a mail of two letters, one of which is settled, is still in hand");
}

#[tokio::test]
async fn a_window_that_finds_no_room_takes_what_is_free_and_nothing_where_all_stays_taken() {
    let hands = Hands::new(4, 10, 1, 1);
    let (held, _) = hands.take(&[7 << 10]).await;
    let (window, mails) = hands.take(&[1 << 10, 1 << 10, 2 << 10, 1]).await;
    assert_eq!((mails, hands.in_hand()), (2, 3), "the third mail is too large for what is left");
    let (nothing, mails) = hands.take(&[2 << 10, 1]).await;
    assert_eq!((mails, hands.in_hand()), (0, 3));
    drop((held, nothing));
    let (_rest, mails) = hands.take(&[2 << 10, 2 << 10, 3 << 10]).await;
    assert_eq!((mails, window.size().mails), (2, 2));
}

#[tokio::test]
async fn who_waits_for_much_room_lets_others_pass_in_the_end() {
    let hands = Hands::new(4, 10, 1, 1);
    let (_held, _) = hands.take(&[5 << 10]).await;
    let waiting = hands.clone();
    let large = tokio::spawn(async move { waiting.take(&[10 << 10]).await.1 });
    tokio::task::yield_now().await;
    // `take` waits for permits twice, each time for a bounded time, and a small mail waits behind the large one. So a small `take` may give
    // up while the large one still waits, but after a few rounds one succeeds.
    let mut rounds = 1;
    while hands.take(&[1]).await.1 == 0 {
        rounds += 1;
        assert!(rounds < 10, "nobody passes by the large one");
    }
    assert_eq!(large.await.unwrap(), 0);
}

fn claimant(number: u32) -> Claimant {
    (number > 0).then(|| number.try_into().unwrap())
}

/// Takes permits for one mail, and books them to the agency that the mail claims. `number` 0 stands for a mail without a claim. Returns
/// `None` if no permits are free, or the agency may not use them.
fn claim(hands: &Hands, number: u32, bytes: u64) -> Option<Permits> {
    hands.try_take(bytes).and_then(|own| hands.claim(own, claimant(number)).ok())
}

#[tokio::test]
async fn a_claim_that_floods_stops_at_half_of_the_room_and_the_next_at_half_of_the_rest() {
    let hands = Hands::new(64, 1000, 1, 1);
    let mut held = Vec::new();
    for (number, most) in [(1, 32), (0, 16), (2, 8), (3, 4)] {
        let flood: Vec<Permits> = (0..100).map_while(|_| claim(&hands, number, 1)).collect();
        assert_eq!(flood.len(), most);
        assert!(!hands.has_room_for(claimant(number), 1, 1) && hands.has_room_for(claimant(9), 1, 1));
        held.push(flood);
    }
    drop(held);
    let by_size: Vec<Permits> = (0..100).map_while(|_| claim(&hands, 1, 100 << 10)).collect();
    assert_eq!(by_size.len(), 5, "half of the kilobytes");
    drop(by_size);
    assert!(claim(&hands, 1, 1000 << 10).is_some(), "whoever holds nothing may hold one mail of any size");
    assert_eq!(hands.in_hand(), 0);
}

#[tokio::test]
async fn what_a_window_keeps_for_its_other_mails_is_free_to_a_claim_and_a_place_in_the_slow_lane_is_none_of_these() {
    let hands = Hands::new(8, 100, 8, 1);
    let (mut window, _) = hands.take(&[1; 8]).await;
    assert_eq!(window.size().kilobytes, 8, "each mail takes one at least");
    let mut lend = || {
        let own = window.split(1);
        hands.claim(own, claimant(1)).ok()
    };
    let fast: Vec<Permits> = (0..8).map_while(|_| lend()).collect();
    assert_eq!(fast.len(), 4);
    drop((fast, window));
    let slow = |_| {
        hands.try_take(30 << 10).and_then(|own| hands.claim(own.into_slow(hands.try_take_slow()?, None), None).ok())
    };
    let slow: Vec<Permits> = (0..8).map_while(slow).collect();
    assert_eq!(slow.len(), 1, "its bytes are in hand still: two would be more than what is left");
    drop(slow);
    assert!(hands.claim(hands.try_take(1).unwrap(), None).is_ok());
    assert_eq!(hands.in_hand(), 0);
}

#[tokio::test]
async fn what_waits_for_room_or_is_taken_for_mails_to_come_takes_no_part_from_a_claim() {
    let hands = Hands::new(8, 100, 8, 1);
    let held = claim(&hands, 1, 1).unwrap();
    let _window = hands.take(&[1; 5]).await;
    let waiting = hands.clone();
    let large = tokio::spawn(async move { waiting.take(&[100 << 10]).await.1 });
    tokio::task::yield_now().await;
    assert!(!hands.has_room(), "whoever waits gathers what is free");
    assert!(hands.has_room_for(claimant(1), 3, 1), "one is held, and seven are free or will be soon");
    assert!(!hands.has_room_for(claimant(1), 4, 1));
    large.abort();
    drop(held);
}

proptest! {
    /// Mails take and give back permits in any order. It must never happen that a claim with more than one mail uses more permits than were
    /// free when it took its last mail.
    #[test]
    fn no_claim_grows_beyond_what_is_free(
        steps in proptest::collection::vec((0u32..6, 0u64..40_000, any::<bool>()), 1..300),
    ) {
        let hands = Hands::new(32, 256, 1, 1);
        let mut held: Vec<(u32, u64, Permits)> = Vec::new();
        for (number, bytes, goes) in steps {
            if goes && !held.is_empty() {
                held.swap_remove(usize::try_from(bytes).unwrap() % held.len());
                continue;
            }
            let own = |held: &[(u32, u64, Permits)]| {
                let own = held.iter().filter(|(of, ..)| *of == number);
                own.fold((0, 0), |(mails, kilobytes), (_, bytes, _)| (mails + 1, kilobytes + bytes.div_ceil(1024)))
            };
            let free = |held: &[(u32, u64, Permits)]| {
                let taken: u64 = held.iter().map(|(_, bytes, _)| bytes.div_ceil(1024)).sum();
                (32 - held.len(), 256 - taken)
            };
            let (before, (free_mails, free_kilobytes)) = (own(&held), free(&held));
            let has_place = free_mails > 0 && free_kilobytes >= bytes.div_ceil(1024);
            match claim(&hands, number, bytes) {
                Some(permits) => {
                    held.push((number, bytes, permits));
                    let (now, free) = (own(&held), free(&held));
                    prop_assert!(before.0 == 0 || (now.0 <= free.0 && now.1 <= free.1), "{now:?} of {free:?}");
                }
                None => prop_assert!(before.0 > 0 || !has_place, "whoever holds nothing finds room where there is some"),
            }
        }
        drop(held);
        prop_assert_eq!(hands.in_hand(), 0);
        prop_assert!(hands.has_room_for(claimant(1), 16, 128 << 10) && claim(&hands, 1, 256 << 10).is_some());
    }
}
