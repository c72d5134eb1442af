//! From rows to parts: bodies of JSON, packed as the letter was, each small enough for the office's link.
//!
//! Rows are packed many at a time, away from the threads that talk to PostgreSQL. How many go into a part is learnt from the part
//! before: what compresses well travels in fewer containers.

use serde_json::{Value, json};
use store::tables::definition::{Column, ColumnType};
use unicode_normalization::{UnicodeNormalization, is_nfc_quick};

use sdc::answer::part::PartHead;
use sdc::answer::sealed::{sealed_bytes, started_kb};
use sdc::payload::{PayloadForm, write_part};
use uuid::Uuid;

/// A row as it was read: a text for each column.
pub type Row = Vec<Option<String>>;

/// Most octets of a part's JSON: a reader takes 4 MiB, and holds it several times.
const JSON_BYTES_MAX: usize = 3 << 20;
/// Most cells of a part: a reader takes half a million values.
const CELLS_MAX: usize = 400_000;
/// Room that is left in a container for what is not rows.
const FRAME_BYTES: usize = 2_048;
/// What is hoped of compression before the first part tells.
const RATIO_FIRST: usize = 3;

/// How the parts of one answer are made.
#[derive(Clone)]
pub struct Packing {
    /// The head of every part, but for its id, number and mark.
    pub head: PartHead,
    /// The form of the letter.
    pub form: PayloadForm,
    /// The largest container that the office takes.
    pub container_bytes_max: usize,
    /// The kind of the key that it is sealed for.
    pub algorithm: &'static str,
}

/// A part, packed.
pub struct Packed {
    /// Its number.
    pub part: u16,
    /// What is signed.
    pub payload: Vec<u8>,
    /// The bytes of its container.
    pub bytes: usize,
}

impl Packed {
    /// Returns how many units of 1 024 bytes its container begins.
    pub fn started_kb(&self) -> usize {
        started_kb(self.bytes)
    }
}

impl Packing {
    /// Packs a body as one part, whatever its size.
    pub fn pack(&self, part: u16, last: bool, body: &[u8]) -> Packed {
        let head = PartHead { id: Uuid::now_v7(), part, last, ..self.head.clone() };
        let payload = write_part(&head, body, self.form);
        let bytes = sealed_bytes(payload.len(), self.algorithm);
        Packed { part, payload, bytes }
    }

    /// Says whether a part fits into a container that the office takes.
    pub fn fits(&self, packed: &Packed) -> bool {
        packed.bytes <= self.container_bytes_max
    }
}

/// The table that rows are of.
#[derive(Clone)]
pub struct Shape {
    /// The family of tables.
    pub application: String,
    /// The table's name.
    pub table: String,
    /// The columns of a row.
    pub columns: Vec<Column>,
}

/// How much of rows goes into a part.
#[derive(Clone, Copy)]
pub struct Measure {
    json_bytes: usize,
}

impl Measure {
    /// Begins with a guess.
    pub fn first(packing: &Packing) -> Measure {
        // Base64 in lines makes 4 octets and a little of 3.
        let payload = packing.container_bytes_max.saturating_sub(FRAME_BYTES) / 7 * 5;
        let ratio = if packing.form == PayloadForm::Json { 1 } else { RATIO_FIRST };
        Measure { json_bytes: bounded(payload.saturating_mul(ratio)) }
    }

    /// Says whether rows of so many octets and cells are enough for a part.
    pub fn is_full(self, json_bytes: usize, cells: usize) -> bool {
        json_bytes >= self.json_bytes || cells >= CELLS_MAX
    }

    /// Learns of a part how much JSON the next may have.
    fn learn(&mut self, json_bytes: usize, packed: &Packed, packing: &Packing) {
        let wanted = packing.container_bytes_max / 20 * 19;
        let next = json_bytes.saturating_mul(wanted) / packed.bytes.max(1);
        // By steps: a few rows with scans in them are no measure of those behind them.
        self.json_bytes = bounded(next.clamp(self.json_bytes / 4, self.json_bytes.saturating_mul(2)));
    }
}

fn bounded(json_bytes: usize) -> usize {
    json_bytes.clamp(1_024, JSON_BYTES_MAX)
}

/// Returns how many octets of JSON a row takes, about.
pub fn json_bytes(row: &Row) -> usize {
    row.iter().map(|cell| cell.as_ref().map_or(5, |cell| cell.len() + 3)).sum()
}

/// Packs rows into as few parts as fit, numbered from `first` on. The last of them is the last of the answer where `end` is told, and
/// bears the position that goes with the answer, if any.
pub fn pack_rows(
    packing: &Packing,
    shape: &Shape,
    measure: &mut Measure,
    rows: &[Row],
    first: u16,
    end: Option<Option<&str>>,
) -> Vec<Packed> {
    let mut packed = Vec::new();
    let mut waiting = vec![rows];
    while let Some(rows) = waiting.pop() {
        let is_end = waiting.is_empty() && end.is_some();
        let number = first.saturating_add(u16::try_from(packed.len()).unwrap_or(u16::MAX));
        let body = body(shape, rows, end.flatten().filter(|_| is_end));
        let part = packing.pack(number, is_end, &body);
        measure.learn(body.len(), &part, packing);
        if packing.fits(&part) || rows.len() < 2 {
            packed.push(part);
        } else {
            let (before, behind) = rows.split_at(rows.len() / 2);
            waiting.extend([behind, before]);
        }
    }
    packed
}

/// Writes the body of a part: the values of each column together.
fn body(shape: &Shape, rows: &[Row], position: Option<&str>) -> Vec<u8> {
    let names: Vec<&str> = shape.columns.iter().map(|column| column.name.as_str()).collect();
    let head = json!({ "application": shape.application, "table": shape.table, "columns": names });
    let mut text = head.to_string().into_bytes();
    text.pop();
    text.reserve(rows.iter().map(json_bytes).sum::<usize>() + 64);
    text.extend_from_slice(b",\"values\":[");
    for (at, column) in shape.columns.iter().enumerate() {
        text.extend_from_slice(if at == 0 { b"[" } else { b",[" });
        for (row, cells) in rows.iter().enumerate() {
            if row > 0 {
                text.push(b',');
            }
            write_cell(&mut text, column, cells.get(at).and_then(Option::as_deref));
        }
        text.push(b']');
    }
    text.push(b']');
    if let Some(position) = position {
        text.extend_from_slice(b",\"position\":");
        text.extend_from_slice(Value::from(position).to_string().as_bytes());
    }
    text.push(b'}');
    text
}

fn write_cell(text: &mut Vec<u8>, column: &Column, cell: Option<&str>) {
    let Some(cell) = cell else { return text.extend_from_slice(b"null") };
    match column.kind {
        ColumnType::Smallint | ColumnType::Integer | ColumnType::Bigint | ColumnType::Boolean => {
            text.extend_from_slice(cell.as_bytes());
        }
        _ => write_text(text, cell),
    }
}

fn write_text(text: &mut Vec<u8>, cell: &str) {
    // Nearly every text is of characters that stand for themselves.
    if cell.bytes().all(|octet| (0x20..0x7f).contains(&octet) && octet != b'"' && octet != b'\\') {
        text.push(b'"');
        text.extend_from_slice(cell.as_bytes());
        return text.push(b'"');
    }
    // A table may hold what other tools have written; a letter has one form.
    let is_composed = is_nfc_quick(cell.chars()) == unicode_normalization::IsNormalized::Yes;
    let value = if is_composed { Value::from(cell) } else { Value::from(cell.nfc().collect::<String>()) };
    text.extend_from_slice(value.to_string().as_bytes());
}
