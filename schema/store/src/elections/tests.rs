//! Tests of the sample election's figures: each station is in exactly one state, and only records in the tables are summed up.

use std::collections::BTreeMap;

use sdc::answer::receipt::{Receipt, Verdict};
use sdc::refusal::RefusalCode;
use sdc::request::{Correction, CorrectionAction, Corrections, RecordName, Request};
use serde_json::{Value, json};

use super::{FiguresFilter, MissingFilter, STATES, missing, states, totals, votes};
use crate::agencies::scopes;
use crate::samples;
use crate::tables::examine::tests::lab::{AGENCY, Lab, OPERATOR};

const BUREAUX: [&str; 7] = ["B1", "B2", "B3", "B4", "B5", "B6", "B7"];

/// Makes an election of eight stations and two candidates. The agency may send the results of the first seven stations; no agency may send
/// that of the eighth.
async fn country() -> Lab {
    let lab = Lab::empty().await;
    let mut connection = lab.world.connection().await;
    samples::restore(&mut connection, &OPERATOR, "election").await.unwrap();
    let codes = BUREAUX.map(str::to_owned);
    scopes::grant(&mut connection, &OPERATOR, AGENCY.try_into().unwrap(), "BureauCode", &codes).await.unwrap();
    drop(connection);
    lab.world
        .sql(
            r#"INSERT INTO election."BureauVote"
                      ("Status", "ElectionCode", "BureauCode", "Libelle", "Region", "Departement", "Commune", "Inscrits")
               SELECT 2, 'PR26', 'B' || n, 'Bureau ' || n, CASE WHEN n < 4 THEN 'Littoral' ELSE 'Centre' END, 'D' || n, '', 100 * n
                 FROM generate_series(1, 8) n;
               INSERT INTO election."CandidatElection" ("Status", "ElectionCode", "CandidatCode", "Nom", "Ordre")
               VALUES (2, 'PR26', 'C1', 'Nom 1', 1), (2, 'PR26', 'C2', 'Nom 2', 2)"#,
        )
        .await;
    lab
}

fn figures(area: Option<&str>) -> FiguresFilter {
    FiguresFilter { election: Some("PR26".to_owned()), area: area.map(str::to_owned) }
}

/// Returns the result of a station as JSON, with its number of registered voters, its signatures and the votes of both candidates.
fn result(number: i64, registered: i64, signatures: i64, voices: [i64; 2]) -> String {
    let valid = voices[0] + voices[1];
    let bureau = format!("B{number}");
    let columns = |more: &[(&str, Vec<Value>)], rows: usize, first: i64| {
        let numeros = (first..).take(rows).map(|numero| json!(numero)).collect();
        let same = |value: &str| vec![json!(value); rows];
        let mut all = vec![("Numero", numeros), ("Status", vec![json!(2); rows])];
        all.extend([("ElectionCode", same("PR26")), ("BureauCode", same(&bureau))]);
        all.extend(more.iter().cloned());
        let (names, values): (Vec<&str>, Vec<Vec<Value>>) = all.into_iter().unzip();
        json!({ "columns": names, "values": values })
    };
    let one = |value: i64| vec![json!(value)];
    let mut of_result = columns(
        &[
            ("Inscrits", one(registered)),
            ("Emargements", one(signatures)),
            ("BulletinsTrouves", one(valid)),
            ("Nuls", one(0)),
            ("Blancs", one(0)),
            ("Exprimes", one(valid)),
            ("President", vec![json!("A. Mbarga")]),
        ],
        1,
        number,
    );
    let voices =
        [("CandidatCode", vec![json!("C1"), json!("C2")]), ("Voix", voices.map(|votes| json!(votes)).to_vec())];
    let mut of_votes = columns(&voices, 2, number * 10);
    of_result["table"] = json!("ResultatBureau");
    of_votes["table"] = json!("VoixCandidat");
    json!({ "application": "election", "tables": [of_result, of_votes] }).to_string()
}

async fn correct(lab: &mut Lab, bureau: &str) -> Receipt {
    let correction = Correction {
        table: "ResultatBureau".to_owned(),
        record: RecordName::Key {
            key: BTreeMap::from([("ElectionCode".to_owned(), json!("PR26")), ("BureauCode".to_owned(), json!(bureau))]),
        },
        action: CorrectionAction::Replace,
        columns: vec!["President".to_owned()],
        values: vec![json!("B. Mbarga")],
        reason: "misspelt".to_owned(),
        reference: "PV".to_owned(),
    };
    let corrections = Corrections { application: "election".to_owned(), corrections: vec![correction] };
    lab.ask(Request::Correct(corrections)).await
}

