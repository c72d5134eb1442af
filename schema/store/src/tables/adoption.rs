//! Adoption: letters can write to a table that operators made with any tool after the program has read it, judged it, added its own columns
//! and indexes, and recorded a version of its definition.
//!
//! Adoption adds to the operators' table only the columns of provenance (`xm_…`, which say which letter each record came from), two unique
//! indexes (one record per agency, installation and number; one live record per legal key) and an index of the cancelled records. It also
//! creates a view through which agencies read the table (`reading::login`). All of this happens in one transaction.

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use serde::Serialize;
use serde_json::json;

mod abandon;
pub(crate) mod adopted;
pub(crate) mod change;
mod drift;
pub(crate) mod file;
mod guard;
mod inspect;
mod judge;
mod mark;
pub(crate) mod mistake;
pub(crate) mod problem;
mod record;
mod show;
#[cfg(test)]
mod tests;

pub use abandon::abandon;
pub use adopted::{Adopted, find, list};
pub use change::{Change, Outcome};
pub use drift::{Drift, check};
pub use file::{Rights, TableFile, TablesFile};
pub use guard::{Trigger, Warning};
pub use mistake::{Mistake, MistakeProblem};
pub use problem::{Problem, ProblemCode};
pub use show::{CheckShown, ColumnShown, RightShown, Shown, show};

use crate::database::identifier::is_plain;
use crate::error::AdministrationError;
use crate::people::action::AuditAction;
use crate::people::audit;
use crate::people::operator::Operator;
use crate::people::privilege::Operation;
use crate::reading::login;
use guard::Guard;
use inspect::Relation;
use record::Recorded;

/// The result of adopting one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adoption {
    /// Key in `xm.tables`.
    pub table_id: i32,
    /// Application and name, such as `ecr.ActeNaissance`.
    pub table: String,
    /// Current version of the definition.
    pub version: i32,
    /// Whether the table is new, changed or unchanged.
    pub outcome: Outcome,
    /// Differences from the previous adoption; empty for a new table.
    pub changes: Vec<Change>,
    /// Facts that the operator should know although they do not prevent the adoption.
    pub warnings: Vec<Warning>,
}

/// Adopts every table of a definition file, or none.
///
/// Adopting a table again without changes alters nothing. After an ALTER TABLE, the next adoption gives the definition a new version, and
/// letters are judged by this version from then on.
///
/// # Errors
/// [`AdministrationError::TableUnfit`] with every problem of the first table that cannot be adopted; an unknown plan; a fault.
pub async fn adopt(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    file: &TablesFile,
) -> Result<Vec<Adoption>, AdministrationError> {
    operator.require(connection, Operation::TableAdopt).await?;
    connection
        .transaction(async |connection| {
            // Letters name tables in any case, so two tables may not have names that differ only in case. Without the lock, two operators
            // could adopt two such tables at the same time.
            connection.batch_execute("LOCK TABLE xm.tables IN SHARE ROW EXCLUSIVE MODE").await?;
            let mut adoptions = Vec::with_capacity(file.tables.len());
            for table in &file.tables {
                adoptions.push(adopt_one(connection, operator, file, table).await?);
            }
            Ok(adoptions)
        })
        .await
}

async fn adopt_one(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    file: &TablesFile,
    table: &TableFile,
) -> Result<Adoption, AdministrationError> {
    let (schema_name, relation_name) = (file.schema_name(), table.relation_name());
    let full_name = format!("{}.{}", file.application, table.name);
    let unfit = |problems| AdministrationError::TableUnfit { table: full_name.clone(), problems };
    let names = [&table.name, relation_name, schema_name, &file.application];
    if let Some(name) = names.into_iter().find(|name| !is_plain(name)) {
        return Err(unfit(vec![Problem::new(ProblemCode::NameNotPlain).with("name", name)]));
    }
    if matches!(schema_name, "xm" | "pg_catalog" | "information_schema") {
        return Err(unfit(vec![Problem::new(ProblemCode::SchemaReserved).with("schema", schema_name)]));
    }
    let Some(relation) = Relation::find(connection, schema_name, relation_name).await? else {
        let missing = Problem::new(ProblemCode::RelationMissing).with("relation", relation_name);
        return Err(unfit(vec![missing.with("schema", schema_name)]));
    };
    let guard = Guard::find(connection, schema_name, relation_name).await?;
    let mut problems = guard.problems();
    problems.extend(judge::problems(connection, file, table, &relation).await?);
    if !problems.is_empty() {
        return Err(unfit(problems));
    }
    mark::mark(connection, schema_name, relation_name, &table.legal_key).await?;
    let columns = relation.definition_columns(&table.multiline);
    let triggers = json!(guard::triggers(connection, schema_name, relation_name).await?);
    let Recorded { table_id, version, outcome, changes } =
        record::record(connection, file, table, &columns, &triggers).await?;
    login::adopt(connection, table_id, schema_name, relation_name, &columns).await?;
    if outcome != Outcome::Unchanged {
        let action =
            AuditAction::TableAdopt { table: &full_name, outcome, version, changes: &changes, definition: table };
        audit::write(connection, operator, &action).await?;
    }
    Ok(Adoption { table_id, table: full_name, version, outcome, changes, warnings: guard.warnings() })
}
