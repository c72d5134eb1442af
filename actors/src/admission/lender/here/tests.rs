//! Tests of the fates that senders of pushed mail are told, and of the mail whose sender was answered before the mail had a fate.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::poll;
use store::letters::in_hand;
use tokio::task::JoinHandle;

use super::*;
use crate::admission::testing::{PATIENCE, Source, eventually, letter};
use crate::custody::Share;

const PATIENT: Patience = Patience { hold: PATIENCE, answer: PATIENCE };
/// A patience so short that the sender is answered before any work on its mail can end.
const HASTY: Patience = Patience { hold: Duration::ZERO, answer: Duration::from_millis(50) };

fn token(number: usize) -> String {
    token_of(&letter(number).mail)
}

fn is_in_hand(number: usize) -> String {
    format!("EXISTS (SELECT FROM xm.in_hand WHERE '{}' = ANY(uidls))", token(number))
}

fn is_suspect(number: usize, attempts: i16) -> String {
    format!("EXISTS (SELECT FROM xm.suspects WHERE uidl = '{}' AND attempts = {attempts})", token(number))
}

/// Pushes a mail in a task of its own.
fn push(lender: &HereLender, number: usize) -> JoinHandle<Fate> {
    let lender = lender.clone();
    tokio::spawn(async move { lender.lend(letter(number)).await })
}

/// Pushes a mail and returns the fate that its sender is told.
async fn answer(lender: &HereLender, number: usize) -> Fate {
    timeout(PATIENCE, lender.lend(letter(number))).await.expect("a sender is answered")
}

/// Starts a lender for a source in which these mails are suspects.
async fn lender_of_suspects(source: &Source, numbers: &[usize]) -> HereLender {
    let tokens: Vec<String> = numbers.iter().map(|number| token(*number)).collect();
    in_hand::suspect(&mut source.database.get().await.unwrap(), "lmtp", &tokens).await.unwrap();
    source.lender(PATIENT).await
}

/// Ends the pause in which no suspect is tried.
fn end_pause(lender: &HereLender) {
    *locked(&lender.0.suspects_wait_until) = Some(Instant::now());
}

fn panics_over(share: Share) {
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _held = share;
        panic!("planted");
    }));
    assert!(unwound.is_err());
}

#[test]
fn a_mail_that_is_sent_again_with_other_header_fields_has_the_same_token() {
    let mail = b"Subject: SDC 1\r\n\r\nletter\r\n\r\n";
    let again = [b"Received: by mx; today\r\n".as_slice(), mail].concat();
    assert_eq!(token_of(mail), token_of(&again));
    assert_eq!(token_of(mail), token_of(b"A: b\n\nletter\r\n\r\n"));
    assert_ne!(token_of(mail), token_of(b"Subject: SDC 1\r\n\r\nletter 2\r\n"));
    assert_ne!(token_of(b"Subject: 1\r\n\r\n"), token_of(b"Subject: 2\r\n\r\n"));
    assert_ne!(token_of(b"a"), token_of(b"b"));
}

#[tokio::test]
async fn after_a_suspect_waited_in_vain_no_suspect_is_tried_for_a_while_and_other_mail_flows() {
    let mut source = Source::new().await;
    let lender = lender_of_suspects(&source, &[1, 2]).await;
    let other = push(&lender, 3);
    let held = source.next().await;
    assert_eq!(source.unlent(lender.lend(letter(1))).await, Fate::Deferred, "other mail is in hand");
    held.share.settle();
    assert_eq!(other.await.unwrap(), Fate::Settled);
    for number in [2, 1] {
        assert_eq!(source.unlent(lender.lend(letter(number))).await, Fate::Deferred, "nothing else is in hand");
    }
    let other = push(&lender, 4);
    source.next().await.share.settle();
    assert_eq!(other.await.unwrap(), Fate::Settled);
    assert!(source.holds(&format!("{} AND {}", is_suspect(1, 0), is_suspect(2, 0))).await, "none was tried");
    end_pause(&lender);
    for number in [1, 2] {
        let tried = push(&lender, number);
        let fetched = source.next().await;
        assert_eq!(fetched.mail, letter(number).mail);
        fetched.share.settle();
        assert_eq!(tried.await.unwrap(), Fate::Settled);
    }
    source.until("NOT EXISTS (SELECT FROM xm.suspects)").await;
}

#[tokio::test]
async fn a_suspect_whose_turn_comes_after_another_waited_in_vain_is_not_tried_either() {
    let mut source = Source::new().await;
    let lender = lender_of_suspects(&source, &[1, 2]).await;
    let turn = source.admission.hands.take_suspect().await;
    let second = token(2);
    let mut waits = Box::pin(lender.0.lend_alone(&second, letter(2), None));
    assert!(poll!(&mut waits).is_pending(), "another has the turn");
    *locked(&lender.0.suspects_wait_until) = Some(Instant::now() + SUSPECTS_PAUSE);
    drop(turn);
    assert_eq!(source.unlent(waits).await.unwrap(), Fate::Deferred);
}