#[tokio::test]
async fn each_station_is_in_one_state_and_sums_have_only_what_is_in_the_tables() {
    let mut lab = country().await;
    assert_eq!(lab.send(&result(1, 100, 60, [40, 20])).await.verdict, Verdict::Accepted);
    // The result's number of registered voters differs from the station list, which gives a flag.
    let receipt = lab.send(&result(2, 205, 60, [10, 50])).await;
    assert_eq!((receipt.verdict, receipt.flags[0].check.as_str()), (Verdict::Accepted, "registered_differs"));
    // The 306 signatures exceed the list's 300 voters by more than the allowance of five.
    let receipt = lab.send(&result(3, 300, 306, [200, 100])).await;
    assert_eq!(receipt.hold.unwrap().checks[0].check, "signatures_within_reference");
    // Two results with different votes come for one station.
    assert_eq!(lab.send(&result(4, 400, 60, [30, 30])).await.verdict, Verdict::Accepted);
    let refusal = lab.send(&result(4, 400, 60, [60, 0])).await.refusal.unwrap();
    assert_eq!(refusal.code, RefusalCode::Conflict);
    // The correction waits for an approval.
    assert_eq!(lab.send(&result(5, 500, 60, [5, 55])).await.verdict, Verdict::Accepted);
    assert_eq!(correct(&mut lab, "B5").await.verdict, Verdict::Held);

    let mut connection = lab.world.connection().await;
    let found: Vec<(String, i64)> = states(&mut connection, &figures(None))
        .await
        .unwrap()
        .into_iter()
        .map(|one| (one.state, one.stations))
        .collect();
    let expected = [("contested", 1), ("correcting", 1), ("counted", 1), ("flagged", 1), ("held", 1), ("missing", 3)];
    assert_eq!(found, expected.map(|(state, stations)| (state.to_owned(), stations)));
    assert!(found.iter().all(|(state, _)| STATES.contains(&state.as_str())));

    let whole = totals(&mut connection, &FiguresFilter::default()).await.unwrap().remove(0);
    assert_eq!((whole.stations, whole.stations_counted, whole.registered, whole.registered_counted), (8, 3, 3600, 800));
    assert_eq!((whole.signatures, whole.ballots, whole.valid), (180, 180, 180));
    let candidates = votes(&mut connection, &figures(None)).await.unwrap();
    let candidates: Vec<(&str, &str, i64)> =
        candidates.iter().map(|one| (one.candidate.as_str(), one.name.as_str(), one.votes)).collect();
    assert_eq!(candidates, [("C2", "Nom 2", 125), ("C1", "Nom 1", 55)]);
    for (condition, valid) in [
        ("level = 1 AND region = 'Littoral'", 120),
        ("level = 1 AND region = 'Centre'", 60),
        ("level = 2 AND departement = 'D4'", 0),
        ("level = 5 AND departement = 'D3'", 0),
    ] {
        let text = format!("SELECT sum(valid) FROM election.totals WHERE {condition}");
        assert_eq!(lab.world.count(&text).await, valid, "{condition}");
    }
    assert_eq!(lab.world.count("SELECT count(DISTINCT level) FROM election.totals").await, 6);

    let of_region = figures(Some("Centre"));
    let found: Vec<(String, i64)> =
        states(&mut connection, &of_region).await.unwrap().into_iter().map(|one| (one.state, one.stations)).collect();
    let expected = [("contested", 1), ("correcting", 1), ("missing", 3)];
    assert_eq!(found, expected.map(|(state, stations)| (state.to_owned(), stations)), "of the area alone");
    let of_region = totals(&mut connection, &of_region).await.unwrap();
    assert_eq!((of_region.len(), of_region[0].stations, of_region[0].valid), (1, 5, 60));
    assert_eq!(of_region[0].areas, ["Centre"]);
    let of_departement = votes(&mut connection, &figures(Some("D5"))).await.unwrap();
    let told: Vec<(&str, i64)> = of_departement.iter().map(|one| (one.candidate.as_str(), one.votes)).collect();
    assert_eq!((told, of_departement[0].areas.join("/")), (vec![("C2", 55), ("C1", 5)], "Centre/D5".to_owned()));
    assert_eq!(totals(&mut connection, &figures(Some("D9"))).await.unwrap(), [], "no such area");

    let absent = missing(&mut connection, &MissingFilter::default()).await.unwrap();
    let told: Vec<(&str, Option<u32>)> =
        absent.iter().map(|one| (one.bureau.as_str(), one.agency.map(u32::from))).collect();
    assert_eq!(told, [("B8", None), ("B7", Some(42)), ("B6", Some(42))], "the most registered voters first");
    assert_eq!(absent[0].areas, ["Centre", "D8"]);
    let of_area = MissingFilter { area: Some("D7".to_owned()), limit: Some(5), ..MissingFilter::default() };
    assert_eq!(missing(&mut connection, &of_area).await.unwrap().len(), 1);
    let elsewhere = MissingFilter { area: Some("Littoral".to_owned()), ..MissingFilter::default() };
    assert_eq!(missing(&mut connection, &elsewhere).await.unwrap(), []);
}

