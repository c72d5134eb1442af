//! The path of a polling station's result, with the real program and real servers. Two people load the lists together. The result is held,
//! and two people release it together. Later two people confirm a correction, and the sums include the correction.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

use std::collections::HashSet;

use mail::extract::{MailLimits, extract};
use scenarios::database::OwnDatabase;
use scenarios::site::Site;
use scenarios::town::{CENTRE_ADDRESS, Resident, address};
use sdc::answer::receipt::{HoldCode, Receipt, Verdict};
use sdc::request::{Correction, CorrectionAction, Corrections, RecordName, Records, TableRecords};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const OFFICE: u32 = 7;
const STATIONS: &str = "ElectionCode,BureauCode,Libelle,Region,Departement,Arrondissement,Commune,CentreVote,Inscrits,Telephone\n\
    PR26,B1,École A,Littoral,Wouri,Douala,Douala I,Lycée,300,+237 600\n\
    PR26,B2,École B,Littoral,Wouri,Douala,Douala I,Lycée,500,\n";
const CANDIDATES: &str = "ElectionCode;CandidatCode;Nom;Ordre\nPR26;A;Ngo;1\nPR26;B;Abena;2\n";

struct World {
    runtime: Runtime,
    resident: Resident,
    site: Site,
    database: OwnDatabase,
    account: String,
    seen: HashSet<Vec<u8>>,
}

