//! What agencies remember of everything that they sent. The oracle compares the database with it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use mail::extract::{MailLimits, extract};
use mail::smtp::Outgoing;
use sdc::digest::Digest;
use sdc::refusal::RefusalCode;
use sdc::request::Records;
use serde_json::Value;
use uuid::Uuid;

/// What must become of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Its rows are in the tables, and it is charged.
    Accepted {
        /// The rows.
        rows: Vec<RowMemory>,
        /// What it costs, in minor units.
        cost: i64,
    },
    /// It is refused, and in quarantine.
    Refused(RefusalCode),
}

/// One row of an accepted letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowMemory {
    /// Application and table, such as `ecr.ActeNaissance`.
    pub table: &'static str,
    /// The sender's number.
    pub numero: i64,
    /// SHA-256 of its values, see `content`.
    pub content: Digest,
}

/// A receipt that its office believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptMemory {
    /// Why it refuses, or nothing where it accepts.
    pub refusal: Option<RefusalCode>,
    /// New rows that it tells of.
    pub rows: u64,
    /// What it says that the letter cost.
    pub cost: i64,
    /// The highest number that it says the centre has seen of the installation.
    pub highest_sequence: u64,
}

/// One letter, however often it was sent.
#[derive(Clone, Debug)]
pub struct LetterMemory {
    /// Who signed it; `None` where no registered key did, or where the centre cannot tell.
    pub signer: Option<i32>,
    /// SHA-256 of the signed octets, where there is a signer.
    pub digest: Option<Digest>,
    /// Its id as sent.
    pub letter_id: Uuid,
    /// Its number as sent.
    pub sequence: u64,
    /// What must become of it.
    pub expected: Expected,
    /// SHA-256 of the container of each copy that was written; nothing where the mail has none.
    pub containers: Vec<Digest>,
    /// Message-ID of its first mail.
    pub message_id: String,
    /// Mails that the relay has taken.
    pub copies: u64,
    /// When its first mail was handed to the relay.
    pub sent_at: Option<DateTime<Utc>>,
    /// The receipt.
    pub receipt: Option<ReceiptMemory>,
    /// Receipts that came, the same one again included.
    pub receipts: u64,
}

/// Everything that was sent, and what came back.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Every letter.
    pub letters: Vec<LetterMemory>,
    /// Credits of each agency before the first letter, in minor units.
    pub recharged: HashMap<i32, i64>,
    /// Answers that no office believed, with the reason; the first hundred.
    pub unbelieved: Vec<String>,
    /// How many answers no office believed.
    pub unbelieved_total: u64,
    /// Place in `letters` of the letter that was sent when all others were settled.
    pub alone: Option<usize>,
}

/// Most reasons kept in `unbelieved`.
const UNBELIEVED_MAX: usize = 100;

impl Memory {
    /// Returns how many mails were sent.
    pub fn mails(&self) -> u64 {
        self.letters.iter().map(|letter| letter.copies).sum()
    }

    /// Notes an answer that its office does not believe.
    pub fn disbelieve(&mut self, reason: String) {
        self.unbelieved_total += 1;
        if self.unbelieved.len() < UNBELIEVED_MAX {
            self.unbelieved.push(reason);
        }
    }
}

impl LetterMemory {
    /// Says whether its sender is verified, and so must have a receipt.
    pub fn is_answered(&self) -> bool {
        match self.expected {
            Expected::Accepted { .. } => true,
            Expected::Refused(code) => code.is_answered(),
        }
    }
}

/// Returns the digest of the container in a mail, as the centre cuts it out.
pub fn container(mail: &Outgoing) -> Option<Digest> {
    let mail = extract(&mail.render().ok()?, &MailLimits::default()).ok()?;
    mail.containers.first().map(|container| Digest::of(container))
}

/// Returns the rows of a letter as memory keeps them. Tables that are not of the samples have none.
pub fn rows(records: &Records) -> Vec<RowMemory> {
    let mut rows = Vec::new();
    for table in &records.tables {
        let Some(name) = table_name(&records.application, &table.table) else { continue };
        let numero = table.columns.iter().position(|column| column == "Numero");
        let mut order: Vec<(&str, Option<usize>)> =
            table.columns.iter().enumerate().map(|(at, column)| (column.as_str(), Some(at))).collect();
        order.retain(|(_, at)| *at != numero);
        let is_silent = |column: &&&str| !table.columns.iter().any(|sent| sent == **column);
        order.extend(filled_in(name).iter().filter(is_silent).map(|column| (*column, None)));
        order.sort_unstable();
        for row in 0..table.row_count() {
            let values = order.iter().filter_map(|&(column, at)| match at {
                Some(at) => Some((column, text(table.values.get(at)?.get(row)?)?)),
                None => Some((column, PRECISION_USUAL.to_owned())),
            });
            let numero = numero.and_then(|at| table.values[at][row].as_i64()).unwrap_or_default();
            rows.push(RowMemory { table: name, numero, content: content(values) });
        }
    }
    rows
}

/// The tables that the demo's agencies write to.
const TABLES: [&str; 5] =
    ["ecr.ActeNaissance", "ecr.ActeMariage", "ecr.ActeDeces", "election.ResultatBureau", "election.VoixCandidat"];

/// How precise a date of birth is where its letter does not say so.
const PRECISION_USUAL: &str = "jour";

/// Returns the columns that a table fills in with [`PRECISION_USUAL`] where a letter is silent.
fn filled_in(table: &str) -> &'static [&'static str] {
    match table {
        "ecr.ActeNaissance" => &["DateNaissancePrecision", "DateNaissancePerePrecision", "DateNaissanceMerePrecision"],
        "ecr.ActeMariage" => &["DateNaissanceEpouxPrecision", "DateNaissanceEpousePrecision"],
        "ecr.ActeDeces" => &["DateNaissancePrecision"],
        _ => &[],
    }
}

fn table_name(application: &str, table: &str) -> Option<&'static str> {
    TABLES.into_iter().find(|name| name.split_once('.') == Some((application, table)))
}

/// Digests the values of a row that are not null, as PostgreSQL writes them, in the order of the columns' names.
fn content<'a>(values: impl Iterator<Item = (&'a str, String)>) -> Digest {
    let text: Vec<String> = values.map(|(name, value)| format!("{name}={value}")).collect();
    Digest::of(text.join("\u{1f}").as_bytes())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
