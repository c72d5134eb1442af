//! Takes what the centre wrote. A document counts only once it is verified; what it changes is one transaction, so that a mail may be
//! deleted as soon as this returns.

use agency::office::{Answered, Given, Noticed, Received};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rusqlite::params;
use sdc::answer::AnswerContent;
use sdc::answer::notice::NoticeContent;
use sdc::answer::part::PartContent;
use sdc::answer::receipt::{Receipt, Verdict};
use sdc::keys::RegisteredCertificate;
use sdc::refusal::Remedy;
use sdc::service::Service;
use serde::Serialize;
use serde_json::json;

use super::{LetterError, correction, imported, meanwhile};
use crate::database::{Database, DatabaseError};
use crate::desk::{Desk, KeyError, now};
use crate::settings::Setting;

/// What a document of the centre told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum News {
    /// A receipt.
    Receipt {
        /// Number of the letter.
        sequence: u64,
        /// The verdict.
        verdict: Verdict,
    },
    /// A part of what the centre read for the office.
    Part {
        /// Digest of the letter.
        letter: String,
        /// Which part.
        part: u16,
    },
    /// A notice.
    Notice {
        /// Its number.
        number: u64,
        /// Its kind.
        kind: &'static str,
    },
    /// A document that had come before.
    Known,
}

/// Opens and verifies a document, and does what it says.
///
/// # Errors
/// The document is not the centre's, or not for this office: nothing is changed. The database cannot be written: nothing is changed.
pub fn take(desk: &Desk, document: &[u8]) -> Result<News, LetterError> {
    let transaction = desk.database.begin()?;
    // The enrolment's answer comes before the office has a key that the centre knows.
    let received = desk.office(Service::Enrol)?.receive(document)?;
    let news = match received {
        Received::Answered(answered) => take_answer(&desk.database, *answered)?,
        Received::Given(given) => take_part(&desk.database, *given)?,
        Received::Noticed(noticed) => take_notice(&desk.database, noticed)?,
    };
    transaction.commit().map_err(DatabaseError::from)?;
    Ok(news)
}

fn take_answer(database: &Database, answered: Answered) -> Result<News, LetterError> {
    let Answered { letter, answer, is_news } = answered;
    if !is_news {
        return Ok(News::Known);
    }
    let receipt = answer.receipt;
    // What is answered was carried, even where the program ended before it could note that.
    let statement = "UPDATE letters SET receipt = ?2, receipt_at = ?3, sent_at = coalesce(sent_at, ?3)
                      WHERE digest = ?1 AND epoch = ?4 AND attempt = ?5 RETURNING sequence";
    let digest = letter.to_string();
    let text = json!(receipt).to_string();
    let parameters = params![digest, text, now(), receipt.epoch, receipt.attempt];
    let Some(sequence) = database.find(statement, parameters, |row| row.get::<_, i64>(0))? else {
        // A part of an answer whose attempt is not the highest any more.
        return Ok(News::Known);
    };
    if let Some(body) = answer.body {
        let text = json!(body.content).to_string();
        let statement = "UPDATE parts SET body = ?3 WHERE sequence = ?1 AND part = ?2";
        database.change(statement, params![sequence, body.part, text])?;
        if let AnswerContent::Enrolled(issued) | AnswerContent::Renewed(issued) = &body.content {
            let der = BASE64.decode(&issued.certificate).unwrap_or_default();
            let certificate = RegisteredCertificate::from_der(&der).map_err(|_unreadable| KeyError::OtherKey)?;
            database.adopt_certificate(&certificate)?;
        }
    }
    settle_records(database, sequence, &receipt)?;
    if receipt.verdict == Verdict::Accepted {
        correction::settle(database, sequence, &receipt)?;
    }
    go_on_behind(database, receipt.highest_sequence)?;
    Ok(News::Receipt { sequence: sequence.unsigned_abs(), verdict: receipt.verdict })
}

