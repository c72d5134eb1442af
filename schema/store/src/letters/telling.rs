//! Notices that the centre queues by itself: new definitions of tables, and certificates of keys with which the centre will sign. Each
//! installation gets each notice once. Notices about the end of an office's certificate are queued by `certificates::ending`.

use diesel::sql_types::{Array, BigInt, Bytea, Integer, Jsonb, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::answer::notice::{NoticeContent, TableDefinition};
use sdc::letter::{Matricule, Office};
use serde_json::Value;

use super::notices;
use crate::centre::identity::with_revision;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Largest number of notices to queue that one statement finds.
const TOLD_MAX: i64 = 500;

/// Queues the notices of table definitions to installations whose plan has a right to the table. An installation gets the definitions that
/// were adopted after the server began to send definitions. An installation that enrolled after that gets all definitions. Returns how many
/// notices were queued.
///
/// # Errors
/// A fault of the database; the notices queued before the fault stay queued.
pub async fn definitions(connection: &mut AsyncPgConnection) -> Result<usize, Fault> {
    type Row = (Integer, Text, Text, Text, Integer, Array<Text>, Nullable<Text>, Text, Jsonb);
    type Loaded = (Matricule, String, String, String, i32, Vec<String>, Option<String>, String, Value);
    let text = "SELECT i.agency, i.name, t.application, t.name, t.version, t.legal_key, t.scope_column, t.corrections, d.columns
                  FROM xm.server s
                 CROSS JOIN xm.tables t
                  JOIN xm.definitions d ON d.table_id = t.id AND d.version = t.version
                  JOIN xm.rights r ON r.table_id = t.id AND (r.may_export OR r.may_read <> 'none')
                  JOIN xm.agencies a ON a.plan = r.plan AND a.status > 0
                  JOIN xm.installations i ON i.agency = a.matricule AND i.transport IS NOT NULL
                 WHERE t.abandoned_at IS NULL AND greatest(d.adopted_at, i.created_at) > s.told_since
                   AND NOT EXISTS (SELECT FROM xm.notices n
                                    WHERE n.agency = i.agency AND n.installation = i.name AND n.kind = 'definitions'
                                      AND n.about = t.application || '.' || t.name || ' ' || t.version)
                 ORDER BY i.agency, i.name, t.id LIMIT ?";
    let mut told = 0;
    loop {
        let binds = [Bind::Bigint(TOLD_MAX)];
        let due: Vec<Loaded> = Statement::<Row>::new(text, &binds).load(connection).await?;
        let (found, before) = (due.len(), told);
        for (agency, installation, application, table, version, legal_key, scope, corrections, columns) in due {
            let about = format!("{application}.{table} {version}");
            let Value::Array(columns) = columns else { continue };
            let version = version.unsigned_abs();
            let definition = TableDefinition { application, table, version, legal_key, scope, corrections, columns };
            let (to, content) = (Office { agency, installation }, NoticeContent::Definitions(definition));
            told += usize::from(notices::queue(connection, &to, &about, &content).await?.is_some());
        }
        // If notices were due but this step queued none, another process has just queued them, and it will go on with the next ones.
        if found < usize::try_from(TOLD_MAX).unwrap_or(usize::MAX) || told == before {
            return Ok(told);
        }
    }
}

/// What notices about table definitions depend on, as it was last known: the revision of tables, rights and plans, and how many
/// installations have enrolled. Such notices are looked for only when one of the two has changed.
#[derive(Debug, Default)]
pub struct Watch {
    known: Option<(i64, i64)>,
}

impl Watch {
    /// Calls [`definitions`] if tables, rights or plans have changed since the last call, or an installation has enrolled, which can write
    /// no record before it knows the tables. The first call only records the state. Returns how many notices were queued.
    ///
    /// # Errors
    /// A fault of the database; the next call then tries again.
    pub async fn look(&mut self, connection: &mut AsyncPgConnection) -> Result<usize, Fault> {
        let (_server, revision) = with_revision(connection).await?;
        let text = "SELECT count(used_at) FROM xm.enrolment_codes";
        let enrolled: Vec<i64> = Statement::<BigInt>::new(text, &[]).load(connection).await?;
        let now = (revision, enrolled.into_iter().next().unwrap_or_default());
        let told = match self.known {
            Some(known) if known != now => definitions(connection).await?,
            _ => 0,
        };
        self.known = Some(now);
        Ok(told)
    }
}

/// Queues notices with the certificates of the keys with which the centre will sign next, so that offices know these keys before the first
/// answer that they sign. Returns how many notices were queued.
///
/// # Errors
/// A fault of the database; the notices queued before the fault stay queued.
pub async fn centre_certificates(connection: &mut AsyncPgConnection) -> Result<usize, Fault> {
    type Loaded = (Matricule, String, Vec<u8>, Vec<u8>);
    // The certificate of the present key is not sent, since that key signs the notice: an office that does not trust the key cannot trust
    // the notice.
    let text = "SELECT i.agency, i.name, k.certificate, k.fingerprint
                  FROM xm.centre_keys k
                 CROSS JOIN xm.installations i
                  JOIN xm.agencies a ON a.matricule = i.agency AND a.status > 0
                 WHERE k.purpose = 'letters' AND k.state = 'next' AND i.transport IS NOT NULL
                   AND NOT EXISTS (SELECT FROM xm.notices n
                                    WHERE n.agency = i.agency AND n.installation = i.name AND n.kind = 'centre_certificate'
                                      AND n.about = encode(k.fingerprint, 'hex'))
                 ORDER BY i.agency, i.name LIMIT ?";
    let mut told = 0;
    loop {
        let binds = [Bind::Bigint(TOLD_MAX)];
        let due: Vec<Loaded> = Statement::<(Integer, Text, Bytea, Bytea)>::new(text, &binds).load(connection).await?;
        let (found, before) = (due.len(), told);
        for (agency, installation, certificate, fingerprint) in due {
            let content = NoticeContent::announcing(&certificate);
            let to = Office { agency, installation };
            told += usize::from(notices::queue(connection, &to, &hex::encode(fingerprint), &content).await?.is_some());
        }
        if found < usize::try_from(TOLD_MAX).unwrap_or(usize::MAX) || told == before {
            return Ok(told);
        }
    }
}
