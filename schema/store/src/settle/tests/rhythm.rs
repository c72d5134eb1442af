//! Tests of when an installation was heard, and of its rhythm.

use chrono::{Duration, Utc};

use super::*;

#[tokio::test]
async fn the_rhythm_is_that_of_the_days_with_letters() {
    let world = World::new().await;
    let begun = Utc::now();
    // Two letters of one day, a day later, then twice after a pause of five days.
    let letters = [(1, 0, -1), (2, 0, -1), (3, 1, 100), (4, 6, 200), (5, 11, 275)];
    for (number, days, hundredths) in letters {
        let letter = world.births(42, number, &[("CE-042", number)]);
        let mut arrival = world.arrival(&letter).await;
        arrival.received_at = begun + Duration::days(days);
        assert_eq!(world.settle(vec![arrival]).await, [Outcome::Accepted]);
        let rhythm = "SELECT coalesce(round(rhythm_days * 100), -1)::bigint FROM xm.installations WHERE agency = 42";
        assert_eq!(world.count(rhythm).await, hundredths, "letter {number}");
        let heard = "SELECT count(*) FROM xm.installations i JOIN xm.letters l ON l.agency = i.agency AND l.sequence = i.sequence_highest
                      WHERE i.agency = 42 AND i.heard_at = l.received_at";
        assert_eq!(world.count(heard).await, 1, "letter {number}");
    }
}
