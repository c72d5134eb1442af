//! Packs rows into parts: bodies of JSON, in the form of the office's letter, each small enough for the office's link.
//!
//! Packing takes processor time, so it runs on threads of its own, while others wait for PostgreSQL. How well a part was compressed decides
//! how many rows the next part gets: rows that compress well then need fewer containers.

use std::borrow::Cow;

use serde_json::{Value, json};
use store::tables::definition::{Column, ColumnType};
use unicode_normalization::{UnicodeNormalization, is_nfc_quick};

use sdc::answer::part::PartHead;
use sdc::answer::sealed::{sealed_bytes, started_kb};
use sdc::payload::{PayloadForm, write_part};
use uuid::Uuid;

/// A row as PostgreSQL returned it: a text for each column, `None` for NULL.
pub type Row = Vec<Option<String>>;

/// Maximum number of octets of a part's JSON. The office's program accepts 4 MiB of JSON; less is used, because the program has the text in
/// memory several times.
const JSON_BYTES_MAX: usize = 3 << 20;
/// Maximum number of cells of a part. The office's program accepts half a million values in a letter, which are not the cells alone.
const CELLS_MAX: usize = 400_000;
/// Bytes of a container that are reserved for envelope, signature and head of the part.
const FRAME_BYTES: usize = 2_048;
/// Compression ratio that is assumed for the first part, before a ratio has been measured.
const RATIO_FIRST: usize = 3;

/// Settings by which the parts of one answer are packed.
#[derive(Clone)]
pub struct Packing {
    /// Head of every part. Id, number and the member `last` are set for each part.
    pub head: PartHead,
    /// Form of the payload, the same as that of the office's letter.
    pub form: PayloadForm,
    /// Largest container that the office accepts, in bytes.
    pub container_bytes_max: usize,
    /// Algorithm of the key that the parts are sealed for.
    pub algorithm: &'static str,
}

/// One packed part.
pub struct Packed {
    /// Number of the part, from 1.
    pub part: u16,
    /// The payload, which is the content to be signed.
    pub payload: Vec<u8>,
    /// Size of the sealed container in bytes.
    pub bytes: usize,
}

impl Packed {
    /// Returns how many units of 1 024 bytes the container begins, as the tariff counts.
    pub fn started_kb(&self) -> usize {
        started_kb(self.bytes)
    }
}

impl Packing {
    /// Packs this body as one part, even if it then does not fit into a container: the caller looks with [`Packing::fits`], and divides the
    /// rows.
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

/// The table and columns that rows belong to.
#[derive(Clone)]
pub struct Shape {
    /// Name of the application, which is a family of tables.
    pub application: String,
    /// The table's name.
    pub table: String,
    /// The columns of a row.
    pub columns: Vec<Column>,
}

/// The amount of JSON, in octets, that goes into the next part.
#[derive(Clone, Copy)]
pub struct Measure {
    json_bytes: usize,
}

impl Measure {
    /// Guesses the size of the first part from the container's size.
    pub fn first(packing: &Packing) -> Measure {
        // Base64 writes 3 octets as 4 characters, and each line needs a line end. So about 5 of 7 bytes of a container are payload.
        let payload = packing.container_bytes_max.saturating_sub(FRAME_BYTES) / 7 * 5;
        let ratio = if packing.form == PayloadForm::Json { 1 } else { RATIO_FIRST };
        Measure { json_bytes: bounded(payload.saturating_mul(ratio)) }
    }

    /// Says whether rows with this many octets of JSON and this many cells fill a part.
    pub fn is_full(self, json_bytes: usize, cells: usize) -> bool {
        json_bytes >= self.json_bytes || cells >= CELLS_MAX
    }

    /// Adapts the size of the next part to the compression of the last part.
    fn learn(&mut self, json_bytes: usize, packed: &Packed, packing: &Packing) {
        let wanted = packing.container_bytes_max / 20 * 19;
        let next = json_bytes.saturating_mul(wanted) / packed.bytes.max(1);
        // One step shrinks the size at most to a quarter, and grows it at most to the double: where the last part had a few rows with
        // scanned images, its compression says little about the next rows.
        self.json_bytes = bounded(next.clamp(self.json_bytes / 4, self.json_bytes.saturating_mul(2)));
    }
}

fn bounded(json_bytes: usize) -> usize {
    json_bytes.clamp(1_024, JSON_BYTES_MAX)
}

/// Estimates how many octets of JSON a row takes.
pub fn json_bytes(row: &Row) -> usize {
    row.iter().map(|cell| cell.as_ref().map_or(5, |cell| cell.len() + 3)).sum()
}

/// Packs rows into parts that fit into containers, numbered from `first`. Rows that do not fit are divided into halves; a single row is
/// packed whatever its size. `end` is given where these are the last rows: the last part is then marked as the last of the answer, and gets
/// the position in `end` if there is one.
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

/// Writes the body of a part, with the values of each column together.
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
    // Nearly every text consists of characters that JSON writes unchanged. Such a text is copied, which is faster than serde_json.
    if cell.bytes().all(|octet| (0x20..0x7f).contains(&octet) && octet != b'"' && octet != b'\\') {
        text.push(b'"');
        text.extend_from_slice(cell.as_bytes());
        return text.push(b'"');
    }
    // Text in a letter must be in Unicode normalization form C, and an office refuses any other. Rows of letters are in that form, but
    // tools other than this program may have written rows that are not.
    let is_composed = is_nfc_quick(cell.chars()) == unicode_normalization::IsNormalized::Yes;
    let composed = if is_composed { Cow::Borrowed(cell) } else { Cow::Owned(cell.nfc().collect::<String>()) };
    #[expect(clippy::expect_used, reason = "a text has a JSON form, and memory takes every octet")]
    serde_json::to_writer(text, composed.as_ref()).expect("a text has a JSON form");
}
