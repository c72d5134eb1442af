//! Service `certify`: finds the centre's records by their legal keys, and compares them with the values on the papers.

use std::collections::HashMap;

use diesel_async::RunQueryDsl;
use sdc::answer::results::{Found, KeyResult, Results};
use sdc::names::{folded, same};
use sdc::refusal::{Refusal, RefusalCode, RowFault, RowFaults};
use sdc::request::Certified;
use sdc::service::Service;
use serde_json::Value;
use store::database::fault::Fault;
use store::reading::{Permit, Staged, login};
use store::tables::definition::{Column, Definition};
use store::tables::examine::ColumnValues;

use crate::packing::{Packed, Packing, Row};
use crate::render::{Bounds, Rendered, Statuses, json, render_keys};
use crate::snapshot::Snapshot;
use crate::staged::{Reading, Stage};
use crate::work::NotRead;

/// Maximum number of marginal notes in the answer to one letter.
const NOTES_MAX: usize = 2_000;

/// A column that the letter names, and the column's values in the letter: one for each legal key.
type Asked = (Column, ColumnValues);

/// Reads the records for a letter's keys, and stages the answer: its parts are stored until the letter is settled and charged.
pub async fn read(reading: &Reading<'_>, certified: &Certified) -> Result<Staged, NotRead> {
    let (catalogue, signer) = (&reading.unread.catalogue, &reading.unread.signer);
    let full_name = format!("{}.{}", certified.application, certified.table);
    let Some(definition) = catalogue.table(&certified.application, &certified.table) else {
        return Err(Refusal::new(RefusalCode::TableUnknown).with("table", full_name).into());
    };
    let permit = Permit::of(Service::Certify, &definition, signer, catalogue)?;
    reading.unread.bears_one_act(reading.arrival, definition.table_id)?;
    let (keys, papers) = asked(certified, &definition)?;
    let notes = definition.notes.as_ref().filter(|_| permit.gives_record);
    let notes = notes.and_then(|notes| Some((notes, catalogue.table(&definition.application, &notes.table)?)));

    let mut snapshot = Snapshot::begin(reading.login, reading.place.limits.statement_max).await?;
    let columns = login::readable(&definition);
    let held = look_up(&mut snapshot, &definition, &permit, &keys, &columns).await?;
    let mut found_notes = HashMap::new();
    let mut note_columns = Vec::new();
    if let Some((notes, table)) = notes {
        note_columns = login::readable(&table);
        found_notes = look_up_notes(&mut snapshot, &table, &notes.on, (&columns, &held), &note_columns).await?;
    }
    snapshot.end().await?;

    let mut results = Vec::with_capacity(certified.key_count());
    for place in 0..certified.key_count() {
        let notes = found_notes.remove(&place).unwrap_or_default();
        let notes = notes.iter().map(|note| values(&note_columns, note)).collect();
        let record = held.get(&place);
        results.push(judge(place, record, &papers, certified, &columns, &permit, notes));
    }
    let gives = |columns: &[Column]| match permit.gives_record {
        true => columns.iter().map(|column| column.name.clone()).collect(),
        false => Vec::new(),
    };
    let whole = Results {
        application: definition.application.clone(),
        table: definition.name.clone(),
        first: 1,
        columns: gives(&columns),
        note_columns: gives(&note_columns),
        results,
    };
    let packing = reading.packing()?;
    let packed = tokio::task::spawn_blocking(move || divide(&packing, whole)).await;
    let packed = packed.map_err(|_ended| Fault::Away("the process is ending".to_owned()))?;
    let mut stage = Stage::begin(reading).await?;
    for part in &packed {
        stage.add(part).await?;
    }
    stage.end(Some(permit), certified.key_count(), false)
}

