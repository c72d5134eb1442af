//! The catalogue: the data of the centre by which letters are judged (the server's name and mode, tables, rights and prices).
//!
//! The catalogue is read as a whole, kept as one immutable value and shared. Every settling transaction compares `revision` with the
//! database, so letters are never decided by an outdated copy. A change by any tool takes effect with the next batch on every replica.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use diesel::deserialize::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Untyped};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::names::folded;

use crate::centre::identity::{Server, with_revision};
use crate::database::fault::Fault;
use crate::database::identifier::is_plain;
use crate::database::statement::Statement;
use crate::ledger::prices::Prices;
use crate::tables::definition::{Check, Column, Corrections, Definition, Term};
use crate::tables::rights::{CertifyGives, Quota, Rights, Whose};

/// One immutable copy of the centre's catalogue.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Revision number, which increases with every change of tables, rights or tariffs.
    pub revision: i64,
    /// Name, mode, currency and zone of the server.
    pub server: Server,
    /// Prices of the services, by the tariffs.
    pub prices: Prices,
    tables: HashMap<(String, String), Arc<Definition>>,
    rights: HashMap<String, HashMap<i32, Rights>>,
    quotas: HashMap<String, Quota>,
    locks: HashMap<i32, BTreeSet<Vec<String>>>,
}

impl Catalogue {
    /// Reads the catalogue in one snapshot.
    ///
    /// # Errors
    /// A fault of the database, or a definition in it that this program cannot read.
    pub async fn load(connection: &mut AsyncPgConnection) -> Result<Catalogue, Fault> {
        let (server, revision) = with_revision(connection).await?;
        let (tables, rights) = (load_tables(connection).await?, load_rights(connection).await?);
        let (locks, quotas) = (locks(&tables, &rights), load_quotas(connection).await?);
        let prices = Prices::load(connection).await?;
        Ok(Catalogue { revision, server, prices, tables, rights, quotas, locks })
    }

    /// Finds an adopted table by application and name; the case of the name does not matter.
    pub fn table(&self, application: &str, name: &str) -> Option<Arc<Definition>> {
        self.tables.get(&(application.to_owned(), folded(name))).cloned()
    }

    /// Returns the sets of columns whose values divide a table's rows into groups. A check may add up all rows of a group, whichever
    /// letters sent them. So each group is locked until the letter is settled: two letters for one group must not be judged without each
    /// other.
    pub fn locks(&self, table_id: i32) -> impl Iterator<Item = &[String]> {
        self.locks.get(&table_id).into_iter().flatten().map(Vec::as_slice)
    }

    /// Finds an adopted table by its id.
    pub fn table_of(&self, table_id: i32) -> Option<Arc<Definition>> {
        self.tables.values().find(|definition| definition.table_id == table_id).cloned()
    }

    /// Finds the adopted tables of a name, in any application; the case of the name does not matter.
    pub fn tables_named(&self, name: &str) -> Vec<Arc<Definition>> {
        let name = folded(name);
        self.tables
            .iter()
            .filter(|((_, known), _)| *known == name)
            .map(|(_, definition)| Arc::clone(definition))
            .collect()
    }

    /// Returns the rights of a plan's agencies to a table. A plan without an entry has no rights.
    pub fn right(&self, table_id: i32, plan: &str) -> Rights {
        self.rights.get(plan).and_then(|tables| tables.get(&table_id)).copied().unwrap_or_default()
    }

    /// Says whether agencies of a plan may export to a table.
    pub fn may_export(&self, table_id: i32, plan: &str) -> bool {
        self.right(table_id, plan).may_export
    }

    /// Returns the limits on what an agency of a plan may receive in a day.
    pub fn quota(&self, plan: &str) -> Quota {
        self.quotas.get(plan).copied().unwrap_or_default()
    }
}

#[cfg(test)]
impl Catalogue {
    /// Makes a catalogue without tables, with one tariff that prices every export.
    pub(crate) fn of_one_tariff(per_act: i64, per_started_kb: i64, credit: sdc::service::Credit) -> Catalogue {
        let server = Server::new("centre", sdc::letter::Mode::Live);
        let prices = Prices::of_one_rule(per_act, per_started_kb, credit);
        Catalogue {
            revision: 1,
            server,
            prices,
            tables: HashMap::new(),
            rights: HashMap::new(),
            quotas: HashMap::new(),
            locks: HashMap::new(),
        }
    }
}

/// A row read from the database: a table with its current definition.
#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Integer)]
    table_id: i32,
    #[diesel(sql_type = Text)]
    application: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    schema_name: String,
    #[diesel(sql_type = Text)]
    relation_name: String,
    #[diesel(sql_type = Integer)]
    version: i32,
    #[diesel(sql_type = Nullable<Text>)]
    scope_column: Option<String>,
    #[diesel(sql_type = Array<Text>)]
    legal_key: Vec<String>,
    #[diesel(sql_type = Text)]
    corrections: String,
    #[diesel(sql_type = Bool)]
    results: bool,
    #[diesel(sql_type = Jsonb)]
    checks: serde_json::Value,
    #[diesel(sql_type = Nullable<Jsonb>)]
    notes: Option<serde_json::Value>,
    #[diesel(sql_type = Jsonb)]
    columns: serde_json::Value,
}

