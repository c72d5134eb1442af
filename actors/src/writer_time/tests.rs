//! Tests of the order in which letters are written, and of the time that each agency has.

use proptest::prelude::*;

use super::*;

fn matricule(number: u32) -> Matricule {
    Matricule::try_from(number).unwrap()
}

fn letter(agency: u32, work: usize, item: usize) -> Waiting<usize> {
    Waiting { agency: Some(matricule(agency)), work, item }
}

fn items(batch: &Batch<usize>) -> Vec<usize> {
    batch.letters.iter().map(|letter| letter.item).collect()
}

/// Takes a batch and books one millisecond of writer time for every ten of its rows.
fn write(queue: &mut Queue<usize>, clock: &mut Instant) -> Batch<usize> {
    let batch = queue.take(300, *clock);
    let rows: usize = batch.letters.iter().map(|letter| letter.work).sum();
    let time = Duration::from_micros(100 * rows as u64);
    *clock += time;
    batch.booking.book(time, *clock);
    batch
}

#[test]
fn a_bucket_is_empty_after_two_seconds_and_gets_a_tenth_back() {
    let (mut buckets, start) = (Buckets::default(), Instant::now());
    let seconds = Duration::from_secs;
    buckets.book(matricule(1), seconds(1), start);
    assert!(!buckets.is_empty(matricule(1), start));
    buckets.book(matricule(1), seconds(1), start);
    assert!(buckets.is_empty(matricule(1), start) && !buckets.is_empty(matricule(2), start));
    assert!(!buckets.is_empty(matricule(1), start + Duration::from_millis(1)), "something has come in");
    buckets.book(matricule(1), seconds(1), start + seconds(5));
    assert!(buckets.is_empty(matricule(1), start + seconds(5)), "2 used, half a second back, 1 used");
    assert!(buckets.is_empty(matricule(1), start + seconds(9)) && !buckets.is_empty(matricule(1), start + seconds(11)));
    buckets.book(matricule(3), seconds(1000), start);
    assert!(!buckets.is_empty(matricule(3), start + seconds(21)), "a debt is bounded");
}

#[test]
fn buckets_that_are_full_again_are_forgotten() {
    let (mut buckets, mut now) = (Buckets::default(), Instant::now());
    for number in 1..=100_000 {
        buckets.book(matricule(number), Duration::from_micros(100), now);
        now += Duration::from_micros(100);
    }
    assert!(buckets.of_agencies.len() <= 2 * BUCKETS_KEPT, "{}", buckets.of_agencies.len());
}

#[test]
fn a_letter_of_another_waits_for_one_batch_however_much_an_agency_sends() {
    for flood in [1, 5_000, 10_000, 20_000] {
        let (mut queue, mut clock) = (Queue::of_writers(1), Instant::now());
        queue.extend((0..1000).map(|at| letter(1, flood, at)), clock);
        for round in 0..50 {
            // Agency 1 always has letters waiting. While a batch of its letters is written, a letter of another agency arrives; it must
            // be in the next batch.
            write(&mut queue, &mut clock);
            queue.extend([letter(2 + round, 10, 1_000_000)], clock);
            let came = clock;
            let next = write(&mut queue, &mut clock);
            assert!(items(&next).contains(&1_000_000), "{flood} rows, round {round}");
            assert!(clock - came <= Duration::from_secs(2), "{flood} rows, round {round}: {:?}", clock - came);
        }
    }
}

#[test]
fn who_has_used_up_its_time_is_taken_when_nobody_else_waits() {
    let (mut queue, now) = (Queue::of_writers(1), Instant::now());
    locked(&queue.buckets).book(matricule(1), Duration::from_secs(4), now);
    locked(&queue.buckets).book(matricule(2), Duration::from_secs(3), now);
    queue.extend([letter(1, 1, 0), letter(2, 1, 1), letter(3, 1, 2), letter(1, 1, 3), letter(3, 1, 4)], now);
    queue.extend([Waiting { agency: None, work: 1, item: 5 }], now);
    assert_eq!(items(&queue.take(10, now)), [2, 4, 5]);
    assert_eq!(items(&queue.take(10, now)), [1], "the one that has used less");
    assert_eq!(items(&queue.take(10, now)), [0, 3]);
    assert!(queue.is_empty() && queue.take(10, now).letters.is_empty());
}

#[test]
fn a_long_batch_of_who_has_no_time_left_waits_while_letters_of_others_come() {
    let (mut queue, start) = (Queue::of_writers(1), Instant::now());
    let milliseconds = Duration::from_millis;
    for agency in [1, 2] {
        locked(&queue.buckets).book(matricule(agency), Duration::from_secs(2 + u64::from(agency)), start);
    }
    locked(&queue.buckets).book(matricule(1), milliseconds(800), start);
    queue.extend([letter(1, 1, 0)], start);
    assert_eq!(queue.pause(start), Duration::ZERO, "no letter of another agency has come");
    queue.extend([letter(3, 1, 1)], start);
    assert_eq!(queue.pause(start), Duration::ZERO, "a letter of an agency with time waits");
    assert_eq!(items(&queue.take(10, start)), [1]);
    assert_eq!(queue.pause(start), milliseconds(375), "a quarter of half of the longest batch");
    queue.extend([letter(2, 1, 2)], start + milliseconds(75));
    assert_eq!(queue.pause(start + milliseconds(75)), milliseconds(300), "agency 2 has no time either");
    queue.extend([Waiting { agency: None, work: 1, item: 3 }], start + milliseconds(100));
    queue.take(10, start + milliseconds(100));
    assert_eq!(queue.pause(start + milliseconds(200)), milliseconds(275), "a stranger's letter came");
    assert_eq!(queue.pause(start + milliseconds(475)), Duration::ZERO);
}