/// Never gives a number that the centre has had already, as an office would that was copied back from a backup.
fn go_on_behind(database: &Database, highest: u64) -> Result<(), DatabaseError> {
    let next = database.setting(Setting::NextSequence)?.and_then(|text| text.parse::<u64>().ok());
    match next {
        Some(next) if next > highest => Ok(()),
        _ => database.set(Setting::NextSequence, &(highest + 1).to_string()),
    }
}

/// Gives the records of a letter the status that its verdict asks for.
fn settle_records(database: &Database, sequence: i64, receipt: &Receipt) -> Result<(), DatabaseError> {
    match (receipt.verdict, receipt.remedy) {
        // Also those that an earlier attempt had refused, as long as nobody has reopened them since: reopened ones name no letter.
        (Verdict::Accepted, _) => {
            let statement = "UPDATE records SET status = 4, remark = NULL WHERE sequence = ?1 AND status IN (2, 3)";
            database.change(statement, [sequence])?;
            meanwhile::settle(database, sequence)?;
        }
        (Verdict::Refused, Some(Remedy::Mend)) => {
            let refusal = receipt.refusal.as_ref();
            let general = json!({ "code": refusal.map(|refusal| refusal.code), "sequence": sequence }).to_string();
            let statement = "UPDATE records SET status = 2, remark = ?2 WHERE sequence = ?1 AND status IN (3, 4)";
            database.change(statement, params![sequence, general])?;
            for fault in refusal.iter().flat_map(|refusal| &refusal.faults) {
                let remark =
                    json!({ "code": refusal.map(|refusal| refusal.code), "sequence": sequence, "fault": fault });
                let statement = "UPDATE records SET remark = ?4 WHERE status = 2 AND sequence = ?1 AND numero =
                                 (SELECT numero FROM packed WHERE sequence = ?1 AND table_name = ?2 AND row = ?3)";
                database.change(statement, params![sequence, fault.table, fault.row, remark.to_string()])?;
            }
            meanwhile::settle(database, sequence)?;
        }
        // What waits, for money or for the centre's decision, stays packed.
        (Verdict::Refused | Verdict::Held, _) => {}
    }
    Ok(())
}

fn take_part(database: &Database, given: Given) -> Result<News, LetterError> {
    let Given { letter, part, is_news } = given;
    if !is_news {
        return Ok(News::Known);
    }
    let (digest, number) = (letter.to_string(), part.head.part);
    let statement = "UPDATE parts SET body = ?3
                      WHERE part = ?2 AND sequence = (SELECT sequence FROM letters WHERE digest = ?1)";
    database.change(statement, params![digest, number, json!(part.content).to_string()])?;
    if let PartContent::Rows(rows) = &part.content {
        imported::keep(database, &digest, rows)?;
    }
    Ok(News::Part { letter: digest, part: number })
}

fn take_notice(database: &Database, noticed: Noticed) -> Result<News, LetterError> {
    let Noticed { notice, is_news } = noticed;
    if !is_news {
        return Ok(News::Known);
    }
    let number = i64::try_from(notice.number).unwrap_or(i64::MAX);
    let (kind, content) = (notice.content.kind(), json!(notice.content).to_string());
    let statement = "UPDATE notices SET kind = ?2, content = ?3, written_at = ?4 WHERE number = ?1";
    let written_at = notice.time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    database.change(statement, params![number, kind, content, written_at])?;
    match &notice.content {
        NoticeContent::Definitions(definition) => database.define(definition)?,
        // The same octets again, whatever was answered: the centre has lost them.
        NoticeContent::Resend { from } => {
            let from = i64::try_from(*from).unwrap_or(i64::MAX);
            let statement = "UPDATE letters SET sent_at = NULL WHERE sequence >= ?1";
            database.change(statement, [from])?;
        }
        // Answers that the next key has signed may have come before this notice.
        NoticeContent::CentreCertificate { .. } => drop(database.change("DELETE FROM passed_over", [])?),
        _ => {}
    }
    Ok(News::Notice { number: notice.number, kind })
}
