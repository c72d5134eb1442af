//! Sample data for the micro-benchmarks: keys of each kind, letters with acts of birth, and the answer to a letter.

#![expect(clippy::expect_used, reason = "a benchmark that cannot get its sample ends at once")]

use std::fmt;

use agency::identity::{Algorithm, Identity};
use chrono::Utc;
use sdc::answer::receipt::{AccountReceipt, Receipt, TableReceipt, Verdict};
use sdc::answer::{Addressee, Answer};
use sdc::digest::Digest;
use sdc::letter::{FORMAT_VERSION, Letter, Matricule, Mode, Office};
use sdc::request::Request;
use simulation::dice::Dice;
use simulation::records::Register;
use uuid::Uuid;

/// The kind of a key. Its text is the name under which the benchmark prints figures.
#[derive(Clone, Copy, Debug)]
pub enum KeyKind {
    /// EC on P-256.
    P256,
    /// EC on P-384.
    P384,
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyKind::P256 => "P-256",
            KeyKind::P384 => "P-384",
            KeyKind::Rsa2048 => "RSA-2048",
        })
    }
}

impl KeyKind {
    /// Makes a key with its certificate.
    pub fn identity(self) -> Identity {
        let algorithm = match self {
            KeyKind::P256 => Algorithm::P256,
            KeyKind::P384 => Algorithm::P384,
            KeyKind::Rsa2048 => Algorithm::Rsa2048,
        };
        Identity::generate("bench", algorithm).expect("a key can be made")
    }
}

/// Makes a letter of the agency with `acts` acts of birth, each with 21 columns.
pub fn births(agency: u32, sequence: u64, acts: usize) -> Letter {
    let mut register = Register::new(&centre_code(agency));
    let mut dice = Dice::of(sequence, u64::from(agency));
    let mut records = register.births(acts, &mut dice);
    // Every letter gets a new register, which numbers its acts from 1, so acts of different letters would have the same numbers, and the
    // centre would take them for the same acts. So the acts of each letter are numbered anew, from 10 000 times its sequence number.
    let first = sequence * 10_000;
    for (table, column) in [("Numero", first), ("NumeroActe", first)] {
        let acts = &mut records.tables[0];
        if let Some(at) = acts.columns.iter().position(|name| name == table) {
            acts.values[at] = (column..).take(acts.row_count()).map(serde_json::Value::from).collect();
        }
    }
    Letter {
        sdc: FORMAT_VERSION,
        id: Uuid::now_v7(),
        from: Office { agency: matricule(agency), installation: "pc1".to_owned() },
        to: "centre".to_owned(),
        sequence,
        time: Utc::now(),
        mode: Mode::Live,
        seen: None,
        request: Request::Export(records),
    }
}

/// Returns the code of the agency's registry office, which its records must contain.
pub fn centre_code(agency: u32) -> String {
    format!("CE-{agency:06}")
}

/// Makes the answer to a letter that was accepted.
pub fn answer(letter: &Letter) -> Answer {
    let rows = vec![TableReceipt { table: "ActeNaissance".to_owned(), new: 1, ..TableReceipt::default() }];
    Answer {
        sdc: FORMAT_VERSION,
        id: Uuid::now_v7(),
        from: letter.to.clone(),
        to: Addressee { agency: letter.from.agency, installation: Some(letter.from.installation.clone()) },
        time: Utc::now(),
        mode: letter.mode,
        receipt: Receipt {
            letter: Some(letter.id),
            digest: Digest::of(letter.id.as_bytes()).to_string(),
            sequence: Some(letter.sequence),
            attempt: 1,
            epoch: 1,
            verdict: Verdict::Accepted,
            refusal: None,
            remedy: None,
            hold: None,
            rows,
            flags: Vec::new(),
            read: None,
            account: AccountReceipt { cost: 100, balance: -100, currency: "XAF".to_owned() },
            highest_sequence: letter.sequence,
            received: Utc::now(),
            skew_seconds: Some(-30),
        },
        body: None,
    }
}

fn matricule(agency: u32) -> Matricule {
    agency.try_into().expect("a matricule")
}