/// Returns the columns of the letter that are the legal key, and then the columns with the values on the papers. The values are judged by
/// the rules for exported records: each must have the type of its column in the table.
fn asked(certified: &Certified, definition: &Definition) -> Result<(Vec<Asked>, Vec<Asked>), Refusal> {
    let mut unknown = Vec::new();
    let mut place = |name: &String| {
        let column = definition.column(name).cloned();
        if column.is_none() {
            unknown.push(name.clone());
        }
        column
    };
    let keys: Vec<Option<Column>> = certified.key.iter().map(&mut place).collect();
    let papers: Vec<Option<Column>> = certified.columns.iter().map(&mut place).collect();
    let is_missing = |name: &&String| !certified.key.iter().any(|asked| same(asked, name));
    let missing: Vec<&str> = definition.legal_key.iter().filter(is_missing).map(String::as_str).collect();
    let is_beside = |name: &&String| !definition.legal_key.iter().any(|key| same(key, name));
    unknown.extend(certified.key.iter().filter(is_beside).filter(|name| definition.column(name).is_some()).cloned());
    if !unknown.is_empty() || !missing.is_empty() {
        let refusal = Refusal::new(RefusalCode::ColumnsMismatch)
            .with("table", format!("{}.{}", definition.application, definition.name))
            .with("definition_version", definition.version);
        let refusal = if unknown.is_empty() { refusal } else { refusal.with("unknown", unknown.join(", ")) };
        return Err(if missing.is_empty() { refusal } else { refusal.with("missing", missing.join(", ")) });
    }
    let mut faults = RowFaults::default();
    let mut values = |columns: Vec<Option<Column>>, names: &[String], values: &[Vec<Value>]| -> Vec<Asked> {
        let placed = columns.into_iter().flatten().zip(names).zip(values);
        placed
            .map(|((column, name), values)| {
                let mut fault = |row: usize, rule: &str, expected: String| {
                    faults.add(|| RowFault {
                        table: certified.table.clone(),
                        row: u32::try_from(row + 1).unwrap_or(u32::MAX),
                        column: Some(name.clone()),
                        rule: rule.to_owned(),
                        expected,
                    });
                };
                let read = ColumnValues::read(&column, values, &mut fault);
                (column, read)
            })
            .collect()
    };
    let keys = values(keys, &certified.key, &certified.keys);
    let papers = values(papers, &certified.columns, &certified.values);
    if faults.is_empty() { Ok((keys, papers)) } else { Err(Refusal::new(RefusalCode::RowsInvalid).with_faults(faults)) }
}

/// A record of the centre, and whether it was cancelled.
struct Held {
    cells: Row,
    is_cancelled: bool,
}

/// Finds the record of each legal key in the letter. The key of the returned map is the index of the legal key in the letter. Where a legal
/// key has no live record, the last of its cancelled records is returned.
async fn look_up(
    snapshot: &mut Snapshot,
    definition: &Definition,
    permit: &Permit,
    keys: &[Asked],
    columns: &[Column],
) -> Result<HashMap<usize, Held>, Fault> {
    let mut held = HashMap::new();
    for (statuses, is_cancelled) in [(Statuses::Live, false), (Statuses::Cancelled, true)] {
        let bounds = Bounds { permit, statuses, age_max: None };
        let rendered = render_keys(definition, keys, columns, &bounds);
        for (place, cells) in rows(snapshot, &rendered).await? {
            let is_known_live = held.get(&place).is_some_and(|held: &Held| !held.is_cancelled);
            if !is_known_live {
                held.insert(place, Held { cells, is_cancelled });
            }
        }
    }
    Ok(held)
}

/// Finds the marginal notes of the live records. The key of the returned map is the index of the record's legal key in the letter.
async fn look_up_notes(
    snapshot: &mut Snapshot,
    table: &Definition,
    on: &[String],
    (columns, held): (&[Column], &HashMap<usize, Held>),
    note_columns: &[Column],
) -> Result<HashMap<usize, Vec<Row>>, Fault> {
    let places: Vec<usize> = held.iter().filter(|(_, held)| !held.is_cancelled).map(|(place, _)| *place).collect();
    let mut keys = Vec::with_capacity(on.len());
    for name in on {
        let at = columns.iter().position(|column| same(&column.name, name));
        let (Some(at), Some(column)) = (at, table.column(name)) else {
            return Err(Fault::Unreadable {
                what: "the notes",
                subject: format!("table {}.{}", table.application, table.name),
                expected: "adopt the table again",
            });
        };
        let cell = |place: &usize| json(&columns[at], held[place].cells.get(at).and_then(Option::as_deref));
        let values: Vec<Value> = places.iter().map(cell).collect();
        // A note names its record by the values of these columns. Where a column of the notes' table cannot hold the record's value, for
        // example because the value is too long, no note can name the record. So the record has no notes, and the fault is ignored.
        let nullable = Column { nullable: true, ..column.clone() };
        let values = ColumnValues::read(&nullable, &values, &mut |_row: usize, _rule: &str, _expected: String| {});
        keys.push((column.clone(), values));
    }
    if places.is_empty() || keys.is_empty() {
        return Ok(HashMap::new());
    }
    // Notes have no column of codes by which they could be granted one by one. So whoever may read a record may read all notes to it, and
    // this permit admits all.
    let permit = Permit {
        service: Service::Certify,
        table_id: table.table_id,
        version: table.version,
        own: None,
        codes: None,
        gives_record: true,
    };
    let bounds = Bounds { permit: &permit, statuses: Statuses::Live, age_max: None };
    let rendered = render_keys(table, &keys, note_columns, &bounds);
    let mut notes: HashMap<usize, Vec<Row>> = HashMap::new();
    for (at, cells) in rows(snapshot, &rendered).await?.into_iter().take(NOTES_MAX) {
        if let Some(place) = places.get(at) {
            notes.entry(*place).or_default().push(cells);
        }
    }
    Ok(notes)
}

