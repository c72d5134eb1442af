//! The answers to a letter: receipts by attempt and parts by number. Each is kept once. A receipt or part that comes again is compared with
//! the first one.

use std::collections::BTreeMap;

use sdc::answer::part::PartContent;
use sdc::answer::profile::Profile;
use sdc::answer::receipt::{Receipt, Verdict};
use sdc::answer::results::KeyResult;
use sdc::answer::rows::{Estimate, Rows};
use sdc::answer::statement::Statement;
use sdc::answer::{AnswerBody, AnswerContent};
use sdc::digest::Digest;
use sdc::refusal::RefusalCode;
use serde_json::Value;

use super::rows::{content, table_name};

/// A receipt that its office has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptMemory {
    /// Whether the receipt says that the letter is held for an operator.
    pub is_held: bool,
    /// The code with which the receipt refuses the letter; none where the letter is not refused.
    pub refusal: Option<RefusalCode>,
    /// The number of new rows that the receipt reports.
    pub rows: u64,
    /// The number of records that the receipt reports as replaced or cancelled.
    pub corrected: u64,
    /// The number of corrections that the receipt reports as superseded by a later correction.
    pub superseded: u64,
    /// The number of corrections that the receipt reports as waiting for an operator.
    pub waiting: u64,
    /// The numbers of acts and of parts that the receipt announces, where the letter asked for records.
    pub read: Option<(u64, u16)>,
    /// The price that the receipt reports, in minor units of money.
    pub cost: i64,
    /// The balance of the account that the receipt reports, in minor units of money.
    pub balance: i64,
    /// The highest sequence number of this installation that the receipt reports as received.
    pub highest_sequence: u64,
}

/// All answers to one letter.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// The receipts, by the number of the attempt at which the centre settled the letter.
    pub receipts: BTreeMap<u16, ReceiptMemory>,
    /// Number of receipts that came again with the same content.
    pub repeated: u64,
    /// The parts of the answer, by their numbers.
    pub parts: BTreeMap<u16, PartMemory>,
    /// The total number of parts, where each part comes with a receipt of its own.
    pub parts_total: Option<u16>,
    /// The tick at which the answers became complete, because the last missing one was verified.
    pub verified: Option<u64>,
}

/// A part of an answer.
#[derive(Clone, Debug)]
pub struct PartMemory {
    /// SHA-256 of the part's content.
    pub digest: Digest,
    /// Number of times that the part came.
    pub times: u64,
    /// The content of the part.
    pub given: Given,
}

/// The content of a part.
#[derive(Clone, Debug)]
pub enum Given {
    /// Records of one table.
    Rows {
        /// Application and table, such as `ecr.ActeDeces`; none where the table is not one of the samples'.
        table: Option<&'static str>,
        /// The records of this part.
        rows: Vec<GivenRow>,
        /// The position that a later import of the changes starts from, where one is given.
        position: Option<String>,
    },
    /// The number and size of the records that a selection would give.
    Estimate(Estimate),
    /// The results of comparing papers.
    Results {
        /// The index, from 1, of the paper that the first result is about.
        first: u32,
        /// The results in the order of the papers, each with the digest of the record if the answer gives the record.
        results: Vec<(KeyResult, Option<Digest>)>,
    },
    /// A statement of the agency's account.
    Statement(Statement),
    /// The agency's own data.
    Profile(Profile),
    /// A registered certificate, in base64.
    Certificate(String),
}

/// A record that the centre gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenRow {
    /// The agency and installation that sent the record, and the record's number in that installation; none where the selection leaves
    /// these columns out.
    pub origin: Option<(i32, String, i64)>,
    /// The register number; none where the record is no act.
    pub number: Option<i64>,
    /// SHA-256 of the record's values, computed as for records that were sent.
    pub content: Digest,
}

