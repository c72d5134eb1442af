//! Reads a letter or an answer from strict JSON: the version first, then the letter's key, then everything else.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::{Uuid, Variant};

use super::write::NoticeBody;
use super::{LetterKey, PayloadLimits, Unreadable};
use crate::answer::notice::{NOTICE, Notice, NoticeContent};
use crate::answer::part::{Answered, Part, PartContent, PartHead};
use crate::answer::results::Results;
use crate::answer::rows::Rows;
use crate::answer::statement::Statement;
use crate::answer::{Answer, AnswerBody, AnswerContent, CentreLetter};
use crate::expected::Expected;
use crate::json::members::{is_name, text};
use crate::json::{Document, malformed};
use crate::letter::{FORMAT_VERSION, Letter, Mode, Office};
use crate::moment;
use crate::refusal::{Refusal, RefusalCode};
use crate::request::Request;
use crate::service::{AnswerKind, Service};

const LETTER: &[&str] = &["sdc", "id", "from", "to", "sequence", "time", "mode", "seen", "service", "body"];
const ANSWER: &[&str] = &["sdc", "id", "from", "to", "time", "mode", "receipt", "service", "part", "parts", "body"];
const NOTICE_MEMBERS: &[&str] = &["sdc", "id", "from", "to", "time", "mode", "service", "body"];

const PART: &[&str] = &["sdc", "id", "from", "to", "time", "mode", "answers", "service", "part", "last", "body"];

/// Members that an answer with a body has beside its receipt. An answer has all of these members, or none.
const BODY: [&str; 4] = ["service", "part", "parts", "body"];

/// Greatest sequence number, 2^53: the largest number up to which every JSON library is exact (RFC 8259, 6).
const SEQUENCE_MAX: u64 = 1 << 53;

/// Reads a letter from its JSON.
pub fn letter(json: &[u8], limits: &PayloadLimits) -> Result<Letter, Unreadable> {
    let document = Document::divide(json).map_err(|refusal| Unreadable { refusal, key: None })?;
    let head = Head { document, limits };
    head.letter().map_err(|refusal| Unreadable { refusal, key: head.key().ok().map(Box::new) })
}

/// Reads an answer from its JSON.
pub fn answer(json: &[u8], limits: &PayloadLimits) -> Result<Answer, Refusal> {
    Head { document: Document::divide(json)?, limits }.answer()
}

/// Reads a part of an answer from its JSON.
pub fn part(json: &[u8], limits: &PayloadLimits) -> Result<Part, Refusal> {
    Head { document: Document::divide(json)?, limits }.part()
}

/// Reads a letter from the centre from its JSON.
pub fn centre_letter(json: &[u8], limits: &PayloadLimits) -> Result<CentreLetter, Refusal> {
    let head = Head { document: Document::divide(json)?, limits };
    head.version()?;
    // Every answer has a receipt, and no service is called `notice`, so no notice is read as an answer.
    if !head.document.has("receipt") && head.document.has("service") && head.service()? == NOTICE {
        head.notice().map(CentreLetter::Notice)
    } else if head.document.has("answers") {
        head.part().map(CentreLetter::Part)
    } else {
        head.answer().map(CentreLetter::Answer)
    }
}

/// The members of a letter besides its body.
struct Head<'a> {
    document: Document<'a>,
    limits: &'a PayloadLimits,
}

