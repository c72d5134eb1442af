//! Tests of the journal, the answers and the quarantine, as operators see them.

use chrono::{Duration, Utc};

use crate::error::{AdministrationError, Book};
use crate::letters::answers::{self, AnswerFilter};
use crate::letters::journal::{self, JournalFilter};
use crate::letters::quarantine::{self, QuarantineFilter};
use crate::people::audit;
use crate::testing::centre::*;

#[tokio::test]
async fn the_journal_is_listed_by_page_and_shown_with_its_bytes() {
    let (database, mut connection) = centre().await;
    let lines = "INSERT INTO xm.journal (received_at, agency, outcome, transport, mailbox, container_bytes, digest)
        SELECT now() - (21 - n) * interval '1 hour', 1 + n % 2, CASE WHEN n % 5 = 0 THEN 'conflict' ELSE 'accepted' END,
               'mail', 'centre', 900, sha256(n::text::bytea) FROM generate_series(1, 20) n;
        INSERT INTO xm.originals SELECT id, received_at, 'bytes of ' || id FROM xm.journal WHERE id = 3";
    run(&mut connection, &lines.replace("'bytes of ' || id", "convert_to('bytes of ' || id, 'UTF8')")).await;
    let all = JournalFilter::default();
    let mut ids = async |filter: JournalFilter| -> Vec<i64> {
        journal::list(&mut connection, &filter).await.unwrap().iter().map(|line| line.id).collect()
    };
    assert_eq!(ids(JournalFilter { limit: Some(3), ..all.clone() }).await, [20, 19, 18]);
    assert_eq!(ids(JournalFilter { before: Some(3), ..all.clone() }).await, [2, 1]);
    assert_eq!(
        ids(JournalFilter { outcome: Some("conflict".into()), agency: Some(number(1)), ..all.clone() }).await,
        [20, 10]
    );
    let since = Utc::now() - Duration::minutes(150);
    assert_eq!(ids(JournalFilter { since: Some(since), ..all.clone() }).await, [20, 19]);
    assert_eq!(ids(JournalFilter { until: Some(since), limit: Some(1), ..all.clone() }).await, [18]);
    assert!(ids(JournalFilter { flagged: true, ..all.clone() }).await.is_empty());
    let flagging = "UPDATE xm.journal SET flag_count = id WHERE id IN (2, 7, 11)";
    run(&mut database.get().await.unwrap(), flagging).await;
    assert_eq!(ids(JournalFilter { flagged: true, ..all.clone() }).await, [11, 7, 2]);
    assert_eq!(ids(JournalFilter { flagged: true, before: Some(7), ..all }).await, [2]);
    assert_eq!(journal::show(&mut connection, 7).await.unwrap().0.flags, 7);
    let (line, is_kept) = journal::show(&mut connection, 3).await.unwrap();
    assert_eq!((line.id, is_kept), (3, true));
    assert!(!journal::show(&mut connection, 4).await.unwrap().1);
    let taken = journal::original(&mut connection, &OPERATOR, 3).await.unwrap();
    assert_eq!(taken.as_deref(), Some(b"bytes of 3".as_slice()));
    let look = audit::list(&mut connection, None, 1).await.unwrap().remove(0);
    assert_eq!((look.action.as_str(), look.subject.as_str()), ("letter.original", "journal line 3"));
    assert_eq!(journal::original(&mut connection, &OPERATOR, 4).await.unwrap(), None);
    assert!(serde_json::to_string(&line).unwrap().contains(&hex::encode(line.digest.unwrap())));
    let error = journal::show(&mut connection, 99).await.unwrap_err();
    assert!(matches!(error, AdministrationError::LineUnknown { book: Book::Journal, id: 99 }), "{error}");
}

/// Lines of seconds, days and months ago, numbered in another order than that of their arrival: every page begins behind the last line of
/// the page before, and together they are all lines, newest first.
#[tokio::test]
async fn pages_of_the_journal_are_all_lines_whatever_windows_they_are_read_in() {
    let (_database, mut connection) = centre().await;
    run(
        &mut connection,
        "SELECT xm.ensure_partitions(0);
         INSERT INTO xm.journal (received_at, agency, outcome, transport, mailbox, container_bytes)
         SELECT now() - (n * 7919 % 100) ^ 3 * interval '13 seconds', 1, 'accepted', 'mail', 'centre', 900
           FROM generate_series(0, 99) n",
    )
    .await;
    let (mut read, mut before) = (Vec::new(), None);
    loop {
        let filter = JournalFilter { before, limit: Some(7), ..JournalFilter::default() };
        let page = journal::list(&mut connection, &filter).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        read.extend(page);
    }
    assert!(read.is_sorted_by(|newer, older| (newer.received_at, newer.id) > (older.received_at, older.id)));
    assert_eq!(read.len(), 100);
    let unknown = JournalFilter { before: Some(101), ..JournalFilter::default() };
    let error = journal::list(&mut connection, &unknown).await.unwrap_err();
    assert!(matches!(error, AdministrationError::LineUnknown { book: Book::Journal, id: 101 }), "{error}");
}

