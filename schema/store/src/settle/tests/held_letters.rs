//! Tests of held letters: their rows are in no table and cost nothing. Two people decide about each letter, and settling then makes another
//! attempt at it.

use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use sdc::answer::receipt::{HoldCode, Receipt, Verdict};
use sdc::letter::Letter;
use sdc::refusal::RefusalCode;

use super::country::Country;
use crate::approvals;
use crate::error::{AdministrationError, InvalidValue};
use crate::letters::flags::{self, FlagFilter};
use crate::letters::held::{self, HeldFilter, HeldLetter, decision};
use crate::letters::journal;
use crate::people::{AuditAction, AuditFilter, Inspection, Operator, Privilege, RecordAsked, audit};
use crate::settle::{Outcome, Tried};
use crate::tables::records;
use crate::testing::centre::number;
use crate::testing::eventually;

fn ekane() -> Operator {
    Operator::pretended("ekane", Privilege::Operateur)
}

fn mbome() -> Operator {
    Operator::pretended("mbome", Privilege::Operateur)
}

fn ndi() -> Operator {
    Operator::pretended("ndi", Privilege::Operateur).of_commission()
}

/// Settles a letter of agency 42 that is held because its station has too many signatures.
async fn held_letter(country: &mut Country) -> Letter {
    let request = country.result("S1", Some(200), &[("A", 60), ("B", 30)]);
    let letter = country.letter(42, request);
    assert_eq!(country.settle(&[&letter]).await, [Outcome::Held]);
    letter
}

async fn open(country: &Country) -> HeldLetter {
    let filter = HeldFilter::default();
    let mut open = held::list(&mut *country.world().connection().await, &filter).await.unwrap();
    assert_eq!(open.len(), 1, "one letter waits");
    open.remove(0)
}

/// Decides about a held letter: one person asks for the decision, and another person confirms it.
async fn decided(
    country: &Country,
    letter: &Letter,
    waived: Option<&[String]>,
    [asker, decider]: [&Operator; 2],
) -> Result<Tried, AdministrationError> {
    let id = open(country).await.id;
    let connection = &mut *country.world().connection().await;
    let act = decision::act(connection, asker, id, waived, "minutes seen").await?;
    let approval = approvals::ask(connection, asker, &act).await?;
    let taken_up = decision::take_up(connection, decider, id).await?;
    let opened = country.arrival(letter).await;
    let opened = crate::settle::Arrival { received_at: taken_up.entry.received_at, ..opened };
    Ok(decision::confirm(&country.world().settler, connection, decider, approval.id, opened).await?.tried)
}

const ROWS: &str = r#"SELECT (SELECT count(*) FROM lab."Result") + (SELECT count(*) FROM lab."Vote")"#;
const CHARGED: &str = "SELECT coalesce(sum(amount), 0) FROM xm.entries WHERE kind = 'letter'";

#[tokio::test]
async fn a_held_letter_uses_its_number_charges_nothing_and_is_readable_by_operators_alone() {
    let mut country = Country::new("by_agency", false).await;
    country.world().tariff(100, 0, "owe").await;
    let letter = held_letter(&mut country).await;
    assert_eq!((country.count(ROWS).await, country.count(CHARGED).await), (0, 0));
    let receipt = country.world().receipt(&letter).await;
    assert_eq!((receipt.verdict, receipt.attempt, receipt.highest_sequence), (Verdict::Held, 1, 1));
    assert_eq!((receipt.account.cost, receipt.rows.len(), receipt.remedy), (0, 0, None));
    assert_eq!(country.count("SELECT count(*) FROM xm.journal WHERE outcome = 'held'").await, 1);
    assert_eq!(country.count("SELECT count(*) FROM xm.letters WHERE verdict = 'held' AND sequence = 1").await, 1);

    let waiting = open(&country).await;
    assert_eq!(
        (waiting.code.as_str(), waiting.tables.as_slice()),
        ("check", &["lab.Result", "lab.Vote"].map(str::to_owned)[..])
    );
    assert_eq!(waiting.checks_named(), ["Result.within_reference"]);
    let connection = &mut *country.world().connection().await;
    let (_, rows) = held::show(connection, &ekane(), waiting.id).await.unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!((rows[0].table.as_str(), &rows[0].content["Signatures"]), ("Result", &serde_json::json!(200)));
    let looked = audit::list(connection, None, 1).await.unwrap().remove(0);
    assert_eq!((looked.action.as_str(), looked.subject), ("held.show", format!("held letter {}", waiting.id)));

    // The held letter is delivered again. It gets the same receipt and is held only once.
    assert_eq!(country.settle(&[&letter]).await, [Outcome::Duplicate]);
    assert_eq!(open(&country).await.id, waiting.id);
    // The held letter delays no other letter: the next letter of its office is settled.
    let request = country.result("S2", Some(10), &[("A", 9)]);
    assert_eq!(country.send(42, request).await.verdict, Verdict::Accepted);
}

