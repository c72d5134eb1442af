//! What judging a letter needs to know of the centre: the server's name and mode, tables, rights and tariffs.
//!
//! Read whole, kept as one immutable value and shared. `revision` is compared inside every settling transaction, so
//! a stale copy never decides; a change by any tool takes effect with the next batch on every replica.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Mode;
use sdc::names::folded;
use sdc::service::{Credit, Service};

use crate::database::fault::Fault;
use crate::database::identifier::is_plain;
use crate::database::statement::Statement;
use crate::tables::definition::{Check, Column, Corrections, Definition};

/// What every replica agrees on.
#[derive(Clone, Debug)]
pub struct Server {
    /// The name that letters give in `to`.
    pub name: String,
    /// Rehearsal or in earnest.
    pub mode: Mode,
    /// ISO 4217 code of every amount.
    pub currency: String,
    /// Decimal digits of the currency; amounts are integers of its minor unit.
    pub currency_digits: i16,
}

/// What a letter costs and how it may be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Integer minor units.
    pub amount: i64,
    /// What happens without credit.
    pub credit: Credit,
}

#[derive(Clone, Debug)]
struct Tariff {
    plan: Option<String>,
    service: Service,
    table_id: Option<i32>,
    per_act: i64,
    per_started_kb: i64,
    credit: Credit,
    valid_from: DateTime<Utc>,
    valid_to: Option<DateTime<Utc>>,
}

/// One immutable copy of the centre's catalogue.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Raised by every change of tables, rights or tariffs.
    pub revision: i64,
    /// The server.
    pub server: Server,
    tables: HashMap<(String, String), Arc<Definition>>,
    may_export: HashSet<(i32, String)>,
    tariffs: Vec<Tariff>,
}

impl Catalogue {
    /// Reads the catalogue in one snapshot.
    ///
    /// # Errors
    /// A fault of the database, or a definition there that this program cannot read.
    pub async fn load(connection: &mut AsyncPgConnection) -> Result<Catalogue, Fault> {
        let (server, revision) = load_server(connection).await?;
        Ok(Catalogue {
            revision,
            server,
            tables: load_tables(connection).await?,
            may_export: load_rights(connection).await?,
            tariffs: load_tariffs(connection).await?,
        })
    }

    /// Finds an adopted table by application and name, the name without regard to case.
    pub fn table(&self, application: &str, name: &str) -> Option<Arc<Definition>> {
        self.tables.get(&(application.to_owned(), folded(name))).cloned()
    }

    /// Says whether agencies of a plan may export to a table.
    pub fn may_export(&self, table_id: i32, plan: &str) -> bool {
        self.may_export.contains(&(table_id, plan.to_owned()))
    }

    /// Prices a letter by the acts it declares and the bytes of its container, both known before anything is written.
    ///
    /// Of the tariffs valid at `at`, the one that names plan and table goes before the one that names only the
    /// table, only the plan, or neither. The volume of a letter is priced once, at the dearest of its tables. Any
    /// table whose tariff refuses credit makes the letter refuse credit. No tariff means free, and so does a service that has no
    /// price.
    pub fn price(
        &self,
        plan: &str,
        service: Service,
        acts_by_table: &[(i32, usize)],
        container_bytes: usize,
        at: DateTime<Utc>,
    ) -> Price {
        if service.facts().priced.is_none() {
            return Price { amount: 0, credit: Credit::Owe };
        }
        let mut acts_price: i64 = 0;
        let mut per_started_kb: i64 = 0;
        let mut credit = Credit::Owe;
        for &(table_id, acts) in acts_by_table {
            let Some(tariff) = self.tariff(plan, service, table_id, at) else { continue };
            acts_price = acts_price.saturating_add(tariff.per_act.saturating_mul(count(acts)));
            per_started_kb = per_started_kb.max(tariff.per_started_kb);
            if tariff.credit == Credit::Refuse {
                credit = Credit::Refuse;
            }
        }
        let started_kb = count(container_bytes.div_ceil(1024));
        Price { amount: acts_price.saturating_add(per_started_kb.saturating_mul(started_kb)), credit }
    }

    fn tariff(&self, plan: &str, service: Service, table_id: i32, at: DateTime<Utc>) -> Option<&Tariff> {
        let applies = |tariff: &&Tariff| {
            tariff.service == service
                && tariff.plan.as_deref().is_none_or(|named| named == plan)
                && tariff.table_id.is_none_or(|named| named == table_id)
                && tariff.valid_from <= at
                && tariff.valid_to.is_none_or(|end| at < end)
        };
        let exactness = |tariff: &&Tariff| (tariff.table_id.is_some(), tariff.plan.is_some(), tariff.valid_from);
        self.tariffs.iter().filter(applies).max_by_key(exactness)
    }
}

