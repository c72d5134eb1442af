//! The outbox: answers and notices that wait to be sent. Each of them is leased to one process at a time, and is kept until its courier has
//! sent it. The columns `claimed_by` and `claimed_until` contain the lease. (Their names are older than the word.)
//!
//! A transaction that changes rows of the outbox first locks their letters, or their notices. Settling and the exporter change the same
//! rows: settling when a letter comes again or another attempt is made at it, the exporter when it has sent the answer. If one of the two
//! locked the outbox first, each could wait for the other, and PostgreSQL would end one of them. Statements that lock only rows of the
//! outbox skip rows that are locked.

use std::collections::HashMap;
use std::time::Duration;

use diesel::sql_types::{BigInt, Bool, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

pub(crate) use super::leased::kept_cipher;
use super::leased::{HTTP, read_cipher};
pub use super::leased::{LeasedAnswer, LeasedNotice, Recipient};
use super::notices::{self, DueNotices};
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Shortest and longest wait, in seconds, before an answer that a relay did not accept is tried again.
const RETRY_SECONDS_MIN: f64 = 5.0;
const RETRY_SECONDS_MAX: f64 = 3600.0;

/// Table expression `given`: the leased answers that a statement is about. [`as_given`] makes its values.
macro_rules! given {
    () => {
        "WITH given AS (SELECT * FROM unnest(?, ?, ?, ?) AS g (id, attempt, part, claimed_by))"
    };
}

/// Table expressions `given` and `locked`: the leased answers that a statement is about, and their letters, which are locked. The condition
/// `all_locked` makes PostgreSQL lock all letters before it changes the first row of the outbox: the top of this file says why.
macro_rules! given_and_locked {
    ($given:expr) => {
        concat!(
            $given,
            ", locked AS MATERIALIZED (
                 SELECT l.letter_id FROM given
                   JOIN xm.outbox o ON o.id = given.id
                   JOIN xm.letters l ON l.agency = o.agency AND l.letter_id = o.letter_id
                  ORDER BY l.agency, l.letter_id FOR NO KEY UPDATE OF l)"
        )
    };
}

macro_rules! all_locked {
    () => {
        " AND (SELECT count(*) FROM locked) >= 0"
    };
}

/// Condition that row `o` still has the lease, attempt and part that `given` says. The id alone is not enough: one row is used for all
/// parts of an answer in turn, and for a later attempt that replaces an earlier one. If the statement waits for another transaction that
/// changes the row, PostgreSQL evaluates the condition again on the changed row.
macro_rules! still_leased {
    () => {
        "o.id = given.id AND o.attempt = given.attempt AND o.part = given.part AND o.claimed_by = given.claimed_by"
    };
}

/// Start of a statement that queues the answers to letters `l` of `xm.letters` again: the answer to the highest attempt, from its first
/// part if parts are stored. The answer is sent by the transport by which the letter first arrived. The variant with parameters takes the
/// transport from a joined table.
macro_rules! queue_anew {
    () => {
        $crate::letters::outbox::queue_anew!("l.transport", "")
    };
    ($transport:literal, $joined:literal) => {
        concat!(
            "INSERT INTO xm.outbox AS o (agency, letter_id, transport, attempt, part)
             SELECT l.agency, l.letter_id, ",
            $transport,
            " || CASE WHEN p.part IS NULL AND l.attempt = 1 THEN '' ELSE '-parts' END, l.attempt,
                    CASE WHEN p.follows_receipt THEN 0 ELSE coalesce(p.part, 0) END
               FROM xm.letters l ",
            $joined,
            " LEFT JOIN LATERAL (
                  SELECT k.part, k.follows_receipt FROM xm.parts_kept k
                   WHERE k.agency = l.agency AND k.letter_id = l.letter_id AND k.attempt = l.attempt
                   ORDER BY k.part LIMIT 1) p ON true"
        )
    };
}
pub(crate) use queue_anew;

/// End of a statement that starts with `queue_anew`. An answer that is already queued becomes due, and begins with its first part again.
macro_rules! or_make_due {
    () => {
        "ON CONFLICT (agency, letter_id) DO UPDATE
            SET transport = excluded.transport, attempt = excluded.attempt, part = excluded.part, failed_at = NULL,
                due_at = now(), attempts = 0"
    };
}
pub(crate) use or_make_due;