#[tokio::test]
async fn the_sample_catches_what_each_of_its_checks_is_for() {
    let mut lab = country().await;
    for (body, rule) in [
        (result(1, 100, 60, [40, 20]).replace("\"C2\"", "\"C9\""), "candidate_known"),
        (result(1, 100, 60, [40, 20]).replace("[40,20]", "[41,20]"), "votes_add_up"),
        (
            result(1, 100, 60, [40, 20])
                .replace("\"BulletinsTrouves\"", "\"Nul\"")
                .replace("\"Nuls\"", "\"BulletinsTrouves\"")
                .replace("\"Nul\"", "\"Nuls\""),
            "ballots_add_up",
        ),
    ] {
        let refusal = lab.send(&body).await.refusal.unwrap_or_else(|| panic!("{rule}: {body}"));
        assert_eq!(refusal.code, RefusalCode::CheckFailed, "{rule}");
        assert!(refusal.faults.iter().any(|fault| fault.rule == rule), "{rule}: {:?}", refusal.faults);
    }
    let mut one_of_two: Value = serde_json::from_str(&result(1, 100, 60, [60, 0])).unwrap();
    for column in one_of_two["tables"][1]["values"].as_array_mut().unwrap() {
        column.as_array_mut().unwrap().pop();
    }
    let refusal = lab.send(&one_of_two.to_string()).await.refusal.unwrap();
    assert_eq!(refusal.faults[0].expected, "all rows of VoixCandidat 1 (1) = all rows of CandidatElection 2 (2)");
    // Fifteen ballots more than signatures give a flag; sixteen hold the letter.
    let receipt = lab.send(&result(2, 200, 60, [75, 0])).await;
    assert_eq!((receipt.verdict, receipt.flags[0].check.as_str()), (Verdict::Accepted, "ballots_within_signatures"));
    let receipt = lab.send(&result(3, 300, 60, [76, 0])).await;
    assert_eq!(receipt.hold.unwrap().checks[0].check, "ballots_far_beyond_signatures");
    // The record of station B4 is deleted from the centre's list, so the check that compares signatures with the list cannot judge the
    // result. The letter must be held.
    lab.world.sql(r#"DELETE FROM election."BureauVote" WHERE "BureauCode" = 'B4'"#).await;
    let hold = lab.send(&result(4, 400, 60, [60, 0])).await.hold.unwrap();
    assert!(hold.checks.iter().any(|flag| flag.check == "signatures_within_reference" && flag.unjudged));
}

#[tokio::test]
async fn scanned_minutes_are_those_that_the_result_names() {
    let mut lab = country().await;
    let jpeg = |fill: u8| [&[0xff, 0xd8, 0xff][..], &vec![fill; 1000]].concat();
    let sha256 = |octets: &[u8]| sdc::digest::Digest::of(octets).to_string();
    let first = jpeg(1);
    let mut counted: Value = serde_json::from_str(&result(1, 100, 60, [40, 20])).unwrap();
    counted["tables"][0]["columns"].as_array_mut().unwrap().push(json!("PvSha256"));
    counted["tables"][0]["values"].as_array_mut().unwrap().push(json!([sha256(&first)]));
    assert_eq!(lab.send(&counted.to_string()).await.verdict, Verdict::Accepted);
    let mut numero = 0;
    let mut page = |page: i64, pv: &[u8], hash: &[u8], image: &[u8]| {
        use base64::Engine;
        numero += 1;
        let image = base64::engine::general_purpose::STANDARD.encode(image);
        json!({ "application": "election", "tables": [{ "table": "ProcesVerbal",
            "columns": ["Numero", "Status", "ElectionCode", "BureauCode", "PvSha256", "Page", "Sha256", "Image"],
            "values": [[numero], [2], ["PR26"], ["B1"], [sha256(pv)], [page], [sha256(hash)], [image]] }] })
        .to_string()
    };
    let receipt = lab.send(&page(1, &first, &first, &first)).await;
    assert_eq!((receipt.verdict, receipt.flags), (Verdict::Accepted, vec![]));
    let second = jpeg(2);
    let receipt = lab.send(&page(2, &first, &second, &second)).await;
    assert_eq!((receipt.verdict, receipt.flags), (Verdict::Accepted, vec![]));
    // A result names the digest of each page of its minutes. A page whose digest it does not name gives a flag.
    let receipt = lab.send(&page(3, &second, &second, &second)).await;
    assert_eq!((receipt.verdict, receipt.flags[0].check.as_str()), (Verdict::Accepted, "minutes_of_result"));
    let third = jpeg(3);
    let large = [&first[..], &vec![0; 122_880]].concat();
    for (body, rule) in [
        (page(4, &first, &second, &third), "sha256_of_image"),
        (page(5, &first, b"text", b"text"), "image_is_jpeg"),
        (page(6, &large, &large, &large), "image_of_120_kb"),
    ] {
        let refusal = lab.send(&body).await.refusal.unwrap();
        assert_eq!((refusal.code, refusal.parameters["rule"].as_str()), (RefusalCode::RowsInvalid, rule));
    }
}
