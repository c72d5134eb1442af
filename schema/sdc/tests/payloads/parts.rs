//! Parts of the answers to `import` and `certify`: rows, an estimate, and results for legal keys.

use sdc::answer::CentreLetter;
use sdc::answer::part::{Answered, Part, PartContent, PartHead};
use sdc::answer::results::{Found, KeyResult, Results};
use sdc::answer::rows::{Estimate, Rows};
use sdc::letter::{FORMAT_VERSION, Mode};
use sdc::payload::{PayloadForm, PayloadLimits, read_centre_letter, read_part, write_part};
use sdc::service::{AnswerKind, Service};
use serde_json::{Value, json};

use super::{DIGEST, LETTER, assert_complete, some, texts, time, to, uuid, vector};

fn part(number: u16, last: bool, content: PartContent) -> Part {
    let head = PartHead {
        sdc: FORMAT_VERSION,
        id: uuid("019a5f0f-1c2d-7a30-8e4f-9b0a1c2d3e4f"),
        from: "centre-x".to_owned(),
        to: to(Some("main")),
        time: time("2026-11-02T08:15:10Z"),
        mode: Mode::Test,
        answers: Answered { letter: uuid(LETTER), digest: DIGEST.to_owned() },
        service: content.service(),
        part: number,
        last,
    };
    Part { head, content }
}

fn rows<const N: usize>(columns: [&str; N], values: [Value; N], position: Option<&str>) -> PartContent {
    PartContent::Rows(Rows {
        application: "ecr".to_owned(),
        table: "ActeNaissance".to_owned(),
        columns: texts(columns),
        values: values.map(|column| column.as_array().unwrap().clone()).to_vec(),
        position: position.map(str::to_owned),
    })
}

fn results(first: u32, results: Vec<KeyResult>) -> Results {
    Results {
        application: "ecr".to_owned(),
        table: "ActeNaissance".to_owned(),
        first,
        columns: Vec::new(),
        note_columns: Vec::new(),
        results,
    }
}

/// The path of every vector below the folder `parts`, and the part that must be read from it.
pub fn expected() -> Vec<(&'static str, Part)> {
    let (rows_bytes, currency) = (8123, "XAF".to_owned());
    let estimate = Estimate { rows: 120, parts: 2, bytes: rows_bytes, price: 300, currency };
    let plain = |outcome| KeyResult::new(outcome);
    let differs = |column: &str| KeyResult { columns: texts([column]), ..plain(Found::Differs) };
    let verdicts = vec![plain(Found::Match), differs("NomEnfant"), plain(Found::Cancelled), plain(Found::NotFound)];
    let noted = KeyResult {
        record: Some(vec![json!("Ngo Biyong"), json!("F")]),
        notes: vec![vec![json!("mariage")], vec![json!("divorce")]],
        ..plain(Found::Match)
    };
    let records = Results {
        columns: texts(["NomEnfant", "Sexe"]),
        note_columns: texts(["TypeMention"]),
        ..results(5, vec![noted, KeyResult { record: Some(vec![json!("Épée"), Value::Null]), ..differs("Sexe") }])
    };
    let mut nobody = part(1, true, rows(["NomEnfant"], [json!(["MBARGA"])], None));
    nobody.head.to = to(None);
    let columns = ["NomEnfant", "xm_agency"];
    vec![
        ("import_rows/first", part(1, false, rows(columns, [json!(["MBARGA", null]), json!([42, 43])], None))),
        ("import_rows/last", part(2, true, rows(["NomEnfant"], [json!([])], some("1:734").as_deref()))),
        ("import_rows/nobody", nobody),
        ("import_estimate/price", part(1, true, PartContent::Estimate(estimate))),
        ("certify/verdicts", part(1, false, PartContent::Results(results(1, verdicts)))),
        ("certify/records", part(2, true, PartContent::Results(records))),
    ]
}

#[test]
fn each_part_is_read_as_it_is_meant_and_written_as_it_was() {
    assert_complete("parts", &expected());
    for (path, part) in expected() {
        let octets = vector(&format!("parts/{path}.json"));
        let read = read_part(&octets, &PayloadLimits::default()).unwrap_or_else(|wrong| panic!("{path}: {wrong}"));
        assert!(read == part, "{path} is read as another part");
        let body = serde_json::to_vec(&part.content).unwrap();
        let written = write_part(&part.head, &body, PayloadForm::Json);
        assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&octets), "{path}");
        let read = read_centre_letter(&octets, &PayloadLimits::default()).unwrap();
        assert!(read == CentreLetter::Part(part), "{path}");
    }
}

#[test]
fn every_service_that_gives_something_has_a_vector_of_it() {
    let answers = super::answers::expected().into_iter().filter_map(|(_, answer)| Some(answer.body?.content.service()));
    let given: Vec<Service> = answers.chain(expected().into_iter().map(|(_, part)| part.head.service)).collect();
    for service in Service::ALL {
        let gives = service.facts().answer != AnswerKind::Receipt;
        assert_eq!(gives, given.contains(&service), "{service}");
    }
}
