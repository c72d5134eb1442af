//! A memory and a database for the tests: one agency that has used every service, and a centre that has done everything right.

use std::collections::{BTreeMap, HashMap};

use agency::identity::{Algorithm, Identity};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{NaiveDate, Utc};
use sdc::answer::profile::Profile;
use sdc::answer::results::{Found, KeyResult};
use sdc::answer::rows::Estimate;
use sdc::answer::statement::{EntryKind, Statement, StatementEntry};
use sdc::digest::Digest;
use sdc::refusal::RefusalCode;
use sdc::request::ProfileChange;
use sdc::service::Service;
use serde_json::json;
use uuid::Uuid;

use super::centre::{books, held};
use crate::memory::rows::{content, number_and_name};
use crate::memory::*;
use crate::oracle::held::*;
use crate::rules::INSTALLATION;
use crate::rules::{BIRTHS, DEATHS};

pub const AGENCY: i32 = 7;
pub const CREDIT: i64 = 1000;
pub const COST: i64 = 100;
pub const VOUCHER: i64 = 500;

/// The indices of the letters in memory.
pub const GOOD: usize = 0;
pub const BAD: usize = 1;
pub const STRANGER: usize = 2;
pub const DEATH: usize = 3;
pub const CORRECTION: usize = 4;
pub const READ: usize = 5;
pub const PAPERS: usize = 6;
pub const STATEMENT: usize = 7;
pub const CREDITED: usize = 8;
pub const QUESTION: usize = 9;
pub const CHANGE: usize = 10;
pub const RENEWAL: usize = 11;
pub const ESTIMATE: usize = 12;
pub const AGAIN: usize = 13;
pub const BRIEF: usize = 14;
pub const LATE: usize = 15;
pub const DECIDED: usize = 16;
pub const SINCE: usize = 17;

pub fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

pub fn octets(text: &str) -> Vec<u8> {
    digest(text).as_bytes().to_vec()
}

pub fn receipt(cost: i64) -> ReceiptMemory {
    ReceiptMemory {
        is_held: false,
        refusal: None,
        rows: 0,
        corrected: 0,
        superseded: 0,
        waiting: 0,
        read: None,
        cost,
        balance: 0,
        highest_sequence: 100,
    }
}

/// Makes a letter that was sent at tick `2 * sent`. If `said` has a receipt, the letter was answered one tick later.
pub fn letter(
    name: &str,
    sent: u64,
    service: Service,
    expected: Expected,
    said: Option<ReceiptMemory>,
) -> LetterMemory {
    let is_known = said.is_some();
    let mut answers = Answers::default();
    if let Some(said) = said {
        answers.receipts.insert(1, said);
        answers.verified = Some(2 * sent + 1);
    }
    LetterMemory {
        signer: is_known.then_some(AGENCY),
        installation: INSTALLATION.to_owned(),
        service: Some(service),
        digest: is_known.then(|| digest(name)),
        letter_id: Uuid::now_v7(),
        sequence: sent + 1,
        seen: None,
        containers: vec![digest(&format!("{name}, sealed"))],
        expected,
        message_id: format!("{name}@example.org"),
        copies: 1,
        acknowledged: 1,
        sent_at: Some(Utc::now()),
        sent: 2 * sent,
        answers,
    }
}

pub fn part(given: Given) -> PartMemory {
    PartMemory { digest: digest("part"), times: 1, given }
}

fn accepted(effect: Effect, cost: i64) -> Expected {
    Expected::Accepted { effect, cost }
}

fn row(table: &'static str, content: &str, name: &str) -> Effect {
    let act = Some(ActMemory { number: 1, name: name.to_owned() });
    Effect::Rows(vec![RowMemory { table, numero: 1, content: digest(content), act }])
}

pub fn wanted(table: &'static str) -> Wanted {
    Wanted {
        table,
        of: AGENCY,
        numbers: None,
        name_prefix: None,
        is_brief: false,
        limit: None,
        since: None,
        per_act: 0,
    }
}

pub fn given_row(content: &str) -> GivenRow {
    GivenRow { origin: Some((AGENCY, INSTALLATION.to_owned(), 1)), number: Some(1), content: digest(content) }
}

pub fn given_rows(rows: Vec<GivenRow>) -> Given {
    Given::Rows { table: Some(DEATHS), rows, position: None }
}

fn brief_rows() -> Given {
    let act = ActMemory { number: 1, name: "Koné".to_owned() };
    given_rows(vec![GivenRow { origin: None, number: Some(1), content: number_and_name(DEATHS, &act) }])
}