async fn load_tables(connection: &mut AsyncPgConnection) -> Result<HashMap<(String, String), Arc<Definition>>, Fault> {
    let text =
        "SELECT t.id AS table_id, t.application, t.name, t.schema_name, t.relation_name, t.version, t.scope_column,
                       t.legal_key, t.corrections, t.results, t.checks, t.notes, d.columns
                  FROM xm.tables t JOIN xm.definitions d ON d.table_id = t.id AND d.version = t.version
                 WHERE t.abandoned_at IS NULL";
    let rows: Vec<Row> = Statement::<Untyped>::new(text, &[]).load(connection).await?;
    let mut tables = HashMap::with_capacity(rows.len());
    for row in rows {
        let definition = row.read()?;
        tables.insert((definition.application.clone(), folded(&definition.name)), Arc::new(definition));
    }
    Ok(tables)
}

impl Row {
    /// Reads the definition. An unreadable definition is not replaced by a guess, because letters would be judged by a rule that nobody
    /// made. The fault is not caused by any letter, so all letters wait until the definition can be read.
    fn read(self) -> Result<Definition, Fault> {
        let subject = format!("table {}.{}", self.application, self.name);
        let unreadable = |what| Fault::Unreadable { what, subject: subject.clone(), expected: "adopt the table again" };
        let checks: Vec<Check> = serde_json::from_value(self.checks).map_err(|_detail| unreadable("a check"))?;
        let columns: Vec<Column> =
            serde_json::from_value(self.columns).map_err(|_detail| unreadable("the definition"))?;
        let are_plain = columns.iter().all(|column| is_plain(&column.name))
            && self.legal_key.iter().all(|name| is_plain(name))
            && is_plain(&self.schema_name)
            && is_plain(&self.relation_name);
        if !are_plain {
            return Err(unreadable("a name"));
        }
        let corrections = match self.corrections.as_str() {
            "never" => Corrections::Never,
            "after_approval" => Corrections::AfterApproval,
            "by_agency" => Corrections::ByAgency,
            _ => return Err(unreadable("the rule of corrections")),
        };
        Ok(Definition {
            table_id: self.table_id,
            application: self.application,
            name: self.name,
            schema_name: self.schema_name,
            relation_name: self.relation_name,
            version: self.version,
            scope_column: self.scope_column,
            legal_key: self.legal_key,
            corrections,
            results: self.results,
            checks,
            notes: self.notes.map(serde_json::from_value).transpose().map_err(|_detail| unreadable("the notes"))?,
            columns,
        })
    }
}

/// Finds the groups that must be locked. If a check looks at a table that letters write to, the rows of both tables are grouped by the
/// columns that join them. A table that only the centre writes, such as a list of stations, needs no lock, since no letter changes it.
fn locks(
    tables: &HashMap<(String, String), Arc<Definition>>,
    rights: &HashMap<String, HashMap<i32, Rights>>,
) -> HashMap<i32, BTreeSet<Vec<String>>> {
    let of_plans = rights.values().flatten().filter(|(_, right)| right.may_export);
    let written: HashSet<i32> = of_plans.map(|(table_id, _)| *table_id).collect();
    let mut locks: HashMap<i32, BTreeSet<Vec<String>>> = HashMap::new();
    for definition in tables.values() {
        let terms = definition.checks.iter().flat_map(Check::terms).filter(|term| term.is_of_tables());
        for (table, on) in terms.filter_map(Term::joined) {
            let Some(other) = tables.get(&(definition.application.clone(), folded(table))) else { continue };
            if !written.contains(&other.table_id) {
                continue;
            }
            let mut columns = on.to_vec();
            columns.sort_by_key(|column| folded(column));
            for table_id in [definition.table_id, other.table_id] {
                locks.entry(table_id).or_default().insert(columns.clone());
            }
        }
    }
    locks
}

async fn load_rights(connection: &mut AsyncPgConnection) -> Result<HashMap<String, HashMap<i32, Rights>>, Fault> {
    type Row = (Integer, Text, Bool, Text, Text, Text);
    let text = "SELECT table_id, plan, may_export, may_read, may_certify, certify_gives FROM xm.rights";
    let rows: Vec<(i32, String, bool, String, String, String)> =
        Statement::<Row>::new(text, &[]).load(connection).await?;
    let mut rights: HashMap<String, HashMap<i32, Rights>> = HashMap::new();
    for (table_id, plan, may_export, may_read, may_certify, certify_gives) in rows {
        let unreadable = || Fault::Unreadable {
            what: "a right",
            subject: format!("plan {plan} in xm.rights"),
            expected: "expected none, own or all, and verdict or record",
        };
        let right = Rights {
            may_export,
            may_read: Whose::parse(&may_read).ok_or_else(unreadable)?,
            may_certify: Whose::parse(&may_certify).ok_or_else(unreadable)?,
            certify_gives: CertifyGives::parse(&certify_gives).ok_or_else(unreadable)?,
        };
        rights.entry(plan).or_default().insert(table_id, right);
    }
    Ok(rights)
}

async fn load_quotas(connection: &mut AsyncPgConnection) -> Result<HashMap<String, Quota>, Fault> {
    type Row = (Text, Nullable<BigInt>, Nullable<BigInt>);
    let text = "SELECT name, read_acts_per_day, read_bytes_per_day FROM xm.plans";
    let rows: Vec<(String, Option<i64>, Option<i64>)> = Statement::<Row>::new(text, &[]).load(connection).await?;
    Ok(rows.into_iter().map(|(plan, acts, bytes)| (plan, Quota { acts, bytes })).collect())
}
