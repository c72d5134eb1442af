//! Tests of checks that look beyond their letter, at references and at the stored rows of a polling station, while the station is locked.

use std::sync::Arc;

use diesel::sql_types::BigInt;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use sdc::answer::receipt::{HoldCode, Verdict};
use sdc::refusal::RefusalCode;

use super::country::{Country, exported};
use crate::database::statement::Statement;
use crate::settle::{Outcome, Settler, SettlingSettings};

const ROWS: &str = r#"SELECT (SELECT count(*) FROM lab."Result") + (SELECT count(*) FROM lab."Vote")"#;

#[tokio::test]
async fn a_station_is_measured_by_the_centres_list_and_not_by_what_it_says_of_itself() {
    let mut country = Country::new("by_agency", false).await;
    // S1 has 100 registered voters, so the fixed allowance of 5 is more than one per cent. S2 has 1000 voters, so one per cent is more than
    // 5.
    for (code, signatures, verdict) in [("S1", 105, Verdict::Accepted), ("S2", 1010, Verdict::Accepted)] {
        let request = country.result(code, Some(signatures), &[("A", 60), ("B", 30)]);
        assert_eq!(country.send(42, request).await.verdict, verdict, "{code} {signatures}");
    }
    let mut country = Country::new("by_agency", false).await;
    for (code, signatures, unjudged, arithmetic) in [
        ("S1", Some(106), false, "Signatures 106 (106) <= Station.Registered 100 + allowance 5 (105)"),
        ("S2", Some(1011), false, "Signatures 1011 (1011) <= Station.Registered 1000 + allowance 10 (1010)"),
        ("S3", Some(10), true, "Signatures 10 (10) <= Station.Registered ? + allowance ? (?)"),
        ("S4", Some(10), true, "Signatures 10 (10) <= Station.Registered ? + allowance ? (?)"),
        ("S9", Some(1), true, "Signatures 1 (1) <= Station.Registered ? + allowance ? (?)"),
        ("S2", None, true, "Signatures ? (?) <= Station.Registered 1000 + allowance 10 (1010)"),
    ] {
        let request = country.result(code, signatures, &[("A", 1)]);
        let receipt = country.send(42, request).await;
        let hold = receipt.hold.unwrap_or_else(|| panic!("{code} {signatures:?}: {:?}", receipt.refusal));
        assert_eq!((receipt.verdict, hold.code), (Verdict::Held, HoldCode::Check), "{code}");
        let [flag] = hold.checks.as_slice() else { panic!("{:?}", hold.checks) };
        assert_eq!((flag.check.as_str(), flag.unjudged), ("within_reference", unjudged), "{code}");
        assert_eq!(flag.rows[0].arithmetic, arithmetic);
    }
    assert_eq!(country.count(ROWS).await, 0, "nothing of what is held is in a table");
}

/// A cancelled record is stored, but counts in no sum. If it is sent again unchanged, it is a duplicate and not a new row, so its letter is
/// not held.
#[tokio::test]
async fn a_cancelled_record_that_comes_again_holds_no_letter() {
    let mut country = Country::new("by_agency", false).await;
    let whole = country.result("S1", Some(100), &[("A", 60), ("B", 30)]);
    assert_eq!(country.send(42, whole.clone()).await.verdict, Verdict::Accepted);
    let cancelled = r#"UPDATE lab."Result" SET "Status" = 0; UPDATE lab."Vote" SET "Status" = 0;
                       UPDATE lab."Station" SET "Registered" = 10"#;
    country.world().sql(cancelled).await;
    let further = country.result("S2", Some(100), &[("A", 9)]);
    assert_eq!(country.send(42, further).await.verdict, Verdict::Held, "the list of stations has changed");
    let again = country.send(42, whole).await;
    assert_eq!((again.verdict, again.hold), (Verdict::Accepted, None));
    assert_eq!((again.rows[0].duplicate, again.rows[1].duplicate), (1, 2));
}

