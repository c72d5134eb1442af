//! Notices: letters that the centre sends on its own initiative, and not as an answer. A notice is queued once, gets a number within its
//! installation, and is sent by the transport of that installation's last letter.
//!
//! A notice is stored as JSON. Its transport, form, cipher and certificate are chosen when the notice is leased, since an office that has
//! changed its transport no longer reads the former one.

use std::time::Duration;

use chrono::Utc;
use diesel::sql_types::{BigInt, Bool, Bytea, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sdc::answer::notice::{Notice, NoticeContent};
use sdc::letter::{FORMAT_VERSION, Matricule, Mode, Office};
use sdc::payload::{self, PayloadForm};
use uuid::Uuid;

use super::leased::{HTTP, LeasedAnswer, LeasedNotice, Recipient, read_cipher};
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Number of notices beyond the highest stored number that an office may acknowledge. A centre that was restored from a backup may have
/// lost notices.
pub const NUMBERS_LOST_MAX: i64 = 1000;

/// Number of times that a notice is sent without an acknowledgement. The last time is about a year after the first.
const SENDS_MAX: i32 = 55;

/// Largest number of notices that one statement queues again or deletes, so that no statement takes long. The caller repeats the statement.
const AGAIN_MAX: i64 = 1000;

/// Condition that a notice `n` is for one of the given installations.
const TO_GIVEN: &str = "AND (n.agency, n.installation) IN (SELECT * FROM unnest(?, ?))";

/// Value in the column `transport` of `xm.outbox` for a notice. The real transport is that of the installation when the notice is leased.
pub const NOTICE: &str = "notice";

/// Queues a notice for an installation, in its own transaction or in the caller's. `about` is a key: an installation gets only one notice
/// of each kind and key. Returns the notice's id. Returns `None` if the installation already has that notice. Also returns `None` if the
/// installation has not sent a letter yet, since no transport to it is known then.
///
/// # Errors
/// A fault of the database.
pub async fn queue(
    connection: &mut AsyncPgConnection,
    to: &Office,
    about: &str,
    content: &NoticeContent,
) -> Result<Option<Uuid>, Fault> {
    queue_at(connection, to, about, content, None).await
}

/// Queues a notice as [`queue`] does. If `email` is given, the first mail with the
/// notice goes to that address; if the notice must be sent again, it goes to the agency's address.
///
/// # Errors
/// A fault of the database.
pub async fn queue_at(
    connection: &mut AsyncPgConnection,
    to: &Office,
    about: &str,
    content: &NoticeContent,
    email: Option<&str>,
) -> Result<Option<Uuid>, Fault> {
    connection
        .transaction(async |connection| {
            let Some(next) = next_notice(connection, to).await? else { return Ok(None) };
            let id = Uuid::now_v7();
            // Another process may have queued the same notice. It had the lock of the installation's row until it committed, and this
            // transaction has the lock now, so the conflict is seen.
            let text = "INSERT INTO xm.notices (id, agency, installation, number, kind, about) VALUES (?, ?, ?, ?, ?, ?)
                        ON CONFLICT ON CONSTRAINT notices_once DO NOTHING";
            let binds = [
                Bind::Uuid(id),
                Bind::Matricule(to.agency),
                Bind::Text(&to.installation),
                Bind::Bigint(next.number),
                Bind::Text(content.kind()),
                Bind::Text(about),
            ];
            if Statement::<()>::new(text, &binds).execute(connection).await? == 0 {
                return Ok(None);
            }
            let notice = Notice {
                sdc: FORMAT_VERSION,
                id,
                from: next.server,
                to: to.clone(),
                time: Utc::now(),
                mode: next.mode,
                number: next.number.unsigned_abs(),
                content: content.clone(),
            };
            let payload = payload::write_notice(&notice);
            let text = "WITH queued AS (INSERT INTO xm.outbox (agency, payload, transport, email)
                                        SELECT ?, unnest(?), ?, unnest(?) RETURNING id),
                             numbered AS (UPDATE xm.installations SET notice_highest = ? WHERE agency = ? AND name = ?)
                        UPDATE xm.notices n SET outbox = queued.id, payload = o.payload FROM queued, (SELECT unnest(?) AS payload) o
                         WHERE n.id = ?";
            let binds = [
                Bind::Matricule(to.agency),
                Bind::Byteas(vec![Some(&payload)]),
                Bind::Text(NOTICE),
                Bind::Texts(vec![email]),
                Bind::Bigint(next.number),
                Bind::Matricule(to.agency),
                Bind::Text(&to.installation),
                Bind::Byteas(vec![Some(&payload)]),
                Bind::Uuid(id),
            ];
            Statement::<()>::new(text, &binds).execute(connection).await?;
            Ok(Some(id))
        })
        .await
}

