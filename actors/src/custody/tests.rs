//! Tests of the fates of lent mails.

use std::panic::{AssertUnwindSafe, catch_unwind};

use prometheus::Registry;
use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::metrics::Metrics;
use crate::room::Permits;

fn lend(number: u64, reports: UnboundedSender<Report>) -> Share {
    let hands = Hands::new(1, 1, 1, 1);
    hands.lend(number, Permits::default(), reports, &actor(&Registry::new()))
}

fn actor(registry: &Registry) -> ActorMetrics {
    Metrics::new(registry).unwrap().actor("mailbox_poller")
}

#[test]
fn a_mail_is_settled_when_its_last_share_is() {
    let (reports, mut received) = unbounded_channel();
    let first = lend(7, reports);
    let second = first.another();
    first.settle();
    assert!(received.try_recv().is_err(), "one container is still in hand");
    second.settle();
    assert_eq!(received.try_recv(), Ok(Report { number: 7, fate: Fate::Settled }));
}

#[test]
fn a_dropped_share_returns_the_mail_and_a_panic_makes_it_suspect() {
    let (reports, mut received) = unbounded_channel();
    drop(lend(1, reports.clone()));
    let never_opened = Report { number: 1, fate: Fate::Returned };
    assert_eq!(received.try_recv(), Ok(never_opened), "a mail dropped before anybody opened it is not settled");

    let first = lend(2, reports.clone());
    first.another().settle();
    drop(first.another());
    first.settle();
    assert_eq!(received.try_recv(), Ok(Report { number: 2, fate: Fate::Returned }));

    let deferred = lend(4, reports.clone());
    let beside = deferred.another();
    deferred.defer();
    beside.settle();
    assert_eq!(received.try_recv(), Ok(Report { number: 4, fate: Fate::Deferred }));

    let withheld = lend(5, reports.clone());
    let beside = withheld.another();
    withheld.withhold();
    beside.settle();
    assert_eq!(received.try_recv(), Ok(Report { number: 5, fate: Fate::Withheld }));

    let share = lend(3, reports);
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _held = share;
        panic!("planted");
    }));
    assert!(unwound.is_err());
    assert_eq!(received.try_recv(), Ok(Report { number: 3, fate: Fate::Suspect }));
}

#[tokio::test]
async fn permits_come_back_with_the_mail() {
    let hands = Hands::new(4, 100, 1, 1);
    let (mut window, mails) = hands.take(&[1024, 1024, 0]).await;
    assert_eq!((mails, hands.in_hand()), (3, 3));
    let (reports, _received) = unbounded_channel();
    let share = hands.lend(1, window.split(1024), reports, &actor(&Registry::new()));
    drop(window);
    assert_eq!(hands.in_hand(), 1);
    share.settle();
    assert_eq!(hands.in_hand(), 0);
}

#[tokio::test]
async fn what_is_in_hand_is_counted_exactly_and_the_oldest_is_known() {
    let registry = Registry::new();
    let metrics = Metrics::new(&registry).unwrap();
    let poller = metrics.actor("mailbox_poller");
    let shown = |name: &str| {
        let family = registry.gather().into_iter().find(|family| family.name() == name).unwrap();
        family.get_metric()[0].get_gauge().get_value()
    };
    assert!(shown("xm_mails_in_hand") == 0.0, "there are no hands yet");
    let hands = Hands::new(8, 100, 4, 1);
    metrics.show_in_hand(&hands);
    let (reports, _received) = unbounded_channel();
    let alone = hands.take_all().await;
    assert!(shown("xm_mails_in_hand") == 0.0, "permits are out, and no mail is in hand");
    let first = hands.lend(1, alone, reports.clone(), &poller);
    let second = hands.lend(2, Permits::default(), reports, &poller);
    let third = first.another();
    assert!(shown("xm_mails_in_hand") == 2.0, "two containers of one mail are one mail");
    let oldest = hands.lent().1.unwrap();
    first.settle();
    drop(second);
    assert!(shown("xm_mails_in_hand") == 1.0 && hands.lent().1.unwrap() >= oldest);
    third.leave();
    assert!(shown("xm_mails_in_hand") == 0.0 && shown("xm_mails_in_hand_oldest_seconds") == 0.0);
}
