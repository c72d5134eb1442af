//! Answers that offices collect themselves, over HTTPS. No courier carries these answers: each waits in the outbox until its office sends a
//! letter, or asks for the answer by the letter's id.

use std::time::Duration;

use diesel::sql_types::{Bytea, Integer, Nullable, SmallInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sdc::cms::ContentCipher;
use sdc::letter::{Matricule, Office};
use uuid::Uuid;

pub use super::leased::HTTP;
use super::leased::{LeasedAnswer, Recipient, read_cipher};
use super::notices::{self, DueNotices};
use super::outbox::{self, Loaded, Row, lease_due};
use crate::database::fault::Fault;
use crate::database::statement::{Bind, Statement};

/// A letter that has an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AnsweredLetter {
    /// The agency that signed the letter.
    pub agency: Matricule,
    /// The installation that sent the letter; empty if it is not known.
    pub installation: String,
    /// The id under which the letter's verdict is stored.
    pub letter_id: Uuid,
}

/// A letter whose answer is to be handed out.
#[derive(Clone, Debug)]
pub struct Wanted {
    letter: AnsweredLetter,
    /// Numbers of the attempt and of the part; `None` if any answer to the letter is wanted.
    exactly: Option<(i16, i16)>,
}

impl Wanted {
    /// Asks for the answer to a letter that is queued, whatever its attempt and part.
    pub fn any_of(letter: AnsweredLetter) -> Wanted {
        Wanted { letter, exactly: None }
    }

    /// Asks for the answer to a letter only if this attempt and part are still queued. An office that has taken an answer says which one it
    /// was; only that one is to be marked as sent.
    pub fn exactly(letter: AnsweredLetter, attempt: i16, part: i16) -> Wanted {
        Wanted { letter, exactly: Some((attempt, part)) }
    }
}

/// Leases answers to the process `process` for the time `hold`, on behalf of offices that are connected now and ask about the letters
/// `wanted`. These answers are:
/// - the answers to these letters, whatever transport they are queued for;
/// - for each installation of these letters, up to `most` answers to its other letters that wait to be collected;
/// - for all these installations together, up to `most` notices for each letter.
///
/// Answers that another process has leased are left out.
///
/// # Errors
/// A fault of the database.
pub async fn lease(
    connection: &mut AsyncPgConnection,
    process: Uuid,
    wanted: &[Wanted],
    most: i64,
    hold: Duration,
) -> Result<Vec<LeasedAnswer>, Fault> {
    let text = concat!(
        "WITH given AS (SELECT * FROM unnest(?, ?, ?, ?, ?) AS g (agency, letter_id, installation, attempt, part)),
              own AS (
                  SELECT o.id FROM given g JOIN xm.outbox o ON o.agency = g.agency AND o.letter_id = g.letter_id
                   WHERE (o.claimed_until IS NULL OR o.claimed_until < now())
                     AND o.attempt = coalesce(g.attempt, o.attempt) AND o.part = coalesce(g.part, o.part)
                     FOR UPDATE OF o SKIP LOCKED),
              beside AS (
                  SELECT b.id
                    FROM (SELECT DISTINCT agency, installation FROM given) g
                   CROSS JOIN LATERAL (
                         SELECT o.id
                           FROM xm.outbox o
                           JOIN xm.letters l ON l.agency = o.agency AND l.letter_id = o.letter_id AND l.installation = g.installation
                          WHERE o.agency = g.agency AND o.failed_at IS NULL AND o.transport IN (?, ?) AND o.due_at <= now()
                            AND (o.claimed_until IS NULL OR o.claimed_until < now())
                          ORDER BY o.id LIMIT ? FOR UPDATE OF o SKIP LOCKED) b),
              due AS (SELECT id FROM own UNION SELECT id FROM beside),
              ",
        lease_due!()
    );
    let in_parts = outbox::parts_transport(HTTP);
    let letters = || wanted.iter().map(|wanted| &wanted.letter);
    let binds = [
        Bind::Matricules(letters().map(|letter| Some(letter.agency)).collect()),
        Bind::Uuids(letters().map(|letter| Some(letter.letter_id)).collect()),
        Bind::Texts(letters().map(|letter| Some(&*letter.installation)).collect()),
        Bind::Smallints(wanted.iter().map(|wanted| Some(wanted.exactly?.0)).collect()),
        Bind::Smallints(wanted.iter().map(|wanted| Some(wanted.exactly?.1)).collect()),
        Bind::Text(HTTP),
        Bind::Text(&in_parts),
        Bind::Bigint(most),
        Bind::seconds(hold),
        Bind::Uuid(process),
    ];
    let rows: Vec<Loaded> = Statement::<Row>::new(text, &binds).load(connection).await?;
    let mut leased = outbox::answers_of(connection, rows, process).await?;
    if most > 0 {
        let office =
            |letter: &AnsweredLetter| Office { agency: letter.agency, installation: letter.installation.clone() };
        let offices: Vec<Office> = letters().map(office).collect();
        let most_notices = most.saturating_mul(i64::try_from(offices.len()).unwrap_or(i64::MAX));
        leased.extend(notices::lease(connection, process, DueNotices::To(&offices), most_notices, hold).await?);
    }
    Ok(leased)
}

/// Selects one of several answers to a letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// Number of the attempt at the letter, from 1; `None` for the last attempt.
    pub attempt: Option<i16>,
    /// Number of the part, from 1; 0 for the receipt alone. `None` selects the first part, or the receipt if no part is stored.
    pub part: Option<i16>,
}

