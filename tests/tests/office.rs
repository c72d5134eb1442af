//! Tests of the office's program with a real centre between real servers: from the kit to a verified receipt, by mail and on a stick.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use scenarios::database::OwnDatabase;
use scenarios::engine::Engine;
use scenarios::office::{MailServers, OfficeProgram};
use scenarios::program::xmserver;
use scenarios::servers::pass_time;
use scenarios::site::Site;
use scenarios::town::{PASSWORD, address, found};
use scenarios::transfer::Transfer;
use serde_json::Value;
use tokio::runtime::Runtime;

const OFFICE: u32 = 42;

/// Returns the values of a birth, as a clerk types them.
fn birth(number: u32) -> Vec<String> {
    let values = [
        format!("NumeroActe={number}"),
        "AnneeRegistre=2026".to_owned(),
        format!("CentreCode=C{OFFICE}"),
        "DateActe=2026-11-02".to_owned(),
        "NomEnfant=Ngo Biyong".to_owned(),
        "Sexe=F".to_owned(),
        "DateNaissance=2026-11-01".to_owned(),
        "LieuNaissance=Édéa".to_owned(),
        "Officier=Mbome".to_owned(),
    ];
    values.to_vec()
}

/// Adds a birth and validates it. Returns its number.
fn validated(office: &OfficeProgram, number: u32) -> i64 {
    let values = birth(number);
    let add: Vec<&str> =
        ["record", "add", "ActeNaissance"].into_iter().chain(values.iter().map(String::as_str)).collect();
    let added = office.run(&add).unwrap();
    assert_eq!(added["faults"].as_array().unwrap().len(), 0, "{added}");
    let numero = added["numero"].as_i64().unwrap();
    office.run(&["record", "validate", &numero.to_string()]).unwrap();
    numero
}

fn status(office: &OfficeProgram, numero: i64) -> Value {
    office.run(&["record", "show", &numero.to_string()]).unwrap()["status"].clone()
}

/// Returns the verdict of a letter, null while there is none.
fn verdict(office: &OfficeProgram, sequence: i64) -> Value {
    office.run(&["letter", "show", &sequence.to_string()]).unwrap()["letter"]["verdict"].clone()
}

/// Carries letters and answers by mail until a condition holds.
fn carry_until(site: &mut Site, office: &OfficeProgram, what: &str, mut holds: impl FnMut() -> bool) {
    site.engine
        .wait_until(what, |_| {
            office.run(&["transmit"])?;
            Ok(holds())
        })
        .unwrap();
}

#[test]
fn an_office_is_enrolled_by_mail_and_a_birth_is_exported_and_receipted() {
    let runtime = Runtime::new().unwrap();
    let database = OwnDatabase::start(&runtime).unwrap();
    let further = format!("[database]\nurl = \"{}\"\n", database.cluster.url());
    let mut site = Site::found(&[address(OFFICE)], &further).unwrap();
    site.open().unwrap();
    let servers = MailServers { pop3: site.dovecot.pop3_address(), smtp: site.postfix.smtp_address() };
    let office = OfficeProgram::set_up(&site.engine, OFFICE, Some(servers)).unwrap();
    // A mail for a person, and a letter of somebody else, lie in the same mailbox.
    let person = b"From: x@example.org\r\nTo: y@example.org\r\nSubject: lunch\r\n\r\nBonjour\r\n";
    let stranger =
        b"From: x@example.org\r\nSubject: SDC 1\r\n\r\n-----BEGIN CMS-----\r\nMAMCAQE=\r\n-----END CMS-----\r\n";
    site.dovecot.deliver(&address(OFFICE), person).unwrap();
    site.dovecot.deliver(&address(OFFICE), stranger).unwrap();

    let early = office.tried(&["account"]).unwrap();
    let said: Value = serde_json::from_slice(&early.stderr).unwrap();
    assert!(said["error"]["message"].as_str().unwrap().contains("run `xmagency enrol CODE`"), "{said}");
    office.enrol(&site.engine).unwrap();
    carry_until(&mut site, &office, "the office is enrolled", || verdict(&office, 1) == "accepted");
    carry_until(&mut site, &office, "the centre has told its four tables", || {
        office.run(&["table", "list"]).unwrap().as_array().unwrap().len() == 4
    });

    let numero = validated(&office, 118);
    let exported = office.run(&["export"]).unwrap();
    assert_eq!(exported["letters"][0]["sequence"], 2, "{exported}");
    assert_eq!(status(&office, numero), "packed");
    office.run(&["transmit"]).unwrap();
    let Site { engine, dovecot, .. } = &mut site;
    // Two mails that are not the office's lie there already.
    engine.wait_until("the answer lies in the mailbox", |_| Ok(dovecot.count(&address(OFFICE)) > 2)).unwrap();
    let recorded = dovecot.mails(&address(OFFICE)).unwrap();
    carry_until(&mut site, &office, "the birth is receipted", || status(&office, numero) == "exported");
    // Somebody who recorded the mails brings them again: nothing changes.
    let settled = office.run(&["record", "show", &numero.to_string()]).unwrap();
    for mail in &recorded {
        site.dovecot.deliver(&address(OFFICE), mail).unwrap();
    }
    let again = office.run(&["transmit"]).unwrap();
    assert_eq!((&again["news"], &again["sent"]), (&Value::Array(vec![]), &Value::Array(vec![])), "{again}");
    assert_eq!(office.run(&["record", "show", &numero.to_string()]).unwrap(), settled);
    let letter = office.run(&["letter", "show", "2"]).unwrap()["letter"].clone();
    assert_eq!((&letter["receipt"]["rows"][0]["new"], &letter["sends"]), (&1.into(), &1.into()), "{letter}");
    database
        .run(&runtime, "DO $$ BEGIN ASSERT (SELECT count(*) = 1 FROM ecr.\"ActeNaissance\" WHERE \"NomEnfant\" = 'Ngo Biyong'); END $$")
        .unwrap();
    // What was not the office's is still there, and nothing else.
    assert_eq!(site.dovecot.count(&address(OFFICE)), 4);
    let state = office.run(&["status"]).unwrap();
    assert_eq!(
        (&state["unsent"], &state["unanswered"], &state["balance"]),
        (&Value::Array(vec![]), &Value::Array(vec![]), &(-100).into())
    );
    assert!(state["traffic"][0]["sent"].as_u64().unwrap() > 1000, "{state}");
}