/// End of a statement that leases the rows of its table expression `due`, and returns them as [`Row`]. If a part is no longer stored, the
/// receipt, which is part 0, is sent instead.
macro_rules! lease_due {
    () => {
        "leased AS (
             UPDATE xm.outbox o SET claimed_until = now() + make_interval(secs => ?::double precision), claimed_by = ?,
                    attempts = o.attempts + 1,
                    part = coalesce((SELECT p.part FROM xm.parts_kept p
                                      WHERE p.agency = o.agency AND p.letter_id = o.letter_id AND p.attempt = o.attempt
                                        AND p.part = o.part), 0)
               FROM due WHERE o.id = due.id
             RETURNING o.id, o.agency, o.letter_id, o.attempt, o.part, o.certificate, o.payload, o.attempts, o.last_error, o.email)
         SELECT c.id, c.agency, c.letter_id, c.attempt, c.part, coalesce(p.payload, t.receipt, l.receipt, c.payload),
                coalesce(c.certificate, l.certificate), s.id, s.der,
                CASE WHEN a.cbc_allowed THEN l.cipher END, coalesce(c.email, a.email), c.attempts,
                c.attempts > 1 OR c.last_error IS NOT NULL OR l.answered_at IS NOT NULL, l.installation, l.sequence
           FROM leased c
           JOIN xm.agencies a ON a.matricule = c.agency
           LEFT JOIN xm.letters l ON l.agency = c.agency AND l.letter_id = c.letter_id
           LEFT JOIN xm.attempts t ON c.attempt > 1 AND t.agency = c.agency AND t.letter_id = c.letter_id AND t.attempt = c.attempt
           LEFT JOIN xm.parts_kept p ON c.part > 0 AND p.agency = c.agency AND p.letter_id = c.letter_id
                                          AND p.attempt = c.attempt AND p.part = c.part
           LEFT JOIN xm.certificates s ON s.id = coalesce(c.certificate, l.certificate) AND s.revoked_at IS NULL
          ORDER BY c.agency, c.id"
    };
}
pub(super) use lease_due;

pub(super) type Row = (
    BigInt,
    Integer,
    Nullable<SqlUuid>,
    SmallInt,
    SmallInt,
    Bytea,
    Nullable<Integer>,
    Nullable<Integer>,
    Nullable<Bytea>,
    Nullable<Text>,
    Text,
    Integer,
    Bool,
    Nullable<Text>,
    Nullable<BigInt>,
);

pub(super) type Loaded = (
    i64,
    i32,
    Option<Uuid>,
    i16,
    i16,
    Vec<u8>,
    Option<i32>,
    Option<i32>,
    Option<Vec<u8>>,
    Option<String>,
    String,
    i32,
    bool,
    Option<String>,
    Option<i64>,
);

/// Makes answers from rows that were just leased.
pub(super) async fn answers_of(
    connection: &mut AsyncPgConnection,
    rows: Vec<Loaded>,
    process: Uuid,
) -> Result<Vec<LeasedAnswer>, Fault> {
    let of_revoked = rows.iter().filter(|row| row.7.is_none()).filter_map(|row| row.6).collect();
    let in_place = in_place_of(connection, of_revoked).await?;
    Ok(rows.into_iter().map(|row| answer_of(row, process, &in_place)).collect())
}

/// Makes an answer from a row. A revoked certificate is replaced by the one that `in_place` has for it, since the office may not be able to
/// read what is sealed for the revoked one.
fn answer_of(row: Loaded, process: Uuid, in_place: &HashMap<i32, Recipient>) -> LeasedAnswer {
    let (
        id,
        agency,
        letter_id,
        attempt,
        part,
        payload,
        sealed_for,
        usable,
        der,
        cipher,
        email,
        attempts,
        again,
        installation,
        sequence,
    ) = row;
    let certificate = usable.zip(der).map(|(certificate_id, der)| Recipient { certificate_id, der });
    LeasedAnswer {
        id,
        agency,
        letter_id,
        attempt,
        part,
        payload,
        certificate: certificate.or_else(|| in_place.get(&sealed_for?).cloned()),
        cipher: read_cipher(cipher.as_deref()),
        email,
        of_letter: installation.zip(sequence),
        notice: None,
        attempts,
        process,
        is_sent_again: again,
    }
}

/// Returns the transport's name for answers that have parts or belong to a later attempt. Programs of the former version know neither parts
/// nor attempts. For such an answer they would send the receipt of the first attempt and delete the row. They lease only rows with the
/// plain name of the transport, so this name hides the answer from them.
pub fn parts_transport(transport: &str) -> String {
    format!("{transport}-parts")
}

