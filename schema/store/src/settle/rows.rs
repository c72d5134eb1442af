//! Writes the rows of accepted letters. Each combination of table and columns has one statement, whose text is the same for every batch.
//!
//! A row counts as written only if PostgreSQL counts it. A trigger, rule or inheritance may drop a row or put it elsewhere. Then INSERT
//! returns a smaller number than the number of rows sent, and the letter is refused.

use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::join_all;
use futures_util::join;

use super::batch::Case;
use super::corrections::apply::{apply, are_in};
use super::gathered::{Gathered, gather, is_new};
use super::not_inserted::{NotInserted, kept_rows, not_a_constraint};
use crate::database::StatementLimits;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement, unnested};

/// Largest number of inserts that are sent without waiting for each other. Each insert keeps its bytes in memory until it is sent, so a
/// larger number needs more memory. Besides, `OpenTransaction::shared` relies on `join_all` polling in order, which it does only up to 30
/// futures.
const TOGETHER_MAX: usize = 8;

/// The result of inserting the rows of a whole batch.
pub enum Inserted {
    /// Every row is in its table.
    All,
    /// A row has the identity or legal key of a row that is in the table already.
    SomeAreHeld,
    /// A rule of the database refused a row or dropped it.
    Refused,
    /// Another failure: of the database, of a table that takes no rows of any letter, or of a trigger for some row.
    Failed(Fault),
}

/// Inserts the new rows of every accepted letter. Then makes PostgreSQL check the constraints that it would otherwise check at COMMIT.
/// `limits` apply to the statements after that.
pub async fn insert(connection: &AsyncPgConnection, batch: &[Case], limits: StatementLimits) -> Inserted {
    let mut inserts: Vec<_> =
        gather(batch, is_new(batch)).into_iter().map(|gathered| insert_gathered(connection, gathered)).collect();
    // Corrections change stored rows and are applied one after the other, after all inserts. So if the batch has corrections, every insert
    // is awaited before the first correction.
    let has_corrections = are_in(batch);
    let together_max = if has_corrections { 0 } else { TOGETHER_MAX };
    let last = inserts.split_off(inserts.len().saturating_sub(together_max));
    for insert in inserts {
        if let Err(why) = insert.await {
            return not_inserted(why);
        }
    }
    if has_corrections && let Err(why) = apply(connection, batch).await {
        return not_inserted(why);
    }
    let (inserted, checked, limited) =
        join!(join_all(last), check_deferred(connection), limit_later(connection, limits));
    // The first failed statement has the real cause. The later statements only report that the transaction is aborted.
    match inserted.into_iter().collect::<Result<(), NotInserted>>().and(checked).and(limited) {
        Ok(()) => Inserted::All,
        Err(why) => not_inserted(why),
    }
}

/// Limits the time of later statements. This is a prepared statement like the inserts, so PostgreSQL runs it after them, although it is
/// sent without waiting for them.
async fn limit_later(mut connection: &AsyncPgConnection, limits: StatementLimits) -> Result<(), NotInserted> {
    let text = "SELECT set_config('lock_timeout', ?, true), set_config('statement_timeout', ?, true)";
    let (lock, statement) = (limits.lock.as_millis().to_string(), limits.statement.as_millis().to_string());
    let binds = [Bind::Text(&lock), Bind::Text(&statement)];
    match Statement::<()>::new(text, &binds).execute(&mut connection).await {
        Ok(_one) => Ok(()),
        Err(error) => Err(NotInserted::Failed(error.into())),
    }
}

fn not_inserted(why: NotInserted) -> Inserted {
    match why {
        NotInserted::Held(_) => Inserted::SomeAreHeld,
        NotInserted::Rule(_) => Inserted::Refused,
        NotInserted::Failed(fault) => Inserted::Failed(fault),
    }
}

/// Makes PostgreSQL check deferred constraints now. At COMMIT it would be too late to find the letter that violates one.
pub async fn check_deferred(connection: &AsyncPgConnection) -> Result<(), NotInserted> {
    // PostgreSQL runs prepared statements in the order in which they are sent, so these run after the inserts, although nobody has waited
    // for the inserts.
    let set = async |text| Statement::<()>::new(text, &[]).execute(&mut &*connection).await;
    let (checked, deferred) = join!(set("SET CONSTRAINTS ALL IMMEDIATE"), set("SET CONSTRAINTS ALL DEFERRED"));
    match checked.and(deferred) {
        Ok(_nothing) => Ok(()),
        // A violated deferred constraint of any kind counts as a rule of the table that refuses a row. Even a unique one does not mean that
        // a record is sent again: the unique indexes by which records are recognised are not deferred.
        Err(error) => Err(match Fault::from(error) {
            Fault::Constraint { constraint, .. } => NotInserted::Rule(constraint),
            fault => not_a_constraint(fault),
        }),
    }
}

/// Inserts gathered rows without ON CONFLICT. With ON CONFLICT, PostgreSQL would search every unique index twice for each row and take
/// twice the time, although records are rarely sent twice.
pub async fn insert_gathered(mut connection: &AsyncPgConnection, gathered: Gathered<'_>) -> Result<(), NotInserted> {
    let values: String = gathered.arrays().iter().map(|array| format!("unnest({array}), ")).collect();
    let text = format!(
        "INSERT INTO {relation} ({names}, xm_agency, xm_installation, xm_numero, xm_sequence, xm_letter)
         SELECT {values}{}",
        unnested(5),
        relation = gathered.relation(),
        names = gathered.column_names(),
    );
    let sent = gathered.places.len();
    let binds = gathered.into_insert();
    kept_rows(Statement::<()>::of_columns(&text, &binds).execute(&mut connection).await, sent)
}
