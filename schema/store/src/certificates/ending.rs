//! Certificates that end: the installations that sign with them are told in time, some days before, each day once.

use chrono::{DateTime, SubsecRound, Utc};
use diesel::sql_types::{Integer, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::answer::notice::NoticeContent;
use sdc::letter::{Matricule, Office};

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};
use crate::letters::notices;

/// Days before a certificate's end at which its installations are told (SPEC 4, Certificates). An installation that comes late gets only
/// the notice of the nearest day.
const DAYS_BEFORE: [i32; 5] = [60, 30, 14, 7, 1];

/// Most installations that are told after one query.
const TOLD_MAX: usize = 1000;

/// Queues a notice for each installation whose certificate ends soon, once for each of `DAYS_BEFORE`. The installation's certificate is
/// that of the key that signed its letter of the highest number; where that key has several, the one that ends last. Returns how many
/// notices were queued.
///
/// # Errors
/// A fault; notices queued before it stay queued.
pub async fn tell(connection: &mut AsyncPgConnection) -> Result<usize, Fault> {
    let mut told = 0;
    loop {
        let (due, before) = (due(connection).await?, told);
        for Due { to, certificate, ends, days, days_before } in &due {
            let about = format!("{certificate} {days_before}");
            let content = NoticeContent::CertificateEnds {
                certificate: certificate.clone(),
                ends: ends.trunc_subsecs(0),
                days: *days,
            };
            told += usize::from(notices::queue(connection, to, &about, &content).await?.is_some());
        }
        // Where another process has queued all of these meanwhile, that process goes on with the rest.
        if due.len() < TOLD_MAX || told == before {
            return Ok(told);
        }
    }
}

/// What an installation is to be told.
struct Due {
    to: Office,
    /// SHA-256 of the certificate, in hexadecimal.
    certificate: String,
    ends: DateTime<Utc>,
    /// Days left, including the day that has begun.
    days: u16,
    /// The one of [`DAYS_BEFORE`] that the notice is for.
    days_before: i32,
}

async fn due(connection: &mut AsyncPgConnection) -> Result<Vec<Due>, Fault> {
    type Row = (Integer, Text, Text, Timestamptz, Integer, Integer);
    type Loaded = (Matricule, String, String, DateTime<Utc>, i32, i32);
    let text = "SELECT i.agency, i.name, encode(c.fingerprint, 'hex'), c.not_after,
                       ceil(extract(epoch FROM c.not_after - now()) / 86400)::integer, d.days_before
                  FROM xm.installations i
                  JOIN xm.agencies a ON a.matricule = i.agency AND a.status > 0
                  JOIN xm.certificates u ON u.id = i.certificate
                  JOIN xm.agency_keys k ON k.spki_sha256 = u.spki_sha256 AND k.revoked_at IS NULL
                 CROSS JOIN LATERAL (SELECT v.fingerprint, v.not_after FROM xm.certificates v
                                      WHERE v.spki_sha256 = u.spki_sha256 AND v.revoked_at IS NULL
                                      ORDER BY v.not_after DESC LIMIT 1) c
                 CROSS JOIN LATERAL (SELECT min(b) AS days_before FROM unnest(?) b
                                      WHERE c.not_after <= now() + make_interval(days => b)) d
                 WHERE c.not_after > now() AND d.days_before IS NOT NULL
                   AND NOT EXISTS (SELECT FROM xm.notices n
                                    WHERE n.agency = i.agency AND n.installation = i.name AND n.kind = 'certificate_ends'
                                      AND n.about = encode(c.fingerprint, 'hex') || ' ' || d.days_before)
                 ORDER BY i.agency, i.name LIMIT ?";
    let binds = [
        Bind::Integers(DAYS_BEFORE.into_iter().map(Some).collect()),
        Bind::Bigint(i64::try_from(TOLD_MAX).unwrap_or(i64::MAX)),
    ];
    let rows: Vec<Loaded> = Statement::<Row>::new(text, &binds).load(connection).await?;
    let due = |(agency, installation, certificate, ends, days, days_before): Loaded| {
        let days = u16::try_from(days).unwrap_or(u16::MAX);
        Due { to: Office { agency, installation }, certificate, ends, days, days_before }
    };
    Ok(rows.into_iter().map(due).collect())
}
