//! What the centre tells offices by itself besides certificates that end: definitions of tables as they become, and certificates that
//! the centre is about to sign with. Each installation is told each once.

use diesel::sql_types::{Array, Bytea, Integer, Jsonb, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::answer::notice::{NoticeContent, TableDefinition};
use sdc::letter::{Matricule, Office};
use serde_json::Value;

use super::notices;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Notices that are queued in one look.
const TOLD_MAX: i64 = 500;

/// Tells the definitions of tables that an agency's plan gives a right to: those adopted since this was told first, and to
/// installations that came since then all of them. Returns how many notices were queued.
///
/// # Errors
/// A fault; those before it stay queued.
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
        // Where another process told all of them meanwhile, it goes on with the rest.
        if found < usize::try_from(TOLD_MAX).unwrap_or(usize::MAX) || told == before {
            return Ok(told);
        }
    }
}

/// Tells the certificates of keys that the centre is about to sign with. Returns how many notices were queued.
///
/// # Errors
/// A fault; those before it stay queued.
pub async fn centre_certificates(connection: &mut AsyncPgConnection) -> Result<usize, Fault> {
    type Loaded = (Matricule, String, Vec<u8>, Vec<u8>);
    // A key that is the present one already is none to be told: who does not believe it yet would not believe the notice.
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