fn estimate() -> Given {
    Given::Estimate(Estimate { rows: 1, parts: 1, bytes: 800, price: 10, currency: "XAF".to_owned() })
}

pub fn papers() -> Vec<Paper> {
    let paper = |number, name: &str| Paper { of: AGENCY, number, name: Some(name.to_owned()) };
    vec![paper(1, "Abena"), paper(1, "Personne"), paper(9, "Personne")]
}

fn results() -> Given {
    let differs = KeyResult { columns: vec!["NomEnfant".to_owned()], ..KeyResult::new(Found::Differs) };
    let results = [KeyResult::new(Found::Match), differs, KeyResult::new(Found::NotFound)];
    Given::Results { first: 1, results: results.map(|result| (result, None)).to_vec() }
}

fn statement(memory: &Memory) -> Statement {
    let day = NaiveDate::from_ymd_opt(2026, 11, 1).unwrap();
    let entries: Vec<StatementEntry> = books(memory)[..5]
        .iter()
        .map(|entry| StatementEntry {
            at: Utc::now(),
            kind: if entry.kind == "letter" { EntryKind::Letter } else { EntryKind::Recharge },
            amount: entry.amount,
            balance: entry.balance_after,
            letter: entry.letter_id,
            note: None,
        })
        .collect();
    Statement {
        from: day,
        to: day,
        currency: "XAF".to_owned(),
        opening: 0,
        closing: 690,
        credit_limit: 0,
        entries_total: 5,
        entries,
    }
}

fn profile() -> Profile {
    Profile::new("Mairie", "Édéa", "", "mairie@example.org")
}

/// Makes a memory and a database that agree.
pub fn world() -> (Memory, Held) {
    let next = Identity::generate("next", Algorithm::P256).unwrap();
    let key = next.certificate().spki_sha256();
    let change = ProfileChange { telephone: Some("222".to_owned()), ..ProfileChange::default() };
    let told = Profile { waiting: Some(change.clone()), ..profile() };
    let asked = Some(ProfileAsked { change, is_made: true });
    let mut letters = first_letters();
    letters.extend(later_letters(&told, asked, key));
    let (read, since) = (letters[READ].letter_id, Wanted { since: Some(letters[READ].letter_id), ..wanted(DEATHS) });
    letters[GOOD].copies = 2;
    letters[AGAIN].expected = accepted(Effect::Again { letter: read, parts: vec![1], times: 2 }, 0);
    letters[SINCE].expected = accepted(Effect::Read(since), 0);
    let held_first = ReceiptMemory { is_held: true, waiting: 1, ..receipt(0) };
    let decided = letters[DECIDED].answers.receipts.insert(1, held_first).unwrap();
    letters[DECIDED].answers.receipts.insert(2, decided);
    letters[QUESTION].seen = Some(1);
    let mut memory = Memory {
        letters,
        recharged: HashMap::from([(AGENCY, CREDIT)]),
        profiles: HashMap::from([(AGENCY, profile())]),
        keys: HashMap::from([(AGENCY, digest("key"))]),
        ..Memory::default()
    };
    let certificate = BASE64.encode(next.certificate().der());
    for (at, given) in [
        (READ, given_rows(vec![given_row("death, corrected")])),
        (PAPERS, results()),
        (STATEMENT, Given::Statement(statement(&memory))),
        (CHANGE, Given::Profile(told)),
        (RENEWAL, Given::Certificate(certificate)),
        (ESTIMATE, estimate()),
        (BRIEF, brief_rows()),
        (SINCE, given_rows(Vec::new())),
    ] {
        memory.letters[at].answers.parts = BTreeMap::from([(1, part(given))]);
        memory.letters[at].answers.parts_total = Some(1);
    }
    memory.letters[READ].answers.parts.get_mut(&1).unwrap().times = 2;
    let thread = memory.letters[QUESTION].letter_id;
    let message = Told::Message { thread, message: Uuid::now_v7(), text: "!".to_owned() };
    let made = Told::Profile { letter: memory.letters[CHANGE].letter_id, is_made: true, profile: profile() };
    memory.notices = (1..).zip([message, made]).map(|(number, told)| notice(number, told)).collect();
    let held = held(&memory, &next);
    (memory, held)
}