#[tokio::test]
async fn a_suspect_whose_copy_was_tried_before_it_is_judged_by_what_is_known_then() {
    let mut source = Source::new().await;
    let lender = lender_of_suspects(&source, &[1, 2]).await;
    let (fails, harmless) = (token(1), token(2));
    let turn = source.admission.hands.take_suspect().await;
    let mut waits = Box::pin(lender.0.lend_alone(&fails, letter(1), None));
    assert!(poll!(&mut waits).is_pending(), "its copy has the turn");
    lender.0.suspects.change(&fails, Some(ATTEMPTS_MAX));
    drop(turn);
    let settling = async {
        let fetched = source.next().await;
        assert!(fetched.is_poison, "its copy failed for the last time");
        fetched.share.settle();
    };
    assert_eq!(tokio::join!(waits, settling).0.unwrap(), Fate::Settled);
    let turn = source.admission.hands.take_suspect().await;
    let mut waits = Box::pin(lender.0.lend_alone(&harmless, letter(2), None));
    assert!(poll!(&mut waits).is_pending(), "its copy has the turn");
    lender.0.recorder.absolve(harmless.clone());
    drop(turn);
    assert_eq!(source.unlent(waits).await.unwrap(), Fate::Deferred, "it comes again, and is no suspect then");
    assert_eq!(lender.0.suspects.attempts(&harmless), None);
}

#[tokio::test]
async fn a_sender_is_answered_in_time_and_its_mail_stays_in_hand_until_its_fate() {
    let mut source = Source::new().await;
    let lender = source.lender(HASTY).await;
    assert_eq!(answer(&lender, 1).await, Fate::Returned, "nobody works on it");
    let first = source.next().await;
    timeout(PATIENCE, lender.senders().gone()).await.expect("no sender waits");
    assert_eq!(answer(&lender, 2).await, Fate::Returned);
    source.next().await.share.settle();
    // Both mails were answered the same way. If the answer had deleted their records, the record of the first mail would be gone before
    // that of the second.
    source.until(&format!("NOT {}", is_in_hand(2))).await;
    assert!(source.holds(&is_in_hand(1)).await, "a crash must make the first mail suspect");
    panics_over(first.share);
    source.until(&format!("NOT {}", is_in_hand(1))).await;
    assert!(source.holds(&is_suspect(1, 0)).await, "its sender was told before, and it is suspect all the same");
    let again = source.lender(PATIENT).await;
    let tried = push(&again, 1);
    let alone = source.next().await;
    assert!(source.holds(&is_suspect(1, 1)).await, "the attempt is known before it begins");
    alone.share.settle();
    assert_eq!(tried.await.unwrap(), Fate::Settled);
}

#[tokio::test]
async fn a_mail_that_cannot_be_recorded_is_not_lent_and_one_that_is_kept_is_lent_afterwards() {
    let mut source = Source::new().await;
    let (hasty, patient) =
        (source.lender(Patience { hold: Duration::ZERO, ..PATIENT }).await, source.lender(PATIENT).await);
    source.refuse("INSERT ON xm.in_hand", "P0001").await;
    assert_eq!(source.unlent(hasty.lend(letter(1))).await, Fate::Returned);
    let kept = push(&patient, 2);
    let before = source.faults();
    eventually("the kept mail is tried again", async || source.faults() > before + 1.0).await;
    assert!(!kept.is_finished(), "its sender waits");
    source.mend().await;
    let fetched = source.next().await;
    assert_eq!(fetched.mail, letter(2).mail);
    assert!(fetched.provenance.source.is_fetched_again, "its letters may be settled by a COMMIT that was not answered");
    fetched.share.settle();
    assert_eq!(kept.await.unwrap(), Fate::Settled);
    source.until("NOT EXISTS (SELECT FROM xm.in_hand)").await;
}

#[tokio::test]
async fn a_suspect_that_is_settled_is_told_so_although_the_database_fails_behind_it() {
    let mut source = Source::new().await;
    let lender = lender_of_suspects(&source, &[1]).await;
    let tried = push(&lender, 1);
    let alone = source.next().await;
    source.refuse("DELETE ON xm.suspects", "P0001").await;
    alone.share.settle();
    assert_eq!(tried.await.unwrap(), Fate::Settled);
    assert_eq!(lender.0.suspects.attempts(&token(1)), None, "it is no suspect, whatever the database says for now");
    assert!(source.holds(&is_suspect(1, 1)).await);
    source.mend().await;
    source.until("NOT EXISTS (SELECT FROM xm.suspects)").await;
}
