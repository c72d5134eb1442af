//! Answers: each form of a receipt, and each body that an answer may have beside its receipt.

use sdc::answer::certificate::IssuedCertificate;
use sdc::answer::profile::Profile;
use sdc::answer::receipt::{
    AccountReceipt, Flag, FlaggedRow, Hold, HoldCode, ReadReceipt, Receipt, TableReceipt, Verdict,
};
use sdc::answer::statement::{EntryKind, Statement, StatementEntry};
use sdc::answer::{Answer, AnswerBody, AnswerContent, CentreLetter};
use sdc::letter::{FORMAT_VERSION, Mode};
use sdc::payload::{PayloadForm, PayloadLimits, read_answer, read_centre_letter, write_answer};
use sdc::refusal::{Refusal, RefusalCode, Remedy, RowFault};
use sdc::request::ProfileChange;

use super::{DER_BASE64, DIGEST, LETTER, assert_complete, refusals, some, time, to, uuid, vector};

pub fn answer(receipt: Receipt) -> Answer {
    Answer {
        sdc: FORMAT_VERSION,
        id: uuid("019a5f0e-c2f8-7d05-9c0e-6f6a1f0b2c44"),
        from: "centre-x".to_owned(),
        to: to(Some("main")),
        time: time("2026-11-02T08:15:12Z"),
        mode: Mode::Live,
        receipt,
        body: None,
    }
}

pub fn receipt(verdict: Verdict) -> Receipt {
    Receipt {
        letter: Some(uuid(LETTER)),
        digest: DIGEST.to_owned(),
        sequence: Some(2),
        attempt: 1,
        epoch: 1,
        verdict,
        refusal: None,
        remedy: None,
        hold: None,
        rows: Vec::new(),
        flags: Vec::new(),
        read: None,
        account: AccountReceipt { cost: 200, balance: -300, currency: "XAF".to_owned() },
        highest_sequence: 2,
        received: time("2026-11-02T08:15:10Z"),
        skew_seconds: Some(-10),
    }
}

pub fn refused(refusal: Refusal, remedy: Remedy) -> Receipt {
    Receipt { refusal: Some(refusal), remedy: Some(remedy), ..receipt(Verdict::Refused) }
}

fn table(table: &str) -> TableReceipt {
    TableReceipt { table: table.to_owned(), ..TableReceipt::default() }
}

fn flag(check: &str, unjudged: bool, row: u32, arithmetic: &str, rows_total: u32) -> Flag {
    let rows = vec![FlaggedRow { row, arithmetic: arithmetic.to_owned() }];
    Flag { table: "ResultatBureau".to_owned(), check: check.to_owned(), unjudged, rows, rows_total }
}

fn receipts() -> Vec<(&'static str, Answer)> {
    let accepted = || receipt(Verdict::Accepted);
    let all_counts = TableReceipt { replaced: 1, cancelled: 2, superseded: 3, waiting: 4, ..table("VoixCandidat") };
    let births = TableReceipt { new: 2, duplicate: 1, ..table("ActeNaissance") };
    let results = TableReceipt { new: 2, ..table("ResultatBureau") };
    let flags = vec![
        flag("turnout", false, 1, "Emargements 430 (430) <= Inscrits 400 (400)", 1),
        flag("registered", true, 2, "Emargements 430 (430) <= BureauVote.Inscrits ? (?)", 101),
    ];
    let arithmetic = "Emargements 430 (430) <= BureauVote.Inscrits 400 + allowance 5 (405)";
    let check = Hold { code: HoldCode::Check, checks: vec![flag("turnout", false, 1, arithmetic, 1)] };
    let approval = Hold { code: HoldCode::Approval, checks: Vec::new() };
    let unread = Refusal::new(RefusalCode::PayloadMalformed).with("expected", "UTF-8").with("line", 1);
    let unread = Receipt {
        letter: None,
        sequence: None,
        attempt: u16::MAX,
        account: AccountReceipt { cost: 0, balance: 0, currency: "XAF".to_owned() },
        highest_sequence: 0,
        skew_seconds: None,
        ..refused(unread, Remedy::Mend)
    };
    let fault = |row, column: Option<&str>, rule: &str, expected: &str| RowFault {
        table: "ActeNaissance".to_owned(),
        row,
        column: column.map(str::to_owned),
        rule: rule.to_owned(),
        expected: expected.to_owned(),
    };
    let faults = Refusal {
        faults: vec![fault(1, Some("DateActe"), "type", "a date YYYY-MM-DD"), fault(2, None, "conflict", "")],
        faults_total: 102,
        ..Refusal::new(RefusalCode::RowsInvalid)
    };
    vec![
        ("receipt/accepted", answer(accepted())),
        ("receipt/after_a_restore", answer(Receipt { epoch: 2, ..accepted() })),
        ("receipt/rows", answer(Receipt { rows: vec![births, all_counts], ..accepted() })),
        ("receipt/flags", answer(Receipt { rows: vec![results], flags, ..accepted() })),
        (
            "receipt/read",
            answer(Receipt { read: Some(ReadReceipt { acts: 120, parts: 2, bytes: 8123 }), ..accepted() }),
        ),
        ("receipt/held_by_a_check", answer(Receipt { hold: Some(check), ..receipt(Verdict::Held) })),
        (
            "receipt/held_for_approval",
            answer(Receipt {
                hold: Some(approval),
                rows: vec![TableReceipt { waiting: 1, ..table("VoixCandidat") }],
                ..receipt(Verdict::Held)
            }),
        ),
        ("receipt/unread", Answer { to: to(None), ..answer(unread) }),
        ("receipt/faults", answer(refused(faults, Remedy::Mend))),
    ]
}

