//! Answers that wait to be sent, and what the centre writes first. Each is leased to one sender at a time, and kept until its courier
//! has taken it.
//! (The columns are named `claimed_by` and `claimed_until`, from before a claim was what a mail says of its sender.)

use std::collections::HashMap;
use std::time::Duration;

use diesel::sql_types::{BigInt, Bool, Bytea, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

pub(crate) use super::leased::kept_cipher;
use super::leased::read_cipher;
pub use super::leased::{LeasedAnswer, LeasedNotice, Recipient};
use super::notices;
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// Shortest and longest wait before an answer that a relay did not take is tried again.
const RETRY_SECONDS_MIN: f64 = 5.0;
const RETRY_SECONDS_MAX: f64 = 3600.0;

/// The leased answers that a statement is about, the binds of which [`as_given`] makes.
macro_rules! given {
    () => {
        "WITH given AS (SELECT * FROM unnest(?, ?, ?, ?) AS g (id, attempt, part, claimed_by))"
    };
}

/// Says whether a row `o` is still leased as `given` says. Its id alone does not tell: one row stands for the parts of an answer one
/// after the other, and for the attempt that takes the place of an earlier one. PostgreSQL looks again where another transaction
/// has changed the row meanwhile.
macro_rules! still_leased {
    () => {
        "o.id = given.id AND o.attempt = given.attempt AND o.part = given.part AND o.claimed_by = given.claimed_by"
    };
}

/// Begins a statement that queues the answer to letters `l` of `xm.letters` anew: their highest attempt, from its first part where
/// parts are kept. It leaves by the transport that the letter came by at first or, where one is named, by that of a table that is joined.
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

/// Ends it: an answer that is queued already begins anew.
macro_rules! or_make_due {
    () => {
        "ON CONFLICT (agency, letter_id) DO UPDATE
            SET transport = excluded.transport, attempt = excluded.attempt, part = excluded.part, failed_at = NULL,
                due_at = now(), attempts = 0"
    };
}
pub(crate) use or_make_due;

type Row = (
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

type Loaded = (
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

/// Makes an answer of a row; the certificate of a revoked one is that in its place.
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

/// Returns the name under which a transport's answers wait that are in parts or of a later attempt. A program of the version before
/// knows nothing of either: it leases what bears the transport's own name, sends the first receipt and deletes the row.
pub fn parts_transport(transport: &str) -> String {
    format!("{transport}-parts")
}

/// The transport of mail. Nearly every answer leaves by it.
const MAIL: &str = "mail";

/// Returns the transport of a name that was read from the database; none for one that only a newer program knows.
pub fn transport_named(name: &str) -> Option<&'static str> {
    [MAIL, "folder"].into_iter().find(|known| *known == name)
}

/// Leases up to `most` answers of a transport, those in parts included, for a process and for `hold`; after that another process
/// may lease them. Where there are fewer, notices to installations that use this transport.
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
    // Of a part that is kept no longer the receipt leaves, which is part 0.
    // However many answers wait for a relay that is away, those of other transports have an index of their own, `outbox_due_beside`.
    let beside = if transport == MAIL { "" } else { "AND transport NOT IN ('mail', 'mail-parts')" };
    let text = format!(
        "WITH due AS (
             SELECT id FROM xm.outbox
              WHERE failed_at IS NULL {beside} AND transport IN (?, ?) AND due_at <= now()
                AND (claimed_until IS NULL OR claimed_until < now())
              ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED),
         leased AS (
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
    );
    let in_parts = parts_transport(transport);
    let binds = [
        Bind::Text(transport),
        Bind::Text(&in_parts),
        Bind::Bigint(most),
        Bind::Bigint(i64::try_from(hold.as_secs()).unwrap_or(i64::MAX)),
        Bind::Uuid(process),
    ];
    let rows: Vec<Loaded> = Statement::<Row>::new(&text, &binds).load(connection).await?;
    let of_revoked = rows.iter().filter(|row| row.7.is_none()).filter_map(|row| row.6).collect();
    let in_place = in_place_of(connection, of_revoked).await?;
    let mut leased: Vec<LeasedAnswer> = rows.into_iter().map(|row| answer_of(row, process, &in_place)).collect();
    let left = most.saturating_sub(i64::try_from(leased.len()).unwrap_or(i64::MAX));
    if left > 0 {
        leased.extend(notices::lease(connection, process, transport, left, hold).await?);
    }
    Ok(leased)
}

/// Finds what takes the place of revoked certificates. The key is judged: one that was only replaced opens the answer as well as
/// any other of its key, but the office may not have it any more, so the one in its place goes first. Most leases meet none,
/// and cost no statement.
async fn in_place_of(connection: &mut AsyncPgConnection, revoked: Vec<i32>) -> Result<HashMap<i32, Recipient>, Fault> {
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

/// Gives up what was leased to a process in a former life, so that its answers need not wait for the end of the lease.
///
/// # Errors
/// A fault of the database.
pub async fn release(connection: &mut AsyncPgConnection, process: Uuid) -> Result<(), Fault> {
    let text = "UPDATE xm.outbox SET claimed_until = NULL WHERE claimed_by = ? AND claimed_until IS NOT NULL";
    Statement::<()>::new(text, &[Bind::Uuid(process)]).execute(connection).await?;
    Ok(())
}

/// Gives up what of one transport was leased to a process in a former life, and leaves what it has in hand of others.
///
/// # Errors
/// A fault of the database.
pub async fn release_of(connection: &mut AsyncPgConnection, process: Uuid, transport: &str) -> Result<(), Fault> {
    let text = "UPDATE xm.outbox o SET claimed_until = NULL
                 WHERE claimed_by = ? AND claimed_until IS NOT NULL
                   AND (transport IN (?, ?)
                        OR EXISTS (SELECT FROM xm.notices n
                                     JOIN xm.installations i ON i.agency = n.agency AND i.name = n.installation
                                    WHERE n.outbox = o.id AND i.transport = ?))";
    let in_parts = parts_transport(transport);
    let binds = [Bind::Uuid(process), Bind::Text(transport), Bind::Text(&in_parts), Bind::Text(transport)];
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Marks answers as sent: the relay has said so. Of an answer in parts the next one is due then. What is no longer as it was
/// leased is left alone.
///
/// # Errors
/// A fault of the database; the answers are then sent once more, with the same content.
pub async fn sent(connection: &mut AsyncPgConnection, leased: &[LeasedAnswer]) -> Result<(), Fault> {
    let is_notice = |leased: &&LeasedAnswer| leased.notice.is_some();
    if leased.iter().any(|leased| is_notice(&leased)) {
        let text = format!(
            "{} UPDATE xm.notices n SET outbox = NULL, sent_at = now(), sends = n.sends + 1, again_at = {}
                  FROM gone WHERE n.outbox = gone.id",
            concat!(
                given!(),
                ", gone AS (DELETE FROM xm.outbox o USING given WHERE ",
                still_leased!(),
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
    // The letters first: whoever settles one of them again meanwhile finds it locked, and does not queue its answer anew.
    let text = concat!(
        given!(),
        ", answered AS (UPDATE xm.letters l SET answered_at = now() FROM xm.outbox o, given
                         WHERE ",
        still_leased!(),
        " AND l.agency = o.agency AND l.letter_id = o.letter_id
                        RETURNING 1),
           followed AS (UPDATE xm.outbox o
                           SET part = p.part, due_at = now(), claimed_until = NULL, claimed_by = NULL, attempts = 0,
                               last_error = NULL
                          FROM given, xm.parts_kept p
                         WHERE ",
        still_leased!(),
        " AND (o.part > 0 OR p.follows_receipt) AND (SELECT count(*) FROM answered) >= 0
                           AND p.agency = o.agency AND p.letter_id = o.letter_id AND p.attempt = o.attempt
                           AND p.part = (SELECT min(n.part) FROM xm.parts_kept n
                                          WHERE n.agency = o.agency AND n.letter_id = o.letter_id
                                            AND n.attempt = o.attempt AND n.part > o.part)
                        RETURNING o.id)
         DELETE FROM xm.outbox o USING given
          WHERE ",
        still_leased!(),
        " AND (SELECT count(*) FROM answered) >= 0 AND o.id NOT IN (SELECT id FROM followed)"
    );
    Statement::<()>::new(text, &as_given(answers)).execute(connection).await?;
    Ok(())
}

/// Puts answers back to be tried later: soon at first, then ever more slowly. What is no longer as it was leased is left alone.
///
/// # Errors
/// A fault of the database.
pub async fn put_back(connection: &mut AsyncPgConnection, leased: &[LeasedAnswer], error: &str) -> Result<(), Fault> {
    let due = |answer: &LeasedAnswer| {
        let wait = RETRY_SECONDS_MIN * 2f64.powi(answer.attempts.clamp(1, 20) - 1);
        Some(chrono::Utc::now() + Duration::from_secs_f64(wait.min(RETRY_SECONDS_MAX)))
    };
    let text = concat!(
        "WITH given AS (SELECT * FROM unnest(?, ?, ?, ?, ?) AS g (id, attempt, part, claimed_by, due_at))
         UPDATE xm.outbox o SET claimed_until = NULL, due_at = given.due_at, last_error = ? FROM given WHERE ",
        still_leased!()
    );
    let mut binds = as_given(leased.iter());
    binds.extend([Bind::Timestamptzs(leased.iter().map(due).collect()), Bind::Text(bounded(error))]);
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Leaves answers as they were before they were leased: none was tried, since the relay was not reached. What is no longer as it
/// was leased is left alone.
///
/// # Errors
/// A fault of the database.
pub async fn leave(connection: &mut AsyncPgConnection, leased: &[LeasedAnswer]) -> Result<(), Fault> {
    let text = concat!(
        given!(),
        " UPDATE xm.outbox o SET claimed_until = NULL, attempts = greatest(o.attempts - 1, 0) FROM given WHERE ",
        still_leased!()
    );
    Statement::<()>::new(text, &as_given(leased.iter())).execute(connection).await?;
    Ok(())
}

/// Gives answers up until an operator, or the office asking again, makes them due. What is no longer as it was leased is left
/// alone.
///
/// # Errors
/// A fault of the database.
pub async fn give_up(connection: &mut AsyncPgConnection, leased: &[LeasedAnswer], error: &str) -> Result<(), Fault> {
    let text = concat!(
        given!(),
        " UPDATE xm.outbox o SET claimed_until = NULL, failed_at = now(), last_error = ? FROM given WHERE ",
        still_leased!()
    );
    let mut binds = as_given(leased.iter());
    binds.push(Bind::Text(bounded(error)));
    Statement::<()>::new(text, &binds).execute(connection).await?;
    Ok(())
}

/// Forgets what answers gave beside their receipts once it is two weeks old. Returns how many parts that were.
///
/// # Errors
/// A fault of the database.
pub async fn forget_parts(connection: &mut AsyncPgConnection) -> Result<usize, Fault> {
    let text = "DELETE FROM xm.answer_parts WHERE made_at < now() - interval '14 days'";
    Ok(Statement::<()>::new(text, &[]).execute(connection).await?)
}

/// What waits to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxState {
    /// Answers not sent yet.
    pub waiting: i64,
    /// Answers given up.
    pub failed: i64,
    /// When the oldest waiting one was queued.
    pub oldest_queued_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// Reads what waits to be sent.
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

/// Returns the binds of `given`.
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
