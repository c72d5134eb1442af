//! Tests of the records of pushed mail while the database fails temporarily.

use store::letters::in_hand;

use super::*;
use crate::admission::testing::{Source, eventually};
use crate::stop::stop;

const NOTHING_IN_HAND: &str = "NOT EXISTS (SELECT FROM xm.in_hand)";
const IN_HAND: &str = "EXISTS (SELECT FROM xm.in_hand)";
/// The SQLSTATE of a trigger that raises an exception.
const RAISED: &str = "P0001";
/// The SQLSTATE of a full disk. The gate is closed after this fault.
const DISK_FULL: &str = "53100";

/// Starts a recorder. Returns it with the suspects that it keeps.
fn start(source: &Source) -> (Recorder, Suspects) {
    let suspects = Suspects::default();
    (Recorder::start(source.admission.clone(), Uuid::now_v7(), suspects.clone()), suspects)
}

fn suspect(token: &str, attempts: i16) -> Suspect {
    Suspect { token: token.to_owned(), attempts }
}

#[tokio::test]
async fn a_record_that_could_not_be_deleted_is_deleted_once_the_database_does() {
    let source = Source::new().await;
    let (recorder, _suspects) = start(&source);
    source.refuse("DELETE ON xm.in_hand", RAISED).await;
    let recorded = recorder.lent("a".to_owned()).await.unwrap();
    assert!(source.holds(IN_HAND).await);
    drop(recorded);
    source.until_refused(1).await;
    let other = recorder.lent("b".to_owned()).await.expect("mail is recorded meanwhile");
    source.mend().await;
    let only = "(SELECT array_agg(uidls::text) FROM xm.in_hand) = ARRAY['{b}']";
    source.until(only).await;
    drop(other);
    source.until(NOTHING_IN_HAND).await;
}

#[tokio::test]
async fn what_waits_while_the_gate_is_closed_is_written_when_it_opens_although_no_mail_comes() {
    let source = Source::new().await;
    let (recorder, suspects) = start(&source);
    source.refuse("DELETE ON xm.in_hand", DISK_FULL).await;
    drop(recorder.lent("a".to_owned()).await.unwrap());
    let gate = source.admission.gate.clone();
    eventually("the gate is closed", async || !gate.is_open()).await;
    source.mend().await;
    let (end, ending) = stop();
    let (database, metrics) = (source.database.clone(), Arc::clone(&source.admission.metrics));
    let keeps = tokio::spawn(async move { gate.keep(&database, &metrics, &ending).await });
    source.until(NOTHING_IN_HAND).await;
    source.sql("INSERT INTO xm.suspects (mailbox, uidl) VALUES ('lmtp', 'b')").await;
    eventually("a suspect of another replica is known", async || suspects.attempts("b") == Some(0)).await;
    end.tell();
    keeps.await.unwrap();
}

#[tokio::test]
async fn a_record_that_was_written_although_the_database_failed_is_deleted() {
    let source = Source::new().await;
    let life = Uuid::now_v7();
    let mut connection = source.database.get().await.unwrap();
    in_hand::record(&mut connection, "lmtp", life, 0, &["a".to_owned()]).await.unwrap();
    let recorder = Recorder::start(source.admission.clone(), life, Suspects::default());
    assert!(recorder.lent("a".to_owned()).await.is_none(), "the same record is there already");
    source.until(NOTHING_IN_HAND).await;
    assert!(recorder.lent("a".to_owned()).await.is_some());
}

#[tokio::test]
async fn a_mail_found_suspect_stays_recorded_until_the_database_knows_it() {
    let source = Source::new().await;
    let (recorder, suspects) = start(&source);
    let recorded = recorder.lent("a".to_owned()).await.unwrap();
    source.refuse("INSERT ON xm.suspects", RAISED).await;
    let known = tokio::spawn({
        let recorder = recorder.clone();
        async move { recorder.suspect("a".to_owned()).await }
    });
    source.until_refused(1).await;
    drop(recorded);
    // The statement that is refused second may have begun before `recorded` was dropped. The one refused third began after that: even then
    // the recorder must not have deleted the record alone.
    source.until_refused(3).await;
    assert!(source.holds(IN_HAND).await, "after a crash nothing else would tell that the mail is suspect");
    assert!(!known.is_finished() && suspects.attempts("a").is_none());
    source.mend().await;
    known.await.unwrap();
    assert_eq!(suspects.attempts("a"), Some(0));
    assert!(source.holds("EXISTS (SELECT FROM xm.suspects WHERE mailbox = 'lmtp' AND uidl = 'a')").await);
    source.until(NOTHING_IN_HAND).await;
}