#[tokio::test]
async fn a_late_vote_that_breaks_a_stations_sum_is_caught_and_one_sent_again_counts_once() {
    let mut country = Country::new("by_agency", false).await;
    let votes = country.votes("S2", &[("A", 60), ("B", 30)]);
    let result = country.result_alone("S2", Some(100), 90);
    let whole = exported(vec![result, votes.clone()]);
    assert_eq!(country.send(42, whole.clone()).await.verdict, Verdict::Accepted);
    assert_eq!(country.count(ROWS).await, 3);
    // The same rows arrive in a new letter. Each row is stored already, so it adds nothing to the sum.
    let again = country.send(42, whole).await;
    assert_eq!((again.verdict, again.rows[1].duplicate), (Verdict::Accepted, 2));
    let again = country.send(42, exported(vec![votes])).await;
    assert_eq!((again.verdict, again.rows[0].duplicate), (Verdict::Accepted, 2));
    // A row that is not stored yet is refused, whichever agency sends it. The row here also refers to an unknown candidate.
    let more = exported(vec![country.votes("S2", &[("Z", 8)])]);
    let refusal = country.send(43, more).await.refusal.unwrap();
    assert_eq!(refusal.code, RefusalCode::CheckFailed);
    let told: Vec<(&str, &str)> =
        refusal.faults.iter().map(|fault| (fault.rule.as_str(), fault.expected.as_str())).collect();
    let expected = [
        ("candidate_known", "all rows of Candidate 0 (0) = 1 (1)"),
        ("votes_add_up", "sum of all Vote.Votes 98 (98) = Result.Valid 90 (90)"),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn votes_before_their_result_cannot_be_judged_and_the_result_is_held_against_them() {
    let mut country = Country::new("by_agency", false).await;
    let votes = exported(vec![country.votes("S1", &[("A", 8)])]);
    let receipt = country.send(43, votes).await;
    assert_eq!((receipt.verdict, receipt.flags.len()), (Verdict::Accepted, 1));
    assert_eq!((receipt.flags[0].check.as_str(), receipt.flags[0].unjudged), ("votes_add_up", true));
    assert_eq!(receipt.flags[0].rows[0].arithmetic, "sum of all Vote.Votes 8 (8) = Result.Valid ? (?)");
    let late = exported(vec![country.result_alone("S1", Some(9), 9)]);
    let refusal = country.send(43, late).await.refusal.unwrap();
    assert_eq!(refusal.faults[0].expected, "sum of all Vote.Votes 8 (8) = Valid 9 (9)");
}

#[tokio::test]
async fn letters_of_one_batch_see_what_those_before_them_bring_and_nothing_of_what_is_refused() {
    let mut country = Country::new("by_agency", false).await;
    let request = country.result("S2", Some(100), &[("A", 60), ("B", 30)]);
    let first = country.letter(42, request);
    let request = country.result("S2", Some(5000), &[("A", 3)]);
    let held = country.letter(42, request);
    let late = country.votes("S2", &[("A", 60)]);
    let late = country.letter(43, exported(vec![late]));
    let votes = country.votes("S1", &[("A", 4), ("B", 5)]);
    let before = country.letter(42, exported(vec![votes]));
    let result = country.result_alone("S1", Some(9), 9);
    let after = country.letter(43, exported(vec![result]));
    let outcomes = country.settle(&[&late, &after, &held, &before, &first]).await;
    // The letters arrive in a mixed order and take effect in this one: agency 42 sends its result of S2, a second and conflicting result
    // of S2, and its votes of S1; then agency 43 sends a vote of S2 that agency 42 has sent already, and its result of S1. The outcomes
    // below are in the order of arrival.
    let expected = [
        Outcome::Accepted,
        Outcome::Accepted,
        Outcome::Refused(RefusalCode::Conflict),
        Outcome::Accepted,
        Outcome::Accepted,
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(country.count(ROWS).await, 6);
}

/// Two replicas settle letters of two agencies at the same time. The later letter is judged by what the earlier letter committed.
#[tokio::test]
async fn two_letters_for_one_station_end_one_after_the_other_on_two_replicas_too() {
    let mut country = Country::new("by_agency", false).await;
    let request = country.result("S2", Some(100), &[("A", 60)]);
    let first = country.letter(42, request);
    let late = country.votes("S2", &[("B", 30)]);
    let late = country.letter(43, exported(vec![late]));
    let elsewhere = country.result("S1", Some(10), &[("A", 9)]);
    let elsewhere = country.letter(43, elsewhere);
    let (first, late) = (country.arrival(&first).await, country.arrival(&late).await);
    let written = country.world().settler.write(vec![first]).await.unwrap();
    let replica = Arc::new(Settler::new(country.world().database.clone(), SettlingSettings::default()));
    // A letter of another station is settled while the first transaction is still open. If the letter had to wait for that transaction, the
    // test would never end.
    let other = replica.settle(vec![country.arrival(&elsewhere).await]).await.unwrap();
    assert_eq!(other.outcomes, [Outcome::Accepted]);
    let waiting = tokio::spawn({
        let replica = Arc::clone(&replica);
        async move { replica.settle(vec![late]).await.unwrap().outcomes }
    });
    country.world().wait_for_a_lock(&waiting).await;
    assert!(!waiting.is_finished(), "the station is locked");
    assert_eq!(written.post().await.unwrap().outcomes, [Outcome::Accepted]);
    assert_eq!(waiting.await.unwrap(), [Outcome::Refused(RefusalCode::CheckFailed)]);
}

/// A batch has more stations than can be locked one by one, so it takes one lock for all stations. A batch with few stations, which locks
/// each of them, waits for this lock all the same.
#[tokio::test]
async fn a_letter_of_a_thousand_stations_keeps_others_out_too() {
    let mut country = Country::new("by_agency", false).await;
    let mut votes = country.votes("S2", &[("A", 60)]);
    for station in 0..1000 {
        let more = country.votes(&format!("T{station}"), &[("A", 1)]);
        for (column, values) in votes.values.iter_mut().zip(more.values) {
            column.extend(values);
        }
    }
    let many = country.letter(42, exported(vec![votes]));
    let late = exported(vec![country.result_alone("S2", Some(100), 59)]);
    let late = country.letter(43, late);
    let (many, late) = (country.arrival(&many).await, country.arrival(&late).await);
    let written = country.world().settler.write(vec![many]).await.unwrap();
    let replica = Settler::new(country.world().database.clone(), SettlingSettings::default());
    let waiting = tokio::spawn(async move { replica.settle(vec![late]).await.unwrap().outcomes });
    country.world().wait_for_a_lock(&waiting).await;
    assert!(!waiting.is_finished(), "all stations are locked");
    assert_eq!(written.post().await.unwrap().outcomes, [Outcome::Accepted]);
    assert_eq!(waiting.await.unwrap(), [Outcome::Refused(RefusalCode::CheckFailed)]);
}

/// If a reference table is altered, only those letters wait whose checks look at the table.
#[tokio::test]
async fn a_reference_that_cannot_be_read_makes_the_letters_wait_that_ask_for_it() {
    let mut country = Country::new("by_agency", false).await;
    country.world().sql(r#"ALTER TABLE lab."Station" RENAME "Registered" TO "Inscrits""#).await;
    let request = country.result("S2", Some(100), &[("A", 60)]);
    let result = country.letter(42, request);
    let births = country.world().births(43, 1, &[("CE-043", 1)]);
    assert_eq!(country.settle(&[&result, &births]).await, [Outcome::Deferred, Outcome::Accepted]);
    country.world().sql(r#"ALTER TABLE lab."Station" RENAME "Inscrits" TO "Registered""#).await;
    country.world().sql("UPDATE xm.server SET catalogue_revision = catalogue_revision + 1").await;
    assert_eq!(country.settle(&[&result]).await, [Outcome::Accepted]);
}

/// A large letter for one station misleads the statistics: PostgreSQL then expects that every station has so many rows.
#[tokio::test]
async fn a_station_with_many_rows_has_no_table_read_whole_for_other_stations() {
    let mut country = Country::new("by_agency", false).await;
    country
        .world()
        .sql(
            r#"INSERT INTO lab."Candidate" ("Status", "Cand") SELECT 2, 'C' || n FROM generate_series(1, 20000) n;
               INSERT INTO lab."Vote" ("Status", "Code", "Cand", "Votes", xm_agency, xm_installation, xm_numero, xm_sequence, xm_letter)
               SELECT 2, 'S7', 'C' || n, 1, 43, 'former', n, n, gen_random_uuid() FROM generate_series(1, 20000) n;
               ANALYZE lab."Vote", lab."Candidate""#,
        )
        .await;
    let before = whole_reads(&country).await;
    for code in ["S2", "S3", "S4", "S5", "S6", "S8", "S2"] {
        let request = exported(vec![country.result_alone(code, Some(50), 0)]);
        country.send(42, request).await;
        let request = country.result(code, Some(50), &[("A", 9), ("C7", 4)]);
        country.send(42, request).await;
    }
    assert_eq!(whole_reads(&country).await, before);
}

/// Counts how often PostgreSQL has read the large tables from one end to the other.
async fn whole_reads(country: &Country) -> i64 {
    // A session reports what it has counted when it ends.
    let ended = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    let mut connection = country.world().connection().await;
    connection.batch_execute(ended).await.unwrap();
    connection.batch_execute("SELECT pg_stat_force_next_flush()").await.unwrap();
    let text = "SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables WHERE relname IN ('Vote', 'Candidate') AND schemaname = 'lab'";
    Statement::<BigInt>::new(text, &[]).load(&mut connection).await.unwrap()[0]
}