/// Queues a notice for every installation of an agency that has sent a letter. Returns for how many installations the notice is new.
///
/// # Errors
/// A fault of the database; the notices queued before the fault stay queued.
pub async fn queue_for_agency(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    about: &str,
    content: &NoticeContent,
) -> Result<usize, Fault> {
    queue_for_agency_at(connection, agency, about, content, None).await
}

/// Queues a notice as [`queue_for_agency`] does, with the address as in [`queue_at`].
///
/// # Errors
/// A fault of the database; the notices queued before the fault stay queued.
pub async fn queue_for_agency_at(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    about: &str,
    content: &NoticeContent,
    email: Option<&str>,
) -> Result<usize, Fault> {
    let text = "SELECT name FROM xm.installations WHERE agency = ? AND transport IS NOT NULL ORDER BY name";
    let installations: Vec<String> = Statement::<Text>::new(text, &[Bind::Matricule(agency)]).load(connection).await?;
    let mut queued = 0;
    for installation in installations {
        let to = Office { agency, installation };
        queued += usize::from(queue_at(connection, &to, about, content, email).await?.is_some());
    }
    Ok(queued)
}

/// Queues again the notices that an installation has not acknowledged: 1, 3, 7 and 14 days after they were first sent, then every week for
/// a year. If an installation has several notices about ending certificates, only the newest is repeated, and only until the certificate
/// has ended. Suspended agencies get no notices. Returns how many notices were queued.
///
/// # Errors
/// A fault of the database; the notices queued before the fault stay queued.
pub async fn send_again(connection: &mut AsyncPgConnection) -> Result<usize, Fault> {
    let text = "WITH due AS (
             SELECT n.id, n.agency, n.payload, nextval(pg_get_serial_sequence('xm.outbox', 'id')) AS outbox
               FROM (SELECT n.* FROM xm.notices n
                       JOIN xm.installations i ON i.agency = n.agency AND i.name = n.installation AND i.notice_seen < n.number
                       JOIN xm.agencies a ON a.matricule = n.agency AND a.status > 0
                      WHERE n.again_at <= now() AND n.outbox IS NULL AND n.payload IS NOT NULL
                        AND (n.kind <> 'certificate_ends'
                             OR (convert_from(n.payload, 'UTF8')::jsonb #>> '{body,ends}')::timestamptz > now()
                                AND NOT EXISTS (SELECT FROM xm.notices l
                                                 WHERE l.agency = n.agency AND l.installation = n.installation
                                                   AND l.kind = n.kind AND l.number > n.number))
                      ORDER BY n.again_at LIMIT ? FOR UPDATE OF n SKIP LOCKED) n),
         queued AS (
             INSERT INTO xm.outbox (id, agency, payload, transport) OVERRIDING SYSTEM VALUE
             SELECT outbox, agency, payload, ? FROM due)
         UPDATE xm.notices n SET outbox = due.outbox, again_at = NULL FROM due WHERE n.id = due.id";
    let mut queued = 0;
    loop {
        let binds = [Bind::Bigint(AGAIN_MAX), Bind::Text(NOTICE)];
        let some = Statement::<()>::new(text, &binds).execute(connection).await?;
        queued += some;
        if some < usize::try_from(AGAIN_MAX).unwrap_or(usize::MAX) {
            return Ok(queued);
        }
    }
}