#[test]
fn an_office_without_mail_is_served_by_a_stick() {
    let runtime = Runtime::new().unwrap();
    let (database, transfer) = (OwnDatabase::start(&runtime).unwrap(), Transfer::make().unwrap());
    let further = format!("[database]\nurl = \"{}\"\n{}", database.cluster.url(), transfer.configuration());
    let mut engine =
        Engine::of(xmserver().unwrap(), PASSWORD, |http| format!("[server]\nhttp_address = \"{http}\"\n{further}"))
            .unwrap();
    found(&engine).unwrap();
    engine.start().unwrap();
    engine.wait_until_ready().unwrap();
    let office = OfficeProgram::set_up(&engine, OFFICE, None).unwrap();
    let refused = office.tried(&["transmit"]).unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("this office has no mail"), "{refused:?}");
    let gone = office.tried(&["transmit", "--folder", "/no/such/stick"]).unwrap();
    assert!(String::from_utf8_lossy(&gone.stderr).contains("is the stick in its place?"), "{gone:?}");

    // The centre's transfer folder is the stick itself here.
    let stick = transfer.path().display().to_string();
    let state = office.run(&["transmit", "--folder", &stick]).unwrap();
    assert_eq!((&state["sent"], &state["news"]), (&Value::Array(vec![]), &Value::Array(vec![])), "nothing waits");
    office.enrol(&engine).unwrap();
    let mut carry_until = |what: &str, holds: &dyn Fn() -> bool| {
        let carry = |_: &Engine| {
            office.run(&["transmit", "--folder", &stick])?;
            Ok(holds())
        };
        engine.wait_until(what, carry).unwrap();
    };
    carry_until("the office is enrolled", &|| verdict(&office, 1) == "accepted");
    carry_until("the centre has told its tables", &|| office.run(&["table", "show", "ActeNaissance"]).is_ok());
    let numero = validated(&office, 118);
    office.run(&["export"]).unwrap();
    carry_until("the birth is receipted", &|| status(&office, numero) == "exported");
    let left = fs::read_dir(transfer.path().join("out").join("000042")).map(|entries| entries.count()).unwrap_or(0);
    assert_eq!(left, 0, "what was taken is removed");
}

/// Runs a command and kills it after so many milliseconds, unless it has ended by then.
fn killed(office: &OfficeProgram, arguments: &[&str], milliseconds: u64) {
    let mut command = office.command(arguments).unwrap();
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    pass_time(Duration::from_millis(milliseconds));
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn a_program_that_is_killed_again_and_again_loses_no_record_and_sends_none_in_two_letters() {
    const RECORDS: u32 = 12;
    let runtime = Runtime::new().unwrap();
    let database = OwnDatabase::start(&runtime).unwrap();
    let further = format!("[database]\nurl = \"{}\"\n", database.cluster.url());
    let mut site = Site::found(&[address(OFFICE)], &further).unwrap();
    site.open().unwrap();
    let servers = MailServers { pop3: site.dovecot.pop3_address(), smtp: site.postfix.smtp_address() };
    let office = OfficeProgram::set_up(&site.engine, OFFICE, Some(servers)).unwrap();
    office.enrol(&site.engine).unwrap();
    carry_until(&mut site, &office, "the office is enrolled", || verdict(&office, 1) == "accepted");
    carry_until(&mut site, &office, "the centre has told its tables", || {
        office.run(&["table", "show", "ActeNaissance"]).is_ok()
    });
    let numeros: Vec<i64> = (1..=RECORDS).map(|number| validated(&office, number)).collect();
    // From a moment at which the program has hardly begun to one at which it has ended on most machines.
    for step in 0..12 {
        killed(&office, &["export"], step * 25);
        killed(&office, &["transmit"], step * 35);
    }
    office.run(&["export"]).unwrap();
    carry_until(&mut site, &office, "every birth is receipted", || {
        numeros.iter().all(|numero| status(&office, *numero) == "exported")
    });
    let held = format!(
        "DO $$ BEGIN ASSERT (SELECT count(*) = {RECORDS} AND count(DISTINCT xm_numero) = {RECORDS} FROM ecr.\"ActeNaissance\"); END $$"
    );
    database.run(&runtime, &held).unwrap();
    // No record was in two letters: of none the centre says that it had it already.
    let letters = office.run(&["letter", "list"]).unwrap();
    let rows = letters.as_array().unwrap().iter().filter_map(|letter| letter["receipt"]["rows"].as_array()).flatten();
    let counts: Vec<(u64, u64)> =
        rows.map(|row| (row["new"].as_u64().unwrap(), row["duplicate"].as_u64().unwrap())).collect();
    assert_eq!(counts.iter().map(|(new, _)| new).sum::<u64>(), u64::from(RECORDS), "{counts:?}");
    assert!(counts.iter().all(|(_, duplicate)| *duplicate == 0), "{counts:?}");
}
