//! Agencies that are not suspended and whose every letter is refused or unanswered all the same.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::database::fault::Fault;

/// How many such agencies there are; one agency may count in several numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct Unheard {
    /// Agencies that are not suspended.
    #[diesel(sql_type = BigInt)]
    pub agencies: i64,
    /// Of those, agencies without a certificate that is valid now.
    #[diesel(sql_type = BigInt)]
    pub without_certificate: i64,
    /// Of those that may send records, agencies without a code of any scope, where some adopted table has one.
    #[diesel(sql_type = BigInt)]
    pub without_grant: i64,
    /// Of those, agencies without an e-mail address of which an installation wrote by mail last: its answers are given up.
    #[diesel(sql_type = BigInt)]
    pub without_address: i64,
}

/// Counts the agencies that are not suspended, and those of them whose letters or answers have no way through.
///
/// # Errors
/// The database is away.
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
