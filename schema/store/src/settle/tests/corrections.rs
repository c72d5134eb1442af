//! Tests of corrections: an agency corrects only its own records, in order, and what a record contained before is stored. The results are
//! compared with a model.

use std::collections::{BTreeMap, VecDeque};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sdc::answer::receipt::{HoldCode, TableReceipt, Verdict};
use sdc::letter::Letter;
use sdc::refusal::RefusalCode;
use sdc::request::{Correction, CorrectionAction, Corrections, RecordName, Request};
use serde_json::{Value, json};

use super::country::{Country, by_key, corrected};
use super::world::{BIRTHS, World};
use crate::approvals;
use crate::error::AdministrationError;
use crate::letters::held::{self, HeldFilter, decision};
use crate::people::{Act, Operator, Privilege};
use crate::settle::{Arrival, Outcome, Tried};

const REPLACE: CorrectionAction = CorrectionAction::Replace;
const CANCEL: CorrectionAction = CorrectionAction::Cancel;

fn superviseur() -> Operator {
    Operator::pretended("mbarga", Privilege::Superviseur)
}

fn counted(table: &str) -> TableReceipt {
    TableReceipt { table: table.to_owned(), ..TableReceipt::default() }
}

/// Makes a country where station S2 has sent its result: 60 votes for A, 30 for B.
async fn counted_country(corrections: &str, results: bool) -> Country {
    let mut country = Country::new(corrections, results).await;
    let request = country.result("S2", Some(100), &[("A", 60), ("B", 30)]);
    assert_eq!(country.send(42, request).await.verdict, Verdict::Accepted);
    country
}

/// Makes a correction from 60 to 40 votes for A, with the sum changed accordingly.
fn forty() -> Request {
    corrected(vec![
        by_key("Vote", &[("code", "S2"), ("Cand", "A")], REPLACE, &[("Votes", json!(40))]),
        by_key("Result", &[("Code", "S2")], REPLACE, &[("valid", json!(70)), ("Status", json!(2))]),
    ])
}

const VALID: &str = r#"SELECT "Valid" FROM lab."Result""#;
const HISTORY: &str = "SELECT count(*) FROM xm.history WHERE NOT superseded";

