//! The database's contents for the one agency of [`super::world`].

use agency::identity::Identity;
use chrono::Utc;
use serde_json::json;
use uuid::Uuid;

use super::world::*;
use crate::memory::*;
use crate::oracle::held::*;
use crate::rules::{BIRTHS, DEATHS, INSTALLATION};

/// The ledger of the agency: its opening credit, then charges for a birth, a death, a correction and compared papers, and after the
/// statement the credit of a voucher.
pub fn books(memory: &Memory) -> Vec<HeldEntry> {
    let mut balance = 0;
    let mut entry = |kind: &str, letter: Option<usize>, amount: i64, note: &str| {
        balance += amount;
        let letter_id = letter.map(|letter| memory.letters[letter].letter_id);
        let (kind, note) = (kind.to_owned(), note.to_owned());
        HeldEntry { agency: AGENCY, kind, letter_id, amount, balance_after: balance, note }
    };
    vec![
        entry("recharge", None, CREDIT, "opening credit"),
        entry("letter", Some(GOOD), -COST, ""),
        entry("letter", Some(DEATH), -COST, ""),
        entry("letter", Some(CORRECTION), -50, ""),
        entry("letter", Some(PAPERS), -60, ""),
        entry("voucher", None, VOUCHER, "1-1"),
    ]
}

pub fn held(memory: &Memory, next: &Identity) -> Held {
    let id = |at: usize| memory.letters[at].letter_id;
    let name = |at: usize| memory.letters[at].message_id.trim_end_matches("@example.org").to_owned();
    let known = || (0..memory.letters.len()).filter(|at| *at != STRANGER);
    let outcome = |at: usize| memory.letters[at].expected.refusal().map_or("accepted", |code| code.as_str()).to_owned();
    let line = |at: usize, outcome: &str| HeldLine {
        digest: octets(&name(at)),
        outcome: outcome.to_owned(),
        posted_at: Utc::now(),
        container: memory.letters[at].expected.effect().map(|_| octets(&format!("{}, sealed", name(at)))),
    };
    let mut journal: Vec<HeldLine> = known().map(|at| line(at, &outcome(at))).collect();
    journal.push(line(GOOD, "duplicate"));
    journal.push(line(DECIDED, "held"));
    let case = |at: usize| HeldCase {
        reason: outcome(at),
        container: octets(&format!("{}, sealed", name(at))),
        is_whole: true,
        message_id: None,
    };
    let row = |table: &str, letter: usize, content: &str| HeldRow {
        table: table.to_owned(),
        agency: AGENCY,
        numero: 1,
        letter: id(letter),
        installation: INSTALLATION.to_owned(),
        sequence: i64::try_from(memory.letters[letter].sequence).unwrap(),
        content: octets(content),
    };
    let message = |id: Uuid, installation: Option<&str>, text: &str| HeldMessage {
        agency: AGENCY,
        id,
        thread: memory.letters[QUESTION].letter_id,
        installation: installation.map(str::to_owned),
        text: text.to_owned(),
    };
    Held {
        verdicts: known()
            .map(|at| HeldVerdict { agency: AGENCY, digest: octets(&name(at)), verdict: outcome(at) })
            .collect(),
        rows: vec![row(BIRTHS, GOOD, "row"), row(DEATHS, CORRECTION, "death, corrected")],
        history: history(memory),
        entries: books(memory),
        vouchers: vec![HeldVoucher { agency: AGENCY, letter_id: id(CREDITED), amount: VOUCHER, batch: 1, number: 1 }],
        messages: vec![message(id(QUESTION), Some(INSTALLATION), "?"), message(Uuid::now_v7(), None, "!")],
        notices: notices(memory),
        installations: vec![HeldInstallation { agency: AGENCY, name: INSTALLATION.to_owned(), seen: 1 }],
        certificates: certificates(next),
        profiles: vec![profile()],
        quarantine: vec![case(BAD), case(STRANGER), case(DECIDED)],
        journal,
        balances: vec![HeldBalance { agency: AGENCY, balance: CREDIT - 2 * COST - 50 - 60 + VOUCHER }],
        ledger_difference: 0,
    }
}

/// Makes the history of the corrected death: the version that the correction replaced, and the correction that came too late.
fn history(memory: &Memory) -> Vec<HeldHistory> {
    let before = json!({ "Status": 2, "Numero": 77, "xm_agency": 7 });
    let id = |at: usize| memory.letters[at].letter_id;
    [(CORRECTION, DEATH, false), (LATE, CORRECTION, true)]
        .map(|(by, letter, is_superseded)| HeldHistory {
            table: DEATHS.to_owned(),
            agency: AGENCY,
            numero: 1,
            letter: id(letter),
            replaced_by: id(by),
            action: "replace".to_owned(),
            is_superseded,
            content: before.clone(),
        })
        .to_vec()
}

fn notices(memory: &Memory) -> Vec<HeldNotice> {
    let notice = |notice: &NoticeMemory| HeldNotice {
        agency: AGENCY,
        installation: INSTALLATION.to_owned(),
        number: i64::try_from(notice.number).unwrap(),
        id: notice.id,
        kind: if notice.number == 1 { "message" } else { "profile" }.to_owned(),
    };
    memory.notices.iter().map(notice).collect()
}

/// Makes the register: the agency's first key, and the key that it renewed its certificate with.
fn certificates(next: &Identity) -> Vec<HeldCertificate> {
    let key = next.certificate().spki_sha256().as_bytes().to_vec();
    vec![
        HeldCertificate { agency: AGENCY, key: octets("key"), der: b"old".to_vec() },
        HeldCertificate { agency: AGENCY, key, der: next.certificate().der().to_vec() },
    ]
}

fn profile() -> HeldProfile {
    HeldProfile {
        agency: AGENCY,
        name: "Mairie".to_owned(),
        town: "Édéa".to_owned(),
        telephone: "222".to_owned(),
        email: "mairie@example.org".to_owned(),
    }
}