/// A decision waits for a letter that somebody else has locked, for example the exporter, which marks its answer as sent. Meanwhile the
/// decision must not have locked the answer: the exporter locks it next, and each would wait for the other.
#[tokio::test]
async fn a_decision_locks_the_letter_before_its_answer() {
    let mut country = Country::new("by_agency", false).await;
    let letter = held_letter(&mut country).await;
    let mut other = country.world().connection().await;
    other.batch_execute("BEGIN; SELECT FROM xm.letters FOR NO KEY UPDATE").await.unwrap();
    let (asker, decider) = (ekane(), mbome());
    let deciding = decided(&country, &letter, Some(&[]), [&asker, &decider]);
    let looking = async {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        eventually("the decision waits for the letter", async || country.count(waiting).await == 1).await;
        let answer = other.batch_execute("SELECT FROM xm.outbox FOR UPDATE NOWAIT").await;
        other.batch_execute("ROLLBACK").await.unwrap();
        answer.unwrap();
    };
    let (decided, ()) = tokio::join!(deciding, looking);
    assert_eq!(decided.unwrap(), Tried::Accepted { letter_id: letter.id, attempt: 2 });
}

#[tokio::test]
async fn two_people_release_a_letter_and_its_waived_check_is_a_flag_that_is_explained() {
    let mut country = Country::new("by_agency", false).await;
    country.world().tariff(100, 0, "owe").await;
    let letter = held_letter(&mut country).await;
    // The tariff ends after the letter arrived. The letter's price follows the tariff at its arrival.
    country.world().sql("UPDATE xm.tariffs SET valid_to = now() + interval '1 hour'").await;
    let own = decided(&country, &letter, Some(&[]), [&ekane(), &ekane()]).await.unwrap_err();
    assert!(matches!(own, AdministrationError::ApprovalOwn(_)), "{own}");
    assert_eq!(country.count(ROWS).await, 0);
    let tried = decided(&country, &letter, Some(&[]), [&ekane(), &mbome()]).await.unwrap();
    assert_eq!(tried, Tried::Accepted { letter_id: letter.id, attempt: 2 });
    assert_eq!((country.count(ROWS).await, country.count(CHARGED).await), (3, 300));
    let receipt: Receipt = country.last_attempt().await;
    assert_eq!((receipt.verdict, receipt.attempt, receipt.account.cost), (Verdict::Accepted, 2, 300));
    assert_eq!(receipt.flags[0].check, "within_reference");
    let kept = "SELECT count(*) FROM xm.attempts WHERE attempt = 2 AND decider = 'mbome' AND approval IS NOT NULL";
    assert_eq!(country.count(kept).await, 1);
    let explained = "SELECT count(*) FROM xm.flags WHERE explained_by = 'mbome' AND explanation = 'minutes seen'";
    assert_eq!(country.count(explained).await, 1);
    assert_eq!(country.count("SELECT count(*) FROM xm.held WHERE state = 'released' AND original = ''").await, 1);
    assert_eq!(country.count("SELECT count(*) FROM xm.held_rows").await, 0, "its rows are in their tables");
    let lines = audit::list(&mut *country.world().connection().await, None, 2).await.unwrap();
    let told: Vec<(&str, &str)> = lines.iter().map(|line| (line.operator.as_str(), line.action.as_str())).collect();
    assert_eq!(told, [("mbome", "approval.confirm"), ("mbome", "held.decide")]);
    // The released letter, delivered again, is a duplicate like any other.
    assert_eq!(country.settle(&[&letter]).await, [Outcome::Duplicate]);
    // The same records in a new letter are not held again, because they are stored in the tables already.
    let again = country.letter(42, letter.request.clone());
    assert_eq!(country.settle(&[&again]).await, [Outcome::Accepted]);
    let error = decision::take_up(&mut *country.world().connection().await, &ekane(), 1).await.unwrap_err();
    assert!(matches!(error, AdministrationError::HeldDecided { .. }), "{error}");
}