/// Runs the statement of [`render_keys`], whose rows begin with the number of their legal key, from 1. Returns each row without that cell,
/// and with the index of the legal key, from 0.
async fn rows(snapshot: &mut Snapshot, rendered: &Rendered) -> Result<Vec<(usize, Row)>, Fault> {
    let binds = rendered.binds();
    let rows: Vec<Row> = Rendered::statement(&rendered.text, &binds).load(snapshot.connection()?).await?;
    let placed = |mut row: Row| {
        let place = if row.is_empty() { None } else { row.remove(0) };
        let place = place.and_then(|place| place.parse::<usize>().ok()).and_then(|place| place.checked_sub(1));
        place.map(|place| (place, row))
    };
    Ok(rows.into_iter().filter_map(placed).collect())
}

/// Compares the values on a paper with the record that the paper's legal key leads to.
fn judge(
    place: usize,
    held: Option<&Held>,
    papers: &[Asked],
    certified: &Certified,
    columns: &[Column],
    permit: &Permit,
    notes: Vec<Vec<Value>>,
) -> KeyResult {
    let Some(held) = held else { return KeyResult::new(Found::NotFound) };
    if held.is_cancelled {
        return KeyResult::new(Found::Cancelled);
    }
    let differs = |(at, (column, paper)): (usize, &Asked)| {
        let cell = columns.iter().position(|one| folded(&one.name) == folded(&column.name));
        let cell = cell.and_then(|cell| held.cells.get(cell)).and_then(Option::as_deref);
        let mut is_odd = false;
        let values = [json(column, cell)];
        let any = Column { nullable: true, ..column.clone() };
        let record =
            ColumnValues::read(&any, &values, &mut |_row: usize, _rule: &str, _expected: String| is_odd = true);
        let is_same = !is_odd && record.same(0, paper, place);
        (!is_same).then(|| certified.columns[at].clone())
    };
    let differing: Vec<String> = papers.iter().enumerate().filter_map(differs).collect();
    let outcome = if differing.is_empty() { Found::Match } else { Found::Differs };
    KeyResult { outcome, columns: differing, record: permit.gives_record.then(|| values(columns, &held.cells)), notes }
}

/// Returns a row as JSON.
fn values(columns: &[Column], cells: &Row) -> Vec<Value> {
    columns.iter().zip(cells).map(|(column, cell)| json(column, cell.as_deref())).collect()
}

/// Divides results into halves until each part fits into a container. A single result that does not fit cannot be divided, and becomes a
/// part all the same.
fn divide(packing: &Packing, whole: Results) -> Vec<Packed> {
    let pack =
        |part, last, results: &Results| packing.pack(part, last, &serde_json::to_vec(results).unwrap_or_default());
    let mut waiting = vec![whole];
    let mut fitting: Vec<Results> = Vec::new();
    while let Some(mut results) = waiting.pop() {
        if results.results.len() < 2 || packing.fits(&pack(u16::MAX, true, &results)) {
            fitting.push(results);
            continue;
        }
        let behind = results.results.split_off(results.results.len() / 2);
        let before = u32::try_from(results.results.len()).unwrap_or(u32::MAX);
        let behind = Results { first: results.first.saturating_add(before), results: behind, ..results.clone() };
        waiting.extend([behind, results]);
    }
    let count = fitting.len();
    let numbered = (1_u16..).zip(fitting.iter().enumerate());
    numbered.map(|(part, (at, results))| pack(part, at + 1 == count, results)).collect()
}
