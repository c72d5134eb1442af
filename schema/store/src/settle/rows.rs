//! Writes the rows of accepted letters: one statement per table and set of columns, its text the same for every batch.
//!
//! A row counts as written only if PostgreSQL says so: a trigger, rule or inheritance that keeps a row out makes the count that INSERT
//! returns smaller than the number of rows sent, and the letter is refused.

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

/// Most inserts that are sent without waiting for one another. More would hold more memory, since each holds its bytes until it is sent;
/// and above 30 futures `join_all` no longer polls in order, on which `OpenTransaction::shared` relies.
const TOGETHER_MAX: usize = 8;

/// How an insert of a whole batch went.
pub enum Inserted {
    /// Every row is in its table.
    All,
    /// Some rows have the identity or legal key of one already there.
    SomeAreHeld,
    /// A rule of the database itself refused some row, or kept it out.
    Refused,
    /// Something else failed: a table that takes no rows of any letter, a trigger over some row, or the database.
    Failed(Fault),
}

/// Inserts the new rows of every accepted letter, and checks what PostgreSQL would check at COMMIT only. Once all rows are in their
/// tables, `limits` bound the statements that follow.
pub async fn insert(connection: &AsyncPgConnection, batch: &[Case], limits: StatementLimits) -> Inserted {
    let mut inserts: Vec<_> =
        gather(batch, is_new(batch)).into_iter().map(|gathered| insert_gathered(connection, gathered)).collect();
    // What corrects a record comes after all that is new, and one after the other.
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
    // The first statement that failed tells why; those after it tell only that the transaction is aborted.
    match inserted.into_iter().collect::<Result<(), NotInserted>>().and(checked).and(limited) {
        Ok(()) => Inserted::All,
        Err(why) => not_inserted(why),
    }
}

/// Bounds what later statements may take. The statement is prepared like the inserts, so it is done after them, and costs no further
/// message.
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

/// Has PostgreSQL check now what it would check at COMMIT only, when no letter can be blamed any more.
pub async fn check_deferred(connection: &AsyncPgConnection) -> Result<(), NotInserted> {
    // These statements are prepared like the inserts, so they are done after them.
    let set = async |text| Statement::<()>::new(text, &[]).execute(&mut &*connection).await;
    let (checked, deferred) = join!(set("SET CONSTRAINTS ALL IMMEDIATE"), set("SET CONSTRAINTS ALL DEFERRED"));
    match checked.and(deferred) {
        Ok(_nothing) => Ok(()),
        // A deferred constraint of any kind counts as a rule: which record breaks it is not searched for.
        Err(error) => Err(match Fault::from(error) {
            Fault::Constraint { constraint, .. } => NotInserted::Rule(constraint),
            fault => not_a_constraint(fault),
        }),
    }
}

/// Inserts gathered rows, without ON CONFLICT: that would look into every unique index twice for every row and double the time, for
/// records sent twice, which are rare.
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