fn entry(at: &str, kind: EntryKind, amount: i64, balance: i64) -> StatementEntry {
    StatementEntry { at: time(at), kind, amount, balance, letter: None, note: None }
}

/// The entry of a letter that was charged. It is the first entry of every statement in these tests that has entries.
pub fn charged(balance: i64) -> StatementEntry {
    let entry = entry("2026-11-02T08:15:10Z", EntryKind::Letter, -200, balance);
    StatementEntry { letter: Some(uuid(LETTER)), ..entry }
}

/// The entry of an operator's credit.
pub fn credited(balance: i64) -> StatementEntry {
    let entry = entry("2026-11-03T09:00:00Z", EntryKind::Recharge, 1000, balance);
    StatementEntry { note: some("reçu 7"), ..entry }
}

pub fn statement(to: &str, entries: Vec<StatementEntry>) -> Statement {
    Statement {
        from: "2026-11-01".parse().unwrap(),
        to: to.parse().unwrap(),
        currency: "XAF".to_owned(),
        opening: 0,
        closing: 0,
        credit_limit: 0,
        entries_total: u32::try_from(entries.len()).unwrap(),
        entries,
    }
}

fn bodies() -> Vec<(&'static str, Answer)> {
    let with = |part, parts, content| {
        let body = Some(AnswerBody { part, parts, content });
        Answer { body, ..answer(receipt(Verdict::Accepted)) }
    };
    let alone = |content| with(1, 1, content);
    let entries = vec![
        charged(-300),
        credited(700),
        entry("2026-11-04T09:00:00Z", EntryKind::Voucher, 500, 1200),
        StatementEntry { note: some("imprimés"), ..entry("2026-11-05T09:00:00Z", EntryKind::Manual, -2000, -800) },
        entry("2026-11-06T09:00:00Z", EntryKind::Reversal, 500, -300),
    ];
    let moved = Statement { opening: -100, closing: -300, credit_limit: 500, ..statement("2026-11-30", entries) };
    let profile = || Profile::new("Mairie", "", "", "");
    let change = ProfileChange {
        name: some("Mairie d'Édéa"),
        town: some(""),
        telephone: some("222 22 22 22"),
        email: some("edea@example.org"),
    };
    let all = Profile { waiting: Some(change), ..Profile::new("Mairie", "Édéa", "222", "mairie@example.org") };
    let town = ProfileChange { town: some("Édéa"), ..ProfileChange::default() };
    let name = ProfileChange { name: some("Mairie II"), ..ProfileChange::default() };
    let issued = || IssuedCertificate { certificate: DER_BASE64.to_owned() };
    vec![
        ("account/two_of_three", with(2, 3, AnswerContent::Statement(moved))),
        ("account/none", alone(AnswerContent::Statement(statement("2026-11-01", Vec::new())))),
        ("profile/least", alone(AnswerContent::Profile(profile()))),
        ("profile/all", alone(AnswerContent::Profile(all))),
        ("profile/waiting", alone(AnswerContent::Profile(Profile { waiting: Some(town), ..profile() }))),
        ("profile/waiting_name", alone(AnswerContent::Profile(Profile { waiting: Some(name), ..profile() }))),
        ("renew/certificate", alone(AnswerContent::Renewed(issued()))),
        ("enrol/certificate", alone(AnswerContent::Enrolled(issued()))),
    ]
}

/// The path of every vector below the folder `answers`, and the answer that must be read from it.
pub fn expected() -> Vec<(String, Answer)> {
    let own = receipts().into_iter().chain(bodies()).map(|(path, answer)| (path.to_owned(), answer));
    own.chain(refusals::expected()).collect()
}

#[test]
fn each_answer_is_read_as_it_is_meant_and_written_as_it_was() {
    let expected = expected();
    assert_complete("answers", &expected);
    for (path, answer) in expected {
        let octets = vector(&format!("answers/{path}.json"));
        let read = read_answer(&octets, &PayloadLimits::default()).unwrap_or_else(|wrong| panic!("{path}: {wrong}"));
        assert!(read == answer, "{path} is read as another answer: {read:?}");
        let written = write_answer(&answer, PayloadForm::Json);
        assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&octets), "{path}");
        let read = read_centre_letter(&octets, &PayloadLimits::default()).unwrap();
        assert!(read == CentreLetter::Answer(answer), "{path}");
    }
}