/// Writes the letters up to [`PAPERS`], each with its receipt: records, a correction, and what was read.
fn first_letters() -> Vec<LetterMemory> {
    let certified = Effect::Certified { table: BIRTHS, papers: papers(), gives_record: false };
    let one_row = |cost| Some(ReceiptMemory { rows: 1, ..receipt(cost) });
    let out_of_scope = ReceiptMemory { refusal: Some(RefusalCode::OutOfScope), ..receipt(0) };
    let read = ReceiptMemory { read: Some((1, 1)), ..receipt(0) };
    vec![
        letter("good", 0, Service::Export, accepted(row(BIRTHS, "row", "Abena"), COST), one_row(COST)),
        letter("bad", 1, Service::Export, Expected::Refused(RefusalCode::OutOfScope), Some(out_of_scope)),
        letter("stranger", 2, Service::Export, Expected::Refused(RefusalCode::UnknownSigner), None),
        letter("death", 3, Service::Export, accepted(row(DEATHS, "death", "Koné"), COST), one_row(COST)),
        letter(
            "correction",
            4,
            Service::Correct,
            accepted(Effect::Correction(corrected(false)), 50),
            Some(ReceiptMemory { corrected: 1, ..receipt(50) }),
        ),
        letter("read", 5, Service::Import, accepted(Effect::Read(wanted(DEATHS)), 0), Some(read)),
        letter(
            "papers",
            6,
            Service::Certify,
            accepted(certified, 60),
            Some(ReceiptMemory { read: Some((3, 1)), ..receipt(60) }),
        ),
    ]
}

/// Writes the letters from [`STATEMENT`] on, each with its receipt.
fn later_letters(told: &Profile, asked: Option<ProfileAsked>, key: Digest) -> Vec<LetterMemory> {
    let told = told.clone();
    let late = Effect::Correction(corrected(true));
    let question = Effect::Message { thread: None, text: "?".to_owned(), reply: Some("!".to_owned()) };
    let brief = Wanted { is_brief: true, limit: Some(5), name_prefix: Some("K".to_owned()), ..wanted(DEATHS) };
    let read = |rows| Some(ReceiptMemory { read: Some((rows, 1)), ..receipt(0) });
    let not_released = ReceiptMemory { refusal: Some(RefusalCode::HoldRefused), ..receipt(0) };
    vec![
        letter(
            "statement",
            7,
            Service::Account,
            accepted(Effect::Statement, 0),
            Some(ReceiptMemory { balance: 690, ..receipt(0) }),
        ),
        letter("credited", 8, Service::Recharge, accepted(Effect::Credit(VOUCHER), 0), Some(receipt(0))),
        letter("question", 9, Service::Message, accepted(question, 0), Some(receipt(0))),
        letter("change", 10, Service::Profile, accepted(Effect::Profile { told, asked }, 0), Some(receipt(0))),
        letter("renewal", 11, Service::Renew, accepted(Effect::Certificate { key }, 0), Some(receipt(0))),
        letter(
            "estimate",
            12,
            Service::Import,
            accepted(Effect::Estimated(Wanted { per_act: 10, ..wanted(DEATHS) }), 0),
            read(0),
        ),
        letter("again", 13, Service::Import, accepted(Effect::Statement, 0), read(0)),
        letter("brief", 14, Service::Import, accepted(Effect::Read(brief), 0), read(1)),
        letter("late", 15, Service::Correct, accepted(late, 0), Some(ReceiptMemory { superseded: 1, ..receipt(0) })),
        letter("decided", 16, Service::Correct, out_of_hold(), Some(not_released)),
        letter("since", 17, Service::Import, accepted(Effect::Statement, 0), read(0)),
    ]
}

fn corrected(is_superseded: bool) -> CorrectionMemory {
    CorrectionMemory {
        table: DEATHS,
        numero: 1,
        is_cancelled: false,
        content: digest("death, corrected"),
        is_superseded,
    }
}

fn out_of_hold() -> Expected {
    let changed = CorrectionMemory {
        table: DEATHS,
        numero: 1,
        is_cancelled: false,
        content: digest("never"),
        is_superseded: false,
    };
    Expected::Decided { effect: Effect::Correction(changed), cost: 70, is_released: false }
}

fn notice(number: u64, told: Told) -> NoticeMemory {
    let digest = digest("notice");
    NoticeMemory {
        agency: AGENCY,
        installation: INSTALLATION.to_owned(),
        number,
        id: Uuid::now_v7(),
        digest,
        times: 1,
        told,
    }
}

/// The digest of the death's values before its correction, computed from the values that the history keeps.
pub fn before_correction() -> Digest {
    content(&[("Status", &json!(2))])
}
