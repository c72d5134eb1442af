//! Sample databases for trials, the demo and tests. One call creates the tables of an application and adopts them, so that letters can
//! write to them.

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};

use crate::error::{AdministrationError, InvalidValue};
use crate::people::operator::Operator;
use crate::people::privilege::Operation;
use crate::tables::{self, Adoption, TablesFile};

/// A sample: the SQL that creates its tables, and the definition file by which the tables are adopted.
struct Sample {
    name: &'static str,
    sql: &'static str,
    definitions: &'static str,
    /// Views over the adopted tables, as SQL.
    views: &'static str,
}

const SAMPLES: &[Sample] = &[
    Sample {
        name: "ecr",
        sql: include_str!("../samples/ecr.sql"),
        definitions: include_str!("../samples/ecr.toml"),
        views: "",
    },
    Sample {
        name: "election",
        sql: include_str!("../samples/election.sql"),
        definitions: include_str!("../samples/election.toml"),
        views: include_str!("../samples/election_views.sql"),
    },
];

/// A definition file with an explanation of every key, for operators who write a definition file of their own.
pub const DEFINITION_FILE: &str = include_str!("../samples/tables.toml");

/// Returns the names of the samples.
pub fn names() -> impl Iterator<Item = &'static str> {
    SAMPLES.iter().map(|sample| sample.name)
}

/// Returns a sample's definition file.
///
/// # Errors
/// The sample is unknown.
pub fn definitions(name: &str) -> Result<TablesFile, AdministrationError> {
    TablesFile::parse(find(name)?.definitions)
}

/// Creates a sample's tables and adopts them, all in one transaction.
///
/// # Errors
/// The sample is unknown; a schema of its name exists; a fault.
pub async fn restore(
    connection: &mut AsyncPgConnection,
    operator: &Operator,
    name: &str,
) -> Result<Vec<Adoption>, AdministrationError> {
    operator.require(connection, Operation::TableAdopt).await?;
    let sample = find(name)?;
    let definitions = TablesFile::parse(sample.definitions)?;
    connection
        .transaction(async |connection| {
            connection.batch_execute(sample.sql).await?;
            let adoptions = tables::adopt(connection, operator, &definitions).await?;
            connection.batch_execute(sample.views).await?;
            Ok(adoptions)
        })
        .await
}

fn find(name: &str) -> Result<&'static Sample, AdministrationError> {
    SAMPLES
        .iter()
        .find(|sample| sample.name == name)
        .ok_or_else(|| InvalidValue::SampleName { known: names().collect() }.into())
}