/// Name of the transport by mail. Nearly every answer is sent by mail.
const MAIL: &str = "mail";

/// Returns the transport whose name is in the database; `None` for a transport that only a newer program knows.
pub fn transport_named(name: &str) -> Option<&'static str> {
    [MAIL, "folder", HTTP].into_iter().find(|known| *known == name)
}

/// Leases up to `most` answers of a transport, including answers in parts, to the process `process` for the time `hold`. After that time
/// another process may lease them. If fewer answers are due, notices to installations of this transport are leased too.
///
/// # Errors
/// A fault of the database.
pub async fn lease(
    connection: &mut AsyncPgConnection,
    process: Uuid,
    transport: &str,
    most: i64,
    hold: Duration,
) -> Result<Vec<LeasedAnswer>, Fault> {
    // Nearly all rows are mails. This condition lets PostgreSQL use the index `outbox_due_beside`, which leaves mails out. Without it,
    // PostgreSQL would pass over all mails that wait for a relay to find a few other answers.
    let beside = if transport == MAIL { "" } else { "AND transport NOT IN ('mail', 'mail-parts')" };
    let text = format!(
        "WITH due AS (
             SELECT id FROM xm.outbox
              WHERE failed_at IS NULL {beside} AND transport IN (?, ?) AND due_at <= now()
                AND (claimed_until IS NULL OR claimed_until < now())
              ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED),
         {}",
        lease_due!()
    );
    let in_parts = parts_transport(transport);
    let binds =
        [Bind::Text(transport), Bind::Text(&in_parts), Bind::Bigint(most), Bind::seconds(hold), Bind::Uuid(process)];
    let rows: Vec<Loaded> = Statement::<Row>::new(&text, &binds).load(connection).await?;
    let mut leased = answers_of(connection, rows, process).await?;
    let left = most.saturating_sub(i64::try_from(leased.len()).unwrap_or(i64::MAX));
    if left > 0 {
        leased.extend(notices::lease(connection, process, DueNotices::By(transport), left, hold).await?);
    }
    Ok(leased)
}

/// Finds the certificates that replace revoked ones. If the key is revoked, no certificate replaces it. If only the certificate was
/// revoked, another certificate of the same key is preferred, since the office may no longer have the revoked one. If no certificate is
/// revoked, as in most leases, no statement is run.
pub(super) async fn in_place_of(
    connection: &mut AsyncPgConnection,
    revoked: Vec<i32>,
) -> Result<HashMap<i32, Recipient>, Fault> {
    if revoked.is_empty() {
        return Ok(HashMap::new());
    }
    let text = "SELECT DISTINCT ON (n.id) n.id, v.id, v.der
                  FROM xm.certificates n
                  JOIN xm.agency_keys k ON k.spki_sha256 = n.spki_sha256 AND k.revoked_at IS NULL
                  JOIN xm.certificates v ON v.spki_sha256 = k.spki_sha256
                 WHERE n.id = ANY(?)
                 ORDER BY n.id, (v.revoked_at IS NULL) DESC, (v.id = n.id) DESC, v.not_after DESC";
    let binds = [Bind::Integers(revoked.into_iter().map(Some).collect())];
    let rows: Vec<(i32, i32, Vec<u8>)> =
        Statement::<(Integer, Integer, Bytea)>::new(text, &binds).load(connection).await?;
    Ok(rows.into_iter().map(|(of, certificate_id, der)| (of, Recipient { certificate_id, der })).collect())
}

/// Releases all answers that this process had leased before it was restarted, so that they need not wait for the end of the lease.
///
/// # Errors
/// A fault of the database.
pub async fn release(connection: &mut AsyncPgConnection, process: Uuid) -> Result<(), Fault> {
    let text = "UPDATE xm.outbox SET claimed_until = NULL
                 WHERE id IN (SELECT id FROM xm.outbox WHERE claimed_by = ? AND claimed_until IS NOT NULL
                                 FOR NO KEY UPDATE SKIP LOCKED)";
    Statement::<()>::new(text, &[Bind::Uuid(process)]).execute(connection).await?;
    Ok(())
}

