//! Notices about certificates that end: the installations that sign with them get one notice on each of several days before the end.

use chrono::{DateTime, SubsecRound, Utc};
use diesel::sql_types::{Integer, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::answer::notice::NoticeContent;
use sdc::letter::{Matricule, Office};

use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};
use crate::letters::notices;

/// Numbers of days before a certificate's end at which its installations get a notice (SPEC 4, Certificates). An installation that first
/// signs with the certificate 20 days before the end gets the notice for 30 days at once, and never the notice for 60 days.
const DAYS_BEFORE: [i32; 5] = [60, 30, 14, 7, 1];

/// Largest number of notices that are queued after one query.
const TOLD_MAX: usize = 1000;

/// Queues a notice for each installation whose certificate ends soon, once for each of `DAYS_BEFORE`. The certificate of an installation is
/// that of the key that signed its letter with the highest number. If this key has several certificates, the certificate that ends last
/// counts. Returns how many notices were queued.
///
/// # Errors
/// A fault of the database; notices queued before the fault stay queued.
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
        // If notices were due but this step queued none, another process has just queued them, and it will go on with the next ones.
        if due.len() < TOLD_MAX || told == before {
            return Ok(told);
        }
    }
}

/// A notice that an installation has to get.
struct Due {
    to: Office,
    /// SHA-256 of the certificate, in hexadecimal.
    certificate: String,
    ends: DateTime<Utc>,
    /// Number of days until the end, including the day that has begun.
    days: u16,
    /// The number in [`DAYS_BEFORE`] to which the notice belongs.
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
