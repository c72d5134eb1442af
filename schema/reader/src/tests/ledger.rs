//! A test of the ledger while sixteen programs settle letters at the same time. Letters ask for records, are charged, refused and tried
//! again, and accounts are recharged. At the end the balance of each account must equal the sum of its entries, and no account may be
//! charged beyond its credit limit where the tariff forbids it.
//!
//! `XM_LEDGER_EVENTS=10000 XM_LEDGER_SEEDS=5` runs the long version.

mod books;
mod centre;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sdc::letter::Letter;
use tokio::task::JoinSet;

use super::dice::Dice;
use centre::Centre;

/// Number of programs that settle at the same time, each with a settler and a reader of its own.
const PROGRAMS: usize = 16;
/// A batch has a random number of new letters, at least 1 and at most this number.
const BATCH_MAX: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn accounts_hold_what_their_entries_sum_to_whatever_happens_at_once() {
    let events: usize = super::told("XM_LEDGER_EVENTS", 1_000);
    let seeds: u64 = super::told("XM_LEDGER_SEEDS", 3);
    for seed in 1..=seeds {
        let centre = Arc::new(Centre::found(PROGRAMS, seed).await);
        let begun = Arc::new(AtomicUsize::new(0));
        let mut programs = JoinSet::new();
        for program in 0..PROGRAMS {
            let (centre, begun) = (Arc::clone(&centre), Arc::clone(&begun));
            let dice = Dice::new(seed * 1_000 + program as u64);
            programs.spawn(async move { work(&centre, program, dice, &begun, events).await });
        }
        // Here the panic of a program, if there was one, ends the test.
        programs.join_all().await;
        let told = centre.books().audit(&centre.entries().await, &centre.balances().await);
        assert_eq!(told.wrong, [""; 0], "seed {seed}");
        assert_eq!(centre.count("SELECT difference FROM xm.ledger_difference").await, 0, "seed {seed}");
        assert_eq!(
            centre.count(ONE_SIDED).await,
            0,
            "an entry has one agency on one side, and the centre on the other"
        );
        assert_eq!(centre.count(REDEEMED).await, told.vouchers, "seed {seed}");
        eprintln!("seed {seed}: {}", told.summary);
        // A run in which some kind of event did not occur would prove nothing about that kind, so it fails.
        assert!(told.is_of_every_kind, "seed {seed}: {}", told.summary);
    }
}

const ONE_SIDED: &str = "SELECT count(*) FROM xm.entries e
                           LEFT JOIN xm.accounts d ON d.id = e.debit LEFT JOIN xm.accounts c ON c.id = e.credit
                          WHERE coalesce(d.agency, c.agency) IS DISTINCT FROM e.agency
                             OR (d.agency IS NULL) = (c.agency IS NULL) OR d.id IS NULL OR c.id IS NULL";
const REDEEMED: &str = "SELECT count(*) FROM xm.vouchers WHERE redeemed_at IS NOT NULL";

/// Runs random events until all programs together have begun `events` events.
async fn work(centre: &Centre, program: usize, mut dice: Dice, begun: &AtomicUsize, events: usize) {
    while begun.load(Ordering::Relaxed) < events {
        let happened = match dice.number(100) {
            0..10 => centre.recharge(&mut dice).await,
            10..15 => centre.reverse(&mut dice).await,
            15..25 => try_again(centre, program, &mut dice).await,
            _ => post(centre, program, &mut dice).await,
        };
        begun.fetch_add(happened, Ordering::Relaxed);
    }
}

/// Settles a batch of new letters, and in it one deferred letter if there is any. A fifth of the batches goes to two programs at the same
/// time, as where a mail is delivered twice: each letter must still count once.
async fn post(centre: &Centre, program: usize, dice: &mut Dice) -> usize {
    let mut letters: Vec<Letter> = (0..=dice.number(BATCH_MAX)).map(|_| centre.letter(dice)).collect();
    letters.extend(centre.books().take_deferred(dice));
    if dice.percent(20) {
        let other = (program + 1 + dice.number(PROGRAMS - 1)) % PROGRAMS;
        tokio::join!(centre.settle(program, &letters), centre.settle(other, &letters));
    } else {
        centre.settle(program, &letters).await;
    }
    letters.len()
}

/// Draws a letter that was refused because the credit was too low, and lets two programs try it again at the same time.
async fn try_again(centre: &Centre, program: usize, dice: &mut Dice) -> usize {
    let Some(letter) = centre.books().take_refused(dice) else { return 0 };
    let other = (program + 1 + dice.number(PROGRAMS - 1)) % PROGRAMS;
    tokio::join!(centre.try_again(program, &letter), centre.try_again(other, &letter));
    1
}