/// Releases the answers of one transport that this process had leased before its restart, so that they need not wait for the end of the
/// lease. Another part of the program may be sending answers of other transports, so the leases of these remain.
///
/// # Errors
/// A fault of the database.
pub async fn release_of(connection: &mut AsyncPgConnection, process: Uuid, transport: &str) -> Result<(), Fault> {
    let text = "UPDATE xm.outbox SET claimed_until = NULL
                 WHERE id IN (SELECT o.id FROM xm.outbox o
                               WHERE claimed_by = ? AND claimed_until IS NOT NULL
                                 AND (transport IN (?, ?)
                                      OR EXISTS (SELECT FROM xm.notices n
                                                   JOIN xm.installations i ON i.agency = n.agency AND i.name = n.installation
                                                  WHERE n.outbox = o.id AND i.transport = ?))
                                 FOR NO KEY UPDATE OF o SKIP LOCKED)";
    let in_parts = parts_transport(transport);
    let binds = [Bind::Uuid(process), Bind::Text(transport), Bind::Text(&in_parts), Bind::Text(transport)];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Marks answers as sent, after their courier has sent them. The next part of an answer in parts becomes due. An answer that is no longer
/// leased as given does not change: another process may be sending it by now.
///
/// # Errors
/// A fault of the database; the answers are then sent again with the same content.
pub async fn sent(connection: &mut AsyncPgConnection, leased: &[LeasedAnswer]) -> Result<(), Fault> {
    let is_notice = |leased: &&LeasedAnswer| leased.notice.is_some();
    if leased.iter().any(|leased| is_notice(&leased)) {
        let text = format!(
            "{} UPDATE xm.notices n SET outbox = NULL, sent_at = now(), sends = n.sends + 1, again_at = {}
                  FROM gone WHERE n.outbox = gone.id",
            concat!(
                given!(),
                ", locked AS MATERIALIZED (SELECT n.id FROM xm.notices n JOIN given ON given.id = n.outbox
                                            ORDER BY n.id FOR NO KEY UPDATE OF n),
                   gone AS (DELETE FROM xm.outbox o USING given WHERE ",
                still_leased!(),
                all_locked!(),
                " RETURNING o.id)"
            ),
            notices::again_after()
        );
        Statement::<()>::new(&text, &as_given(leased.iter().filter(is_notice))).execute(connection).await?;
    }
    let answers = leased.iter().filter(|leased| !is_notice(leased));
    if answers.clone().next().is_none() {
        return Ok(());
    }
    // The letters are locked first. If another transaction is settling one of them again, that transaction has to wait, and then finds that
    // the answer was sent and does not queue it a second time.
    let text = concat!(
        given!(),
        ", answered AS (UPDATE xm.letters l SET answered_at = now() FROM xm.outbox o, given
                         WHERE ",
        still_leased!(),
        " AND l.agency = o.agency AND l.letter_id = o.letter_id
                        RETURNING 1),
           next AS (SELECT o.id, (SELECT min(n.part) FROM xm.parts_kept n
                                   WHERE n.agency = o.agency AND n.letter_id = o.letter_id AND n.attempt = o.attempt
                                     AND n.part > o.part AND (o.part > 0 OR n.follows_receipt)) AS part
                      FROM xm.outbox o JOIN given ON given.id = o.id),
           followed AS (UPDATE xm.outbox o
                           SET part = next.part, due_at = now(), claimed_until = NULL, claimed_by = NULL, attempts = 0,
                               last_error = NULL
                          FROM given JOIN next ON next.id = given.id
                         WHERE ",
        still_leased!(),
        " AND next.part IS NOT NULL AND (SELECT count(*) FROM answered) >= 0
                        RETURNING o.id)
         DELETE FROM xm.outbox o USING given
          WHERE ",
        still_leased!(),
        " AND (SELECT count(*) FROM answered) >= 0 AND o.id NOT IN (SELECT id FROM followed)"
    );
    Statement::<()>::new(text, &as_given(answers)).execute(connection).await?;
    Ok(())
}

