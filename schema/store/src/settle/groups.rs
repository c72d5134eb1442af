//! Locks and reads the groups to which a batch's rows belong, for checks that look at more than one letter.
//!
//! A group is the set of rows with equal values in some columns, such as the rows of one polling station. Letters for one group are settled
//! one after the other, even if they come from two agencies or are settled by two replicas. So each letter is judged by what the letter
//! before it committed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::future::join_all;
use sdc::digest::Digest;
use sdc::names::folded;

use super::batch::Case;
use super::gathered::relation;
use super::judge::Judged;
use super::transaction::OpenTransaction;
use super::work::Work;
use crate::database::fault::Fault;
use crate::database::identifier::quoted;
use crate::database::statement::{Bind, Statement};
use crate::tables::catalogue::Catalogue;
use crate::tables::definition::Definition;
use crate::tables::examine::{GroupKey, Holdings, Measure, STATUS, TableRows, Totals, group_columns, group_key};

/// Largest number of groups that one batch locks one by one. PostgreSQL has room for only some thousands of locks. A batch with more groups
/// takes a single lock that stands for all groups.
const LOCKS_MAX: usize = 512;

/// What is stored in the database about the groups of a batch.
#[derive(Default)]
pub struct Groups {
    /// Sums and counts over the stored rows of the groups.
    pub holdings: Holdings,
    /// Tables with a check that needs a column or table which cannot be read now, each with the fault. Letters to them have to wait, since
    /// the check cannot be judged.
    pub broken: Vec<(Arc<Definition>, Fault)>,
}

/// Locks the groups of a batch, and reads their sums and counts from the tables. The agencies must be locked already. The caller must not
/// have set a savepoint, because a rollback to a savepoint releases the locks taken after it.
///
/// # Errors
/// The database cannot be reached, or a lock could not be taken in time.
pub async fn hold(transaction: &mut OpenTransaction, batch: &[Case], catalogue: &Catalogue) -> Result<Groups, Fault> {
    lock(transaction.connection(), names(batch, catalogue)).await?;
    let (mut holdings, mut asked) = (Holdings::default(), BTreeMap::new());
    for work in works(batch) {
        // A letter of corrections contains only some records of a group, and these are stored already. So if a check sums over the rows of
        // its letter, the sum is taken over all stored rows of the group.
        let stands_for_letter = !work.corrections().is_empty();
        for rows in work.rows_looked_at() {
            ask(rows, catalogue, stands_for_letter, (&mut holdings, &mut asked));
        }
    }
    if holdings.is_empty() {
        return Ok(Groups::default());
    }
    transaction.connection().batch_execute("SAVEPOINT groups").await?;
    let connection = transaction.shared();
    let reads = holdings.iter_mut().map(|(measure, groups)| read(connection, measure, &asked[measure], groups));
    let all_read: Result<(), Fault> = join_all(reads).await.into_iter().collect();
    let broken = match all_read {
        Ok(()) => Vec::new(),
        Err(_one_of_them) => {
            transaction.connection().batch_execute("ROLLBACK TO SAVEPOINT groups").await?;
            read_one_by_one(transaction, batch, catalogue, &mut holdings, &asked).await?
        }
    };
    transaction.connection().batch_execute("RELEASE SAVEPOINT groups").await?;
    Ok(Groups { holdings, broken })
}

/// Returns the work of each sound letter.
fn works(batch: &[Case]) -> impl Iterator<Item = &Work> {
    batch.iter().filter_map(|case| match &case.judged {
        Judged::Sound { work, .. } => Some(work),
        Judged::Stranger(_) | Judged::Refused { .. } => None,
    })
}

/// Returns one number for each group to lock: the first octets of a digest of the values in the group's columns. If two groups get the same
/// number, they only wait for each other.
fn names(batch: &[Case], catalogue: &Catalogue) -> BTreeSet<i64> {
    let mut names = BTreeSet::new();
    for rows in works(batch).flat_map(Work::rows_looked_at) {
        for on in catalogue.locks(rows.definition.table_id) {
            let columns = group_columns(rows, on);
            let keys: BTreeSet<GroupKey> = (0..rows.row_count()).filter_map(|row| group_key(&columns, row)).collect();
            names.extend(keys.iter().map(|key| {
                let told = on.iter().zip(key).flat_map(|(column, value)| [folded(column), value.clone()]);
                let told: Vec<String> = std::iter::once(rows.definition.application.clone()).chain(told).collect();
                name(&told.join("\0"))
            }));
        }
    }
    names
}

fn name(text: &str) -> i64 {
    let mut octets = [0; 8];
    octets.copy_from_slice(&Digest::of(text.as_bytes()).as_bytes()[..8]);
    i64::from_be_bytes(octets)
}

/// Locks groups in the order of their numbers, so that two transactions cannot deadlock.
async fn lock(connection: &mut AsyncPgConnection, names: BTreeSet<i64>) -> Result<(), Fault> {
    if names.is_empty() {
        return Ok(());
    }
    let all = [Bind::Bigint(name("xm groups"))];
    if names.len() > LOCKS_MAX {
        Statement::<()>::new("SELECT pg_advisory_xact_lock(?)", &all).execute(connection).await?;
        return Ok(());
    }
    Statement::<()>::new("SELECT pg_advisory_xact_lock_shared(?)", &all).execute(connection).await?;
    let names = [Bind::Bigints(names.into_iter().map(Some).collect())];
    Statement::<()>::new("SELECT pg_advisory_xact_lock(name) FROM unnest(?) AS name", &names)
        .execute(connection)
        .await?;
    Ok(())
}

