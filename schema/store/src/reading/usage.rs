//! The numbers of records and octets that agencies received today, which count against their quotas. Today is the day in the centre's time
//! zone.

use std::collections::HashMap;

use diesel::sql_types::{BigInt, Integer};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::letter::Matricule;

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// The amount that an agency has received in answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Number of acts in the answers: each record is one act, and so is each legal key that a certify asked about.
    pub acts: i64,
    /// Number of octets in the containers of the answers.
    pub bytes: i64,
}

impl Usage {
    /// Returns the sum of two usages.
    #[must_use]
    pub fn plus(self, other: Usage) -> Usage {
        Usage { acts: self.acts.saturating_add(other.acts), bytes: self.bytes.saturating_add(other.bytes) }
    }
}

/// Reads today's usage of agencies. An agency that has received nothing today is absent from the map.
///
/// # Errors
/// A fault of the database.
pub async fn read(
    mut connection: &AsyncPgConnection,
    agencies: Vec<Matricule>,
) -> Result<HashMap<Matricule, Usage>, Fault> {
    if agencies.is_empty() {
        return Ok(HashMap::new());
    }
    let text = "SELECT u.agency, u.acts, u.bytes FROM xm.read_usage u, xm.server s
                 WHERE u.agency = ANY(?) AND u.day = (now() AT TIME ZONE s.zone)::date";
    let binds = [Bind::Matricules(agencies.into_iter().map(Some).collect())];
    let rows: Vec<(Matricule, i64, i64)> =
        Statement::<(Integer, BigInt, BigInt)>::new(text, &binds).load(&mut connection).await?;
    Ok(rows.into_iter().map(|(agency, acts, bytes)| (agency, Usage { acts, bytes })).collect())
}