/// Returns answers to the outbox after a failure. They are tried again after a wait that doubles with each attempt. An answer that is no
/// longer leased as given does not change: another process may be sending it by now.
///
/// # Errors
/// A fault of the database.
pub async fn put_back(connection: &mut AsyncPgConnection, leased: &[LeasedAnswer], error: &str) -> Result<(), Fault> {
    let due = |answer: &LeasedAnswer| {
        let wait = RETRY_SECONDS_MIN * 2f64.powi(answer.attempts.clamp(1, 20) - 1);
        Some(chrono::Utc::now() + Duration::from_secs_f64(wait.min(RETRY_SECONDS_MAX)))
    };
    let text = concat!(
        given_and_locked!(
            "WITH given AS (SELECT * FROM unnest(?, ?, ?, ?, ?) AS g (id, attempt, part, claimed_by, due_at))"
        ),
        " UPDATE xm.outbox o SET claimed_until = NULL, due_at = given.due_at, last_error = ? FROM given WHERE ",
        still_leased!(),
        all_locked!()
    );
    let mut binds = as_given(leased.iter());
    binds.extend([Bind::Timestamptzs(leased.iter().map(due).collect()), Bind::Text(bounded(error))]);
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Returns answers to the outbox without counting an attempt, since the relay could not be reached. An answer that is no longer leased as
/// given does not change: another process may be sending it by now.
///
/// # Errors
/// A fault of the database.
pub async fn leave(connection: &mut AsyncPgConnection, leased: &[LeasedAnswer]) -> Result<(), Fault> {
    let text = concat!(
        given_and_locked!(given!()),
        " UPDATE xm.outbox o SET claimed_until = NULL, attempts = greatest(o.attempts - 1, 0) FROM given WHERE ",
        still_leased!(),
        all_locked!()
    );
    Statement::<()>::new(text, &as_given(leased.iter())).execute(connection).await?;
    Ok(())
}

/// Gives answers up. An operator, or the office by repeating its letter, can make them due again. An answer that is no longer leased as
/// given does not change: another process may be sending it by now.
///
/// # Errors
/// A fault of the database.
pub async fn give_up(connection: &mut AsyncPgConnection, leased: &[LeasedAnswer], error: &str) -> Result<(), Fault> {
    let text = concat!(
        given_and_locked!(given!()),
        " UPDATE xm.outbox o SET claimed_until = NULL, failed_at = now(), last_error = ? FROM given WHERE ",
        still_leased!(),
        all_locked!()
    );
    let mut binds = as_given(leased.iter());
    binds.push(Bind::Text(bounded(error)));
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Deletes the parts of answers that are older than 14 days; receipts are kept. Returns how many parts were deleted.
///
/// # Errors
/// A fault of the database.
pub async fn forget_parts(connection: &mut AsyncPgConnection) -> Result<usize, Fault> {
    let text = "DELETE FROM xm.answer_parts WHERE made_at < now() - interval '14 days'";
    Ok(Statement::<()>::new(text, &[]).execute(connection).await?)
}

/// State of the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxState {
    /// Number of answers and notices that wait to be sent.
    pub waiting: i64,
    /// Number of answers and notices given up.
    pub failed: i64,
    /// Time when the oldest waiting answer or notice was queued; `None` if nothing waits.
    pub oldest_queued_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// Reads the state of the outbox.
///
/// # Errors
/// A fault of the database.
pub async fn state(connection: &mut AsyncPgConnection) -> Result<OutboxState, Fault> {
    type Row = (BigInt, BigInt, Nullable<Timestamptz>);
    let text = "SELECT count(*) FILTER (WHERE failed_at IS NULL), count(*) FILTER (WHERE failed_at IS NOT NULL),
                       min(queued_at) FILTER (WHERE failed_at IS NULL) FROM xm.outbox";
    let rows: Vec<(i64, i64, Option<chrono::DateTime<chrono::Utc>>)> =
        Statement::<Row>::new(text, &[]).load(connection).await?;
    let (waiting, failed, oldest_queued_at) = rows.into_iter().next().unwrap_or((0, 0, None));
    Ok(OutboxState { waiting, failed, oldest_queued_at })
}

/// Returns the values of the table expression `given`: id, attempt, part and process of each answer.
fn as_given<'l>(leased: impl Iterator<Item = &'l LeasedAnswer> + Clone) -> Vec<Bind<'static>> {
    vec![
        Bind::Bigints(leased.clone().map(|answer| Some(answer.id)).collect()),
        Bind::Smallints(leased.clone().map(|answer| Some(answer.attempt)).collect()),
        Bind::Smallints(leased.clone().map(|answer| Some(answer.part)).collect()),
        Bind::Uuids(leased.map(|answer| Some(answer.process)).collect()),
    ]
}

fn bounded(error: &str) -> &str {
    error.char_indices().nth(500).map_or(error, |(end, _)| &error[..end])
}