/// Deletes the content of notices that offices have acknowledged, and removes these notices from the outbox. The row of the notice remains,
/// so that it is not queued again. Returns how many notices were changed.
///
/// # Errors
/// A fault of the database.
pub async fn forget_seen(connection: &mut AsyncPgConnection) -> Result<usize, Fault> {
    // A leased notice is being sent now. It is left out here, and the next call finds it.
    let text = "WITH seen AS (
             SELECT n.id, n.outbox FROM xm.notices n
               JOIN xm.installations i ON i.agency = n.agency AND i.name = n.installation AND i.notice_seen >= n.number
               LEFT JOIN xm.outbox o ON o.id = n.outbox
              WHERE n.payload IS NOT NULL AND (o.claimed_until IS NULL OR o.claimed_until < now())
              ORDER BY n.agency, n.installation, n.number LIMIT ? FOR UPDATE OF n SKIP LOCKED),
         gone AS (DELETE FROM xm.outbox o USING seen WHERE o.id = seen.outbox)
         UPDATE xm.notices n SET payload = NULL, again_at = NULL, outbox = NULL FROM seen WHERE n.id = seen.id";
    Ok(Statement::<()>::new(text, &[Bind::Bigint(AGAIN_MAX)]).execute(connection).await?)
}

/// Returns the SQL expression for the time when a notice that was just sent is to be repeated. It is NULL if the notice is not repeated any
/// more.
pub(super) fn again_after() -> String {
    format!(
        "CASE WHEN n.payload IS NULL OR n.sends + 1 >= {SENDS_MAX} THEN NULL
              ELSE now() + make_interval(days => CASE n.sends WHEN 0 THEN 1 WHEN 1 THEN 2 WHEN 2 THEN 4 ELSE 7 END) END"
    )
}

/// Data for the next notice to an installation.
struct Next {
    number: i64,
    server: String,
    mode: Mode,
}

/// Locks an installation that has sent a letter, and returns the data of its next notice. Returns `None` if the installation has not sent a
/// letter.
async fn next_notice(connection: &mut AsyncPgConnection, to: &Office) -> Result<Option<Next>, Fault> {
    let text = "SELECT i.notice_highest + 1, s.name, s.mode = 'live' FROM xm.installations i, xm.server s
                 WHERE i.agency = ? AND i.name = ? AND i.transport IS NOT NULL FOR NO KEY UPDATE OF i";
    let binds = [Bind::Matricule(to.agency), Bind::Text(&to.installation)];
    let rows: Vec<(i64, String, bool)> = Statement::<(BigInt, Text, Bool)>::new(text, &binds).load(connection).await?;
    Ok(rows.into_iter().next().map(|(number, server, is_live)| {
        let mode = if is_live { Mode::Live } else { Mode::Test };
        Next { number, server, mode }
    }))
}

type Row = (
    BigInt,
    Integer,
    SqlUuid,
    Text,
    BigInt,
    Bytea,
    Nullable<BigInt>,
    Nullable<Integer>,
    Nullable<Bytea>,
    Nullable<Text>,
    Text,
    Integer,
    Bool,
);

type Loaded = (
    i64,
    i32,
    Uuid,
    String,
    i64,
    Vec<u8>,
    Option<i64>,
    Option<i32>,
    Option<Vec<u8>>,
    Option<String>,
    String,
    i32,
    bool,
);