impl Head<'_> {
    fn letter(&self) -> Result<Letter, Refusal> {
        let sdc = self.version()?;
        self.document.admit(LETTER)?;
        let LetterKey { id, from, to, sequence, mode } = self.key()?;
        let (time, seen) = (self.time()?, self.seen()?);
        let request = self.request()?;
        Ok(Letter { sdc, id, from, to, sequence, time, mode, seen, request })
    }

    fn answer(&self) -> Result<Answer, Refusal> {
        let sdc = self.version()?;
        self.document.admit(ANSWER)?;
        Ok(Answer {
            sdc,
            id: self.id()?,
            from: self.server("from")?,
            to: self.typed("to", Expected::Addressee)?,
            time: self.time()?,
            mode: self.mode()?,
            receipt: self.typed("receipt", Expected::Receipt)?,
            body: self.body()?,
        })
    }

    fn notice(&self) -> Result<Notice, Refusal> {
        let sdc = self.version()?;
        self.document.admit(NOTICE_MEMBERS)?;
        let (id, from, to): (_, _, Office) = (self.id()?, self.server("from")?, self.typed("to", Expected::Sender)?);
        if !is_installation(&to.installation) {
            return Err(malformed("to.installation", Expected::Installation));
        }
        let NoticeBody { number, content } = self.typed("body", Expected::Notice)?;
        if !(1..=SEQUENCE_MAX).contains(&number) {
            return Err(malformed("body.number", Expected::Sequence));
        }
        match &content {
            NoticeContent::CertificateEnds { certificate, .. } if !is_digest(certificate) => {
                Err(malformed("body.certificate", Expected::Fingerprint))
            }
            NoticeContent::Definitions(definition) if !definition.columns.iter().all(Value::is_object) => {
                Err(malformed("body.columns", Expected::Notice))
            }
            NoticeContent::Resend { from } if !(1..=SEQUENCE_MAX).contains(from) => {
                Err(malformed("body.from", Expected::Sequence))
            }
            _ => Ok(()),
        }?;
        Ok(Notice { sdc, id, from, to, time: self.time()?, mode: self.mode()?, number, content })
    }

    fn part(&self) -> Result<Part, Refusal> {
        let sdc = self.version()?;
        self.document.admit(PART)?;
        let answers: Answered = self.typed("answers", Expected::Answered)?;
        if !is_digest(&answers.digest) {
            return Err(malformed("answers.digest", Expected::Fingerprint));
        }
        let service: Option<Service> = self.service()?.parse().ok();
        let part = self.typed("part", Expected::Part)?;
        if part == 0 {
            return Err(malformed("part", Expected::Part));
        }
        let last = self.document.has("last");
        if last && !self.typed::<bool>("last", Expected::Last)? {
            return Err(malformed("last", Expected::Last));
        }
        let body = self.member("body")?;
        let content = match service.map(|service| service.facts().answer) {
            Some(AnswerKind::Rows) if body.get("price").is_some() => {
                PartContent::Estimate(typed(body, "body", Expected::Estimate)?)
            }
            Some(AnswerKind::Rows) => {
                let rows: Rows = typed(body, "body", Expected::Rows)?;
                PartContent::Rows(Some(rows).filter(Rows::is_table).ok_or_else(|| malformed("body", Expected::Rows))?)
            }
            Some(AnswerKind::Results) => {
                let results: Results = typed(body, "body", Expected::Results)?;
                let results = Some(results).filter(Results::is_table);
                PartContent::Results(results.ok_or_else(|| malformed("body", Expected::Results))?)
            }
            _ => return Err(malformed("service", Expected::ServiceWithBody)),
        };
        let head = PartHead {
            sdc,
            id: self.id()?,
            from: self.server("from")?,
            to: self.typed("to", Expected::Addressee)?,
            time: self.time()?,
            mode: self.mode()?,
            answers,
            service: content.service(),
            part,
            last,
        };
        Ok(Part { head, content })
    }

    fn key(&self) -> Result<LetterKey, Refusal> {
        let from = self.typed("from", Expected::Sender)?;
        let key =
            LetterKey { id: self.id()?, from, to: self.server("to")?, sequence: self.sequence()?, mode: self.mode()? };
        if !is_installation(&key.from.installation) {
            return Err(malformed("from.installation", Expected::Installation));
        }
        Ok(key)
    }

    fn member(&self, name: &'static str) -> Result<Value, Refusal> {
        self.document.member(name, self.limits)
    }

    fn typed<T: DeserializeOwned + Serialize>(&self, name: &'static str, expected: Expected) -> Result<T, Refusal> {
        typed(self.member(name)?, name, expected)
    }

    fn version(&self) -> Result<u16, Refusal> {
        let version = self.member("sdc")?.as_u64().ok_or_else(|| malformed("sdc", Expected::FormatVersion))?;
        if version == u64::from(FORMAT_VERSION) {
            return Ok(FORMAT_VERSION);
        }
        let refusal = Refusal::new(RefusalCode::VersionUnsupported);
        Err(refusal.with("expected", FORMAT_VERSION).with("found", version))
    }

    fn id(&self) -> Result<Uuid, Refusal> {
        let text = text(self.member("id")?);
        let id = text.as_deref().and_then(|text| Uuid::try_parse(text).ok()).filter(|id| {
            let is_v7 = id.get_version_num() == 7 && id.get_variant() == Variant::RFC4122;
            is_v7 && text.as_deref() == Some(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
        });
        id.ok_or_else(|| malformed("id", Expected::LetterId))
    }

    fn server(&self, name: &'static str) -> Result<String, Refusal> {
        text(self.member(name)?).filter(|text| is_name(text)).ok_or_else(|| malformed(name, Expected::Server))
    }

    fn sequence(&self) -> Result<u64, Refusal> {
        let sequence = self.member("sequence")?.as_u64().filter(|number| (1..=SEQUENCE_MAX).contains(number));
        sequence.ok_or_else(|| malformed("sequence", Expected::Sequence))
    }

    fn seen(&self) -> Result<Option<u64>, Refusal> {
        if !self.document.has("seen") {
            return Ok(None);
        }
        let seen = self.member("seen")?.as_u64().filter(|number| (1..=SEQUENCE_MAX).contains(number));
        seen.map(Some).ok_or_else(|| malformed("seen", Expected::Sequence))
    }

    fn time(&self) -> Result<DateTime<Utc>, Refusal> {
        let time = text(self.member("time")?).and_then(|text| moment::read(&text));
        time.ok_or_else(|| malformed("time", Expected::Moment))
    }

    fn mode(&self) -> Result<Mode, Refusal> {
        self.typed("mode", Expected::Mode)
    }

    fn service(&self) -> Result<String, Refusal> {
        text(self.member("service")?).ok_or_else(|| malformed("service", Expected::ServiceName))
    }

    fn body(&self) -> Result<Option<AnswerBody>, Refusal> {
        if !BODY.iter().any(|name| self.document.has(name)) {
            return Ok(None);
        }
        let service: Option<Service> = self.service()?.parse().ok();
        let (part, parts) = (self.typed("part", Expected::Part)?, self.typed("parts", Expected::Parts)?);
        if !(1..=parts).contains(&part) {
            return Err(malformed("part", Expected::Part));
        }
        // Only the bodies in this list are read. A newer centre may write bodies that this release does not know; they are refused.
        let content = match service.map(|service| service.facts().answer) {
            Some(AnswerKind::Statement) => AnswerContent::Statement(self.statement()?),
            Some(AnswerKind::Profile) => AnswerContent::Profile(self.typed("body", Expected::Profile)?),
            Some(AnswerKind::Certificate) => {
                let issued = self.typed("body", Expected::IssuedCertificate)?;
                if service == Some(Service::Enrol) {
                    AnswerContent::Enrolled(issued)
                } else {
                    AnswerContent::Renewed(issued)
                }
            }
            Some(AnswerKind::Receipt | AnswerKind::Rows | AnswerKind::Results) | None => {
                return Err(malformed("service", Expected::ServiceWithBody));
            }
        };
        Ok(Some(AnswerBody { part, parts, content }))
    }

    fn statement(&self) -> Result<Statement, Refusal> {
        let statement: Statement = self.typed("body", Expected::Statement)?;
        if statement.to < statement.from {
            return Err(malformed("body.to", Expected::DayNotBefore));
        }
        Ok(statement)
    }

    fn request(&self) -> Result<Request, Refusal> {
        let service = self.service()?;
        match service.parse::<Service>() {
            Ok(service) => Request::read(service, || self.member("body"), self.limits),
            Err(_unknown) => {
                let refusal = Refusal::new(RefusalCode::ServiceUnknown);
                Err(if is_service(&service) { refusal.with("service", service) } else { refusal })
            }
        }
    }
}

/// Reads a type from a value that is already strict JSON.
fn typed<T: DeserializeOwned + Serialize>(value: Value, name: &'static str, expected: Expected) -> Result<T, Refusal> {
    // serde's own message would quote the value, which is personal data.
    let read: T = serde_json::from_value(value.clone()).map_err(|_quotes| malformed(name, expected))?;
    // serde also admits other forms, such as an array instead of an object, an object instead of a variant's name, or null instead of an
    // absent member. A value in such a form differs from what serde writes for the type that was read.
    let is_our_form = serde_json::to_value(&read).is_ok_and(|written| written == value);
    if is_our_form { Ok(read) } else { Err(malformed(name, expected)) }
}

fn is_service(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_')
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|octet| octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet))
}

fn is_installation(text: &str) -> bool {
    let is_plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with('-')
}
