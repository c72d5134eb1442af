//! Service `import`: reads records of one table through a cursor and packs them into parts, or sends parts of a former answer again.

use std::sync::Arc;

use diesel_async::RunQueryDsl;
use sdc::answer::rows::Estimate;
use sdc::answer::sealed::{sealed_bytes, started_kb};
use sdc::refusal::{Refusal, RefusalCode};
use sdc::request::{Again, Import, Position, Selection};
use sdc::service::Service;
use store::database::fault::Fault;
use store::database::statement::Statement;
use store::reading::{Permit, Staged, epoch, staging};
use store::tables::definition::Definition;

use crate::grammar::{Select, TableName};
use crate::packing::{Measure, Packed, Packing, Row, Shape, json_bytes, pack_rows};
use crate::parse::parse;
use crate::render::{Bounds, Cells, Rendered, Statuses, render};
use crate::snapshot::Snapshot;
use crate::staged::{Reading, Stage};
use crate::unreadable::{Reason, Unreadable};
use crate::work::NotRead;

/// Numbers of rows in one fetch from the cursor. The first fetch is small, because each row may contain a scanned image; the next fetches
/// grow up to `FETCHED_BYTES`.
const FETCHED: [usize; 4] = [50, 200, 1_000, 4_000];
/// Maximum number of octets of JSON that the next fetch may yield, estimated from the size of the rows fetched last.
const FETCHED_BYTES: usize = 1 << 20;

/// The rows that the import selects.
struct Wanted {
    definition: Arc<Definition>,
    permit: Permit,
    select: Select,
    /// For an import that is no SELECT: the position after which changes are read, or `Some(None)` for all records. `None` for a SELECT.
    since: Option<Option<Position>>,
}

/// Reads the records of an import. Stages the answer: stores its parts until the letter is settled.
pub async fn read(reading: &Reading<'_>, import: &Import) -> Result<Staged, NotRead> {
    let wanted = match import {
        Import::Again { again } => return once_more(reading, again).await,
        Import::Select { select, .. } => of_select(reading, parse(select)?)?,
        Import::Table { selection, .. } => of_table(reading, selection)?,
    };
    if !import.is_estimate() {
        reading.unread.bears_one_act(reading.arrival, wanted.definition.table_id)?;
    }
    let packing = reading.packing()?;
    let mut stage = if import.is_estimate() { Stage::counting(reading) } else { Stage::begin(reading).await? };
    let rows = through_cursor(reading, &wanted, &packing, &mut stage).await?;
    if import.is_estimate() {
        return estimate(reading, &wanted, &packing, rows, &stage).await;
    }
    stage.end(Some(wanted.permit), rows, false)
}

fn of_select(reading: &Reading<'_>, select: Select) -> Result<Wanted, NotRead> {
    let catalogue = &reading.unread.catalogue;
    let TableName { application, name } = &select.table;
    let found = match application {
        Some(application) => catalogue.table(application, name),
        None => match catalogue.tables_named(name).as_slice() {
            [one] => Some(Arc::clone(one)),
            _ => None,
        },
    };
    let definition = found.ok_or_else(|| Unreadable::new(Reason::UnknownTable, name))?;
    let permit = Permit::of(Service::Import, &definition, &reading.unread.signer, catalogue)?;
    Ok(Wanted { definition, permit, select, since: None })
}

fn of_table(reading: &Reading<'_>, selection: &Selection) -> Result<Wanted, NotRead> {
    let Selection { application, table, changed_since } = selection;
    let catalogue = &reading.unread.catalogue;
    let Some(definition) = catalogue.table(application, table) else {
        return Err(Refusal::new(RefusalCode::TableUnknown).with("table", format!("{application}.{table}")).into());
    };
    let permit = Permit::of(Service::Import, &definition, &reading.unread.signer, catalogue)?;
    let table = TableName { application: Some(application.clone()), name: table.clone() };
    let select = Select { columns: Vec::new(), table, condition: None, order: Vec::new(), limit: None };
    Ok(Wanted { definition, permit, select, since: Some(*changed_since) })
}

/// Reads all rows and stages their parts. Returns the number of rows.
async fn through_cursor(
    reading: &Reading<'_>,
    wanted: &Wanted,
    packing: &Packing,
    stage: &mut Stage<'_>,
) -> Result<usize, NotRead> {
    let limits = &reading.place.limits;
    let mut snapshot = Snapshot::begin(reading.login, limits.statement_max).await?;
    let (age_max, position) = match wanted.since {
        None => (None, None),
        Some(since) => {
            let epoch = epoch(&mut *reading.place.store.get().await?).await?;
            let position = Position { epoch, horizon: snapshot.horizon().await? };
            // An office's position is the number of a transaction. A database that was restored from a backup has a new epoch and gives
            // those numbers to other transactions, so a position of another epoch tells nothing, and all records are given.
            let age = match since.filter(|since| since.epoch == epoch) {
                Some(since) => snapshot.age(since.horizon).await?,
                None => None,
            };
            (age, Some(position.to_string()))
        }
    };
    let statuses = match wanted.since.flatten() {
        Some(_) => Statuses::ValidatedOrCancelled,
        None => Statuses::Validated,
    };
    let bounds = Bounds { permit: &wanted.permit, statuses, age_max };
    let rendered = render(&wanted.select, &wanted.definition, &bounds)?;
    let shape = Shape {
        application: wanted.definition.application.clone(),
        table: wanted.definition.name.clone(),
        columns: rendered.columns.clone(),
    };
    let text = format!("DECLARE xm_rows NO SCROLL CURSOR FOR {}", rendered.text);
    let binds = rendered.binds();
    Rendered::statement(&text, &binds).execute(snapshot.connection()?).await.map_err(Fault::from)?;
    let mut parts = Parts { packing: packing.clone(), shape, measure: Measure::first(packing), position };
    let (mut rows, mut waiting, mut waiting_bytes, mut step): (usize, Vec<Row>, usize, usize) = (0, vec![], 0, 0);
    loop {
        let fetched = fetch(&mut snapshot, FETCHED[step]).await?;
        let (is_end, bytes) = (fetched.len() < FETCHED[step], fetched.iter().map(json_bytes).sum::<usize>());
        rows += fetched.len();
        if u64::try_from(rows).unwrap_or(u64::MAX) > limits.rows_max {
            return Err(reading.place.too_large("rows_max", limits.rows_max).into());
        }
        step = next_step(step, fetched.len(), bytes);
        waiting.extend(fetched);
        waiting_bytes += bytes;
        if is_end {
            break;
        }
        if parts.measure.is_full(waiting_bytes, waiting.len() * parts.shape.columns.len()) {
            parts.stage(stage, std::mem::take(&mut waiting), false).await?;
            waiting_bytes = 0;
        }
    }
    snapshot.end().await?;
    parts.stage(stage, waiting, true).await?;
    Ok(rows)
}

