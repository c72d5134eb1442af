//! Writes the rows of accepted letters: one statement per table and set of columns, its text the same for every batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::join_all;
use futures_util::join;
use uuid::Uuid;

use super::arrival::Arrival;
use super::decide::Decision;
use crate::definition::{ColumnType, Definition};
use crate::examine::{ColumnValues, TableRows};
use crate::fault::{ConstraintKind, Fault, is_about_structure};
use crate::identifier::quoted;
use crate::statement::{Bind, Statement, unnested};

/// Most inserts sent without waiting for one another. Each holds its bytes until it is sent; and nobody says in which order
/// `join_all` polls more than thirty.
const TOGETHER_MAX: usize = 8;

/// How an insert of a whole batch went.
pub enum Inserted {
    /// Every row is in its table.
    All,
    /// Some rows have the identity or legal key of one already there.
    SomeAreHeld,
    /// A rule of the database itself refused some row.
    Refused,
}

/// Rows of many letters for one table and one set of columns.
pub struct Gathered<'a> {
    pub definition: Arc<Definition>,
    columns: &'a [usize],
    values: Vec<Bind<'a>>,
    agencies: Vec<Option<i32>>,
    installations: Vec<Option<&'a str>>,
    numeros: Vec<Option<i64>>,
    sequences: Vec<Option<i64>>,
    letters: Vec<Option<Uuid>>,
    /// Where each row stands: place in the batch, table in the letter, row in the table.
    pub places: Vec<(usize, usize, usize)>,
}

/// Inserts the new rows of every accepted letter, and checks what PostgreSQL would check at COMMIT only.
pub async fn insert(
    connection: &AsyncPgConnection,
    batch: &[Arrival],
    decisions: &[Decision],
) -> Result<Inserted, Fault> {
    let mut inserts: Vec<_> =
        gather(batch, decisions, true).into_iter().map(|gathered| gathered.insert(connection)).collect();
    let last = inserts.split_off(inserts.len().saturating_sub(TOGETHER_MAX));
    for insert in inserts {
        if let Err(fault) = insert.await {
            return not_inserted(fault);
        }
    }
    let (inserted, checked) = join!(join_all(last), check_deferred(connection));
    // The first that failed tells why; those behind it only that the transaction is aborted.
    if let Err(fault) = inserted.into_iter().collect::<Result<(), Fault>>() {
        return not_inserted(fault);
    }
    checked.map_or_else(refused, |()| Ok(Inserted::All))
}

fn not_inserted(fault: Fault) -> Result<Inserted, Fault> {
    match fault {
        Fault::Constraint { kind: ConstraintKind::Unique, .. } => Ok(Inserted::SomeAreHeld),
        fault => refused(fault),
    }
}

fn refused(fault: Fault) -> Result<Inserted, Fault> {
    if rule_of_the_database(&fault).is_some() { Ok(Inserted::Refused) } else { Err(fault) }
}

/// Has PostgreSQL check now what it would check at COMMIT only, when no letter can be blamed any more.
pub async fn check_deferred(connection: &AsyncPgConnection) -> Result<(), Fault> {
    // Prepared like the inserts, and so behind them.
    let set = async |text| Statement::<()>::new(text, &[]).execute(&mut &*connection).await;
    let (checked, deferred) = join!(set("SET CONSTRAINTS ALL IMMEDIATE"), set("SET CONSTRAINTS ALL DEFERRED"));
    checked.and(deferred)?;
    Ok(())
}