#[tokio::test]
async fn answers_given_up_are_due_again_once_an_operator_says_so() {
    let (_database, mut connection) = centre().await;
    run(
        &mut connection,
        "INSERT INTO xm.outbox (agency, payload, transport, attempts, due_at, failed_at, claimed_until, last_error) VALUES
             (1, '', 'mail', 1, now(), now(), NULL, '550 no such user'),
             (1, '', 'mail', 9, now() + interval '1 hour', NULL, NULL, '451 later'),
             (1, '', 'mail', 1, now() + interval '1 hour', NULL, now() + interval '1 minute', NULL),
             (2, '', 'mail', 1, now(), now(), NULL, '554 no')",
    )
    .await;
    let mut ids = async |filter: AnswerFilter| -> Vec<i64> {
        answers::list(&mut connection, &filter).await.unwrap().iter().map(|answer| answer.id).collect()
    };
    assert_eq!(ids(AnswerFilter::default()).await, [1, 2, 3, 4]);
    assert_eq!(ids(AnswerFilter { is_given_up: true, ..AnswerFilter::default() }).await, [1, 4]);
    assert_eq!(ids(AnswerFilter { agency: Some(number(1)), limit: Some(2), ..AnswerFilter::default() }).await, [1, 2]);
    assert_eq!(ids(AnswerFilter { after: Some(1), limit: Some(1), ..AnswerFilter::default() }).await, [2]);

    assert_eq!(answers::retry(&mut connection, &OPERATOR, Some(number(1))).await.unwrap(), 2, "one is being sent");
    let due = "SELECT count(*) FROM xm.outbox WHERE failed_at IS NULL AND due_at <= now() AND attempts = 0";
    assert_eq!(value(&mut connection, due).await, 2);
    assert_eq!(answers::retry(&mut connection, &OPERATOR, None).await.unwrap(), 1);
    assert_eq!(value(&mut connection, due).await, 3);
    let audited = "SELECT count(*) FROM xm.audit WHERE action = 'answer.retry'";
    assert_eq!(value(&mut connection, audited).await, 2);
}

#[tokio::test]
async fn a_dropped_entry_keeps_its_line_and_frees_its_room() {
    let (_database, mut connection) = centre().await;
    run(
        &mut connection,
        "INSERT INTO xm.quarantine (received_at, reason, held, agency, digest, transport, mailbox, sender_domain, original, original_bytes)
         VALUES (now(), 'unknown_signer', false, NULL, sha256('a'), 'mail', 'centre', 'example.net', 'abcdef', 6),
                (now(), 'conflict', true, 1, sha256('b'), 'mail', 'centre', 'example.cm', 'xyz', 3);
         INSERT INTO xm.quarantine_usage VALUES ('unknown_signer', 1000)",
    )
    .await;
    let open = quarantine::list(&mut connection, &QuarantineFilter::default()).await.unwrap();
    assert_eq!(open.iter().map(|entry| entry.id).collect::<Vec<_>>(), [2, 1]);
    let held = QuarantineFilter { held: true, agency: Some(number(1)), ..QuarantineFilter::default() };
    assert_eq!(quarantine::list(&mut connection, &held).await.unwrap().len(), 1);

    let content = quarantine::show(&mut connection, &OPERATOR, 1).await.unwrap();
    assert_eq!((content.original.as_slice(), content.entry.reason.as_str()), (b"abcdef".as_slice(), "unknown_signer"));
    let looked = "SELECT count(*) FROM xm.audit WHERE action = 'quarantine.show' AND subject = 'quarantine entry 1'";
    assert_eq!(value(&mut connection, looked).await, 1);

    quarantine::drop(&mut connection, &OPERATOR, 1, "spam").await.unwrap();
    quarantine::drop(&mut connection, &OPERATOR, 2, "settled by telephone").await.unwrap();
    assert_eq!(quarantine::usage(&mut connection).await.unwrap(), [("unknown_signer".to_owned(), 1000 - 6 - 512)]);
    let error = quarantine::drop(&mut connection, &OPERATOR, 1, "again").await.unwrap_err();
    assert!(matches!(error, AdministrationError::QuarantineDecided { id: 1, .. }), "{error}");
    let error = quarantine::drop(&mut connection, &OPERATOR, 99, "x").await.unwrap_err();
    assert!(matches!(error, AdministrationError::LineUnknown { .. }), "{error}");
    let all = QuarantineFilter { with_decided: true, ..QuarantineFilter::default() };
    let kept = quarantine::list(&mut connection, &all).await.unwrap();
    assert!(kept.iter().all(|entry| entry.state == "dropped"));
    assert_eq!(value(&mut connection, "SELECT sum(octet_length(original)) FROM xm.quarantine").await, 0);
}
