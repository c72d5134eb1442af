//! Agencies that are not suspended but whose letters are all refused, or whose answers cannot be sent.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::database::fault::Fault;

/// Numbers of agencies whose letters or answers fail. One agency may be counted in several of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct Unheard {
    /// Number of agencies that are not suspended.
    #[diesel(sql_type = BigInt)]
    pub agencies: i64,
    /// Number of agencies that are not suspended and have no certificate that is valid now.
    #[diesel(sql_type = BigInt)]
    pub without_certificate: i64,
    /// Number of agencies of status 3 without a granted code, if any adopted table has a scope column. Records for such tables are refused.
    #[diesel(sql_type = BigInt)]
    pub without_grant: i64,
    /// Number of agencies without an e-mail address that have an installation whose last letter came by mail. Its answers would be sent by
    /// mail, so they are given up.
    #[diesel(sql_type = BigInt)]
    pub without_address: i64,
}

/// Counts the agencies that are not suspended, and how many of them can send no letter or receive no answer.
///
/// # Errors
/// The database cannot be reached.
pub async fn unheard(connection: &mut AsyncPgConnection) -> Result<Unheard, Fault> {
    let text = "
        SELECT count(*) AS agencies,
               count(*) FILTER (WHERE NOT EXISTS (
                   SELECT 1 FROM xm.certificates c
                    WHERE c.agency = a.matricule AND c.revoked_at IS NULL AND now() BETWEEN c.not_before AND c.not_after
               )) AS without_certificate,
               count(*) FILTER (WHERE a.status = 3 AND EXISTS (SELECT 1 FROM xm.tables WHERE scope_column IS NOT NULL)
                                  AND NOT EXISTS (SELECT 1 FROM xm.scopes s WHERE s.agency = a.matricule)) AS without_grant,
               count(*) FILTER (WHERE a.email = '' AND EXISTS (
                   SELECT 1 FROM xm.installations i WHERE i.agency = a.matricule AND i.transport = 'mail')) AS without_address
          FROM xm.agencies a WHERE a.status > 0";
    Ok(diesel::sql_query(text).get_result(connection).await?)
}