/// Gathers rows of accepted letters, either the new ones or all, in the order of decisions.
pub fn gather<'a>(batch: &[Arrival], decisions: &'a [Decision], only_new: bool) -> Vec<Gathered<'a>> {
    let mut groups: BTreeMap<(i32, &[usize]), Gathered> = BTreeMap::new();
    for (at, (arrival, decision)) in batch.iter().zip(decisions).enumerate() {
        let Decision::Accepted { key, acceptance, .. } = decision else { continue };
        let Some(signer) = arrival.signer() else { continue };
        for (table, rows) in acceptance.tables.iter().enumerate() {
            let group = groups
                .entry((rows.definition.table_id, rows.columns.as_slice()))
                .or_insert_with(|| Gathered::empty(rows));
            let is_wanted = |row: &usize| !only_new || acceptance.is_new[table][*row];
            let wanted: Vec<usize> = (0..rows.row_count()).filter(is_wanted).collect();
            for (to, from) in group.values.iter_mut().zip(&rows.values) {
                from.push_onto(&wanted, to);
            }
            group.agencies.extend(wanted.iter().map(|_| Some(signer.matricule.as_i32())));
            group.installations.extend(wanted.iter().map(|_| Some(key.installation.as_str())));
            group.numeros.extend(wanted.iter().map(|&row| Some(rows.numeros[row])));
            group.sequences.extend(wanted.iter().map(|_| key.sequence));
            group.letters.extend(wanted.iter().map(|_| Some(key.letter_id)));
            group.places.extend(wanted.iter().map(|&row| (at, table, row)));
        }
    }
    groups.into_values().filter(|group| !group.places.is_empty()).collect()
}

impl<'a> Gathered<'a> {
    fn empty(rows: &'a TableRows) -> Gathered<'a> {
        Gathered {
            definition: Arc::clone(&rows.definition),
            columns: &rows.columns,
            values: rows.values.iter().map(ColumnValues::empty_bind).collect(),
            agencies: vec![],
            installations: vec![],
            numeros: vec![],
            sequences: vec![],
            letters: vec![],
            places: vec![],
        }
    }

    /// Inserts the rows. Plainly: records sent twice are rare, and ON CONFLICT would look into every unique index twice for
    /// every row, which takes as long again.
    pub async fn insert(self, mut connection: &AsyncPgConnection) -> Result<(), Fault> {
        let names = self.column_names();
        let values: String = self.arrays().iter().map(|array| format!("unnest({array}), ")).collect();
        let text = format!(
            "INSERT INTO {relation} ({names}, xm_agency, xm_installation, xm_numero, xm_sequence, xm_letter)
             SELECT {values}{}",
            unnested(5),
            relation = self.relation(),
        );
        let mut binds = self.values;
        binds.push(Bind::Integers(self.agencies));
        binds.push(Bind::Texts(self.installations));
        binds.push(Bind::Bigints(self.numeros));
        binds.push(Bind::Bigints(self.sequences));
        binds.push(Bind::Uuids(self.letters));
        Statement::<()>::new(&text, &binds).execute(&mut connection).await?;
        Ok(())
    }

    /// Returns the table's quoted name.
    pub fn relation(&self) -> String {
        format!("{}.{}", quoted(&self.definition.schema_name), quoted(&self.definition.relation_name))
    }

    /// Returns the quoted names of the columns, separated by commas.
    pub fn column_names(&self) -> String {
        let names: Vec<String> = self.names().map(quoted).collect();
        names.join(", ")
    }

    /// Returns the names of the columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|&index| self.definition.columns[index].name.as_str())
    }

    /// Returns one placeholder per column, with a cast where the bind's type is not the column's.
    pub fn arrays(&self) -> Vec<&'static str> {
        let array = |&index: &usize| match self.definition.columns[index].kind {
            ColumnType::Numeric { .. } => "?::numeric[]",
            _ => "?",
        };
        self.columns.iter().map(array).collect()
    }

    /// Takes the binds of columns and identity, to compare with what is held.
    pub fn into_comparison_binds(self) -> Vec<Bind<'a>> {
        let mut binds = self.values;
        binds.push(Bind::Integers(self.agencies));
        binds.push(Bind::Texts(self.installations));
        binds.push(Bind::Bigints(self.numeros));
        binds
    }
}

/// Returns the rule of a table that refused a row, or nothing where the fault is not the row's: a database that is
/// away, or a table that no longer is what was adopted.
pub fn rule_of_the_database(fault: &Fault) -> Option<String> {
    match fault {
        Fault::Constraint { constraint, .. } => Some(constraint.clone()),
        // The message of a trigger may quote the row, so it is not handed on.
        Fault::Bug(message) if !is_about_structure(message) => Some("a rule of the database".to_owned()),
        Fault::Bug(_) | Fault::Away(_) | Fault::Busy(_) => None,
    }
}