/// Adds the groups that the checks of a letter's table need to the groups that will be read.
fn ask(
    rows: &TableRows,
    catalogue: &Catalogue,
    stands_for_letter: bool,
    (holdings, asked): (&mut Holdings, &mut BTreeMap<Measure, Arc<Definition>>),
) {
    for term in rows.definition.checks.iter().flat_map(|check| check.terms()) {
        let asks = Measure::of(term, &rows.definition, catalogue, stands_for_letter);
        let Some((measure, other)) = asks else { continue };
        let is_readable = measure.on.iter().all(|name| joined_as(&other, name).is_some());
        if !is_readable || measure.column.as_ref().is_some_and(|name| other.column(name).is_none()) {
            continue;
        }
        let columns = group_columns(rows, &measure.on);
        for key in (0..rows.row_count()).filter_map(|row| group_key(&columns, row)) {
            holdings.ask(&measure, key);
        }
        asked.entry(measure).or_insert(other);
    }
}

/// Returns a column's quoted name, and the SQL type to which a letter's value is cast before it is compared with this column.
fn joined_as(definition: &Definition, name: &str) -> Option<(String, &'static str)> {
    let column = definition.column(name)?;
    Some((quoted(&column.name), column.kind.joined_as()?))
}

/// Reads the totals of each group from a table.
async fn read(
    mut connection: &AsyncPgConnection,
    measure: &Measure,
    definition: &Definition,
    groups: &mut HashMap<GroupKey, Totals>,
) -> Result<(), Fault> {
    let joined = measure.on.iter().filter_map(|name| joined_as(definition, name)).enumerate();
    let conditions: Vec<String> = joined.map(|(at, (column, kind))| format!("t.{column} = g.k{at}::{kind}")).collect();
    let (sum, unknown) = match measure.column.as_ref().and_then(|name| definition.column(name)) {
        Some(column) => {
            let column = quoted(&column.name);
            (format!("coalesce(sum(t.{column}), 0)::text"), format!("count(*) - count(t.{column})"))
        }
        None => ("'0'::text".to_owned(), "0::bigint".to_owned()),
    };
    let text = format!(
        "SELECT g.ordinal, s.found, s.total, s.unknown
           FROM unnest({arrays}) WITH ORDINALITY AS g ({names}, ordinal)
          CROSS JOIN LATERAL (SELECT count(*) AS found, {sum} AS total, {unknown} AS unknown
                                FROM {relation} t WHERE {conditions} AND t.{status} <> 0) s",
        arrays = vec!["?"; measure.on.len()].join(", "),
        names = (0..measure.on.len()).map(|at| format!("k{at}")).collect::<Vec<_>>().join(", "),
        relation = relation(definition),
        conditions = conditions.join(" AND "),
        status = quoted(STATUS),
    );
    let keys: Vec<GroupKey> = groups.keys().cloned().collect();
    let array = |at: usize| Bind::Texts(keys.iter().map(|key| Some(key[at].as_str())).collect());
    let binds: Vec<Bind<'_>> = (0..measure.on.len()).map(array).collect();
    let found: Vec<(i64, i64, String, i64)> =
        Statement::<(BigInt, BigInt, Text, BigInt)>::of_columns(&text, &binds).load(&mut connection).await?;
    for (ordinal, rows, sum, unknown) in found {
        let Some(key) = usize::try_from(ordinal - 1).ok().and_then(|at| keys.get(at)) else { continue };
        let sum = sum.parse().map_err(|_no_number| Fault::Bug("a sum of whole numbers is none".to_owned()))?;
        groups.insert(key.clone(), Totals { rows, sum, unknown });
    }
    Ok(())
}

/// Reads each measure (a sum or a count that a check needs) under a savepoint of its own, because reading all of them together has failed.
/// Returns the tables of the batch with a check whose measure cannot be read, each with the fault.
async fn read_one_by_one(
    transaction: &mut OpenTransaction,
    batch: &[Case],
    catalogue: &Catalogue,
    holdings: &mut Holdings,
    asked: &BTreeMap<Measure, Arc<Definition>>,
) -> Result<Vec<(Arc<Definition>, Fault)>, Fault> {
    let mut broken: BTreeMap<i32, (Arc<Definition>, Fault)> = BTreeMap::new();
    let mut unread = Vec::new();
    for (measure, groups) in holdings.iter_mut() {
        transaction.connection().batch_execute("SAVEPOINT measure").await?;
        let Err(fault) = read(transaction.shared(), measure, &asked[measure], groups).await else { continue };
        transaction.connection().batch_execute("ROLLBACK TO SAVEPOINT measure").await?;
        transaction.is_of_a_row(&fault).await?;
        for rows in works(batch).flat_map(Work::rows_looked_at) {
            let asks =
                |term| Measure::of(term, &rows.definition, catalogue, true).is_some_and(|(own, _)| own == *measure);
            if rows.definition.checks.iter().flat_map(|check| check.terms()).any(asks) {
                let definition = Arc::clone(&rows.definition);
                broken.entry(definition.table_id).or_insert((definition, fault.clone()));
            }
        }
        unread.push(measure.clone());
    }
    unread.iter().for_each(|measure| holdings.forget(measure));
    Ok(broken.into_values().collect())
}