#[cfg(test)]
impl Catalogue {
    /// Makes a catalogue without tables, with one tariff that prices every export.
    pub(crate) fn of_one_tariff(per_act: i64, per_started_kb: i64, credit: Credit) -> Catalogue {
        let server =
            Server { name: "centre".to_owned(), mode: Mode::Live, currency: "XAF".to_owned(), currency_digits: 0 };
        let tariff = Tariff {
            plan: None,
            service: Service::Export,
            table_id: None,
            per_act,
            per_started_kb,
            credit,
            valid_from: DateTime::UNIX_EPOCH,
            valid_to: None,
        };
        Catalogue { revision: 1, server, tables: HashMap::new(), may_export: HashSet::new(), tariffs: vec![tariff] }
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

async fn load_server(connection: &mut AsyncPgConnection) -> Result<(Server, i64), Fault> {
    type Row = (Text, Text, Text, SmallInt, BigInt);
    let text = "SELECT name, mode, currency, currency_digits, catalogue_revision FROM xm.server";
    let row: Vec<(String, String, String, i16, i64)> = Statement::<Row>::new(text, &[]).load(connection).await?;
    let Some((name, mode, currency, currency_digits, revision)) = row.into_iter().next() else {
        return Err(Fault::NoServer);
    };
    let mode = match mode.as_str() {
        "live" => Mode::Live,
        "test" => Mode::Test,
        _ => return Err(unreadable("the mode", "xm.server", "expected live or test")),
    };
    Ok((Server { name, mode, currency, currency_digits }, revision))
}

type LoadedTable = (
    i32,
    String,
    String,
    String,
    String,
    i32,
    Option<String>,
    Vec<String>,
    String,
    serde_json::Value,
    serde_json::Value,
);

async fn load_tables(connection: &mut AsyncPgConnection) -> Result<HashMap<(String, String), Arc<Definition>>, Fault> {
    use diesel::sql_types::Array;
    type Row = (Integer, Text, Text, Text, Text, Integer, Nullable<Text>, Array<Text>, Text, Jsonb, Jsonb);
    let text = "SELECT t.id, t.application, t.name, t.schema_name, t.relation_name, t.version, t.scope_column,
                       t.legal_key, t.corrections, t.checks, d.columns
                  FROM xm.tables t JOIN xm.definitions d ON d.table_id = t.id AND d.version = t.version
                 WHERE t.abandoned_at IS NULL";
    let rows: Vec<LoadedTable> = Statement::<Row>::new(text, &[]).load(connection).await?;
    let mut tables = HashMap::with_capacity(rows.len());
    for row in rows {
        let definition = definition(row)?;
        tables.insert((definition.application.clone(), folded(&definition.name)), Arc::new(definition));
    }
    Ok(tables)
}

fn definition(
    (
        table_id,
        application,
        name,
        schema_name,
        relation_name,
        version,
        scope_column,
        legal_key,
        corrections,
        checks,
        columns,
    ): LoadedTable,
) -> Result<Definition, Fault> {
    let unreadable = |what| unreadable(what, &format!("table {application}.{name}"), "adopt the table again");
    let checks: Vec<Check> = serde_json::from_value(checks).map_err(|_detail| unreadable("a check"))?;
    if checks.iter().any(|check| check.not_offered().is_some()) {
        return Err(unreadable("a check"));
    }
    let columns: Vec<Column> = serde_json::from_value(columns).map_err(|_detail| unreadable("the definition"))?;
    let are_plain = columns.iter().all(|column| is_plain(&column.name))
        && legal_key.iter().all(|name| is_plain(name))
        && is_plain(&schema_name)
        && is_plain(&relation_name);
    if !are_plain {
        return Err(unreadable("a name"));
    }
    let corrections = match corrections.as_str() {
        "never" => Corrections::Never,
        "after_approval" => Corrections::AfterApproval,
        "by_agency" => Corrections::ByAgency,
        _ => return Err(unreadable("the rule of corrections")),
    };
    Ok(Definition {
        table_id,
        application,
        name,
        schema_name,
        relation_name,
        version,
        scope_column,
        legal_key,
        corrections,
        checks,
        columns,
    })
}

async fn load_rights(connection: &mut AsyncPgConnection) -> Result<HashSet<(i32, String)>, Fault> {
    type Row = (Integer, Text, Bool);
    let text = "SELECT table_id, plan, may_export FROM xm.rights";
    let rows: Vec<(i32, String, bool)> = Statement::<Row>::new(text, &[]).load(connection).await?;
    Ok(rows.into_iter().filter(|row| row.2).map(|(table_id, plan, _)| (table_id, plan)).collect())
}

async fn load_tariffs(connection: &mut AsyncPgConnection) -> Result<Vec<Tariff>, Fault> {
    type Row = (Nullable<Text>, Text, Nullable<Integer>, BigInt, BigInt, Text, Timestamptz, Nullable<Timestamptz>);
    type Loaded = (Option<String>, String, Option<i32>, i64, i64, String, DateTime<Utc>, Option<DateTime<Utc>>);
    let text = "SELECT plan, service, table_id, per_act, per_started_kb, credit, valid_from, valid_to
                  FROM xm.tariffs WHERE valid_to IS NULL OR valid_to > now() - interval '1 day'";
    let rows: Vec<Loaded> = Statement::<Row>::new(text, &[]).load(connection).await?;
    let tariff = |(plan, service, table_id, per_act, per_started_kb, credit, valid_from, valid_to): Loaded| {
        let of = "a tariff in xm.tariffs";
        // A service that this program does not know is asked for by no letter that it accepts: a newer one set it, or somebody
        // mistyped. `check` tells of it.
        let Ok(service) = service.parse() else { return Ok(None) };
        let Ok(credit) = credit.parse() else {
            return Err(unreadable("the rule of credit", of, "expected owe or refuse"));
        };
        Ok(Some(Tariff { plan, service, table_id, per_act, per_started_kb, credit, valid_from, valid_to }))
    };
    rows.into_iter().map(tariff).filter_map(Result::transpose).collect()
}

/// A setting that this program cannot read never becomes a default: it would judge by a rule that nobody made. Nor is it any
/// letter's fault: all wait until it can be read.
fn unreadable(what: &'static str, of: &str, expected: &'static str) -> Fault {
    Fault::Unreadable { what, subject: of.to_owned(), expected }
}