#[test]
fn letters_of_an_agency_are_never_taken_by_two_writers_at_once() {
    let (mut queue, now) = (Queue::of_writers(2), Instant::now());
    let stranger = |item| Waiting { agency: None, work: 1, item };
    queue.extend([letter(1, 1, 0), letter(2, 1, 1), letter(1, 1, 2), stranger(3)], now);
    let first = queue.take(2, now);
    assert_eq!(items(&first), [0, 1]);
    queue.extend([letter(2, 1, 4), letter(3, 1, 5)], now);
    let second = queue.take(10, now);
    assert_eq!(items(&second), [3, 5]);
    assert!(queue.take(10, now).letters.is_empty(), "agencies 1 and 2 are being written");
    drop(second);
    assert!(queue.take(10, now).letters.is_empty());
    drop(first);
    assert_eq!(items(&queue.take(10, now)), [2, 4]);
}

#[test]
fn one_writer_of_several_is_always_free_for_short_batches() {
    for writers in [1, 2, 3] {
        let (mut queue, now) = (Queue::of_writers(writers), Instant::now());
        for agency in [1, 2, 3] {
            locked(&queue.buckets).book(matricule(agency), Duration::from_secs(3), now);
        }
        queue.extend([letter(4, 20_000, 0), letter(1, 1, 1), letter(2, 1, 2), letter(3, 1, 3)], now);
        let allowed = (writers - 1).max(1);
        let mut long: Vec<Batch<usize>> = (0..allowed).map(|_| queue.take(10, now)).collect();
        assert!(long.iter().all(|batch| batch.letters.len() == 1), "{writers}");
        assert!(queue.take(10, now).letters.is_empty(), "{writers}");
        queue.extend([letter(5, 1, 4)], now);
        assert_eq!(items(&queue.take(10, now)), [4], "{writers}");
        long.pop();
        assert_eq!(queue.take(10, now).letters.len(), 1, "{writers}: a long batch has ended");
    }
}

#[test]
fn what_is_worked_for_a_batch_after_it_has_left_its_writer_is_booked_too() {
    let (mut queue, now) = (Queue::of_writers(1), Instant::now());
    queue.extend([letter(1, 300, 0), letter(2, 100, 1), Waiting { agency: None, work: 100, item: 2 }], now);
    let batch = queue.take(10, now);
    for worker in ["writer", "ledger"] {
        assert!(!locked(&queue.buckets).is_empty(matricule(1), now), "{worker}");
        batch.booking.book(Duration::from_secs(2), now);
    }
    drop(batch);
    let missing = |agency| locked(&queue.buckets).missing(matricule(agency), now);
    assert_eq!((missing(1), missing(2)), (Duration::from_millis(2400), Duration::from_millis(800)));
    queue.extend([letter(1, 1, 3), letter(2, 1, 4)], now);
    assert_eq!(items(&queue.take(10, now)), [4], "the first has used up its time");
}

#[test]
fn a_batch_has_so_many_letters_and_so_much_work_but_one_letter_at_least() {
    let (mut queue, now) = (Queue::of_writers(1), Instant::now());
    queue.extend((0..5).map(|at| letter(1, 1, at)), now);
    assert_eq!(queue.take(3, now).letters.len(), 3);
    queue.extend([letter(2, 100_000, 9), letter(3, 1, 10)], now);
    assert_eq!(items(&queue.take(300, now)), [3, 4, 10], "what does not fit waits");
    assert_eq!(items(&queue.take(300, now)), [9], "and goes alone");
}

proptest! {
    #[test]
    fn every_letter_is_taken_once_and_those_of_an_agency_in_their_order(
        letters in prop::collection::vec((0_u32..6, 0_usize..30_000), 1..200),
        letters_max in 1_usize..50,
    ) {
        let (mut queue, mut clock) = (Queue::of_writers(1), Instant::now());
        let sent: Vec<_> = letters.iter().enumerate().map(|(item, (agency, work))| {
            Waiting { agency: (*agency > 0).then(|| matricule(*agency)), work: *work, item }
        }).collect();
        queue.extend(sent, clock);
        let mut taken = Vec::new();
        while !queue.is_empty() {
            let batch = queue.take(letters_max, clock);
            prop_assert!((1..=letters_max).contains(&batch.letters.len()));
            let work: Vec<_> = batch.letters.iter().map(|letter| (letter.agency, letter.work)).collect();
            prop_assert!(batch.letters.len() == 1 || work.iter().map(|(_, rows)| rows).sum::<usize>() <= BATCH_WORK_MAX);
            clock += Duration::from_millis(300);
            batch.booking.book(Duration::from_millis(300), clock);
            taken.extend(batch.letters);
        }
        prop_assert_eq!(taken.len(), letters.len());
        for agency in 0..6 {
            let own: Vec<usize> = taken.iter()
                .filter(|letter| letter.agency.map_or(0, u32::from) == agency).map(|letter| letter.item).collect();
            prop_assert!(own.is_sorted());
        }
    }
}