#[tokio::test]
async fn only_the_named_checks_are_waived_and_all_else_is_judged_anew() {
    let mut country = Country::new("by_agency", false).await;
    let letter = held_letter(&mut country).await;
    let unknown = ["Result.other".to_owned()];
    let error = decided(&country, &letter, Some(&unknown), [&ekane(), &mbome()]).await.unwrap_err();
    assert!(error.to_string().contains("Result.within_reference"), "{error}");
    // After the letter was held, its table got one more check. Nobody has waived this check, so the attempt holds the letter for it.
    country
        .world()
        .sql(
            r#"UPDATE xm.tables SET checks = checks ||
                 '[{"code": "few", "severity": "hold", "left": ["Valid"], "comparison": "<=", "right": [1]}]' WHERE name = 'Result'"#,
        )
        .await;
    let tried = decided(&country, &letter, Some(&[]), [&ekane(), &mbome()]).await.unwrap();
    assert_eq!(
        tried,
        Tried::Held {
            letter_id: letter.id,
            attempt: 2,
            checks: vec!["Result.few".to_owned(), "Result.within_reference".to_owned()][..1].to_vec()
        }
    );
    let waiting = open(&country).await;
    assert_eq!((waiting.attempt, waiting.checks_named()), (2, vec!["Result.few".to_owned()]));
    // Another agency sends a result of the same station, and the centre accepts it. If two people then release the held letter of the first
    // agency, it must be refused as a conflict. Only the findings of checks can be released.
    let request = country.result("S1", Some(95), &[("A", 1)]);
    assert_eq!(country.send(43, request).await.verdict, Verdict::Accepted);
    let tried = decided(&country, &letter, Some(&[]), [&ekane(), &mbome()]).await.unwrap();
    let Tried::Refused { attempt, refusal, .. } = tried else { panic!("{tried:?}") };
    assert_eq!((attempt, refusal.code), (3, RefusalCode::Conflict));
    assert_eq!(country.count("SELECT count(*) FROM xm.held WHERE state = 'refused'").await, 1);
    assert_eq!(
        country.count("SELECT count(*) FROM xm.quarantine WHERE reason = 'conflict' AND state = 'open'").await,
        1
    );
}

#[tokio::test]
async fn what_the_centre_decides_against_is_refused_with_its_reason_and_kept() {
    let mut country = Country::new("by_agency", false).await;
    let letter = held_letter(&mut country).await;
    let tried = decided(&country, &letter, None, [&ekane(), &mbome()]).await.unwrap();
    let Tried::Refused { attempt, refusal, .. } = tried else { panic!("{tried:?}") };
    assert_eq!((attempt, refusal.code), (2, RefusalCode::HoldRefused));
    assert_eq!(refusal.parameters["reason"], "minutes seen");
    assert_eq!(country.last_attempt().await.verdict, Verdict::Refused);
    assert_eq!(
        (
            country.count(ROWS).await,
            country.count("SELECT count(*) FROM xm.quarantine WHERE reason = 'hold_refused'").await
        ),
        (0, 1)
    );
}