impl ReceiptMemory {
    /// Takes the relevant fields out of a receipt.
    pub fn of(receipt: &Receipt) -> ReceiptMemory {
        let sum = |count: fn(&sdc::answer::receipt::TableReceipt) -> u32| {
            receipt.rows.iter().map(|table| u64::from(count(table))).sum()
        };
        ReceiptMemory {
            is_held: receipt.verdict == Verdict::Held,
            refusal: receipt.refusal.as_ref().map(|refusal| refusal.code),
            rows: sum(|table| table.new),
            corrected: sum(|table| table.replaced + table.cancelled),
            superseded: sum(|table| table.superseded),
            waiting: sum(|table| table.waiting),
            read: receipt.read.map(|read| (read.acts, read.parts)),
            cost: receipt.account.cost,
            balance: receipt.account.balance,
            highest_sequence: receipt.highest_sequence,
        }
    }
}

impl Answers {
    /// Returns the receipt of the highest attempt; none while this receipt says that the letter is held.
    pub fn decided(&self) -> Option<&ReceiptMemory> {
        self.receipts.values().next_back().filter(|receipt| !receipt.is_held)
    }

    /// Says whether all parts from 1 to `parts` have come.
    pub fn has_parts(&self, parts: u16) -> bool {
        (1..=parts).all(|part| self.parts.contains_key(&part))
    }

    /// Stores a part. Returns false where the same part came before with other content.
    pub fn add(&mut self, number: u16, digest: Digest, given: impl FnOnce() -> Given) -> bool {
        let known = self.parts.entry(number).or_insert_with(|| PartMemory { digest, times: 0, given: given() });
        known.times += 1;
        known.digest == digest
    }
}

impl Given {
    /// Returns what a part of an answer gives: rows or an estimate of an import, or the results of comparing papers.
    pub fn of_part(part: &PartContent) -> Given {
        match part {
            PartContent::Rows(rows) => Given::of_rows(rows),
            PartContent::Estimate(estimate) => Given::Estimate(estimate.clone()),
            PartContent::Results(results) => {
                let digest = |record: &Vec<Value>| {
                    let names = results.columns.iter().map(String::as_str);
                    content(&names.zip(record).collect::<Vec<_>>())
                };
                let kept = |result: &KeyResult| {
                    let bare = KeyResult { record: None, ..result.clone() };
                    (bare, result.record.as_ref().map(digest))
                };
                Given::Results { first: results.first, results: results.results.iter().map(kept).collect() }
            }
        }
    }

    /// Returns the content of an answer that comes together with its receipt.
    pub fn of_body(body: &AnswerBody) -> Given {
        match &body.content {
            AnswerContent::Statement(statement) => Given::Statement(statement.clone()),
            AnswerContent::Profile(profile) => Given::Profile(profile.clone()),
            AnswerContent::Renewed(issued) | AnswerContent::Enrolled(issued) => {
                Given::Certificate(issued.certificate.clone())
            }
        }
    }

    fn of_rows(rows: &Rows) -> Given {
        let place = |name: &str| rows.columns.iter().position(|column| column == name);
        let origin_of = [place("xm_agency"), place("xm_installation"), place("xm_numero")];
        let number_of = place("NumeroActe");
        let row = |at: usize| {
            let cell = |place: Option<usize>| rows.values.get(place?).and_then(|values| values.get(at));
            let integer = |place| cell(place).and_then(Value::as_i64);
            let [agency, installation, numero] = origin_of;
            let agency = integer(agency).and_then(|agency| i32::try_from(agency).ok());
            let installation = cell(installation).and_then(Value::as_str).map(str::to_owned);
            let origin = agency.zip(installation).zip(integer(numero));
            let cells: Vec<(&str, &Value)> = rows
                .columns
                .iter()
                .zip(&rows.values)
                .filter_map(|(column, values)| Some((column.as_str(), values.get(at)?)))
                .collect();
            GivenRow {
                origin: origin.map(|((agency, installation), numero)| (agency, installation, numero)),
                number: integer(number_of),
                content: content(&cells),
            }
        };
        Given::Rows {
            table: table_name(&rows.application, &rows.table),
            rows: (0..rows.row_count()).map(row).collect(),
            position: rows.position.clone(),
        }
    }
}