/// The notices that a lease selects.
#[derive(Clone, Copy)]
pub(super) enum DueNotices<'d> {
    /// Notices to installations whose present transport is this one.
    By(&'d str),
    /// Notices to these installations, if their last letter came over HTTPS, so that they collect their answers themselves.
    To(&'d [Office]),
}

/// Leases up to `most` notices to the process `process` for the time `hold`.
///
/// # Errors
/// A fault of the database.
pub(super) async fn lease(
    connection: &mut AsyncPgConnection,
    process: Uuid,
    which: DueNotices<'_>,
    most: i64,
    hold: Duration,
) -> Result<Vec<LeasedAnswer>, Fault> {
    let (transport, offices, only) = match which {
        DueNotices::By(transport) => (transport, [].as_slice(), ""),
        DueNotices::To(offices) => (HTTP, offices, TO_GIVEN),
    };
    // The notice is sealed for the key with which the installation last signed. The certificate of that key may have ended, since the
    // notice may be about its end. If the key is revoked, a valid certificate of the agency is used instead.
    let text = format!(
        "WITH due AS (
             SELECT o.id, n.id AS notice
               FROM xm.notices n
               JOIN xm.outbox o ON o.id = n.outbox
               JOIN xm.installations i ON i.agency = n.agency AND i.name = n.installation
              WHERE n.outbox IS NOT NULL AND o.failed_at IS NULL AND o.due_at <= now()
                AND (o.claimed_until IS NULL OR o.claimed_until < now()) AND i.transport = ?
                AND n.number > i.notice_seen {only}
              ORDER BY o.due_at LIMIT ? FOR UPDATE OF o SKIP LOCKED),
         leased AS (
             UPDATE xm.outbox o SET claimed_until = now() + make_interval(secs => ?::double precision), claimed_by = ?,
                    attempts = o.attempts + 1
               FROM due WHERE o.id = due.id
             RETURNING o.id, due.notice, o.payload, o.attempts, o.last_error, o.email)
         SELECT c.id, n.agency, n.id, n.installation, n.number, c.payload, i.dictionary, s.id, s.der,
                CASE WHEN a.cbc_allowed THEN i.cipher END, coalesce(c.email, a.email), c.attempts,
                       c.attempts > 1 OR c.last_error IS NOT NULL OR n.sent_at IS NOT NULL
           FROM leased c
           JOIN xm.notices n ON n.id = c.notice
           JOIN xm.installations i ON i.agency = n.agency AND i.name = n.installation
           JOIN xm.agencies a ON a.matricule = n.agency
           LEFT JOIN xm.certificates u ON u.id = i.certificate
           LEFT JOIN LATERAL (
                SELECT v.id, v.der
                  FROM xm.certificates v
                  JOIN xm.agency_keys k ON k.spki_sha256 = v.spki_sha256 AND k.revoked_at IS NULL
                 WHERE v.agency = n.agency AND (v.spki_sha256 = u.spki_sha256
                                                OR v.revoked_at IS NULL AND now() BETWEEN v.not_before AND v.not_after)
                 ORDER BY (v.spki_sha256 = u.spki_sha256) DESC NULLS LAST, (v.revoked_at IS NULL) DESC,
                          (v.id = u.id) DESC NULLS LAST, v.not_after DESC
                 LIMIT 1) s ON true
          ORDER BY n.agency, n.installation, n.number"
    );
    let mut binds = vec![Bind::Text(transport)];
    if let DueNotices::To(_) = which {
        binds.push(Bind::Matricules(offices.iter().map(|office| Some(office.agency)).collect()));
        binds.push(Bind::Texts(offices.iter().map(|office| Some(&*office.installation)).collect()));
    }
    binds.extend([Bind::Bigint(most), Bind::seconds(hold), Bind::Uuid(process)]);
    let rows: Vec<Loaded> = Statement::<Row>::new(&text, &binds).load(connection).await?;
    Ok(rows.into_iter().map(|row| leased(row, process)).collect())
}

fn leased(row: Loaded, process: Uuid) -> LeasedAnswer {
    let (
        id,
        agency,
        notice,
        installation,
        number,
        payload,
        dictionary,
        certificate_id,
        der,
        cipher,
        email,
        attempts,
        again,
    ) = row;
    let form = match dictionary {
        // The column is larger than the number of a dictionary, which has 32 bits, so the 0 is never used.
        Some(dictionary) => PayloadForm::Frame { dictionary: u32::try_from(dictionary).unwrap_or(0) },
        None => PayloadForm::Json,
    };
    LeasedAnswer {
        id,
        agency,
        letter_id: None,
        attempt: 1,
        part: 0,
        payload,
        certificate: certificate_id.zip(der).map(|(certificate_id, der)| Recipient { certificate_id, der }),
        cipher: read_cipher(cipher.as_deref()),
        email,
        of_letter: None,
        notice: Some(LeasedNotice { id: notice, installation, number, form }),
        attempts,
        process,
        is_sent_again: again,
    }
}

/// Returns the form of a payload as `xm.installations` stores it: the number of the dictionary for a compressed frame, `None` for JSON.
pub(crate) fn kept_dictionary(form: PayloadForm) -> Option<i64> {
    match form {
        PayloadForm::Json => None,
        PayloadForm::Frame { dictionary } => Some(i64::from(dictionary)),
    }
}