#[tokio::test]
async fn a_key_revoked_since_prevents_a_release_and_not_a_refusal() {
    let mut country = Country::new("by_agency", false).await;
    let letter = held_letter(&mut country).await;
    country
        .world()
        .sql("UPDATE xm.certificates SET revoked_at = now(), revoked_reason = 'lost' WHERE agency = 42")
        .await;
    let tried = decided(&country, &letter, Some(&[]), [&ekane(), &mbome()]).await.unwrap();
    assert!(matches!(&tried, Tried::Stranger(refusal) if refusal.code == RefusalCode::CertificateRevoked), "{tried:?}");
    assert_eq!((open(&country).await.attempt, country.count(ROWS).await), (1, 0));
    let tried = decided(&country, &letter, None, [&ekane(), &mbome()]).await.unwrap();
    assert!(matches!(tried, Tried::Stranger(_)), "{tried:?}");
    assert_eq!(country.count("SELECT count(*) FROM xm.held WHERE state = 'refused' AND original <> ''").await, 1);
    assert_eq!(country.count("SELECT count(*) FROM xm.attempts").await, 0, "nobody is told");
}

#[tokio::test]
async fn results_are_released_by_two_of_whom_one_is_of_the_commission() {
    let mut country = Country::new("by_agency", true).await;
    let letter = held_letter(&mut country).await;
    assert!(open(&country).await.is_of_results);
    let error = decided(&country, &letter, Some(&[]), [&ekane(), &mbome()]).await.unwrap_err();
    assert!(matches!(error, AdministrationError::ApprovalWithoutCommission(_)), "{error}");
    assert_eq!(country.count(ROWS).await, 0);
    // Somebody has requested the same decision already. A member of the commission confirms it now.
    let tried = decided(&country, &letter, Some(&[]), [&ekane(), &ndi()]).await.unwrap();
    assert_eq!(tried, Tried::Accepted { letter_id: letter.id, attempt: 2 });
}

#[tokio::test]
async fn what_has_changed_since_it_was_asked_is_asked_anew() {
    let mut country = Country::new("by_agency", false).await;
    let letter = held_letter(&mut country).await;
    let id = open(&country).await.id;
    let connection = &mut *country.world().connection().await;
    let act = decision::act(connection, &ekane(), id, Some(&[]), "seen").await.unwrap();
    let approval = approvals::ask(connection, &ekane(), &act).await.unwrap();
    country.world().sql("UPDATE xm.held SET attempt = 9").await;
    let opened = country.arrival(&letter).await;
    let error =
        decision::confirm(&country.world().settler, connection, &mbome(), approval.id, opened).await.unwrap_err();
    assert!(matches!(error, AdministrationError::ApprovalChanged(_)), "{error}");
    assert_eq!(approvals::show(connection, approval.id).await.unwrap().state, "changed");
    assert_eq!(country.count(ROWS).await, 0);
}

#[tokio::test]
async fn a_flag_waits_until_somebody_explains_it_once() {
    let mut country = Country::new("by_agency", false).await;
    let request = country.result("S2", Some(5), &[("A", 9)]);
    assert_eq!(country.send(42, request).await.flags.len(), 1);
    let connection = &mut *country.world().connection().await;
    let listed = flags::list(connection, &FlagFilter::default()).await.unwrap();
    let [flag] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!(
        (flag.table.as_str(), flag.check.as_str(), flag.rows_total),
        ("lab.Result", "valid_within_signatures", 1)
    );
    assert!(flags::explain(connection, &ekane(), flag.id, " ").await.is_err());
    flags::explain(connection, &ekane(), flag.id, "signed on a second sheet").await.unwrap();
    assert_eq!(flags::list(connection, &FlagFilter::default()).await.unwrap(), []);
    let error = flags::explain(connection, &mbome(), flag.id, "again").await.unwrap_err();
    assert!(matches!(&error, AdministrationError::FlagExplained { user, .. } if user == "ekane"), "{error}");
    let all = FlagFilter { with_explained: true, ..FlagFilter::default() };
    assert_eq!(flags::list(connection, &all).await.unwrap()[0].explained_by.as_deref(), Some("ekane"));
    assert_eq!(HoldCode::ALL.map(HoldCode::as_str), ["check", "approval"]);
}