/// Returns the index in `FETCHED` of the next fetch, from the size of the rows fetched last.
fn next_step(step: usize, rows: usize, bytes: usize) -> usize {
    let per_row = bytes.checked_div(rows).unwrap_or(0).max(1);
    let fits = |step: &usize| FETCHED[*step].saturating_mul(per_row) <= FETCHED_BYTES;
    let next = (step + 1).min(FETCHED.len() - 1);
    (0..=next).rev().find(fits).unwrap_or(0)
}

async fn fetch(snapshot: &mut Snapshot, rows: usize) -> Result<Vec<Row>, Fault> {
    let text = format!("FETCH FORWARD {rows} FROM xm_rows");
    Ok(Statement::<Cells>::new(&text, &[]).load(snapshot.connection()?).await?)
}

/// The parts of an answer that are being made.
struct Parts {
    packing: Packing,
    shape: Shape,
    measure: Measure,
    position: Option<String>,
}

impl Parts {
    /// Packs rows on a thread for blocking work, and stages the parts.
    async fn stage(&mut self, stage: &mut Stage<'_>, rows: Vec<Row>, is_end: bool) -> Result<(), NotRead> {
        let (packing, shape, mut measure) = (self.packing.clone(), self.shape.clone(), self.measure);
        let (first, position) = (stage.next, self.position.clone());
        let packing = tokio::task::spawn_blocking(move || {
            let end = is_end.then_some(position.as_deref());
            let packed = pack_rows(&packing, &shape, &mut measure, &rows, first, end);
            (packed, measure)
        });
        let (packed, measure): (Vec<Packed>, Measure) = match packing.await {
            Ok(packed) => packed,
            Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
            Err(_cancelled) => return Err(Fault::Away("the process is ending".to_owned()).into()),
        };
        self.measure = measure;
        for part in &packed {
            stage.add(part).await?;
        }
        Ok(())
    }
}

/// Stages the estimate of a selection: its rows, parts, bytes and price, instead of its records.
async fn estimate(
    reading: &Reading<'_>,
    wanted: &Wanted,
    packing: &Packing,
    rows: usize,
    counted: &Stage<'_>,
) -> Result<Staged, NotRead> {
    let (parts, bytes, units) = counted.sum();
    let (catalogue, arrival) = (&reading.unread.catalogue, reading.arrival);
    let units = units + started_kb(arrival.rendered_bytes);
    let (plan, acts) = (&reading.unread.signer.plan, [(wanted.definition.table_id, rows)]);
    let price = catalogue.prices.price(plan, Service::Import, &acts, units, arrival.received_at);
    let estimate = Estimate {
        rows: u64::try_from(rows).unwrap_or(u64::MAX),
        parts,
        bytes,
        price: price.amount,
        currency: catalogue.server.currency.clone(),
    };
    let body = serde_json::to_vec(&estimate).map_err(|error| Fault::Bug(error.to_string()))?;
    let mut stage = Stage::begin(reading).await?;
    stage.add(&packing.pack(1, true, &body)).await?;
    stage.end(Some(wanted.permit.clone()), 0, true)
}

/// Stages parts of a former answer again, octet for octet.
async fn once_more(reading: &Reading<'_>, again: &Again) -> Result<Staged, NotRead> {
    let mut stage = Stage::begin(reading).await?;
    let (signer, Some(id)) = (&reading.unread.signer, stage.id()) else {
        return Err(Fault::Bug("parts are sent again without being staged".to_owned()).into());
    };
    let mut connection = reading.place.store.get().await?;
    let octets = staging::copy(&mut connection, id, signer.matricule, again.letter, &again.parts).await?;
    if octets.len() != again.parts.len() {
        let refusal = Refusal::new(RefusalCode::PartsUnknown).with("letter", again.letter);
        return Err(refusal.with("expected", again.parts.len()).with("found", octets.len()).into());
    }
    for octets in octets {
        let bytes = sealed_bytes(octets, signer.certificate.algorithm());
        stage.count(bytes, started_kb(bytes));
        stage.next = stage.next.saturating_add(1);
    }
    stage.end(None, 0, true)
}
