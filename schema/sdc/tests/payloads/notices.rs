//! Notices, the letters that the centre sends unasked: a vector of each kind.

use std::collections::BTreeSet;

use sdc::answer::CentreLetter;
use sdc::answer::notice::{Notice, NoticeContent, ProfileOutcome, TableDefinition};
use sdc::answer::profile::Profile;
use sdc::letter::{FORMAT_VERSION, Mode, Office};
use sdc::payload::{PayloadLimits, read_centre_letter, write_notice};
use sdc::request::ProfileChange;
use serde_json::json;

use super::answers::{charged, credited, statement};
use super::{DER, LETTER, assert_complete, some, texts, time, uuid, vector};

/// The kinds of notices. Whoever adds a kind to the crate must add it here before these tests compile, and make a vector of it before they
/// succeed.
const KINDS: [&str; 7] =
    ["certificate_ends", "centre_certificate", "definitions", "message", "profile", "resend", "statement"];

fn notice(number: u64, content: NoticeContent) -> Notice {
    Notice {
        sdc: FORMAT_VERSION,
        id: uuid("019a5f1a-7d40-7b12-8c3e-2f6b9d0a4e51"),
        from: "centre-x".to_owned(),
        to: Office { agency: 42.try_into().unwrap(), installation: "main".to_owned() },
        time: time("2026-11-02T09:00:00Z"),
        mode: Mode::Test,
        number,
        content,
    }
}

fn of_profiles() -> Vec<(&'static str, NoticeContent)> {
    let told = |outcome, reason: Option<&str>, profile| NoticeContent::Profile {
        letter: uuid(LETTER),
        outcome,
        reason: reason.map(str::to_owned),
        profile,
    };
    let waiting = |change| Profile { waiting: Some(change), ..Profile::new("Mairie", "", "", "") };
    let all = ProfileChange { name: some("M"), town: some("E"), telephone: some("1"), email: some("a@example.org") };
    let refused = Profile { waiting: Some(all), ..Profile::new("Mairie", "Édéa", "222", "") };
    let town = ProfileChange { town: some("Édéa"), ..ProfileChange::default() };
    let name = ProfileChange { name: some("Mairie II"), ..ProfileChange::default() };
    vec![
        ("profile/made", told(ProfileOutcome::Made, None, Profile::new("Mairie", "", "", "mairie@example.org"))),
        ("profile/refused", told(ProfileOutcome::Refused, Some("Numéro inconnu"), refused)),
        ("profile/waiting", told(ProfileOutcome::Made, None, waiting(town))),
        ("profile/waiting_name", told(ProfileOutcome::Made, None, waiting(name))),
    ]
}

/// The path of every vector below the folder `notices`, and the notice that must be read from it.
pub fn expected() -> Vec<(&'static str, Notice)> {
    let births = TableDefinition {
        application: "ecr".to_owned(),
        table: "ActeNaissance".to_owned(),
        version: 2,
        legal_key: texts(["CentreCode", "NumeroActe"]),
        scope: some("CentreCode"),
        corrections: "never".to_owned(),
        columns: vec![json!({ "name": "Numero", "type": "bigint", "nullable": false, "has_default": true })],
    };
    let candidates = TableDefinition {
        application: "election".to_owned(),
        table: "Candidat".to_owned(),
        version: 1,
        legal_key: texts(["Code"]),
        scope: None,
        corrections: "after_approval".to_owned(),
        columns: Vec::new(),
    };
    let message = uuid("019a5f1a-7d40-7b12-8c3e-2f6b9d0a4e01");
    let mut moved = statement("2026-11-30", vec![charged(-200), credited(800)]);
    moved.closing = 800;
    let ends = NoticeContent::CertificateEnds {
        certificate: "5f2b8c1d9e3a47604b8d2c6e1f90a3b75d4c8e2f6a1b907c3d5e8f1a2b4c6d70".to_owned(),
        ends: time("2026-12-02T08:30:00Z"),
        days: 30,
    };
    let first = [
        ("certificate_ends/thirty_days", ends),
        ("centre_certificate/der", NoticeContent::announcing(DER)),
        ("definitions/scope", NoticeContent::Definitions(births)),
        ("definitions/everywhere", NoticeContent::Definitions(candidates)),
        (
            "message/begins",
            NoticeContent::Message { message, thread: message, text: "Bonjour\nFermé demain.".to_owned() },
        ),
    ];
    let last = ("resend/from", NoticeContent::Resend { from: 1 << 53 });
    let numbered = first.into_iter().chain(of_profiles()).chain([last]).zip(1..);
    let mut all: Vec<(&'static str, Notice)> =
        numbered.map(|((path, content), number)| (path, notice(number, content))).collect();
    all.push(("statement/two_entries", notice(1 << 53, NoticeContent::Statement { statement: moved })));
    all
}

#[test]
fn each_notice_is_read_as_it_is_meant_and_written_as_it_was() {
    assert_complete("notices", &expected());
    for (path, notice) in expected() {
        let octets = vector(&format!("notices/{path}.json"));
        let read = read_centre_letter(&octets, &PayloadLimits::default());
        let read = read.unwrap_or_else(|wrong| panic!("{path}: {wrong}"));
        assert!(read == CentreLetter::Notice(notice.clone()), "{path} is read as another notice");
        let written = write_notice(&notice);
        assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&octets), "{path}");
    }
}

#[test]
fn every_kind_of_notice_has_a_vector() {
    let listed = |content: &NoticeContent| match content {
        NoticeContent::CertificateEnds { .. } => KINDS[0],
        NoticeContent::CentreCertificate { .. } => KINDS[1],
        NoticeContent::Definitions(_) => KINDS[2],
        NoticeContent::Message { .. } => KINDS[3],
        NoticeContent::Profile { .. } => KINDS[4],
        NoticeContent::Resend { .. } => KINDS[5],
        NoticeContent::Statement { .. } => KINDS[6],
    };
    for (path, notice) in expected() {
        assert_eq!(
            (notice.content.kind(), path.split('/').next()),
            (listed(&notice.content), Some(notice.content.kind()))
        );
    }
    let kinds: BTreeSet<&str> = expected().iter().map(|(_, notice)| notice.content.kind()).collect();
    assert_eq!(kinds, KINDS.into_iter().collect());
}