/// Who looked at a record is found by its legal key, whether its rows were read while the letter was held, or its container was taken out
/// of the journal.
#[tokio::test]
async fn who_looked_at_a_record_is_found_by_its_legal_key() {
    let mut country = Country::new("by_agency", false).await;
    held_letter(&mut country).await;
    let accepted = country.result("S2", Some(10), &[("A", 9)]);
    assert_eq!(country.send(42, accepted).await.verdict, Verdict::Accepted);
    let connection = &mut *country.world().connection().await;
    held::show(connection, &ekane(), open(&country).await.id).await.unwrap();
    let line = country.count("SELECT id FROM xm.journal WHERE outcome = 'accepted'").await;
    assert!(journal::original(connection, &ndi(), line).await.unwrap().is_some());
    let read = records::show(connection, &mbome(), "lab.Result", &["S2".to_owned()]).await.unwrap();
    assert_eq!((read.len(), read[0].agency, &read[0].content["Valid"]), (1, Some(number(42)), &serde_json::json!(9)));
    assert!(read[0].content.get("xm_agency").is_none() && read[0].letter_id.is_some(), "{read:?}");
    let error = records::show(connection, &mbome(), "lab.Result", &["S3".to_owned()]).await.unwrap_err();
    assert!(matches!(error, AdministrationError::RecordUnknown(_)), "{error}");
    let reader = Operator::pretended("mbome", Privilege::ChefDAgence);
    let search = async |connection: &mut AsyncPgConnection, table: &str, key: &[&str]| {
        let key = key.iter().map(|value| (*value).to_owned()).collect();
        let record = Some(RecordAsked { table: table.to_owned(), key });
        Inspection::begin(connection, &reader, AuditFilter { record, ..AuditFilter::default() }).await
    };
    for (table, key, expected) in [
        ("lab.Result", &["S1"][..], &["ekane held.show"][..]),
        ("lab.Vote", &["S1", "B"], &["ekane held.show"]),
        ("lab.Result", &["S2"], &["mbome record.show", "ndi letter.original"]),
        ("lab.result", &["S2"], &["mbome record.show", "ndi letter.original"]),
        ("lab.Vote", &["S2", "A"], &["ndi letter.original"]),
        ("lab.Vote", &["S2", "B"], &[]),
        // Nothing was found, and yet somebody looked for it.
        ("lab.Result", &["S3"], &["mbome record.show"]),
    ] {
        let inspection = search(connection, table, key).await.unwrap();
        let lines = inspection.page(connection, None, 10).await.unwrap();
        let found: Vec<_> = lines.iter().map(|line| format!("{} {}", line.operator, line.action)).collect();
        assert_eq!(found, expected, "{table} {key:?}");
    }
    let error = search(connection, "lab.Vote", &["S1"]).await.unwrap_err();
    assert!(
        matches!(&error, AdministrationError::Invalid(InvalidValue::RecordKey { columns }) if *columns == ["Code", "Cand"]),
        "{error}"
    );
    let error = search(connection, "lab.Nothing", &["S1"]).await.unwrap_err();
    assert!(matches!(error, AdministrationError::TableUnknown(_)), "{error}");
}

/// The chain has an operator's lines one after the other, and letters have none: settling neither writes the audit log nor waits for it.
#[tokio::test]
async fn settling_writes_no_audit_line_and_waits_for_none() {
    const LINES: &str = "SELECT count(*) FROM xm.audit";
    let mut country = Country::new("by_agency", false).await;
    let before = country.count(LINES).await;
    let mut operators = country.world().connection().await;
    operators.batch_execute("BEGIN").await.unwrap();
    let look = AuditAction::AuditVerify { is_whole: true, line: 1 };
    audit::write(&mut operators, &ekane(), &look).await.unwrap();
    held_letter(&mut country).await;
    let accepted = country.result("S2", Some(10), &[("A", 9)]);
    assert_eq!(country.send(42, accepted).await.verdict, Verdict::Accepted);
    operators.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(country.count(LINES).await, before);
}
