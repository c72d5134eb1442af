//! Tests of loading reference data: two people agree to a load, the same file changes nothing, and the stations of a whole country are
//! loaded in seconds.

use std::time::Instant;

use super::{LoadFile, act, confirm, dry_run};
use crate::approvals;
use crate::error::AdministrationError;
use crate::people::{Operator, Privilege, audit};
use crate::samples;
use crate::tables::loaded::Loaded;
use crate::testing::centre::*;

const STATIONS: &str = "election.bureauvote";

fn second() -> Operator {
    Operator::pretended("ekane", Privilege::Superviseur)
}

fn loaded(new: i64, changed: i64, same: i64, beside: i64) -> Loaded {
    Loaded { new, changed, same, beside }
}

fn file(rows: &str) -> LoadFile {
    LoadFile::parse(format!("ElectionCode,bureaucode,Libelle,Region,Inscrits,Telephone\n{rows}").as_bytes()).unwrap()
}

#[tokio::test]
async fn a_file_is_loaded_by_two_people_and_the_same_one_again_changes_nothing() {
    let (_database, mut connection) = centre().await;
    samples::restore(&mut connection, &OPERATOR, "election").await.unwrap();
    run(
        &mut connection,
        "INSERT INTO xm.users (name, privilege, password_hash) VALUES ('mbarga', 3, ''), ('ekane', 3, '')",
    )
    .await;
    let first = file("PR26,0117,\"École \"\"A\"\"\",Littoral,702,+237 6\nPR26,0118,Mairie,Centre,300,\n");
    let held = r#"SELECT count(*) FROM election."BureauVote" WHERE "Status" = 2 AND xm_agency IS NULL"#;
    assert_eq!(dry_run(&mut connection, &OPERATOR, STATIONS, &first).await.unwrap(), loaded(2, 0, 0, 0));
    assert_eq!(value(&mut connection, held).await, 0, "a dry run does nothing");
    let asked = act(&mut connection, &OPERATOR, STATIONS, &first).await.unwrap();
    let approval = approvals::ask(&mut connection, &OPERATOR, &asked).await.unwrap();
    let own = confirm(&mut connection, &OPERATOR, approval.id, &first).await.unwrap_err();
    assert!(matches!(own, AdministrationError::ApprovalOwn(_)), "{own}");
    let other = confirm(&mut connection, &second(), approval.id, &file("PR26,1,A,B,1,\n")).await.unwrap_err();
    assert!(other.to_string().contains("load_file_other"), "{other}");
    assert_eq!(confirm(&mut connection, &second(), approval.id, &first).await.unwrap(), loaded(2, 0, 0, 0));
    assert_eq!(value(&mut connection, held).await, 2);
    let named =
        r#"SELECT count(*) FROM election."BureauVote" WHERE "Libelle" = 'École "A"' AND "Telephone" = '+237 6'"#;
    assert_eq!(value(&mut connection, named).await, 1);
    assert_eq!(
        value(&mut connection, r#"SELECT count(*) FROM election."BureauVote" WHERE "Telephone" IS NULL"#).await,
        1
    );
    let line = audit::list(&mut connection, None, 2).await.unwrap().remove(1);
    assert_eq!((line.action.as_str(), line.subject.as_str()), ("table.load", "table election.BureauVote"));

    assert_eq!(dry_run(&mut connection, &OPERATOR, STATIONS, &first).await.unwrap(), loaded(0, 0, 2, 0));
    let changed = file("PR26,0117,\"École \"\"A\"\"\",Littoral,703,+237 6\nPR26,0119,Marché,Centre,9,\n");
    assert_eq!(dry_run(&mut connection, &OPERATOR, STATIONS, &changed).await.unwrap(), loaded(1, 1, 0, 1));
    let asked = act(&mut connection, &OPERATOR, STATIONS, &changed).await.unwrap();
    let approval = approvals::ask(&mut connection, &OPERATOR, &asked).await.unwrap();
    confirm(&mut connection, &second(), approval.id, &changed).await.unwrap();
    assert_eq!(value(&mut connection, r#"SELECT sum("Inscrits") FROM election."BureauVote""#).await, 703 + 300 + 9);
}

#[tokio::test]
async fn a_file_that_does_not_fit_is_refused_by_line_and_column_and_nothing_is_loaded() {
    let (_database, mut connection) = centre().await;
    samples::restore(&mut connection, &OPERATOR, "election").await.unwrap();
    for (text, expected) in [
        ("ElectionCode;BureauCode;Libelle;Region\nPR26;1;A;B\n", r#""missing":["Inscrits"]"#),
        ("ElectionCode,BureauCode,Libelle,Region,Inscrits,Xm_agency\nPR26,1,A,B,1,1\n", r#""unknown":["Xm_agency"]"#),
        ("ElectionCode,BureauCode,Libelle,Region,Inscrits,Numero\nPR26,1,A,B,1,1\n", r#""unknown":["Numero"]"#),
        (
            "ElectionCode,BureauCode,Libelle,Region,Inscrits\nPR26,1,A,B,many\n",
            r#""column":"Inscrits","expected":"a whole number","line":2"#,
        ),
        ("ElectionCode,BureauCode,Libelle,Region,Inscrits\nPR26,1,A,B,1\nPR26,1,A,B,1\n", r#""count":1"#),
        (
            "ElectionCode,BureauCode,Libelle,Region,Inscrits\nPR26,123456789012345678901,A,B,1\n",
            "at most 20 characters",
        ),
    ] {
        let file = LoadFile::parse(text.as_bytes()).unwrap();
        let error = dry_run(&mut connection, &OPERATOR, STATIONS, &file).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {expected} is not in {error}");
    }
    for unreadable in [&b"ElectionCode,BureauCode\n"[..], b"", b"A,B\n1\n", b"A\n\xff\n", b"A,,B\n1,2,3\n"] {
        assert!(LoadFile::parse(unreadable).is_err(), "{unreadable:?}");
    }
    let error = dry_run(&mut connection, &OPERATOR, "election.Nothing", &file("PR26,1,A,B,1,\n")).await.unwrap_err();
    assert!(matches!(error, AdministrationError::TableUnknown(_)), "{error}");
}

/// SPEC 7 demands that 100 000 stations are loaded in 10 s.
#[tokio::test]
async fn a_hundred_thousand_stations_are_loaded_in_ten_seconds() {
    let (_database, mut connection) = centre().await;
    samples::restore(&mut connection, &OPERATOR, "election").await.unwrap();
    run(
        &mut connection,
        "INSERT INTO xm.users (name, privilege, password_hash) VALUES ('mbarga', 3, ''), ('ekane', 3, '')",
    )
    .await;
    let rows: String =
        (0..100_000).map(|n| format!("PR26,{n:06},Bureau {n},Region {},{},\n", n % 10, n % 900)).collect();
    let began = Instant::now();
    let file = file(&rows);
    let asked = act(&mut connection, &OPERATOR, STATIONS, &file).await.unwrap();
    let approval = approvals::ask(&mut connection, &OPERATOR, &asked).await.unwrap();
    let between = Instant::now();
    assert_eq!(confirm(&mut connection, &second(), approval.id, &file).await.unwrap(), loaded(100_000, 0, 0, 0));
    println!("asked in {:?}, loaded in {:?}", between - began, between.elapsed());
    let held = r#"SELECT count(*) FROM election."BureauVote""#;
    assert_eq!(value(&mut connection, held).await, 100_000);
}