#[tokio::test]
async fn attempts_that_do_not_count_are_uncounted_once_the_database_takes_it() {
    let source = Source::new().await;
    source.sql("INSERT INTO xm.suspects (mailbox, uidl, attempts) VALUES ('lmtp', 'a', 2), ('lmtp', 'b', 2)").await;
    source.refuse("UPDATE ON xm.suspects", RAISED).await;
    let (recorder, suspects) = start(&source);
    eventually("the suspects are known", async || suspects.attempts("b") == Some(2)).await;
    recorder.take_back("a".to_owned(), 1);
    recorder.take_back("a".to_owned(), 0);
    // After each refused try the recorder reads the suspects from the database, where the number of attempts is still 2. It must not
    // replace its own number by that one.
    source.until_refused(3).await;
    assert_eq!(suspects.attempts("a"), Some(0));
    source.mend().await;
    source.until("(SELECT array_agg(attempts ORDER BY uidl) FROM xm.suspects) = ARRAY[0, 2]::smallint[]").await;
    source.sql("DELETE FROM xm.suspects").await;
    eventually("what is cleared elsewhere is known here", async || suspects.attempts("a").is_none()).await;
}

#[tokio::test]
async fn a_mail_that_is_suspect_again_is_not_cleared_for_what_it_was_absolved_of() {
    let source = Source::new().await;
    source.sql("INSERT INTO xm.suspects (mailbox, uidl) VALUES ('lmtp', 'a'), ('lmtp', 'b')").await;
    source.refuse("DELETE ON xm.suspects", RAISED).await;
    let (recorder, suspects) = start(&source);
    eventually("the suspects are known", async || suspects.attempts("b").is_some()).await;
    recorder.absolve("a".to_owned());
    recorder.absolve("b".to_owned());
    source.until_refused(2).await;
    assert_eq!((suspects.attempts("a"), suspects.attempts("b")), (None, None));
    recorder.suspect("a".to_owned()).await;
    source.mend().await;
    source.until("(SELECT array_agg(uidl) FROM xm.suspects) = ARRAY['a']").await;
    assert_eq!((suspects.attempts("a"), suspects.attempts("b")), (Some(0), None));
}

#[tokio::test]
async fn suspects_that_have_not_come_for_long_are_forgotten_at_the_first_look() {
    let source = Source::new().await;
    let old = "INSERT INTO xm.suspects (mailbox, uidl, seen_at)
               VALUES ('lmtp', 'a', now() - interval '8 days'), ('lmtp', 'b', now())";
    source.sql(old).await;
    let (_recorder, suspects) = start(&source);
    source.until("(SELECT array_agg(uidl) FROM xm.suspects) = ARRAY['b']").await;
    eventually("it is known here", async || suspects.attempts("a").is_none() && suspects.attempts("b").is_some()).await;
}

#[test]
fn what_the_database_has_not_been_told_yet_is_not_overwritten_by_what_it_has() {
    let suspects = Suspects::begin(vec![suspect("a", 2)]);
    suspects.change_ahead("a", Some(1));
    suspects.take_over(vec![suspect("a", 2)], 1);
    assert_eq!(suspects.attempts("a"), Some(1));
    suspects.written(1);
    suspects.take_over(vec![suspect("a", 0)], 0);
    assert_eq!(suspects.attempts("a"), Some(1), "it was read before the change");
    suspects.take_over(vec![suspect("a", 0)], 1);
    assert_eq!(suspects.attempts("a"), Some(0));
}