/// Makes the records of a table from rows. A letter lists its values by column, so the rows are transposed.
fn table(name: &str, columns: &[&str], rows: &[&[Value]]) -> TableRecords {
    TableRecords {
        table: name.to_owned(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        values: (0..columns.len()).map(|column| rows.iter().map(|row| row[column].clone()).collect()).collect(),
    }
}

/// Makes the result of station B1 with 120 votes for A and 80 for B. `signatures` is the number of signatures.
fn result(signatures: u32) -> Records {
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
    let station = [json!("PR26"), json!("B1")];
    let row = [
        &[json!(1), json!(2)],
        &station[..],
        &[300, signatures, 205, 3, 2, 200].map(|it| json!(it)),
        &[json!("Ewane")],
    ]
    .concat();
    let votes = |numero: u32, candidate: &str, votes: u32| {
        [&[json!(numero), json!(2)], &station[..], &[json!(candidate), json!(votes)]].concat()
    };
    Records {
        application: "election".to_owned(),
        tables: vec![
            table("ResultatBureau", &columns, &[&row]),
            table(
                "VoixCandidat",
                &["Numero", "Status", "ElectionCode", "BureauCode", "CandidatCode", "Voix"],
                &[&votes(1, "A", 120), &votes(2, "B", 80)],
            ),
        ],
    }
}

/// Makes a correction that moves ten votes from A to B.
fn correction() -> Corrections {
    let to = |candidate: &str, votes: u32| Correction {
        table: "VoixCandidat".to_owned(),
        record: RecordName::Key {
            key: [("ElectionCode", "PR26"), ("BureauCode", "B1"), ("CandidatCode", candidate)]
                .map(|(column, value)| (column.to_owned(), json!(value)))
                .into(),
        },
        action: CorrectionAction::Replace,
        columns: vec!["Voix".to_owned()],
        values: vec![json!(votes)],
        reason: "misread".to_owned(),
        reference: "PV 12".to_owned(),
    };
    Corrections { application: "election".to_owned(), corrections: vec![to("A", 110), to("B", 90)] }
}

impl World {
    fn new() -> World {
        let runtime = Runtime::new().unwrap();
        let database = OwnDatabase::start(&runtime).unwrap();
        let further = format!("[database]\nurl = \"{}\"\n", database.cluster.url());
        let site = Site::found(&[address(OFFICE)], &further).unwrap();
        site.engine.operate(&["sample", "restore", "election"]).unwrap();
        let resident = Resident::settle(&site.engine, OFFICE).unwrap();
        for code in ["B1", "B2"] {
            site.engine.operate(&["agency", "grant", "7", "BureauCode", code]).unwrap();
        }
        let users: Value = serde_json::from_str(&site.engine.operate(&["user", "list", "--json"]).unwrap()).unwrap();
        let account = users[0]["accounts"][0]["name"].as_str().unwrap().to_owned();
        let world = World { runtime, resident, site, database, account, seen: HashSet::new() };
        world.run("INSERT INTO xm.users (name, privilege, password_hash, is_commission) VALUES ('mbome', 3, '', true)");
        world
    }

    fn run(&self, statements: &str) {
        self.database.run(&self.runtime, statements).unwrap();
    }

    /// Makes the account of the machine that runs the test belong to another user of the centre. The centre knows a person by the account
    /// that runs a command. Two people are needed, but the test has one account, so it plays both by turns.
    fn become_user(&self, user: &str) {
        let account = &self.account;
        self.run(&format!(
            "UPDATE xm.system_accounts SET ended_at = now() WHERE account = '{account}' AND ended_at IS NULL;
             INSERT INTO xm.system_accounts (uid, account, user_name)
             SELECT uid, account, '{user}' FROM xm.system_accounts WHERE account = '{account}' LIMIT 1"
        ));
    }

    /// Runs a command that one person may run alone, and returns its JSON.
    fn done(&self, arguments: &[&str]) -> Value {
        let told = self.site.engine.operate(&[arguments, &["--json"]].concat()).unwrap();
        serde_json::from_str(&told).unwrap()
    }

    /// Runs a command that needs two people, and returns the number of the approval, for the other person to confirm.
    fn asked(&self, arguments: &[&str]) -> String {
        let (code, told) = self.site.engine.ask(&[arguments, &["--json"]].concat()).unwrap();
        assert_eq!(code, Some(5), "{arguments:?}: {told}");
        let told: Value = serde_json::from_str(&told).unwrap();
        told["approval"]["id"].to_string()
    }

    /// Loads a list: one user requests it, and another confirms it.
    fn load(&self, table: &str, text: &str) -> Value {
        let file = self.site.engine.place().join("list.csv");
        std::fs::write(&file, text).unwrap();
        let arguments = ["table", "load", table, file.to_str().unwrap()];
        let approval = self.asked(&arguments);
        self.become_user("mbome");
        let loaded = self.done(&[&arguments[..], &["--approval", &approval]].concat());
        self.become_user("superviseur");
        loaded
    }

    /// Waits for the next receipt of the office.
    fn receipt(&mut self) -> Receipt {
        let World { site: Site { engine, dovecot, .. }, resident, seen, .. } = self;
        let mut receipt = None;
        engine
            .wait_until("a receipt comes", |_| {
                for mail in dovecot.mails(&address(OFFICE))? {
                    if receipt.is_none() && seen.insert(mail.clone()) {
                        let container = extract(&mail, &MailLimits::default()).unwrap().containers.remove(0);
                        receipt = Some(resident.office.open(&container)?.answer.receipt);
                    }
                }
                Ok(receipt.is_some())
            })
            .unwrap();
        receipt.unwrap()
    }

    fn states(&self) -> Vec<(String, i64)> {
        let figures = self.done(&["election", "show"]);
        let state = |count: &Value| (count["state"].as_str().unwrap().to_owned(), count["stations"].as_i64().unwrap());
        let mut found: Vec<_> = figures["states"].as_array().unwrap().iter().map(state).collect();
        found.sort();
        found
    }
}

fn states(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    let mut expected: Vec<_> = expected.iter().map(|(state, stations)| ((*state).to_owned(), *stations)).collect();
    expected.sort();
    expected
}

#[test]
fn a_result_is_held_released_corrected_and_counted() {
    let mut world = World::new();
    world.site.open().unwrap();
    assert_eq!(world.load("election.BureauVote", STATIONS)["new"], 2);
    assert_eq!(world.load("election.CandidatElection", CANDIDATES)["new"], 2);
    assert_eq!(world.states(), states(&[("missing", 2)]));
    let missing = world.site.engine.operate(&["election", "missing", "--area", "Wouri", "--csv"]).unwrap();
    assert!(missing.starts_with("election,bureau,") && missing.contains("\"B1\",\"École A\""), "{missing}");

    // The result has more signatures than registered voters, so the centre holds it.
    let packed = world.resident.office.pack(result(400)).unwrap();
    let mail = world.resident.office.mail(&packed);
    world.site.dovecot.deliver(CENTRE_ADDRESS, &mail.render().unwrap()).unwrap();
    let receipt = world.receipt();
    assert_eq!((receipt.verdict, receipt.attempt, receipt.account.cost), (Verdict::Held, 1, 0));
    let hold = receipt.hold.unwrap();
    assert_eq!((hold.code, hold.checks.len()), (HoldCode::Check, 1), "{:?}", hold.checks);
    assert_eq!(world.states(), states(&[("held", 1), ("missing", 1)]));
    assert_eq!(world.done(&["held", "list"])[0]["checks"][0]["check"], "signatures_within_reference");
    let shown = world.site.engine.operate(&["held", "show", "1"]).unwrap();
    assert!(shown.contains("400"), "{shown}");
    let approval = world.asked(&["held", "release", "1", "--reason", "the list is old"]);
    let own = world.site.engine.ask(&["approval", "confirm", &approval, "--yes"]).unwrap();
    assert_eq!(own.0, Some(1), "nobody confirms what they asked: {}", own.1);
    world.become_user("mbome");
    world.site.engine.operate(&["approval", "confirm", &approval, "--yes"]).unwrap();
    let receipt = world.receipt();
    assert_eq!((receipt.verdict, receipt.attempt, receipt.account.cost), (Verdict::Accepted, 2, 300));
    assert!(receipt.flags.iter().any(|flag| flag.check == "signatures_within_reference"), "{:?}", receipt.flags);
    assert_eq!(world.states(), states(&[("missing", 1), ("flagged", 1)]));

    // The station has misread ten votes, so the office corrects its result.
    world.site.engine.operate(&["tariff", "set", "correct", "--per-act", "0"]).unwrap();
    let packed = world.resident.office.correct(correction()).unwrap();
    let mail = world.resident.office.mail(&packed);
    world.site.dovecot.deliver(CENTRE_ADDRESS, &mail.render().unwrap()).unwrap();
    let receipt = world.receipt();
    assert_eq!((receipt.verdict, receipt.hold.map(|hold| hold.code)), (Verdict::Held, Some(HoldCode::Approval)));
    assert_eq!(receipt.rows[0].waiting, 2, "{:?}", receipt.rows);
    assert_eq!(world.states(), states(&[("missing", 1), ("correcting", 1)]));
    let id = world.done(&["correction", "list"])[0]["id"].to_string();
    let approval = world.asked(&["correction", "confirm", &id, "--reason", "minutes seen"]);
    world.become_user("superviseur");
    world.site.engine.operate(&["approval", "confirm", &approval, "--yes"]).unwrap();
    let receipt = world.receipt();
    assert_eq!((receipt.verdict, receipt.rows[0].replaced), (Verdict::Accepted, 2), "{:?}", receipt.rows);
    let figures = world.done(&["election", "show"]);
    let votes =
        |number: usize| (figures["votes"][number]["candidate"].clone(), figures["votes"][number]["votes"].clone());
    assert_eq!([votes(0), votes(1)], [(json!("A"), json!(110)), (json!("B"), json!(90))], "{figures}");
    assert_eq!(figures["totals"][0]["valid"], 200, "{figures}");
    world.run(
        "DO $$ BEGIN ASSERT 2 = (SELECT count(*) FROM xm.history WHERE approved_by IS NOT NULL AND NOT superseded); END $$",
    );
    world.site.engine.stop().unwrap();
}
