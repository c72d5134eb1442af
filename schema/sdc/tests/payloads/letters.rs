//! Letters of each service, with and without each optional member.

use std::collections::BTreeSet;

use sdc::letter::{FORMAT_VERSION, Letter, Mode, Office};
use sdc::payload::{PayloadLimits, read_letter, unpack, write_letter};
use sdc::request::{
    Again, Certified, Correction, CorrectionAction, Corrections, Enrol, EnrolmentCode, Import, Message, Period,
    ProfileChange, ProfileRequest, Recharge, RecordName, Records, Renew, Request, Selection, TableRecords, VoucherCode,
};
use sdc::service::Service;
use serde_json::{Value, json};

use super::{DER, LETTER, assert_complete, some, texts, time, uuid, vector};

const LIMITS: fn() -> PayloadLimits = PayloadLimits::default;

fn letter(request: Request) -> Letter {
    Letter {
        sdc: FORMAT_VERSION,
        id: uuid(LETTER),
        from: Office { agency: 42.try_into().unwrap(), installation: "main".to_owned() },
        to: "centre-x".to_owned(),
        sequence: 2,
        time: time("2026-11-02T08:15:00Z"),
        mode: Mode::Test,
        seen: None,
        request,
    }
}

fn table<const N: usize>(table: &str, columns: [&str; N], values: [Value; N]) -> TableRecords {
    let values = values.map(|column| column.as_array().unwrap().clone()).to_vec();
    TableRecords { table: table.to_owned(), columns: texts(columns), values }
}

fn export(application: &str, tables: Vec<TableRecords>) -> Request {
    Request::Export(Records { application: application.to_owned(), tables })
}

fn exports() -> Vec<(&'static str, Letter)> {
    let births = table(
        "ActeNaissance",
        ["Numero", "Status", "NomEnfant"],
        [json!([7, 8]), json!([2, 2]), json!(["Ngo Biyong", "Épée"])],
    );
    let permit = table(
        "Permis",
        ["Numero", "Status", "Titulaire", "Valide", "Points", "Photo"],
        [
            json!([i64::MAX]),
            json!([2]),
            json!(["N'Diaye \"dite\" \u{1d11e}\nÉdéa"]),
            json!([true]),
            json!([i64::MIN]),
            json!([null]),
        ],
    );
    let diploma = table("Diplome", ["Numero", "Status"], [json!([1]), json!([2])]);
    let seen = Letter { seen: Some(1 << 53), ..letter(export("docstream", vec![permit, diploma])) };
    vec![("export/one_table", letter(export("ecr", vec![births]))), ("export/seen_and_every_kind_of_value", seen)]
}

fn corrections() -> Vec<(&'static str, Letter)> {
    let key = [("BureauCode", "0117"), ("ElectionCode", "PR26")].map(|(name, code)| (name.to_owned(), json!(code)));
    let replaced = Correction {
        table: "ResultatBureau".to_owned(),
        record: RecordName::Key { key: key.into() },
        action: CorrectionAction::Replace,
        columns: texts(["Exprimes", "Nuls"]),
        values: vec![json!(430), Value::Null],
        reason: "counted twice".to_owned(),
        reference: "PV 88/117".to_owned(),
    };
    let cancelled = Correction {
        table: "VoixCandidat".to_owned(),
        record: RecordName::Identity { installation: "main".to_owned(), numero: 7 },
        action: CorrectionAction::Cancel,
        columns: Vec::new(),
        values: Vec::new(),
        reason: "Erreur de saisie".to_owned(),
        reference: "PV 88/118".to_owned(),
    };
    let of = |correction| {
        letter(Request::Correct(Corrections { application: "election".to_owned(), corrections: vec![correction] }))
    };
    vec![("correct/replaced_by_key", of(replaced)), ("correct/cancelled_by_number", of(cancelled))]
}

fn imports() -> Vec<(&'static str, Letter)> {
    let select = |select: &str, estimate| Import::Select { select: select.to_owned(), estimate };
    let table = |changed_since: Option<&str>, estimate| {
        let (application, table) = ("ecr".to_owned(), "ActeNaissance".to_owned());
        let changed_since = changed_since.map(|position| position.parse().unwrap());
        Import::Table { selection: Selection { application, table, changed_since }, estimate }
    };
    let again = Again { letter: uuid("019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a01"), parts: vec![2, 5, 65_535] };
    let records = "SELECT NomEnfant FROM ecr.ActeNaissance WHERE NomEnfant LIKE 'MB%' LIMIT 100";
    [
        ("import_select/records", select(records, false)),
        ("import_select/estimate", select("SELECT * FROM ActeNaissance", true)),
        ("import_table/all", table(None, false)),
        ("import_table/changed", table(Some("1:734"), false)),
        ("import_table/estimate", table(Some("4294967295:9223372036854775807"), true)),
        ("import_again/parts", Import::Again { again }),
    ]
    .map(|(path, import)| (path, letter(Request::Import(import))))
    .to_vec()
}

