//! Tests of what happens when an operator has letters in quarantine tried again, after the cause is removed. For a letter that asks for
//! records, the records must be read anew. The first letter of an installation, which no registered key has signed, must be admitted by its
//! enrolment code.

#![expect(clippy::unwrap_used, reason = "a test that cannot get its world ends at once, saying why")]

use std::collections::{BTreeMap, BTreeSet};

use agency::office::Received;
use mail::extract::{MailLimits, extract};
use scenarios::database::OwnDatabase;
use scenarios::engine::Engine;
use scenarios::site::Site;
use scenarios::town::{CENTRE_ADDRESS, Resident, address, let_read};
use sdc::answer::receipt::Verdict;
use sdc::refusal::RefusalCode;
use sdc::request::EnrolmentCode;
use serde_json::Value;
use tokio::runtime::Runtime;

const OFFICE: u32 = 7;
/// Matricule of an office whose key the centre does not know yet.
const NEWCOMER: u32 = 9;

/// Waits until every letter of an office is answered.
fn wait_until_answered(site: &mut Site, resident: &mut Resident, number: u32) {
    let Site { engine, dovecot, .. } = site;
    engine
        .wait_until("every letter is answered", |_| {
            resident.read(dovecot.mails(&address(number))?)?;
            Ok(resident.is_answered() && dovecot.count(CENTRE_ADDRESS) == 0)
        })
        .unwrap();
}

/// Returns the number of the only open entry with this reason.
fn entry(engine: &Engine, reason: RefusalCode) -> String {
    let listed = engine.operate(&["quarantine", "list", "--reason", reason.as_str(), "--json"]).unwrap();
    let entries: Vec<Value> = serde_json::from_str(&listed).unwrap();
    assert_eq!(entries.len(), 1, "{listed}");
    entries[0]["id"].to_string()
}

/// Lets an operator try a quarantine entry again, and returns the outcome of its first letter.
fn tried(engine: &Engine, entry: &str) -> Value {
    let told = engine.operate(&["quarantine", "retry", entry, "--reason", "mended", "--json"]).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    told["tried"][0].clone()
}

/// Receives the office's mails. Returns the verdicts of all attempts after the first, by attempt, and the number of different parts with
/// records.
fn heard(resident: &mut Resident, mails: Vec<Vec<u8>>) -> anyhow::Result<(BTreeMap<u16, Verdict>, usize)> {
    let (mut attempts, mut parts) = (BTreeMap::new(), BTreeSet::new());
    for mail in mails {
        for container in extract(&mail, &MailLimits::default()).map(|mail| mail.containers).unwrap_or_default() {
            match resident.office.receive(&container)? {
                Received::Answered(answered) => {
                    let receipt = answered.answer.receipt;
                    attempts.extend((receipt.attempt > 1).then_some((receipt.attempt, receipt.verdict)));
                }
                Received::Given(given) => {
                    parts.insert(given.part.head.part);
                }
                Received::Noticed(_) => {}
            }
        }
    }
    Ok((attempts, parts.len()))
}

/// Waits until the office has received exactly these attempts after the first, and this number of parts.
fn wait_to_hear(site: &mut Site, resident: &mut Resident, attempts: &[(u16, Verdict)], parts: usize) {
    let expected = (attempts.iter().copied().collect(), parts);
    let Site { engine, dovecot, .. } = site;
    engine
        .wait_until("the office is told of a further attempt", |_| {
            Ok(heard(resident, dovecot.mails(&address(OFFICE))?)? == expected)
        })
        .unwrap();
}

#[test]
fn a_read_that_was_refused_is_read_for_again() {
    let runtime = Runtime::new().unwrap();
    let database = OwnDatabase::start(&runtime).unwrap();
    let mut site = Site::found(&[address(OFFICE)], &database.configured()).unwrap();
    let mut resident = Resident::settle(&site.engine, OFFICE).unwrap();
    let_read(&site.engine).unwrap();
    site.engine.operate(&["agency", "recharge", "7", "1000"]).unwrap();
    site.open().unwrap();
    site.dovecot.deliver(CENTRE_ADDRESS, &resident.write().unwrap().1.render().unwrap()).unwrap();
    wait_until_answered(&mut site, &mut resident, OFFICE);

    site.engine.operate(&["plan", "edit", "standard", "--acts-per-day", "0"]).unwrap();
    let import = resident.import().unwrap();
    site.dovecot.deliver(CENTRE_ADDRESS, &import.render().unwrap()).unwrap();
    wait_until_answered(&mut site, &mut resident, OFFICE);
    let refused = |resident: &Resident| {
        let refusals = resident.letters.values().flatten().filter_map(|receipt| receipt.refusal.as_ref());
        refusals.map(|refusal| refusal.code).collect::<Vec<_>>()
    };
    assert_eq!(refused(&resident), [RefusalCode::QuotaExceeded]);

    let entry = entry(&site.engine, RefusalCode::QuotaExceeded);
    let again = tried(&site.engine, &entry);
    assert_eq!((again["outcome"].as_str(), again["attempt"].as_i64()), (Some("quota_exceeded"), Some(2)));
    // The test waits until this answer has arrived. If it were still unsent when the next attempt is decided, it would never come: the
    // answer to that attempt takes its place.
    wait_to_hear(&mut site, &mut resident, &[(2, Verdict::Refused)], 0);
    site.engine.operate(&["plan", "edit", "standard", "--acts-per-day", "none"]).unwrap();
    let again = tried(&site.engine, &entry);
    assert_eq!((again["outcome"].as_str(), again["attempt"].as_i64()), (Some("accepted"), Some(3)));
    wait_to_hear(&mut site, &mut resident, &[(2, Verdict::Refused), (3, Verdict::Accepted)], 1);
    site.engine.stop().unwrap();
}

#[test]
fn an_enrolment_in_quarantine_is_admitted_by_its_code() {
    let runtime = Runtime::new().unwrap();
    let database = OwnDatabase::start(&runtime).unwrap();
    let mut site = Site::found(&[address(NEWCOMER)], &database.configured()).unwrap();
    let engine = &site.engine;
    engine.operate(&["agency", "add", "--matricule", "9", "--name", "Mairie", "--email", &address(NEWCOMER)]).unwrap();
    let code: Value = serde_json::from_str(&engine.operate(&["enrolment", "code", "9", "--json"]).unwrap()).unwrap();
    engine.operate(&["agency", "status", "9", "0"]).unwrap();
    let mut resident = Resident::newcomer(&site.engine, NEWCOMER).unwrap();
    site.open().unwrap();
    let packed = resident.office.enrol(EnrolmentCode::typed(code["code"].as_str().unwrap())).unwrap();
    resident.letters.insert(packed.digest, None);
    site.dovecot.deliver(CENTRE_ADDRESS, &resident.office.mail(&packed).render().unwrap()).unwrap();
    site.engine
        .wait_until("the agency is suspended: the letter is in quarantine", |engine| {
            Ok(engine.metric("xm_letters_total{outcome=\"enrolment_refused\"}") >= 1.0)
        })
        .unwrap();

    let entry = entry(&site.engine, RefusalCode::EnrolmentRefused);
    let stays = site.engine.operate(&["quarantine", "retry", &entry, "--reason", "trying"]).unwrap_err().to_string();
    assert!(stays.contains("stays as it is"), "{stays}");
    site.engine.operate(&["agency", "status", "9", "3"]).unwrap();
    assert_eq!(tried(&site.engine, &entry)["outcome"], "accepted");
    wait_until_answered(&mut site, &mut resident, NEWCOMER);
    assert_eq!(resident.accepted(), 1);
    site.engine.stop().unwrap();
}
