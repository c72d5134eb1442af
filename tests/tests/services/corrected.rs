//! Tests of `correct` by the transfer folder. A correction takes effect at once where the table lets agencies decide, otherwise after
//! people of the centre have confirmed it. The receipt of each attempt is a file of its own.

use sdc::answer::receipt::{HoldCode, Verdict};
use sdc::payload::PayloadForm;
use sdc::refusal::RefusalCode;
use sdc::request::{Correction, CorrectionAction, Corrections, RecordName, Records, Request, TableRecords};
use serde_json::{Value, json};

use super::world::World;

const STATIONS: &str = "INSERT INTO election.\"BureauVote\"
         (\"Status\", \"ElectionCode\", \"BureauCode\", \"Libelle\", \"Region\", \"Inscrits\")
     VALUES (2, 'PR26', 'B42', 'École', 'Littoral', 300), (2, 'PR26', 'B43', 'Lycée', 'Littoral', 300);
     INSERT INTO election.\"CandidatElection\" (\"Status\", \"ElectionCode\", \"CandidatCode\", \"Nom\", \"Ordre\")
     VALUES (2, 'PR26', 'A', 'Ngo', 1), (2, 'PR26', 'B', 'Abena', 2)";

fn table(name: &str, columns: &[&str], rows: &[Vec<Value>]) -> TableRecords {
    TableRecords {
        table: name.to_owned(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        values: (0..columns.len()).map(|column| rows.iter().map(|row| row[column].clone()).collect()).collect(),
    }
}

/// Makes the result of a station: 120 votes for A, 80 for B.
fn result(station: &str) -> Request {
    let columns = [
        "Numero",
        "Status",
        "ElectionCode",
        "BureauCode",
        "Inscrits",
        "Emargements",
        "BulletinsTrouves",
        "Nuls",
        "Blancs",
        "Exprimes",
        "President",
    ];
    let figures = [300, 205, 205, 3, 2, 200].map(|figure| json!(figure));
    let row = [&[json!(1), json!(2), json!("PR26"), json!(station)], &figures[..], &[json!("Ewane")]].concat();
    let votes = |numero: u32, candidate: &str, votes: u32| {
        vec![json!(numero), json!(2), json!("PR26"), json!(station), json!(candidate), json!(votes)]
    };
    let columns_of_votes = ["Numero", "Status", "ElectionCode", "BureauCode", "CandidatCode", "Voix"];
    let tables = vec![
        table("ResultatBureau", &columns, &[row]),
        table("VoixCandidat", &columns_of_votes, &[votes(1, "A", 120), votes(2, "B", 80)]),
    ];
    Request::Export(Records { application: "election".to_owned(), tables })
}

fn correction(table: &str, record: RecordName, change: Option<(&str, Value)>) -> Correction {
    let action = if change.is_some() { CorrectionAction::Replace } else { CorrectionAction::Cancel };
    let (columns, values) = change.map(|(column, value)| (column.to_owned(), value)).into_iter().unzip();
    let (reason, reference) = ("misread".to_owned(), "PV 12".to_owned());
    Correction { table: table.to_owned(), record, action, columns, values, reason, reference }
}

fn by_number(numero: i64) -> RecordName {
    RecordName::Identity { installation: "main".to_owned(), numero }
}

fn by_key(station: &str, candidate: &str) -> RecordName {
    let key = [("ElectionCode", "PR26"), ("BureauCode", station), ("CandidatCode", candidate)];
    RecordName::Key { key: key.map(|(column, value)| (column.to_owned(), json!(value))).into() }
}

fn correcting(corrections: Vec<Correction>) -> Request {
    Request::Correct(Corrections { application: "election".to_owned(), corrections })
}

#[test]
fn a_result_is_corrected_by_its_agency_or_once_two_people_agree() {
    let mut world = World::found(true);
    world.engine.operate(&["sample", "restore", "election"]).unwrap();
    world.run(STATIONS);
    for (number, form) in [(42, PayloadForm::Json), (43, PayloadForm::Frame { dictionary: 1 })] {
        let station = format!("B{number}");
        let mut desk = world.settle(number, form);
        world.engine.operate(&["agency", "grant", &number.to_string(), "BureauCode", &station]).unwrap();
        if !world.engine.is_started() {
            world.open();
        }
        let desk = &mut desk;
        assert_eq!(world.receipt(desk, result(&station)).verdict, Verdict::Accepted);

        // Ten votes of A belong to B. The correction takes effect only after two people have agreed.
        let ten = || {
            vec![
                correction("VoixCandidat", by_key(&station, "A"), Some(("Voix", json!(110)))),
                correction("VoixCandidat", by_number(2), Some(("Voix", json!(90)))),
            ]
        };
        let sent = world.send(desk, correcting(ten()));
        let held = world.answer(desk, &sent, 1, 0).receipt;
        assert_eq!((held.verdict, held.hold.map(|hold| hold.code)), (Verdict::Held, Some(HoldCode::Approval)));
        assert_eq!((held.rows[0].waiting, held.rows[0].replaced, held.account.cost), (2, 0, 0));
        let votes = |candidate: &str| {
            format!(
                "(SELECT \"Voix\" FROM election.\"VoixCandidat\" WHERE \"BureauCode\" = '{station}' AND \"CandidatCode\" = '{candidate}')"
            )
        };
        world.assert_held(&format!("{} = 120 AND {} = 80", votes("A"), votes("B")));
        let waiting = world.done(&["correction", "list"])[0]["id"].to_string();
        world.agreed(&["correction", "confirm", &waiting, "--reason", "minutes seen"]);
        let done = world.answer(desk, &sent, 2, 0).receipt;
        assert_eq!((done.verdict, done.rows[0].replaced, done.rows[0].waiting), (Verdict::Accepted, 2, 0));
        world.assert_held(&format!("{} = 110 AND {} = 90", votes("A"), votes("B")));

        // A correction of a record that nobody has sent is refused. So is a correction after which the candidates' votes no longer add up
        // to the station's sum.
        let refused = |world: &mut World, desk: &mut _, corrections| {
            let refusal = world.receipt(desk, correcting(corrections)).refusal.unwrap();
            (refusal.code, refusal.faults_total)
        };
        let unknown = correction("VoixCandidat", by_number(99), None);
        assert_eq!(refused(&mut world, desk, vec![unknown]), (RefusalCode::RecordUnknown, 1));
        let alone = correction("VoixCandidat", by_key(&station, "A"), Some(("Voix", json!(111))));
        assert_eq!(refused(&mut world, desk, vec![alone.clone()]).0, RefusalCode::CheckFailed);

        // With the rule `by_agency`, corrections take effect without the centre's approval.
        world.run("UPDATE xm.tables SET corrections = 'by_agency' WHERE application = 'election'");
        let other = correction("VoixCandidat", by_key(&station, "B"), Some(("Voix", json!(89))));
        let receipt = world.receipt(desk, correcting(vec![alone, other]));
        assert_eq!((receipt.verdict, receipt.rows[0].replaced), (Verdict::Accepted, 2), "{:?}", receipt.refusal);
        world.assert_held(&format!("{} = 111 AND {} = 89", votes("A"), votes("B")));
        world.assert_held("NOT EXISTS (SELECT FROM xm.history WHERE reason <> 'misread' OR reference <> 'PV 12')");
        world.run("UPDATE xm.tables SET corrections = 'after_approval' WHERE application = 'election'");
    }
    world.assert_held("8 = (SELECT count(*) FROM xm.history)");
    world.engine.stop().unwrap();
}