#[tokio::test]
async fn a_correction_replaces_what_it_names_and_the_former_version_is_kept_with_who_when_and_why() {
    let mut country = counted_country("by_agency", false).await;
    country
        .world()
        .sql(
            "INSERT INTO xm.tariffs (service, per_act, per_started_kb, credit, valid_from)
              VALUES ('correct', 7, 0, 'owe', now() - interval '1 day')",
        )
        .await;
    let letter = country.letter(42, forty());
    assert_eq!(country.settle(&[&letter]).await, [Outcome::Accepted]);
    let receipt = country.world().receipt(&letter).await;
    assert_eq!(receipt.account.cost, 14, "an act for each correction");
    let replaced = |table| TableReceipt { replaced: 1, ..counted(table) };
    assert_eq!((receipt.verdict, receipt.rows), (Verdict::Accepted, vec![replaced("Vote"), replaced("Result")]));
    assert_eq!(country.count(VALID).await, 70);
    assert_eq!(country.count(r#"SELECT sum("Votes") FROM lab."Vote" WHERE "Status" = 2"#).await, 70);
    assert_eq!(country.count(r#"SELECT count(*) FROM lab."Vote" WHERE xm_sequence = 2 AND xm_numero = 2"#).await, 1);
    let former = "SELECT count(*) FROM xm.history h JOIN lab.\"Result\" r ON r.\"Numero\" = h.numero
                   WHERE h.agency = 42 AND h.installation = 'pc1' AND h.action = 'replace' AND (h.content ->> 'Valid')::int = 90
                     AND h.reason = 'counted twice' AND h.reference = 'PV 88/117' AND h.letter_id <> h.replaced_by
                     AND h.replaced_by = r.xm_letter AND h.approved_by IS NULL";
    assert_eq!((country.count(former).await, country.count(HISTORY).await), (1, 2));
    // The letter is delivered again. This changes nothing and costs nothing.
    assert_eq!(country.settle(&[&letter]).await, [Outcome::Duplicate]);
    assert_eq!((country.count(HISTORY).await, country.world().ledger_difference().await), (2, 0));
    assert_eq!(country.count("SELECT count(*) FROM xm.entries WHERE kind = 'letter'").await, 1);
    // All records of the station are cancelled, so its sums are no longer judged.
    let cancelled = corrected(vec![
        by_key("Vote", &[("Code", "S2"), ("Cand", "A")], CANCEL, &[]),
        by_key("Vote", &[("Code", "S2"), ("Cand", "B")], CANCEL, &[]),
        by_key("Result", &[("Code", "S2")], CANCEL, &[]),
    ]);
    let receipt = country.send(42, cancelled).await;
    let expected =
        [TableReceipt { cancelled: 2, ..counted("Vote") }, TableReceipt { cancelled: 1, ..counted("Result") }];
    assert_eq!((receipt.refusal, receipt.rows), (None, expected.to_vec()));
    assert_eq!(country.count(r#"SELECT count(*) FROM lab."Vote" WHERE "Status" <> 0"#).await, 0);
    // A cancelled record can be sent again.
    let request = country.result("S2", Some(100), &[("A", 60)]);
    assert_eq!(country.send(42, request).await.verdict, Verdict::Accepted);
}

#[tokio::test]
async fn checks_hold_for_what_is_corrected_too() {
    let mut country = counted_country("by_agency", false).await;
    let key = [("Code", "S2"), ("Cand", "A")];
    for (correction, expected) in [
        (
            by_key("Vote", &key, REPLACE, &[("Votes", json!(61))]),
            "sum of all Vote.Votes 91 (91) = Result.Valid 90 (90)",
        ),
        (by_key("Vote", &key, CANCEL, &[]), "sum of all Vote.Votes 30 (30) = Result.Valid 90 (90)"),
        (by_key("Vote", &key, REPLACE, &[("Cand", json!("Z"))]), "all rows of Candidate 0 (0) = 1 (1)"),
    ] {
        let refusal = country.send(42, corrected(vec![correction])).await.refusal.unwrap();
        assert_eq!((refusal.code, refusal.faults[0].expected.as_str()), (RefusalCode::CheckFailed, expected));
    }
    let many = by_key("Result", &[("Code", "S2")], REPLACE, &[("Signatures", json!(2000))]);
    let receipt = country.send(42, corrected(vec![many])).await;
    assert_eq!((receipt.verdict, receipt.hold.unwrap().code), (Verdict::Held, HoldCode::Check));
    assert_eq!((country.count(VALID).await, country.count(HISTORY).await), (90, 0));
}

#[tokio::test]
async fn an_agency_corrects_what_it_has_sent_itself_and_nothing_else() {
    let mut country = counted_country("by_agency", false).await;
    let identity = |numero| RecordName::Identity { installation: "pc1".to_owned(), numero };
    let named = |record| Correction { record, ..by_key("Result", &[("Code", "S2")], REPLACE, &[("Valid", json!(1))]) };
    for (agency, correction, code) in [
        (43, named(identity(1)), RefusalCode::RecordUnknown),
        (43, by_key("Result", &[("Code", "S2")], CANCEL, &[]), RefusalCode::RecordUnknown),
        (42, named(identity(77)), RefusalCode::RecordUnknown),
        (42, by_key("Result", &[("Code", "S3")], CANCEL, &[]), RefusalCode::RecordUnknown),
        (42, by_key("Station", &[("Code", "S2")], CANCEL, &[]), RefusalCode::TableNotGranted),
        (42, by_key("Nothing", &[("Code", "S2")], CANCEL, &[]), RefusalCode::TableUnknown),
        (42, by_key("Result", &[("Codex", "S2")], CANCEL, &[]), RefusalCode::ColumnsMismatch),
        (42, by_key("Vote", &[("Code", "S2")], CANCEL, &[]), RefusalCode::ColumnsMismatch),
        (42, by_key("Result", &[("Code", "S2")], REPLACE, &[("Numero", json!(5))]), RefusalCode::ColumnsMismatch),
        (42, by_key("Result", &[("Code", "S2")], REPLACE, &[("xm_agency", json!(5))]), RefusalCode::ColumnsMismatch),
        (42, by_key("Result", &[("Code", "S2")], REPLACE, &[("Valid", json!("many"))]), RefusalCode::RowsInvalid),
        (42, by_key("Result", &[("Code", "S2")], REPLACE, &[("Status", json!(0))]), RefusalCode::RowsInvalid),
    ] {
        let refusal = country.send(agency, corrected(vec![correction.clone()])).await.refusal;
        assert_eq!(refusal.map(|refusal| refusal.code), Some(code), "{agency} {correction:?} {:?}", correction.record);
    }
    let twice = by_key("Result", &[("Code", "S2")], CANCEL, &[]);
    let refusal = country.send(42, corrected(vec![twice.clone(), twice])).await.refusal.unwrap();
    assert_eq!((refusal.code, refusal.faults[0].row), (RefusalCode::RecordUnknown, 2));
    assert_eq!((country.count(VALID).await, country.count(HISTORY).await), (90, 0));

    let mut country = counted_country("never", false).await;
    let refusal = country.send(42, forty()).await.refusal.unwrap();
    assert_eq!(refusal.code, RefusalCode::CorrectionNotAllowed);
}

#[tokio::test]
async fn what_lies_outside_the_codes_granted_is_not_corrected_nor_moved_there() {
    let world = World::new().await;
    world.sql("UPDATE xm.tables SET corrections = 'by_agency'").await;
    let births = world.births(42, 1, &[("CE-042", 1)]);
    assert_eq!(world.settle(vec![world.arrival(&births).await]).await, [Outcome::Accepted]);
    let correct = |sequence, column: &str, value: Value| Letter {
        request: Request::Correct(Corrections {
            application: "registry".to_owned(),
            corrections: vec![Correction {
                table: BIRTHS.to_owned(),
                record: RecordName::Identity { installation: "pc1".to_owned(), numero: 1 },
                action: REPLACE,
                columns: vec![column.to_owned()],
                values: vec![value],
                reason: "misspelt".to_owned(),
                reference: "act 1".to_owned(),
            }],
        }),
        ..world.births(42, sequence, &[])
    };
    let moved = correct(2, "CentreCode", json!("CE-043"));
    let outcome = Outcome::Refused(RefusalCode::OutOfScope);
    assert_eq!(world.settle(vec![world.arrival(&moved).await]).await, [outcome]);
    world.sql("DELETE FROM xm.scopes WHERE agency = 42").await;
    let renamed = correct(3, "Nom", json!("MBARGA"));
    assert_eq!(world.settle(vec![world.arrival(&renamed).await]).await, [outcome]);
}

/// Decides about the only waiting letter: approves it if `waived` is given, otherwise refuses it.
async fn decide(country: &Country, letter: &Letter, waived: Option<&[String]>) -> Result<Tried, AdministrationError> {
    let connection = &mut *country.world().connection().await;
    let filter = HeldFilter { code: Some("approval".to_owned()), ..HeldFilter::default() };
    let waiting = held::list(connection, &filter).await?;
    assert_eq!(waiting.len(), 1);
    let act = decision::act(connection, &superviseur(), waiting[0].id, waived, "minutes seen").await?;
    let opened: Arrival = country.arrival(letter).await;
    let settler = &country.world().settler;
    Ok(decision::decide_alone(settler, connection, &superviseur(), &act, opened).await?.tried)
}

#[tokio::test]
async fn what_waits_for_approval_is_held_and_one_superviseur_decides() {
    let mut country = counted_country("after_approval", false).await;
    let letter = country.letter(42, forty());
    assert_eq!(country.settle(&[&letter]).await, [Outcome::Held]);
    let receipt = country.world().receipt(&letter).await;
    assert_eq!(receipt.hold.unwrap().code, HoldCode::Approval);
    let waiting = |table| TableReceipt { waiting: 1, ..counted(table) };
    assert_eq!((receipt.verdict, receipt.rows), (Verdict::Held, vec![waiting("Vote"), waiting("Result")]));
    assert_eq!(country.count(VALID).await, 90);
    let (_, rows) = held::show(&mut *country.world().connection().await, &superviseur(), 1).await.unwrap();
    let told = rows.iter().find(|row| row.table == "Result").unwrap();
    assert_eq!((&told.content["before"]["Valid"], &told.content["after"]["Valid"]), (&json!(90), &json!(70)));

    let tried = decide(&country, &letter, Some(&[])).await.unwrap();
    assert_eq!(tried, Tried::Accepted { letter_id: letter.id, attempt: 2 });
    assert_eq!(country.last_attempt().await.rows[1].replaced, 1);
    assert_eq!(country.count(VALID).await, 70);
    assert_eq!(country.count("SELECT count(*) FROM xm.history WHERE approved_by = 'mbarga'").await, 2);

    let letter =
        country.letter(42, corrected(vec![by_key("Result", &[("Code", "S2")], REPLACE, &[("Signatures", json!(99))])]));
    assert_eq!(country.settle(&[&letter]).await, [Outcome::Held]);
    let Tried::Refused { refusal, .. } = decide(&country, &letter, None).await.unwrap() else { panic!("refused") };
    assert_eq!(refusal.code, RefusalCode::HoldRefused);
    assert_eq!(country.count(HISTORY).await, 2);
}

#[tokio::test]
async fn of_results_two_decide_one_of_them_of_the_commission() {
    let mut country = counted_country("after_approval", true).await;
    let letter = country.letter(42, forty());
    assert_eq!(country.settle(&[&letter]).await, [Outcome::Held]);
    let error = decide(&country, &letter, Some(&[])).await.unwrap_err();
    let AdministrationError::ApprovalNeeded(act) = error else { panic!("{error}") };
    assert!(matches!(*act, Act::ResultCorrect(_)), "{act:?}");
    let connection = &mut *country.world().connection().await;
    let approval = approvals::ask(connection, &superviseur(), &act).await.unwrap();
    let ndi = Operator::pretended("ndi", Privilege::Operateur).of_commission();
    let opened = country.arrival(&letter).await;
    let decided = decision::confirm(&country.world().settler, connection, &ndi, approval.id, opened).await.unwrap();
    assert_eq!(decided.tried, Tried::Accepted { letter_id: letter.id, attempt: 2 });
    assert_eq!((decided.approval.unwrap().state.as_str(), country.count(VALID).await), ("confirmed", 70));
}

/// Two corrections of one installation arrive in the wrong order. The older one changes nothing, and its receipt reports this.
#[tokio::test]
async fn a_correction_older_than_what_is_held_goes_to_history_alone() {
    let mut country = counted_country("by_agency", false).await;
    let signatures =
        |value: i64| corrected(vec![by_key("Result", &[("Code", "S2")], REPLACE, &[("Signatures", json!(value))])]);
    let (older, newer) = (country.letter(42, signatures(95)), country.letter(42, signatures(96)));
    assert_eq!(country.settle(&[&newer]).await, [Outcome::Accepted]);
    assert_eq!(country.settle(&[&older]).await, [Outcome::Accepted]);
    let superseded = [TableReceipt { superseded: 1, ..counted("Result") }];
    assert_eq!(country.world().receipt(&older).await.rows, superseded);
    assert_eq!(country.count(r#"SELECT "Signatures" FROM lab."Result""#).await, 96);
    assert_eq!(
        (country.count(HISTORY).await, country.count("SELECT count(*) FROM xm.history WHERE superseded").await),
        (1, 1)
    );
}

/// A record in the model of one installation.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    name: String,
    is_live: bool,
    sequence: u64,
}

/// What a letter does to one record.
#[derive(Clone, Debug)]
enum Deed {
    Export,
    Replace(u8),
    Cancel,
}

/// Letters export and correct a few records, in any order and in any batches, and each letter is delivered once or twice. At the end the
/// tables equal the model, and the history has every former version.
#[test]
fn random_exports_and_corrections_end_as_the_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = runtime.block_on(async {
        let world = World::new().await;
        world.sql("UPDATE xm.tables SET corrections = 'by_agency'").await;
        world
    });
    let deed = prop_oneof![2 => Just(Deed::Export), 3 => any::<u8>().prop_map(Deed::Replace), 1 => Just(Deed::Cancel)];
    let letters = vec((0..4_u64, deed, any::<bool>(), any::<u16>()), 1..14);
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let case = std::cell::Cell::new(0_u64);
    let run = runner.run(&(letters, 1..5_usize), |(letters, batch)| {
        case.set(case.get() + 1);
        runtime.block_on(play(&world, case.get() * 1000, letters, batch));
        Ok(())
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(runtime.block_on(world.ledger_difference()), 0);
}

async fn play(world: &World, base: u64, letters: Vec<(u64, Deed, bool, u16)>, batch: usize) {
    let mut exported = Vec::new();
    let mut sent = Vec::new();
    for (at, (record, deed, twice, place)) in letters.into_iter().enumerate() {
        let (numero, sequence) = (base + record, base + at as u64 + 1);
        // A record is exported once. A second export of the same record is turned into a replacement.
        let deed = match deed {
            Deed::Export if exported.contains(&numero) => Deed::Replace(0),
            deed => deed,
        };
        if matches!(deed, Deed::Export) {
            exported.push(numero);
        }
        let letter = letter(world, numero, sequence, &deed);
        for copy in 0..=u16::from(twice) {
            sent.push((place.wrapping_add(copy * 31), numero, deed.clone(), letter.clone()));
        }
    }
    sent.sort_by_key(|(place, ..)| *place);
    let mut waiting: VecDeque<_> = sent.into();
    let (mut model, mut history) = (BTreeMap::<u64, Kept>::new(), 0);
    let mut settled = std::collections::HashSet::new();
    while !waiting.is_empty() {
        let mut together: Vec<_> = waiting.drain(..batch.min(waiting.len())).collect();
        let mut arrivals = Vec::new();
        for (.., letter) in &together {
            arrivals.push(world.arrival(letter).await);
        }
        let outcomes = world.settle(arrivals).await;
        let mut told: Vec<_> = together.drain(..).zip(outcomes).collect();
        // Letters take effect in the order of their sequence numbers.
        told.sort_by_key(|((.., letter), _)| letter.sequence);
        for ((place, numero, deed, letter), outcome) in told {
            if outcome == Outcome::Deferred {
                waiting.push_back((place, numero, deed, letter));
                continue;
            }
            let expected = match settled.insert(letter.id) {
                true => expected(&mut model, &mut history, numero, &deed, letter.sequence),
                false => Outcome::Duplicate,
            };
            assert_eq!(outcome, expected, "{deed:?} of {numero} as {}", letter.sequence);
        }
    }
    for (numero, kept) in &model {
        let text = format!(
            "SELECT count(*) FROM registry.births WHERE xm_numero = {numero} AND \"Nom\" = '{}' AND (\"Status\" <> 0) = {}
                AND xm_sequence = {}",
            kept.name, kept.is_live, kept.sequence
        );
        assert_eq!(world.count(&text).await, 1, "{numero} {kept:?}");
    }
    let text = format!("SELECT count(*) FROM xm.history WHERE xm_numero BETWEEN {base} AND {}", base + 999);
    assert_eq!(world.count(&text).await, history, "every former version, and every correction that came too late");
}

fn letter(world: &World, numero: u64, sequence: u64, deed: &Deed) -> Letter {
    let births = world.births(42, sequence, &[("CE-042", numero)]);
    let (action, columns, values) = match deed {
        Deed::Export => return births,
        Deed::Replace(name) => (REPLACE, vec!["Nom".to_owned()], vec![json!(format!("N{name}"))]),
        Deed::Cancel => (CANCEL, Vec::new(), Vec::new()),
    };
    let correction = Correction {
        table: BIRTHS.to_owned(),
        record: RecordName::Identity { installation: "pc1".to_owned(), numero: numero.try_into().unwrap() },
        action,
        columns,
        values,
        reason: "misspelt".to_owned(),
        reference: format!("act {numero}"),
    };
    let corrections = Corrections { application: "registry".to_owned(), corrections: vec![correction] };
    Letter { request: Request::Correct(corrections), ..births }
}

fn expected(model: &mut BTreeMap<u64, Kept>, history: &mut i64, numero: u64, deed: &Deed, sequence: u64) -> Outcome {
    let Some(kept) = model.get_mut(&numero) else {
        if !matches!(deed, Deed::Export) {
            return Outcome::Refused(RefusalCode::RecordUnknown);
        }
        model.insert(numero, Kept { name: "MBARGA".to_owned(), is_live: true, sequence });
        return Outcome::Accepted;
    };
    if kept.sequence > sequence {
        *history += 1;
        return Outcome::Accepted;
    }
    if !kept.is_live {
        return Outcome::Refused(RefusalCode::RecordUnknown);
    }
    *history += 1;
    kept.sequence = sequence;
    match deed {
        Deed::Replace(name) => kept.name = format!("N{name}"),
        Deed::Cancel => kept.is_live = false,
        Deed::Export => panic!("a record is exported once"),
    }
    Outcome::Accepted
}
