//! Agencies in bulk: imported, exported, listed in any order, and given a status together, by the real program on a real PostgreSQL.

use std::fmt::Write;
use std::process::Stdio;

use serde_json::{Value, json};
use store::database::{Database, DatabaseSettings};

use crate::centre::Centre;
use crate::operators::{agencies, in_douala};

/// Writes a file into the centre's folder, and returns its path.
fn file(centre: &Centre, name: &str, octets: impl AsRef<[u8]>) -> String {
    let path = centre.place.path().join(name);
    std::fs::write(&path, octets).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_tried_imported_and_exported() {
    let centre = in_douala().await;
    agencies(&centre, 1).await;
    // The file of an Excel in French: Windows-1252, with semicolons.
    let octets = "matricule;nom;ville;zone;statut;solde\r\n42;Mairie d\u{27}Édéa;Édéa;Littoral;2;12 500\r\n1;Mairie 1;Kribi;;;\r\n\
                  1;encore;;;;\r\n43;Bureau;;;9;\r\n";
    let octets: Vec<u8> = octets.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let path = file(&centre, "agences.csv", octets);
    let rows = "line 2: agency 000042 is added\nline 3: agency 000001 is changed: town\n";
    let left_out = "line 4: agency 000001 is left out: line 3 is about the same agency\n\
                    line 5: agency 000043 is left out: the status is not valid: expected 0 suspended, 1 some services, 2 all but export, \
                    correct and import, or 3 all\n";
    let tried = centre.say(&["agency", "import", &path, "--dry-run"]);
    let end = "read as Windows-1252; 1 would be added, 1 changed, 0 stay as they are, 2 left out\n";
    assert_eq!((tried.code, tried.out), (Some(1), format!("{rows}{left_out}{end}")), "{}", tried.err);
    assert!(centre.absent(&["agency", "show", "42"]).contains("does not exist"));

    let done = centre.say(&["agency", "import", &path]);
    let end = "read as Windows-1252; 1 added, 1 changed, 0 as they were, 2 left out\n";
    assert_eq!((done.code, done.out), (Some(1), format!("{left_out}{end}")), "{}", done.err);
    let shown = centre.json(&["agency", "show", "42", "--json"]);
    assert_eq!((&shown["town"], &shown["area"], &shown["status"]), (&json!("Édéa"), &json!("Littoral"), &json!(2)));
    assert_eq!((&shown["balance"], &shown["installations"][0]["name"]), (&json!(12_500), &json!("main")));
    let french = centre.say(&["--lang", "fr", "agency", "import", &path]);
    assert!(french.out.contains("0 ajoutées, 0 modifiées, 2 comme elles étaient, 2 écartées"), "{}", french.out);
    let statement = centre.done(&["agency", "statement", "42"]);
    assert!(statement.contains("balance brought forward"), "{statement}");

    let exported = centre.done(&["agency", "export"]);
    let path = file(&centre, "export.csv", &exported);
    assert!(centre.done(&["agency", "import", &path]).contains("0 added, 0 changed, 2 as they were, 0 left out"));
    let told: Value = serde_json::from_str(&centre.say(&["agency", "import", &path, "--json"]).out).unwrap();
    assert_eq!(
        (&told["encoding"], &told["same"], &told["rows"][1]["outcome"]),
        (&json!("UTF-8"), &json!(2), &json!("same"))
    );
    assert!(centre.done(&["agency", "export", "--town", "edea"]).lines().count() == 2);
    let refused = centre.refused(&["agency", "import", &file(&centre, "none.csv", "matricule;couleur\n1;rouge\n")]);
    assert!(refused.contains("couleur: known are matricule, name, town"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_the_order_that_is_asked_for_and_go_on() {
    let centre = in_douala().await;
    let text = "matricule,name,area\n10,Zoétélé,Sud\n11,Édéa,Littoral/Sanaga\n12,ebolowa,Sud/Mvila\n";
    centre.done(&["agency", "import", &file(&centre, "agencies.csv", text)]);
    let names = |arguments: &[&str]| -> Vec<String> {
        let listed = centre.json(&[&["agency", "list", "--json"], arguments].concat());
        listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["--by", "name"]), ["ebolowa", "Édéa", "Zoétélé"]);
    assert_eq!(names(&["--by", "name", "--descending", "--after", "10"]), ["Édéa", "ebolowa"]);
    assert_eq!(names(&["--area", "sud", "--by", "area"]), ["Zoétélé", "ebolowa"]);
    let shown = centre.done(&["agency", "list", "--by", "name", "--limit", "1"]);
    assert!(shown.contains("1 of 3; more: --after 000012, or --all"), "{shown}");
    let csv = centre.done(&["agency", "list", "--by", "area", "--csv"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("\u{feff}matricule,name,town,area,") && lines.len() == 4, "{csv}");
    assert!(lines[1].starts_with("000011,Édéa,,Littoral/Sanaga,"), "{csv}");
    let wrong = centre.ended(2, &["agency", "list", "--by", "colour"]);
    assert!(wrong.contains("expected one of matricule, name"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_agencies_get_a_status_together_once_they_are_counted() {
    let centre = in_douala().await;
    agencies(&centre, 12).await;
    let asked = centre.refused(&["agency", "status", "1,2", "2"]);
    assert!(asked.contains("2 agencies are to have status 2") && asked.contains("say --yes to set it"), "{asked}");
    let told = centre.done(&["agency", "status", "1,2,2", "2", "--yes"]);
    assert_eq!(told, "2 agencies have status 2 (all but export, correct and import) now, 0 had it already\n");
    let told = centre.json(&["agency", "status", "all", "2", "--text", "Mairie 1", "--yes", "--json"]);
    assert_eq!((&told["changed"], &told["unchanged"]), (&json!(3), &json!(1)));
    // The rest are seven; with two more that change back, there are nine of ten that one person may decide on.
    centre.done(&["agency", "status", "all", "0", "--status", "3", "--yes"]);
    let many = centre.say(&["agency", "status", "all", "1", "--yes"]);
    assert_eq!((many.code, many.out.contains("asked as approval 1")), (Some(5), true), "{}{}", many.out, many.err);
    assert_eq!(centre.json(&["agency", "list", "--status", "1", "--json"]), json!([]));
    let mut child = centre.command(&["agency", "status", "-", "1", "--yes"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"000003\n4, 5\n").unwrap();
    let told = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(told.starts_with("3 agencies have status 1"), "{told}");
    assert!(centre.done(&["agency", "status", "3", "1"]).starts_with("agency 000003 has status 1"));
}

/// A killed import has committed whole batches, and the next one does the rest.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_is_completed_by_the_next_one() {
    const ROWS: u32 = 20_000;
    let centre = in_douala().await;
    let mut text = "matricule,name,balance\n".to_owned();
    (1..=ROWS).for_each(|matricule| writeln!(text, "{matricule},Bureau {matricule},{matricule}").unwrap());
    let path = file(&centre, "agencies.csv", text);
    let database = Database::new(DatabaseSettings::new(centre.url.clone().unwrap())).unwrap();
    let mut connection = database.get().await.unwrap();
    let mut count = async |what: &str| -> i64 {
        use diesel_async::RunQueryDsl;
        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            count: i64,
        }
        let text = format!("SELECT count(*) AS count FROM {what}");
        diesel::sql_query(text).get_result::<Count>(&mut connection).await.unwrap().count
    };
    let mut kills = 0;
    while count("xm.agencies").await < i64::from(ROWS) && kills < 3 {
        let before = count("xm.agencies").await;
        let mut child =
            centre.command(&["agency", "import", &path]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The moment is that of another committed batch, so each kill strikes an import at work, unless it has ended by itself.
        while count("xm.agencies").await == before && child.try_wait().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    let done = centre.done(&["agency", "import", &path]);
    assert!(done.contains("0 changed") && done.contains("0 left out"), "{done}");
    for (what, expected) in [
        ("xm.agencies a JOIN xm.accounts k ON k.agency = a.matricule AND k.balance = a.matricule", ROWS),
        ("xm.installations", ROWS),
        ("xm.entries e JOIN xm.accounts k ON k.agency = e.agency AND k.balance = e.amount", ROWS),
        ("xm.ledger_difference WHERE difference <> 0", 0),
    ] {
        assert_eq!(count(what).await, i64::from(expected), "{what}");
    }
    assert!(centre.done(&["agency", "import", &path]).contains("0 added, 0 changed, 20000 as they were, 0 left out"));
}