/// An answer that was read without being leased, because its office has it already, or asks for it by the letter's id.
#[derive(Clone, Debug)]
pub struct ReadAnswer {
    /// The letter that is answered.
    pub letter: AnsweredLetter,
    /// SHA-256 of the signed octets of the letter, 32 bytes. Only the office and the centre know it.
    pub digest: Vec<u8>,
    /// Number of the attempt at the letter.
    pub attempt: i16,
    /// Number of the part; 0 for the receipt alone.
    pub part: i16,
    /// The octets to sign.
    pub payload: Vec<u8>,
    /// Certificate for which the answer is sealed; `None` if the key was revoked.
    pub certificate: Option<Recipient>,
    /// Cipher of the letter, if its agency may still use it; otherwise AES-256-GCM.
    pub cipher: ContentCipher,
}

type ReadRow =
    (Text, Bytea, SmallInt, SmallInt, Nullable<Bytea>, Integer, Nullable<Integer>, Nullable<Bytea>, Nullable<Text>);

/// Reads an answer to a letter. Returns `None` if the letter, its attempt or the part is not stored.
///
/// # Errors
/// A fault of the database.
pub async fn read(
    connection: &mut AsyncPgConnection,
    agency: Matricule,
    letter_id: Uuid,
    which: Which,
) -> Result<Option<ReadAnswer>, Fault> {
    let text = "SELECT l.installation, l.digest, w.attempt, w.part,
                       CASE WHEN w.part <> 0 THEN p.payload WHEN w.attempt = 1 THEN l.receipt ELSE t.receipt END,
                       l.certificate, s.id, s.der, CASE WHEN a.cbc_allowed THEN l.cipher END
                  FROM xm.letters l
                  JOIN xm.agencies a ON a.matricule = l.agency
                 CROSS JOIN LATERAL (SELECT coalesce((?::smallint[])[1], l.attempt) AS attempt) n
                 CROSS JOIN LATERAL (
                      SELECT n.attempt,
                             coalesce((?::smallint[])[1],
                                      (SELECT min(k.part) FROM xm.parts_kept k
                                        WHERE k.agency = l.agency AND k.letter_id = l.letter_id AND k.attempt = n.attempt
                                          AND NOT k.follows_receipt), 0::smallint) AS part) w
                  LEFT JOIN xm.attempts t ON t.agency = l.agency AND t.letter_id = l.letter_id AND t.attempt = w.attempt
                  LEFT JOIN xm.parts_kept p ON w.part <> 0 AND p.agency = l.agency AND p.letter_id = l.letter_id
                                           AND p.attempt = w.attempt AND p.part = w.part
                  LEFT JOIN xm.certificates s ON s.id = l.certificate AND s.revoked_at IS NULL
                 WHERE l.agency = ? AND l.letter_id = ?";
    let binds = [
        Bind::Smallints(vec![which.attempt]),
        Bind::Smallints(vec![which.part]),
        Bind::Matricule(agency),
        Bind::Uuid(letter_id),
    ];
    type LoadedRow = (String, Vec<u8>, i16, i16, Option<Vec<u8>>, i32, Option<i32>, Option<Vec<u8>>, Option<String>);
    let rows: Vec<LoadedRow> = Statement::<ReadRow>::new(text, &binds).load(connection).await?;
    let Some((installation, digest, attempt, part, payload, sealed_for, usable, der, cipher)) = rows.into_iter().next()
    else {
        return Ok(None);
    };
    let Some(payload) = payload else { return Ok(None) };
    let certificate = match usable.zip(der) {
        Some((certificate_id, der)) => Some(Recipient { certificate_id, der }),
        None => outbox::in_place_of(connection, vec![sealed_for]).await?.remove(&sealed_for),
    };
    let letter = AnsweredLetter { agency, installation, letter_id };
    Ok(Some(ReadAnswer { letter, digest, attempt, part, payload, certificate, cipher: read_cipher(cipher.as_deref()) }))
}

/// Reads the answer to a letter, and up to `most` answers to other letters of its installation that left in the same reply. An office that
/// did not get this reply sends the letter again, and must get all of these answers.
///
/// # Errors
/// A fault of the database.
pub async fn handed_out_with(
    connection: &mut AsyncPgConnection,
    letter: &AnsweredLetter,
    most: i64,
) -> Result<Vec<ReadAnswer>, Fault> {
    let text = "SELECT l.letter_id FROM xm.letters l
                 WHERE l.agency = ?
                   AND (l.letter_id = ?
                        OR l.installation = ? AND l.answered_at = (SELECT o.answered_at FROM xm.letters o
                                                                    WHERE o.agency = ? AND o.letter_id = ?))
                 ORDER BY l.letter_id <> ?, l.sequence LIMIT ? + 1";
    let binds = [
        Bind::Matricule(letter.agency),
        Bind::Uuid(letter.letter_id),
        Bind::Text(&letter.installation),
        Bind::Matricule(letter.agency),
        Bind::Uuid(letter.letter_id),
        Bind::Uuid(letter.letter_id),
        Bind::Bigint(most),
    ];
    let ids: Vec<Uuid> = Statement::<SqlUuid>::new(text, &binds).load(connection).await?;
    let mut answers = Vec::with_capacity(ids.len());
    for letter_id in ids {
        answers.extend(read(connection, letter.agency, letter_id, Which::default()).await?);
    }
    Ok(answers)
}

#[cfg(test)]
mod tests;