fn certifications() -> Vec<(&'static str, Letter)> {
    let keys = Certified {
        application: "ecr".to_owned(),
        table: "ActeNaissance".to_owned(),
        key: texts(["CentreCode", "AnneeRegistre", "NumeroActe"]),
        keys: vec![vec![json!("C01"), json!("C01")], vec![json!(2026), json!(2026)], vec![json!(118), json!(119)]],
        columns: Vec::new(),
        values: Vec::new(),
    };
    let values = Certified {
        columns: texts(["NomEnfant", "DateNaissance"]),
        values: vec![vec![json!("Ngo Biyong"), json!("Epée")], vec![json!("2026-11-01"), Value::Null]],
        ..keys.clone()
    };
    [("certify/keys", keys), ("certify/keys_and_values", values)]
        .map(|(path, certified)| (path, letter(Request::Certify(certified))))
        .to_vec()
}

/// Letters about the agency itself: account, profile, voucher, message.
fn of_the_agency() -> Vec<(&'static str, Letter)> {
    let period = |from: Option<&str>, to: Option<&str>| {
        let day = |day: Option<&str>| day.map(|day| day.parse().unwrap());
        Request::Account(Period { from: day(from), to: day(to) })
    };
    let profile = |set| Request::Profile(ProfileRequest { set });
    let telephone = some("222 22 22 22");
    let email = ProfileChange { email: some("mairie@example.org"), ..ProfileChange::default() };
    let one = ProfileChange { telephone: telephone.clone(), ..ProfileChange::default() };
    let all =
        ProfileChange { name: some("Mairie d'Édéa"), town: some(""), telephone, email: some("mairie@example.org") };
    let message = |thread: Option<&str>, text: &str| {
        Request::Message(Message { thread: thread.map(uuid), text: text.to_owned() })
    };
    [
        ("account/this_month", period(None, None)),
        ("account/from", period(Some("0001-01-01"), None)),
        ("account/to", period(None, Some("9999-12-31"))),
        ("account/both", period(Some("2024-02-29"), Some("2024-02-29"))),
        ("profile/read", profile(None)),
        ("profile/telephone", profile(Some(one))),
        ("profile/email", profile(Some(email))),
        ("profile/all", profile(Some(all))),
        ("recharge/code", Request::Recharge(Recharge { code: VoucherCode::typed("4012 8888 8888 1881") })),
        ("message/begins", message(None, "Bonjour\nL'imprimante est en panne.")),
        ("message/goes_on", message(Some("019a5f0e-8f3b-7c61-a2d4-5b1e9c3f7a01"), "Merci.")),
    ]
    .map(|(path, request)| (path, letter(request)))
    .to_vec()
}

fn of_certificates() -> Vec<(&'static str, Letter)> {
    let code = EnrolmentCode::typed("ABCD-EFGH-JKMN-PQRS-TVWX-0113");
    vec![
        ("renew/certificate", letter(Request::Renew(Renew { certificate: DER.to_vec() }))),
        ("enrol/code", letter(Request::Enrol(Enrol { code, certificate: DER.to_vec() }))),
    ]
}

/// The path of every vector below the folder `letters`, and the letter that must be read from it.
pub fn expected() -> Vec<(&'static str, Letter)> {
    [exports(), corrections(), imports(), certifications(), of_the_agency(), of_certificates()].concat()
}

#[test]
fn each_letter_is_read_as_it_is_meant_and_written_as_it_was() {
    assert_complete("letters", &expected());
    for (path, letter) in expected() {
        let octets = vector(&format!("letters/{path}.json"));
        let read = read_letter(&octets, &LIMITS()).unwrap_or_else(|wrong| panic!("{path}: {wrong}"));
        // `Debug` shows no content, so the test compares the octets below to show what differs.
        assert!(read == letter, "{path} is read as another letter");
        let packed = write_letter(&letter, &LIMITS()).unwrap();
        let written = unpack(&packed, &LIMITS()).unwrap();
        assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&octets), "{path}");
    }
}

#[test]
fn every_service_has_a_vector() {
    let asked: BTreeSet<Service> = expected().into_iter().map(|(_, letter)| letter.request.service()).collect();
    assert_eq!(asked, Service::ALL.into_iter().collect());
    for (path, letter) in expected() {
        let kind = path.split_once('/').unwrap().0;
        assert_eq!(kind.split('_').next(), Some(letter.request.service().name()), "{path}");
    }
}

/// The stock `zstd` made these frames, one of them with the published dictionary (option `-D`).
#[test]
fn a_frame_is_read_as_the_json_in_it() {
    let octets = vector("letters/export/one_table.json");
    let letter = read_letter(&octets, &LIMITS()).unwrap();
    for frame in ["one_table", "one_table_dictionary"] {
        let frame = vector(&format!("frames/{frame}.zst"));
        assert_eq!(unpack(&frame, &LIMITS()).unwrap().as_ref(), octets);
        assert!(read_letter(&frame, &LIMITS()).unwrap() == letter);
    }
}
